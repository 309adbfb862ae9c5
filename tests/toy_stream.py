"""Convex problems in which every constant of the theorem is known: what the proof is checked on.

Main task: ℓ_m^t(θ) = ψ(θ) - θᵀ W x_t, with ψ α-strongly convex and W a multiple of a matrix with
orthonormal columns, so that ‖∇ℓ_m^{t+1} - ∇ℓ_m^t‖ = β ‖x_{t+1} - x_t‖ exactly. Self-supervised
task: ℓ_s^t(θ) = ℓ_m^t(θ) - δ_tᵀ θ, as assumption 3 has it. The window's mean of ∇ℓ_s^t is ∇ψ(θ)
minus a vector, and test-time training converges where that is 0.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

NEWTON_STEPS = 60


class Potential(Protocol):
    """A strongly convex ψ: R^n -> R, the same for every coordinate; arrays are [..., n]."""

    alpha: float

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Return ψ(θ): [...]."""
        ...

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """Return ∇ψ(θ): [..., n]."""
        ...

    def inverse_gradient(self, target: np.ndarray) -> np.ndarray:
        """Return the θ with ∇ψ(θ) = target, which minimises ψ(θ) - θᵀ target: [..., n]."""
        ...


@dataclass(frozen=True)
class Quadratic:
    """ψ(θ) = α/2 ‖θ‖²: the lemma (equation 7) holds with equality."""

    alpha: float

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Return ψ(θ)."""
        return self.alpha / 2 * (theta**2).sum(axis=-1)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """Return ∇ψ(θ)."""
        return self.alpha * theta

    def inverse_gradient(self, target: np.ndarray) -> np.ndarray:
        """Return the θ with ∇ψ(θ) = target."""
        return target / self.alpha


@dataclass(frozen=True)
class LogCosh:
    """ψ(θ) = α/2 ‖θ‖² + Σ log cosh θ_i: α-strongly convex, its curvature between α and α + 1."""

    alpha: float

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Return ψ(θ)."""
        # log cosh without overflow.
        folded = np.abs(theta) + np.log1p(np.exp(-2 * np.abs(theta))) - np.log(2)
        return (self.alpha / 2 * theta**2 + folded).sum(axis=-1)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """Return ∇ψ(θ)."""
        return self.alpha * theta + np.tanh(theta)

    def inverse_gradient(self, target: np.ndarray) -> np.ndarray:
        """Return the θ with ∇ψ(θ) = target, by bisection and Newton's steps."""
        # tanh lies between -1 and 1: the root lies between these two.
        low, high = (target - 1) / self.alpha, (target + 1) / self.alpha
        theta = target / (self.alpha + 1)
        for _ in range(NEWTON_STEPS):
            slope = self.gradient(theta) - target
            low, high = np.where(slope < 0, theta, low), np.where(slope > 0, theta, high)
            step = theta - slope / (self.alpha + 1 - np.tanh(theta) ** 2)
            theta = np.where((step > low) & (step < high), step, (low + high) / 2)
        return theta


@dataclass(frozen=True)
class ToyStream:
    """A toy stream of T frames.

    Attributes:
        potential: ψ.
        beta: ‖∇ℓ_m^{t+1} - ∇ℓ_m^t‖ / ‖x_{t+1} - x_t‖.
        frames: float64 [T, d], x_t.
        weights: float64 [n, d], W.
    """

    potential: Potential
    beta: float
    frames: np.ndarray
    weights: np.ndarray

    def main_gradients(self, theta: np.ndarray) -> np.ndarray:
        """Return ∇ℓ_m^t(θ) of every frame: float64 [T, n]."""
        return self.potential.gradient(theta) - self.frames @ self.weights.T

    def excess_loss(self, window: int, noise: np.ndarray) -> np.ndarray:
        """Return ℓ_m^t(θ̃) - ℓ_m^t(θ*) at the last frame t, with θ̃ from its last `window` frames.

        Args:
            window: k.
            noise: float64 [R, T, n], R draws of δ_t.

        Returns:
            float64 [R].
        """
        pulls = self.frames @ self.weights.T
        own = pulls[-1]
        target = pulls[-window:].mean(axis=0) + noise[:, -window:].mean(axis=1)
        learned = self.potential.inverse_gradient(target)
        best = self.potential.inverse_gradient(own)
        at_best = self.potential.value(best) - best @ own
        return self.potential.value(learned) - learned @ own - at_best


def straight_path(length: int, eta: float, direction: np.ndarray) -> np.ndarray:
    """Return frames on a straight line, each at distance `eta` from the one before: [T, d]."""
    unit = direction / np.linalg.norm(direction)
    return np.arange(length)[:, None] * eta * unit


def random_path(length: int, eta: float, dimension: int, draws: np.random.Generator) -> np.ndarray:
    """Return frames on a random walk with steps of length `eta`: [T, d]."""
    steps = draws.normal(size=(length, dimension))
    return np.cumsum(eta * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)


def toy_stream(
    potential: Potential, beta: float, frames: np.ndarray, size: int, draws: np.random.Generator
) -> ToyStream:
    """Return a stream with n = `size` parameters whose β is exactly `beta`; n >= d."""
    weights, _ = np.linalg.qr(draws.normal(size=(size, frames.shape[1])))
    return ToyStream(potential, beta, frames, beta * weights)


def noise(variance: float, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
    """Return independent δ with mean 0 and E ‖δ‖² = `variance`; the last axis of shape is n."""
    return draws.normal(size=shape) * np.sqrt(variance / shape[-1])
