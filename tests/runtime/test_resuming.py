"""A killed job resumes from its saved state, and nothing is lost or mixed up.

That every method resumes bit for bit is tested in test_methods.py.
"""

import hashlib
import io
import json
import os
import pickle
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch

from commands import heed_interrupts
from videottt.core.errors import InputError
from videottt.runtime.claims import sole_writer
from videottt.runtime.interruption import Interruption, Stopped
from videottt.runtime.saved_state import SavedState

STATE = {"weights": [torch.arange(5.0)], "done": 3, "nothing": None, "name": "x"}


# The files


def saved_in(folder, key=0):
    return SavedState(folder / "state", folder / "out.h5", {"settings": key})


def files_in(folder, kind="*"):
    return sorted((folder / "state").rglob(f"*.{kind}"))


def test_a_state_comes_back_with_all_results_before_it_and_two_generations_are_kept(tmp_path):
    saved = saved_in(tmp_path)
    assert saved.load() is None
    for number in range(4):
        assert saved.save({**STATE, "done": number}, [["frame", number]] if number != 2 else [])
    again = saved_in(tmp_path)
    state = again.load()
    assert (state["done"], state["name"], state["nothing"]) == (3, "x", None)
    assert torch.equal(state["weights"][0], STATE["weights"][0])
    assert list(again.parts()) == [[["frame", 0]], [["frame", 1]], [["frame", 3]]]
    assert len(files_in(tmp_path, "state")) == 2
    again.remove()
    assert not files_in(tmp_path)
    assert saved_in(tmp_path).load() is None


def damages():
    """Ways to damage a file: (name, function of its bytes)."""
    yield "empty", lambda content: b""
    yield "cut in its first line", lambda content: content[:20]
    yield "cut in the middle", lambda content: content[: len(content) // 2]
    yield "one byte short", lambda content: content[:-1]
    yield "one bit flipped", lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    yield "of another version", lambda content: content.replace(b'"version": 1', b'"version": 9', 1)
    yield "not ours", lambda content: b"[1, 2]\n" + content


@pytest.mark.parametrize("damage", [pytest.param(each, id=name) for name, each in damages()])
@pytest.mark.parametrize("kind", ["state", "part"])
def test_a_damaged_state_falls_back_to_the_one_before_and_says_so(tmp_path, caplog, kind, damage):
    saved = saved_in(tmp_path)
    for number in range(3):
        saved.save({"done": number}, [["frame", number]])
    newest = files_in(tmp_path, kind)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    again = saved_in(tmp_path)
    assert again.load() == {"done": 1}
    assert list(again.parts()) == [[["frame", 0]], [["frame", 1]]]
    assert f"{newest}: this file of a saved state cannot be used" in caplog.text
    assert "it is skipped" in caplog.text
    # The next state replaces the damaged one.
    again.save({"done": 7}, [["frame", 7]])
    final = saved_in(tmp_path)
    assert final.load() == {"done": 7}
    assert list(final.parts())[-1] == [["frame", 7]]
    for path in files_in(tmp_path, "state"):
        path.write_bytes(b"")
    caplog.clear()
    assert saved_in(tmp_path).load() is None
    assert "every saved state is damaged; the job starts from the beginning" in caplog.text
    assert not files_in(tmp_path)


def test_a_half_written_file_of_a_killed_process_is_no_state(tmp_path, caplog):
    saved = saved_in(tmp_path)
    saved.save({"done": 1})
    (state,) = files_in(tmp_path)
    half = state.with_name(f".{state.stem}.host.123.part.state")
    state.rename(half)
    assert saved_in(tmp_path).load() is None
    assert caplog.text == ""
    assert not half.exists()


def test_a_state_belongs_to_one_target_and_to_its_settings_inputs_and_code(tmp_path, caplog):
    caplog.set_level("INFO")
    assert saved_in(tmp_path, key=1).save({"done": 1})
    other = SavedState(tmp_path / "state", tmp_path / "other.h5", {"settings": 1})
    assert other.load() is None
    # However the target's path is written.
    folder = tmp_path / "state"
    for path in (tmp_path / "x/../out.h5", Path(os.path.relpath(tmp_path / "out.h5"))):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert SavedState(folder, path, {"settings": 1}).load() == {"done": 1}
    assert saved_in(tmp_path, key=2).load() is None
    assert "deleted the state of an earlier run with other settings, inputs or code" in caplog.text
    assert saved_in(tmp_path, key=1).load() is None


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_state_that_carries_code_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path}/canary",))

    saved = saved_in(tmp_path)
    saved.save({"done": 0})
    saved.save({"done": 1})
    path = files_in(tmp_path, "state")[-1]
    head, _, _ = path.read_bytes().partition(b"\n")
    for content in (pickle.dumps(Attack()), torch_saved({"state": Attack(), "parts": []})):
        first = {**json.loads(head), "sha256": hashlib.sha256(content).hexdigest()}
        path.write_bytes(json.dumps(first).encode() + b"\n" + content)
        assert saved_in(tmp_path).load() == {"done": 0}
        assert not (tmp_path / "canary").exists()


def torch_saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path, caplog):
    saved = saved_in(tmp_path)
    assert saved.save({"done": 1}, [["frame", 1]])
    place = files_in(tmp_path, "state")[0].parent
    # A directory in the place of the next file: root may write anywhere else.
    (place / "00000002.state").mkdir()
    assert not saved.save({"done": 2}, [["frame", 2]])
    assert "could not be saved" in caplog.text
    (place / "00000002.state").rmdir()
    again = saved_in(tmp_path)
    assert again.load() == {"done": 1}
    assert list(again.parts()) == [[["frame", 1]]]
    assert saved.save({"done": 3}, [["frame", 2], ["frame", 3]])
    final = saved_in(tmp_path)
    assert (final.load(), list(final.parts())[-1]) == ({"done": 3}, [["frame", 2], ["frame", 3]])


# When to save, and when to stop


def after_signals(*signals, every=1e9):
    """Return (saves, why it stopped) of a loop of three steps that gets signals in its first."""
    saves = []
    with Interruption(every) as interruption:
        for step in range(3):
            if step == 0:
                for number in signals:
                    os.kill(os.getpid(), number)
            try:
                interruption.after_step(lambda step=step: saves.append(step))
            except Stopped as stopped:
                return saves, str(stopped)
    return saves, None


@pytest.fixture
def heeded():
    """Heed SIGINT, which is ignored where the tests are started in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_signals_save_and_stop_between_two_steps_and_their_handlers_are_restored(
    monkeypatch, heeded
):
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    assert after_signals() == ([], None)
    assert after_signals(every=0) == ([0, 1, 2], None)
    assert after_signals(signal.SIGUSR1) == ([0], None)
    assert after_signals(signal.SIGINT) == ([0], "by SIGINT")
    # SLURM sends it to a step and to its job.
    assert after_signals(signal.SIGTERM, signal.SIGTERM) == ([0], "by SIGTERM")
    with pytest.raises(KeyboardInterrupt):
        after_signals(signal.SIGINT, signal.SIGINT)
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 5))
    assert after_signals() == ([0], "before the end of its SLURM allocation")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 3600))
    assert after_signals() == ([], None)
    monkeypatch.delenv("SLURM_JOB_END_TIME")
    assert {number: signal.getsignal(number) for number in before} == before


LOOPER = """
import time
from videottt.runtime.interruption import Interruption, Stopped
with Interruption(1e9) as interruption:
    print("begun", flush=True)
    while not interruption.stop_asked():
        time.sleep(0.01)
print(interruption.stopped(), flush=True)
"""


@pytest.mark.parametrize("background", [False, True])
def test_sigint_stops_a_job_but_not_in_the_background_of_a_script(background):
    trap = 'trap "" INT; ' if background else ""
    job = subprocess.Popen(
        ["bash", "-c", f'{trap}exec "$0" -c "$1"', sys.executable, LOOPER],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert job.stdout.readline() == "begun\n"
    ignored = re.search(r"SigIgn:\s+(\w+)", Path(f"/proc/{job.pid}/status").read_text())[1]
    assert bool(int(ignored, 16) & 1 << signal.SIGINT - 1) == background
    job.send_signal(signal.SIGINT)
    if background:
        job.send_signal(signal.SIGTERM)
    told = job.communicate(timeout=60)[0]
    assert (told, job.returncode) == (f"by {'SIGTERM' if background else 'SIGINT'}\n", 0)


SOON, LATER, NEVER = 5, 3600, "N/A"
AWAY = None


@pytest.mark.parametrize(
    ("answers", "stops"),
    [
        ([SOON], True),
        ([LATER], False),
        ([NEVER], False),
        ([SOON, LATER], False),  # it was put off
        ([AWAY, SOON], True),
        ([AWAY], False),
    ],
)
def test_squeue_is_asked_for_the_end_if_slurm_does_not_set_it(
    tmp_path, monkeypatch, answers, stops
):
    def line(answer):
        if answer is AWAY:
            return "exit 1"
        known = isinstance(answer, int)
        return f"echo {datetime.now() + timedelta(seconds=answer):%FT%T}" if known else "echo N/A"

    for number, answer in enumerate(answers):
        (tmp_path / f"{number}.sh").write_text(line(answer))
    # The last answer stays.
    script = f"""#!/bin/sh
cd {tmp_path}
[ "$*" = "--noheader --jobs 77 --format %e" ] || exit 2
set -- *.sh
sh "$1"
if [ $# -gt 1 ]; then rm "$1"; fi
"""
    (tmp_path / "squeue").write_text(script)
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setattr("videottt.runtime.interruption.ASK_AGAIN", 0)
    reason = "before the end of its SLURM allocation"
    assert after_signals() == (([0], reason) if stops else ([], None))


# One writer

CLAIMER = """
import sys, types
from pathlib import Path
import logging
# Claims need no torch, which takes seconds to import.
sys.modules["torch"] = types.ModuleType("torch")
from videottt.runtime import claims
claims.CLAIM, claims.POLL = float(sys.argv[3]), 0.2
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
with claims.sole_writer(Path(sys.argv[1]), Path(sys.argv[2])) as waited:
    print("waited" if waited else "at once", flush=True)
    sys.stdin.readline()
if sys.argv[4:] and not any(Path(sys.argv[1]).iterdir()):
    Path(sys.argv[1]).rmdir()
"""


def claimer(folder, target, lease=60.0, *words):
    command = [sys.executable, "-c", CLAIMER, str(folder), str(target), str(lease), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("end", ["done", "killed"])
def test_a_second_process_waits_until_the_first_is_done_or_dead(tmp_path, end):
    target = tmp_path / "out.h5"
    first = claimer(tmp_path / "state", target)
    assert first.stdout.readline() == "at once\n"
    second = claimer(tmp_path / "state", target)
    other = claimer(tmp_path / "state", tmp_path / "other.h5")
    assert other.stdout.readline() == "at once\n"
    told = second.stderr.readline()
    assert told.startswith(f"{target} is being made by process {first.pid} on ")
    if end == "killed":
        first.kill()
        first.wait()
    else:
        first.stdin.close()
    assert second.stdout.readline() == "waited\n"
    for process in (first, second, other):
        process.stdin.close()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    assert not list((tmp_path / "state").iterdir())
    with sole_writer(tmp_path / "state", target) as waited:
        assert not waited


@pytest.fixture
def claimers(tmp_path):
    started = []

    def start(*words):
        # Short, as a third of it passes between two looks at the claim.
        started.append(claimer(tmp_path / "state", tmp_path / "out.h5", 3.0, *words))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def end(process):
    process.stdin.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("times", [1, 3])
def test_who_waits_goes_on_where_the_first_removed_the_folder_at_its_end(claimers, tmp_path, times):
    # As `videottt run` does: unless another one has its claim there by now.
    first = claimers("remove")
    assert first.stdout.readline() == "at once\n"
    waiting = [claimers("remove") for _ in range(times)]
    for each in waiting:
        assert f"is being made by process {first.pid} on " in each.stderr.readline()
    end(first)
    while waiting:
        told = select.select([each.stdout for each in waiting], [], [], 60)[0]
        (owner,) = [each for each in waiting if each.stdout in told]
        assert owner.stdout.readline() == "waited\n"
        end(owner)
        waiting.remove(owner)
    assert not (tmp_path / "state").exists()


def test_a_claim_that_is_removed_with_its_folder_is_made_again_and_still_keeps_others_out(
    claimers, tmp_path
):
    first = claimers()
    assert first.stdout.readline() == "at once\n"
    shutil.rmtree(tmp_path / "state")
    assert "was removed while a job needs it, and is made again" in first.stderr.readline()
    second = claimers()
    assert f"is being made by process {first.pid} on " in second.stderr.readline()
    end(first)
    assert second.stdout.readline() == "waited\n"
    end(second)
    assert not list((tmp_path / "state").iterdir())


def test_who_waits_takes_over_a_removed_claim_and_the_first_leaves_it(claimers, tmp_path):
    first, second = claimers(), None
    assert first.stdout.readline() == "at once\n"
    second = claimers()
    assert f"is being made by process {first.pid} on " in second.stderr.readline()
    shutil.rmtree(tmp_path / "state")
    assert second.stdout.readline() == "waited\n"
    assert first.wait(timeout=60) == 75
    assert "another process has taken over the target of this one" in first.stderr.read()
    end(second)


def test_a_folder_that_cannot_be_made_is_no_endless_wait(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file/state"):
        with (
            pytest.raises(InputError, match="cannot save the state of a job here"),
            sole_writer(folder, tmp_path / "out.h5"),
        ):
            pass


def test_a_state_whose_folder_is_removed_meanwhile_is_saved_again(tmp_path, monkeypatch, caplog):
    saved = saved_in(tmp_path)
    assert saved.save({"done": 1})
    replace = Path.replace

    def removed_before(part, path):
        shutil.rmtree(tmp_path / "state")
        return replace(part, path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", removed_before)
        assert not saved.save({"done": 2})
    assert "the state could not be saved, and the job goes on" in caplog.text
    assert saved.save({"done": 3}, [["frame", 3]])
    assert saved_in(tmp_path).load() == {"done": 3}
