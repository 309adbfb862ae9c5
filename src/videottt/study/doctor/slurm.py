"""Find what of a SLURM cluster Snakemake, or a job that is to go on, would stumble over."""

import importlib.metadata
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping

from videottt.core.errors import InputError
from videottt.runtime.slurm_site import Site, read_site
from videottt.study.doctor.findings import BAD, GOOD, WARNING, Finding

PLUGIN = "snakemake-executor-plugin-slurm"
# Seconds that a command of SLURM may take: where the controller is away, each waits for long.
PATIENCE = 15
# Seconds between two looks of Snakemake at its jobs, at most: ended ones must be known until then.
LONGEST_LOOK = 180
# Seconds that a job needs to save its state, at least.
TO_SAVE = 20

# Runs a command and returns what it says, as `ask`.
Asked = Callable[..., str]


class Absent(Exception):
    """A command that is not there or does not answer; the message says why."""


def ask(*command: str) -> str:
    """Return what a command of SLURM says.

    Raises:
        Absent: it is not there, fails or does not answer.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Absent(" ".join(str(error).split())) from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Absent(lines[-1] if lines else f"status {done.returncode}")
    return done.stdout


def cluster(asked: Asked) -> Iterator[Finding]:
    """Yield what there is to say of the cluster that this machine belongs to.

    Args:
        asked: `ask`, or what stands for it.
    """
    try:
        yield Finding(GOOD, PLUGIN, importlib.metadata.version(PLUGIN))
    except importlib.metadata.PackageNotFoundError:
        yield Finding(BAD, PLUGIN, "is not installed; make setup")
    try:
        config = _facts(asked("scontrol", "show", "config"))
        partitions = _records(asked("scontrol", "--oneliner", "show", "partition"))
        nodes = asked("sinfo", "--noheader", "--format", "%P %G")
    except Absent as error:
        yield Finding(BAD, "SLURM", f"does not answer ({error}); check SLURM_CONF, ask its admins")
        return
    yield Finding(GOOD, "SLURM", config.get("SLURM_VERSION", "?"))
    try:
        site = read_site()
    except InputError as error:
        yield Finding(BAD, "slurm.yaml", str(error))
        return
    yield from _accounting(config, site, asked)
    yield from _settings(config)
    yield from _partitions(partitions, nodes, site, config)


def _accounting(config: Mapping[str, str], site: Site, asked: Asked) -> Iterator[Finding]:
    """Yield whether SLURM remembers ended jobs, and whom it charges."""
    try:
        asked("sacct", "--noheader", "--starttime", "now")
    except Absent:
        age = config.get("MinJobAge", "")
        yield Finding(GOOD, "accounting", "is off or away: workflow/slurm/sacct asks the queue")
        if _seconds(age) < LONGEST_LOOK:
            yield Finding(
                BAD, "MinJobAge", f"is {age}: ended jobs are forgotten before Snakemake looks, "
                f"which then waits for ever; ask the admins for {LONGEST_LOOK} at least",
            )  # fmt: skip
        return
    yield Finding(GOOD, "accounting", "answers")
    if "associations" in config.get("AccountingStorageEnforce", ""):
        words = ("sacctmgr", "--noheader", "--parsable2", "show", "user", "withassoc")
        try:
            mine = asked(*words, os.environ.get("USER", ""), "format=account").split()
        except Absent:
            return
        if site.account is not None and site.account not in mine:
            known = ", ".join(dict.fromkeys(mine)) or "none"
            yield Finding(BAD, "account", f"'{site.account}' is not yours; yours: {known}")


def _settings(config: Mapping[str, str]) -> Iterator[Finding]:
    """Yield how SLURM treats jobs that it stops or runs again."""
    if os.environ.get("SLURM_CONF"):
        text = "is set, and Snakemake removes it from job steps; workflow/slurm/srun restores it"
        yield Finding(GOOD, "SLURM_CONF", text)
    if config.get("JobRequeue") == "0":
        text = "is 0: the profiles ask for it job by job (--requeue)"
        yield Finding(GOOD, "JobRequeue", text)
    if _seconds(config.get("KillWait", "")) < TO_SAVE:
        yield Finding(
            WARNING, "KillWait", f"is {config.get('KillWait')}: what is cancelled may be killed "
            "while it saves its state, and go on from the one before; lower save_every",
        )  # fmt: skip


def _partitions(
    partitions: list[dict[str, str]], nodes: str, site: Site, config: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what there is to say of the partitions that slurm.yaml names."""
    known = {each["PartitionName"]: each for each in partitions if "PartitionName" in each}
    default = next((name for name, each in known.items() if each.get("Default") == "YES"), None)
    of_gpus = site.partition or default
    for name in dict.fromkeys((of_gpus, site.cpu_partition or of_gpus)):
        subject = f"partition {name}"
        if name is None:
            yield Finding(BAD, "partition", "none is the default; name one in slurm.yaml")
        elif name not in known:
            there = ", ".join(known)
            yield Finding(BAD, subject, f"is not there; name one of {there} in slurm.yaml")
        else:
            yield from _partition(subject, known[name], site, config)
    if of_gpus in known:
        yield _gres(of_gpus, nodes)


def _partition(
    subject: str, facts: Mapping[str, str], site: Site, config: Mapping[str, str]
) -> Iterator[Finding]:
    most = _minutes(facts.get("MaxTime", ""))
    if most is not None and most < site.max_runtime_min:
        yield Finding(
            BAD, subject, f"lets a job run for {most} minutes, and slurm.yaml lets it ask for "
            f"{site.max_runtime_min}; write there max_runtime_min: {most}",
        )  # fmt: skip
    mode = facts.get("PreemptMode", config.get("PreemptMode", "OFF")).split(",")[-1]
    if mode in ("OFF", "REQUEUE"):
        yield Finding(GOOD, subject, f"PreemptMode={mode}, MaxTime={facts.get('MaxTime', '?')}")
    else:
        yield Finding(
            WARNING, subject, f"has PreemptMode={mode}: Snakemake, not SLURM, runs again what is "
            "preempted, and only while it runs itself; if there is one with REQUEUE, take that",
        )  # fmt: skip


def _gres(partition: str, nodes: str) -> Finding:
    """Return which GPUs the nodes of a partition have, of lines of `sinfo`."""
    subject = f"GPUs of {partition}"
    pairs = (line.partition(" ") for line in nodes.splitlines())
    found = {gres for name, _, gres in pairs if name.rstrip("*") == partition and "gpu" in gres}
    if found:
        return Finding(GOOD, subject, ", ".join(sorted(found)))
    return Finding(
        WARNING, subject, "none: a job that wants one is refused or waits for ever; name another "
        "partition in slurm.yaml",
    )  # fmt: skip


def _facts(text: str) -> dict[str, str]:
    """Return lines of ``name = value``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _records(text: str) -> list[dict[str, str]]:
    """Return lines of ``name=value name=value``."""
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.splitlines() if line.strip()]


def _seconds(text: str) -> int:
    """Return "300 sec" as 300; what is not said is enough."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else LONGEST_LOOK


def _minutes(text: str) -> int | None:
    """Return SLURM's days-hours:minutes:seconds in minutes; None without a limit."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):\d+", text)
    if not found:
        return None
    days, hours, minutes = (int(each or 0) for each in found.groups())
    return (days * 24 + hours) * 60 + minutes
