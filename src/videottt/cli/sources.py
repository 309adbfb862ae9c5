"""Verbs of rules/sources.smk: what has to exist before there are frames."""

import argparse
import logging
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError

logger = logging.getLogger(__name__)


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
    """Render a video (or training stills) of the embedded benchmark in KITTI-STEP's layout."""
    import shutil

    from videottt.datasets import kitti_step, synthetic
    from videottt.frames import SourceFrame
    from videottt.settings import build_settings

    values = build_settings(synthetic.RenderSettings, options.settings, "render")
    part = options.output.with_name(options.output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = kitti_step.write(
            part,
            options.split,
            options.video,
            (
                SourceFrame(f"{index:06d}", frame.image, frame.semantic, frame.instance)
                for index, frame in enumerate(synthetic.render(options.video, values))
            ),
        )
        shutil.rmtree(options.output, ignore_errors=True)
        part.rename(options.output)
    except OSError as error:
        raise InputError(f"{options.output}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("rendered %d frames of '%s'", count, options.video)
