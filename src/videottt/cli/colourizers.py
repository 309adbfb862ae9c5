"""Verbs of rules/predict.smk for what colours frame by frame and learns nothing (table 3)."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb
from videottt.cli.fixed import FixedMethod, add_job, predict_video
from videottt.core.files import sha256

if TYPE_CHECKING:
    import numpy as np

TASK = "colorization"
KIND = "images"


def add_verbs(verbs: Any) -> None:
    """Add `predict-zhang2016` and `predict-left-grey`."""
    verb = add_verb(verbs, "predict-zhang2016", predict_zhang2016)
    verb.add_argument("--weights", required=True, type=Path,
                      help="the published colorization_release_v2-9b330a0b.pth")  # fmt: skip
    add_job(verb)
    verb = add_verb(verbs, "predict-left-grey", predict_left_grey)
    add_job(verb)


def predict_zhang2016(options: argparse.Namespace) -> None:
    """Colourise one video frame by frame with the published network of Zhang et al. 2016."""
    from videottt.models.baselines.zhang2016 import SIZE, colourise, load_zhang2016
    from videottt.runtime.device import prepare_device
    from videottt.store.frames import FrameStore

    network = load_zhang2016(options.weights)
    device = prepare_device(options.device, options.threads)
    network = network.to(device)

    def colour(frame: "np.ndarray") -> "np.ndarray":
        return colourise(network, frame)

    settings, facts = {"size": list(SIZE)}, {"weights": sha256(options.weights)}
    fixed = FixedMethod(TASK, "zhang2016", KIND, colour, settings, facts)
    with FrameStore(options.frames) as store:
        predict_video(options, store, fixed, device)


def predict_left_grey(options: argparse.Namespace) -> None:
    """Leave one video grey: the control, which tells what scores are worth."""
    from videottt.core.cielab import grey_frame
    from videottt.runtime.device import prepare_device
    from videottt.store.frames import FrameStore

    device = prepare_device(options.device, options.threads)
    with FrameStore(options.frames) as store:
        predict_video(options, store, FixedMethod(TASK, "left_grey", KIND, grey_frame), device)
