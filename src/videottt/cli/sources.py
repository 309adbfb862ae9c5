"""Verbs of rules/sources.smk: what has to exist before there are frames."""

import argparse
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError

if TYPE_CHECKING:
    from videottt.datasets.synthetic import RenderedFrame

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderSettings:
    """What to render.

    Attributes:
        size: (H, W) in pixels.
        seed: of everything in the scene.
        frames: length of the video, or number of stills.
        phases: ``{"place": ..., "light": ...}`` one after the other; none for stills.
    """

    size: tuple[int, int]
    seed: int
    frames: int
    phases: tuple[dict[str, str], ...] = ()


def add_verbs(verbs: Any) -> None:
    """Add `render`."""
    verb = add_verb(verbs, "render", render)
    verb.add_argument("--split", required=True)
    verb.add_argument("--video", required=True)
    verb.add_argument(
        "--settings",
        required=True,
        type=settings,
        help='JSON: size, seed, frames and, for a video, phases [{"place", "light"}]',
    )
    verb.add_argument("--output", required=True, type=Path, help="folder to write")


def render(options: argparse.Namespace) -> None:
    """Render a video (or, without phases, training stills) of the embedded benchmark.

    Written in KITTI-STEP's layout below the output folder.
    """
    from videottt.datasets import kitti_step
    from videottt.frames import SourceFrame

    frames = (
        SourceFrame(f"{index:06d}", frame.image, frame.semantic, frame.instance)
        for index, frame in enumerate(_rendered(options.video, options.settings))
    )
    part = options.output.with_name(options.output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = kitti_step.write(part, options.split, options.video, frames)
        shutil.rmtree(options.output, ignore_errors=True)
        part.rename(options.output)
    except OSError as error:
        raise InputError(f"{options.output}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("rendered %d frames of '%s'", count, options.video)


def _rendered(video: str, values: dict[str, Any]) -> Iterator["RenderedFrame"]:
    from videottt.datasets import synthetic
    from videottt.settings import build_settings

    known = build_settings(RenderSettings, values, "render")
    if not known.phases:
        return synthetic.render_stills(known.frames, known.size, known.seed)
    phases = [build_settings(synthetic.Phase, phase, "render: phase") for phase in known.phases]
    return synthetic.render_video(video, phases, known.frames, known.size, known.seed)
