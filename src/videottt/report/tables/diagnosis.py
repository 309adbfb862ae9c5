"""Lay out diagnoses as text: reconstruction, gradients, and one step, a row for each video."""

import pandas as pd

from videottt.evaluation.diagnosis.steps import AGAINST, ALONG, CHECKPOINT, RANDOM
from videottt.report.tables.caption import spread_text
from videottt.report.tables.sheets import Sheet, spreads_of

TITLE = "Diagnosis: can adaptation work with these checkpoints on these videos"
# Heading of a place of the weights.
PLACES = {CHECKPOINT: "θ₀", ALONG: "along", AGAINST: "against", RANDOM: "at random"}
FILLED = {"decoder": "g", "mean": "mean", "inverse_distance": "inverse distance"}
SOURCES = {"video": "error of masked pixels", "stills": "on training stills"}
# A column: (shared heading, own heading), name of the quantity, form of its numbers.
Column = tuple[tuple[str, str], str, str]

BEFORE: list[Column] = [
    *(
        ((over, own), f"{source}_error_{name}", ".2f")
        for source, over in SOURCES.items()
        for name, own in FILLED.items()
    ),
    (("gradients", "‖∇ℓ_m‖ / ‖∇ℓ_s‖"), "gradient_ratio", ".2g"),
    (("gradients", "cosine"), "cosine", "+.2f"),
]
LOSSES: list[Column] = [
    *((("ℓ_m", own), f"main_task_loss_{place}", ".3g") for place, own in PLACES.items()),
    *((("ℓ_s with g₀", own), f"own_loss_{place}", ".2f") for place, own in PLACES.items()),
    (("ℓ_s, whole step", "its masks before"), "step_loss_own_before", ".2f"),
    (("ℓ_s, whole step", "after"), "step_loss_own_after", ".2f"),
    (("ℓ_s, whole step", "other masks before"), "step_loss_fresh_before", ".2f"),
    (("ℓ_s, whole step", "other masks after"), "step_loss_fresh_after", ".2f"),
]


def diagnosis_sheets(table: pd.DataFrame) -> list[Sheet]:
    """Return three sheets for each data set and task: before a step, the metric, the losses.

    Args:
        table: of `evaluation.diagnosis.summary.over_seeds`.
    """
    sheets = []
    for (dataset, task), rows in table.groupby(["dataset", "task"], sort=False):
        stream, metric = f"{dataset}, {task}", rows.metric.iloc[0]
        sheets += [
            _sheet(rows, BEFORE, f"{stream}: at the checkpoint"),
            _sheet(rows, _metric_columns(metric), f"{stream}: metric after one step"),
            _sheet(rows, LOSSES, f"{stream}: losses after one step"),
        ]
    return sheets


def _metric_columns(metric: str) -> list[Column]:
    changes = [place for place in PLACES if place != CHECKPOINT]
    return [
        ((metric, PLACES[CHECKPOINT]), f"metric_pooled_{CHECKPOINT}", ".1f"),
        *(((metric, PLACES[place]), f"metric_pooled_{place}", ".1f") for place in changes),
        *((("change", PLACES[place]), f"metric_change_{place}", "+.2f") for place in changes),
        (("step", "length"), "step_length", ".2g"),
        (("step", "skipped"), "skipped_steps", ".2g"),
    ]


def _sheet(rows: pd.DataFrame, columns: list[Column], title: str) -> Sheet:
    """Return columns as a sheet, without those that were measured on no video."""
    measured = [column for column in columns if rows[f"{column[1]}_mean"].notna().any()]
    cells = [spreads_of(rows, name, form) for _, name, form in measured]
    headings = [("", "Video"), *(heading for heading, _, _ in measured)]
    lines = [list(line) for line in zip(rows.video, *cells, strict=True)]
    return Sheet(headings, lines, [""] * len(lines), title)


def diagnosis_caption(table: pd.DataFrame) -> str:
    """Return how to read a table of diagnoses."""
    methods = ", ".join(dict.fromkeys(table.method))
    spread = spread_text(table.seeds)
    return (
        f"{spread[0].upper()}{spread[1:]}. Step: one update of {methods} on a single labelled "
        "frame; every frame starts from the checkpoint of the seed. "
        "Error of masked pixels: mean squared error in normalised units, filled by g, by the mean "
        "of visible pixels, and by inverse distance. "
        "Gradients: with respect to the encoder f, of the main task's loss ℓ_m and of "
        "reconstruction ℓ_s. "
        "Along: f after the step; against: f moved as far the other way; at random: as far in "
        "random directions, mean of several. Change: of the pooled metric, seed by seed. Length: "
        "of the step of f, relative to f. "
        "ℓ_s with g₀: f moves alone, on masks that the step has not seen; whole step: f and g "
        "move, as in the method. More: docs/diagnosis.md."
    )
