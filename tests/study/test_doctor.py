"""What `videottt doctor` says of machines and of clusters, whose commands are pretended."""

import os
from types import SimpleNamespace

import pytest

from support import pretend_gpus_here
from videottt.cli import main
from videottt.study.doctor import BAD, GOOD, WARNING
from videottt.study.doctor.machine import disk, gpus
from videottt.study.doctor.slurm import Absent, ask, cluster
from videottt.study.doctor.surroundings import surroundings

SETTINGS = {
    "SLURM_VERSION": "23.11.4",
    "MinJobAge": "300 sec",
    "KillWait": "30 sec",
    "JobRequeue": "1",
    "PreemptMode": "REQUEUE",
    "AccountingStorageEnforce": "associations,limits",
}
PARTITIONS = """\
PartitionName=gpu Default=YES MaxTime=2-00:00:00 PreemptMode=REQUEUE Nodes=n[1-4]
PartitionName=cpu Default=NO MaxTime=UNLIMITED PreemptMode=OFF Nodes=c[1-9]
PartitionName=short Default=NO MaxTime=04:00:00 PreemptMode=GANG,CANCEL Nodes=n[1-4]
"""
NODES = "gpu* gpu:a100:4(S:0-1)\ncpu (null)\nshort gpu:a100:4\n"


@pytest.fixture
def examined(tmp_path, monkeypatch):
    """Return a function: what is found on a cluster with some things otherwise."""
    monkeypatch.chdir(tmp_path)
    for name in ("SLURM_CONF", "VIDEOTTT_SLURM"):
        monkeypatch.delenv(name, raising=False)

    def findings(site="partition: gpu", accounting=True, partitions=PARTITIONS, **settings):
        (tmp_path / "slurm.yaml").write_text(site)
        config = "\n".join(f"{name:24}= {each}" for name, each in (SETTINGS | settings).items())
        said = {
            "scontrol show": f"Configuration data\n{config}\n",
            "scontrol --oneliner": partitions,
            "sinfo --noheader": NODES,
            "sacctmgr --noheader": "lab\nother\n",
            "sacct --noheader": "",
        }

        def asked(*command):
            if command[0].startswith("sacct") and not accounting:
                raise Absent("Slurm accounting storage is disabled")
            return said[" ".join(command[:2])]

        return list(cluster(asked))

    return findings


def test_a_cluster_that_has_all_that_is_needed_is_good(examined):
    found = examined("account: lab\npartition: gpu\ncpu_partition: cpu")
    assert {each.level for each in found} == {GOOD}
    said = {each.subject: each.text for each in found}
    assert said["GPUs of gpu"] == "gpu:a100:4(S:0-1)"
    assert "MaxTime=2-00:00:00" in said["partition gpu"]
    assert "partition short" not in said


@pytest.mark.parametrize(
    ("changes", "subject", "level", "text"),
    [
        ({"accounting": False, "MinJobAge": "30 sec"}, "MinJobAge", BAD, "waits for ever; ask"),
        ({"accounting": False}, "accounting", GOOD, "workflow/slurm/sacct asks the queue"),
        ({"MinJobAge": "2 sec"}, "accounting", GOOD, "answers"),
        ({"KillWait": "5 sec"}, "KillWait", WARNING, "lower save_every"),
        ({"JobRequeue": "0"}, "JobRequeue", GOOD, "--requeue"),
        ({"site": "account: lbb"}, "account", BAD, "'lbb' is not yours; yours: lab, other"),
        ({"site": "partition: gpus"}, "partition gpus", BAD, "name one of gpu, cpu, short"),
        ({"site": "partition: cpu"}, "GPUs of cpu", WARNING, "name another partition"),
        ({"site": "{partition: short, max_runtime_min: 240}"}, "partition short", WARNING,
         "PreemptMode=CANCEL: Snakemake, not SLURM, runs again"),
        ({"site": "partition: short"}, "partition short", BAD, "write there max_runtime_min: 240"),
        ({"site": "", "partitions": PARTITIONS.replace("=YES", "=NO")}, "partition", BAD,
         "none is the default; name one in slurm.yaml"),
        ({"site": "jobz: 3"}, "slurm.yaml", BAD, "did you mean 'jobs'?"),
    ],
)  # fmt: skip
def test_what_would_stop_or_hang_a_run_is_told_and_how_to_mend_it(
    examined, changes, subject, level, text
):
    found = examined(**changes)
    assert [each for each in found if (each.subject, each.level) == (subject, level)]
    assert any(text in each.text for each in found if each.subject == subject)


def test_a_controller_that_does_not_answer_is_told(examined, monkeypatch):
    def asked(*_):
        raise Absent("Unable to contact slurm controller (connect failure)")

    *_, last = cluster(asked)
    assert (last.level, last.subject) == (BAD, "SLURM")
    assert "Unable to contact" in last.text
    for command in (("false",), ("no-such-command",), ("sh", "-c", "echo why >&2; exit 3")):
        with pytest.raises(Absent, match=r"status 1|No such file|Permission|why"):
            ask(*command)


def test_a_gpu_that_torch_cannot_use_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    pretend_gpus_here(monkeypatch, tmp_path / "library", ("GPU-1", "Pretended"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpus().level == BAD
    assert "Pretended: torch" in gpus().text
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert (gpus().level, gpus().text) == (GOOD, "Pretended")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "none is visible here" in gpus().text


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (found,) = disk(tmp_path)
    assert found.level == GOOD
    (tmp_path / "file").write_text("")
    (found,) = disk(tmp_path / "file/results")
    assert found.level == BAD
    assert not [name for name in os.listdir(tmp_path) if name != "file"]


def surroundings_found():
    return {each.subject: each for each in surroundings()}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("HOME", "/proc/nobody"),
        ("HOME", "{tmp}/file"),
        ("XDG_CACHE_HOME", "{tmp}/file/cache"),
        ("XDG_CACHE_HOME", "/proc/nobody"),
    ],
)
def test_a_home_that_cannot_be_written_is_told_and_another_one_mends_it(
    tmp_path, monkeypatch, name, place
):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "file").write_text("")
    assert surroundings_found()["caches"].level == GOOD
    assert (tmp_path / "home/.cache").is_dir()
    monkeypatch.setenv(name, place.format(tmp=tmp_path))
    found = surroundings_found()["caches"]
    assert found.level == WARNING
    assert found.text.startswith(place.format(tmp=tmp_path))
    assert "export XDG_CACHE_HOME=" in found.text
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert surroundings_found()["caches"].level == GOOD


def test_a_user_without_name_home_or_temporary_files_is_told(monkeypatch, tmp_path):
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1234567)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: ["/proc/nowhere"])
    found = surroundings_found()
    for subject, mend in [("user", "LOGNAME"), ("HOME", "HOME"), ("temporary files", "TMPDIR")]:
        assert (found[subject].level, f"export {mend}=" in found[subject].text) == (BAD, True)
    monkeypatch.setenv("LOGNAME", "me")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert {"user", "caches"} <= {
        n for n, each in surroundings_found().items() if each.level == GOOD
    }


@pytest.mark.parametrize("free", [64 << 20, 0, None, 1 << 30])
def test_little_shared_memory_is_told_with_the_mend(monkeypatch, free):
    def usage(_):
        if free is None:
            raise FileNotFoundError(2, "No such file or directory")
        return SimpleNamespace(free=free)

    monkeypatch.setattr("shutil.disk_usage", usage)
    found = surroundings_found()["shared memory"]
    enough = free == 1 << 30
    assert found.level == (GOOD if enough else WARNING)
    assert ("docker run --ipc host" in found.text) != enough


def test_the_verb_says_a_line_a_finding_and_fails_if_one_is_bad(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ok       SLURM: is not here: jobs run on this machine"
    assert any(line.startswith("ok       results: ") for line in lines)
    (tmp_path / "bin/sbatch").write_text("")
    (tmp_path / "bin/sbatch").chmod(0o755)
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("error    SLURM: does not answer")
