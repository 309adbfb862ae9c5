"""What has to be said below a table."""

import pandas as pd

from videottt.tables.layout import Layout
from videottt.tables.numbers import splits_of
from videottt.tables.paper import PaperNumbers
from videottt.tables.sheets import ABSENT, ORACLE, cost_split

# Section 4.3: Mask2Former with a Swin-S encoder.
PAPER_MODEL = "swin_small"


def caption(
    table: pd.DataFrame, layout: Layout, paper: PaperNumbers, model: str, without: list[str]
) -> str:
    """Return the conventions of a table and what must not be read into it.

    Args:
        table: of `numbers.main_table`.
        layout: its rows.
        paper: published numbers; without any, nothing is said about them.
        model: preset of the study.
        without: labels of methods without metrics, hence without a row.
    """
    sentences = [*_conventions(table, layout), *_costs(table)]
    if layout.oracles:
        sentences.append(
            f"{ORACLE} is an oracle: its iteration is the best of each video by the labels it is "
            "scored with (section 6.1), so it competes with none."
        )
    if paper.dataset:
        sentences += _about_paper(table, paper, model)
    if without:
        sentences.append(f"Without metrics, hence without a row: {', '.join(without)}.")
    return " ".join(sentences)


def _conventions(table: pd.DataFrame, layout: Layout) -> list[str]:
    most = max(value or 0 for split in splits_of(table) for value in table[f"{split}_seeds"])
    spread = f"mean ± standard deviation over {most} seeds" if most > 1 else "one seed"
    sentences = [
        f"In percent, {spread}. mIoU: counts pooled over all frames of a split, averaged over the "
        "classes in the ground truth. frame mIoU: one value a frame, averaged over frames, a class "
        "predicted but absent counting as 0, as in the authors' code. The CSV has both averages "
        "over both sets of classes.",
        "gain: points of mIoU over Main Task Only"
        + (", and over the method compared with" if layout.baselines else "")
        + ", seed by seed; over Main Task Only it includes what joint training alone does (the row "
        "MAE Joint Training of table 1) for methods that start from its checkpoint.",
    ]
    if most > 1:
        sentences.append(
            "Bold: better than every other row by more than the larger of the two deviations."
        )
    return sentences


def _costs(table: pd.DataFrame) -> list[str]:
    sentences = [
        "adapt: everything that learns from a frame; times are wall time on the machine of this "
        f"run, on split {cost_split(table)}. {ABSENT}: not measured or not published. NaN: not "
        "defined. Counts that are 0 for every method are left out."
    ]
    if table[f"{cost_split(table)}_peak_memory_mib_mean"].notna().any():
        sentences.append(
            "peak MiB: the most that a video took; on a CPU of the whole process, libraries "
            "included, on a GPU what was allocated there."
        )
    if any(value for split in splits_of(table) for value in table[f"{split}_resets_mean"]):
        sentences.append(
            "resets: how often class balance (section 5.1) found the predictions collapsed, summed "
            "over a split's videos, mean over seeds."
        )
    bounds = [f"{split}_iteration_max" for split in splits_of(table)]
    if table[bounds].notna().any(axis=None):
        sentences.append(
            "Offline methods learn once from a whole video: our time spreads that over its frames, "
            "the paper's 1.8 s leave it out. iteration: the one scored, least to most over videos "
            "and seeds."
        )
    return sentences


def _about_paper(table: pd.DataFrame, paper: PaperNumbers, model: str) -> list[str]:
    others = [dataset for dataset in dict.fromkeys(table.dataset) if dataset != paper.dataset]
    differences = []
    if others:
        differences.append(f"data ({paper.dataset}, not {', '.join(others)})")
    if model != PAPER_MODEL:
        differences.append(f"model (Mask2Former with Swin-S, not the preset {model})")
    sentences = [
        "Which convention of mIoU the paper's numbers follow is not stated there (the released "
        "code averages over frames)."
    ]
    if differences:
        sentences.insert(
            0,
            f"The paper's numbers are of other {' and another '.join(differences)}: only the signs "
            "and the order of gains compare, not the values.",
        )
    if paper.seconds:
        sentences.append("The paper's times are of one A100 GPU.")
    return sentences
