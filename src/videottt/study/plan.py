"""Price a run: its jobs by stage, from measured times where there are any, else stated."""

import csv
import io
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from humanize import naturalsize
from tabulate import tabulate

from videottt.study.costs import CostInputs, frames_of, read_cost_inputs
from videottt.study.jobs import Job, planned_jobs
from videottt.study.pricing import Cost, cost_of

HOUR = 3600.0
SHOWN = 0.01  # hours, at least
# Jobs that differ in nothing else cost the same for each of their frames.
REPEATED = ("seed", "video", "trial")
# How much of the time of a stage's jobs was worked out from jobs like them that are done.
MEASURED, PARTLY, STATED, NOTHING = "measured", "measured in part", "stated", ""


@dataclass(frozen=True)
class Stage:
    """The jobs of one rule.

    Attributes:
        rule: its name; "total" for all of them.
        jobs: to be run.
        done: that are done already.
        gpu_hours: of one GPU, of the jobs to be run, as all that follows.
        cpu_hours: of one core, of those that need no GPU.
        results_bytes: written below results/.
        data_bytes: put below data_root.
        network_bytes: fetched.
        times: where the hours are from: one of the words above.
    """

    rule: str
    jobs: int
    done: int
    gpu_hours: float
    cpu_hours: float
    results_bytes: float
    data_bytes: float
    network_bytes: float
    times: str


@dataclass(frozen=True)
class Plan:
    """What a run costs.

    Attributes:
        stages: the jobs by rule.
        inputs: what the costs are worked out from.
        jobs: of the run, done or not.
    """

    stages: Sequence[Stage]
    inputs: CostInputs
    jobs: Sequence[Job]


def plan_study(
    workflow: Path,
    values: Mapping[str, Any],
    targets: Iterable[str] = (),
    configfiles: Sequence[Path] = (),
) -> Plan:
    """Price a study before it is run; nothing is run or fetched.

    Args:
        workflow: folder of the Snakefile; called where config.yaml is.
        values: setting -> value that overrides the configuration.
        targets: files or rules that are asked for; by default what `snakemake` makes.
        configfiles: YAML files on top of config.yaml.

    Raises:
        InputError: Snakemake cannot build the DAG, or a file of costs is not what it should be.
    """
    jobs, config = planned_jobs(workflow / "Snakefile", values, targets, configfiles)
    inputs = read_cost_inputs(config, workflow / "resources", jobs)
    return Plan(price(jobs, inputs), inputs, jobs)


def price(jobs: Iterable[Job], inputs: CostInputs) -> list[Stage]:
    """Return what the jobs that are not done cost, by rule, in the order in which rules appear.

    Where jobs that differ only in seed, video or trial are done, the stated time is scaled by the
    ratio of their measured to their stated time.
    """
    jobs = list(jobs)
    factors = _measured_factors([job for job in jobs if job.done], inputs)
    rules: dict[str, list[Job]] = {}
    for job in jobs:
        rules.setdefault(job.rule, []).append(job)
    return [_stage(rule, each, factors, inputs) for rule, each in rules.items()]


def total(stages: Sequence[Stage]) -> Stage:
    """Return the sum of some stages."""
    numbers = {
        each.name: sum(getattr(stage, each.name) for stage in stages)
        for each in fields(Stage)
        if each.name not in ("rule", "times")
    }
    return Stage("total", **numbers, times=_common([stage.times for stage in stages]))


def _stage(rule: str, jobs: list[Job], factors: dict[Hashable, float], inputs: CostInputs) -> Stage:
    costs, words = [Cost()], []
    waiting = [job for job in jobs if not job.done]
    for job in waiting:
        cost, factor = cost_of(job, inputs), factors.get(_kind(job))
        costs.append(cost if factor is None else cost.slower(factor))
        if cost.gpu_seconds or cost.cpu_seconds:
            words.append(STATED if factor is None else MEASURED)

    return Stage(
        rule,
        len(waiting),
        len(jobs) - len(waiting),
        sum(cost.gpu_seconds for cost in costs) / HOUR,
        sum(cost.cpu_seconds for cost in costs) / HOUR,
        sum(cost.results for cost in costs),
        sum(cost.data for cost in costs),
        sum(cost.network for cost in costs),
        _common(words),
    )


def _common(words: Iterable[str]) -> str:
    found = {word for word in words if word}
    return PARTLY if len(found) > 1 else next(iter(found), NOTHING)


def _kind(job: Job) -> Hashable:
    ids = tuple((name, value) for name, value in job.wildcards.items() if name not in REPEATED)
    return job.rule, ids


def _measured_factors(done: list[Job], inputs: CostInputs) -> dict[Hashable, float]:
    """Return, by kind of job, how many times the stated seconds the jobs that are done took."""
    taken: dict[Hashable, float] = {}
    stated: dict[Hashable, float] = {}
    for job in done:
        seconds = _benchmark(job.benchmark)
        if seconds is not None:
            cost, kind = cost_of(job, inputs), _kind(job)
            taken[kind] = taken.get(kind, 0.0) + seconds
            stated[kind] = stated.get(kind, 0.0) + cost.gpu_seconds + cost.cpu_seconds
    return {kind: taken[kind] / stated[kind] for kind in taken if stated[kind]}


def _benchmark(path: Path | None) -> float | None:
    """Return the seconds that Snakemake noted of a job, None if it did not."""
    if path is None:
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return float(list(csv.DictReader(file, delimiter="\t"))[-1]["s"])
    except (OSError, IndexError, KeyError, ValueError):
        return None


def text(plan: Plan) -> str:
    """Return a plan to read: a row a stage, the sum, and what it is worked out from."""
    everything = total(plan.stages)
    heads = (
        "stage",
        "jobs",
        "done",
        "GPU-hours",
        "CPU-hours",
        "results",
        "data",
        "network",
        "times",
    )
    rows = [_row(stage) for stage in (*plan.stages, everything)]
    align = ("left", *["right"] * 7, "left")
    table = tabulate(rows, heads, tablefmt="simple", colalign=align, disable_numparse=True)
    head = (
        f"study '{plan.inputs.config['study']}': {everything.jobs:,} jobs to run, "
        f"{everything.done:,} done"
    )
    return "\n".join([head, "", table, "", *_notes(plan)])


def _row(stage: Stage) -> list[str]:
    sizes = (stage.results_bytes, stage.data_bytes, stage.network_bytes)
    hours = (stage.gpu_hours, stage.cpu_hours)
    return [
        stage.rule,
        f"{stage.jobs:,}",
        f"{stage.done:,}",
        *map(hours_text, hours),
        *map(size_text, sizes),
        stage.times,
    ]


def hours_text(hours: float) -> str:
    """Return hours to read, as in ``0.25`` or ``1,200``."""
    if 0 < hours < 10:
        return f"{hours:.2f}" if hours >= SHOWN else f"<{SHOWN}"
    return f"{hours:,.0f}" if hours else "-"


def size_text(size: float) -> str:
    """Return bytes to read, as in ``12 GB``."""
    return naturalsize(size, format="%.3g") if size else "-"


def _notes(plan: Plan) -> list[str]:
    notes = [
        "GPU-hours: of one A100, as in the paper's table 1. CPU-hours: of one core, of jobs that "
        "need no GPU.",
        "stated: workflow/resources/costs.yaml, which says where from. measured: jobs of the same "
        "kind, already done here.",
    ]
    if plan.inputs.config["device"] == "cpu":
        notes[0] = "device is 'cpu': everything is priced on one core."
    unknown = _unknown_videos(plan)
    if unknown:
        notes.append(f"{plan.inputs.stated['frames']:,} frames assumed of: {', '.join(unknown)}.")
    return notes


def _unknown_videos(plan: Plan) -> list[str]:
    """Return the videos of jobs to be run of which nobody has said how long they are."""
    videos = {
        (job.wildcards["dataset"], job.wildcards["video"])
        for job in plan.jobs
        if not job.done and {"dataset", "video"} <= set(job.wildcards)
    }
    return ["/".join(ids) for ids in sorted(videos) if frames_of(*ids, plan.inputs) is None]


def csv_text(stages: Sequence[Stage]) -> str:
    """Return a plan as CSV: a row a stage, and the sum."""
    names = [each.name for each in fields(Stage)]
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    for stage in (*stages, total(stages)):
        values = {name: getattr(stage, name) for name in names}
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()})
    return file.getvalue()
