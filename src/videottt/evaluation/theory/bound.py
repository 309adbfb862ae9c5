"""Compute the bound of section 6.2 on the window's gradient, and the window that minimises it.

Everywhere, `change` is β²η², the squared change of the main task's gradient from frame to frame,
and `variance` is σ² of assumption 3. The factor 1 / 2α is left out, because it moves no minimum.
"""

import numpy as np

NEWTON_STEPS = 60


def bias_bound(window: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the bias term k²β²η² of the paper's theorem (equation 21)."""
    result: np.ndarray = np.asarray(window, float) ** 2 * change
    return result


def tight_bias_bound(window: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return ((k - 1) / 2)² β²η², a tighter bound by the same proof.

    A of equation 15 is a sum of k (k - 1) / 2 differences, each no longer than βη; the paper rounds
    that up to k². The bound is attained if the gradient moves along a straight line.
    """
    result: np.ndarray = ((np.asarray(window, float) - 1) / 2) ** 2 * change
    return result


def variance_bound(window: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the variance term σ²/k (equation 21)."""
    result: np.ndarray = np.asarray(variance) / np.asarray(window, float)
    return result


def paper_window(variance: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the k printed in the paper: (σ² / β²η²)^(1/3)."""
    result: np.ndarray = np.cbrt(_ratio(variance, change))
    return result


def bound_window(variance: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the k > 0 that minimises the paper's bound: (σ² / 2β²η²)^(1/3).

    There, the derivative 2kβ²η² - σ²/k² of the bound is 0; the paper leaves out the 2.
    """
    return np.cbrt(_ratio(variance, change) / 2)


def tight_bound_window(variance: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the k >= 1 that minimises the tighter bound: the root of k³ - k² = 2σ²/β²η²."""
    ratio = 2 * _ratio(variance, change)
    window = 1 + np.cbrt(ratio)
    finite = np.isfinite(window)
    # From k = 1 on, k³ - k² is convex and grows, so Newton's steps reach the root from above.
    for _ in range(NEWTON_STEPS):
        k = window[finite]
        window[finite] = k - (k**3 - k**2 - ratio[finite]) / (3 * k**2 - 2 * k)
    result: np.ndarray = window
    return result


def _ratio(variance: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return σ²/β²η² as float64 [N]; negative estimates count as 0, and 0/0 is NaN."""
    above = np.clip(np.atleast_1d(np.asarray(variance, float)), 0, None)
    below = np.clip(np.atleast_1d(np.asarray(change, float)), 0, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = above / below
        return result
