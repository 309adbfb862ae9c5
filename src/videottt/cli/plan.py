"""Price a study before it is run: jobs, hours, disk and network, by stage.

Jobs that are done already are counted and cost nothing. Nothing is run or fetched. To be called
where config.yaml is.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from videottt.core.errors import InputError

WORKFLOW = Path("workflow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument(
        "targets", nargs="*", help="files or rules, as of snakemake; by default the whole study"
    )
    parser.add_argument("--study", help="of config.yaml; by default the one that it names")
    parser.add_argument("--config-values", nargs="+", default=[], metavar="KEY=VALUE",
                        help="override config.yaml, as snakemake's --config")  # fmt: skip
    parser.add_argument("--output", type=Path, help="CSV")
    parser.add_argument("--workflow", type=Path, default=WORKFLOW, help="folder of the Snakefile")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.files import write_text
    from videottt.study.plan import csv_text, plan_study, text

    values = dict(map(_value, options.config_values))
    if options.study is not None:
        values["study"] = options.study
    plan = plan_study(options.workflow, values, options.targets)
    if options.output is not None:
        write_text(options.output, csv_text(plan.stages))
    print(text(plan))


def _value(pair: str) -> tuple[str, Any]:
    """Read ``key=value``, the value as in YAML."""
    key, equals, value = pair.partition("=")
    if not (key and equals):
        raise InputError(f"--config-values: '{pair}' is not KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--config-values: the value of '{pair}' is not one of YAML") from None
