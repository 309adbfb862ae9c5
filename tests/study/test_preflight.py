"""What is missing for the jobs of a run, on one screen, before any of them has begun."""

import subprocess
import sys
from dataclasses import replace

import pytest

from support import ROOT, users_file, whole_config
from videottt.study.costs import read_cost_inputs
from videottt.study.jobs import Job
from videottt.study.preflight import DEMO, LINES, WIDTH, Machine, screen, this_machine

RESOURCES = ROOT / "workflow/resources"
BY_HAND, LOGIN, OPEN = (
    "coco_videos",
    ("cityscapes_images", "cityscapes_labels"),
    "kitti_step_images",
)
COMPLETE = Machine(
    local=True,
    gpu=True,
    free_data=10**15,
    free_results=10**15,
    one_disk=False,
    logins=frozenset({"cityscapes"}),
)


def fetching(*names):
    return [Job("fetch_source", {"source": name}) for name in names]


EVERYTHING_OPEN = fetching(OPEN)


def predicting(model, **changes):
    ids = {"dataset": "kitti_step", "task": "semantic", "method": "main_task_only"}
    settings = {"objective": "none", "shortest_edge": 1024, "longest_edge": 2048}
    job = Job("predict", {**ids, "seed": "0", "video": "0002"}, settings=settings, model=model)
    return replace(job, **changes)


@pytest.fixture
def inputs(config, tmp_path):
    values = {"data_root": str(tmp_path), "sources": str(RESOURCES / "datasets.yaml")}
    values |= {"study": "paper", "mirror": None, "offline": False, "device": "auto"}
    return read_cost_inputs({**config, **values}, RESOURCES, EVERYTHING_OPEN)


def set_in(inputs, **values):
    return replace(inputs, config={**inputs.config, **values})


def test_a_run_that_lacks_nothing_is_not_stopped(inputs):
    jobs = [*fetching(BY_HAND, *LOGIN, OPEN), predicting("swin_small")]
    done = [replace(job, done=True) for job in jobs]
    bare = replace(COMPLETE, gpu=False, free_data=0, free_results=0, logins=frozenset())
    assert screen(done, inputs, bare) is None
    assert screen([*fetching(*LOGIN, OPEN), predicting("swin_small")], inputs, COMPLETE) is None
    demo = [predicting("tiny"), Job("render"), Job("make_table")]
    assert screen(demo, inputs, replace(bare, free_results=10**9)) is None


def test_what_a_person_has_to_fetch_is_said_with_its_place_until_it_is_there(inputs, tmp_path):
    shown = screen(fetching(BY_HAND, OPEN), inputs, COMPLETE)
    assert "coco_videos (50 GB)" in shown
    assert "https://berkeley.box.com" in shown
    assert f"{tmp_path}/coco_videos" in shown
    assert OPEN not in shown
    assert "1 files, 15 GB" in shown
    assert shown.splitlines()[-1] == DEMO
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/coco_videos.zip").write_bytes(b"by hand")
    assert screen(fetching(BY_HAND, OPEN), inputs, COMPLETE) is None
    (tmp_path / "downloads/coco_videos.zip").unlink()
    (tmp_path / "coco_videos/raw_images/bar").mkdir(parents=True)
    assert screen(fetching(BY_HAND, OPEN), inputs, COMPLETE) is None


def test_a_login_is_asked_for_once_for_all_that_needs_it(inputs):
    shown = screen(fetching(*LOGIN), inputs, replace(COMPLETE, logins=frozenset()))
    assert "cityscapes_images, cityscapes_labels (11.8 GB): " in shown
    assert shown.count("https://www.cityscapes-dataset.com/register/") == 1


def test_the_login_is_looked_for_only_where_it_is_wanted(inputs, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", "somebody")
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "secret")
    wanted = [inputs.sources[name] for name in LOGIN]
    assert this_machine(inputs.config, wanted, local=True).logins == {"cityscapes"}
    monkeypatch.delenv("CITYSCAPES_PASSWORD")
    # Half a login is an error, but not of a run that needs none.
    assert this_machine(inputs.config, [inputs.sources[OPEN]], local=True).logins == frozenset()


def test_offline_what_would_be_fetched_is_missing_too_and_from_a_mirror_nothing_is(inputs):
    shown = screen(fetching(OPEN, BY_HAND), set_in(inputs, offline=True), COMPLETE)
    assert f"{OPEN} (15 GB): nothing is fetched" in shown
    assert "https://berkeley.box.com" in shown
    mirrored = set_in(inputs, mirror="http://127.0.0.1/")
    jobs, machine = fetching(OPEN, BY_HAND, *LOGIN), replace(COMPLETE, logins=frozenset())
    assert screen(jobs, mirrored, machine) is None
    assert screen(jobs, set_in(mirrored, offline=True), machine) is not None


def test_without_a_gpu_only_the_tiny_model_runs_unless_the_cpu_is_chosen(inputs):
    here = replace(COMPLETE, gpu=False)
    shown = screen([predicting("swin_small"), predicting("tiny")], inputs, here)
    assert "1 jobs run swin_small" in shown
    assert "--config device=cpu" in shown
    assert screen([predicting("tiny")], inputs, here) is None
    for device in ("cpu", "cuda"):
        assert screen([predicting("swin_small")], set_in(inputs, device=device), here) is None
    # A cluster's nodes have their own.
    assert screen([predicting("swin_small")], inputs, replace(here, local=False)) is None
    training = {"iterations": 1, "batch": 1, "reconstruction": False}
    settings = {"training": training, "augmentation": {"crop": [512, 1024]}}
    train = Job("train", {"checkpoint": "joint"}, settings=settings, model="swin_small")
    assert "a GPU" in screen([train], inputs, here)


def test_a_disk_has_to_hold_the_archives_what_is_in_them_and_the_results(inputs):
    jobs = [*fetching(OPEN), Job("ingest", {"dataset": "kitti_step", "video": "0002"})]
    results = 233 * 375 * 1242 * 2.3
    enough = replace(COMPLETE, free_data=30 * 10**9, free_results=int(results) + 1)
    assert screen(jobs, inputs, enough) is None
    shown = screen(jobs, inputs, replace(enough, free_data=29 * 10**9))
    assert "disk: some 30 GB for" in shown
    assert "29 GB are free" in shown
    assert "disk: some 250 MB for results" in screen(jobs, inputs, replace(enough, free_results=9))
    assert "30.2 GB" in screen(jobs, inputs, replace(enough, one_disk=True))


@pytest.mark.parametrize("offline", [False, True])
def test_one_screen_holds_everything_that_can_be_missing(inputs, offline):
    bare = replace(COMPLETE, gpu=False, free_data=0, free_results=0, logins=frozenset())
    jobs = [*fetching(*inputs.sources), predicting("swin_small")]
    lines = screen(jobs, set_in(inputs, offline=offline), bare).splitlines()
    assert len(lines) <= LINES
    # Only an address or a path may be longer: it is not cut.
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in lines)
    assert lines[-1] == DEMO
    text = " ".join(" ".join(lines).split())
    for wanted in ("imagenet", "coco_videos", "cityscapes_images", "lumiere_the_sea"):
        assert wanted in text
    for wanted in ("a GPU", "disk", "GPU-hours", "videottt plan --study paper"):
        assert wanted in text


@pytest.fixture
def project(tmp_path):
    """A working directory of its own, with the repository's workflow."""
    config = whole_config()
    config |= {"study": "paper", "sources": str(RESOURCES / "datasets.yaml")}
    config["datasets"]["synthetic"]["render"]["videos"]["short_0"]["frames"] = 2
    (tmp_path / "config.yaml").write_text(users_file(config), encoding="utf-8")

    def snakemake(*arguments):
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile"]
        return subprocess.run(
            [*command, "--directory", tmp_path, "--cores", "1", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return tmp_path, snakemake


DEMO_FILE = "results/sources/synthetic/short/short_0"


@pytest.mark.workflow
def test_a_run_stops_before_its_first_job(project):
    root, snakemake = project
    stopped = snakemake("results/fetched/imagenet.json", DEMO_FILE)
    assert stopped.returncode == 1
    assert "imagenet (148 GB): Log in at https://image-net.org" in stopped.stderr
    assert stopped.stderr.rstrip().splitlines()[-1] == DEMO
    assert "Traceback" not in stopped.stderr
    assert not (root / "results").exists()
    assert not (root / "data").exists()


@pytest.mark.workflow
def test_one_file_of_the_demo_is_made_whatever_the_study_needs(project):
    root, snakemake = project
    made = snakemake(DEMO_FILE)
    assert made.returncode == 0, made.stderr
    assert (root / DEMO_FILE).is_dir()
