"""CSV files of metrics and grids, JSON files of selections, and YAML files beside them."""

import json

import pandas as pd

from malformed.case import cases, command, predicting

LAYOUT = {"id": "t", "title": "T", "settings": [{"label": "", "methods": ["m"]}]}
VERBS = {
    "table": {"layout": json.dumps(LAYOUT), "labels": "{}", "model": "tiny", "csv": "t.csv",
              "markdown": "t.md", "latex": "t.tex"},
    "class-table": {"methods": "m", "output": "t.csv"},
    "plot-bars": {"methods": "m", "png": "t.png", "pdf": "t.pdf"},
}  # fmt: skip
FILES = ("csv", "markdown", "latex", "output", "png", "pdf")


def metrics(change, verb="table"):
    """Return the maker of a table of metrics that is changed, for one verb."""

    def make(folder, whole):
        path = folder / "metrics.csv"
        table = change(pd.read_csv(whole.metrics))
        path.write_text(table.to_csv(index=False) if isinstance(table, pd.DataFrame) else table)
        return reading(folder, verb, path)

    return make


def reading(folder, verb, path):
    values = {
        name: folder / "out" / value if name in FILES else value
        for name, value in VERBS[verb].items()
    }
    return command(verb, {"metrics": path, **values})


def cells(**values):
    """Return a change of cells of the row of the task's main metric."""

    def change(table):
        table = table.astype({name: object for name in values})
        table.loc[table.metric == "miou_pooled", list(values)] = list(values.values())
        return table

    return change


def selecting(folder, trial, metric="miou_pooled"):
    return command("select", {
        "method": "m", "metric": metric, "trial": json.dumps(trial),
        "grid": folder / "out/g.csv", "output": folder / "out/s.json",
    })  # fmt: skip


def trial(**changes):
    def make(folder, whole):
        return selecting(folder, {"values": {"a": 1}, "scores": [str(whole.scores)], **changes})

    return make


def selection(text):
    """Return the maker of a file of selected values."""

    def make(folder, whole):
        (folder / "s.json").write_bytes(text)
        return predicting(folder, whole, selection=folder / "s.json")

    return make


def iteration(text):
    def make(folder, whole):
        (folder / "s.json").write_bytes(text)
        return command("score", {
            "frames": whole.frames, "predictions": whole.predictions, "split": "test",
            "iteration": "selected", "selection": folder / "s.json",
            "output": folder / "out/x.h5",
        })  # fmt: skip

    return make


def grid(text):
    def make(folder, _):
        (folder / "g.csv").write_text(text)
        return command("plot-selection", {
            "grids": folder / "g.csv", "methods": "m", "task": "semantic",
            "png": folder / "out/g.png", "pdf": folder / "out/g.pdf",
        })  # fmt: skip

    return make


def published(text):
    def make(folder, whole):
        (folder / "p.yaml").write_text(text)
        return command("aggregate", {
            "scores": whole.scores, "published": folder / "p.yaml", "output": folder / "out/t.csv",
        })  # fmt: skip

    return make


SELECTION = r"s\.json: not a selection of hyper-parameters \(.+\)"
IN = r"metrics\.csv: "
CASES = [
    *cases("metrics", [
        ("missing", lambda folder, _: reading(folder, "table", folder / "metrics.csv"),
         rf"{IN}no such file; check the path"),
        ("empty", metrics(lambda _: ""), rf"{IN}not a table of metrics \(.*\)"),
        ("an HTML page", metrics(lambda _: "<html>\n<body>,,,\n</html>"),
         rf"{IN}has no column 'dataset'; make it again with 'aggregate'"),
        ("another header", metrics(lambda t: t.rename(columns={"metric": "metrics"})),
         rf"{IN}has no column 'metric'; make it again"),
        ("no column of values", metrics(lambda t: t.drop(columns="value"), "class-table"),
         rf"{IN}has no column 'value'; make it again"),
        ("no column of tasks", metrics(lambda t: t.drop(columns="task"), "plot-bars"),
         rf"{IN}has no column 'task'; make it again"),
        ("text in a number", metrics(cells(value="high")),
         rf"{IN}a value is 'high', not a number; make it again with 'aggregate'"),
        ("a seed that is text", metrics(cells(seed="zero")),
         rf"{IN}a seed is 'zero', not a number; make it again"),
        ("rows of two lengths", metrics(lambda t: t.to_csv(index=False) + "1," * 20 + "\n"),
         rf"{IN}not a table of metrics"),
        ("a row twice", metrics(lambda t: pd.concat([t, t])),
         rf"{IN}'synthetic .*' is listed twice; make it again"),
        ("a row twice, in a figure", metrics(lambda t: pd.concat([t, t]), "plot-bars"),
         rf"{IN}'synthetic .*' is listed twice; make it again"),
        ("an unknown task", metrics(lambda t: t.assign(task="sematic")),
         rf"{IN}task 'sematic' has no metrics; did you mean 'semantic'"),
        ("no row of a method", metrics(lambda t: t.assign(method="other")),
         rf"{IN}no metrics of a method of table 't'"),
        ("none at all", metrics(lambda t: t.iloc[:0]),
         rf"{IN}has no row; make it again with 'aggregate'"),
    ]),
    *cases("selection", [
        ("no JSON", selection(b"{"), SELECTION),
        ("a list", selection(b"[]"), SELECTION),
        ("without values", selection(b'{"method": "m"}'), SELECTION),
        ("values that are a number", selection(b'{"selected": 3}'), SELECTION),
        ("bytes that are no text", selection(b"\xff\xfe"), SELECTION),
        ("an unknown setting", selection(b'{"selected": {"windwo": 3}}'),
         r"method: unknown setting 'windwo'; did you mean 'window'"),
        ("an iteration that is text", iteration(b'{"iteration": "x"}'),
         r"s\.json: selects no iteration"),
        ("an iteration that is NaN", iteration(b'{"iteration": NaN}'),
         r"s\.json: selects no iteration"),
        ("an iteration that is infinite", iteration(b'{"iteration": Infinity}'),
         r"s\.json: selects no iteration"),
        ("a trial without scores", trial(scores=[]),
         r"selection: trial: 'scores' names no file; name at least one"),
        ("a trial whose scores are text", trial(scores="a.h5"),
         r"selection: trial: scores: 'a.h5' is not allowed; it must be a list"),
        ("a trial whose values are a list", trial(values=[1]),
         r"selection: trial: values: \[1\] is not allowed; it must be settings by name"),
        ("an unknown metric", lambda folder, whole: selecting(
            folder, {"values": {}, "scores": [str(whole.scores)]}, "miou_poold"),
         r"selection: no metric 'miou_poold' of the task 'semantic'; did you mean 'miou_pooled'"),
        ("a grid without its metric", grid("a,b\n1,2\n"),
         r"selection of 'm': no column 'miou_pooled'; make it again with 'select'"),
        ("a grid of text", grid("learning_rate,miou_pooled,seeds,selected\n1,high,1,True\n"),
         r"selection of 'm': not every 'miou_pooled' is a number; make it again with 'select'"),
        ("an empty grid", grid(""), r"g\.csv: not a grid of trials \(.*\); make it again"),
    ]),
    *cases("published numbers", [
        ("a tab", published("d:\n\tsplits: {}\n"), r"p\.yaml: not a readable YAML file .*restore"),
        ("an unknown key", published("d: {split: {}}\n"),
         r"p\.yaml: d: unknown key 'split'; did you mean 'splits'\?"),
        ("a list", published("- d\n"), r"p\.yaml: must map data sets to published facts; restore"),
        ("a data set that is a number", published("d: 7\n"),
         r"p\.yaml: d: must map keys to published facts; restore"),
    ]),
]  # fmt: skip
