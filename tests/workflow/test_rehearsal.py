"""The whole paper on replicas of all that it needs: from downloads to tables and figures."""

import json
import os
import re
import sys

import pandas as pd
import pytest

from loopback import Loopback
from replicas import published, study, write_replicas
from support import users_file, whole_config
from videottt.core.files import sha256
from videottt.models.checkpoint import load_checkpoint
from videottt.store.predictions import PredictionReader
from workflow.clone import REPOSITORY, Clone
from workflow.expected import expected_jobs, expected_results, sources_of

SOURCES = "workflow/resources/datasets.yaml"


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def counted(output):
    """Return how many jobs of each rule Snakemake lists."""
    lines = re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)
    return {rule: int(count) for rule, count in lines}


@pytest.mark.workflow
def test_a_clean_clone_lists_every_job_of_the_paper_without_network(clone):
    result = clone.snakemake("-n", "--quiet", "rules", "--config", "study=paper")
    assert result.returncode == 0, result.stderr[-4000:]
    config = whole_config()
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


def test_what_runs_in_a_clone_reaches_this_machine_only(clone):
    elsewhere = ["192.0.2.1", "no-such-host.example"]
    code = "import urllib.request, sys; urllib.request.urlopen(sys.argv[1], timeout=5)"
    for number, host in enumerate(elsewhere, start=1):
        result = clone.run(sys.executable, "-c", code, f"http://{host}/")
        assert "not on this machine" in result.stderr
        assert len(clone.refused()) == number
        assert host in clone.refused()[-1]


def slow(test):
    """Mark a test that is run only where it is asked for."""
    asked_for = os.environ.get("VIDEOTTT_SLOW")
    skipped = pytest.mark.skipif(not asked_for, reason="takes minutes; 'make rehearsal' runs it")
    return pytest.mark.workflow(pytest.mark.slow(skipped(test)))


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
    clone.config = study.miniature(whole_config())
    clone.config["mirror"] = f"{server.url}/open"
    (clone.root / "config.yaml").write_text(users_file(clone.config))
    (clone.root / SOURCES).write_text(replicas.sources(server.url))
    (clone.root / SOURCES).with_name("published.yaml").write_text(published())
    for source in sources_of(clone.config):
        if replicas.entries[source]["access"] == "by_hand":
            replicas.give(source, clone.root / "data")
    clone.environment |= {"CITYSCAPES_USERNAME": "reader", "CITYSCAPES_PASSWORD": "secret"}
    log = clone.root / "log"
    print(f"\nfollow it with: tail -f {log}")
    with log.open("w") as output:
        result = clone.snakemake("--cores", "2", stdout=output, stderr=output)
    assert result.returncode == 0, log.read_text()[-8000:]
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
    entry = rehearsal.config["studies"]["paper"]
    assert shown == set(entry["methods"])
    assert table(rehearsal, "cost").seconds_per_frame_mean.gt(0).all()
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
    config = rehearsal.config
    for changed in (config, {**config, "mirror": None, "offline": True}):
        (rehearsal.root / "config.yaml").write_text(users_file(changed))
        result = rehearsal.snakemake("-n")
        assert result.returncode == 0, result.stderr[-4000:]
        assert "Nothing to be done" in result.stdout + result.stderr
