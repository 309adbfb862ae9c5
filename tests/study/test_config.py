import copy
import csv

import pytest

from support import ROOT
from videottt.core.errors import InputError
from videottt.core.ids import TASKS, MethodId
from videottt.core.provenance import code_fingerprint
from videottt.core.settings import with_values
from videottt.data.fetch.catalogue import read_sources
from videottt.data.layouts import list_layouts
from videottt.settings.method import Method, method_from
from videottt.study import config as settings
from videottt.study import job_settings, trials
from videottt.study.layers import Layers
from videottt.study.validation import check_sources, check_variant, validate
from videottt.ttt.objectives import list_objectives, objective_named

PAPER = ROOT / "workflow/resources/paper"


def checked(config):
    validate(Layers(config))
    check_sources(Layers(config), read_sources(ROOT / "workflow/resources/datasets.yaml"))


def test_every_study_of_the_configuration_makes_methods_that_exist(config):
    checked(config)
    assert {each["layout"] for each in config["datasets"].values()} <= list_layouts().keys()
    for study_id, study in config["studies"].items():
        chosen = {**config, "study": study_id}
        for dataset, task in settings.streams_of(study):
            for named in settings.study_methods(chosen, study, task):
                if "checkpoint" not in config["methods"][named.base]:
                    continue
                base = job_settings.method_settings(chosen, dataset, named)
                method = method_from(with_values(base, named.overrides))
                assert method.objective in list_objectives()
                objective_named(method.objective, method.options)


def test_a_method_exists_for_the_tasks_that_it_names_and_starts_from_the_checkpoint_of_the_task(
    config,
):
    names = ["online_ttt_mae,window=4", "self_train", "majority_vote"]
    methods = settings.methods_of(config, names)
    assert settings.methods_for(config, methods, "semantic") == methods
    assert settings.methods_for(config, methods, "panoptic") == methods[:1]
    own = copy.deepcopy(config)
    own["studies"]["demo"]["checkpoint_tasks"] = {"instance": "panoptic"}
    ids = {
        task: settings.checkpoint_ids(own, "synthetic_coco", task, MethodId("online_ttt_mae"))
        for task in TASKS
    }
    assert {task: each["task"] for task, each in ids.items()} == {
        "semantic": "semantic",
        "instance": "panoptic",
        "panoptic": "panoptic",
        "colorization": "colorization",
    }
    assert all(each["checkpoint"] == "joint" for each in ids.values())
    with pytest.raises(InputError, match=r"'self_train': unknown task 'instance'; .*'semantic'"):
        settings.checkpoint_ids(own, "synthetic_coco", "instance", MethodId("self_train"))


def test_a_task_may_be_trained_in_its_own_way_and_compare_its_own_methods(config):
    own = {**copy.deepcopy(config), "study": "tiny_demo"}
    study = own["studies"]["tiny_demo"]
    study["training"]["tasks"] = {
        "colorization": {"dataset": "camvid", "augmentation": {"flip": 0}}
    }
    common = study["training"]
    trained = settings.training_of(study, "colorization")
    assert (trained["dataset"], trained["augmentation"]["flip"]) == ("camvid", 0)
    assert trained["augmentation"]["crop"] == common["augmentation"]["crop"]
    assert settings.training_of(study, "panoptic")["dataset"] == common["dataset"]
    online = MethodId("online_ttt_mae")
    ids = settings.checkpoint_ids(own, "synthetic_coco", "colorization", online)
    assert ids == {"dataset": "camvid", "task": "colorization", "checkpoint": "joint"}
    assert settings.study_trained_on(own, "camvid", "colorization") is study
    coloured = settings.study_methods(own, study, "colorization")
    assert list(map(str, coloured)) == study["task_methods"]["colorization"]
    assert MethodId("tent") in settings.study_methods(own, study, "panoptic")
    assert set(coloured) < set(settings.named_methods(own, study))
    assert not settings.is_scored(own, "lumiere", "colorization")
    assert settings.is_scored(own, "synthetic", "semantic")


def test_method_ids_are_those_of_the_papers_tables(config):
    rows = [
        row["method"]
        for table in ("table1.csv", "table3.csv", "table4.csv", "architectures.csv")
        for row in csv.DictReader((PAPER / table).open())
    ]
    # The paper's text has these, but no table of it a row.
    others = {
        "left_grey",
        "main_task_continued",
        "offline_ttt_mae_fixed_iteration",
        "self_train_plain",
        "temporal_smoothing",
        "online_ttt_mae_temporal_smoothing",
        "majority_vote",
        "online_ttt_mae_majority_vote",
    }
    # Ablations are variants of a method.
    assert config["methods"].keys() == {row.split(",")[0] for row in rows} | others


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(sead=1), "config.yaml: unknown setting 'sead'"),
        (lambda c: c["methods"]["online_ttt_mae"].update(windwo=3), "did you mean 'window'?"),
        (lambda c: c["methods"]["online_ttt_mae"].update(reset="evry_frame"), "'every_frame'?"),
        (lambda c: c["methods"]["online_ttt_mae"].update(window=0), "online_ttt_mae.window"),
        (lambda c: c["studies"]["demo"].update(methods=["online_tt"]), "'online_ttt_mae'?"),
        (
            lambda c: c["studies"]["demo"].update(streams={"synthetik": ["semantic"]}),
            "'synthetic'?",
        ),
        (lambda c: c["studies"]["demo"].update(streams={"synthetic": ["panoptik"]}), "'panoptic'?"),
        (
            lambda c: c["studies"]["demo"]["shipped"]["panoptic"].update(joint="embedded_panoptik"),
            "studies.demo.shipped.panoptic: unknown checkpoint that ships 'embedded_panoptik'; did "
            "you mean 'embedded_panoptic'?",
        ),
        (
            lambda c: c["studies"]["demo"]["shipped"]["panoptic"].update(jiont="embedded_panoptic"),
            "studies.demo.shipped.panoptic: unknown checkpoint 'jiont'; did you mean 'joint'?",
        ),
        (
            lambda c: c["studies"]["demo"].update(also_trained={"panoptic": ["joined"]}),
            "studies.demo.also_trained: unknown checkpoint 'joined'",
        ),
        (
            lambda c: c["studies"]["models"]["training"]["tasks"]["colorization"].update(
                also={"street_photographs": "trian"}
            ),
            "training.also.street_photographs: unknown split 'trian'; did you mean 'train'?",
        ),
        (
            lambda c: c["studies"]["camvid"].update(streams={"camvid": ["instance"]}),
            "'instance' and 'panoptic' are not possible; name the classes whose objects are told "
            "apart in datasets.camvid.things",
        ),
        (
            lambda c: c["studies"]["project_page"]["streams"].update(project_page=["semantic"]),
            "only 'colorization' is possible; name the classes of the checkpoint in "
            "datasets.project_page.classes",
        ),
        (
            lambda c: c["studies"]["demo"].update(task_methods={"colorization": ["zhang"]}),
            "unknown method 'zhang'; did you mean 'zhang2016'?",
        ),
        (
            lambda c: c["studies"]["demo"]["training"]["tasks"]["colorization"].update(split="sh"),
            "studies.demo.training: unknown split 'sh'",
        ),
        (
            lambda c: c["methods"]["zhang2016"].update(weights="zhang"),
            "methods.zhang2016.weights: unknown source 'zhang'; did you mean 'zhang2016'?",
        ),
        (
            lambda c: c["datasets"]["kitti_step"].update(sources=["kitti_step_image"]),
            "datasets.kitti_step.sources: unknown source 'kitti_step_image'",
        ),
        (
            lambda c: c["datasets"]["lumiere"]["sources"].pop("the_sea"),
            "datasets.lumiere.sources: the video 'the_sea' has no source",
        ),
        (
            lambda c: c["studies"]["paper"]["imported"]["semantic"].update(main_task="mask2former"),
            "studies.paper.imported.semantic: unknown source 'mask2former'",
        ),
        (
            lambda c: c["studies"]["paper"]["imported"]["semantic"].pop("main_task"),
            "studies.paper.training.iterations: 'main_task' of task 'semantic' is missing",
        ),
        (lambda c: c["datasets"]["kitti_step"].update(folders={"tset": "train"}), "split 'tset'"),
        (lambda c: c["studies"]["paper"].update(splits=["tset"]), "unknown split 'tset'; did you"),
        (lambda c: c["studies"]["paper"].update(splits=["val"]), "'coco_videos' has none of them"),
        (
            lambda c: c["methods"]["zhang2016"].update(objective="none", checkpoint="joint"),
            "exactly one of 'objective', 'colourizer', 'segmenter'",
        ),
        (lambda c: c["datasets"]["synthetic"].update(things=["cars"]), "'car'?"),
        (lambda c: c["datasets"]["camvid"].pop("root"), "exactly one of 'root', 'render'"),
        (lambda c: c.update(study="camvit"), "did you mean 'camvid'?"),
        (
            lambda c: c["drawn"].update(curve=[]),
            "config.yaml: drawn: unknown setting 'curve'; did you",
        ),
        (
            lambda c: c["drawn"].pop("learned"),
            "config.yaml: drawn: the setting 'learned' is missing",
        ),
        (
            lambda c: c["drawn"]["curves"].append("online_ttt_mea"),
            "config.yaml: drawn.curves: unknown method 'online_ttt_mea'; did you mean 'online_ttt",
        ),
        (
            lambda c: c["drawn"]["task_beside"].update(panoptic="main_tsk_only"),
            "drawn.task_beside.panoptic: unknown method 'main_tsk_only'; did you mean 'main_task",
        ),
        (
            lambda c: c["studies"]["demo"].update(drawn={"steps": "ttt_mae"}),
            "studies.demo.drawn.steps: unknown method 'ttt_mae'; did you mean",
        ),
        (
            lambda c: c["studies"]["demo"].update(drawn={"learned": "online_ttt_mae,widow=4"}),
            "method 'online_ttt_mae,widow=4': unknown setting 'widow'; did you mean 'window'?",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_with_the_nearest_name(config, change, message):
    wrong = copy.deepcopy(config)
    change(wrong)
    with pytest.raises(InputError) as caught:
        checked(wrong)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_merge_protocol_then_study_then_method_then_pinned_values(config):
    own = copy.deepcopy(config)
    own["study"] = "camvid"
    study = own["studies"]["camvid"]
    study["protocol"] = "release"
    study["updates"] = {"steps": 2, "window": 3, "optimizer": {"learning_rate": 0.5}}
    study["pinned"] = {"online_ttt_mae": {"optimizer.learning_rate": 0.25}}
    method = method_from(job_settings.method_settings(own, "camvid", MethodId("online_ttt_mae")))
    assert isinstance(method, Method)
    assert (method.sampling, method.options["mask_ratio"]) == ("permutations", 0.85)
    assert (method.steps, method.window) == (2, 16)
    assert method.optimizer.learning_rate == 0.25


def test_a_result_can_be_named_whatever_study_is_run(config):
    other = {**config, "study": "camvid"}
    assert settings.study_of(other, "synthetic") is config["studies"]["demo"]
    with pytest.raises(InputError, match="did you mean 'test_0'"):
        settings.split_of(config, "synthetic", "test_00")


# Variants, sweeps, selection


def test_an_id_says_what_a_variant_changes_and_nothing_else_does(config):
    name = "online_ttt_mae,window=all,steps=2,order=shuffled,optimizer.learning_rate=0.5"
    method, base = settings.method_of(config, name), MethodId("online_ttt_mae")
    assert (str(method), method.base) == (name, "online_ttt_mae")
    assert method.overrides == {
        "window": None,
        "steps": 2,
        "order": "shuffled",
        "optimizer.learning_rate": 0.5,
    }
    assert settings.label_of(config, method) == (
        "Online TTT-MAE, window = all, steps = 2, order = shuffled, optimizer.learning_rate = 0.5"
    )
    # What it changes comes after what was selected, so it is no part of its settings.
    for function in (job_settings.method_settings, trials.selections_of):
        assert function(config, "synthetic", method) == function(config, "synthetic", base)
    checkpoints = [
        settings.checkpoint_ids(config, "synthetic", "semantic", each) for each in (method, base)
    ]
    assert checkpoints[0] == checkpoints[1]
    fixed = MethodId.parse("offline_ttt_mae_fixed_iteration,batch=2")
    predicting = settings.predicting_method(config, fixed)
    assert str(predicting) == "offline_ttt_mae_all_frames,batch=2"
    assert predicting.overrides == {"batch": 2}
    assert settings.predicting_method(config, method) == method


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("online_ttt_mea,window=4", "did you mean 'online_ttt_mae'"),
        ("online_ttt_mae,window", "'window' is not a change; write setting=value"),
        ("online_ttt_mae,window=", "'window=' is not a change"),
        ("online_ttt_mae,=4", "'=4' is not a change"),
        ("online_ttt_mae,", "'' is not a change"),
        ("online_ttt_mae,crop=[32,64]", r"'\[32' is not a value"),
    ],
)
def test_an_id_that_is_none_is_refused(config, name, message):
    with pytest.raises(InputError, match=message):
        settings.method_of(config, name)


def test_a_sweep_has_every_value_once_and_the_method_itself_for_its_own(config):
    study = {**config["studies"]["demo_full"], "updates": {"steps": 2}}
    values = [1, 16, None, "all"]
    online = "online_ttt_mae"
    method = MethodId(online)
    made = [str(settings.variant_of(config, study, method, "window", v)) for v in values]
    # What is selected is not known before, so that no value is the method's own.
    assert made == [f"{online},window={k}" for k in (1, 16, "all", "all")]
    del study["selection"]
    made = [str(settings.variant_of(config, study, method, "window", v)) for v in values]
    assert made == [f"{online},window=1", online, f"{online},window=all", f"{online},window=all"]
    steps = [str(settings.variant_of(config, study, method, "steps", v)) for v in (1, 2)]
    assert steps == [f"{online},steps=1", online]
    unlimited = copy.deepcopy(config)
    unlimited["methods"][online]["window"] = None
    assert settings.variant_of(unlimited, study, method, "window", "all") == method
    for each in config["studies"].values():
        for sweep, entry in each.get("sweeps", {}).items():
            methods = list(map(str, trials.sweep_methods(config, each, sweep)))
            assert methods[:2] == ["main_task_only", "mae_joint_training"]
            assert len(set(methods)) == len(methods) == 2 + len(entry["values"])
            own = not settings.is_selected(config, each, method, entry["setting"])
            assert methods.count(entry["method"]) == own
    with pytest.raises(InputError, match="did you mean 'window'"):
        trials.sweep_methods(config, config["studies"]["demo_full"], "windows")


def without_axis(grids):
    del grids["implicit_memory_only"]["optimizer_between_frames"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_axis, "implicit_memory_only: 'optimizer_between_frames' is not tried, but 'onl"),
        (
            lambda grids: grids["ttt_mae_no_memory"].update({"optimizer.encoder_multiplier": [1]}),
            r"no_memory: tries \[1\] for 'optimizer.encoder_multiplier', but 'online_ttt_mae' tri",
        ),
        (
            lambda grids: grids["tent"].update(steps=[1]),
            "class_balance: 'optimizer.learning_rate' is",
        ),
    ],
)
def test_methods_of_one_objective_try_the_same_values_on_the_same_axes(config, change, message):
    own = copy.deepcopy(config)
    validate(Layers(own))
    if "class_balance" in message:
        # It would take the axis from tent, were it not by itself.
        del own["methods"]["tent_class_balance"]["hyperparameters_of"]
    change(own["studies"]["camvid"]["selection"]["grids"])
    with pytest.raises(InputError, match=message):
        validate(Layers(own))


def test_a_trial_is_one_point_of_the_grid(config):
    own = copy.deepcopy(config)
    own["study"] = "camvid"
    rates, scopes = [0.5, 0.25], ["a", "b"]
    grid = {"optimizer.learning_rate": rates, "options.scope": scopes}
    own["studies"]["camvid"]["selection"]["grids"] = {"tent": grid}
    found = [trials.trial_values(own, "camvid", MethodId("tent"), number) for number in range(4)]
    points = [(each["optimizer.learning_rate"], each["options.scope"]) for each in found]
    assert points == [(rate, scope) for rate in rates for scope in scopes]
    with pytest.raises(InputError, match="4 trials, from 0; there is no 4"):
        trials.trial_values(own, "camvid", MethodId("tent"), 4)
    with pytest.raises(InputError, match="unknown grid of method 'self_train'"):
        trials.trials_of(own, "camvid", MethodId("self_train"))


def test_hyperparameters_come_from_the_methods_that_they_were_selected_for(config):
    own = copy.deepcopy(config)
    own["study"] = "camvid"
    name = "online_ttt_mae_temporal_smoothing"
    assert settings.hyperparameters_of(own, MethodId(name)) == [
        "online_ttt_mae",
        "temporal_smoothing",
    ]
    assert trials.selections_of(own, "camvid", MethodId(name)) == [
        "online_ttt_mae",
        "temporal_smoothing",
    ]
    assert trials.selections_of(own, "camvid", MethodId("online_ttt_mae")) == ["online_ttt_mae"]
    assert trials.selections_of(own, "camvid", MethodId("mae_joint_training")) == []
    fixed, oracle = "offline_ttt_mae_fixed_iteration", "offline_ttt_mae_all_frames"
    assert trials.selections_of(own, "camvid", MethodId(fixed)) == [oracle]
    own["studies"]["camvid"]["pinned"] = {
        "online_ttt_mae": {"optimizer.learning_rate": 0.125},
        "temporal_smoothing": {"smoothing": 9},
        name: {"smoothing": 2},
        fixed: {"iteration": 77},
    }
    found = job_settings.method_settings(own, "camvid", MethodId(name))
    assert (found["optimizer"]["learning_rate"], found["smoothing"]) == (0.125, 9)
    assert (
        job_settings.method_settings(own, "camvid", MethodId("online_ttt_mae")).get("smoothing")
        is None
    )
    assert settings.score_iteration(own, "camvid", MethodId(fixed)) == 77
    fixed_values, oracle_values = (
        job_settings.method_settings(own, "camvid", MethodId(each)) for each in (fixed, oracle)
    )
    assert fixed_values == oracle_values


def test_an_offline_method_is_scored_by_a_rule_and_others_at_their_end(config):
    own = {**config, "study": "camvid"}
    found = {
        name: settings.score_iteration(own, "camvid", MethodId(name)) for name in own["methods"]
    }
    assert {name: rule for name, rule in found.items() if rule != "last"} == {
        "offline_ttt_mae_all_frames": "oracle",
        "offline_ttt_mae_fixed_iteration": "selected",
    }


def test_a_study_decides_sizes_and_the_recipe_of_votes(config):
    own = {**config, "study": "tiny_demo"}
    study = config["studies"]["tiny_demo"]
    for name in ("majority_vote", "online_ttt_mae_majority_vote"):
        method = method_from(job_settings.method_settings(own, "synthetic", MethodId(name)))
        assert method.votes == study["sizes"][name]["votes"] != config["methods"][name]["votes"]
        assert method.augmentation.crop == tuple(study["training"]["augmentation"]["crop"])
        assert method.augmentation.shortest_edge == study["input"]["shortest_edge"]
    assert (
        method_from(
            job_settings.method_settings(own, "synthetic", MethodId("online_ttt_mae"))
        ).votes
        == 1
    )
    offline = method_from(
        job_settings.method_settings(own, "synthetic", MethodId("offline_ttt_mae_all_frames"))
    )
    assert list(offline.ladder) == study["sizes"]["offline_ttt_mae_all_frames"]["ladder"]


def test_comments_and_docstrings_do_not_count_as_code_but_logic_does(tmp_path):
    module = tmp_path / "module.py"

    def fingerprint(text):
        module.write_text(text)
        return code_fingerprint([module])

    plain = fingerprint("def half(x):\n    return x / 2\n")
    assert (
        fingerprint('"""Halves."""\n\ndef half(x):\n    """x / 2."""\n    return x / 2  # why\n')
        == plain
    )
    assert fingerprint("def half(x):\n    return x / 3\n") != plain


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            "online_ttt_mae,widow=4",
            "'online_ttt_mae,widow=4': unknown setting 'widow'; did you mean",
        ),
        ("online_ttt_mae,window=0", "window: 0 is not allowed; it must be at least 1 or null"),
        ("online_ttt_mae,order=shuffeld", "order: 'shuffeld' is not allowed; did you mean"),
        ("online_ttt_mae,optimizer.momentum=fast", "optimizer.momentum: 'fast'"),
    ],
)
def test_a_variant_that_changes_no_setting_or_to_no_value_is_refused_before_any_job(
    config, method, message
):
    with pytest.raises(InputError) as caught:
        check_variant(MethodId.parse(method))
    assert message in str(caught.value)
    wrong = copy.deepcopy(config)
    wrong["studies"]["demo"]["methods"].append(method)
    with pytest.raises(InputError):
        validate(Layers(wrong))


def test_numbers_with_an_exponent_are_numbers_in_the_name_of_a_variant():
    method = MethodId.parse("online_ttt_mae,optimizer.learning_rate=3e-4")
    assert method.overrides == {"optimizer.learning_rate": 3e-4}
    check_variant(method)
