"""What the SLURM profiles ask a cluster for: the very line that is handed to sbatch."""

import shlex
import subprocess
import sys

import pytest
import yaml

from support import users_file
from videottt.core.errors import InputError
from videottt.runtime.slurm_site import Site, read_site
from workflow.clone import REPOSITORY
from workflow.small_study import small_config

PREDICTION = "results/predictions/synthetic/semantic/online_ttt_mae,window=2/seed0/test_0.h5"
INPUTS = (
    "results/frames/synthetic/test_0.h5",
    "results/frames/synthetic/stills.h5",
    "results/checkpoints/synthetic/panoptic/main_task/seed0.safetensors",
    "results/checkpoints/synthetic/panoptic/joint/seed0.safetensors",
)
# A cluster that takes nothing, and says what it was asked for.
SBATCH = """#!/bin/sh
printf '%s\\0' "$@" > "$ASKED"
echo "refused" >&2
exit 1
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a function that submits one prediction, and returns what sbatch was asked for."""
    config = small_config()
    for key in ("selection", "sweeps", "sizes"):
        config["studies"]["tiny_demo"].pop(key, None)
    config["studies"]["tiny_demo"]["methods"] = ["main_task_only", "online_ttt_mae"]
    for path in INPUTS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("there")
    (tmp_path / "bin").mkdir()
    commands = {"sbatch": SBATCH, "sacctmgr": "#!/bin/sh\necho 123\n"}
    for name in ("sbatch", "sacctmgr", "sacct", "squeue", "scontrol", "sinfo"):
        (tmp_path / "bin" / name).write_text(commands.get(name, "#!/bin/sh\n"))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    for name in ("VIDEOTTT_SLURM", "SLURM_CONF", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)

    def submitted(profile, site, target=PREDICTION, **changes):
        (tmp_path / "config.yaml").write_text(users_file({**config, **changes}))
        (tmp_path / "slurm.yaml").write_text(yaml.safe_dump(site))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            REPOSITORY / "workflow/Snakefile",
        ]
        command += ["--workflow-profile", profile, "--retries", "0", "--rerun-triggers", "mtime"]
        command += ["--slurm-init-seconds-before-status-checks", "1"]
        done = subprocess.run(
            [*command, "--", target], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "refused" in done.stderr + done.stdout
        return (tmp_path / "asked").read_bytes().decode().split("\0")[:-2]

    return submitted


SITE = {
    "account": "123",
    "partition": "gpu",
    "cpu_partition": "cpu",
    "qos": "long",
    "constraint": "a100&nvlink",
    "max_runtime_min": 600,
    "extra": "--mail-type=FAIL --signal=B:USR1@120",
}


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("profile", "model", "gpus"),
    [
        ("slurm-gpu", None, ["--gpus=1"]),
        ("slurm-gres", None, ["--gres=gpu:1"]),
        ("slurm-gpu", "h100", ["--gpus=h100:1"]),
        ("slurm-gres", "h100", ["--gres=gpu:h100:1"]),
    ],
)
def test_a_prediction_asks_for_a_gpu_as_the_site_understands_it(project, profile, model, gpus):
    words = project(profile, {**SITE, **({"gpu_model": model} if model else {})})
    asked = shlex.join(words)
    assert [word for word in words if "gpu" in word and word.startswith("--g")] == gpus
    comment = "rule_predict_wildcards_synthetic_semantic_online_ttt_mae,window=2_0_test_0"
    assert words[words.index("--comment") + 1] == comment
    assert words[words.index("--job-name") + 1].startswith("videottt_")
    for option, value in (("-A", "123"), ("-p", "gpu"), ("-C", "a100&nvlink"), ("-t", "600"),
                          ("--mem", "16000")):  # fmt: skip
        assert words[words.index(option) + 1] == value, asked
    for option in ("--qos=long", "--requeue", "--open-mode=append", "--mail-type=FAIL",
                   "--signal=B:USR1@120", "--cpus-per-task=1"):  # fmt: skip
        assert option in words, asked
    assert "results/logs/slurm/rule_predict/" in words[words.index("--output") + 1]


@pytest.mark.workflow
def test_training_asks_for_as_many_gpus_as_processes_and_other_jobs_for_none(project):
    words = project(
        "slurm-gpu", {**SITE, "max_runtime_min": 3000}, INPUTS[0].replace("test_0", "val_0")
    )
    assert not [word for word in words if word.startswith(("--gpus", "--gres", "-C"))]
    assert words[words.index("-p") + 1] == "cpu"
    main_task = "results/checkpoints/synthetic/panoptic/main_task/seed1.safetensors"
    words = project("slurm-gres", SITE, main_task, training_processes=4)
    assert "--gres=gpu:4" in words


def test_time_and_memory_grow_with_the_attempt_as_far_as_the_site_lets_them():
    site = Site(max_runtime_min=1000, max_mem_gb=40)
    asked = [
        {name: eval(text, {"attempt": attempt}) for name, text in site.job(400, 16).items()
         if name in ("runtime", "mem_mb")}
        for attempt in (1, 2, 3, 9)
    ]  # fmt: skip
    assert [each["runtime"] for each in asked] == [400, 800, 1000, 1000]
    assert [each["mem_mb"] for each in asked] == [16000, 32000, 40000, 40000]


def test_both_profiles_are_the_same_but_for_how_gpus_are_asked_for():
    profiles = REPOSITORY / "workflow/profiles"
    gpu, gres = (
        (profiles / name / "profile.v9+.yaml").read_text().split("__use_yte__")[1]
        for name in ("slurm-gpu", "slurm-gres")
    )
    assert gpu.replace("site.gpu_job(", "site.gres_job(") == gres


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("acount: lab", "unknown setting 'acount'; did you mean 'account'?"),
        ("jobs: many", "jobs: 'many' is not allowed; it must be a whole number"),
        ("account: 7", "account: 7 is not allowed; it must be a text or null"),
        ("max_runtime_min: 0", "max_runtime_min: 0 is not allowed; it must be at least 1"),
        ("[a]", "must be settings by name"),
        ("account: [", "cannot be read"),
        ("x: !!python/object/apply:os.system [touch canary]", "cannot be read"),
    ],
)
def test_what_is_wrong_with_slurm_yaml_is_one_line(tmp_path, monkeypatch, text, says):
    monkeypatch.setenv("VIDEOTTT_SLURM", str(tmp_path / "site.yaml"))
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        read_site()
    assert len(str(caught.value).splitlines()) == 1
    (tmp_path / "site.yaml").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_site()


@pytest.mark.workflow
def test_snakemake_ends_with_that_line(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDEOTTT_SLURM", str(tmp_path / "site.yaml"))
    (tmp_path / "site.yaml").write_text("acount: lab")
    command = [sys.executable, "-m", "snakemake", "-n", "--workflow-profile", "slurm-gpu"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("videottt: error: ")
    assert "did you mean 'account'?" in done.stderr
    assert "Traceback" not in done.stderr
