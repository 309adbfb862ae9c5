"""Declare the tables, and which methods are drawn."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from videottt.core.annotations import Texts
from videottt.core.ids import TaskName
from videottt.core.settings import settings


@settings
class RowGroup:
    """Rows of a table that stand together.

    Attributes:
        methods: ids of methods, or variants such as ``online_ttt_mae,window=4``.
        label: heading of the rows; none by default.
    """

    methods: Texts
    label: str = ""


@settings
class Table:
    """The rows of one table, of which a study shows those that it has.

    Attributes:
        title: what the table shows.
        settings: groups of rows, as the paper calls its settings, in their order.
        baselines: method -> the method that it is compared with, besides the fixed model trained
            for as long and the one that it starts from.
        oracles: methods that are chosen on the labels they are scored with; never shown as the
            best.
    """

    title: str
    settings: Annotated[list[RowGroup], Field(min_length=1)]
    baselines: dict[str, str] = field(default_factory=dict)
    oracles: list[str] = field(default_factory=list)


@settings
class DrawnMethods:
    """The methods that figures and videos show; a study may say otherwise, key by key.

    Attributes:
        fixed: models that learn nothing at test time; every sweep shows them.
        beside: fixed model that a learning method is shown beside.
        task_beside: task -> fixed model for that task, where it differs from `beside`.
        baseline: method that bars are compared with.
        curves: methods whose metric is shown over one video.
        figure2: methods of the paper's figure 2.
        learned: method whose reconstructions, adjacent frames and videos are shown.
        steps: method whose learning is shown step by step (figure 3).
        theory: method whose gradients are measured (theorem 1).
    """

    fixed: Texts
    beside: str
    task_beside: dict[TaskName, str]
    baseline: str
    curves: Texts
    figure2: Texts
    learned: str
    steps: str
    theory: str
