"""Kills command lines at random moments until they are done, and compares what they have made."""

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from commands import KILLED, Commands, Running
from kills.outcomes import differing_bytes, made
from kills.targets import Target
from videottt.core.randomness import generator

# Where a kill found a process, by what it left.
MOMENTS = ("before the first save", "during a save", "between saves", "after the output appeared")
# Seconds between two saved states; 0 is after every step.
SAVE_EVERY = (0.0, 0.0, 0.05, 0.3)
KILLS_IN_A_ROW = 3
RUNS = 12  # of one target, at most
HIDDEN = "."
RESUMED = re.compile(r"resuming after|from byte \d+ on")


@dataclass
class Row:
    """What became of one target.

    Attributes:
        target: its name.
        seconds: of the run that was left alone.
        runs: started after it.
        kills: that hit a running process.
        moments: kills by where they found it.
        resumed: runs that went on from where one had been killed.
        differing: bytes of its files that differ from those of the run that was left alone.
        leftovers: hidden files that the run that was left alone does not leave.
        states: folders of saved states that are left.
        claims: that are left.
        problem: what went wrong, if anything did.
    """

    target: str
    seconds: float = 0.0
    runs: int = 0
    kills: int = 0
    moments: Counter = field(default_factory=Counter)
    resumed: int = 0
    differing: int = 0
    leftovers: int = 0
    states: int = 0
    claims: int = 0
    problem: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the columns of the table of results."""
        moments = {moment: self.moments[moment] for moment in MOMENTS}
        plain = {name: value for name, value in vars(self).items() if name != "moments"}
        return {**plain, "seconds": round(self.seconds, 2), **moments}

    @property
    def exact(self) -> bool:
        """Return whether nothing differs, nothing is left and nothing went wrong."""
        return not (self.differing or self.leftovers or self.states or self.claims or self.problem)


class Trial:
    """Runs of one target in a folder of their own.

    Args:
        commands: starts them.
        target: what is run.
        folder: of these runs; emptied.
    """

    def __init__(self, commands: Commands, target: Target, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        self.folder = folder
        self.out = folder / "out"
        self.state = folder / target.state if target.state else None
        self._commands = commands
        self._target = target
        self._logs = 0

    def start(self, save_every: float | None = None, by_itself: bool = False) -> Running:
        """Start the command line, with a log of its own."""
        words = self._target.words_in(self.folder, save_every)
        self._logs += 1
        log = self.folder / f"{self._logs:02d}.log"
        start = self._commands.start_by_itself if by_itself else self._commands.start
        return start(words, log)

    def moment(self) -> str:
        """Return where a kill found the process, by what it left."""
        before, during, between, after = MOMENTS
        if self.state is None:
            hidden = any(_hidden_files(self.out))
            return during if hidden else (after if any(_files(self.out)) else before)
        states = self.generations()
        newest = states[-1].stem if states else ""
        parts = [path.stem for path in self.state.glob("*/[0-9]*.part")]
        if any(_hidden_files(self.state)) or any(part > newest for part in parts):
            return during
        if not states:
            return before
        return after if any(_files(self.out)) else between

    def generations(self) -> list[Path]:
        """Return the saved states, the oldest first."""
        return sorted(self.state.glob("*/[0-9]*.state")) if self.state else []

    def save_seen(self) -> bool:
        """Return whether a file is being written: a state, or what is made where none is kept."""
        return any(_hidden_files(self.state or self.out))

    def output_seen(self) -> bool:
        """Return whether a whole file of the output is there."""
        return any(_files(self.out))

    def leave(self, row: Row, reference: "Trial") -> None:
        """Add to a row what is left after the target was done, and what of it differs."""
        known = {path.relative_to(reference.out) for path in _hidden_files(reference.out)}
        left = {path.relative_to(self.out) for path in _hidden_files(self.out)}
        row.leftovers += len(left - known)
        if self.state is not None:
            row.leftovers += len(set(_hidden_files(self.state)))
            row.claims += len(list(self.state.glob("*.claim*")))
            row.states += sum(path.is_dir() for path in self.state.glob("*"))
        # What is hidden is left over, and counted as that.
        differing = differing_bytes(made(reference.out), made(self.out))
        row.differing += sum(differing.values())
        if differing:
            row.problem = f"{row.problem} differs: {differing}".strip()


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        if "state" not in Path(place).parts[len(folder.parts) :]:
            yield from (Path(place, name) for name in names if not name.startswith(HIDDEN))


def _hidden_files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if name.startswith(HIDDEN))


def reference_of(commands: Commands, target: Target, folder: Path) -> tuple[Trial, float]:
    """Run a target undisturbed, without any state; return the trial, and its seconds.

    Raises:
        RuntimeError: it fails.
    """
    trial = Trial(commands, target, folder)
    start = time.monotonic()
    running = trial.start()
    if running.status():
        raise RuntimeError(f"status {running.status()}: {last_line(running)}")
    return trial, time.monotonic() - start


def kill_often(
    commands: Commands, target: Target, folder: Path, kills: int, seed: int, by_itself: bool = False
) -> Row:
    """Kill a target at random moments of its run, start it again until it is done, and compare.

    Args:
        commands: starts processes.
        target: what is run.
        folder: for the runs.
        kills: that are to hit a running process.
        seed: of the moments.
        by_itself: start each process without a fork, as a shell does.
    """
    row = Row(target.name)
    draws = generator("kills", seed, target.name)
    try:
        reference, row.seconds = reference_of(commands, target, folder / "reference")
    except RuntimeError as error:
        row.problem = str(error)
        return row
    seconds = row.seconds
    while row.kills < kills and row.runs < RUNS and not row.problem:
        trial = Trial(commands, target, folder / "killed")
        left = KILLS_IN_A_ROW
        while not row.problem:
            row.runs += 1
            start = time.monotonic()
            running = trial.start(_chosen(SAVE_EVERY, draws), by_itself)
            wanted = left > 0 and row.kills < kills
            hit = wanted and _killed(running, trial, seconds, draws)
            status = running.status()
            row.resumed += bool(RESUMED.search(running.said()))
            if not hit:
                # The machine may have been busy with something else at first. A run that goes on
                # from another says nothing of how long a whole one takes.
                if left == KILLS_IN_A_ROW:
                    seconds = min(seconds, time.monotonic() - start)
                break
            left -= 1
            row.kills += 1
            row.moments[trial.moment()] += 1
        if status:
            row.problem = f"status {status}: {last_line(running)}"
        else:
            trial.leave(row, reference)
    return row


def _killed(running: Running, trial: Trial, seconds: float, draws: torch.Generator) -> bool:
    """Kill a process at a random moment; return whether it was still running.

    Of ten kills three wait for the next save to begin, and one for the output to appear.
    """
    aim = int(torch.randint(10, (), generator=draws))
    delay = seconds * float(torch.rand((), generator=draws))
    if aim == 0:
        wait_for(trial.output_seen, running)
    elif aim < 4:
        running.ended(delay * 0.8)
        wait_for(trial.save_seen, running)
    else:
        running.ended(delay)
    if running.ended(0):
        running.status()
        return False
    return running.kill() == KILLED


def wait_for(seen: Callable[[], bool], running: Running) -> bool:
    """Wait until something is seen or the process has ended; return which."""
    while not seen():
        if running.ended(0.0003):
            return seen()
    return True


def _chosen(values: tuple[float, ...], draws: torch.Generator) -> float:
    return values[int(torch.randint(len(values), (), generator=draws))]


def last_line(running: Running) -> str:
    """Return the last that a process said."""
    return (running.said().strip().splitlines() or ["nothing said"])[-1][:300]
