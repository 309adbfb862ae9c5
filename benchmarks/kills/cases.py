"""What else may happen to a job: other signals, damaged states, a second process."""

import signal
from collections.abc import Callable
from pathlib import Path

from commands import KILLED, Commands, Running
from kills.campaign import Row, Trial, last_line, reference_of, wait_for
from kills.targets import Target
from videottt.runtime.interruption import STOPPED


class Wrong(Exception):
    """What is not as it should be."""


def check(right: bool, what: str, running: Running) -> None:
    """Raise `Wrong` if something is not right, with the last that a process said."""
    if not right:
        raise Wrong(f"{what}; it said: {last_line(running)}")


def finish(trial: Trial, row: Row, said: str) -> None:
    """Start the command line once more: it ends well, and has said something on the way."""
    running = _started(trial, row)
    check(running.status() == 0, f"status {running.status()}", running)
    check(said in running.said(), f"not said: '{said}'", running)


def _started(trial: Trial, row: Row, save_every: float = 0.0) -> Running:
    row.runs += 1
    return trial.start(save_every)


def _killed_after(generation: int, trial: Trial, row: Row) -> None:
    """Kill a run that has saved some states."""
    running = _started(trial, row)
    wait_for(lambda: _generation(trial) >= generation, running)
    check(running.kill() == KILLED, "was done before it was killed", running)
    row.kills += 1
    row.moments[trial.moment()] += 1


def _generation(trial: Trial) -> int:
    states = trial.generations()
    return int(states[-1].stem) if states else 0


def terminated(trial: Trial, row: Row) -> None:
    """SIGTERM, three times: saves and stops, and goes on."""
    for _ in range(3):
        running = _started(trial, row, 1e9)
        # Not before the loop: there is nothing to save yet.
        _ask_to_save(trial, running)
        before = _generation(trial)
        running.signal(signal.SIGTERM)
        check(running.status() == STOPPED, f"status {running.status()}", running)
        check("stopped by SIGTERM: the state is saved" in running.said(), "not said", running)
        check(_generation(trial) > before, "nothing was saved", running)
    finish(trial, row, "resuming after")


def asked_to_save(trial: Trial, row: Row) -> None:
    """SIGUSR1: saves and goes on, as often as it is asked."""
    running = _started(trial, row, 1e9)
    for _ in range(2):
        _ask_to_save(trial, running)
    check(running.status() == 0, f"status {running.status()}", running)


def _ask_to_save(trial: Trial, running: Running) -> None:
    """Send SIGUSR1 until a state is saved."""
    # Before it says anything, it may not have heard of that signal yet, which then ends it.
    wait_for(lambda: bool(running.said()), running)
    before = _generation(trial)
    while _generation(trial) == before and not running.ended(0.02):
        running.signal(signal.SIGUSR1)
    check(_generation(trial) > before, "nothing was saved", running)


def cut_short(trial: Trial, row: Row) -> None:
    """The newest state is cut short: the one before it is used."""
    _killed_after(3, trial, row)
    path = trial.generations()[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    finish(trial, row, f"{path}: this part of a saved state cannot be used")


def damaged(trial: Trial, row: Row) -> None:
    """A bit of the newest state is flipped: the one before it is used."""
    _killed_after(3, trial, row)
    path = trial.generations()[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    finish(trial, row, "resuming after")


def all_damaged(trial: Trial, row: Row) -> None:
    """No state is whole: it starts anew."""
    _killed_after(3, trial, row)
    for path in trial.generations():
        path.write_bytes(path.read_bytes()[:-1])
    finish(trial, row, "no state is whole; starting anew")


def taken_over(trial: Trial, row: Row) -> None:
    """A second process waits, and goes on when the first is killed."""
    first = _started(trial, row)
    wait_for(lambda: _generation(trial) >= 2, first)
    second = _started(trial, row)
    waits = wait_for(lambda: "is being made by process" in second.said(), second)
    check(waits, "did not wait", second)
    row.kills += first.kill() == KILLED
    check(second.status() == 0, f"status {second.status()}", second)
    check("resuming after" in second.said() or not row.kills, "began anew", second)


def waited_for(trial: Trial, row: Row) -> None:
    """A second process waits, and leaves what the first has made as it is."""
    first, second = _started(trial, row, 1e9), _started(trial, row, 1e9)
    check(first.status() == second.status() == 0, f"status {first.status()}", second)
    said = first.said() + second.said()
    check("is being made by process" in said, "did not wait", second)
    check("the other process has made it" in said, "made it again", second)


CASES: dict[str, Callable[[Trial, Row], None]] = {
    each.__name__: each
    for each in (
        terminated,
        asked_to_save,
        cut_short,
        damaged,
        all_damaged,
        taken_over,
        waited_for,
    )
}


def run_case(commands: Commands, name: str, target: Target, folder: Path) -> Row:
    """Run a case on a target, and compare what it makes with what an undisturbed run makes."""
    row = Row(f"{name}: {target.name}")
    try:
        reference, row.seconds = reference_of(commands, target, folder / "reference")
        trial = Trial(commands, target, folder / "killed")
        CASES[name](trial, row)
        trial.leave(row, reference)
    except (Wrong, RuntimeError) as error:
        row.problem = str(error)
    return row
