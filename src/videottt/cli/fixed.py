"""What the verbs share that predict frame by frame with a network that learns nothing."""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.files import sha256

if TYPE_CHECKING:
    import numpy as np
    import torch

    from videottt.frame_result import FrameResult
    from videottt.frames import FrameStore


@dataclass(frozen=True)
class FixedMethod:
    """What predicts each frame by itself.

    Attributes:
        task: that it solves.
        method: its id.
        kind: of its predictions, one of `layers.LAYERS`.
        predict: from a frame, uint8 [H, W, 3], to its prediction.
        settings: that decide its predictions.
        facts: sha256 of each file of weights, by name.
    """

    task: str
    method: str
    kind: str
    predict: Callable[["np.ndarray"], "np.ndarray"]
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def add_job(verb: argparse.ArgumentParser) -> None:
    """Add what every such verb is told: the video, the device, and where the result goes."""
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--seed", required=True, type=int, help="for the result's attributes only")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)


def predict_video(
    options: argparse.Namespace, store: "FrameStore", fixed: FixedMethod, device: "torch.device"
) -> None:
    """Write what a method makes of each frame of a video, as other predictions are written.

    Raises:
        InputError: the frames differ in size.
    """
    from videottt.cli.predict import check_one_size
    from videottt.device import peak_memory
    from videottt.predictions import PredictionKey, write_predictions
    from videottt.progress import Progress
    from videottt.provenance import provenance

    check_one_size(store)
    with write_predictions(
        options.output,
        PredictionKey(store.dataset, fixed.task, fixed.method, options.seed, store.video),
        kind=fixed.kind,
        frames=len(store),
        size=store.size,
        classes=store.classes,
        settings=fixed.settings,
        provenance=provenance(
            str(device), frames=sha256(options.frames), threads=options.threads, **fixed.facts
        ),
    ) as writer:
        progress = Progress(len(store), "frames")
        for done, result in enumerate(_results(fixed, store), start=1):
            writer.add(result)
            progress.report(done)
        writer.peak_memory(peak_memory(device))


def _results(fixed: FixedMethod, store: "FrameStore") -> Iterator["FrameResult"]:
    """Yield the prediction of every frame, with what reading and predicting it took."""
    from videottt.frame_result import PHASES, FrameResult

    nothing = float("nan")
    for index in range(len(store)):
        seconds = dict.fromkeys(PHASES, 0.0)
        start = time.perf_counter()
        frame = store.frame(index)
        seconds["load"] = time.perf_counter() - start
        prediction = fixed.predict(frame)
        seconds["predict"] = time.perf_counter() - start - seconds["load"]
        yield FrameResult(index, prediction, nothing, nothing, 0, seconds)
