"""Choose the methods and data sets that tables and figures of a study show, and their labels."""

from typing import Any

from videottt.core.ids import MethodId
from videottt.report.tables.layout import layout_of, tables_of
from videottt.study.config import (
    Config,
    label_of,
    methods_of,
    named_methods,
    study_methods,
    tasks_of,
)
from videottt.study.controls import controls_in, starts_in
from videottt.study.drawn import drawn_in
from videottt.study.scored import Sources, available_methods, scored_streams
from videottt.study.trials import sweep_methods

# How many methods curves show where a study has none of those that they are to show.
FEW = 6


def labels_of(config: Config) -> dict[str, str]:
    """Return what all methods are called, and the variants that any study compares."""
    shown = dict.fromkeys(methods_of(config, config["methods"]))
    for study in config["studies"].values():
        shown |= dict.fromkeys(named_methods(config, study))
        for sweep in study.get("sweeps", {}):
            shown |= dict.fromkeys(sweep_methods(config, study, sweep))
    return {str(method): label_of(config, method) for method in shown}


def scored_methods(config: Config, sources: Sources, study: Config) -> list[MethodId]:
    """Return the methods that a study scores in one of its tasks."""
    streams = scored_streams(config, study)
    scored = {m for _, task in streams for m in available_methods(config, study, sources, task)}
    return [method for method in named_methods(config, study) if method in scored]


def curve_methods(config: Config, sources: Sources, study: Config, task: str) -> list[MethodId]:
    """Return the methods whose metric is shown over one video."""
    methods = available_methods(config, study, sources, task)
    chosen = [method for method in drawn_in(config, study).curves if method in methods]
    return chosen or methods[:FEW]


def coloured_methods(config: Config, sources: Sources, study: Config) -> list[MethodId]:
    """Return the methods of a study whose colours are shown: what is left grey is the input."""
    methods = available_methods(config, study, sources, "colorization")
    return [m for m in methods if config["methods"][m.base].get("colourizer") != "left_grey"]


def colour_methods(config: Config, study: Config) -> list[MethodId]:
    """Return the methods of table 3, also those that lack their network."""
    return study_methods(config, study, "colorization")


def table_layout(config: Config, study: Config, table: str) -> dict[str, Any]:
    """Return the rows of a table, those of its methods that a study has, and what gains are over.

    Raises:
        InputError: there is no such table, or none of its methods is in the study.
    """
    layout = layout_of(config["tables"], table, tabulated_methods(config, study))
    rows = {method for group in layout["settings"] for method in group["methods"]}
    of_rows = {"starts": starts_in(config, study), "controls": controls_in(config, study)}
    kept = {
        name: {method: other for method, other in pairs.items() if method in rows}
        for name, pairs in of_rows.items()
    }
    return {**layout, **kept}


def tables_of_study(config: Config, study: Config) -> list[str]:
    """Return the ids of the tables that have a row for a method of a study."""
    return tables_of(config["tables"], tabulated_methods(config, study))


def tabulated_methods(config: Config, study: Config) -> list[str]:
    """Return the methods of a study that exist for another task than colorization, of table 3."""
    methods = methods_of(config, study["methods"])
    return [str(m) for m in methods if set(tasks_of(config, m)) - {"colorization"}]


def checked_datasets(config: Config, study: Config) -> list[str]:
    """Return the data sets of a study that are real, and not just videos of the user's."""
    entries = {dataset: config["datasets"][dataset] for dataset in study["streams"]}
    own = [d for d, e in entries.items() if e["layout"] == "video_file" and "sources" not in e]
    return [d for d, e in entries.items() if "root" in e and d not in own]


def model_of_study(study: Config) -> str:
    """Return the preset of a study's model."""
    model: str = study["model"]
    return model
