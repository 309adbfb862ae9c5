"""What the rules ask the study: what jobs read, what is scored, what is shown."""

import copy
import json
from pathlib import Path

import pytest

from support import ROOT
from videottt.core.errors import InputError
from videottt.core.ids import JobKey, MethodId
from videottt.data.fetch.catalogue import read_sources
from videottt.study import config as settings
from videottt.study import drawn, inputs, job_settings, scored, shown, trials
from videottt.study.arguments import listed, text_of
from videottt.study.controls import controls_in, starts_in
from videottt.study.layers import Layers
from videottt.study.omissions import omissions_of
from videottt.study.validation import validate

PAPER_METHODS = ["main_task_only", "offline_ttt_mae_all_frames", "online_ttt_mae"]


@pytest.fixture(scope="module")
def sources():
    return read_sources(ROOT / "workflow/resources/datasets.yaml")


@pytest.fixture
def own(config):
    return copy.deepcopy(config)


def names(methods):
    return list(map(str, methods))


# What jobs read


def test_a_copy_of_a_data_set_is_read_where_it_is_and_asked_for_where_it_is_not(own, tmp_path):
    own["data_root"] = str(tmp_path)
    with pytest.raises(InputError, match="'kitti_step' is missing; put a copy there, or name"):
        inputs.root_of(own, "kitti_step")
    for folder in ("kitti_step", "my_videos"):
        (tmp_path / folder).mkdir()
    assert inputs.copy_of(own, "kitti_step", "0002") == str(tmp_path / "kitti_step")
    (tmp_path / "my_videos/clip.mkv").touch()
    assert inputs.copy_of(own, "my_videos", "clip") == str(tmp_path / "my_videos/clip.mkv")


@pytest.mark.parametrize("name", ["a{x}b", "{ x.y }", "{x,[^/]+}"])
def test_braces_that_snakemake_takes_for_a_wildcard_are_refused(name):
    with pytest.raises(InputError, match="takes the braces in this name for a wildcard"):
        inputs.as_input(Path("data") / name)
    assert inputs.as_input(Path("data/{}/a{-}")) == "data/{}/a{-}"


def test_sources_of_several_videos_are_named_once_and_in_order(config):
    assert inputs.all_sources(config, "kitti_step") == ["kitti_step_images", "kitti_step_labels"]
    films = inputs.all_sources(config, "lumiere")
    assert len(films) == len(set(films)) == 10
    assert inputs.sources_of_videos(config, "lumiere", ["the_sea"]) == ["lumiere_the_sea"]
    assert inputs.all_sources(config, "my_videos") == []
    with pytest.raises(InputError, match="unknown dataset 'kiti_step'; did you mean 'kitti_step'"):
        inputs.all_sources(config, "kiti_step")


def test_places_are_quoted_as_a_shell_takes_them(own):
    own["datasets"]["my_videos"]["root"] = "my films"
    assert inputs.below_data_root("a b") == "\"$DATA_ROOT\"/'a b'"
    assert inputs.ingest_root(own, "my_videos", []) == "\"$DATA_ROOT\"/'my films'"
    assert inputs.ingest_root(own, "synthetic", ["results/a b"]) == "'results/a b'"
    sound = "--sound \"$DATA_ROOT\"/'my films/clip'"
    assert inputs.sound_argument(own, "my_videos", "clip") == sound
    assert inputs.sound_argument(own, "synthetic", "short_0") == ""


def test_stills_are_frame_stores_or_folders_that_are_read_where_they_lie(config):
    arguments = inputs.stills_arguments
    assert arguments(config, "cityscapes", "semantic", ["a.h5", "b c.h5"]) == "a.h5 'b c.h5'"
    assert arguments(config, "imagenet", "colorization", []) == '"$DATA_ROOT"/imagenet/train'
    assert inputs.trained_stills(config, "coco", "panoptic") == {"coco": ["train2017"]}
    several = {**config, "study": "models"}
    trained = {"synthetic": ["stills"], "street_photographs": ["idd_lite", "camvid"]}
    assert inputs.trained_stills(several, "synthetic", "colorization") == trained
    photographs = " ".join(
        f'"$DATA_ROOT"/street_photographs/{name}' for name in ("idd_lite", "camvid")
    )
    assert arguments(several, "synthetic", "colorization", ["a.h5"]) == f"a.h5 {photographs}"
    assert inputs.training_model(config, "coco", "panoptic") == "swin_small"
    assert inputs.training_threads(config, "cityscapes", "semantic") == 8
    with pytest.raises(InputError, match="no study uses dataset 'lumiere' to train for"):
        inputs.trained_stills(config, "lumiere", "semantic")


def test_what_has_no_truth_is_drawn_without(config):
    assert inputs.truth_argument(config, "lumiere", "colorization") == "--unscored"
    assert inputs.colour_truth_argument(config, "lumiere") == "--unscored"
    assert inputs.truth_argument(config, "synthetic", "semantic") == ""
    assert inputs.colour_truth_argument(config, "project_page") == ""


def test_a_value_is_text_on_a_command_line():
    job = JobKey("synthetic", "semantic", "tent", 0, "short_0")
    assert (text_of("a b"), text_of(3)) == ("a b", 3)
    assert text_of({"window": None}) == '{"window": null}'
    assert json.loads(text_of(job))["video"] == "short_0"
    methods = [MethodId("tent"), MethodId.parse("online_ttt_mae,window=4")]
    assert listed(methods) == "tent,online_ttt_mae,window=4"


# What is scored


def test_a_published_network_is_available_if_it_is_there_or_may_be_fetched(own, sources, tmp_path):
    own["data_root"] = str(tmp_path)
    demo, paper = own["studies"]["tiny_demo"], own["studies"]["paper"]
    coloured = paper["task_methods"]["colorization"]
    assert names(scored.available_methods(own, paper, sources, "colorization")) == coloured
    found = scored.available_methods(own, demo, sources, "colorization")
    assert names(found) == [name for name in coloured if name != "zhang2016"]
    assert scored.available_networks(own, demo, sources, "colorization") == []
    assert scored.network_arguments(own, sources, "synthetic_coco", "semantic") == ""
    notes = scored.network_notes(own, sources, demo, "results/{source}.json")
    assert list(notes) == ["inception", "alexnet", "zhang2016"]
    assert "is not there, and this study is offline" in notes["zhang2016"]
    assert notes["alexnet"].endswith("--output results/alexnet.json")
    assert scored.network_notes(own, sources, paper, "{source}") == {}
    for name in ("alexnet", "zhang2016"):
        path = tmp_path / sources[name].provides[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
    assert scored.available_networks(own, demo, sources, "colorization") == ["alexnet"]
    assert names(scored.available_methods(own, demo, sources, "colorization")) == coloured


def test_what_is_put_together_is_every_method_seed_and_video_of_the_streams_with_a_truth(
    config, sources
):
    paper = config["studies"]["paper"]
    assert scored.scored_streams(config, paper) == [
        ("kitti_step", "semantic"),
        ("coco_videos", "instance"),
        ("coco_videos", "panoptic"),
        ("coco_videos", "colorization"),
    ]
    streams = scored.scored_in(config, sources, paper)
    assert [(len(s.methods), len(s.seeds), len(s.videos)) for s in streams] == [
        (28, 3, 21), (19, 3, 10), (19, 3, 10), (4, 1, 10),
    ]  # fmt: skip
    assert streams[0].ids["method"] == paper["methods"]
    # Figure 4 is of all three tasks; COCO Videos have test videos alone.
    swept = scored.scored_in(config, sources, paper, "window")
    kitti, coco = (config["datasets"][name]["splits"] for name in ("kitti_step", "coco_videos"))
    assert [(each.dataset, each.task, list(each.videos)) for each in swept] == [
        ("kitti_step", "semantic", kitti["val"]),
        ("coco_videos", "instance", coco["test"]),
        ("coco_videos", "panoptic", coco["test"]),
    ]
    for each in swept:
        assert names(each.methods)[:3] == [
            "main_task_only", "mae_joint_training", "online_ttt_mae,window=1",
        ]  # fmt: skip
    assert scored.scored_ids(config, sources, paper, "window") == [each.ids for each in swept]
    for entry in ("window", "steps"):
        broken = copy.deepcopy(config)
        sweep = broken["studies"]["paper"]["sweeps"][entry]
        sweep.pop("splits", None)
        sweep.pop("tasks", None)
        with pytest.raises(
            InputError, match=f"paper.sweeps.{entry}: data set 'coco_videos' has no"
        ):
            validate(Layers(broken))


def test_a_score_is_of_the_predictions_of_its_job_and_needs_a_truth(config):
    ids = ("kitti_step", "semantic")
    fixed = MethodId.parse("offline_ttt_mae_fixed_iteration,batch=2")
    assert scored.job_of_predictions(config, *ids, fixed, 1, "0002") == JobKey(
        *ids, "offline_ttt_mae_all_frames,batch=2", 1, "0002"
    )
    scored.check_truth(config, *ids)
    with pytest.raises(InputError, match="dataset 'lumiere' has no labels for the task 'colori"):
        scored.check_truth(config, "lumiere", "colorization")
    with pytest.raises(InputError, match="unknown dataset 'kitti'"):
        scored.check_truth(config, "kitti", "semantic")


def test_detectron2_checks_methods_with_a_checkpoint_on_tasks_it_knows(config, sources):
    streams = scored.crosschecked(config, sources, config["studies"]["paper"])
    assert [stream.task for stream in streams] == ["semantic", "instance", "panoptic"]
    assert MethodId("segformer_b4") not in streams[0].methods
    borrowed = scored.borrowed_predictions(config, sources, config["studies"]["paper"])
    assert borrowed == {"offline_ttt_mae_fixed_iteration": "offline_ttt_mae_all_frames"}


# What is shown


def test_everything_that_a_study_compares_has_a_label(config):
    labels = shown.labels_of(config)
    assert list(labels)[: len(config["methods"])] == list(config["methods"])
    assert labels["online_ttt_mae,order=shuffled"] == "Online TTT-MAE, order = shuffled"
    assert labels["online_ttt_mae,window=64"] == "Online TTT-MAE, window = 64"


def test_tables_have_the_methods_and_data_sets_that_a_study_has(config, sources):
    studies = config["studies"]
    # What has no row of its own is left out, and said to be.
    assert shown.tables_of_study(config, studies["release"]) == ["table1"]
    left_out = {row["what"][:7] for row in omissions_of(config, sources, studies["release"])}
    assert {"table4 ", "memorie"} <= left_out
    layout = shown.table_layout(config, studies["tiny_demo"], "table4")
    assert [group["methods"] for group in layout["settings"]][-1] == ["online_ttt_mae"]
    assert set(layout["starts"].values()) == {"mae_joint_training"}
    # Table 3 has what colours only.
    assert "left_grey" not in shown.tabulated_methods(config, studies["project_page"])
    assert names(shown.colour_methods(config, studies["tiny_demo"]))[:2] == [
        "left_grey",
        "zhang2016",
    ]
    assert shown.checked_datasets(config, studies["demo"]) == []
    assert shown.checked_datasets(config, studies["my_videos"]) == []
    assert shown.checked_datasets(config, studies["paper"]) == list(studies["paper"]["streams"])
    methods = shown.scored_methods(config, sources, studies["paper"])
    assert names(methods) == [*studies["paper"]["methods"], "left_grey", "zhang2016"]
    assert shown.model_of_study(studies["tiny_demo"]) == "tiny"
    assert shown.model_of_study(studies["demo"]) == "lite"


def test_a_study_draws_what_the_configuration_says_but_for_what_it_says_itself(own, sources):
    study = own["studies"]["paper"]
    assert drawn.drawn_in(own, study).learned == MethodId("online_ttt_mae")
    assert str(drawn.fixed_beside(own, study, "panoptic")) == "mae_joint_training"
    assert str(drawn.fixed_beside(own, study, "colorization")) == "main_task_only"
    assert drawn.bars_baseline(own, study) == "--baseline main_task_only"
    assert names(drawn.figure2_methods(own, study)) == PAPER_METHODS
    assert drawn.has_figure2(own, study)
    assert not drawn.has_figure2(own, own["studies"]["release"])
    study["drawn"] = {
        "fixed": ["tent"],
        "task_beside": {"panoptic": "tent"},
        "baseline": "zhang2016",
        "figure2": ["online_ttt_mae,window=4"],
    }
    assert names(trials.sweep_methods(own, study, "steps"))[:2] == ["tent", "online_ttt_mae"]
    assert str(drawn.fixed_beside(own, study, "panoptic")) == "tent"
    assert str(drawn.fixed_beside(own, study, "colorization")) == "main_task_only"
    assert drawn.bars_baseline(own, study) == ""
    assert not drawn.has_figure2(own, study)
    assert drawn.drawn_in(own, own["studies"]["demo"]).fixed != drawn.drawn_in(own, study).fixed


def test_curves_are_of_the_methods_that_are_drawn_or_else_of_a_few(own, sources):
    study = own["studies"]["paper"]
    curves = names(shown.curve_methods(own, sources, study, "semantic"))
    assert curves == [m for m in own["drawn"]["curves"] if m not in ("left_grey", "zhang2016")]
    coloured = names(shown.curve_methods(own, sources, study, "colorization"))
    assert coloured == study["task_methods"]["colorization"]
    study["drawn"] = {"curves": ["zhang2016"]}
    few = names(shown.curve_methods(own, sources, study, "semantic"))
    assert few == study["methods"][: shown.FEW]
    coloured = names(shown.coloured_methods(own, sources, study))
    assert coloured == ["zhang2016", "main_task_only", "online_ttt_mae"]


# What gains are over, and what is left out


def test_what_starts_from_one_shipped_model_is_compared_with_it(config):
    demo = config["studies"]["demo"]
    needed = settings.trained_checkpoints(config, demo, "panoptic")
    assert set(needed) == {"main_task", "joint", "joint_demonstration"}
    trained = [c for c in needed if settings.is_trained(demo, "panoptic", c)]
    assert trained == ["joint_demonstration"]
    starts = starts_in(config, demo)
    assert {starts[m] for m in ("tent", "self_train", "online_ttt_mae")} == {"mae_joint_training"}
    assert controls_in(config, demo) == {}


def test_every_study_that_trains_small_models_compares_joint_training_with_equally_long_training(
    config,
):
    for name, study in config["studies"].items():
        starts, controls = (of(config, study) for of in (starts_in, controls_in))
        assert not {"main_task_only", "mae_joint_training"} & starts.keys(), name
        learning = [m for m in starts if m.startswith(("online_ttt_mae", "ttt_mae", "offline"))]
        assert {starts[m] for m in learning} == {"mae_joint_training"}
        assert "online_ttt_mae" in learning
        if study["model"] == "tiny" or name == "models":
            assert {controls[m] for m in learning} == {"main_task_only"}, name
            assert controls["mae_joint_training"] == "main_task_only"
        elif name == "paper":
            # There joint training goes on from published weights.
            assert {controls[m] for m in learning} == {"main_task_continued"}
            assert controls["mae_joint_training"] == "main_task_continued"
            assert controls["tent"] == starts["tent"] == "main_task_only"
        else:
            # Released weights, or one shipped model for all: nothing was trained for as long.
            assert not controls, name


def test_longer_joint_training_has_no_control(own):
    study = own["studies"]["demo_full"]
    study["training"]["iterations"]["joint"] += 1
    assert "online_ttt_mae" not in controls_in(own, study)
    study["training"]["iterations"] = {"main_task": 300, "joint": 300}
    assert controls_in(own, study)["online_ttt_mae"] == "main_task_only"
    # From the checkpoint of the main task it is trained for twice as long.
    del study["training"]["initial"]
    assert "online_ttt_mae" not in controls_in(own, study)


def test_what_a_study_does_not_show_is_a_row_with_its_reason(config, sources):
    rows = omissions_of(config, sources, config["studies"]["paper"])
    found = {(row["what"], row["dataset"], row["task"]): row["reason"] for row in rows}
    coco = ("coco_videos", "colorization")
    assert found["results on split val", *coco] == "the data set has test alone"
    assert found["sweep window", *coco] == "it is for the tasks semantic, instance, panoptic"
    assert ("sweep window", "coco_videos", "instance") not in found
    assert "no labels" in found["scores, bars and curves", "lumiere", "colorization"]
    assert all(row["reason"] for row in rows)
    # A study of one stream with every method leaves out what needs networks from elsewhere.
    rows = omissions_of(config, sources, config["studies"]["demo_full"])
    assert [row["what"].split()[0] for row in rows] == ["architectures"]


# Sweeps, selection, theory


def test_a_sweep_is_drawn_against_its_setting_with_the_methods_own_value(config):
    study = config["studies"]["paper"]
    fixed = "--fixed main_task_only,mae_joint_training"
    assert trials.sweep_arguments(config, study, "window") == (
        f"--method online_ttt_mae --setting window {fixed}"
    )
    assert trials.sweep_arguments(config, study, "steps").endswith(f"steps {fixed} --base-value 1")
    assert trials.window_arguments(config, "kitti_step", "paper") == (
        "--split val --method online_ttt_mae --base-value 16"
    )
    with pytest.raises(InputError, match="study 'demo' has no sweep 'window'"):
        trials.window_sweep(config, "demo")
    with pytest.raises(InputError, match="unknown study 'papre'; did you mean 'paper'"):
        trials.window_sweep(config, "papre")


def test_methods_are_selected_for_the_tasks_that_they_exist_for(config):
    study = config["studies"]["paper"]
    grids = study["selection"]["grids"]
    assert set(names(trials.selected_methods(config, study))) == set(grids)
    panoptic = names(trials.methods_selected_for(config, study, "panoptic"))
    assert "online_ttt_mae" in panoptic
    assert "tent" in panoptic
    assert "self_train" not in panoptic
    assert trials.selected_methods(config, config["studies"]["demo"]) == []


def test_the_theory_is_measured_with_what_decides_gradients_alone(own):
    before = job_settings.theory_settings(own, "synthetic")
    assert before["objective"] == "mae"
    assert "optimizer" not in before
    own["studies"]["demo"]["updates"]["steps"] = 7
    assert job_settings.theory_settings(own, "synthetic") == before
    own["studies"]["demo"]["drawn"] = {"theory": "tent"}
    assert job_settings.theory_settings(own, "synthetic")["objective"] == "tent"


def test_a_segmenter_sees_frames_as_large_as_the_study_has_them_on_a_data_set(config):
    own = {**config, "study": "paper"}
    edges = job_settings.segmenter_arguments
    assert edges(own, "kitti_step") == "--shortest-edge 1024 --longest-edge 2048"
    assert edges(own, "coco_videos") == "--shortest-edge 800 --longest-edge 1333"
