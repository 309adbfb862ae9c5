"""What has to be said below a table."""

import pandas as pd

from videottt.report.tables.layout import Layout
from videottt.report.tables.numbers import splits_of, streams_of
from videottt.report.tables.paper import PaperNumbers
from videottt.report.tables.sheets import ABSENT, ORACLE, cost_split, stream_of

# Section 4.3: Mask2Former with a Swin-S encoder.
PAPER_MODEL = "swin_small"

# What the two forms of each task's metric are.
FORMS = {
    "semantic": "mIoU: counts pooled over all frames of a split, averaged over the classes in the "
    "ground truth. frame mIoU: one value a frame, averaged over frames, a class predicted but "
    "absent counting as 0, as in the authors' code.",
    "instance": "AP: predictions of all frames of a split ranked together by their score, one "
    "precision-recall curve a class and threshold of overlap (0.50 to 0.95), averaged over "
    "thresholds and the classes in the ground truth. frame AP: every frame evaluated as if it were "
    "the data set, averaged over the frames that have objects, as in the authors' code for "
    "test-time training.",
    "panoptic": "PQ: segments matched frame by frame, the matches and misses of each class counted "
    "over all frames of a split, then averaged over classes. frame PQ: the same for every frame by "
    "itself, averaged over frames, as in the authors' code for test-time training.",
}
MIXED = (
    "The two forms are different quantities and cannot be mixed: a frame by itself has fewer "
    "classes, and its predictions compete with those of no other frame. The authors' released code "
    "scores its baseline on COCO Videos pooled over a video but its test-time training frame by "
    "frame; here every method has both, and no gain is of two."
)


def caption(
    table: pd.DataFrame, layout: Layout, paper: PaperNumbers, model: str, without: list[str]
) -> str:
    """Return the conventions of a table and what must not be read into it.

    Args:
        table: of `numbers.main_table`.
        layout: its rows.
        paper: published numbers; without any, nothing is said about them.
        model: preset of the study.
        without: labels of methods without metrics.
    """
    sentences = [*_conventions(table, layout), *_costs(table)]
    if layout.oracles:
        sentences.append(
            f"{ORACLE} is an oracle: its iteration is the best of each video by the labels it is "
            "scored with (section 6.1), so it competes with none."
        )
    sentences += _about_paper(table, paper, model)
    if without:
        sentences.append(f"Not run, or for none of these tasks: {', '.join(without)}.")
    return " ".join(sentences)


def forms_of(tasks: list[str]) -> list[str]:
    """Return what the two forms of the metric of each task are, and why they cannot be mixed."""
    segments = [MIXED] if set(tasks) - {"semantic"} else []
    return [*(FORMS[task] for task in tasks if task in FORMS), *segments]


def spread_text(most: int) -> str:
    """Return what numbers of up to so many seeds are."""
    return f"mean ± standard deviation over {most} seeds" if most > 1 else "one seed"


def other_than_paper(datasets: list[str], model: str) -> list[str]:
    """Return what the paper's numbers differ in from ours, if in anything.

    Args:
        datasets: "theirs, not ours" of every data set that is not the paper's.
        model: preset of the study.
    """
    differences = [f"data ({'; '.join(datasets)})"] if datasets else []
    if model != PAPER_MODEL:
        differences.append(f"model (Mask2Former with Swin-S, not the preset {model})")
    if not differences:
        return []
    return [
        f"The paper's numbers are of other {' and another '.join(differences)}: only the signs and "
        "the order of gains compare, not the values."
    ]


def _conventions(table: pd.DataFrame, layout: Layout) -> list[str]:
    most = max(value or 0 for split in splits_of(table) for value in table[f"{split}_seeds"])
    metrics = " or ".join(dict.fromkeys(table.metric))
    sentences = [
        f"In percent, {spread_text(most)}.",
        *forms_of(list(dict.fromkeys(table.task))),
        "How far the forms differ for the same predictions is in the table of conventions.",
        "The CSV has the other metrics too, pooled and by frame.",
        f"gain: points of {metrics} over Main Task Only"
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
    streams = {stream: stream_of(table, *stream) for stream in streams_of(table)}
    splits = {stream: cost_split(rows) for stream, rows in streams.items()}
    places = dict.fromkeys(splits.values())
    if len(places) > 1:
        places = dict.fromkeys(f"{split} of {dataset}" for (dataset, _), split in splits.items())
    sentences = [
        "adapt: everything that learns from a frame; times are wall time on the machine of this "
        f"run, on split {' and '.join(places)}. {ABSENT}: not measured, not published, or no such "
        "method for that task. NaN: not defined. Counts that are 0 for every method are left out."
    ]
    memory = [
        rows[f"{splits[s]}_peak_memory_mib_mean"].notna().any() for s, rows in streams.items()
    ]
    if any(memory):
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
    """Return what the paper's numbers are of, for the tasks that have any."""
    streams = [(d, t) for d, t in streams_of(table) if t in paper.datasets]
    if not streams:
        return []
    others = dict.fromkeys(
        f"{paper.datasets[task]}, not {dataset}"
        for dataset, task in streams
        if dataset != paper.datasets[task]
    )
    sentences = other_than_paper(list(others), model)
    tasks = dict.fromkeys(task for _, task in streams)
    metrics = " and ".join(dict.fromkeys(table.metric[table.task.isin(tasks)]))
    sentences.append(
        f"Which form of {metrics} the paper's numbers have is not stated there (the released code "
        "averages over frames"
        + (", but for the baseline on COCO Videos)." if set(tasks) - {"semantic"} else ").")
    )
    if set(tasks) - {"semantic"}:
        sentences.append(
            "The paper's numbers on COCO Videos are of all its videos; they stand beside every "
            "split of ours."
        )
    if paper.wall_time:
        sentences.append("The paper's times are of one A100 GPU, on KITTI-STEP.")
    return sentences
