"""Tabulate the metric of each class: IoU, AP or PQ by task."""

from collections.abc import Sequence

import pandas as pd

from videottt.evaluation.metrics import headline
from videottt.report.tables.numbers import PERCENT, check_metrics


def class_table(metrics: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the pooled metric of each class in percent, mean over seeds: one column a method.

    NaN: the metric is not defined, for example for a class in neither the ground truth nor a
    prediction, or the method does not exist for the task. A method without metrics has no column.

    Args:
        metrics: as `scores.aggregate` returns it.
        methods: ids in the order of columns.

    Raises:
        InputError: `metrics` lacks a column, or has a task without a headline metric.
    """
    check_metrics(metrics)
    prefixes = {task: headline(task).of_class for task in dict.fromkeys(metrics.task)}
    # Only the mean over classes of IoU has a name of its own, mIoU.
    names = {task: headline(task).name.removeprefix("m") for task in prefixes}
    kinds, _, classes = (metrics.metric.str.partition(":")[part] for part in range(3))
    chosen = (metrics.aggregation == "pooled") & (kinds == metrics.task.map(prefixes))
    rows = metrics.assign(
        metric=metrics.task.map(names), label=classes, value=PERCENT * metrics.value
    )[chosen & (classes != "")]
    order = list(dict.fromkeys(rows.label))
    ids = ["dataset", "task", "split", "metric", "label"]
    # groupby.mean skips NaN, but a class that is NaN for one seed must stay NaN.
    means = rows.groupby([*ids, "method"], sort=False).value.agg(lambda v: v.mean(skipna=False))
    table = means.unstack("method")
    table = table[[method for method in methods if method in table]].reset_index()
    table["label"] = pd.Categorical(table.label, order)
    return table.sort_values(ids).rename(columns={"label": "class"}).reset_index(drop=True)
