"""Small inputs for every verb, made by the verbs themselves."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from commands import Commands
from segmenter_shapes import B4, deeplab_shapes, segformer_shapes
from videottt.core.randomness import generator
from videottt.core.settings import with_values
from videottt.models.baselines.zhang2016 import Zhang2016
from videottt.study.config import method_of, predicting_method
from videottt.study.job_settings import method_settings
from videottt.study.layers import complete

ROOT = Path(__file__).resolve().parents[2]
SIZE = [64, 96]
FRAMES = 16
STILLS = 160
VIDEO = "tiny_0"
TASKS = ("semantic", "instance", "panoptic", "colorization")
# Of a study whose methods are all there; its sizes are made smaller still.
CONFIG = {**complete({}).config, "study": "demo_full"}
DATASET = CONFIG["datasets"]["synthetic"]
CLASSES = {"classes": DATASET["classes"], "things": DATASET["things"]}
EDGES = {"shortest_edge": SIZE[0], "longest_edge": 256}
# One task's checkpoint serves others.
TRAINED_FOR = {"semantic": "panoptic", "instance": "panoptic"}
PLACES = [("avenue", "day"), ("tunnel", "tunnel"), ("market", "night")]


def words(verb: str, *plain: str, **options: Any) -> list[str]:
    """Return a command line; dictionaries become JSON, and lists several values."""
    found = [verb, *plain]
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        found.append("--" + name.replace("_", "-"))
        found += [json.dumps(each) if isinstance(each, dict) else str(each) for each in values]
    return found


def render_words(video: str, frames: int, output: Path | str) -> list[str]:
    """Return how a video, or stills to train on, are rendered."""
    phases = [{"place": place, "light": light} for place, light in PLACES]
    values = {"size": SIZE, "seed": 0, "frames": frames, **CLASSES}
    if video == VIDEO:
        values["phases"] = phases
    return words("render", split="test", video=video, settings=values, output=output)


def ingest_words(root: Path, video: str, output: Path | str, **part: str) -> list[str]:
    """Return how a rendered video, or a part of it, is made a frame store."""
    values = {"layout": "kitti_step", "fps": 10, **CLASSES, **part}
    return words("ingest", dataset="synthetic", split="test", video=video, root=root,
                 settings=values, output=output)  # fmt: skip


def train_words(
    stills: Path, task: str, joint: bool, output: Path | str, **training: int
) -> list[str]:
    """Return how a checkpoint is trained, with iterations, batch and warmup."""
    augmentation = {**EDGES, "crop": SIZE, "scales": [0.8, 1.5], "flip": 0.5}
    if task != "colorization":
        augmentation["colour"] = 0.5
    training = {**training, "learning_rate": 1e-3, "reconstruction": joint}
    values = {"training": training, "augmentation": augmentation}
    return words("train", frames=stills, task=task, model="tiny", settings=values, seed=0,
                 device="cpu", output=output, history=f"{output}.csv")  # fmt: skip


def small_settings(method: str) -> dict[str, Any]:
    """Return the settings of a method, for the smallest video, and such that it learns fast."""
    values = method_settings(CONFIG, "synthetic", method_of(CONFIG, method))
    small: dict[str, Any] = {**EDGES, "decoding.object_mask_threshold": 0.01}
    if values["objective"] != "none":
        small |= {
            "batch": 2,
            "optimizer.learning_rate": 3e-3,
            "optimizer.encoder_multiplier": 1.0,
            "collapse": {"difference": 0.3, "frames": 3},
        }
        small["window"] = min(values["window"] or 4, 4) if "window" in values else 4
    if values["objective"] == "self_train":
        small["options.threshold"] = min(0.1, values["options"]["threshold"])
    if "votes" in values:
        small |= {"votes": 3, "augmentation.shortest_edge": 64, "augmentation.crop": SIZE}
    if "ladder" in values:
        small["ladder"] = [2, 5, 9]
    return with_values(values, small)


class Inputs:
    """Where the inputs of all verbs lie.

    Args:
        folder: of all inputs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "source"
        self.stills_root = folder / "stills"
        self.frames = folder / "frames.h5"
        self.short = folder / "short.h5"
        self.stills = folder / "stills.h5"
        self.metrics = folder / "metrics.csv"
        self.sweep = folder / "sweep.csv"
        self.grid = folder / "grid.csv"
        self.traces = folder / "traces.h5"
        self.theory = folder / "theory.h5"

    def checkpoint(self, task: str, name: str) -> Path:
        """Return the checkpoint `main_task` or `joint` that serves a task."""
        return self.folder / f"{TRAINED_FOR.get(task, task)}_{name}.safetensors"

    def predictions(self, task: str, method: str) -> Path:
        """Return finished predictions, to score and to plot."""
        return self.folder / task / f"{method}.h5"

    def scores(self, task: str, method: str) -> Path:
        """Return finished scores, to gather and to plot."""
        return self.folder / task / f"{method}.scores.h5"

    def weights(self, network: str) -> Path:
        """Return drawn weights of a published network, in its file's form."""
        return self.folder / f"{network}.pth"

    def predict_words(self, task: str, method: str, output: Path | str) -> list[str]:
        """Return how a video is predicted."""
        predicting = predicting_method(CONFIG, method_of(CONFIG, method))
        return words(
            "predict",
            frames=self.frames,
            checkpoint=self.checkpoint(task, CONFIG["methods"][predicting.base]["checkpoint"]),
            task=task,
            method=method,
            settings=small_settings(predicting.base),
            override=dict(predicting.overrides),
            seed=0,
            device="cpu",
            output=output,
        )

    def score_words(self, task: str, method: str, output: Path | str, *more: str) -> list[str]:
        """Return how predictions are scored."""
        return words("score", *more, frames=self.frames, device="cpu", split="test",
                     predictions=self.predictions(task, method), output=output)  # fmt: skip


SCORED = ("main_task_only", "mae_joint_training", "online_ttt_mae", "online_ttt_mae,window=2")


def make_inputs(commands: Commands, folder: Path) -> Inputs:
    """Make all inputs that are not there yet."""
    inputs = Inputs(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _draws():
        if not inputs.weights(name).exists():
            torch.save(content(), inputs.weights(name))
    for output, line in _steps(inputs):
        if output.exists():
            continue
        running = commands.start(line, folder / "inputs.log")
        if running.status():
            sys.exit(f"the inputs cannot be made:\n{running.said()}")
    return inputs


def _steps(inputs: Inputs) -> list[tuple[Path, list[str]]]:
    """Return what is to be made, and how, in order."""
    found = [
        (inputs.root, render_words(VIDEO, FRAMES, inputs.root)),
        (inputs.stills_root, render_words("stills", STILLS, inputs.stills_root)),
        (inputs.frames, ingest_words(inputs.root, VIDEO, inputs.frames)),
        (inputs.short, ingest_words(inputs.root, VIDEO, inputs.short, last="000003")),
        (inputs.stills, ingest_words(inputs.stills_root, "stills", inputs.stills)),
    ]
    # As long as it takes until what is predicted says something, and another thing soon after.
    for task, iterations in (("panoptic", 300), ("colorization", 60)):
        first, joint = (inputs.checkpoint(task, name) for name in ("main_task", "joint"))
        longer = {"iterations": iterations, "batch": 4, "warmup": 20}
        found.append((first, train_words(inputs.stills, task, False, first, **longer)))
        shorter = {**longer, "iterations": 40}
        line = train_words(inputs.stills, task, True, joint, **shorter)
        found.append((joint, [*line, "--initial", str(first)]))
    for task in TASKS:
        methods = [*SCORED, *(["offline_ttt_mae_all_frames"] if task == "semantic" else [])]
        for method in methods:
            path, scores = inputs.predictions(task, method), inputs.scores(task, method)
            found.append((path, inputs.predict_words(task, method, path)))
            found.append((scores, inputs.score_words(task, method, scores)))
    found += [
        (inputs.metrics, _aggregate_words(inputs, TASKS, inputs.metrics)),
        (inputs.sweep, _aggregate_words(inputs, ("semantic",), inputs.sweep)),
        (inputs.grid, select_words(inputs, inputs.grid, inputs.folder / "selected.json")),
        (inputs.traces, trace_words(inputs, inputs.traces)),
        (inputs.theory, theory_words(inputs, inputs.theory)),
    ]
    return found


def _aggregate_words(inputs: Inputs, tasks: Sequence[str], output: Path | str) -> list[str]:
    paths = [inputs.scores(task, method) for task in tasks for method in SCORED]
    return words("aggregate", scores=paths, output=output)


def aggregate_words(inputs: Inputs, output: Path | str) -> list[str]:
    """Return how the scores of all tasks become one table."""
    return _aggregate_words(inputs, TASKS, output)


def select_words(inputs: Inputs, grid: Path | str, output: Path | str) -> list[str]:
    """Return how a setting is selected."""
    lines: list[str] = []
    for window, method in ((4, "online_ttt_mae"), (2, "online_ttt_mae,window=2")):
        scores = [str(inputs.scores("semantic", method))]
        lines += ["--trial", json.dumps({"values": {"window": window}, "scores": scores})]
    return words("select", *lines, method="online_ttt_mae", metric="miou_pooled", grid=grid,
                 output=output)  # fmt: skip


def trace_words(inputs: Inputs, output: Path | str) -> list[str]:
    """Return how learning on single frames is traced."""
    predict = inputs.predict_words("semantic", "online_ttt_mae", output)
    return ["trace", *predict[1:], "--steps", "3", "--frame", "1,5"]


def theory_words(inputs: Inputs, output: Path | str) -> list[str]:
    """Return how the gradients of section 6.2 are measured."""
    return words(
        "theory",
        frames=inputs.frames,
        checkpoint=inputs.checkpoint("semantic", "joint"),
        task="semantic",
        settings=small_settings("online_ttt_mae"),
        seed=0,
        device="cpu",
        length=10,
        masks=2,
        point_draws=2,
        dimension=256,
        output=output,
    )


def _draws() -> list[tuple[str, Any]]:
    """Return the published networks, and what draws a file of their weights."""
    return [
        ("zhang2016", lambda: _drawn(_zhang2016_shapes())),
        ("segformer_b4", lambda: _drawn(segformer_shapes(**B4))),
        ("deeplabv3plus_r101", lambda: {"state_dict": _drawn(deeplab_shapes())}),
    ]


def _zhang2016_shapes() -> dict[str, tuple[int, ...]]:
    names = Zhang2016().state_dict().items()
    return {name: tuple(each.shape) for name, each in names if "num_batches" not in name}


def _drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    draws = generator("kills", "weights")
    found = {}
    for name, shape in shapes.items():
        fan = int(torch.tensor(shape[1:]).prod()) if len(shape) > 1 else 1
        values = torch.randn(shape, generator=draws) * (2 / fan) ** 0.5
        # Variances, and counters.
        found[name] = values.abs() + 0.5 if "running_var" in name else values
        if not shape:
            found[name] = torch.tensor(0)
    return found
