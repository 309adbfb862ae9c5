"""The IoU of each class."""

from collections.abc import Sequence

import pandas as pd

PERCENT = 100.0


def class_table(metrics: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the pooled IoU of each class in percent, mean over seeds: one column a method.

    A class that occurs neither in the ground truth nor in a prediction stays NaN. A method without
    metrics has no column.
    """
    pooled = metrics[
        (metrics.aggregation == "pooled") & metrics.metric.str.startswith("iou:")
    ].assign(iou=lambda t: t.value * PERCENT, label=lambda t: t.metric.str.removeprefix("iou:"))
    order = list(dict.fromkeys(pooled.label))
    ids = ["dataset", "task", "split", "label"]
    # groupby.mean leaves NaN out; a class that is NaN for one seed must stay NaN.
    means = pooled.groupby([*ids, "method"], sort=False).iou.agg(lambda v: v.mean(skipna=False))
    table = means.unstack("method")
    table = table[[method for method in methods if method in table]].reset_index()
    table["label"] = pd.Categorical(table.label, order)
    return table.sort_values(ids).rename(columns={"label": "class"}).reset_index(drop=True)
