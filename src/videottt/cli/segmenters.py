"""Verb of rules/predict.smk for the other architectures of section 5.1, which learn nothing."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb
from videottt.cli.fixed import FixedMethod, add_job, predict_video
from videottt.core.errors import InputError
from videottt.core.files import sha256

if TYPE_CHECKING:
    import numpy as np

    from videottt.store.frames import FrameStore

TASK = "semantic"
# Ids of videottt.models.baselines.segmenters.
NETWORKS = ("segformer_b4", "deeplabv3plus_r101")


def add_verbs(verbs: Any) -> None:
    """Add `predict-segmenter`."""
    verb = add_verb(verbs, "predict-segmenter", predict_segmenter)
    verb.add_argument("--network", required=True, choices=NETWORKS)
    verb.add_argument(
        "--method", required=True, help="id of the method, for the result's attributes"
    )
    verb.add_argument("--weights", required=True, type=Path, help="as its authors published them")
    verb.add_argument("--shortest-edge", required=True, type=int, help="of a frame, in pixels")
    verb.add_argument("--longest-edge", required=True, type=int, help="at most, in pixels")
    add_job(verb)


def predict_segmenter(options: argparse.Namespace) -> None:
    """Segment one video frame by frame with a published network for Cityscapes."""
    from videottt.models.baselines.segmenters import SEGMENTERS, segment
    from videottt.runtime.device import prepare_device
    from videottt.store.frames import FrameStore

    with FrameStore(options.frames) as store:
        _check_classes(store, options.network)
        segmenter = SEGMENTERS[options.network]
        network = segmenter.load(options.weights)
        device = prepare_device(options.device, options.threads)
        network = network.to(device)
        edges = {"shortest_edge": options.shortest_edge, "longest_edge": options.longest_edge}
        tiles = segmenter.tiles

        def predict(frame: "np.ndarray") -> "np.ndarray":
            return segment(network, frame, **edges, tiles=tiles)

        settings = {
            "segmenter": options.network,
            **edges,
            "tiles": tiles and dataclasses.asdict(tiles),
        }
        facts = {"weights": sha256(options.weights)}
        fixed = FixedMethod(TASK, options.method, "classes", predict, settings, facts)
        predict_video(options, store, fixed, device)


def _check_classes(store: "FrameStore", network: str) -> None:
    """Refuse a video whose classes are not those of the network, in its order.

    Raises:
        InputError: they are not the 19 train ids of Cityscapes.
    """
    from videottt.data.layouts.kitti_step import CITYSCAPES

    if store.space.classes == CITYSCAPES:
        return
    raise InputError(
        f"{store.path}: its classes are not the {len(CITYSCAPES)} of Cityscapes in the order of "
        f"their train ids, which '{network}' predicts; use a data set with those classes, as "
        "KITTI-STEP, or another method"
    )
