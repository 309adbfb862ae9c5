"""Read the jobs of a run out of Snakemake's DAG, as plain data."""

import contextlib
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.core.errors import InputError
from videottt.core.settings import with_values
from videottt.study.config import Config, study_of

if TYPE_CHECKING:
    from snakemake.dag import DAG
    from snakemake.jobs import Job as SnakemakeJob

# Rules that run the Y-shaped model, and whose cost depends on their settings.
MODEL_RULES = ("train", "predict", "predict_trial", "trace", "theory", "diagnose")
# Not jobs that do anything.
TARGETS = ("all",)


@dataclass(frozen=True)
class Job:
    """One job of the DAG.

    Attributes:
        rule: its name.
        wildcards: name -> value.
        done: whether its files are there and up to date.
        settings: of the method or of the training, with what a variant changes; of `MODEL_RULES`.
        model: preset of the model; of `MODEL_RULES`.
        benchmark: where Snakemake notes how long it took.
    """

    rule: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    benchmark: Path | None = None


def planned_jobs(
    snakefile: Path,
    values: Mapping[str, Any],
    targets: Iterable[str] = (),
    configfiles: Sequence[Path] = (),
) -> tuple[list[Job], Config]:
    """Return all jobs of a workflow, and its configuration; nothing is run or fetched.

    Args:
        snakefile: of the workflow; run where its paths are relative to.
        values: setting -> value that overrides the configuration.
        targets: files or rules that are asked for; by default what `snakemake` makes.
        configfiles: YAML files on top of config.yaml.

    Raises:
        InputError: there is no such workflow, or Snakemake cannot build its DAG.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import RuleException, WorkflowError
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        ResourceSettings,
    )

    if not snakefile.is_file():
        raise InputError(f"{snakefile}: no such workflow; plan from the folder of config.yaml")
    output = OutputSettings(
        quiet={Quietness.ALL}, log_level_override=logging.ERROR, enable_file_logging=False
    )
    with SnakemakeApi(output) as snakemake:
        workflow = snakemake.workflow(
            resource_settings=ResourceSettings(),
            config_settings=ConfigSettings(config=dict(values), configfiles=list(configfiles)),
            snakefile=snakefile,
        )
        try:
            dag = workflow.dag(DAGSettings(targets=set(targets)))
            # The DAG is built for what is printed, and it is the DAG that is wanted.
            with contextlib.redirect_stdout(io.StringIO()):
                dag.printrulegraph()
            built = workflow._workflow
            return jobs_of(built.dag, built.config), built.config
        except (RuleException, WorkflowError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{snakefile}: the DAG cannot be built: {reason}") from None


def jobs_of(dag: "DAG", config: Config) -> list[Job]:
    """Return the jobs of a DAG that Snakemake has built, done or not, in the order of the rules."""
    order = {rule.name: place for place, rule in enumerate(dag.workflow.rules)}
    return [
        Job(
            job.rule.name,
            dict(job.wildcards_dict),
            not dag.needrun(job),
            *_settings_of(job, config),
            Path(job.benchmark) if job.benchmark else None,
        )
        for job in sorted(dag.jobs, key=lambda job: order[job.rule.name])
        if job.rule.name not in TARGETS
    ]


def _settings_of(job: "SnakemakeJob", config: Config) -> tuple[Mapping[str, Any], str | None]:
    """Return what Snakemake hands over to a job that runs the model: settings and preset."""
    if job.rule.name not in MODEL_RULES:
        return {}, None
    params = dict(job.params.items())
    settings = with_values(
        json.loads(params["settings"]), json.loads(params.get("overrides", "{}"))
    )
    model = params.get("model") or study_of(config, job.wildcards_dict["dataset"])["model"]
    return settings, model
