"""What a step costs, and a prediction, by module and phase, beside a bare loop.

    python benchmarks/step.py [--case tiny tiny_large reference] [--rounds 7] [--against REV]

Each case is one model at one size, on one thread. Measured in processor seconds: a frame of online
TTT-MAE (step and prediction) through `Stream`, a frame of the fixed model, an iteration of joint
training; then the same step and prediction in a bare loop of the same model, and its modules,
forward and backward. With --against, an earlier revision takes turns with this tree, frame by
frame; the bare loop and the modules are of this tree. Weights are untrained: they do not change
what an operation costs.
"""

import argparse
import dataclasses
import inspect
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.core.segments import ClassSpace
from videottt.core.settings import with_values
from videottt.data.synthetic import render_stills, render_video
from videottt.models.inputs import normalise
from videottt.models.masking import random_visible, reconstruction_loss
from videottt.models.y_shaped import YShapedModel
from videottt.settings.dataset import Phase
from videottt.settings.method import method_from
from videottt.settings.presets import PRESETS
from videottt.settings.training import TrainingSettings
from videottt.study.config import method_of
from videottt.study.job_settings import method_settings
from videottt.study.layers import complete
from videottt.tasks import task_named
from videottt.training.joint import start_run, train
from videottt.ttt.stream import Stream

# The architecture of the authors' tiny reference model, and their loop's settings.
REFERENCE = dataclasses.replace(
    PRESETS["tiny"],
    encoder=dataclasses.replace(PRESETS["tiny"].encoder, embed_dim=24, drop_path_rate=0.3),
    mask_dim=32, queries=20, pixel_decoder_layers=2,
    pixel_decoder_feedforward=1024, mask_patch=16,
)  # fmt: skip
AS_RELEASED = {
    "batch": 8, "micro_batch": 2, "crop": (128, 256), "drop_path": True,
    "optimizer_between_frames": "rebuilt",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """One model at one size.

    Attributes:
        preset: sizes of the model.
        size: (H, W) of the frames, in pixels.
        values: settings of online TTT-MAE that differ from config.yaml's.
    """

    preset: Any
    size: tuple[int, int]
    values: dict[str, Any]


CASES = {
    "smallest": Case(PRESETS["tiny"], (32, 64), {"batch": 2}),
    "tiny": Case(PRESETS["tiny"], (96, 128), {"batch": 4}),
    "tiny_large": Case(PRESETS["tiny"], (256, 512), {"batch": 4}),
    "reference": Case(REFERENCE, (256, 512), AS_RELEASED),
    "swin_small": Case(PRESETS["swin_small"], (256, 512), AS_RELEASED),
}
# Images in a batch of joint training, as in the demo.
TRAINED = 8
NOW = "now"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--worker"]:
        serve(CASES[sys.argv[2]])
        return
    from measuring import print_result
    from revisions import trees

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=["tiny"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--against", metavar="REVISION", help="an earlier revision, for git")
    options = parser.parse_args()
    cases = {}
    with trees(options.against) as compiled:
        for name in options.case:
            cases[name] = compared(name, compiled, options.rounds)
            report(name, cases[name])
    print_result({"benchmark": "step", "rounds": options.rounds, "cases": cases})


def compared(name: str, compiled: dict[str, Path], rounds: int) -> dict[str, Any]:
    """Measure a case in each tree by turns; return medians and ratios."""
    workers = {tree: worker(name, path) for tree, path in compiled.items()}
    found: dict[str, list[dict[str, float]]] = {tree: [] for tree in workers}
    for number in range(rounds + 1):
        for tree, process in workers.items():
            one = ask(process)
            # The first round pays for caches.
            found[tree] += [one] if number else []
    for process in workers.values():
        process.communicate()
    medians = {
        tree: {key: statistics.median(one[key] for one in each) for key in each[0]}
        for tree, each in found.items()
    }
    now = medians[NOW]
    ratios = {
        f"{tree}_ratio": {key: each[key] / now[key] for key in ("frame", "prediction", "training")}
        for tree, each in medians.items()
        if tree != NOW
    }
    bare = bare_loop(CASES[name], rounds)
    overhead = {"over_bare_ratio": now["frame"] / bare["frame"]}
    return {"seconds": medians, "bare": bare, "modules": modules(CASES[name], rounds)} | (
        ratios | overhead
    )


def report(name: str, result: dict[str, Any]) -> None:
    """Print what was measured."""
    for tree, seconds in result["seconds"].items():
        of_phases = ", ".join(f"{key} {1e3 * value:.1f}" for key, value in seconds.items())
        print(f"{name}, {tree}, ms: {of_phases}")
    for key, ratio in result.items():
        if key.endswith("_ratio"):
            print(f"{name}, {key}: {ratio}")
    for part, value in result["modules"].items():
        print(f"{name}, {part}: {1e3 * value:.1f} ms")


def worker(name: str, tree: Path) -> "subprocess.Popen[str]":
    """Start a process that measures a case with the package of a tree, once for each line."""
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--worker", name]
    environment = {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def ask(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Return what a worker measures.

    Raises:
        RuntimeError: the worker has failed.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError("the worker has failed; see its message above")
    found: dict[str, float] = json.loads(answer)
    return found


def serve(case: Case) -> None:
    """Measure the case for each line of the input, and print it as a line of JSON."""
    torch.set_num_threads(1)
    frames = [each.image for each in rendered(case.size)]
    online, fixed = stream_of(case, "online_ttt_mae"), stream_of(case, "mae_joint_training")
    training = trainings(case)
    for number, _ in enumerate(sys.stdin):
        frame = frames[number % len(frames)]
        start = time.process_time()
        result = online.step(frame)
        of_frame = time.process_time() - start
        start = time.process_time()
        fixed.step(frame)
        of_prediction = time.process_time() - start
        found = {"frame": of_frame, "prediction": of_prediction, "training": next(training)}
        print(json.dumps(found | result.wall_time), flush=True)


def rendered(size: tuple[int, int]) -> list[Any]:
    """Return some frames of a rendered video."""
    return list(render_video("benchmark", [Phase("avenue", "day")], 8, size, 0))


def stream_of(case: Case, name: str) -> Stream:
    """Return a stream of one method with an untrained model."""
    config = complete({}).config
    classes = tuple(config["datasets"]["synthetic"]["classes"])
    settings = method_settings(config, "synthetic", method_of(config, name))
    whole = {"shortest_edge": case.size[0], "longest_edge": case.size[1]}
    learning = case.values if name == "online_ttt_mae" else {}
    settings = with_values(settings, whole | learning)
    return Stream(
        YShapedModel(case.preset, len(classes)),
        task_named("semantic", ClassSpace(classes)),
        method_from(settings),
        JobKey("synthetic", "semantic", name, 0, "benchmark"),
    )


class Stills(torch.utils.data.Dataset[Any]):
    """Rendered stills, again and again."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._stills = [
            tuple(torch.from_numpy(layer.copy()) for layer in (s.image, s.semantic, s.instance))
            for s in render_stills(TRAINED, size, seed=0)
        ]

    def __getitem__(self, index: int) -> Any:
        """Return image, classes and instances of sample `index`."""
        return self._stills[index % TRAINED]


def trainings(case: Case) -> Iterator[float]:
    """Yield the processor seconds of one iteration of joint training after the other."""
    classes = tuple(complete({}).config["datasets"]["synthetic"]["classes"])
    # Whole frames where they are small, otherwise what an update sees of them.
    size = case.values.get("crop", case.size)
    stills = Stills(size)
    run = start_run(YShapedModel(case.preset, len(classes)), _trained(0))
    # Revisions from before keys named their stage take a seed.
    key: Any = ("training", 0) if "draws" in inspect.signature(train).parameters else 0
    while True:
        start = time.process_time()
        train(
            run,
            task_named("semantic", ClassSpace(classes)),
            stills,
            _trained(run.iteration + 1),
            key,
            lambda *_: None,
        )
        yield time.process_time() - start


def _trained(iterations: int) -> TrainingSettings:
    return TrainingSettings(
        batch=TRAINED, iterations=max(iterations, 1), learning_rate=1e-3, encoder_multiplier=1.0,
        weight_decay=0.05, gradient_clip=1.0, warmup=1, reconstruction=True,
    )  # fmt: skip


def median_of(work: Callable[[], object], rounds: int) -> float:
    """Return the median processor seconds of a work, after a first time that does not count."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def bare_loop(case: Case, rounds: int) -> dict[str, float]:
    """Return the seconds of a step and a prediction in a loop of the model and nothing else."""
    torch.set_num_threads(1)
    model, shown, visible = inputs(case)
    trained = [*model.encoder.parameters(), *model.decoder.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, fused=True)
    whole = normalise(torch.from_numpy(rendered(case.size)[0].image)[None])
    part = case.values.get("micro_batch") or len(shown)

    def step() -> None:
        for images, seen in zip(shown.split(part), visible.split(part), strict=True):
            loss = reconstruction_loss(model.reconstruct(images, seen), images, seen, "masked")
            (loss * (len(images) / len(shown))).backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.01)
        optimizer.step()
        optimizer.zero_grad()

    @torch.inference_mode()
    def predict() -> None:
        model.predict_final(whole)

    step_seconds, prediction = median_of(step, rounds), median_of(predict, rounds)
    return {"step": step_seconds, "prediction": prediction, "frame": step_seconds + prediction}


def inputs(case: Case) -> tuple[YShapedModel, torch.Tensor, torch.Tensor]:
    """Return an untrained model, a batch of an update, normalised, and its visible pixels."""
    model = YShapedModel(case.preset, 19).eval()
    model.head.requires_grad_(False)
    height, width = case.values.get("crop", case.size)
    images = torch.stack(
        [torch.from_numpy(frame.image[:height, :width].copy()) for frame in rendered(case.size)]
    )
    shown = normalise(images)[: case.values["batch"]]
    draws = generator("benchmark")
    visible = random_visible(len(shown), (height, width), case.preset.mask_patch, 0.8, draws)
    return model, shown, visible


def modules(case: Case, rounds: int) -> dict[str, float]:
    """Return the seconds of each module on a batch of an update, forward and backward."""
    model, shown, visible = inputs(case)
    maps = model.features(shown, visible)
    given = tuple(each.detach().requires_grad_() for each in maps)
    decoder = model.decoder
    states, pixels = decoder.query(given)
    cut = dataclasses.replace(
        pixels,
        levels=tuple(each.detach().requires_grad_() for each in pixels.levels),
        mask_features=pixels.mask_features.detach().requires_grad_(),
    )
    forward: dict[str, Callable[[], list[torch.Tensor]]] = {
        "encoder f": lambda: list(model.features(shown, visible)),
        "g, pixel decoder": lambda: _outputs(decoder.pixel_decoder(given)),
        "g, query decoder": lambda: decoder.query_decoder(cut)[-1:],
        "g, masks": lambda: [decoder.query_decoder.masks(states[-1].detach(), cut)],
    }
    found = {}
    for name, run in forward.items():
        gradients = [torch.ones_like(each) for each in run()]

        def both(
            run: Callable[[], list[torch.Tensor]] = run, given: list[torch.Tensor] = gradients
        ) -> None:
            torch.autograd.backward(run(), given)
            model.zero_grad()

        found[f"{name}, forward"] = median_of(run, rounds)
        found[f"{name}, backward"] = median_of(both, rounds) - found[f"{name}, forward"]
    return found


def _outputs(pixels: Any) -> list[torch.Tensor]:
    return [*pixels.levels, pixels.mask_features]


if __name__ == "__main__":
    main()
