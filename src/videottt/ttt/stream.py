"""Run test-time training on a video stream: the loop of the paper's section 4.2 (equation 2).

For each frame the loop extends the window, updates the model and predicts the frame. No function
here receives labels or future frames. The only exception is the ablation Offline TTT-MAE All Frames
(section 6.1), which receives the whole video.
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
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method
from videottt.tasks.task import Task
from videottt.ttt.clock import Clock, clock_for
from videottt.ttt.collapse import CollapseWatch
from videottt.ttt.memory import (
    ExplicitMemory,
    ImplicitMemory,
    WholeVideo,
    sample_indices,
    shown_to_update,
)
from videottt.ttt.objectives import objective_named
from videottt.ttt.observation import Observation, observe, remembered
from videottt.ttt.predictor import Predictor
from videottt.ttt.update import Updates

# Mask ratio of reconstructions for figures when the objective has no mask ratio.
MASK_RATIO = 0.8


@dataclass(frozen=True)
class OfflineUpdate:
    """One update of offline TTT.

    Attributes:
        loss: of the batch, before the update.
        gradient_norm: L2 norm of all gradients together, before clipping.
        wall_time: seconds by phase.
    """

    loss: float
    gradient_norm: float
    wall_time: dict[str, float]


class Stream:
    """One model on one video: `step` takes the frames in order, learns from each and predicts it.

    Args:
        model: the Y-shaped model; it is trained in place.
        task: decodes the outputs of the head h.
        method: sets the objective, the memories, the updates and the prediction.
        key: identity of the job, the key of random draws.

    Attributes:
        method: of the stream.

    Raises:
        InputError: the objective or one of its options does not exist; the task has no pixel scores
            for smoothing and votes, or no classes for resets on collapse; or the method is offline
            and its objective trains no parameter.
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
        # Copies the initial model, so before the objective replaces layers.
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
        # Batches are drawn from the last frames, or offline from the whole video.
        self._window: ExplicitMemory | WholeVideo = self._recent
        initial = self._updates.parameters if method.reset != "never" else []
        self._implicit = ImplicitMemory(initial)
        self._seen = 0

    def step(self, frame: np.ndarray, index: int | None = None) -> FrameResult:
        """Learn from the current frame and predict it, in the order that the method says.

        Args:
            frame: RGB, uint8 [H, W, 3]; all frames of a stream have one size.
            index: of the frame in its video, from 0; by default the number of earlier frames.

        Returns:
            the prediction at the frame's size, with the loss and the gradient norm (means over the
            updates of this frame, nan without an update), and wall times by phase in seconds.

        Raises:
            InputError: memory is short even for one image, or too many updates in a row were
                skipped; see `Updates.take`.
        """
        index = self._seen if index is None else index
        clock = clock_for(self._device)
        observation = self._observed(frame, index)
        learns = self._objective.learns and self._seen % self.method.every == 0
        if self._objective.learns:
            self._remember(observation)
        if learns:
            self._start_again(clock)
        if self.method.predict == "before":
            prediction = self._predicted(observation, clock)
        if learns:
            self._learn(observation, clock)
        if self.method.predict == "after":
            prediction = self._predicted(observation, clock)
        self._seen += 1
        resets = self._forget_on_collapse(observation, prediction)
        clock.charge("reset")
        # Last, because a GPU must have done everything before it tells what it measured.
        steps = self._updates.read()
        return FrameResult(
            index=index,
            prediction=prediction,
            loss=float(np.mean([step.loss for step in steps])) if steps else float("nan"),
            gradient_norm=float(np.mean([step.norm for step in steps])) if steps else float("nan"),
            skipped_steps=[step.finite for step in steps].count(False),
            wall_time=clock.wall_time(),
            resets=resets,
        )

    def train_offline(self, video: WholeVideo, first: int, last: int) -> Iterator[OfflineUpdate]:
        """Take updates number `first` to `last` - 1 on batches of all frames of a video.

        The ablation Offline TTT-MAE All Frames of the paper's section 6.1: batches are sampled from
        the whole video in the same way as from the sliding window.
        """
        self._window = WholeVideo(len(video), self._read_from(video))
        if first < last:
            # Drop the scores of temporal smoothing: they are of the video's end, and of weights
            # before these updates.
            self._predictor = Predictor(self._model, self._task, self.method, self._key)
        for iteration in range(first, last):
            clock = clock_for(self._device)
            self._update("offline", iteration, clock)
            [step] = self._updates.read()
            yield OfflineUpdate(step.loss, step.norm, clock.wall_time())

    def predict_only(self, frame: np.ndarray, index: int) -> FrameResult:
        """Predict a frame, RGB uint8 [H, W, 3], with the current weights and without learning."""
        clock = clock_for(self._device)
        prediction = self._predictor.predict_frame(self._observed(frame, index))
        clock.charge("predict")
        nothing = float("nan")
        return FrameResult(index, prediction, nothing, nothing, 0, clock.wall_time())

    def state(self) -> dict[str, Any]:
        """Return everything that has changed since the stream was made, for `restore`.

        Frames are not included, only the indices of the frames in the window.
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
        """Restore a saved state; to be called on a stream before its first frame.

        Args:
            state: from `state` of a stream with the same model, method, key and video.
            frame: returns frame `index` of the video, RGB uint8 [H, W, 3].
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
        """Learn from one frame in several steps, and yield the result of every step (figure 3).

        Args:
            frame: RGB, uint8 [H, W, 3].
            index: of the frame in its video.
            steps: number of gradient steps, from the current weights.

        Yields:
            loss, prediction and reconstruction before the first step and after every step.
        """
        observation = self._observed(frame, index)
        self._remember(observation)
        for step in range(steps + 1):
            with torch.inference_mode():
                draws = generator(*self._draws, index, "look")
                loss = float(self._objective.loss(self._model, observation.images, draws))
            visible, pixels = self._reconstruct(observation)
            prediction = self._predictor.predict_frame(observation)
            yield Traced(step, loss, prediction, visible, pixels)
            if step < steps:
                self._update(index, step, clock_for(self._device))
                self._updates.read()

    def reconstruct(self, frame: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Mask a frame and reconstruct it with the current weights, for figures.

        Args:
            frame: RGB, uint8 [H, W, 3].
            index: of the frame in its video.

        Returns:
            the visible pixels, bool [h, w], and the reconstruction, RGB uint8 [h, w, 3], both at
            the size of the model's input.
        """
        return self._reconstruct(self._observed(frame, index))

    def _reconstruct(self, observation: Observation) -> tuple[np.ndarray, np.ndarray]:
        options = self.method.options
        ratio, filling = options.get("mask_ratio", MASK_RATIO), options.get("masked_with", "mean")
        return self._predictor.reconstruct(observation, ratio, filling)

    def _observed(self, frame: np.ndarray, index: int) -> Observation:
        return observe(frame, index, self._task, self.method, self._device)

    def _remember(self, observation: Observation) -> None:
        """Add a frame to the window."""
        self._recent.append(observation.remembered, observation.index)

    def _read_from(self, video: WholeVideo) -> Callable[[int], np.ndarray]:
        def read(index: int) -> np.ndarray:
            return remembered(video.frame(index), self._task, self.method)

        return read

    def _predicted(self, observation: Observation, clock: Clock) -> Prediction:
        prediction = self._predictor.predict_frame(observation)
        clock.charge("predict")
        return prediction

    def _start_again(self, clock: Clock) -> None:
        """Reset what the method does not carry over from the frame before."""
        if self.method.reset == "every_frame":
            self._forget()
        elif self.method.optimizer_between_frames == "rebuilt":
            self._updates.rebuild_optimizer()
        clock.charge("reset")

    def _learn(self, observation: Observation, clock: Clock) -> None:
        """Learn from the window."""
        self._objective.observe(self._model, observation.images)
        clock.charge("forward")
        if self._updates.parameters:
            for step in range(self.method.steps):
                self._update(observation.index, step, clock)

    def _forget(self) -> None:
        """Reset the model and the optimizer to their initial state, bit for bit."""
        self._implicit.forget(self._updates.parameters)
        self._objective.forget(self._model)
        self._updates.rebuild_optimizer()

    def _forget_on_collapse(self, observation: Observation, prediction: Prediction) -> int:
        """Reset the model if its predictions have collapsed; return the number of resets."""
        if self._collapse is None or not self._collapse.noticed(observation, prediction):
            return 0
        self._forget()
        return 1

    def _update(self, index: int | str, iteration: int, clock: Clock) -> None:
        """Take one gradient step on a batch from the window."""
        draws = generator(*self._draws, index, iteration)
        images = self._batch(draws)
        clock.charge("sample")
        self._updates.take(images, index, iteration, draws, clock)

    def _batch(self, draws: torch.Generator) -> Tensor:
        """Draw a batch of frames from the window: uint8 [B, H, W, 3], where the window is."""
        method = self.method
        indices = sample_indices(len(self._window), method.batch, method.sampling, draws)
        frames = self._window.batch(indices)
        return torch.stack([shown_to_update(frame, method, draws) for frame in frames])


def run_stream(stream: Stream, frames: Iterable[tuple[int, np.ndarray]]) -> Iterator[FrameResult]:
    """Run a stream over a video, and yield the result of every frame before reading the next one.

    Args:
        stream: model and method; the model is trained in place.
        frames: (index, RGB uint8 [H, W, 3]) in the order of the stream. Frame t + 1 is read only
            after the result of frame t has been yielded.

    Yields:
        the result of each frame; its wall time includes the time of reading the frame.
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
    """Return the frame indices of a video in the order of a method's stream.

    Args:
        length: number of frames.
        order: "shuffled" permutes the frames, to destroy temporal smoothness (section 6.1); any
            other order keeps them as they are.
        key: identity of the job, the key of the permutation.
    """
    if order != "shuffled":
        return list(range(length))
    draws = generator(*key.draws, "order")
    return torch.randperm(length, generator=draws).tolist()
