"""The verb that prices a study before it is run."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from videottt.cli.arguments import add_verb
from videottt.core.errors import InputError
from videottt.core.files import write_text

WORKFLOW = Path("workflow")


def add_verbs(verbs: Any) -> None:
    """Add `plan`."""
    verb = add_verb(verbs, "plan", plan)
    verb.add_argument(
        "targets", nargs="*", help="files or rules, as of snakemake; by default the whole study"
    )
    verb.add_argument("--study", help="of config.yaml; by default the one that it names")
    verb.add_argument("--config-values", nargs="+", default=[], metavar="KEY=VALUE",
                      help="override config.yaml, as snakemake's --config")  # fmt: skip
    verb.add_argument("--output", type=Path, help="CSV")
    verb.add_argument("--workflow", type=Path, default=WORKFLOW, help="folder of the Snakefile")


def plan(options: argparse.Namespace) -> None:
    """Price a study before it is run: jobs, hours, disk and network, by stage.

    Jobs that are done already are counted and cost nothing. Nothing is run or fetched. To be called
    where config.yaml is.
    """
    from videottt.study.costs import read_known
    from videottt.study.jobs import planned_jobs
    from videottt.study.plan import csv_text, price, text

    values = dict(_value(each) for each in options.config_values)
    if options.study is not None:
        values["study"] = options.study
    jobs, config = planned_jobs(options.workflow / "Snakefile", values, options.targets)
    known = read_known(config, options.workflow / "resources", jobs)
    stages = price(jobs, known)
    if options.output is not None:
        write_text(options.output, csv_text(stages))
    print(text(stages, known, jobs))


def _value(pair: str) -> tuple[str, Any]:
    """Read ``key=value``, the value as in YAML."""
    key, equals, value = pair.partition("=")
    if not (key and equals):
        raise InputError(f"--config-values: '{pair}' is not KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--config-values: the value of '{pair}' is not one of YAML") from None
