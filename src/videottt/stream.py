"""Test-time training on a video stream: the loop of the paper's section 4.2 (equation 2).

For each frame: extend the window, update the model, predict. Labels and future frames cannot be
reached from here: neither is an argument of anything.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers.models.swin.modeling_swin import SwinDropPath

from videottt.errors import InputError
from videottt.frame_result import PHASES, FrameResult
from videottt.memory import ExplicitMemory, ImplicitMemory, sample_indices
from videottt.method import Method
from videottt.models.inputs import (
    STRIDE,
    denormalise,
    input_size,
    normalise,
    pad_to_stride,
    resize_image,
)
from videottt.models.masking import random_visible
from videottt.models.y_shaped import YShapedModel
from videottt.objectives import objective_named
from videottt.optimization import clip_gradients, gradient_norm, parameter_groups
from videottt.precision import Precision
from videottt.randomness import generator, global_draws
from videottt.tasks.task import Task


@dataclass(frozen=True)
class StreamKey:
    """What every random draw of one job is keyed by, beside frame and step."""

    seed: int
    dataset: str
    video: str


@dataclass
class _Clock:
    """Adds up wall time by phase; waits for the device, so that each phase pays for itself."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    _last: float = field(default_factory=time.perf_counter)

    def charge(self, phase: str) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[phase] += now - self._last
        self._last = now


class Stream:
    """One model on one video: give it frames in order, it learns and predicts.

    Args:
        model: the Y-shaped model; it is trained in place.
        task: decodes what the head says.
        method: what to do with each frame.
        key: what random draws are keyed by.

    Raises:
        InputError: the method's objective or one of its options does not exist.
    """

    def __init__(self, model: YShapedModel, task: Task, method: Method, key: StreamKey) -> None:
        self.method = method
        self._model = model.eval()
        self._task = task
        self._key = (key.seed, key.dataset, key.video)
        self._device = next(model.parameters()).device
        self._precision = Precision(method.precision, self._device)
        self._objective = objective_named(method.objective, method.options)
        self._parameters = self._objective.trainable(model)
        model.requires_grad_(False)
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        settings = method.optimizer
        groups = parameter_groups(
            model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
        )
        self._optimizer = torch.optim.AdamW(groups, fused=True) if groups else None
        self._window = ExplicitMemory(method.window)
        self._implicit = ImplicitMemory(self._parameters if method.reset == "every_frame" else [])
        self._seen = 0

    def step(self, frame: np.ndarray, index: int | None = None) -> FrameResult:
        """Learn from a frame, then predict it.

        Args:
            frame: uint8 [H, W, 3], RGB.
            index: of the frame in its video; by default the number of frames seen so far.
        """
        index = self._seen if index is None else index
        self._seen += 1
        clock = _Clock(self._device)
        image = self._resized(frame)
        losses: list[float] = []
        norms: list[float] = []
        if self._optimizer is not None:
            self._window.append(_padded(image) if self.method.crop is None else image)
            self._reset(clock)
            for iteration in range(self.method.steps):
                loss, norm = self._update(index, iteration, clock)
                losses.append(loss)
                norms.append(norm)
        prediction = self._predict(image, frame.shape[:2])
        clock.charge("predict")
        finite = [np.isfinite(pair).all() for pair in zip(losses, norms, strict=True)]
        return FrameResult(
            index=index,
            prediction=prediction,
            loss=float(np.mean(losses)) if losses else float("nan"),
            gradient_norm=float(np.mean(norms)) if norms else float("nan"),
            skipped_steps=finite.count(False),
            seconds=clock.seconds,
        )

    def reconstruct(
        self, frame: np.ndarray, index: int, mask_ratio: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mask a frame and reconstruct it with the weights as they are; for looking, not learning.

        Returns:
            visible: bool [h, w] at the model's input size, and the reconstructed pixels, uint8
            [h, w, 3].
        """
        image = self._resized(frame)
        images = pad_to_stride(normalise(torch.from_numpy(image[None]).to(self._device)))
        draws = generator(*self._key, index, "look")
        size = tuple(images.shape[-2:])
        visible = random_visible(1, size, self._model.preset.mask_patch, mask_ratio, draws)
        with torch.inference_mode():
            pixels = self._model.reconstruct(images, visible.to(self._device))
        height, width = image.shape[:2]
        shown = visible[0, 0, :height, :width].bool().numpy()
        return shown, denormalise(pixels)[0, :height, :width].cpu().numpy()

    def _resized(self, frame: np.ndarray) -> np.ndarray:
        method = self.method
        size = input_size(frame.shape[:2], method.shortest_edge, method.longest_edge)
        return resize_image(frame, size)

    def _reset(self, clock: _Clock) -> None:
        if self.method.reset == "every_frame":
            self._implicit.forget(self._parameters)
        if self.method.reset == "every_frame" or self.method.optimizer_between_frames == "rebuilt":
            # AdamW without state is AdamW just built.
            self._optimizer.state.clear()
        clock.charge("reset")

    def _update(self, index: int, iteration: int, clock: _Clock) -> tuple[float, float]:
        """Take one gradient step on a batch of the window; return loss and gradient norm."""
        draws = generator(*self._key, index, iteration)
        images = self._batch(draws)
        clock.charge("sample")
        total = 0.0
        chunks = images.split(self.method.micro_batch or len(images))
        for number, chunk in enumerate(chunks):
            with (
                _drop_path(self._model, self.method.drop_path),
                global_draws(*self._key, index, iteration, "drop path", number),
                self._precision.autocast(),
            ):
                loss = self._objective.loss(self._model, chunk, draws) * (len(chunk) / len(images))
            clock.charge("forward")
            self._precision.scale(loss).backward()
            total += float(loss.detach())
            clock.charge("backward")
        self._precision.unscale(self._optimizer)
        norm = gradient_norm(self._parameters)
        if np.isfinite(total) and bool(torch.isfinite(norm)):
            clip_gradients(self._parameters, norm, self.method.optimizer.gradient_clip)
            self._precision.step(self._optimizer)
        self._precision.update()
        self._optimizer.zero_grad(set_to_none=True)
        clock.charge("optimizer")
        return total, float(norm)

    def _batch(self, draws: torch.Generator) -> Tensor:
        """Return a batch of the window: float [B, 3, H, W], normalised."""
        method = self.method
        indices = sample_indices(len(self._window), method.batch, method.sampling, draws)
        frames = self._window.batch(indices)
        if method.crop is not None:
            frames = np.stack([_random_crop(frame, method.crop, draws) for frame in frames])
        return normalise(torch.from_numpy(frames).to(self._device))

    @torch.inference_mode()
    def _predict(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        images = pad_to_stride(normalise(torch.from_numpy(image[None]).to(self._device)))
        outputs = self._model.predict(images)
        return self._task.decode(outputs, tuple(images.shape[-2:]), image.shape[:2], size)


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
        result.seconds["load"] = waited
        yield result


def frame_order(length: int, order: str, key: StreamKey) -> list[int]:
    """Return the order in which a method sees the frames of a video of `length` frames."""
    if order == "stream":
        return list(range(length))
    draws = generator(key.seed, key.dataset, key.video, "order")
    return torch.randperm(length, generator=draws).tolist()


def _padded(image: np.ndarray) -> np.ndarray:
    """Pad an image with black to multiples of 32, as the release pads what it trains on."""
    below, right = -image.shape[0] % STRIDE, -image.shape[1] % STRIDE
    return np.pad(image, ((0, below), (0, right), (0, 0))) if below or right else image


def _random_crop(image: np.ndarray, size: tuple[int, int], draws: torch.Generator) -> np.ndarray:
    if size[0] % STRIDE or size[1] % STRIDE:
        raise InputError(f"method: crop {list(size)} must be multiples of {STRIDE}")
    short = [max(0, size[axis] - image.shape[axis]) for axis in (0, 1)]
    image = np.pad(image, ((0, short[0]), (0, short[1]), (0, 0)))
    top, left = (
        int(torch.randint(image.shape[axis] - size[axis] + 1, (1,), generator=draws))
        for axis in (0, 1)
    )
    return image[top : top + size[0], left : left + size[1]]


@contextlib.contextmanager
def _drop_path(model: YShapedModel, on: bool) -> Iterator[None]:
    """Switch the encoder's drop path on inside the block, and nothing else to training mode."""
    modules = [m for m in model.encoder.modules() if isinstance(m, SwinDropPath)]
    for module in modules:
        module.train(on)
    try:
        yield
    finally:
        for module in modules:
            module.train(False)
