"""Settings on the command line."""

import json

from malformed.case import cases, ingesting, predicting


def method(**values):
    """Return the maker of a prediction with settings of its method."""

    def make(folder, whole):
        common = {"objective": "none", "shortest_edge": 64, "longest_edge": 256}
        return predicting(folder, whole, settings=json.dumps({**common, **values}))

    return make


def words(text):
    return lambda folder, whole: predicting(folder, whole, settings=text)


def of_file(content):
    def make(folder, whole):
        (folder / "settings.json").write_bytes(content)
        return predicting(folder, whole, settings=f"@{folder}/settings.json")

    return make


def ingest(**values):
    return lambda folder, _: ingesting(folder, values.pop("layout", "video_file"), "v", **values)


def changed(**values):
    return lambda folder, whole: predicting(folder, whole, **values)


CASES = [
    *cases("settings", [
        ("no JSON", words("{window: 3}"), r"argument --settings: not a JSON object: "),
        ("a list", words("[1]"), r"argument --settings: not a JSON object: write \{\.\.\.\}"),
        ("nested without end", words('{"a":' + "[" * 20_000), r"argument --settings: not a JSON"),
        ("a file that is no text", of_file(b"\xff\xfe{}"), r"argument --settings: not a JSON"),
        ("a file that is missing", words("@none.json"),
         r"argument --settings: not a JSON object: "),
        ("a key twice", words('{"objective": "none", "window": 3, "window": 4}'),
         r"argument --settings: not a JSON object: the key 'window' stands there twice"),
        ("a number that is NaN", words('{"objective": "none", "window": NaN}'),
         r"argument --settings: not a JSON object: NaN is not a finite number"),
        ("an unknown key", method(windwo=3),
         r"method: unknown setting 'windwo'; did you mean 'win"),
        ("an unknown objective", method(objective="mea"), r"objective 'mea'.*mean 'mae'"),
        ("a window that is text", method(window="three"),
         r"method: window: 'three' is not allowed; it must be a whole number or null$"),
        ("a window below 1", method(window=0),
         r"method: window: 0 is not allowed; it must be at least 1 or null$"),
        ("a window that is a fraction", method(window=2.5),
         r"method: window: 2\.5 is not allowed; it must be a whole number or null$"),
        ("an edge that is true", method(shortest_edge=True),
         r"method: shortest_edge: true is not allowed; it must be a whole number$"),
        ("an edge that is an object", method(shortest_edge={}),
         r"method: shortest_edge: \{\} is not allowed; it must be a whole number$"),
        ("an optimizer that is a number", method(optimizer=3),
         r"method: optimizer: 3 is not allowed; it must be settings by name$"),
        ("a learning rate that is text", method(optimizer={"learning_rate": "fast"}),
         r"method: optimizer\.learning_rate: 'fast' is not allowed; it must be a number$"),
        ("an unknown choice", method(reset="evry_frame"), r"method: reset: .*'every_frame'"),
        ("an unknown layout", ingest(layout="kiti_step"),
         r"layout 'kiti_step' .*mean 'kitti_step'"),
        ("classes that are a text", ingest(classes="road"),
         r"ingest: classes: 'road' is not allowed; it must be a list$"),
        ("a rate below 0", ingest(fps=-1),
         r"ingest: fps: -1 is not allowed; it must be above 0 or null$"),
        ("a rate that is text", ingest(fps="fast"),
         r"ingest: fps: 'fast' is not allowed; it must be a number or null$"),
        ("a canvas of one number", ingest(canvas=[3]),
         r"ingest: canvas: \[3\] has too few entries$"),
        ("a thing that is no class", ingest(classes=["car"], things=["cart"]),
         r"no class 'cart'; did you mean 'car'"),
        ("an unknown task", changed(task="sematic"), r"task 'sematic'.*mean 'semantic'"),
        ("an unknown device", changed(device="gpu"),
         r"device 'gpu' cannot be used .*; use auto or cpu"),
        ("a seed that is text", changed(seed="x"), r"argument --seed: invalid int value: 'x'"),
    ]),
]  # fmt: skip
