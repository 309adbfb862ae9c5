"""Tables: numbers against sums worked by hand, and what a reader sees of them."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from support import ROOT
from videottt.cli import parser
from videottt.core.errors import InputError
from videottt.core.ids import MethodId
from videottt.report.tables.caption import caption
from videottt.report.tables.classes import class_table
from videottt.report.tables.colour import (
    absent_sheets,
    colour_caption,
    colour_sheet,
    colour_table,
)
from videottt.report.tables.conventions import (
    convention_caption,
    convention_sheets,
    convention_table,
)
from videottt.report.tables.cost import cost_caption, cost_sheets, cost_table
from videottt.report.tables.data import data_caption
from videottt.report.tables.formats import WIDTH, csv_text, latex, markdown
from videottt.report.tables.layout import OTHER, Layout, layout_of, tables_of
from videottt.report.tables.numbers import main_table, percentages, without_metrics
from videottt.report.tables.paper import (
    PaperNumbers,
    PaperSource,
    read_columns,
    read_paper,
    read_seconds,
)
from videottt.report.tables.sheets import quality_sheet, sheets_of

PAPER = ROOT / "workflow/resources/paper"
FILES = [PAPER / f"{name}.csv" for name in ("table1", "table4", "ablations")]
SHUFFLED = "online_ttt_mae,order=shuffled"
TABLES = {
    "table1": {
        "title": "Table 1",
        "settings": [
            {"label": "Independent frames", "methods": ["main_task_only", "ttt_mae_no_memory"]},
            {"label": "Entire video", "methods": ["offline_ttt_mae_all_frames"]},
            {"label": "Stream", "methods": ["tent", "online_ttt_mae"]},
        ],
        "oracles": ["offline_ttt_mae_all_frames"],
    },
    "ablations": {
        "title": "Ablations",
        "settings": [{"methods": ["temporal_smoothing", SHUFFLED]}],
        "baselines": {SHUFFLED: "online_ttt_mae", "temporal_smoothing": "main_task_only"},
    },
}
# Pooled mIoU of seeds 0 and 1; no method is the best of every seed by chance.
MIOU = {
    "main_task_only": (0.50, 0.60),
    "offline_ttt_mae_all_frames": (0.90, 0.92),
    "online_ttt_mae": (0.53, 0.65),
    SHUFFLED: (0.40, 0.41),
}
LABELS = {
    "main_task_only": "Main Task Only",
    "online_ttt_mae": "Online TTT-MAE",
    SHUFFLED: "Online TTT-MAE, order = shuffled",
}


KITTI = {"semantic": PaperSource("kitti_step")}


def tidy(
    values,
    *,
    split="test",
    aggregation="pooled",
    metric="miou_pooled",
    dataset="d",
    task="semantic",
):
    """Return metrics as `aggregate` makes them, from one value a seed for each method."""
    return pd.DataFrame([
        {"dataset": dataset, "split": split, "task": task, "method": method, "seed": seed,
         "aggregation": aggregation, "video": "all", "metric": metric, "value": value}
        for method, of_seeds in values.items() for seed, value in enumerate(of_seeds)
    ])  # fmt: skip


def layout(table="table1", methods=tuple(MIOU)):
    return Layout(**layout_of(TABLES, table, methods))


def numbers(metrics, table="table1", methods=tuple(MIOU), paper=None):
    paper = read_paper(FILES, KITTI) if paper is None else paper
    return main_table(metrics, layout(table, methods), paper).set_index("method")


def cells(text, heading):
    """Return the cells of the columns of the first sheet whose heading contains `heading`."""
    first = text[text.index("|") :].split("\n\n")[0]
    lines = first.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    # Names of groups of rows.
    rows = [row for row in rows if not re.fullmatch(r"\*[^*]+\*", row[0])]
    found = [column for column, name in enumerate(rows[0]) if heading in name]
    return [[row[column] for column in found] for row in rows[2:]]


def quality(metrics, table="table1", methods=tuple(MIOU), paper=None):
    paper = read_paper(FILES, KITTI) if paper is None else paper
    made = main_table(metrics, layout(table, methods), paper)
    rows, split = layout(table, methods), metrics.split.iloc[0]
    return markdown("", [quality_sheet(made, split, rows, LABELS)], "")


def test_rows_are_the_studys_methods_in_the_tables_order_and_none_is_lost():
    study = ["new", "online_ttt_mae", "main_task_only"]
    assert list(layout("table1", study).rows) == [
        ("Independent frames", "main_task_only"), ("Stream", "online_ttt_mae")
    ]  # fmt: skip
    assert list(layout("ablations", study).rows) == [(OTHER, "new")]
    assert tables_of(TABLES, study) == ["table1", "ablations"]
    assert tables_of(TABLES, ["online_ttt_mae"]) == ["table1"]
    # A second table of rows that the first has already says nothing.
    twice = {**TABLES, "ablations": TABLES["table1"]}
    assert tables_of(twice, ["online_ttt_mae"]) == ["table1"]
    assert tables_of(twice, ["online_ttt_mae", "new"]) == ["table1", "ablations"]
    with pytest.raises(InputError, match=r"none of its methods.*: table1$"):
        layout_of(TABLES, "ablations", ["online_ttt_mae"])
    with pytest.raises(InputError, match="did you mean 'table1'"):
        layout_of(TABLES, "tabel1", study)


def test_gains_are_taken_seed_by_seed_and_stand_beside_the_papers():
    table = numbers(tidy(MIOU)).loc["online_ttt_mae"]
    # Gains of 3 and 5 points: their spread is far below that of the values themselves.
    assert (table.test_gain_mean, table.test_gain_std) == pytest.approx((4, 2**0.5))
    assert (table.test_pooled_mean, table.test_pooled_std) == pytest.approx((59, 72**0.5))
    assert table.test_paper_gain == pytest.approx(54.3 - 52.5)
    assert table.test_minus_paper == pytest.approx(59 - 54.3)
    assert table.test_seeds == 2


JOINT, CONTINUED = "mae_joint_training", "main_task_continued"
TRAINED = {
    "main_task_only": (0.50, 0.60),
    CONTINUED: (0.45, 0.50),
    JOINT: (0.46, 0.52),
    "tent": (0.51, 0.61),
    "online_ttt_mae": (0.53, 0.65),
}
STARTS = {"tent": "main_task_only", "online_ttt_mae": JOINT}
CONTROLS = {JOINT: CONTINUED, "online_ttt_mae": CONTINUED, "tent": "main_task_only"}


def trained(starts, controls):
    """Return the layout of one table of `TRAINED`."""
    rows = [{"label": "", "methods": list(TRAINED)}]
    return Layout("table1", "Table 1", rows, starts=starts, controls=controls)


def test_gains_are_over_what_was_trained_for_as_long_and_over_the_start():
    rows, paper = trained(STARTS, CONTROLS), read_paper(FILES, KITTI)
    made = main_table(tidy(TRAINED), rows, paper).set_index("method")
    online, tent = made.loc["online_ttt_mae"], made.loc["tent"]
    assert (online.start, online.control) == (JOINT, CONTINUED)
    # 8 and 15 points; over the start 7 and 13; longer training alone has lost 5 and 10.
    assert (online.test_gain_mean, online.test_gain_std) == pytest.approx((11.5, 24.5**0.5))
    assert online.test_start_gain_mean == pytest.approx(10)
    assert made.loc[JOINT].test_gain_mean == pytest.approx(1.5)
    assert made.loc[CONTINUED].test_gain_mean == pytest.approx(-7.5)
    assert (tent.test_gain_mean, tent.test_start_gain_mean) == pytest.approx((1, 1))
    assert [made.loc[JOINT].test_start_gain_mean, made.loc[CONTINUED].control] == [None, None]
    # The paper's gains: over Main Task Only, which is its only control, and over joint training.
    assert (online.test_paper_gain, online.test_paper_start_gain) == pytest.approx((1.8, 1.8))
    sheet = quality_sheet(made.reset_index(), "test", rows, LABELS)
    shown = markdown("", [sheet], "")
    assert cells(shown, "gain over start (paper)")[-1] == ["+10.0 ± 4.2 (+1.8)"]
    assert cells(shown, "gain (paper)")[:3] == [["–"], ["-7.5 ± 3.5 (–)"], ["+1.5 ± 0.7 (+0.0)"]]
    below = caption(made.reset_index(), rows, paper, "tiny", [])
    over = "over the model trained as long without reconstruction, else Main Task Only."
    for said in (over, "start: before learning", "(over Main Task Only)"):
        assert said in below
    assert "other iterations" not in below


def test_a_gain_that_contains_longer_training_is_said_to():
    two = {name: TRAINED[name] for name in ("main_task_only", JOINT, "tent", "online_ttt_mae")}
    rows = trained(STARTS, {"tent": "main_task_only"})
    made = main_table(tidy(two), rows, PaperNumbers())
    gains = made.set_index("method").test_gain_mean
    assert gains[[JOINT, "online_ttt_mae"]].tolist() == pytest.approx([-6, 4])
    said = "Main Task Only; it was trained for other iterations than 2 rows, which counts as gain"
    assert said in caption(made, rows, PaperNumbers(), "tiny", [])
    equal = trained(STARTS, dict.fromkeys((JOINT, "tent", "online_ttt_mae"), "main_task_only"))
    below = caption(made, equal, PaperNumbers(), "tiny", [])
    assert said not in below
    assert "over Main Task Only, trained as long." in below


def test_table_4_is_an_ablation_and_what_is_selected_for_itself_stands_in_another():
    tables = yaml.safe_load((ROOT / "workflow/config/tables.yaml").read_text())
    table4, selected = (
        [method for group in tables[name]["settings"] for method in group["methods"]]
        for name in ("table4", "memories_selected")
    )
    variants = [MethodId.parse(method) for method in table4]
    assert {method.base for method in variants} == {"online_ttt_mae"}
    assert {setting for method in variants for setting in method.overrides} == {"window", "reset"}
    assert "no ablation" in tables["memories_selected"]["title"]
    # Both stand beside the same rows of the paper.
    for source in (KITTI, {"panoptic": PaperSource("coco_videos")}):
        paper = read_paper(FILES, source)
        (task,) = source
        of_paper = [[paper.value(task, "val", m) for m in rows] for rows in (table4, selected)]
        assert of_paper[0] == of_paper[1]
        assert None not in of_paper[0]
    # Without any ablation there is no table of them, and what is in no table is in the last.
    few = ["main_task_only", "ttt_mae_no_memory", "online_ttt_mae"]
    assert tables_of(tables, few) == ["table1"]
    assert tables_of(tables, [*few, "new"]) == ["table1", "ablations"]
    assert layout_of(tables, "ablations", [*few, "new"])["settings"][-1]["methods"] == ["new"]


def test_an_ablation_is_compared_with_its_own_baseline_too():
    methods = [*MIOU, "temporal_smoothing"]
    metrics = tidy({**MIOU, "temporal_smoothing": (0.51, 0.61)}, split="val")
    table = numbers(metrics, "ablations", methods)
    row = table.loc[SHUFFLED]
    assert row.val_gain_mean == pytest.approx(-14.5)
    assert row.val_baseline_gain_mean == pytest.approx(-18.5)
    assert (row.val_paper_gain, row.val_paper_claim) == (None, "worse")
    assert row.val_paper_baseline_claim == "hurts dramatically"
    assert table.loc["temporal_smoothing"].val_paper_baseline_gain == pytest.approx(0.4)
    shown = quality(metrics, "ablations", methods)
    assert cells(shown, "gain over compared") == [
        ["+1.0 ± 0.0 (+0.4)"], ["-18.5 ± 7.8 (hurts dramatically)"]
    ]  # fmt: skip
    assert cells(shown, "compared with") == [["Main Task Only"], ["Online TTT-MAE"]]
    assert cells(shown, "Method") == [["temporal_smoothing"], [LABELS[SHUFFLED]]]


def test_data_sets_splits_seeds_and_aggregations_are_never_mixed():
    one = {"online_ttt_mae": (0.1, 0.2)}
    metrics = pd.concat([
        tidy(one), tidy({"online_ttt_mae": (0.5,)}, split="val"),
        tidy({"online_ttt_mae": (0.9,)}, dataset="e"),
        tidy({"online_ttt_mae": (0.7, 0.8)}, aggregation="frame_weighted"),
        tidy(one, metric="miou_frames"),
    ])  # fmt: skip
    table = main_table(metrics, layout(), PaperNumbers())
    assert list(table.dataset) == ["d", "e"]
    assert list(table.test_pooled_mean) == pytest.approx([15, 90])
    assert list(table.test_pooled_std) == [pytest.approx(50**0.5), None]
    assert list(table.val_pooled_mean) == [pytest.approx(50), None]
    assert list(table.val_seeds) == [1, None]
    made = main_table(metrics, layout(), PaperNumbers())
    sheets = sheets_of(made, layout(), LABELS)
    # The data set 'e' has no split 'val'.
    assert [sheet.title for sheet in sheets] == [
        "d, semantic, test", "d, semantic, val", "e, semantic, test"
    ]  # fmt: skip
    shown = [cells(markdown("", [sheet], ""), "mIoU")[0] for sheet in sheets]
    assert shown == [["15.0 ± 7.1"], ["50.0"], ["90.0"]]


def test_an_undefined_number_is_shown_and_a_missing_one_is_not_made_up():
    undefined = {**MIOU, "online_ttt_mae": (0.5, np.nan)}
    shown = quality(tidy(undefined))
    assert [row[0] for row in cells(shown, "mIoU")] == [
        "55.0 ± 7.1 (52.5)", "91.0 ± 1.4 (51.2)", "NaN (54.3)"
    ]  # fmt: skip
    assert cells(shown, "gain")[-1] == ["NaN (+1.8)"]
    made = main_table(tidy(undefined), layout(), PaperNumbers())
    # Read as text: a number that is not there is empty, one that is not defined says NaN.
    lines = [line.split(",") for line in csv_text(made).splitlines()]
    online = dict(zip(lines[0], lines[-1], strict=True))
    assert online["test_pooled_mean"] == "NaN"
    assert online["test_paper"] == online["test_scored_frames_mean"] == ""
    assert without_metrics(tidy(undefined), layout(methods=[*MIOU, "tent"])) == ["tent"]
    assert "Not run: Tent." in caption(made, layout(), PaperNumbers(), "tiny", ["Tent"])


@pytest.mark.parametrize(
    ("online", "bold"),
    [
        ((0.63, 0.65), True),  # ahead by 9 points, deviations 1.4 and 7.1
        ((0.60, 0.62), False),  # ahead by 6 points
        ((0.63, np.nan), False),
        ((0.63,), False),
    ],
)
def test_bold_is_the_method_ahead_by_more_than_a_deviation_and_never_the_oracle(online, bold):
    shown = quality(tidy({**MIOU, "online_ttt_mae": online}))
    assert [row[0].startswith("**") for row in cells(shown, "mIoU")] == [False, False, bold]
    assert cells(shown, "Method")[1] == ["offline_ttt_mae_all_frames†"]


def test_costs_have_a_table_of_their_own_by_phase_with_iterations_of_offline_methods():
    two = ["main_task_only", "offline_ttt_mae_all_frames"]
    metrics = pd.concat([
        tidy(MIOU), tidy(MIOU, split="val"),
        tidy({two[0]: (0.0, 0.0), two[1]: (3.0, 5.0)}, metric="wall_time_adapt"),
        tidy({two[0]: (1.0, 1.0), two[1]: (4.0, 6.0)}, metric="seconds_per_frame"),
        tidy({two[0]: (9.0, 9.0), two[1]: (9.0, 9.0)}, metric="seconds_per_frame", split="val"),
        tidy({two[0]: (2.0**21, 2.0**22)}, metric="peak_memory_bytes"),
        tidy({two[0]: (np.nan, 0.25), two[1]: (np.nan,) * 2}, metric="wall_time_score"),
        tidy({two[0]: (np.nan,) * 2, two[1]: (np.nan,) * 2}, metric="peak_gpu_memory_bytes"),
        tidy({two[0]: (0, 0), two[1]: (0, 0)}, metric="resets"),
        tidy({two[0]: (np.nan,) * 2, two[1]: (np.nan,) * 2}, metric="iteration"),
        tidy({two[0]: (np.nan,), two[1]: (200, 1000)}, metric="iteration", aggregation="video"),
    ])  # fmt: skip
    made = cost_table(metrics, two, read_seconds(FILES[0]))
    sheets = cost_sheets(made, LABELS)
    assert [sheet.title for sheet in sheets] == ["d, semantic, test", "d, semantic, val"]
    shown = markdown("", sheets[:1], "")
    assert cells(shown, "adapt") == [["0.000"], ["4.000"]]
    assert cells(shown, "total (paper)") == [["1.000 ± 0.000 (1.8)"], ["5.000 ± 1.414 (1.8)"]]
    assert cells(shown, "slowdown (paper)") == [["1.0 (1.0)"], ["5.0 (1.0)"]]
    assert cells(shown, "peak MiB") == [["3"], ["–"]]
    # Of the seed whose time is known.
    assert cells(shown, "score") == [["0.2500"], ["–"]]
    # There is no GPU.
    assert cells(shown, "GPU") == [[], []]
    assert cells(shown, "iteration") == [["–"], ["200–1000"]]
    assert cells(shown, "resets") == [[], []]
    assert cells(markdown("", sheets[1:], ""), "slowdown") == [["1.0 (1.0)"], ["1.0 (1.0)"]]
    online = cost_table(metrics.replace(two[1], "online_ttt_mae"), METHODS, {two[0]: 2})
    assert online.paper_slowdown.tolist() == [1, None] * 2
    below = cost_caption(made)
    for said in ("over 2 seeds", "one A100", "the paper's does not", "of a scored frame"):
        assert said in below
    assert "resets" not in below
    assert "GPU" not in below
    on_gpu = tidy({two[0]: (2.0**22, 2.0**21)}, metric="peak_gpu_memory_bytes")
    on_gpu = cost_table(pd.concat([metrics, on_gpu]), two, {})
    shown = markdown("", cost_sheets(on_gpu, LABELS)[:1], "")
    assert cells(shown, "peak GPU MiB") == [["3"], ["–"]]
    assert "allocated on the GPU" in cost_caption(on_gpu)
    # Nothing but quality: the main table has no costs.
    assert not [name for name in main_table(metrics, layout(), PaperNumbers()) if "time" in name]
    with pytest.raises(InputError, match="no costs of any of the methods"):
        cost_table(tidy(MIOU), two, {})
    with pytest.raises(InputError, match=r"table4\.csv: no column 'seconds_per_frame'"):
        read_seconds(PAPER / "table4.csv")


def test_a_caption_says_what_compares_with_the_paper():
    two = ["main_task_only", "offline_ttt_mae_all_frames"]
    paper = read_paper(FILES, KITTI)
    made = main_table(tidy(MIOU), layout(methods=two), paper)
    below = caption(made, layout(methods=two), paper, "tiny", [])
    assert "† oracle" in below
    assert "other data (kitti_step) and another model" in below
    same = made.assign(dataset="kitti_step")
    assert "sign" not in caption(same, layout(methods=two), paper, "swin_small", [])


def test_latex_has_a_rule_between_settings_and_no_character_of_its_own_unescaped():
    made = main_table(tidy({**MIOU, "online_ttt_mae": (0.63, 0.65)}), layout(), PaperNumbers())
    sheet = quality_sheet(made, "test", layout(), {"main_task_only": "A & B_c 5%"})
    text = latex("table1", "Title", [sheet], "50 % of -3 ± 1")
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    # Below the headings, and between the three settings.
    assert body.count(r"\midrule") == 3
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows[1:]} == {len(sheet.headings) - 1}
    assert r"A \& B\_c 5\%" in body
    assert r"\textbf{64.0 $\pm$ 1.4}" in body
    assert r"\textit{Independent frames} & " in body
    assert r"50 \% of $-$3 $\pm$ 1" in text
    assert text.isascii()


def test_the_papers_tables_agree_and_a_wrong_data_set_is_named():
    tables = [
        pd.read_csv(PAPER / f"{name}.csv").set_index("method") for name in ("table1", "table4")
    ]
    both = tables[0].index.intersection(tables[1].index)
    for column in tables[1]:
        assert (tables[0].loc[both, column] == tables[1].loc[both, column]).all()
    with pytest.raises(InputError, match="did you mean 'kitti_step'"):
        read_paper(FILES, {"semantic": PaperSource("kiti_step")})


def test_the_papers_numbers_can_stand_beside_a_split_of_another_name():
    sources = {"semantic": PaperSource("kitti_step", {"short": "test"})}
    paper = read_paper(FILES, sources)
    values = [
        paper.value("semantic", split, "online_ttt_mae") for split in ("short", "test", "val")
    ]
    assert values == [54.3, 54.3, 55.4]
    gain = paper.gain("semantic", "short", "online_ttt_mae", "main_task_only")
    assert gain == pytest.approx(1.8)
    assert paper.gain("semantic", "val", "temporal_smoothing", "main_task_only") == 0.4
    # What is called test here is another of the paper's, and so is not the paper's test.
    swapped = read_paper(FILES, {"semantic": PaperSource("kitti_step", {"test": "val"})})
    assert swapped.value("semantic", "test", "online_ttt_mae") == 55.4


def test_the_papers_numbers_are_of_a_task_and_stand_beside_every_split_where_it_has_none():
    sources = {task: PaperSource("coco_videos") for task in ("instance", "panoptic")}
    paper = read_paper(FILES, sources)
    for split in ("test", "val"):
        assert paper.value("instance", split, "main_task_only") == 16.7
        assert paper.value("panoptic", split, "main_task_only") == 13.9
        gain = paper.gain("instance", split, "online_ttt_mae", "main_task_only")
        assert gain == pytest.approx(37.6 - 16.7)
    assert paper.value("semantic", "test", "main_task_only") is None
    assert paper.value("instance", "test", "self_train") is None
    assert read_seconds(FILES[0])["online_ttt_mae"] == 4.1
    with pytest.raises(InputError, match=r"'coco_videos' is no data set .* 'semantic'.*kitti_step"):
        read_paper(FILES, {"semantic": PaperSource("coco_videos")})
    assert read_paper(FILES, {}) == PaperNumbers()


SELF = "self_train"
SEVERAL = {
    **TABLES["table1"],
    "settings": [{"label": "", "methods": ["main_task_only", SELF, "online_ttt_mae"]}],
}
METHODS = ["main_task_only", SELF, "online_ttt_mae"]


def several():
    """Metrics of three tasks on two data sets, one of which lacks a split; two seeds."""
    semantic = {"main_task_only": (0.5, 0.6), SELF: (0.52, 0.6), "online_ttt_mae": (0.55, 0.6)}
    fixed, online = {"main_task_only": (0.10, 0.20)}, {"online_ttt_mae": (0.30, 0.50)}
    parts = [tidy(semantic), tidy(semantic, split="val"), tidy(semantic, metric="miou_frames")]
    coco = {"dataset": "coco", "task": "instance"}
    for metric, aggregation, of_fixed, of_online in (
        ("ap_pooled", "pooled", (0.10, 0.20), (0.30, 0.50)),
        ("ap_pooled", "frame_weighted", (0.12, 0.24), (0.32, 0.52)),
        ("ap_frames", "pooled", (0.20, 0.40), (0.28, 0.50)),
        ("ap50_pooled", "pooled", (0.3, 0.3), (0.6, 0.6)),
        ("seconds_per_frame", "pooled", (1, 1), (2, 2)),
        ("ap:car", "pooled", (0.1, 0.3), (0.2, np.nan)),
    ):
        both = {"main_task_only": of_fixed, "online_ttt_mae": of_online}
        parts.append(tidy(both, metric=metric, aggregation=aggregation, **coco))
    panoptic = {"dataset": "coco", "task": "panoptic", "metric": "pq_pooled"}
    parts.append(tidy({**fixed, **online}, **panoptic))
    return pd.concat(parts)


def test_one_table_has_a_sheet_for_every_data_set_task_and_split():
    rows = Layout(**layout_of({"table1": SEVERAL}, "table1", METHODS))
    sources = KITTI | {task: PaperSource("coco_videos") for task in ("instance", "panoptic")}
    paper = read_paper(FILES, sources)
    made = main_table(several(), rows, paper)
    sheets = {sheet.title: markdown("", [sheet], "") for sheet in sheets_of(made, rows, LABELS)}
    assert list(sheets) == [
        "d, semantic, test", "d, semantic, val", "coco, instance, test", "coco, panoptic, test"
    ]  # fmt: skip
    semantic, instance = sheets["d, semantic, val"], sheets["coco, instance, test"]
    assert cells(semantic, "Method") == [["Main Task Only"], [SELF], ["Online TTT-MAE"]]
    assert cells(semantic, "mIoU (paper)")[1] == ["56.0 ± 5.7 (54.7)"]
    assert cells(instance, "AP (paper)") == [["15.0 ± 7.1 (16.7)"], ["**40.0 ± 14.1** (37.6)"]]
    assert cells(sheets["coco, panoptic, test"], "PQ (paper)")[1] == ["**40.0 ± 14.1** (21.7)"]
    assert cells(instance, "frame AP")[1] == ["39.0 ± 15.6"]
    assert cells(instance, "gain (paper)")[1] == ["+25.0 ± 7.1 (+20.9)"]
    # The CSV has all, under names that say whose.
    online = made[(made.method == "online_ttt_mae") & (made.task == "instance")].iloc[0]
    assert (online.metric, online.test_ap50_pooled_mean) == ("AP", 60)
    assert (online.val_pooled_mean, online.test_miou_frames_mean) == (None, None)
    below = caption(made, rows, paper, "tiny", [])
    for said in ("mIoU, AP, PQ: all frames", "frame: each", "data (kitti_step, coco_videos)"):
        assert said in below
    sheet = sheets_of(made, rows, LABELS)[2]
    assert r"\textit{coco, instance, test}" in latex("t", "T", [sheet], below)


def test_seeds_have_a_column_only_where_methods_differ_in_them():
    assert "seeds" not in quality(tidy(MIOU))
    shown = quality(tidy({**MIOU, "online_ttt_mae": (0.5,)}))
    assert cells(shown, "seeds") == [["2"], ["2"], ["1"]]


def lines_of(text):
    return markdown("", [], text).split("\n\n")[-1].splitlines()


def test_no_caption_has_more_than_five_lines():
    methods = list(dict.fromkeys([*METHODS, *MIOU]))
    sources = KITTI | {task: PaperSource("coco_videos") for task in ("instance", "panoptic")}
    paper = read_paper(FILES, sources)
    absent = ["Self-Train with Class Balance"] * 5
    below = []
    for table in TABLES:
        made = main_table(pd.concat([several(), tidy(MIOU)]), layout(table, methods), paper)
        below.append(caption(made, layout(table, methods), paper, "tiny", absent))
    # All kinds of gains in one table.
    equal = dict.fromkeys(CONTROLS, "main_task_only")
    for controls, lacking in (({}, []), (equal, absent), (CONTROLS, [])):
        rows = replace(trained(STARTS, controls), baselines={"tent": JOINT}, oracles=["tent"])
        made = main_table(pd.concat([several(), tidy(TRAINED)]), rows, paper)
        below.append(caption(made, rows, paper, "tiny", lacking))
    lengths = tidy({"main_task_only": (0.5, 0.6)}, metric="miou_frames", aggregation="as_released")
    below.append(convention_caption(convention_table(pd.concat([several(), lengths]), METHODS)))
    costs = [
        tidy({"main_task_only": (1.0, 2.0)}, metric=metric)
        for metric in (
            "seconds_per_frame",
            "wall_time_score",
            "peak_memory_bytes",
            "peak_gpu_memory_bytes",
            "resets",
        )
    ] + [tidy({"main_task_only": (1.0,)}, metric="iteration", aggregation="video")]
    below.append(cost_caption(cost_table(pd.concat(costs), METHODS, {"main_task_only": 2})))
    few = {"fid_pooled": 3.0, "frames": 5, "frames_undefined": 1, "lpips_frames": np.nan}
    notes = dict.fromkeys(["alexnet", "zhang2016"], "absent")
    below.append(table3(colours(**few), notes)[1])
    checked = {"label": "COCO Videos", "videos": 3, "frames": 10000, "paper_frames": 10000,
               "fps": 30.0, "mean_length_s": 309.2, "paper_mean_length_s": 309.6,
               "problems": 4}  # fmt: skip
    below.append(
        data_caption(pd.DataFrame([{"dataset": "coco_videos", **checked}] * 3, dtype=object))
    )
    for text in below:
        assert len(lines_of(text)) <= 5, text
        assert max(map(len, lines_of(text))) <= WIDTH


def test_conventions_show_what_the_form_alone_changes_and_what_mixing_adds():
    table = convention_table(several(), METHODS)
    rows = table[table.task == "instance"].set_index("method")
    assert list(rows.index) == ["main_task_only", "online_ttt_mae"]
    fixed, online = rows.loc["main_task_only"], rows.loc["online_ttt_mae"]
    # Seeds 0 and 1: pooled 10 and 20, by video 12 and 24, by frame 20 and 40.
    assert (fixed.pooled_mean, fixed.videos_mean, fixed.frames_mean) == pytest.approx((15, 18, 30))
    spread = (fixed.frames_minus_pooled_mean, fixed.frames_minus_pooled_std)
    assert spread == pytest.approx((15, 50**0.5))
    # Online by frame: 28 and 50, less 20 and 40; mixed, less 12 and 24.
    assert (online.gain_pooled_mean, online.gain_videos_mean) == pytest.approx((25, 24))
    assert (online.gain_frames_mean, online.gain_mixed_mean) == pytest.approx((9, 21))
    assert (fixed.gain_pooled_mean, fixed.gain_mixed_mean) == (None, pytest.approx(12))
    mixed = online.gain_frames_mean + fixed.gain_mixed_mean
    assert online.gain_mixed_mean == pytest.approx(mixed)
    sheets = {sheet.title: sheet for sheet in convention_sheets(table, LABELS)}
    shown = markdown("", [sheets["coco, instance, test"]], "")
    assert cells(shown, "gain: mixed") == [["+12.0 ± 5.7"], ["+21.0 ± 7.1"]]
    assert "as released" not in shown
    below = convention_caption(table)
    assert "476" not in below
    summary = {row[0]: row[1:] for row in sheets["Effect of the form"].rows}
    assert summary["coco, instance, test"] == ["+12.0", "1", "0", "0"]
    turned = several()
    by_frame = (turned.method == "online_ttt_mae") & (turned.metric == "ap_frames")
    turned.loc[by_frame, "value"] = 0.25
    *_, last = convention_sheets(convention_table(turned, METHODS), LABELS)
    assert ["coco, instance, test", "+12.0", "1", "1", "0"] in last.rows
    with pytest.raises(InputError, match="none of the methods"):
        convention_table(several(), ["tent"])


def test_conventions_show_the_lengths_of_the_released_code_where_they_differ():
    lengths = {"main_task_only": (0.49, 0.59)}
    weighted = tidy(lengths, metric="miou_frames_gt_or_predicted", aggregation="as_released")
    table = convention_table(pd.concat([several(), weighted]), METHODS)
    rows = table[(table.task == "semantic") & (table.split == "test")].set_index("method")
    assert rows.released_mean["main_task_only"] == pytest.approx(54)
    assert rows.released_mean["online_ttt_mae"] is None
    shown = markdown("", convention_sheets(table, LABELS), "")
    assert shown.count("by frame, as released") == 1
    assert "has 476 frames, not 376" in convention_caption(table)


def test_classes_have_the_metric_of_their_task():
    table = class_table(pd.concat([several(), tidy({SELF: (0.4, 0.6)}, metric="iou:car")]), METHODS)
    assert list(table.columns[:5]) == ["dataset", "task", "split", "metric", "class"]
    rows = table.set_index("task")
    assert rows.metric.to_dict() == {"instance": "AP", "semantic": "IoU"}
    of_instance = rows.loc["instance", METHODS].tolist()
    assert of_instance == pytest.approx([20, np.nan, np.nan], nan_ok=True)
    assert rows.loc["semantic", SELF] == pytest.approx(50)


def test_a_class_without_pixels_in_one_seed_stays_nan():
    metrics = pd.concat([
        tidy({"m": (0.5, 0.7), "n": (0.1, 0.1)}, metric="iou:road"),
        tidy({"m": (0.5, np.nan), "n": (0.2, 0.2)}, metric="iou:car"),
    ])  # fmt: skip
    table = class_table(metrics, ["n", "m", "absent"])
    assert list(table.columns) == ["dataset", "task", "split", "metric", "class", "n", "m"]
    assert list(table["class"]) == ["road", "car"]
    assert table.m.tolist() == pytest.approx([60, np.nan], nan_ok=True)


COLOURS = ["zhang2016", "main_task_only", "online_ttt_mae"]
TABLE3 = read_columns(PAPER / "table3.csv", "coco_videos", "colorization")
# Of seeds 0 and 1: fixed, online.
SCORES = {
    "fid_pooled": ((60, 62), (52, 50)),
    "inception_score_pooled": ((5.0, 5.2), (4.0, 4.2)),
    "inception_score_std_pooled": ((0.3, 0.1), (0.4, 0.2)),
    "lpips_frames": ((0.1, 0.1), (0.3, 0.3)),
    "psnr_pooled": ((20, 21), (19, 20)),
    "psnr_frames": ((21, 22), (20, 23)),
    "ssim_frames": ((0.9, 0.9), (0.8, 0.8)),
    "frames": ((3000, 3000), (3000, 3000)),
    "frames_undefined": ((0, 0), (0, 0)),
}


def colours(seeds=2, dataset="d", aggregation="pooled", **changes):
    """Metrics of two methods that colourise; `changes` are the values of both, of every seed."""
    parts = []
    for metric, values in SCORES.items():
        values = ([changes[metric]] * 2,) * 2 if metric in changes else values
        named = zip(COLOURS[1:], (of_seeds[:seeds] for of_seeds in values), strict=True)
        ids = {"metric": metric, "task": "colorization", "dataset": dataset}
        parts.append(tidy(dict(named), aggregation=aggregation, **ids))
    return pd.concat(parts)


def table3(metrics, notes=(), model="tiny", paper=TABLE3):
    """Return table 3 as people read it: the table, and what stands below it."""
    notes = dict(notes)
    made = colour_table(metrics, COLOURS, paper, notes)
    without = [method for method in COLOURS if method not in set(made.method)]
    sheets = [colour_sheet(made, paper, LABELS), *absent_sheets(made, LABELS, notes, without)]
    below = colour_caption(made, paper, LABELS, model, notes, without)
    return markdown("", sheets, ""), below


def test_table_3_tells_its_two_spreads_apart_and_has_the_papers_rows_below_ours():
    shown, below = table3(colours())
    assert cells(shown, "Method") == [[LABELS.get(m, m)] for m in [*COLOURS[1:], *COLOURS]]
    assert cells(shown, "Data") == [["d test"], [""], ["paper: COCO Videos"], [""], [""]]
    assert cells(shown, "FID ↓") == [
        ["61.00 ± 1.41"], ["**51.00 ± 1.41**"], ["62.39"], ["59.96"], ["56.47"]
    ]  # fmt: skip
    assert cells(shown, "frames") == [["3,000"]] * 2 + [["10,475"]] * 3
    assert cells(shown, "(± splits)") == [
        ["**5.10 ± 0.20**"], ["4.10 ± 0.30"], ["5.00 ± 0.19"], ["5.23 ± 0.12"], ["5.31 ± 0.18"]
    ]  # fmt: skip
    assert cells(shown, "IS ± seeds") == [["0.14"]] * 2 + [["–"]] * 3
    # Far ahead in LPIPS, but which end is the better one is the question.
    assert cells(shown, "LPIPS ↑")[:3] == [["0.100 ± 0.000"], ["0.300 ± 0.000"], ["0.180"]]
    assert cells(shown, "PSNR ↑ (dB)")[:2] == [["21.50 ± 0.71"], ["21.50 ± 2.12"]]
    assert cells(shown, "SSIM")[:3] == [["**0.900 ± 0.000**"], ["0.800 ± 0.000"], ["0.924"]]
    for said in ("Not run: zhang2016.", "over 2 seeds", "is a distance", "10 splits",
                 "other data (coco_videos) and another model"):  # fmt: skip
        assert said in below
    for unsaid in ("‡", "network", "PSNR"):
        assert unsaid not in below
    one, below = table3(colours(seeds=1))
    assert cells(one, "FID")[:2] == [["60.00"], ["52.00"]]
    assert cells(one, "IS")[:2] == [["5.00 ± 0.30"], ["4.00 ± 0.40"]]
    assert "One seed." in below
    alone, below = table3(colours(), paper={})
    assert len(cells(alone, "Data")) == 2
    assert "The paper's rows" not in below
    _, below = table3(colours(dataset="coco_videos"), model="swin_small")
    assert "other data" not in below


def test_fid_of_few_frames_is_marked_and_undefined_numbers_are_not_taken_for_missing_ones():
    few = pd.concat([colours(frames=2047), colours(dataset="e", frames=2048)])
    shown, below = table3(few)
    marked = ["‡" in cell for (cell,) in cells(shown, "FID")]
    # The paper's rows have 10,475.
    assert marked == [True, True, False, False, False, False, False]
    assert "‡ FID is biased below 2,048 frames" in below
    shown, below = table3(colours(fid_pooled=np.nan, frames=5, frames_undefined=1))
    assert cells(shown, "FID")[:2] == [["NaN"]] * 2
    assert "‡" not in below
    assert "PSNR: frames with an error only" in below


def test_what_lacks_its_network_is_left_out_with_the_reason():
    undefined = ("fid_pooled", "inception_score_pooled", "inception_score_std_pooled")
    metrics = colours(**dict.fromkeys([*undefined, "lpips_frames"], np.nan))
    notes = {name: f"{name}.pth is not there." for name in ("inception", "alexnet", "zhang2016")}
    shown, below = table3(metrics, notes)
    assert cells(shown, "S ↑")[:2] == [["–", "–"]] * 2
    assert cells(shown, "FID")[:2] == [["–"]] * 2
    assert cells(shown, "PSNR")[0] == ["21.50 ± 0.71"]
    made = colour_table(metrics, COLOURS, {}, notes)
    (absent,) = absent_sheets(made, LABELS, notes, ["zhang2016"])
    assert absent.rows == [
        ["FID and IS", "inception.pth is not there."],
        ["LPIPS", "alexnet.pth is not there."],
        ["zhang2016", "zhang2016.pth is not there."],
    ]
    assert "network is absent" in below
    assert "Not run" not in below
    assert made.fid_pooled_mean.tolist() == [None, None]
    # Notes on what is there after all are not shown.
    assert "network" not in table3(colours(), {"inception": "?", "online_ttt_mae": "?"})[1]


def test_the_csv_of_table_3_has_every_number_of_every_video():
    video = colours(aggregation="video").assign(video="v")
    made = colour_table(pd.concat([video, colours()]), COLOURS, TABLE3, {})
    assert list(zip(made.aggregation, made.video, strict=True)) == (
        [("pooled", "all")] * 2 + [("video", "v")] * 2
    )
    assert {f"{metric}_{of}" for metric in SCORES for of in ("mean", "std")} < set(made)
    online = made[made.method == "online_ttt_mae"].iloc[0]
    assert (online.psnr_pooled_mean, online.paper_fid) == (19.5, 56.47)
    assert made.paper_fid.tolist()[2:] == [None, None]
    with pytest.raises(InputError, match="no colorization by any of the methods"):
        colour_table(several(), COLOURS, TABLE3, {})


def test_no_other_table_takes_decibels_for_percent():
    both = pd.concat([several(), colours()])
    pd.testing.assert_frame_equal(percentages(both), several())
    with pytest.raises(InputError, match="no task is scored in percent"):
        percentages(colours())


def test_table_1_has_the_psnr_of_colorization_in_decibels():
    both = pd.concat([several(), colours()])
    made = main_table(both, layout(), PaperNumbers())
    row = made[(made.task == "colorization") & (made.method == "online_ttt_mae")].iloc[0]
    assert (row.metric, row.test_pooled_mean) == ("PSNR", 19.5)
    assert row.test_gain_mean == 19.5 - 20.5
    titles = {sheet.title: sheet for sheet in sheets_of(made, layout(), LABELS)}
    headings = [name for _, name in titles["d, colorization, test"].headings]
    assert headings[1:3] == ["PSNR (dB)", "frame PSNR (dB)"]


def call(verb, **options):
    """Run one verb of the tables as the command line does."""
    words = [verb]
    for name, value in options.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    options = parser([verb]).parse_args(words)
    options.run(options)


def test_the_verbs_write_every_form_of_a_table_or_nothing(tmp_path):
    metrics = tmp_path / "metrics.csv"
    pd.concat([tidy(MIOU), tidy(MIOU, metric="iou:road")]).to_csv(metrics, index=False)
    forms = {form: tmp_path / "out" / form for form in ("csv", "markdown", "latex")}
    rows = json.dumps(layout_of(TABLES, "ablations", list(MIOU)))
    options = {"metrics": metrics, "layout": rows, "labels": json.dumps(LABELS), "model": "tiny",
               "paper": FILES, **forms}  # fmt: skip
    call("table", **options, beside=json.dumps({"semantic": {"dataset": "kitti_step"}}))
    assert pd.read_csv(forms["csv"]).method.tolist() == [SHUFFLED]
    assert LABELS[SHUFFLED] in forms["markdown"].read_text()
    assert r"\label{tab:ablations}" in forms["latex"].read_text()
    call("class-table", metrics=metrics, methods=",".join(MIOU), output=tmp_path / "classes.csv")
    assert list(pd.read_csv(tmp_path / "classes.csv"))[-4:] == list(MIOU)
    forms_of = {form: tmp_path / f"conventions.{form}" for form in ("csv", "markdown")}
    call("convention-table", metrics=metrics, methods=",".join(MIOU), labels="{}", **forms_of)
    assert pd.read_csv(forms_of["csv"]).method.tolist() == list(MIOU)
    assert "mixed" in forms_of["markdown"].read_text()
    with pytest.raises(SystemExit):
        call("table", **options, beside=json.dumps({"semantic": {"data_set": "kitti_step"}}))

    pd.concat([tidy(MIOU), colours()]).to_csv(metrics, index=False)
    beside = {"semantic": {"dataset": "kitti_step"}, "colorization": {"dataset": "coco_videos"}}
    call("table", **options, beside=json.dumps(beside))
    assert pd.read_csv(forms["csv"]).method.tolist() == [SHUFFLED]
    of_colours = {form: tmp_path / f"table3.{form}" for form in forms}
    colour_options = {"metrics": metrics, "methods": ",".join(COLOURS), "labels": "{}",
                      "model": "tiny", "paper": PAPER / "table3.csv", **of_colours}  # fmt: skip
    call("colour-table", **colour_options, beside=json.dumps(beside),
         notes=json.dumps({"zhang2016": "not there"}))  # fmt: skip
    assert pd.read_csv(of_colours["csv"]).method.tolist() == COLOURS[1:]
    assert re.search(r"\| zhang2016 +\| not there", of_colours["markdown"].read_text())
    assert of_colours["latex"].read_text().isascii()
    with pytest.raises(InputError, match="did you mean 'coco_videos'"):
        call("colour-table", **colour_options, beside='{"colorization": {"dataset": "coco_vidos"}}')

    for path in forms.values():
        path.unlink()
    pd.DataFrame({"method": ["m"]}).to_csv(metrics, index=False)
    with pytest.raises(InputError, match="no column 'dataset'"):
        call("table", **options)
    tidy({"other": (0.5,)}).to_csv(metrics, index=False)
    with pytest.raises(InputError, match="no metrics of a method of table 'ablations'"):
        call("table", **options)
    with pytest.raises(InputError, match=r"absent\.csv: no such file"):
        call("table", **{**options, "metrics": tmp_path / "absent.csv"})
    assert not any(path.exists() for path in forms.values())
