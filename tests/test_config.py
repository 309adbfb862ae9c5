import copy
import csv
from pathlib import Path

import pytest

from videottt import config as settings
from videottt.datasets import list_layouts
from videottt.errors import InputError
from videottt.method import Method, method_from
from videottt.objectives import list_objectives, objective_named
from videottt.provenance import code_fingerprint
from videottt.settings import with_values

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
PAPER = ROOT / "workflow/resources/paper"


def test_every_study_of_the_configuration_makes_methods_that_exist(config):
    settings.validate(config, SCHEMA)
    assert {each["layout"] for each in config["datasets"].values()} <= list_layouts().keys()
    for study_id, study in config["studies"].items():
        chosen = {**config, "study": study_id}
        for dataset in study["datasets"]:
            for name in study["methods"]:
                base = settings.method_settings(chosen, dataset, name)
                method = method_from(with_values(base, settings.parse_method(chosen, name)[1]))
                assert method.objective in list_objectives()
                objective_named(method.objective, method.options)


def test_method_ids_are_those_of_the_papers_tables(config):
    rows = [
        row["method"]
        for table in ("table1.csv", "table4.csv")
        for row in csv.DictReader((PAPER / table).open())
    ]
    # The paper's text has these, but no table of it a row.
    others = {
        "offline_ttt_mae_fixed_iteration",
        "self_train_plain",
        "temporal_smoothing",
        "online_ttt_mae_temporal_smoothing",
        "majority_vote",
        "online_ttt_mae_majority_vote",
    }
    assert config["methods"].keys() == set(rows) | others


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(sead=1), "top level: unknown key 'sead'"),
        (lambda c: c["methods"]["online_ttt_mae"].update(windwo=3), "did you mean 'window'?"),
        (lambda c: c["methods"]["online_ttt_mae"].update(reset="evry_frame"), "'every_frame'?"),
        (lambda c: c["methods"]["online_ttt_mae"].update(window=0), "online_ttt_mae.window"),
        (lambda c: c["studies"]["demo"].update(methods=["online_tt"]), "'online_ttt_mae'?"),
        (lambda c: c["studies"]["demo"].update(datasets=["synthetik"]), "'synthetic'?"),
        (lambda c: c["datasets"]["camvid"].pop("root"), "exactly one of 'root' and 'render'"),
        (lambda c: c.update(study="camvit"), "did you mean 'camvid'?"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_with_the_nearest_name(config, change, message):
    wrong = copy.deepcopy(config)
    change(wrong)
    with pytest.raises(InputError) as caught:
        settings.validate(wrong, SCHEMA)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_merge_protocol_then_study_then_method_then_pinned_values(config):
    own = copy.deepcopy(config)
    own["study"] = "camvid"
    study = own["studies"]["camvid"]
    study["protocol"] = "release"
    study["updates"] = {"steps": 2, "window": 3, "optimizer": {"learning_rate": 0.5}}
    study["pinned"] = {"online_ttt_mae": {"optimizer.learning_rate": 0.25}}
    method = method_from(settings.method_settings(own, "camvid", "online_ttt_mae"))
    assert isinstance(method, Method)
    assert (method.sampling, method.options["mask_ratio"]) == ("permutations", 0.85)
    assert (method.steps, method.window) == (2, 16)
    assert method.optimizer.learning_rate == 0.25


def test_a_result_can_be_named_whatever_study_is_run(config):
    other = {**config, "study": "camvid"}
    assert settings.study_of(other, "synthetic") is config["studies"]["demo"]
    with pytest.raises(InputError, match="did you mean 'test_0'"):
        settings.split_of(config, "synthetic", "test_00")


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
