"""Choose the methods that a study draws: `drawn` of the configuration, and of the study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videottt.core.ids import MethodId
from videottt.core.settings import merged
from videottt.study.config import Config, method_of, methods_of


@dataclass(frozen=True)
class Drawn:
    """The methods that a study draws; videottt.settings.tables.DrawnMethods says what for."""

    fixed: Sequence[MethodId]
    beside: MethodId
    task_beside: Mapping[str, MethodId]
    baseline: MethodId
    curves: Sequence[MethodId]
    figure2: Sequence[MethodId]
    learned: MethodId
    steps: MethodId
    theory: MethodId


def drawn_in(config: Config, study: Config) -> Drawn:
    """Return what a study draws: its own `drawn` on top of that of the configuration.

    Raises:
        InputError: there is no such method.
    """
    values = merged(config["drawn"], study.get("drawn", {}))
    return Drawn(
        fixed=methods_of(config, values["fixed"]),
        beside=method_of(config, values["beside"]),
        task_beside={task: method_of(config, text) for task, text in values["task_beside"].items()},
        baseline=method_of(config, values["baseline"]),
        curves=methods_of(config, values["curves"]),
        figure2=methods_of(config, values["figure2"]),
        learned=method_of(config, values["learned"]),
        steps=method_of(config, values["steps"]),
        theory=method_of(config, values["theory"]),
    )


def ids_in(drawn: Config) -> list[tuple[str, str]]:
    """Return every id of a method in a `drawn`, each with its dotted key."""
    found: list[tuple[str, str]] = []
    for key, value in drawn.items():
        if isinstance(value, dict):
            found += [(f"{key}.{task}", text) for task, text in value.items()]
        else:
            found += [(key, text) for text in ([value] if isinstance(value, str) else value)]
    return found


def fixed_beside(config: Config, study: Config, task: str) -> MethodId:
    """Return the model without learning that a learning one is shown beside in a task."""
    drawn = drawn_in(config, study)
    return drawn.task_beside.get(task, drawn.beside)


def bars_baseline(config: Config, study: Config) -> str:
    """Return the argument that names the method that bars are compared with, if it is there."""
    baseline = str(drawn_in(config, study).baseline)
    return f"--baseline {baseline}" if baseline in study["methods"] else ""


def figure2_methods(config: Config, study: Config) -> Sequence[MethodId]:
    """Return the methods of the paper's figure 2."""
    return drawn_in(config, study).figure2


def has_figure2(config: Config, study: Config) -> bool:
    """Return whether a study has all methods of figure 2."""
    return set(map(str, figure2_methods(config, study))) <= set(study["methods"])
