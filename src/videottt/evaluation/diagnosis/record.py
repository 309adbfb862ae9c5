"""Store what a diagnosis measures.

Layout of format version 1, for N frames and P places of the weights (the checkpoint, one step
along, one against, and each random step)::

    /frames                int64   [N]     indices in the video
    /errors/video          float64 [N, 3]  error of masked pixels filled by g, by the mean, and by
                                           inverse distance; normalised units
    /errors/stills         float64 [S, 3]  likewise, of S stills; S = 0 if none were given
    /gradients/main        float64 [N]     ‖∇ℓ_m‖², with respect to the encoder
    /gradients/own         float64 [N]     ‖∇ℓ_s‖²
    /gradients/cross       float64 [N]     their inner product
    /steps/metrics         float64 [P, 2]  headline metric of the N frames, pooled and by
                                           frame: a fraction or dB
    /steps/main_task_loss  float64 [N, P]  ℓ_m
    /steps/own_loss        float64 [N, P]  ℓ_s with g₀, on masks that the step has not seen
    /steps/step_loss       float64 [N, 2, 2]  ℓ_s on the step's own masks and on those others,
                                           before the step and after it, with its g
    /steps/length          float64 [N]     of the step of f, relative to f
    /steps/skipped         int64   [N]     1 where the step was skipped
    attributes             format, version, dataset, task, method, seed, video, masks, point_draws,
                           random_steps, settings (JSON), provenance (JSON)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videottt.core.ids import JobKey
from videottt.evaluation.diagnosis.gradients import GradientProducts
from videottt.store.hdf5 import attributes_of, key_of, new_file, read_checked, write_attributes

FORMAT = "videottt diagnosis"
VERSION = 1


@dataclass(frozen=True)
class Diagnosis:
    """What was measured of one checkpoint on one video; the layout above gives shapes and units.

    Attributes:
        frames: indices of the frames.
        video_errors: of the frames.
        still_errors: of the stills.
        gradients: of the frames.
        metrics: at each place.
        main_task_loss: at each place.
        own_loss: at each place.
        step_loss: on the step's masks and on others, before and after it.
        length: of the step.
        skipped: whether there was no step.
    """

    frames: np.ndarray
    video_errors: np.ndarray
    still_errors: np.ndarray
    gradients: GradientProducts
    metrics: np.ndarray
    main_task_loss: np.ndarray
    own_loss: np.ndarray
    step_loss: np.ndarray
    length: np.ndarray
    skipped: np.ndarray


def write_diagnosis(
    path: Path,
    key: JobKey,
    diagnosis: Diagnosis,
    counts: dict[str, int],
    settings: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write a diagnosis, whole or not at all.

    Args:
        path: file to write.
        key: the ids of the job.
        diagnosis: what was measured.
        counts: number of masks, point_draws and random_steps.
        settings: of the method.
        provenance: of the numbers.
    """
    with new_file(path) as file:
        for name, values in _arrays(diagnosis).items():
            file[name] = values
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            **key.__dict__,
            **counts,
            settings=json.dumps(settings, sort_keys=True),
            provenance=json.dumps(provenance, sort_keys=True),
        )


def read_diagnosis(path: Path) -> tuple[JobKey, Diagnosis]:
    """Read a diagnosis.

    Raises:
        InputError: the file is absent, damaged, has another format or an unknown version.
    """
    with read_checked(path, FORMAT, VERSION) as file:
        found = Diagnosis(
            frames=file["frames"][:],
            video_errors=file["errors/video"][:],
            still_errors=file["errors/stills"][:],
            gradients=GradientProducts(
                *(file[f"gradients/{name}"][:] for name in ("main", "own", "cross"))
            ),
            **{
                name: file[f"steps/{name}"][:]
                for name in (
                    "metrics", "main_task_loss", "own_loss", "step_loss", "length", "skipped",
                )
            },
        )  # fmt: skip
        return key_of(attributes_of(file)), found


def _arrays(diagnosis: Diagnosis) -> dict[str, np.ndarray]:
    return {
        "frames": diagnosis.frames,
        "errors/video": diagnosis.video_errors,
        "errors/stills": diagnosis.still_errors,
        "gradients/main": diagnosis.gradients.main,
        "gradients/own": diagnosis.gradients.own,
        "gradients/cross": diagnosis.gradients.cross,
        "steps/metrics": diagnosis.metrics,
        "steps/main_task_loss": diagnosis.main_task_loss,
        "steps/own_loss": diagnosis.own_loss,
        "steps/step_loss": diagnosis.step_loss,
        "steps/length": diagnosis.length,
        "steps/skipped": diagnosis.skipped,
    }
