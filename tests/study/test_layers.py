"""A user's file on top of the defaults, and what entries extend."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from support import ROOT, users_file, whole_config
from videottt.core.errors import InputError
from videottt.core.ids import MethodId
from videottt.settings.config import ConfigFile
from videottt.study import job_settings
from videottt.study.config_file import read_config
from videottt.study.layers import complete, layered
from videottt.study.reference import CHAPTERS, PAGE, SCHEMA, editors_schema, reference_page
from videottt.study.validation import validate

CONFIG = ROOT / "workflow/config"
FILES = sorted(path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.yaml"))


def read(text, name="mine.yaml"):
    layers = complete(yaml.safe_load(text) or {}, name)
    validate(layers)
    return layers.config


def test_a_users_file_needs_only_what_differs():
    config = read("""
        study: mine
        data_root: /data
        methods:
          twice: {extends: online_ttt_mae, label: Two steps, steps: 2}
        datasets:
          my_videos: {splits: {test: [one, two]}}
        studies:
          mine: {extends: camvid, seeds: [7], methods: [main_task_only, twice], sweeps: null}
          tiny_demo: {updates: {batch: 2}}
    """)
    whole = whole_config()
    mine, camvid = config["studies"]["mine"], whole["studies"]["camvid"]
    assert (config["data_root"], config["device"]) == ("/data", "auto")
    assert "sweeps" not in mine
    assert (mine["seeds"], mine["training"]) == ([7], camvid["training"])
    assert config["methods"]["twice"]["window"] == 16
    assert config["datasets"]["my_videos"]["splits"] == {"test": ["one", "two"]}
    assert config["datasets"]["my_videos"]["layout"] == "video_file"
    # What extends an entry that a user has changed is changed, too.
    for study in ("tiny_demo", "demo_full"):
        assert config["studies"][study]["updates"]["batch"] == 2
    assert config["studies"]["camvid"] == camvid
    settings = job_settings.method_settings(config, "camvid", MethodId("twice"))
    assert settings["steps"] == 2


def test_null_removes_lists_and_groups_and_is_a_value_elsewhere():
    below = {"group": {"a": 1}, "list": [1], "number": 1}
    assert layered(below, {"group": None, "list": None}) == {"number": 1}
    assert layered(below, {"group": {"a": None}}) == {**below, "group": {"a": None}}
    assert layered(below, {"number": None}) == {**below, "number": None}


def test_of_several_entries_the_later_is_stronger_and_lists_are_replaced():
    config = read("""
        methods:
          a: {label: A, objective: mae, checkpoint: joint, window: 1, steps: 2}
          b: {label: B, objective: mae, checkpoint: joint, window: 3, tasks: [semantic, panoptic]}
          c: {extends: [a, b], label: C, tasks: [panoptic]}
    """)
    assert config["methods"]["c"] == {
        "label": "C", "objective": "mae", "checkpoint": "joint", "window": 3, "steps": 2,
        "tasks": ["panoptic"],
    }  # fmt: skip


def test_a_whole_configuration_comes_back_through_a_users_file(config):
    changed = json.loads(json.dumps(config))
    changed["studies"]["tiny_demo"].pop("sizes")
    changed["studies"]["demo_full"]["pinned"] = {}
    del changed["studies"]["demo_coco"]
    assert complete(yaml.safe_load(users_file(changed))).config == changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studdy: demo", "mine.yaml: unknown setting 'studdy'; did you mean 'study'?"),
        ("jobs_per_gpu: 0", "mine.yaml: jobs_per_gpu: 0 is not allowed; it must be at least 1"),
        ("studies: {x: {extends: dmeo}}", "studies.x.extends: unknown entry 'dmeo'; did you mean"),
        (
            "studies: {demo: {updates: {windw: 3}}}",
            "mine.yaml: studies.demo.updates: unknown setting 'windw'; did you mean 'window'?",
        ),
        (
            "studies: {tiny: {updates: {batch: 0}}}",
            "mine.yaml: studies.camvid.updates.batch: 0 is not allowed; it must be at least 1",
        ),
        ("studies: {demo: {model: tny}}", "studies.demo: unknown model 'tny'; did you mean 'tiny'"),
        (
            "studies: {demo: {pinned: {online_ttt_mae: {optimizer.learning_rte: 1}}}}",
            "pinned.online_ttt_mae: optimizer: unknown setting 'learning_rte'",
        ),
        (
            "datasets: {camvid: {classes: camvit}}",
            "unknown classes 'camvit'; did you mean 'camvid'",
        ),
        ("datasets: {camvid: {splits: {0016: [a]}}}", "the name 14 is no text; put it in quotes"),
        ("methods: {tent: {label: Tent, tasks: [x, semantic]}}", "methods.tent.tasks.0: 'x'"),
        ("studies: [demo]", "mine.yaml: studies: must be entries by name"),
        ("data_root: ~", "mine.yaml: data_root: is null, which a lone ~ means in YAML"),
        ("data_root: ~nobody-here/data", "mine.yaml: data_root: ~nobody-here/data: '~nobody-here'"),
        ("sources: https://x.org/a.yaml", "mine.yaml: sources: https://x.org/a.yaml: is an addr"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(text, message):
    with pytest.raises(InputError) as caught:
        read(text)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_places_below_the_home_folder_are_named_as_in_a_shell(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    text = """
        data_root: ~/data/
        sources: "~"
        container: ~/videottt.sif
    """
    config = read(text)
    places = ("/home/me/data", "/home/me", "/home/me/videottt.sif")
    assert (config["data_root"], config["sources"], config["container"]) == places
    config = read("{data_root: ./~, container: 'docker://x.org/y'}")
    assert config["data_root"] == str(Path.cwd() / "~")
    assert config["container"] == "docker://x.org/y"


def test_a_mistake_in_a_default_names_its_file(monkeypatch):
    layers = complete({})
    layers.config["studies"]["release"] = {**layers.config["studies"]["release"], "seeds": []}
    with pytest.raises(InputError, match=r"^workflow/config/studies/release\.yaml: studies\.rel"):
        validate(layers)


def test_without_a_file_the_defaults_are_all_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config() == whole_config()
    (tmp_path / "config.yaml").write_text("study: demo\n")
    assert read_config()["study"] == "demo"


def test_the_projects_own_file_changes_nothing_but_says_what_there_is():
    own = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert complete(own).config == whole_config()
    assert len((ROOT / "config.yaml").read_text().splitlines()) < 150
    machine = {name for name, value in whole_config().items() if not isinstance(value, dict)}
    assert own.keys() == machine


# The schema for editors and the reference page


@pytest.mark.parametrize("name", ["config.yaml", *FILES])
def test_the_editors_schema_takes_every_file_that_ships(name):
    path = ROOT / name if name == "config.yaml" else CONFIG / name
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    place, _, pointer = first.removeprefix("# yaml-language-server: $schema=").partition("#")
    assert (path.parent / place).resolve() == ROOT / SCHEMA
    whole = json.loads((ROOT / SCHEMA).read_text())
    part = {"$ref": f"#{pointer}", "$defs": whole["$defs"]} if pointer else whole
    validator = jsonschema.Draft202012Validator(part)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(values)] == []
    assert list(validator.iter_errors({**values, "no such setting !": 1}))


def test_the_schema_and_the_reference_page_are_those_of_the_declarations():
    again = "; write them again with `make reference`"
    schema = json.loads((ROOT / SCHEMA).read_text())
    assert schema == editors_schema(), f"{SCHEMA} is out of date{again}"
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page == reference_page(), f"{PAGE} is out of date{again}"


def test_every_setting_has_a_meaning():
    bare = [row for row in reference_page().splitlines() if row.startswith("|") and "|  |" in row]
    assert bare == []
    named = {kind.__name__ for kinds in CHAPTERS.values() for kind in kinds}
    assert named >= {name for name in editors_schema()["$defs"] if "Some" not in name} - {
        "Methods", "Protocols", "Checkpoints", "Tables",
    }  # fmt: skip
    assert ConfigFile in CHAPTERS["The configuration"]
