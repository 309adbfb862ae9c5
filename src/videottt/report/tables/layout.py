"""Choose and order the methods of each table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from videottt.core.errors import InputError, nearest

OTHER = "Other"
# Gains of the paper are over this method, and ours where a method has no control.
REFERENCE = "main_task_only"


@dataclass(frozen=True)
class Layout:
    """The rows of one table.

    Attributes:
        id: for example "table1".
        title: shown above the table.
        settings: ``{"label": ..., "methods": [...]}`` of each group of rows, in order; an empty
            label is not shown.
        baselines: method id -> id of the method to compare it with, besides start and control.
        oracles: ids of methods whose settings were chosen by the labels they are scored with.
        starts: method id -> id of the fixed model with the checkpoint that the method starts from;
            a fixed model has none.
        controls: method id -> id of the fixed model that was trained for as many iterations,
            without reconstruction; the control itself has none, nor has a method without such a
            model in the study.
    """

    id: str
    title: str
    settings: list[dict[str, Any]]
    baselines: dict[str, str] = field(default_factory=dict)
    oracles: list[str] = field(default_factory=list)
    starts: dict[str, str] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield label of the setting and method id of each row."""
        for setting in self.settings:
            for method in setting["methods"]:
                yield setting["label"], method

    def reference(self, method: str) -> str:
        """Return the method that a gain is over: the control, or `REFERENCE` without one."""
        return self.controls.get(method, REFERENCE)

    @property
    def uncontrolled(self) -> list[str]:
        """Return the rows whose gain contains what a training of another length gives.

        They are the methods without a control that start from another model than `REFERENCE`, and
        the models that these start from.
        """
        others = {m: model for m, model in self.starts.items() if model != REFERENCE}
        lacking = {*others, *others.values()} - {*self.controls, *self.controls.values()}
        return [method for _, method in self.rows if method in lacking]


def layout_of(tables: Mapping[str, Any], table: str, methods: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of the Layout of one table, with the rows of a study.

    Args:
        tables: as in the configuration.
        table: id of one of them.
        methods: ids of the study's methods. A method in no table becomes a row of the last table,
            in the setting `OTHER`, so that none is lost.

    Raises:
        InputError: there is no such table, or none of its methods is in the study.
    """
    if table not in tables:
        raise InputError(f"config.yaml: tables: unknown table '{table}'; {nearest(table, tables)}")
    entry = tables[table]
    chosen = [
        {
            "label": setting.get("label", ""),
            "methods": [method for method in setting["methods"] if method in methods],
        }
        for setting in entry["settings"]
    ]
    if table == list(tables)[-1]:
        chosen.append({"label": OTHER, "methods": _in_no_table(tables, methods)})
    chosen = [setting for setting in chosen if setting["methods"]]
    if not chosen:
        raise InputError(
            f"config.yaml: tables.{table}: the study has none of its methods; add one to the "
            f"study's methods, or ask for another table: {', '.join(tables_of(tables, methods))}"
        )
    shown = {method for setting in chosen for method in setting["methods"]}
    return {
        "id": table,
        "title": entry["title"],
        "settings": chosen,
        "baselines": {m: b for m, b in entry.get("baselines", {}).items() if m in shown},
        "oracles": [method for method in entry.get("oracles", []) if method in shown],
    }


def tables_of(tables: Mapping[str, Any], methods: Sequence[str]) -> list[str]:
    """Return the ids of the tables that say more of a study than the tables before them.

    These have a row for one of its methods that has none in an earlier table. Of a table of
    ablations without any ablation, only the rows would be left that others have, too.
    """
    found: list[str] = []
    placed: set[str] = set()
    for table, entry in tables.items():
        rows = set(_methods_in(entry)) & set(methods)
        found += [table] if rows - placed else []
        placed |= rows
    last = list(tables)[-1]
    return found if set(methods) <= placed or last in found else [*found, last]


def _in_no_table(tables: Mapping[str, Any], methods: Sequence[str]) -> list[str]:
    placed = {method for entry in tables.values() for method in _methods_in(entry)}
    return [method for method in methods if method not in placed]


def _methods_in(entry: Mapping[str, Any]) -> list[str]:
    return [method for setting in entry["settings"] for method in setting["methods"]]
