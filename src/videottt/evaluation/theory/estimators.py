"""Estimate the theorem's quantities from the inner products of a stream's gradients.

Every estimate is a function of weights on the frames: all 1 for the estimate itself, the counts of
a moving-block bootstrap for its spread. Squares are products of two independent halves of the
draws, so quantities are free of the noise of masks and points, unless their name says otherwise.
"""

from dataclasses import dataclass

import numpy as np

from videottt.core.errors import InputError
from videottt.core.randomness import numpy_generator
from videottt.evaluation.theory import bound
from videottt.evaluation.theory.statistics import GradientStatistics

REPLICATES = 1000
# "" is the theorem, c = 1; "_scaled" uses c·∇ℓ_s with c by least squares, because the two losses
# have different units.
VARIANTS = ("", "_scaled")
# "" is the variance over time, in which slow drift counts; "_differences" is half the mean squared
# difference of neighbouring frames, in which it does not (von Neumann et al. 1941; Rice 1984).
SPREADS = ("", "_differences")


@dataclass(frozen=True)
class Estimates:
    """The estimates: entry or row 0 is the estimate, the next R are bootstrap replicates.

    Attributes:
        windows: int64 [K], ascending.
        constants: name -> float64 [1 + R]; maxima have no replicates (NaN).
        curves: name -> float64 [1 + R, K], functions of the window.
    """

    windows: np.ndarray
    constants: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Rows:
    """Inner products for every window and target t, each float64 [K, N].

    m is ∇ℓ_m, s is ∇ℓ_s, and a bar is the mean over the window that ends at t.

    Attributes:
        bias: ‖m̄ - m_t‖².
        own: ⟨s̄, s̄⟩.
        cross: ⟨s̄, m_t⟩.
        main: ⟨m_t, m_t⟩.
        spread: of mm, ms and ss: ⟨ā - mean a, b̄ - mean b⟩, each [K, N].
    """

    bias: np.ndarray
    own: np.ndarray
    cross: np.ndarray
    main: np.ndarray
    spread: list[np.ndarray]


def window_sizes(length: int) -> np.ndarray:
    """Return the windows to compare: about two an octave, from 1 to half the stream.

    At half the stream, at least half of the frames have a full window of every size.
    """
    sizes = np.round(2 ** np.arange(0, np.log2(length // 2) + 1e-9, 0.5)).astype(np.int64)
    return np.unique(np.append(sizes, length // 2))


def block_length(length: int) -> int:
    """Return the block length of the bootstrap: the square root of the stream's, in frames."""
    result: int = max(1, round(length**0.5))
    return result


def bootstrap_weights(length: int, replicates: int, *key: str | int) -> np.ndarray:
    """Return the number of draws of each frame in a moving-block bootstrap (Künsch 1989).

    Returns:
        float64 [1 + replicates, length]; row 0 is all ones, and every row sums to `length`.
    """
    block = block_length(length)
    draws = numpy_generator(*key, "block bootstrap")
    blocks = -(-length // block)
    starts = draws.integers(length - block + 1, size=(replicates, blocks))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(replicates, blocks * block)[:, :length]
    weights = np.ones((1 + replicates, length))
    for row, frames in zip(weights[1:], drawn, strict=True):
        row[:] = np.bincount(frames, minlength=length)
    return weights


def estimate(
    statistics: GradientStatistics, windows: np.ndarray, replicates: int, *key: str | int
) -> Estimates:
    """Return every constant and curve of the theorem, as measured.

    Curves are means over the targets t with a full window of the largest size, so that all windows
    are compared on the same frames. For k = window, with m = ∇ℓ_m and s = ∇ℓ_s:

    - ``bias``: ‖(1/k) Σ m - m_t‖², bounded in the theorem by k²β²η²;
    - ``variance``: ‖(1/k) Σ δ - mean δ‖², bounded by σ²/k;
    - ``total``: ‖(1/k) Σ s - m_t‖², the left side of equation 18;
    - ``variance_scaled``, ``total_scaled``: with c·s for s;
    - ``alignment``: the cosine of (1/k) Σ s and m_t; with the best c for each window, the left side
      of equation 18 is (1 - alignment²) ``target_square``, in any units of the losses.

    The constants ``target_square``, ``target_change`` and ``target_sigma2`` are the mean ‖m_t‖²,
    β²η² and σ² of the same targets; all others are of every frame.

    ``sigma2`` and ``main_sigma2`` are variances over time, of δ and of m. ``sigma2_differences``
    and ``main_sigma2_differences`` are half the mean squared differences of neighbouring frames,
    as ½ E‖δ_{t+1} - δ_t‖². Slow drift makes the first too large; noise that neighbours share makes
    the second too small. Every k* of a bound is given for both.

    Args:
        statistics: of T frames.
        windows: int64 [K], ascending, from 1 to 2 or more.
        replicates: number of bootstrap replicates over time.
        key: keys the draws of the bootstrap.

    Raises:
        InputError: the windows do not start at 1, or one is longer than the run of frames.
    """
    if windows[0] != 1 or not 2 <= windows[-1] <= len(statistics):
        raise InputError(
            f"theory: windows from {windows[0]} to {windows[-1]} on {len(statistics)} frames; "
            "give windows from 1 to 2 or more, at most the number of frames"
        )
    weights = bootstrap_weights(len(statistics), replicates, *key, "frames")
    # Targets have their own draws, because a draw of all frames may have hardly any target.
    at = bootstrap_weights(len(statistics) + 1 - windows[-1], replicates, *key, "targets")
    constants = _smoothness(statistics, weights) | _noise(statistics, weights)
    rows = _rows(statistics, windows)
    main, cross, own = (_mean(part, at) for part in (rows.main, rows.cross, rows.own))
    changes = [
        _mean(_changes(block)[windows[-1] - 2 :], at) for block in _blocks(statistics.halves)
    ]
    constants |= {"target_square": main[:, 0], "target_change": changes[0]}
    curves = {
        "bias": _mean(rows.bias, at),
        "alignment": _divided(cross, np.sqrt(np.clip(main * own, 0, None))),
    }
    constants["k_aligned"] = _best(windows, -curves["alignment"])
    spread = [_mean(part, at) for part in rows.spread]
    for variant in VARIANTS:
        c = _scale(constants, variant)[:, None]
        curves[f"variance{variant}"] = _of_delta(spread, c)
        constants[f"target_sigma2{variant}"] = curves[f"variance{variant}"][:, 0]
        constants[f"target_sigma2_differences{variant}"] = _of_delta(changes, c[:, 0]) / 2
        curves[f"total{variant}"] = _of_delta([main, cross, own], c)
        constants |= _bound_windows(constants, variant)
        constants[f"k_measured{variant}"] = _best(windows, curves[f"total{variant}"])
    return Estimates(windows, constants, curves)


def _smoothness(statistics: GradientStatistics, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return η, β and βη: the rates of change of the input, and with it of ∇ℓ_m and its labels."""
    length = len(statistics)
    pairs = weights[:, :-1]
    distances = statistics.distances
    squares = _changes(statistics.halves[:length, :length])
    noisy = _changes(statistics.averages[:length, :length])
    moved = distances > 0
    rates = np.divide(squares, distances**2, out=np.zeros_like(squares), where=moved)
    moving = pairs * moved
    found = {}
    for name, values, counted in (
        ("eta", distances**2, pairs),
        ("beta", rates, moving),
        ("beta_eta", squares, pairs),
    ):
        sizes = np.sqrt(np.clip(values, 0, None))
        found[f"{name}_max"] = _only_value(sizes.max(), len(weights))
        found[f"{name}_mean"] = _mean(sizes, counted)
        found[f"{name}_rms"] = np.sqrt(np.clip(_mean(values, counted), 0, None))
    found["point_noise_share_of_change"] = 1 - _mean(squares, pairs) / _mean(noisy, pairs)
    return found


def _noise(statistics: GradientStatistics, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return σ², E δ, c, the cosine, and the shares of the draws of masks and points in σ²."""
    length = len(statistics)
    free, drawn = _blocks(statistics.halves), _blocks(statistics.averages)
    shares = weights / weights.sum(axis=1, keepdims=True)
    # For mm, ms and ss: the mean over frames of the product, and the product of the means.
    squares = [_mean(np.diag(block), weights) for block in free]
    means = [_form(shares, block, shares) for block in free]
    added = [_mean(np.diag(d) - np.diag(f), weights) for d, f in zip(drawn, free, strict=True)]
    changes = [_mean(_changes(block), weights[:, :-1]) for block in free]
    main, cross, own = squares
    found = {
        "main_sigma2": (main - means[0]) * length / (length - 1),
        "main_sigma2_differences": changes[0] / 2,
        "main_norm_rms": np.sqrt(np.clip(main, 0, None)),
        "own_norm_rms": np.sqrt(np.clip(own, 0, None)),
        "cosine": _divided(cross, np.sqrt(np.clip(main * own, 0, None))),
        "scale": _divided(cross, own),
    }
    for variant in VARIANTS:
        c = _scale(found, variant)
        squared, mean = _of_delta(squares, c), _of_delta(means, c)
        variance = (squared - mean) * length / (length - 1)
        masks, points = c**2 * added[2], added[0]
        with_draws = variance + masks + points
        found |= {
            f"sigma2{variant}": variance,
            f"sigma2_differences{variant}": _of_delta(changes, c) / 2,
            f"sigma2_with_draws{variant}": with_draws,
            f"mask_share{variant}": _divided(masks, with_draws),
            f"point_share{variant}": _divided(points, with_draws),
            f"delta_mean{variant}": np.sqrt(np.clip(mean, 0, None)),
            f"delta_mean_share{variant}": _divided(mean, squared),
        }
    return found


def _of_delta(parts: list[np.ndarray], c: np.ndarray) -> np.ndarray:
    """Return the product of δ = m - c s with itself from the products mm, ms and ss."""
    result: np.ndarray = parts[0] - 2 * c * parts[1] + c**2 * parts[2]
    return result


def _bound_windows(constants: dict[str, np.ndarray], variant: str) -> dict[str, np.ndarray]:
    """Return k* as printed, with βη as RMS and as maximum, and the minima of both bounds."""
    change = constants["beta_eta_rms"] ** 2
    worst = constants["beta_eta_max"] ** 2
    found: dict[str, np.ndarray] = {}
    for spread in SPREADS:
        name = f"{spread}{variant}"
        variance = constants[f"sigma2{name}"]
        found |= {
            f"k_paper{name}": bound.paper_window(variance, change),
            f"k_bound{name}": bound.bound_window(variance, change),
            f"k_tight_bound{name}": bound.tight_bound_window(variance, change),
            f"k_paper_max{name}": bound.paper_window(variance, worst),
        }
    return found


def _best(windows: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the window with the least error in each row: float64 [1 + R]."""
    known = np.where(np.isnan(errors), np.inf, errors)
    result: np.ndarray = windows[known.argmin(axis=1)].astype(float)
    return result


def _scale(constants: dict[str, np.ndarray], variant: str) -> np.ndarray:
    scale = constants["scale"]
    return np.ones_like(scale) if variant == "" else scale


def _rows(statistics: GradientStatistics, windows: np.ndarray) -> _Rows:
    length = len(statistics)
    main, cross, own = _blocks(statistics.halves)
    targets = np.arange(windows[-1] - 1, length)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("bias", "own", "cross")}
    spreads: list[list[np.ndarray]] = []
    at = np.eye(length)[targets]
    behind = targets[:, None] - np.arange(length)
    for window in windows:
        average = ((behind >= 0) & (behind < window)) / window
        moved, centred = average - at, average - 1 / length
        found["bias"].append(_form(moved, main, moved))
        found["own"].append(_form(average, own, average))
        found["cross"].append(_form(at, cross, average))
        spreads.append([_form(centred, block, centred) for block in (main, cross, own)])
    spread = np.stack(spreads, axis=1)
    return _Rows(
        bias=np.stack(found["bias"]),
        own=np.stack(found["own"]),
        cross=np.stack(found["cross"]),
        main=np.broadcast_to(np.diag(main)[targets], (len(windows), len(targets))),
        spread=list(spread),
    )


def _form(left: np.ndarray, products: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the inner products of the combinations `left` and `right`, row by row: [N]."""
    result: np.ndarray = ((left @ products) * right).sum(axis=1)
    return result


def _blocks(products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the blocks mm, ms (row m, column s) and ss of a matrix [2T, 2T]."""
    length = len(products) // 2
    return products[:length, :length], products[:length, length:], products[length:, length:]


def _changes(products: np.ndarray) -> np.ndarray:
    """Return ⟨a_{t+1} - a_t, b_{t+1} - b_t⟩ from the inner products ⟨a_t, b_u⟩: [T - 1]."""
    same = np.diag(products)
    result: np.ndarray = same[1:] + same[:-1] - np.diag(products, 1) - np.diag(products, -1)
    return result


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return means over the last axis of `values` [..., N], one a row of weights [R, N]."""
    result: np.ndarray = (
        weights @ values.T / weights.sum(axis=1).reshape(-1, *[1] * (values.ndim - 1))
    )
    return result


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return result


def _only_value(value: float, length: int) -> np.ndarray:
    result = np.full(length, np.nan)
    result[0] = value
    return result
