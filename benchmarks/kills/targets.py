"""The command lines that are killed: every method on every task, and every kind of other verb."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kills.inputs import (
    CONFIG,
    EDGES,
    FRAMES,
    ROOT,
    TASKS,
    VIDEO,
    Inputs,
    aggregate_words,
    ingest_words,
    render_words,
    select_words,
    small_settings,
    theory_words,
    trace_words,
    train_words,
    words,
)
from videottt.core.randomness import numpy_generator
from videottt.report.tables.layout import layout_of

# Stands for the folder of what one run makes.
OUT = "{out}"

# Beside those of the study: what else changes how a method learns, and what it has to remember.
VARIANTS = {
    "semantic": [
        "online_ttt_mae,window=all",
        "online_ttt_mae,steps=2",
        "online_ttt_mae,every=2",
        "online_ttt_mae,optimizer_between_frames=rebuilt",
        "online_ttt_mae,optimizer.name=sgd,optimizer.momentum=0.9",
        "online_ttt_mae,sampling=permutations",
        "online_ttt_mae,drop_path=true",
        "online_ttt_mae,micro_batch=1",
        "online_ttt_mae,precision=bfloat16",
        "online_ttt_mae,precision=float16",
        "online_ttt_mae,reset=class_collapse",
        "online_ttt_mae,crop",
        "online_ttt_mae,views",
        "tent,smoothing=3",
        "ln_adapt,every=2",
        "offline_ttt_mae_all_frames,optimizer_between_frames=rebuilt",
    ],
    "instance": ["online_ttt_mae,reset=class_collapse"],
    "panoptic": ["online_ttt_mae,reset=class_collapse"],
    "colorization": ["ttt_mae_no_memory", "ln_adapt", "offline_ttt_mae_all_frames",
                     "implicit_memory_only", "explicit_memory_only", "mae_joint_training",
                     "online_ttt_mae,order=shuffled"],
}  # fmt: skip
# What a variant's id cannot say.
LONG = {
    "online_ttt_mae,crop": {"crop": [32, 64]},
    "online_ttt_mae,views": {
        "views": {"crop": [64, 96], "scales": [0.5, 1.5], "flip": 0.5, "padding": 128}
    },
}


@dataclass(frozen=True)
class Target:
    """A command line to be killed.

    Attributes:
        name: of the target, with slashes.
        words: of the command line, with `OUT` in place of a folder.
        state: folder of its saved states, below that of a run; empty if it keeps none.
        told: whether the command line says where and how often to save.
    """

    name: str
    words: tuple[str, ...]
    state: str = ""
    told: bool = False

    def words_in(self, folder: Path, save_every: float | None = None) -> list[str]:
        """Return the command line for one run; it saves no states if it is not told how often."""
        found = [word.replace(OUT, str(folder / "out")) for word in self.words]
        if self.told and save_every is not None:
            found += ["--state", str(folder / self.state), "--save-every", str(save_every)]
        return found


def saving(name: str, line: list[str]) -> Target:
    """Return a target that goes on from saved states, if it is told to keep any."""
    return Target(name, tuple(line), "state", told=True)


def all_targets(inputs: Inputs, url: str) -> Iterator[Target]:
    """Yield all targets; downloads are from a server at `url`."""
    yield from _predictions(inputs)
    yield from _other_networks(inputs)
    yield from _trainings(inputs)
    yield from _downloads(inputs, url)
    yield from _from_files(inputs)
    yield from _tables(inputs)
    yield from _figures(inputs)
    yield from _measurements(inputs)


def _predictions(inputs: Inputs) -> Iterator[Target]:
    for task in TASKS:
        study = CONFIG["studies"]["tiny_demo"]
        methods = study["task_methods"].get(task, study["methods"])
        for method in [*methods, *VARIANTS[task]]:
            entry = CONFIG["methods"][method.split(",")[0]]
            predicts = "checkpoint" in entry and "predictions_of" not in entry
            if predicts and task in entry.get("tasks", TASKS):
                yield saving(f"predict/{task}/{method}", _predict_words(inputs, task, method))


def _predict_words(inputs: Inputs, task: str, method: str) -> list[str]:
    output = f"{OUT}/predictions.h5"
    if method not in LONG:
        return inputs.predict_words(task, method, output)
    base = method.split(",")[0]
    return [*inputs.predict_words(task, base, output), "--override", json.dumps(LONG[method])]


def _other_networks(inputs: Inputs) -> Iterator[Target]:
    job: dict[str, Any] = {"frames": inputs.short, "seed": 0, "device": "cpu"}
    job["output"] = f"{OUT}/predictions.h5"
    yield saving("predict/colorization/left_grey", words("predict-left-grey", **job))
    zhang = words("predict-zhang2016", weights=inputs.weights("zhang2016"), **job)
    yield saving("predict/colorization/zhang2016", zhang)
    for network in ("segformer_b4", "deeplabv3plus_r101"):
        line = words("predict-segmenter", network=network, method=network, **EDGES,
                     weights=inputs.weights(network), **job)  # fmt: skip
        yield saving(f"predict/semantic/{network}", line)


def _trainings(inputs: Inputs) -> Iterator[Target]:
    output = f"{OUT}/checkpoint.safetensors"
    short = {"iterations": 12, "batch": 2, "warmup": 4}
    for task in TASKS:
        for joint in (False, True):
            line = train_words(inputs.stills, task, joint, output, **short)
            # What finds instances starts anew: there is no other checkpoint of its kind.
            if joint and task != "instance":
                line += ["--initial", str(inputs.checkpoint(task, "main_task"))]
            yield saving(f"train/{task}/{'joint' if joint else 'main_task'}", line)


def served_files() -> dict[str, bytes]:
    """Return what the server of the downloads has: one file, as large as is worth resuming."""
    return {"weights.pth": numpy_generator("kills", "download").bytes(6 << 20)}


def _downloads(inputs: Inputs, url: str) -> Iterator[Target]:
    (content,) = served_files().values()
    entry = {
        "file": "weights.pth",
        "urls": [f"{url}/weights.pth"],
        "bytes": len(content),
        "licence": "MIT",
        "purpose": "to be killed",
        "access": "open",
        "exact_bytes": True,
        "provides": ["weights/weights.pth"],
    }
    published = {**entry, "sha256": hashlib.sha256(content).hexdigest()}
    sources = inputs.folder / "sources.yaml"
    sources.write_text(yaml.safe_dump({"sources": {"published": published, "first_use": entry}}))
    for source in ("published", "first_use"):
        line = words("fetch", source, sources=sources, data_root=f"{OUT}/data",
                     output=f"{OUT}/{source}.json")  # fmt: skip
        yield Target(f"fetch/{source}", tuple(line))


def _from_files(inputs: Inputs) -> Iterator[Target]:
    yield Target("render", tuple(render_words(VIDEO, FRAMES, f"{OUT}/source")))
    yield Target("ingest", tuple(ingest_words(inputs.root, VIDEO, f"{OUT}/frames.h5")))
    for task in TASKS:
        line = inputs.score_words(task, "online_ttt_mae", f"{OUT}/scores.h5")
        yield Target(f"score/{task}", tuple(line))
    oracle = ("--iteration", "oracle")
    line = inputs.score_words("semantic", "offline_ttt_mae_all_frames", f"{OUT}/s.h5", *oracle)
    yield Target("score/semantic/oracle", tuple(line))
    yield Target("aggregate", tuple(aggregate_words(inputs, f"{OUT}/metrics.csv")))
    yield Target("select", tuple(select_words(inputs, f"{OUT}/grid.csv", f"{OUT}/chosen.json")))


def _tables(inputs: Inputs) -> Iterator[Target]:
    methods = ["main_task_only", "mae_joint_training", "online_ttt_mae"]
    labels = {method: method for method in methods}
    metrics, paper = inputs.metrics, ROOT / "workflow/resources/paper"
    shown = {"metrics": metrics, "labels": labels, "model": "tiny"}
    sheets = {kind: f"{OUT}/table.{kind}" for kind in ("csv", "markdown", "latex")}
    layout = layout_of(CONFIG["tables"], "table1", methods)
    yield Target("table", tuple(words("table", layout=layout, **shown, **sheets)))
    line = words("colour-table", methods=",".join(methods), paper=paper / "table3.csv", **shown,
                 **sheets)  # fmt: skip
    yield Target("colour-table", tuple(line))
    line = words("class-table", metrics=metrics, methods=",".join(methods),
                 output=f"{OUT}/classes.csv")  # fmt: skip
    yield Target("class-table", tuple(line))
    line = words("convention-table", metrics=metrics, methods=",".join(methods), labels=labels,
                 csv=f"{OUT}/c.csv", markdown=f"{OUT}/c.md")  # fmt: skip
    yield Target("convention-table", tuple(line))
    line = words("make-data-table", paper=paper / "table2.csv", **sheets)
    yield Target("make-data-table", tuple(line))


def _figures(inputs: Inputs) -> Iterator[Target]:
    figure = {"png": f"{OUT}/figure.png", "pdf": f"{OUT}/figure.pdf"}

    def plot(name: str, **options: Any) -> Target:
        return Target(name, tuple(words(name, **options, **figure)))

    methods = "mae_joint_training,online_ttt_mae"
    scores = [inputs.scores("semantic", method) for method in methods.split(",")]
    yield plot("plot-curves", scores=scores, methods=methods, baseline="mae_joint_training")
    yield plot("plot-bars", metrics=inputs.metrics, methods=methods)
    sweep = {"method": "online_ttt_mae", "setting": "window", "base_value": "4"}
    yield plot("plot-sweep", metrics=inputs.sweep, fixed="mae_joint_training", **sweep)
    yield plot("plot-selection", grids=inputs.grid, methods="online_ttt_mae", task="semantic")
    for task in TASKS:
        pair = {
            "frames": inputs.frames,
            "fixed": inputs.predictions(task, "mae_joint_training"),
            "predictions": inputs.predictions(task, "online_ttt_mae"),
        }
        made = words("plot-reconstruction", **pair, **figure)
        yield Target(f"plot-reconstruction/{task}", tuple(made))
        film = words("render-video", **pair, output=f"{OUT}/film.mp4")
        yield Target(f"render-video/{task}", tuple(film))
        if task == "semantic":
            yield plot("plot-strips", **pair)
    yield plot("plot-steps", frames=inputs.frames, traces=inputs.traces)
    coloured = inputs.predictions("colorization", "online_ttt_mae")
    yield plot("plot-colours", frames=inputs.frames, predictions=coloured)
    film = words("render-prediction", frames=inputs.frames, predictions=coloured,
                 output=f"{OUT}/film.mp4")  # fmt: skip
    yield Target("render-prediction", tuple(film))
    theory = words("plot-theory", theory=inputs.theory, sweep=inputs.sweep, split="test",
                   method="online_ttt_mae", base_value="4", fixed="mae_joint_training",
                   csv=f"{OUT}/theory.csv", markdown=f"{OUT}/theory.md", **figure)  # fmt: skip
    yield Target("plot-theory", tuple(theory))


def _measurements(inputs: Inputs) -> Iterator[Target]:
    yield Target("trace", tuple(trace_words(inputs, f"{OUT}/traces.h5")))
    yield Target("theory", tuple(theory_words(inputs, f"{OUT}/theory.h5")))
    images = inputs.root / "images/test" / VIDEO
    changes = {name: small_settings("online_ttt_mae")[name] for name in ("batch", *EDGES)}
    for task in ("semantic", "colorization"):
        line = words("run", str(images), task=task, checkpoint=inputs.checkpoint(task, "joint"),
                     fps=10, config=ROOT / "config.yaml", study="tiny_demo", override=changes,
                     device="cpu", output=f"{OUT}/own")  # fmt: skip
        yield Target(f"run/{task}", tuple(line), "out/own/state")
