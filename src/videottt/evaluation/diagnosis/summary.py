"""Summarise diagnoses: one number for each quantity, and means over seeds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.evaluation.diagnosis.reconstruction import FILLED_BY
from videottt.evaluation.diagnosis.record import Diagnosis, read_diagnosis
from videottt.evaluation.diagnosis.steps import AGAINST, ALONG, CHECKPOINT, RANDOM
from videottt.evaluation.metrics import headline

# Column of `Diagnosis.metrics` -> name.
FORMS = ("pooled", "frames")
# Place of the weights -> rows or columns of what was measured there; random steps are the rest.
PLACES = {CHECKPOINT: slice(0, 1), ALONG: slice(1, 2), AGAINST: slice(2, 3), RANDOM: slice(3, None)}
IDS = ["dataset", "task", "method", "video"]


def quantities(diagnosis: Diagnosis, task: str) -> dict[str, float]:
    """Return every quantity of a diagnosis by name; means are over its frames.

    * ``{video,stills}_error_{decoder,mean,inverse_distance}``: normalised units; NaN: no stills;
    * ``main_gradient_norm``, ``own_gradient_norm``: roots of the mean squares; ``gradient_ratio``:
      the first over the second; ``cosine``, ``cosine_std``: over frames;
    * for each place of the weights, checkpoint, along, against and random (the mean of all random
      steps): ``metric_{pooled,frames}_<place>`` in the unit of the task's headline metric,
      ``metric_change_<place>``, pooled, from the checkpoint, ``main_task_loss_<place>`` and
      ``own_loss_<place>``; ``metric_pooled_random_std``: over random steps;
    * ``step_loss_{own,fresh}_{before,after}``: ℓ_s on the step's own masks and on others, with the
      g that the step leads to;
    * ``step_length``: of f, relative to f; ``skipped_steps``: a count.

    Args:
        diagnosis: of a video.
        task: one of `core.ids.TASKS`.
    """
    found: dict[str, float] = {}
    for source, errors in (("video", diagnosis.video_errors), ("stills", diagnosis.still_errors)):
        for column, name in enumerate(FILLED_BY):
            found[f"{source}_error_{name}"] = _mean(errors[:, column])
    found |= _of_gradients(diagnosis)
    metrics = diagnosis.metrics * headline(task).scale
    for place, part in PLACES.items():
        for column, form in enumerate(FORMS):
            found[f"metric_{form}_{place}"] = _mean(metrics[part, column])
    for place in (ALONG, AGAINST, RANDOM):
        start = found[f"metric_pooled_{CHECKPOINT}"]
        found[f"metric_change_{place}"] = found[f"metric_pooled_{place}"] - start
    found["metric_pooled_random_std"] = _deviation(metrics[PLACES[RANDOM], 0])
    for name in ("main_task_loss", "own_loss"):
        losses = getattr(diagnosis, name)
        for place, part in PLACES.items():
            found[f"{name}_{place}"] = _mean(losses[:, part])
    for row, masks in enumerate(("own", "fresh")):
        for column, when in enumerate(("before", "after")):
            found[f"step_loss_{masks}_{when}"] = _mean(diagnosis.step_loss[:, row, column])
    found["step_length"] = _mean(diagnosis.length)
    found["skipped_steps"] = float(diagnosis.skipped.sum())
    return found


def _of_gradients(diagnosis: Diagnosis) -> dict[str, float]:
    gradients = diagnosis.gradients
    main, own = (np.sqrt(max(_mean(part), 0.0)) for part in (gradients.main, gradients.own))
    cosines = gradients.cosines[~np.isnan(gradients.cosines)]
    return {
        "main_gradient_norm": main,
        "own_gradient_norm": own,
        "gradient_ratio": main / own if own else np.nan,
        "cosine": _mean(cosines),
        "cosine_std": _deviation(cosines),
    }


def read_quantities(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the quantities of several diagnoses, one row each.

    Returns:
        dataset, task, method, video, seed, frames (their number), and a column for each name of
        `quantities`.

    Raises:
        InputError: a file is absent or has another format, or one video and seed is listed twice.
    """
    rows = []
    known: dict[JobKey, Path] = {}
    for path in paths:
        key, diagnosis = read_diagnosis(path)
        if key in known:
            raise InputError(
                f"{path}: is of the same video, method and seed as {known[key]}; name each "
                "diagnosis once"
            )
        known[key] = path
        rows.append({
            **{name: getattr(key, name) for name in (*IDS, "seed")},
            "frames": len(diagnosis.frames),
            **quantities(diagnosis, key.task),
        })  # fmt: skip
    return pd.DataFrame(rows)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation of every quantity over the seeds of a video.

    Args:
        table: of `read_quantities`.

    Returns:
        One row for each video: dataset, task, method, video, metric (name and unit of the task's
        headline metric), seeds, frames (of one seed), and for each quantity ``<name>_mean`` and
        ``<name>_std`` (n - 1; None for one seed). NaN: not defined, or not measured.
    """
    names = [name for name in table if name not in (*IDS, "seed", "frames")]
    rows = []
    for ids, part in table.groupby(IDS, sort=False):
        line = headline(ids[1])
        row = dict(zip(IDS, ids, strict=True)) | {
            "metric": f"{line.name} ({line.unit})",
            "seeds": len(part),
            "frames": int(part.frames.min()),
        }
        for name in names:
            values = part[name].to_numpy(float)
            row[f"{name}_mean"] = float(values.mean())
            row[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else None
        rows.append(row)
    # dtype=object keeps None and NaN apart.
    return pd.DataFrame(rows, dtype=object)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")
