r"""Render a video of the embedded benchmark, or training stills where there are no phases.

The output folder has the layout of a real data set.

Example:
    videottt render --split test --video short_0 --output street --settings \
      '{"size": [96, 128], "seed": 0, "frames": 9, "phases": [{"place": "park", "light": "day"}]}'
"""

import argparse

from videottt.cli.arguments import settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--split", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument(
        "--settings",
        required=True,
        type=settings,
        help='JSON: size, seed, frames and, for a video, phases [{"place", "light"}]; '
        "optional layout, label_every, classes, things",
    )
    parser.add_argument("--output", required=True, type=named_path, help="folder to write")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.settings import build_settings
    from videottt.data.synthetic.writing import RenderSettings, write_rendered

    write_rendered(
        split=options.split,
        video=options.video,
        settings=build_settings(RenderSettings, options.settings, "render"),
        output=options.output,
    )
