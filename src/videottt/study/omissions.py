"""List what a study does not show, and why: nothing is left out in silence."""

from collections.abc import Iterator

from videottt.core.ids import TASKS
from videottt.study.config import (
    Config,
    is_scored,
    methods_for,
    named_methods,
    streams_of,
    study_methods,
)
from videottt.study.drawn import figure2_methods, has_figure2
from videottt.study.scored import Sources, available_methods
from videottt.study.shown import tables_of_study
from videottt.study.trials import selected_on, sweep_serves

# One row: what is left out, of which data set and task ("" is all), and the reason.
Omission = dict[str, str]


def omissions_of(config: Config, sources: Sources, study: Config) -> list[Omission]:
    """Return the tables' rows and the figures that a study's streams do not have, and why.

    Returns:
        rows with ``what``, ``dataset``, ``task`` and ``reason``; "" is every data set or task.
    """
    rows = [*_of_tables(config, study), *_of_study(config, study)]
    for dataset, task in streams_of(study):
        found = [
            *_of_scores(config, study, dataset, task),
            *_of_methods(config, sources, study, task),
            *_of_figures(config, sources, study, dataset, task),
        ]
        rows += [
            {"what": what, "dataset": dataset, "task": task, "reason": reason}
            for what, reason in found
        ]
    return rows


def _of_study(config: Config, study: Config) -> Iterator[Omission]:
    if not has_figure2(config, study):
        absent = set(map(str, figure2_methods(config, study))) - set(study["methods"])
        reason = f"the study does not compare {', '.join(sorted(absent))}"
        yield {"what": "figure 2", "dataset": "", "task": "", "reason": reason}
    for name, what in (
        ("window", "figure 4 and theory"),
        ("steps", "sweep of steps a frame"),
    ):
        if name not in study.get("sweeps", {}):
            reason = f"the study has no sweep '{name}'"
            yield {"what": what, "dataset": "", "task": "", "reason": reason}


def _of_tables(config: Config, study: Config) -> Iterator[Omission]:
    shown = tables_of_study(config, study)
    for table, entry in config["tables"].items():
        if table not in shown:
            reason = "the study has no row of it that no earlier table has"
            yield {
                "what": f"{table} ({entry['title']})",
                "dataset": "",
                "task": "",
                "reason": reason,
            }


def _of_scores(config: Config, study: Config, dataset: str, task: str) -> Iterator[tuple[str, str]]:
    if not is_scored(config, dataset, task):
        yield "scores, bars and curves", "the data set has no labels for the task"
        return
    splits = config["datasets"][dataset]["splits"]
    for split in study["splits"]:
        if split not in splits:
            yield f"results on split {split}", f"the data set has {', '.join(splits)} alone"


def _of_methods(
    config: Config, sources: Sources, study: Config, task: str
) -> Iterator[tuple[str, str]]:
    compared = study_methods(config, study, task)
    existing = methods_for(config, named_methods(config, study), task)
    available = available_methods(config, study, sources, task)
    reasons: dict[str, list[str]] = {}
    for method in named_methods(config, study):
        if method not in existing:
            reason = "they do not exist for the task"
        elif method not in compared:
            reason = f"they are not in the study's task_methods of {task}"
        elif method not in available:
            reason = "their networks are not there, and the study is offline"
        else:
            continue
        reasons.setdefault(reason, []).append(str(method))
    for reason, methods in reasons.items():
        yield f"rows {'; '.join(methods)}", reason


def _of_figures(
    config: Config, sources: Sources, study: Config, dataset: str, task: str
) -> Iterator[tuple[str, str]]:
    if not is_scored(config, dataset, task):
        return
    for name, sweep in study.get("sweeps", {}).items():
        if not sweep_serves(config, sweep, task):
            served = ", ".join(t for t in TASKS if sweep_serves(config, sweep, t))
            yield f"sweep {name}", f"it is for the tasks {served}"
    swept = "window" in study.get("sweeps", {})
    if swept and task != "semantic":
        yield "theory", "it is measured for the task semantic, on labels frame by frame"
    if task != "semantic":
        yield "figure 3, step by step", "it is drawn for the task semantic, as in the paper"
    place = selected_on(config, dataset, task)
    if study.get("selection") and place != {"dataset": dataset, "task": task}:
        where = f"{place['dataset']}, {place['task']}"
        yield "figure of the selection", f"hyper-parameters are selected on {where}"
