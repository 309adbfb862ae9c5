"""Jobs on a machine with several GPUs, simulated by a fake driver."""

import os
import shutil
import subprocess
import sys

import pytest

from support import pretend_gpus_here
from videottt.core.errors import InputError
from videottt.runtime import gpus
from videottt.runtime.device import prepare_device

HOLDER = """
import logging, sys
from videottt.runtime.gpus import lease_gpu
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
lease_gpu()
import os
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that gives this machine GPUs."""
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def with_gpus(*pretended):
        pretend_gpus_here(monkeypatch, tmp_path / "library", *pretended)

    return with_gpus


A100, H100 = "NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3"
PARTS = (("MIG-c1", f"{H100} MIG 1g.10gb"), ("MIG-c2", f"{H100} MIG 1g.10gb"))
MIXED = (("GPU-aa11", A100), ("GPU-bb22", H100, *PARTS), ("GPU-aa33", A100))


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ["GPU-aa11", "MIG-c1", "MIG-c2", "GPU-aa33"]),
        ("", []),
        ("-1", []),
        ("2,0", ["GPU-aa33", "GPU-aa11"]),
        ("0,7,2", ["GPU-aa11"]),
        ("GPU-aa3, MIG-c2", ["GPU-aa33", "MIG-c2"]),
        ("GPU-aa", []),
    ],
)
def test_visible_gpus_are_those_that_cuda_would_use(machine, monkeypatch, visible, found):
    machine(*MIXED)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    assert [gpu.id for gpu in gpus.visible_gpus()] == found


def test_parts_have_the_name_of_their_gpu(machine):
    machine(*MIXED)
    names = [gpu.name for gpu in gpus.visible_gpus()]
    assert names == [A100, f"{H100} MIG 1g.10gb", f"{H100} MIG 1g.10gb", A100]


def test_without_a_driver_or_with_a_broken_one_there_is_no_gpu(machine, monkeypatch, caplog):
    machine()
    assert gpus.visible_gpus() == []
    machine(*MIXED)
    assert len(gpus.visible_gpus()) == 4

    def lost(_):
        raise sys.modules["pynvml"].NVMLError("GPU is lost")

    monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetHandleByIndex", lost)
    assert gpus.visible_gpus() == []
    assert gpus.lease_gpu() is None
    caplog.set_level("INFO")
    assert prepare_device("auto", 1).type == "cpu"
    assert [line for line in caplog.messages if "GPU" in line] == [
        "no GPU is visible: using the CPU"
    ]


class Holders:
    """Processes that hold a GPU each, until they are told to end."""

    def __init__(self):
        self.all = []

    def start(self):
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLDER]
        self.all.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return self.all[-1]

    def close(self):
        for process in self.all:
            process.kill()
            process.communicate()


@pytest.fixture
def holders():
    started = Holders()
    yield started
    started.close()


@pytest.mark.parametrize("shared", [1, 2])
def test_each_job_has_a_gpu_of_its_own_and_the_next_waits_until_one_dies(
    machine, holders, monkeypatch, shared
):
    machine(MIXED[0], MIXED[2], MIXED[1])
    monkeypatch.setenv(gpus.VISIBLE, "0,1")
    monkeypatch.setenv(gpus.JOBS_PER_GPU, str(shared))
    running = [holders.start() for _ in range(2)]
    assert {each.stdout.readline() for each in running} == {"GPU-aa11\n", "GPU-aa33\n"}
    if shared == 2:
        running += [holders.start() for _ in range(2)]
        later = [each.stdout.readline() for each in running[2:]]
        assert sorted(later) == ["GPU-aa11\n", "GPU-aa33\n"]
    last = holders.start()
    told = last.stderr.readline()
    assert told.startswith("every GPU is in use (NVIDIA A100-SXM4-40GB by process ")
    assert all(str(each.pid) in told for each in running)
    # A lease ends with its process, here by SIGKILL.
    freed = running[0]
    freed.kill()
    freed.wait()
    assert last.stdout.readline() in ("GPU-aa11\n", "GPU-aa33\n")
    assert last.stderr.readline().endswith("is leased to this job\n")


def test_a_process_takes_one_gpu_however_often_it_asks(machine, monkeypatch):
    machine(MIXED[0], MIXED[2])
    monkeypatch.setenv(gpus.JOBS_PER_GPU, "2")
    code = (
        "from videottt.runtime.gpus import lease_gpu; import os;"
        "print(lease_gpu().id, lease_gpu().id, os.listdir(os.environ['TMPDIR'] + "
        "f'/videottt-gpus-{os.getuid()}'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "GPU-aa11 GPU-aa11 ['GPU-aa11.0.lock']\n"


def test_an_allocation_of_slurm_has_leases_of_its_own(machine, holders, monkeypatch):
    machine(MIXED[0])
    outside = holders.start()
    assert outside.stdout.readline() == "GPU-aa11\n"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert holders.start().stdout.readline() == "GPU-aa11\n"


@pytest.mark.parametrize("again", [False, True])
def test_who_waits_for_a_gpu_outlives_the_folder_of_the_leases(machine, holders, tmp_path, again):
    machine(MIXED[0])
    first = holders.start()
    assert first.stdout.readline() == "GPU-aa11\n"
    waiting = holders.start()
    assert f"by process {first.pid}" in waiting.stderr.readline()
    folder = tmp_path / f"videottt-gpus-{os.getuid()}"
    # As a cleaner of temporary files does; the one that waits then has the only lock there is.
    shutil.rmtree(folder)
    if again:
        folder.mkdir(mode=0o700)
    assert waiting.stdout.readline() == "GPU-aa11\n"
    assert (folder / "GPU-aa11.0.lock").read_text() == f"{waiting.pid}\n"
    assert first.poll() is None


def test_without_any_folder_for_leases_the_mend_is_told(machine, monkeypatch):
    machine(MIXED[0])

    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(InputError, match="temporary files can be written; set TMPDIR"):
        gpus.lease_gpu()


def test_leases_are_never_kept_in_a_folder_of_another_user(machine, tmp_path):
    machine(MIXED[0])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"videottt-gpus-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="belongs to another user; set TMPDIR to your own folder"):
        gpus.lease_gpu()


def test_a_gpu_that_this_torch_cannot_use_is_named(machine, caplog):
    machine(("GPU-pretended", "Pretended"))
    code = (
        "import logging; logging.basicConfig(level=logging.INFO, format='%(message)s');"
        "from videottt.runtime.device import prepare_device; prepare_device('auto', 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if "cuda" in done.stderr:
        pytest.skip("this machine has a GPU")
    assert "this torch cannot use Pretended: using the CPU" in done.stderr


@pytest.mark.parametrize("text", ["0", "two", "-1", ""])
def test_how_many_jobs_share_a_gpu_is_a_number_above_0(monkeypatch, text):
    monkeypatch.setenv(gpus.JOBS_PER_GPU, text)
    with pytest.raises(InputError, match="must be a whole number of at least 1"):
        gpus.jobs_per_gpu()
