"""The whole paper on replicas of all that it needs: from downloads to tables and figures."""

import collections
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from loopback import Loopback
from replicas import published, study, write_replicas
from videottt.files import sha256
from videottt.models.checkpoint import load_checkpoint
from videottt.predictions import PredictionReader

REPOSITORY = Path(__file__).parents[2]
SOURCES = "workflow/resources/datasets.yaml"
TASKS = ("semantic", "instance", "panoptic", "colorization")
# Python reads this before anything else: whatever a job does, it reaches this machine only.
GUARD = """
import os
import socket

HERE = ("127.0.0.1", "::1", "localhost", None, "")


def refused(address):
    with open(os.environ["REFUSED"], "a") as log:
        log.write(f"{address}\\n")
    raise OSError(f"{address}: not on this machine")


class Socket(socket.socket):
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in HERE:
            refused(address)
        return super().connect(address)


def lookup(host, *arguments, **named):
    if host not in HERE:
        refused(host)
    return getaddrinfo(host, *arguments, **named)


getaddrinfo, socket.getaddrinfo, socket.socket = socket.getaddrinfo, lookup, Socket
"""


class Clone:
    """A clone of the repository without data or results, from which only this machine is seen."""

    def __init__(self, root):
        self.root = root
        for name in ("workflow", "rules", "envs"):
            shutil.copytree(REPOSITORY / name, root / name)
        shutil.copy(REPOSITORY / "config.yaml", root)
        (root / "guard").mkdir()
        (root / "guard/sitecustomize.py").write_text(GUARD)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(root / "guard"),
            "REFUSED": str(root / "refused"),
            "no_proxy": "*",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
        }

    def snakemake(self, *arguments):
        command = [sys.executable, "-m", "snakemake", *arguments]
        environment = self.environment
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )

    def refused(self):
        """Return every address elsewhere that was asked for."""
        log = self.root / "refused"
        return log.read_text().split("\n") if log.exists() else []


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def of_stream(config, entry, dataset, task):
    """Return the methods and the videos of one stream of a study."""
    named = entry.get("task_methods", {}).get(task, entry["methods"])
    bases = {method: config["methods"][method.split(",")[0]] for method in named}
    splits = config["datasets"][dataset]["splits"]
    videos = [v for split in entry["splits"] for v in splits.get(split, [])]
    return {m: e for m, e in bases.items() if task in e.get("tasks", TASKS)}, videos


def expected_jobs(config):
    """Count the jobs of the study `paper` by what config.yaml says that it compares."""
    entry = config["studies"]["paper"]
    seeds, first = entry["seeds"], entry["seeds"][0]
    scores, predictions = set(), collections.defaultdict(set)
    streams = [(d, task) for d, tasks in entry["streams"].items() for task in tasks]
    for dataset, task in streams:
        methods, videos = of_stream(config, entry, dataset, task)
        scored = task in config["datasets"][dataset].get("scored", TASKS)
        for method, seed, video in itertools.product(methods, seeds, videos):
            if not scored and (seed != first or method == "left_grey"):
                continue
            key = (dataset, task, method, seed, video)
            scores |= {key} if scored else set()
            predictions[rule_of(methods[method], method)].add(key)
    ((dataset, task),) = [stream for stream in streams if stream[1] == "semantic"]
    for sweep in entry["sweeps"].values():
        own = config["methods"][sweep["method"]].get(sweep["setting"], 1)
        for value in sweep["values"]:
            method = f"{sweep['method']},{sweep['setting']}={value}"
            for video in config["datasets"][dataset]["splits"][sweep["split"]]:
                if value != own:
                    keys = {(dataset, task, method, seed, video) for seed in seeds}
                    scores |= keys
                    predictions["predict"] |= keys
    selection = entry["selection"]
    trials = sum(math.prod(map(len, grid.values())) for grid in selection["grids"].values())
    judges = config["datasets"][dataset]["splits"][selection["split"]]
    trials *= len(judges) * len(selection["seeds"])
    imports = [each for task in entry["imported"].values() for each in task]
    trained = 2 * len({task for _, task in streams}) - imports.count("main_task")
    all_videos = [of_stream(config, entry, d, tasks[0])[1] for d, tasks in entry["streams"].items()]
    return {
        **{rule: len(found) for rule, found in predictions.items() if rule},
        "score": len(scores),
        "predict_trial": trials,
        "score_trial": trials,
        "select": len(selection["grids"]),
        "import_checkpoint": len(imports),
        "train": trained * len(seeds),
        "ingest": sum(map(len, all_videos)) + len(["cityscapes", "coco"]),
        "fetch_source": len(sources_of(config)),
        "check_data": len(entry["streams"]),
        "theory": len(config["datasets"][dataset]["splits"]["val"]) * len(seeds),
        "trace": len(of_stream(config, entry, dataset, task)[1]),
        "make_table": len(["table1", "table4", "architectures", "ablations"]),
        "make_data_table": 1,
        "make_colour_table": 1,
        "plot_figure2": 1,
        "plot_sweep": len(entry["sweeps"]),
        "plot_theory": 1,
    }


def rule_of(entry, method):
    """Return the rule that makes a method's predictions; None if they are another's."""
    if "predictions_of" in entry:
        return None
    if "segmenter" in entry:
        return "predict_segmenter"
    return "predict" if "objective" in entry else f"predict_{method}"


def sources_of(config):
    """Return every file from elsewhere that the study `paper` needs."""
    entry = config["studies"]["paper"]
    found = {"inception", "alexnet"}
    for dataset in (*entry["streams"], "cityscapes", "coco", "imagenet"):
        listed = config["datasets"][dataset]["sources"]
        videos = set(itertools.chain(*config["datasets"][dataset]["splits"].values()))
        found |= {listed[v] for v in videos} if isinstance(listed, dict) else set(listed)
    found |= {source for task in entry["imported"].values() for source in task.values()}
    methods = [*entry["methods"], *itertools.chain(*entry["task_methods"].values())]
    entries = [config["methods"][method.split(",")[0]] for method in methods]
    return found | {each["weights"] for each in entries if "weights" in each}


def counted(output):
    """Return how many jobs of each rule Snakemake lists."""
    lines = re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)
    return {rule: int(count) for rule, count in lines}


@pytest.mark.workflow
def test_a_clean_clone_lists_every_job_of_the_paper_without_network(clone):
    result = clone.snakemake("-n", "--quiet", "rules", "--config", "study=paper")
    assert result.returncode == 0, result.stderr[-4000:]
    config = yaml.safe_load((clone.root / "config.yaml").read_text())
    jobs = counted(result.stdout + result.stderr)
    expected = expected_jobs(config)
    assert {rule: jobs.get(rule) for rule in expected} == expected
    assert jobs["total"] == sum(jobs.values()) - jobs["total"]
    assert clone.refused() == []
    assert not (clone.root / "results").exists()


@pytest.mark.workflow
def test_a_clean_clone_stops_before_any_download_and_says_what_is_missing(clone):
    result = clone.snakemake("--cores", "1", "--config", "study=paper")
    assert result.returncode != 0
    for shown in ("--config study=demo", "cityscapes", "coco_videos", "ILSVRC2012", "GB"):
        assert shown in result.stderr, shown
    assert "Traceback" not in result.stderr
    assert clone.refused() == []
    assert not (clone.root / "results/fetched").exists()
    assert not (clone.root / "data").exists()


# Minutes: only where it is asked for.
slow = pytest.mark.skipif(
    not os.environ.get("VIDEOTTT_SLOW"), reason="takes minutes; make rehearsal runs it"
)

# Of what the study shows in the rehearsal, everything.
KITTI, COCO, FILMS = (study.VIDEOS[name] for name in ("kitti_step", "coco_videos", "lumiere"))
STREAMS = [
    ("kitti_step", "semantic", KITTI["val"] + KITTI["test"]),
    ("coco_videos", "instance", COCO["test"]),
    ("coco_videos", "panoptic", COCO["test"]),
    ("coco_videos", "colorization", COCO["test"]),
    ("lumiere", "colorization", FILMS["test"]),
]


def expected_results():
    """Return every table, figure and video of the paper, below the folder of results."""
    names = ["table1", "table2", "table3", "table4", "architectures", "ablations"]
    found = [f"tables/paper/{n}.{form}" for n in names for form in ("csv", "md", "tex")]
    found += [f"tables/paper/theory_kitti_step_semantic.{form}" for form in ("csv", "md")]
    found += ["tables/paper/classes.csv", "tables/paper/conventions.md"]
    names = ["bars", "figure2", "window", "steps", "selection_kitti_step_semantic"]
    found += [f"figures/paper/{n}.{form}" for n in names for form in ("png", "pdf")]
    found += ["figures/paper/kitti_step/semantic/theory.pdf"]
    for dataset, task, videos in STREAMS:
        for video in videos:
            learned = f"figures/{dataset}/{task}/online_ttt_mae/seed0/{video}"
            found += [f"{learned}_reconstruction.png", f"videos/{dataset}/{task}/seed0/{video}.mp4"]
            if dataset != "lumiere":
                found.append(f"figures/paper/{dataset}/{task}/{video}/curves.png")
            if task == "colorization":
                found.append(f"figures/paper/{dataset}/{video}/colours.png")
                found.append(f"videos/{dataset}/{task}/online_ttt_mae/seed0/{video}.mp4")
            else:
                found.append(f"{learned}_strips.png")
            if task == "semantic":
                found.append(f"figures/{dataset}/{task}/ttt_mae_no_memory/seed0/{video}_steps.png")
    return found


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    return write_replicas(tmp_path_factory.mktemp("replicas"), REPOSITORY / SOURCES)


@pytest.fixture(scope="module")
def server(replicas):
    """A mirror of what is open, and Cityscapes behind its login."""
    files = {3: "cityscapes_images", 1: "cityscapes_labels"}
    folder = replicas.open.parent
    packages = {n: str(replicas.file(name).relative_to(folder)) for n, name in files.items()}
    with Loopback(folder, packages, {"reader": "secret"}) as loopback:
        yield loopback


@pytest.fixture(scope="module")
def rehearsal(replicas, server, tmp_path_factory):
    """The study `paper`, run whole: with a mirror, a login, and what is fetched by hand."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    clone.config = study.miniature(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))
    clone.config["mirror"] = f"{server.url}/open"
    (clone.root / "config.yaml").write_text(yaml.safe_dump(clone.config, sort_keys=False))
    (clone.root / SOURCES).write_text(replicas.sources(server.url))
    (clone.root / SOURCES).with_name("published.yaml").write_text(published())
    for source in sources_of(clone.config):
        if replicas.entries[source]["access"] == "by_hand":
            replicas.give(source, clone.root / "data")
    clone.environment |= {"CITYSCAPES_USERNAME": "reader", "CITYSCAPES_PASSWORD": "secret"}
    result = clone.snakemake("--cores", "2")
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-8000:]
    return clone


def table(clone, name):
    return pd.read_csv(clone.root / f"results/tables/paper/{name}.csv")


@slow
def test_one_command_makes_every_table_figure_and_video_of_the_paper(rehearsal):
    results = rehearsal.root / "results"
    absent = [n for n in expected_results() if not (results / n).is_file()]
    assert absent == []
    assert all((results / name).stat().st_size > 0 for name in expected_results())


@slow
def test_nothing_was_asked_for_elsewhere_and_everything_of_the_server_once(
    rehearsal, replicas, server
):
    assert rehearsal.refused() == []
    fetched = {n: replicas.entries[n] for n in sources_of(rehearsal.config)}
    downloads = [path for _, path, _ in server.requests]
    open_files = [f"/open/{e['file']}" for e in fetched.values() if e["access"] == "open"]
    assert sorted(p for p in downloads if p in open_files) == sorted(open_files)
    packages = [path for path in downloads if path.startswith("/file-handling/")]
    assert sorted(packages) == ["/file-handling/?packageID=1", "/file-handling/?packageID=3"]
    for name, entry in fetched.items():
        record = json.loads((rehearsal.root / f"results/fetched/{name}.json").read_text())
        by_hand = entry["access"] == "by_hand"
        assert record["origin"].startswith("own copy" if by_hand else server.url), name
        assert (rehearsal.root / "data" / record["place"]).exists()


@slow
def test_numbers_are_finite_wherever_there_is_a_truth(rehearsal):
    shown = set()
    for name in ("table1", "table4", "architectures", "ablations"):
        rows = table(rehearsal, name)
        shown |= set(rows.method)
        semantic = rows[rows.task == "semantic"]
        for column in ("val_pooled_mean", "test_pooled_mean", "test_frames_mean"):
            assert semantic[column].between(0, 100).all(), (name, column)
        assert rows.test_pooled_mean.between(0, 100).all(), name
        assert rows.test_seconds_per_frame_mean.gt(0).all(), name
    entry = rehearsal.config["studies"]["paper"]
    assert shown == set(entry["methods"])
    colours = table(rehearsal, "table3").set_index("method")
    assert set(colours.index) == set(entry["task_methods"]["colorization"])


@slow
def test_a_result_can_be_traced_to_the_published_checkpoint(rehearsal, replicas):
    results = rehearsal.root / "results"
    source = rehearsal.config["studies"]["paper"]["imported"]["semantic"]["main_task"]
    imported = results / f"checkpoints/imported/cityscapes/semantic/{source}.safetensors"
    assert load_checkpoint(imported).provenance["sha256"] == sha256(replicas.file(source))
    joint = results / "checkpoints/cityscapes/semantic/joint/seed0.safetensors"
    assert sha256(imported) in json.dumps(load_checkpoint(joint).provenance)
    for method, start in {"main_task_only": imported, "online_ttt_mae": joint}.items():
        place = f"predictions/kitti_step/semantic/{method}/seed0/0003.h5"
        with PredictionReader(results / place) as predictions:
            assert predictions.provenance["checkpoint"] == sha256(start)


@slow
def test_a_finished_paper_has_nothing_left_to_do_even_without_its_mirror(rehearsal):
    for changes in ([], ["--config", "offline=true", "mirror="]):
        result = rehearsal.snakemake("-n", *changes)
        assert result.returncode == 0, result.stderr[-4000:]
        assert "Nothing to be done" in result.stdout + result.stderr
