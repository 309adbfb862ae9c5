r"""Read a video of a data set into a frame store.

Example:
    videottt ingest --dataset own --split own --video clip.mp4 --root . \
      --settings '{"layout": "video_file"}' --output frames.h5
"""

import argparse

from videottt.cli.arguments import settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("--root", required=True, type=named_path, help="folder of the data set")
    parser.add_argument(
        "--settings",
        required=True,
        type=settings,
        help="JSON: layout; optional classes, things, fps, canvas, first and last frame name",
    )
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.settings import build_settings
    from videottt.data.ingest import IngestSettings, ingest

    ingest(
        dataset=options.dataset,
        split=options.split,
        video=options.video,
        root=options.root,
        settings=build_settings(IngestSettings, options.settings, "ingest"),
        output=options.output,
    )
