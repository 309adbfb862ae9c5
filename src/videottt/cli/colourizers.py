"""Verbs of rules/predict.smk for what colours frame by frame and learns nothing (table 3)."""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb
from videottt.files import sha256

if TYPE_CHECKING:
    import numpy as np
    import torch

    from videottt.frame_result import FrameResult
    from videottt.frames import FrameStore

TASK = "colorization"

# From a frame, uint8 [H, W, 3], of which it sees the lightness alone, to the same in colour.
Colourizer = Callable[["np.ndarray"], "np.ndarray"]

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `predict-zhang2016` and `predict-left-grey`."""
    verb = add_verb(verbs, "predict-zhang2016", predict_zhang2016)
    verb.add_argument("--weights", required=True, type=Path,
                      help="the published colorization_release_v2-9b330a0b.pth")  # fmt: skip
    _add_job(verb)
    verb = add_verb(verbs, "predict-left-grey", predict_left_grey)
    _add_job(verb)


def _add_job(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--seed", required=True, type=int, help="for the result's attributes only")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)


def predict_zhang2016(options: argparse.Namespace) -> None:
    """Colourise one video frame by frame with the published network of Zhang et al. 2016."""
    from videottt.device import prepare_device
    from videottt.models.zhang2016 import SIZE, colourise, load_zhang2016

    network = load_zhang2016(options.weights)
    device = prepare_device(options.device, options.threads)
    network = network.to(device)
    facts = {"weights": sha256(options.weights)}
    settings = {"size": list(SIZE)}

    def colour(frame: "np.ndarray") -> "np.ndarray":
        return colourise(network, frame)

    _predict(options, "zhang2016", colour, device, settings, facts)


def predict_left_grey(options: argparse.Namespace) -> None:
    """Leave one video grey: the control, which tells what scores are worth."""
    from videottt.colour import grey_frame
    from videottt.device import prepare_device

    device = prepare_device(options.device, options.threads)
    _predict(options, "left_grey", grey_frame, device, {}, {})


def _predict(
    options: argparse.Namespace,
    method: str,
    colour: Colourizer,
    device: "torch.device",
    settings: dict[str, Any],
    facts: dict[str, str],
) -> None:
    """Write what a colourizer makes of each frame, as other predictions are written."""
    from videottt.cli.predict import check_one_size
    from videottt.device import peak_memory
    from videottt.frames import FrameStore
    from videottt.predictions import PredictionKey, write_predictions
    from videottt.progress import Progress
    from videottt.provenance import provenance

    with FrameStore(options.frames) as store:
        check_one_size(store)
        with write_predictions(
            options.output,
            PredictionKey(store.dataset, TASK, method, options.seed, store.video),
            kind="images",
            frames=len(store),
            size=store.size,
            classes=store.classes,
            settings=settings,
            provenance=provenance(
                str(device), frames=sha256(options.frames), threads=options.threads, **facts
            ),
        ) as writer:
            progress = Progress(len(store), "frames")
            for done, result in enumerate(_results(colour, store), start=1):
                writer.add(result)
                progress.report(done)
            writer.peak_memory(peak_memory(device))


def _results(colour: Colourizer, store: "FrameStore") -> Iterator["FrameResult"]:
    """Yield every frame in colour, with what reading and predicting it took."""
    from videottt.frame_result import PHASES, FrameResult

    nothing = float("nan")
    for index in range(len(store)):
        seconds = dict.fromkeys(PHASES, 0.0)
        start = time.perf_counter()
        frame = store.frame(index)
        seconds["load"] = time.perf_counter() - start
        image = colour(frame)
        seconds["predict"] = time.perf_counter() - start - seconds["load"]
        yield FrameResult(index, image, nothing, nothing, 0, seconds)
