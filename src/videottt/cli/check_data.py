"""Check a copy of a data set and compare it with the published facts about it.

Reads the header of every file and some frames in full, and lists every problem. The exit status is
1 if there is a problem.

Example:
    videottt check-data kitti_step --data-root /data
"""

import argparse
import sys

from videottt.cli.arguments import add_config, settings
from videottt.core.errors import visible
from videottt.core.paths import named_path
from videottt.core.shipped import shipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("dataset", help="id of a data set")
    add_config(parser)
    parser.add_argument(
        "--data-root", type=named_path, help="folder of all data, instead of the one in config.yaml"
    )
    parser.add_argument(
        "--settings",
        type=settings,
        help="JSON, instead of config.yaml: layout, root, splits; optional folders, classes, "
        "things, fps, canvas, scored, spans",
    )
    parser.add_argument(
        "--published", default=shipped("workflow/resources/published.yaml"), type=named_path,
        help="YAML with the published facts about data sets",
    )  # fmt: skip
    parser.add_argument(
        "--sample", default=8, type=int, help="frames of each video to read in full"
    )
    parser.add_argument("--output", type=named_path, help="CSV of the findings, one row a video")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.files import write_text
    from videottt.data.check.reports import problems_in, report_csv, report_text
    from videottt.study.data_check import check_data_set

    reports = check_data_set(
        options.dataset,
        config=options.config,
        published=options.published,
        data_root=options.data_root,
        settings=options.settings,
        sample=options.sample,
    )
    if options.output:
        write_text(options.output, report_csv(reports))
    print(report_text(reports))
    problems = problems_in(reports)
    for problem in problems:
        print(visible(f"problem: {problem}"), file=sys.stderr)
    if problems:
        sys.exit(1)
