"""Results stand in the pages as the code of today makes them, and a change of either is noticed."""

import copy
import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from docs.pages import PAGES
from support import ROOT
from videottt.core.errors import InputError
from videottt.evaluation.scores import FORMAT, VERSION
from videottt.report.tables import written
from videottt.store.hdf5 import new_file, write_attributes
from videottt.study import included, remade_tables
from videottt.study.included import blocks_of, filled, include, without_blocks
from videottt.study.shipped_results import MADE, read_made

WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]
# Pages about results alone, and the README's section: all numbers there are of a study.
OF_RESULTS = [ROOT / "README.md", ROOT / "docs/results.md", ROOT / "docs/tables.md"]
CELL = re.compile(r"\**[+-]?\d+(\.\d+)?( ± \d+(\.\d+)?)?( \(.*\))?\**")
# What only a measurement can say: a gain, or a mean with its spread; and any fraction, but for the
# numbers of sections and millions of parameters.
MEASURED = r"[+-]\d+\.\d+|\d+(?:\.\d+)? ± \d+(?:\.\d+)?"
FRACTION = MEASURED + r"|(?<!section )(?<![\d.])\d+\.\d+(?! M)"
COMMIT = "1234567890abcdef1234567890abcdef12345678"
PAGE = """# A study
<!-- results: tiny_demo/table1 rows="main_task_only;online_ttt_mae" columns="gain (paper)" -->
Something stale.
<!-- end of results -->
and
<!-- results: tiny_demo/figures/tiny_demo/bars.png alt="All bars" -->
<!-- end of results -->
<!-- results: tiny_demo/cost -->
<!-- end of results -->
<!-- results: camvid/table1 -->
<!-- end of results -->
"""
VALUES = {"main_task_only": 0.5, "mae_joint_training": 0.52, "online_ttt_mae": 0.55}


def by_name(page):
    return str(page.relative_to(ROOT))


def own_text(page):
    """Return what people wrote about results on a page."""
    text = without_blocks(page).replace("−", "-")
    return (
        text.partition("\n## Results\n")[2].partition("\n## ")[0]
        if page == ROOT / "README.md"
        else text
    )


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=by_name)
def test_the_page_shows_what_the_code_makes_of_the_results(page):
    assert filled(page, ROOT) == page.read_text(encoding="utf-8"), (
        f"{by_name(page)} does not show the results as the code makes them today: run "
        "'make results STUDY=<id>' for its studies, after the workflow where that has changed"
    )


@pytest.mark.parametrize("page", OF_RESULTS, ids=by_name)
def test_no_number_is_typed_by_hand(page):
    text = own_text(page)
    assert text
    for line in text.splitlines():
        cells = line.strip().strip("|").split("|") if line.startswith("|") else []
        assert not any(CELL.fullmatch(cell.strip()) for cell in cells), f"a table outside: {line}"
    assert "![" not in text, "a figure outside of the blocks that 'make results' writes"
    shown = " ".join(b.inside for each in OF_RESULTS for b in blocks_of(each)).replace("*", "")
    # The explanations of tables name thresholds and the paper's seconds, too.
    for number in re.findall(MEASURED if page.stem == "tables" else FRACTION, text):
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", shown), (
            f"{number} stands in no row of the included tables"
        )


def test_every_shipped_file_is_shown():
    studies = {block.study for page in WITH_BLOCKS for block in blocks_of(page)}
    for folder in (ROOT / included.SHIPPED).glob("*/"):
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert files == {MADE, *read_made(folder)["files"]}
        assert folder.name in studies


@pytest.fixture
def results(tmp_path):
    """Results of a study as the workflow leaves them, of three methods and two seeds."""
    rows = ["dataset,split,task,method,seed,aggregation,video,metric,value"]
    for method, value in VALUES.items():
        for seed in (0, 1):
            ids = f"synthetic,short,semantic,{method},{seed}"
            numbers = {"miou_pooled": value + seed / 100, "miou_frames": value, "frames": 9}
            numbers |= {"seconds_per_frame": 0.25, "iou:road": 0.9}
            rows += [f"{ids},pooled,all,{name},{number}" for name, number in numbers.items()]
            rows += [f"{ids},video,short_0,{name},{number}" for name, number in numbers.items()]
            path = tmp_path / f"results/scores/synthetic/semantic/{method}/seed{seed}/short_0.h5"
            path.parent.mkdir(parents=True)
            made = {"commit": COMMIT, "dirty": False, "device": "cpu", "python": "3.11"}
            record = json.dumps({"predictions": made})
            with new_file(path) as file:
                write_attributes(file, format=FORMAT, version=VERSION, provenance=record)
    (tmp_path / "results/metrics").mkdir()
    (tmp_path / "results/metrics/tiny_demo.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "results/figures/tiny_demo").mkdir(parents=True)
    Image.new("RGB", (3000, 300)).save(tmp_path / "results/figures/tiny_demo/bars.png")
    times = tmp_path / "results/benchmarks/score/synthetic/semantic/short_0.tsv"
    times.parent.mkdir(parents=True)
    times.write_text("s\th:m:s\n1800.0\t0:30:00\n")
    (tmp_path / "project/docs").mkdir(parents=True)
    (tmp_path / "project/README.md").write_text(PAGE)
    return tmp_path / "results"


def test_a_study_is_included_with_its_commit(results):
    project = results.parent / "project"
    page = project / "README.md"
    stale = project / "docs/results/tiny_demo/figures/old.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    include("tiny_demo", results, project)
    text = page.read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[:4] == [
        "| Method | gain (paper) |",
        "| :-- | --: |",
        "| Main Task Only | – |",
        "| Online TTT-MAE | +5.0 ± 0.0 (+1.8) |",
    ]
    assert f"from commit `{COMMIT[:10]}` (2 seeds, cpu, 0.5 hours of jobs)" in text
    assert "![All bars](docs/results/tiny_demo/figures/tiny_demo/bars.png)" in text
    assert "`make results STUDY=camvid`" in text
    assert "stale" not in text
    assert not stale.exists()
    with Image.open(project / "docs/results/tiny_demo/figures/tiny_demo/bars.png") as figure:
        assert figure.width < 3000
    assert filled(page, project) == text
    metrics = (project / "docs/results/tiny_demo/metrics.csv").read_text()
    assert "iou:road" not in metrics
    assert "short_0" not in metrics


def changed_label(config):
    config["methods"]["online_ttt_mae"]["label"] = "Online"


def changed_title(config):
    config["tables"]["table1"]["title"] = "Table 1"


def without_a_row(config):
    config["tables"]["table1"]["settings"][0]["methods"].remove("main_task_only")


@pytest.mark.parametrize("change", [changed_label, changed_title, without_a_row])
def test_a_change_of_the_configuration_is_noticed(results, monkeypatch, change):
    project = results.parent / "project"
    page = project / "README.md"
    page.write_text("<!-- results: tiny_demo/table1 -->\n<!-- end of results -->\n")
    include("tiny_demo", results, project)
    assert filled(page, project) == page.read_text()
    config = copy.deepcopy(remade_tables.configuration("tiny_demo"))
    change(config)
    monkeypatch.setattr(remade_tables, "configuration", lambda study: config)
    remade_tables.remade_table.cache_clear()
    assert filled(page, project) != page.read_text()
    remade_tables.remade_table.cache_clear()


def test_a_change_of_a_column_or_of_a_number_is_noticed(results, monkeypatch):
    project = results.parent / "project"
    page = project / "README.md"
    page.write_text("<!-- results: tiny_demo/table1 -->\n<!-- end of results -->\n")
    include("tiny_demo", results, project)
    right = page.read_text()
    page.write_text(right.replace("55.5", "56.5"))
    assert filled(page, project) == right

    with monkeypatch.context() as patched:
        make = written.sheets_of

        def renamed(*arguments):
            sheets = make(*arguments)
            return [replace(s, headings=[*s.headings[:-1], ("", "points")]) for s in sheets]

        patched.setattr(written, "sheets_of", renamed)
        remade_tables.remade_table.cache_clear()
        assert filled(page, project) != right
    remade_tables.remade_table.cache_clear()

    kept = project / "docs/results/tiny_demo/metrics.csv"
    kept.write_text(kept.read_text().replace("0.55,", "0.65,").replace("0.55\n", "0.65\n"))
    with pytest.raises(InputError, match="changed by hand"):
        filled(page, project)


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ('tiny_demo/table1 rows="tent"', "no row 'Tent'; there is: .*Main Task Only"),
        ('tiny_demo/table1 columns="PQ"', "no column 'PQ'; there is: mIoU"),
        ("tiny_demo/table1 colums=gain", "did you mean 'columns'"),
        ('tiny_demo/table1 rows="tent', "mend its quotes"),
        ("tiny_demo/diagnosis", r"diagnosis.csv: no such file"),
        ("tiny_demo/figures/tiny_demo/no.png", r"no.png: no such file"),
    ],
)
def test_a_block_that_asks_for_what_is_not_there_is_refused(results, block, error):
    project = results.parent / "project"
    (project / "README.md").write_text(f"<!-- results: {block} -->\n<!-- end of results -->\n")
    with pytest.raises(InputError, match=error):
        include("tiny_demo", results, project)


def test_a_block_without_an_end_is_refused(results):
    project = results.parent / "project"
    (project / "README.md").write_text(f"<!-- results: tiny_demo/cost -->\n{PAGE}")
    with pytest.raises(InputError, match="has no end"):
        include("tiny_demo", results, project)


def test_studies_that_select_nothing_pin_what_was_selected(config):
    shipped = ROOT / "docs/results/demo_full/selection.json"
    selected = json.loads(shipped.read_text(encoding="utf-8"))
    pinned = config["studies"]["tiny_demo"]["pinned"]
    for place, entry in selected.items():
        method = place.rpartition("/")[2]
        assert entry["at_edge"] == [], method
        # A window without a limit is null in a grid.
        assert pinned[method] == entry["selected"], method
    iteration = selected["synthetic/semantic/offline_ttt_mae_all_frames"]["iteration"]
    assert pinned["offline_ttt_mae_fixed_iteration"] == {"iteration": iteration}
