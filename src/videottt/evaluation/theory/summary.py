"""Tabulate the estimates of several videos and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.theory.estimators import REPLICATES, Estimates, estimate, window_sizes
from videottt.evaluation.theory.statistics import TheoryKey, read_statistics

LEVELS = (0.025, 0.975)
# Rows of the readable table: constant of `estimate` -> heading.
READABLE = {
    "eta_rms": "η, RMS",
    "eta_max": "η, max",
    "beta_rms": "β, RMS",
    "beta_max": "β, max",
    "beta_eta_rms": "βη, RMS",
    "beta_eta_max": "βη, max",
    "main_norm_rms": "‖∇ℓ_m‖, RMS",
    "own_norm_rms": "‖∇ℓ_s‖, RMS",
    "cosine": "cosine of ∇ℓ_m and ∇ℓ_s",
    "main_sigma2": "variance of ∇ℓ_m, over time",
    "main_sigma2_differences": "variance of ∇ℓ_m, from differences",
    "sigma2": "σ², over time",
    "sigma2_differences": "σ², from differences",
    "mask_share": "share of masks in σ² as drawn",
    "delta_mean": "‖E δ‖",
    "delta_mean_share": "‖E δ‖² / E ‖δ‖²",
    "scale": "c by least squares",
    "sigma2_scaled": "σ² with c, over time",
    "sigma2_differences_scaled": "σ² with c, from differences",
    "delta_mean_share_scaled": "‖E δ‖² / E ‖δ‖² with c",
    "k_paper": "k*, as printed, σ² over time",
    "k_paper_differences": "k*, as printed, σ² from differences",
    "k_bound": "k*, minimum of the bound, σ² over time",
    "k_bound_differences": "k*, minimum of the bound, σ² from differences",
    "k_tight_bound": "k*, minimum of the tighter bound, σ² over time",
    "k_tight_bound_differences": "k*, minimum of the tighter bound, σ² from differences",
    "k_measured": "k of the least error",
    "k_measured_scaled": "k of the least error with c",
    "k_aligned": "k of the best direction",
}


@dataclass(frozen=True)
class StreamEstimates:
    """The estimates of one video and seed.

    Attributes:
        key: the ids of the job.
        frames: number of frames.
        estimates: with `REPLICATES` bootstrap replicates.
    """

    key: TheoryKey
    frames: int
    estimates: Estimates


def stream_estimates(paths: Sequence[Path]) -> list[StreamEstimates]:
    """Return the estimates of several videos and seeds, on the same windows.

    Raises:
        InputError: a file has another format, or the files differ in data set or task.
    """
    read = [read_statistics(path) for path in paths]
    first = read[0][0]
    for path, (key, _) in zip(paths, read, strict=True):
        if (key.dataset, key.task) != (first.dataset, first.task):
            raise InputError(
                f"{path}: is of {key.dataset}, {key.task}, but {paths[0]} of {first.dataset}, "
                f"{first.task}; give files of one data set and task"
            )
    windows = window_sizes(min(len(statistics) for _, statistics in read))
    return [
        StreamEstimates(
            key,
            len(statistics),
            estimate(statistics, windows, REPLICATES, "theory", key.seed, key.dataset, key.video),
        )
        for key, statistics in read
    ]


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """Return the 95% percentile interval of bootstrap replicates; NaN without replicates."""
    known = replicates[~np.isnan(replicates)]
    if not known.size:
        return np.nan, np.nan
    # No interpolation, because replicates may be infinite.
    low, high = np.quantile(known, LEVELS, method="inverted_cdf")
    return float(low), float(high)


def constants_table(streams: Sequence[StreamEstimates]) -> pd.DataFrame:
    """Return one row for each video, seed and constant of `estimate`.

    Returns:
        dataset, task, video, seed, frames, quantity, value, low and high (95%, moving-block
        bootstrap over time; NaN for maxima).
    """
    return pd.DataFrame([
        {
            "dataset": each.key.dataset,
            "task": each.key.task,
            "video": each.key.video,
            "seed": each.key.seed,
            "frames": each.frames,
            "quantity": name,
            "value": values[0],
            **dict(zip(("low", "high"), interval(values[1:]), strict=True)),
        }
        for each in streams
        for name, values in each.estimates.constants.items()
    ])  # fmt: skip


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the main constants as text, one column for each video and seed."""
    result = pd.DataFrame({"quantity": list(READABLE.values())})
    for (video, seed), part in table.groupby(["video", "seed"], sort=False):
        rows = part.set_index("quantity")
        result[f"{video}, seed {seed}"] = [_text(rows.loc[name]) for name in READABLE]
    return result


def _text(row: pd.Series) -> str:
    spread = "" if np.isnan(row.low) else f" ({row.low:.3g} to {row.high:.3g})"
    return f"{row.value:.3g}{spread}"
