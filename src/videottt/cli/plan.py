"""Estimate the jobs, hours, disk space and downloads of a study before it runs.

Finished jobs are counted and cost nothing. Nothing is run or downloaded. Call it in the folder of
config.yaml.

Examples:
    videottt plan
    videottt plan --study paper --output plan.csv
"""

import argparse
from typing import Any

import yaml

from videottt.core.errors import InputError
from videottt.core.paths import named_path
from videottt.core.shipped import shipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "targets", nargs="*", help="files or rules, as for snakemake; by default the whole study"
    )
    parser.add_argument("--study", help="id of a study; by default the one that config.yaml names")
    parser.add_argument(
        "--config-values",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override settings, like snakemake's --config; name targets before it",
    )
    parser.add_argument(
        "--configfile",
        nargs="+",
        type=named_path,
        default=[],
        help="YAML files on top of config.yaml, like snakemake's --configfile",
    )
    parser.add_argument("--output", type=named_path, help="also write the plan here, as CSV")
    parser.add_argument(
        "--workflow",
        type=named_path,
        default=shipped("workflow"),
        help="folder of the Snakefile (default: the one that ships with the package)",
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.files import write_text
    from videottt.study.plan import csv_text, plan_study, text

    values = dict(map(_value, options.config_values))
    if options.study is not None:
        values["study"] = options.study
    plan = plan_study(options.workflow, values, options.targets, options.configfile)
    if options.output is not None:
        write_text(options.output, csv_text(plan.stages))
    print(text(plan))


def _value(pair: str) -> tuple[str, Any]:
    """Read ``key=value``, the value as in YAML."""
    key, equals, value = pair.partition("=")
    if not (key and equals):
        raise InputError(
            f"--config-values: '{pair}' is not KEY=VALUE; write for example study=demo"
        )
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--config-values: the value of '{pair}' is not YAML; quote it") from None
