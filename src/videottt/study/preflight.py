"""Say on one screen what is missing for the jobs of a run; nothing is fetched to find out."""

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from videottt.core.errors import InputError
from videottt.core.files import nearest_folder
from videottt.runtime.gpus import visible_gpus
from videottt.study.config import Config, current_study, is_offline
from videottt.study.costs import FETCH, CostInputs, read_cost_inputs
from videottt.study.jobs import Job, jobs_of
from videottt.study.plan import hours_text, price, size_text, total
from videottt.study.pricing import cost_of

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

    from videottt.data.fetch.catalogue import Source
    from videottt.study.plan import Stage

LINES = 40
WIDTH = 100
DEMO = "`snakemake --cores 4 --config study=demo` runs now and needs none of this"
RESULTS = Path("results")


@dataclass(frozen=True)
class Machine:
    """What a run finds where it starts.

    Attributes:
        local: whether jobs run here, and not on nodes of a cluster.
        gpu: whether a GPU is visible here.
        free_data: bytes free where data_root is.
        free_results: bytes free where results/ is.
        one_disk: whether that is the same disk.
        logins: kinds of `Source.access` that it has a login for.
    """

    local: bool
    gpu: bool
    free_data: int
    free_results: int
    one_disk: bool
    logins: frozenset[str]


def stop_if_missing(workflow: "Workflow") -> None:
    """Stop a run that Snakemake is about to start if anything is missing for its jobs.

    To be called by a Snakefile's `onstart`: its jobs are known, and none has begun. Where nothing
    is missing, says what will be fetched.

    Args:
        workflow: of the Snakefile, where its paths are relative to.

    Raises:
        SystemExit: with the text of `screen`.
    """
    if workflow.touch:
        return
    config = workflow.config
    try:
        jobs = jobs_of(workflow.dag, config)
        inputs = read_cost_inputs(config, Path(workflow.basedir) / "resources", jobs)
        wanted = _wanted(jobs, inputs).values()
        machine = this_machine(config, wanted, local=workflow.local_exec)
    except InputError as error:
        sys.exit(f"videottt: error: {error}")
    missing = screen(jobs, inputs, machine)
    if missing is not None:
        sys.exit(missing)
    for line in _fetched(wanted):
        print(line, file=sys.stderr)


def this_machine(config: Config, wanted: Iterable["Source"], *, local: bool) -> Machine:
    """Return what there is here for jobs that want some files from elsewhere.

    Raises:
        InputError: a login that one of them needs is there in part only.
    """
    data, results = (nearest_folder(path) for path in (Path(config["data_root"]), RESULTS))
    return Machine(
        local=local,
        gpu=bool(visible_gpus()),
        free_data=shutil.disk_usage(data).free,
        free_results=shutil.disk_usage(results).free,
        one_disk=data.stat().st_dev == results.stat().st_dev,
        logins=_logins({source.access for source in wanted}),
    )


def _logins(accesses: Collection[str]) -> frozenset[str]:
    """Return those kinds of access that there is a login for."""
    if "cityscapes" not in accesses:
        return frozenset()
    from videottt.data.fetch.logins import cityscapes_credentials

    return frozenset({"cityscapes"} if cityscapes_credentials() else ())


def screen(jobs: Iterable[Job], inputs: CostInputs, machine: Machine) -> str | None:
    """Return what is missing for jobs, where to get it and what it all costs: at most 40 lines.

    Args:
        jobs: of the run; those that are done need nothing.
        inputs: what costs are computed from: the configuration, stated costs, and sources.
        machine: where the run starts.

    Returns:
        the text, or None if nothing is missing.
    """
    jobs = list(jobs)
    sources = _wanted(jobs, inputs)
    everything = total(price(jobs, inputs))
    absent = {name: each for name, each in sources.items() if _blocked(each, inputs, machine)}
    others = [*_gpu(jobs, inputs, machine), *_disks(everything, inputs, machine)]
    if not absent and not others:
        return None
    fetched = [each for name, each in sources.items() if name not in absent]
    first = f"Study '{inputs.config['study']}' needs what is not here; nothing was fetched or run."
    last = ["", *_fetched(fetched), *_costs(everything, inputs), "", DEMO]
    room = LINES - len([first, "", *others, *last])
    return "\n".join([first, "", *_sources(absent, inputs, room), *others, *last])


def _wanted(jobs: Iterable[Job], inputs: CostInputs) -> dict[str, "Source"]:
    """Return the files from elsewhere that jobs want and that are not below data_root."""
    data_root = Path(inputs.config["data_root"])
    names = dict.fromkeys(
        job.wildcards["source"] for job in jobs if job.rule == FETCH and not job.done
    )
    sources = {name: inputs.sources[name] for name in names}
    return {
        name: source
        for name, source in sources.items()
        if source.place(data_root) is None and not source.download(data_root).is_file()
    }


def _blocked(source: "Source", inputs: CostInputs, machine: Machine) -> bool:
    """Return whether a file cannot be fetched without help."""
    if is_offline(inputs.config, current_study(inputs.config)):
        return True
    if inputs.config["mirror"]:
        return False
    return source.access != "open" and source.access not in machine.logins


def _sources(absent: Mapping[str, "Source"], inputs: CostInputs, room: int) -> list[str]:
    """Return how to get files, the largest first; those there is no room for only by name."""
    offline = is_offline(inputs.config, current_study(inputs.config))
    texts: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for name, source in absent.items():
        text = _instructions(source, inputs, offline=offline)
        texts.setdefault(text, []).append(name)
        sizes[text] = sizes.get(text, 0) + source.bytes
    ordered = sorted(texts, key=sizes.__getitem__, reverse=True)
    entries = [_item(f"{', '.join(texts[t])} ({size_text(sizes[t])}): {t}") for t in ordered]
    for whole in range(len(entries), -1, -1):
        lines = [line for entry in entries[:whole] for line in entry]
        rest = [name for text in ordered[whole:] for name in texts[text]]
        if rest:
            lines += _item(f"{', '.join(rest)}: see {inputs.config['sources']}")
        if len(lines) <= room:
            break
    return lines


def _instructions(source: "Source", inputs: CostInputs, *, offline: bool) -> str:
    data_root = inputs.config["data_root"]
    if not offline or source.access == "by_hand":
        return (source.instructions or "").replace("data_root", data_root)
    return (
        f"nothing is fetched (offline: true): put them into {data_root}/downloads, under the names "
        f"that {inputs.config['sources']} has for them"
    )


def _item(text: str) -> list[str]:
    """Return one thing that is missing, as lines of a list."""
    return _wrapped(text, "- ", "  ")


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _gpu(jobs: Sequence[Job], inputs: CostInputs, machine: Machine) -> list[str]:
    """Return that there is no GPU, where jobs want one; an explicit device is not checked."""
    if inputs.config["device"] != "auto" or machine.gpu or not machine.local:
        return []
    wanting = [job for job in jobs if not job.done and cost_of(job, inputs).gpu_seconds]
    if not wanting:
        return []
    models = sorted({job.model or job.wildcards["method"] for job in wanting})
    on_cpu = replace(inputs, config={**inputs.config, "device": "cpu"})
    hours = total(price(jobs, on_cpu)).cpu_hours
    return _item(
        f"a GPU: none is visible, and {len(wanting):,} jobs run {', '.join(models)}. Start where "
        f"there is one; or, for {hours_text(hours)} hours of one core, with --config device=cpu"
    )


def _disks(everything: "Stage", inputs: CostInputs, machine: Machine) -> list[str]:
    """Return which disk has too little room for the data and the results."""
    data_root = inputs.config["data_root"]
    to_data = "Name another folder with --config data_root=..."
    to_results = "Make results/ a link to another disk"
    wanted = [
        (f"{data_root} (data_root)", everything.data_bytes, machine.free_data, to_data),
        ("results", everything.results_bytes, machine.free_results, to_results),
    ]
    if machine.one_disk:
        both = everything.data_bytes + everything.results_bytes
        place = f"{data_root} (data_root) and results"
        wanted = [(place, both, machine.free_data, f"{to_data}. {to_results}")]
    return [
        line
        for place, size, free, advice in wanted
        if size > free
        for line in _item(
            f"disk: some {size_text(size)} for {place}, where {size_text(free)} are free. "
            f"{advice}; or skip this check with --no-hooks"
        )
    ]


def _fetched(sources: Collection["Source"]) -> list[str]:
    if not sources:
        return []
    size = size_text(sum(source.bytes for source in sources))
    return [f"Fetched without help: {len(sources)} files, {size}."]


def _costs(everything: "Stage", inputs: CostInputs) -> list[str]:
    return _wrapped(
        f"Costs {hours_text(everything.gpu_hours)} GPU-hours of an A100 and "
        f"{hours_text(everything.cpu_hours)} hours of one core; by stage: videottt plan "
        f"--study {inputs.config['study']}"
    )
