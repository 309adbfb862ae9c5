"""Write the captions of tables: at most five lines; docs/metrics.md holds the details."""

from collections.abc import Iterable, Sequence

import pandas as pd

from videottt.evaluation.metrics import headline
from videottt.report.tables.layout import REFERENCE, Layout
from videottt.report.tables.numbers import splits_of, streams_of
from videottt.report.tables.paper import PaperNumbers
from videottt.report.tables.sheets import ABSENT, ORACLE

# Section 4.3: Mask2Former with a Swin-S encoder.
PAPER_MODEL = "swin_small"

# Names that a caption lists; it counts the others.
NAMED = 1
MORE = "More: docs/metrics.md."


def caption(
    table: pd.DataFrame, layout: Layout, paper: PaperNumbers, model: str, without: list[str]
) -> str:
    """Return how to read a main table, and what not to read into it.

    Args:
        table: of `numbers.main_table`.
        layout: its rows.
        paper: published numbers; without any, the caption does not mention the paper.
        model: preset of the study.
        without: labels of methods without metrics.
    """
    seeds = [value for split in splits_of(table) for value in table[f"{split}_seeds"]]
    sentences = [
        f"In percent{_other_units(table.task)}, {spread_text(seeds)}.",
        forms_of(table.task),
        *_about_gains(table, layout),
    ]
    if _most(seeds) > 1:
        sentences.append("Bold: ahead by more than a deviation.")
    if layout.oracles:
        sentences.append(f"{ORACLE} oracle: chosen by the scored labels.")
    sentences.append(f"{ABSENT}: not run or not published.")
    sentences += _about_paper(table, layout, paper, model)
    if without:
        sentences.append(f"Not run: {listed(without)}.")
    return " ".join([*sentences, MORE])


def _other_units(tasks: Iterable[str]) -> str:
    """Return which metrics are in another unit than percent."""
    lines = [headline(task) for task in dict.fromkeys(tasks)]
    return "".join(f", {line.name} in {line.unit}" for line in lines if line.unit != "%")


def _about_gains(table: pd.DataFrame, layout: Layout) -> list[str]:
    """Return what the gains of a main table are over, and what they contain beside learning."""
    over = "Main Task Only"
    if set(layout.controls.values()) == {REFERENCE} and not layout.uncontrolled:
        over += ", trained as long"
    elif set(layout.controls.values()) - {REFERENCE}:
        over = f"the model trained as long without reconstruction, else {over}"
    longer = [method for method in layout.uncontrolled if method in set(table.method)]
    if longer:
        rows = f"{len(longer)} row{'s' * (len(longer) > 1)}"
        over += f"; it was trained for other iterations than {rows}, which counts as gain"
    sentences = [f"gain: points, seed by seed, over {over}."]
    if REFERENCE not in set(table.method) and not layout.controls:
        sentences = ["gain: points, seed by seed, over Main Task Only, which is not run here."]
    if any(table.start.notna()):
        sentences.append("start: before learning.")
    return sentences


def forms_of(tasks: Iterable[str]) -> str:
    """Return the difference between the two forms of the metrics of some tasks."""
    names = [headline(task).name for task in dict.fromkeys(tasks)]
    return f"{', '.join(names)}: all frames at once; frame: each alone, averaged."


def spread_text(seeds: Sequence[float | None]) -> str:
    """Return how numbers of so many seeds a row are written."""
    most = _most(seeds)
    return f"mean ± standard deviation over {most} seeds" if most > 1 else "one seed"


def _most(seeds: Sequence[float | None]) -> int:
    return int(max(value or 0 for value in seeds))


def listed(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def other_than_paper(datasets: Sequence[str], model: str) -> str:
    """Return how the paper's numbers differ from ours, "" if they do not.

    Args:
        datasets: data sets of the paper that are not ours.
        model: preset of the study.
    """
    differences = [f"data ({', '.join(datasets)})"] if datasets else []
    if model != PAPER_MODEL:
        differences.append("model (Swin-S)")
    if not differences:
        return ""
    others = " and another ".join(differences)
    return f"of other {others}: compare only signs and order of gains"


def _about_paper(table: pd.DataFrame, layout: Layout, paper: PaperNumbers, model: str) -> list[str]:
    streams = [(d, t) for d, t in streams_of(table) if t in paper.datasets]
    if not streams:
        return []
    theirs = {task: paper.datasets[task] for _, task in streams}
    others = dict.fromkeys(theirs[task] for dataset, task in streams if dataset != theirs[task])
    # The paper has no other model to take the gain over.
    over = " (over Main Task Only)" * bool(set(layout.controls.values()) - {REFERENCE})
    parts = [f"In brackets: the paper{over}", other_than_paper(list(others), model)]
    return [f"{', '.join(filter(None, parts))}."]
