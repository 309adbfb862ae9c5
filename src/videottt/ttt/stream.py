"""Test-time training on a video stream: the loop of the paper's section 4.2 (equation 2).

For each frame: extend the window, update the model, predict. Labels cannot be reached from here,
nor future frames: neither is an argument of anything. The one exception is the ablation that the
paper calls offline (section 6.1), which is given the frames of the whole video.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.frame_result import FrameResult, Traced
from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.core.segments import Prediction
from videottt.data.transforms.update_views import view_for_update
from videottt.models.y_shaped import YShapedModel
from videottt.tasks.task import Task
from videottt.ttt.collapse import CollapseWatch
from videottt.ttt.memory import (
    ExplicitMemory,
    ImplicitMemory,
    WholeVideo,
    sample_indices,
)
from videottt.ttt.method import Method
from videottt.ttt.objectives import objective_named
from videottt.ttt.observation import Observation, observe, remembered
from videottt.ttt.predictor import Predictor
from videottt.ttt.update import Clock, Updates

# Of reconstructions that are only looked at, where the objective masks nothing.
MASK_RATIO = 0.8


@dataclass(frozen=True)
class OfflineUpdate:
    """One update of offline training: loss and gradient norm before it, wall time by phase."""

    loss: float
    gradient_norm: float
    wall_time: dict[str, float]


class Stream:
    """One model on one video: give it frames in order, it learns and predicts.

    Args:
        model: the Y-shaped model; it is trained in place.
        task: decodes what the head says.
        method: what to do with each frame.
        key: the ids of the job, which random draws are keyed by.

    Raises:
        InputError: the method's objective or one of its options does not exist, the method
            averages predictions that the task cannot average or counts classes that it has not, or
            it is offline and its objective trains nothing.
    """

    def __init__(self, model: YShapedModel, task: Task, method: Method, key: JobKey) -> None:
        self.method = method
        self._model = model.eval()
        self._task = task
        self._key = key
        self._draws = key.draws
        self._device = next(model.parameters()).device
        self._objective = objective_named(method.objective, method.options)
        self._predictor = Predictor(model, task, method, key)
        # Before the objective changes any layer: what collapsed predictions are compared with.
        self._collapse = (
            CollapseWatch(self._model, task, method, key)
            if method.reset == "class_collapse"
            else None
        )
        self._objective.prepare(model)
        self._updates = Updates(model, self._objective, method, key)
        if method.order == "offline" and not self._updates.parameters:
            raise InputError(
                f"method: order is 'offline', but objective '{method.objective}' trains no "
                "parameter; use another objective or the order 'stream'"
            )
        self._recent = ExplicitMemory(method.window)
        # What batches are drawn from: the last frames, or the whole video of an offline method.
        self._window: ExplicitMemory | WholeVideo = self._recent
        initial = self._updates.parameters if method.reset != "never" else []
        self._implicit = ImplicitMemory(initial)
        self._seen = 0

    def step(self, frame: np.ndarray, index: int | None = None) -> FrameResult:
        """Learn from a frame, then predict it.

        Args:
            frame: uint8 [H, W, 3], RGB.
            index: of the frame in its video; by default the number of frames seen so far.
        """
        index = self._seen if index is None else index
        clock = Clock(self._device)
        seen = self._observed(frame, index)
        losses: list[float] = []
        norms: list[float] = []
        if self._objective.learns:
            self._remember(seen)
            if self._seen % self.method.every == 0:
                losses, norms = self._learn(seen, clock)
        self._seen += 1
        prediction = self._predictor.predict_frame(seen)
        clock.charge("predict")
        resets = self._forget_on_collapse(seen, prediction)
        clock.charge("reset")
        finite = [bool(np.isfinite(pair).all()) for pair in zip(losses, norms, strict=True)]
        return FrameResult(
            index=index,
            prediction=prediction,
            loss=float(np.mean(losses)) if losses else float("nan"),
            gradient_norm=float(np.mean(norms)) if norms else float("nan"),
            skipped_steps=finite.count(False),
            wall_time=clock.wall_time,
            resets=resets,
        )

    def train_offline(self, video: WholeVideo, first: int, last: int) -> Iterator[OfflineUpdate]:
        """Take updates number `first` ... `last` - 1 on batches of all frames of a video.

        The ablation "Offline TTT-MAE All Frames" of the paper's section 6.1: batches are sampled
        from the whole video in the same way as from the sliding window.
        """
        self._window = WholeVideo(len(video), self._read_from(video))
        if first < last:
            # Scores that smoothing remembers are of other weights, and of the video's end.
            self._predictor = Predictor(self._model, self._task, self.method, self._key)
        for iteration in range(first, last):
            clock = Clock(self._device)
            loss, norm = self._update("offline", iteration, clock)
            yield OfflineUpdate(loss, norm, clock.wall_time)

    def predict_only(self, frame: np.ndarray, index: int) -> FrameResult:
        """Predict a frame, uint8 [H, W, 3], with the weights as they are."""
        clock = Clock(self._device)
        prediction = self._predictor.predict_frame(self._observed(frame, index))
        clock.charge("predict")
        nothing = float("nan")
        return FrameResult(index, prediction, nothing, nothing, 0, clock.wall_time)

    def state(self) -> dict[str, Any]:
        """Return everything that has changed since the first frame, to go on from another day.

        Frames are not in it, but the indices of those in the window.
        """
        return {
            "seen": self._seen,
            "window": self._window.indices,
            "updates": self._updates.state(),
            "objective": self._objective.state(self._model),
            "smoothing": self._predictor.state(),
            "collapse": [] if self._collapse is None else self._collapse.state(),
        }

    def restore(self, state: dict[str, Any], frame: Callable[[int], np.ndarray]) -> None:
        """Be where `state` was returned; to be called on a stream that has seen nothing.

        Args:
            state: of a stream of the same model, method, key and video.
            frame: returns frame `index` of the video, uint8 [H, W, 3].
        """
        for index in state["window"]:
            self._remember(self._observed(frame(index), index))
        self._seen = state["seen"]
        self._updates.restore(state["updates"])
        self._objective.restore(self._model, state["objective"])
        self._predictor.restore(state["smoothing"])
        if self._collapse is not None:
            self._collapse.restore(state["collapse"])

    def trace(self, frame: np.ndarray, index: int, steps: int) -> Iterator[Traced]:
        """Learn from one frame, step by step, and say after each where it has come (figure 3).

        Starts from the weights as they are. The first result is before any update.
        """
        seen = self._observed(frame, index)
        self._remember(seen)
        for step in range(steps + 1):
            with torch.inference_mode():
                draws = generator(*self._draws, index, "look")
                loss = float(self._objective.loss(self._model, seen.images, draws))
            visible, pixels = self._reconstruct(seen)
            prediction = self._predictor.predict_frame(seen)
            yield Traced(step, loss, prediction, visible, pixels)
            if step < steps:
                self._update(index, step, Clock(self._device))

    def reconstruct(self, frame: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Mask a frame and reconstruct it with the weights as they are; for looking, not learning.

        Returns:
            visible: bool [h, w] at the model's input size, and the reconstructed pixels, uint8
            [h, w, 3].
        """
        return self._reconstruct(self._observed(frame, index))

    def _reconstruct(self, seen: Observation) -> tuple[np.ndarray, np.ndarray]:
        options = self.method.options
        ratio, filling = options.get("mask_ratio", MASK_RATIO), options.get("masked_with", "mean")
        return self._predictor.reconstruct(seen, ratio, filling)

    def _observed(self, frame: np.ndarray, index: int) -> Observation:
        return observe(frame, index, self._task, self.method, self._device)

    def _remember(self, seen: Observation) -> None:
        """Add a frame to the window."""
        self._recent.append(seen.remembered, seen.index)

    def _read_from(self, video: WholeVideo) -> Callable[[int], np.ndarray]:
        def read(index: int) -> np.ndarray:
            return remembered(video.batch([index])[0], self._task, self.method)

        return read

    def _learn(self, seen: Observation, clock: Clock) -> tuple[list[float], list[float]]:
        """Learn from the window; return loss and gradient norm of each step."""
        if self.method.reset == "every_frame":
            self._forget()
        elif self.method.optimizer_between_frames == "rebuilt":
            self._updates.rebuild_optimizer()
        clock.charge("reset")
        self._objective.observe(self._model, seen.images)
        clock.charge("forward")
        if not self._updates.parameters:
            return [], []
        done = [self._update(seen.index, step, clock) for step in range(self.method.steps)]
        losses, norms = zip(*done, strict=True)
        return list(losses), list(norms)

    def _forget(self) -> None:
        """Go back to the initial model, bit for bit."""
        self._implicit.forget(self._updates.parameters)
        self._objective.forget(self._model)
        self._updates.rebuild_optimizer()

    def _forget_on_collapse(self, seen: Observation, prediction: Prediction) -> int:
        """Reset the model if its predictions have collapsed; return the number of resets."""
        if self._collapse is None or not self._collapse.noticed(seen, prediction):
            return 0
        self._forget()
        return 1

    def _update(self, index: int | str, iteration: int, clock: Clock) -> tuple[float, float]:
        """Take one gradient step on a batch of the window; return loss and gradient norm."""
        draws = generator(*self._draws, index, iteration)
        images = self._batch(draws)
        clock.charge("sample")
        return self._updates.take(images, index, iteration, draws, clock)

    def _batch(self, draws: torch.Generator) -> Tensor:
        """Return a batch of the window: uint8 [B, H, W, 3], on the CPU."""
        method = self.method
        indices = sample_indices(len(self._window), method.batch, method.sampling, draws)
        frames = self._window.batch(indices)
        images = [view_for_update(frame, method.crop, method.views, draws) for frame in frames]
        return torch.from_numpy(np.stack(images))


def run_stream(stream: Stream, frames: Iterable[tuple[int, np.ndarray]]) -> Iterator[FrameResult]:
    """Run a stream over a video and yield the result of each frame as soon as it is there.

    Args:
        stream: a model with its method; its model is trained in place.
        frames: (index, uint8 [H, W, 3]) in the order in which the video is to be seen. Frame t + 1
            is not asked for before the result of frame t has been handed over.
    """
    arrivals = iter(frames)
    while True:
        start = time.perf_counter()
        arrival = next(arrivals, None)
        if arrival is None:
            return
        waited = time.perf_counter() - start
        result = stream.step(arrival[1], arrival[0])
        result.wall_time["load"] = waited
        yield result


def frame_order(length: int, order: str, key: JobKey) -> list[int]:
    """Return the order in which a method sees the frames of a video of `length` frames."""
    if order != "shuffled":
        return list(range(length))
    draws = generator(*key.draws, "order")
    return torch.randperm(length, generator=draws).tolist()
