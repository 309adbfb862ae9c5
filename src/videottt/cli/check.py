"""Verb of rules/sources.smk: whether a copy of a data set is whole."""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.core.errors import InputError

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `check-data`."""
    verb = add_verb(verbs, "check-data", check_data)
    verb.add_argument("dataset", help="id in config.yaml")
    verb.add_argument("--config", default=Path("config.yaml"), type=Path)
    verb.add_argument("--data-root", type=Path, help="instead of config.yaml's")
    verb.add_argument(
        "--settings",
        type=settings,
        help="JSON, instead of config.yaml: layout, root, splits; optional folders, classes, "
        "things, fps, canvas, scored, spans",
    )
    verb.add_argument(
        "--published", default=Path("workflow/resources/published.yaml"), type=Path,
        help="what is published of data sets",
    )  # fmt: skip
    verb.add_argument(
        "--sample", default=8, type=int, help="frames of each video that are read whole"
    )
    verb.add_argument("--output", type=Path, help="CSV of what was found, a row a video")


def check_data(options: argparse.Namespace) -> None:
    """Check a copy of a data set, and compare it with what is published about it.

    Reads the header of every file and some frames whole, and lists every problem. The exit status
    is 1 if there is one.
    """
    from videottt.core.files import write_text
    from videottt.core.settings import build_settings
    from videottt.data.check import CheckSettings, published, published_of
    from videottt.data.check.reports import report_csv, report_text
    from videottt.data.check.videos import check_video

    values, data_root = _asked_for(options)
    if "root" not in values:
        raise InputError(
            f"data set '{options.dataset}' is rendered here: there is no copy of it to check; "
            "name one with a 'root' in config.yaml"
        )
    chosen = build_settings(CheckSettings, values, f"data set '{options.dataset}'")
    root = data_root / chosen.root
    if not root.is_dir():
        raise InputError(
            f"{root}: data set '{options.dataset}' is not there; put a copy there, or say where "
            "it is with --data-root"
        )
    known = published_of(published(options.published), options.dataset)
    reports = [
        check_video(
            chosen, data_root, options.dataset, video, known, options.sample, _progress(video)
        )
        for videos in chosen.splits.values()
        for video in videos
    ]
    problems = [problem for each in reports for problem in each.problems]
    if options.output:
        write_text(options.output, report_csv(reports))
    print(report_text(reports))
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    if problems:
        raise SystemExit(1)


def _asked_for(options: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """Return the settings of the data set, and the folder that it is below."""
    if options.settings is not None and options.data_root is not None:
        return options.settings, options.data_root
    import yaml

    from videottt.study.job_settings import check_settings

    try:
        config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        data_root = options.data_root or Path(config["data_root"])
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{options.config}: not a readable config.yaml ({error}); run this where it is, or "
            "name it with --config"
        ) from None
    return options.settings or check_settings(config, options.dataset), data_root


def _progress(video: str) -> Callable[[int, int], None]:
    """Return what logs how many frames of a video are done."""
    from videottt.core.progress import Progress

    lines: list[Progress] = []

    def report(done: int, total: int) -> None:
        lines.extend([] if lines else [Progress(total, "frames")])
        lines[0].report(done, f"video '{video}'")

    return report
