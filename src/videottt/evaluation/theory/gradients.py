"""Compute the gradients of ℓ_m and ℓ_s with respect to the encoder f, at θ₀, frame by frame.

As in the paper's section 6.2, θ are the parameters of the encoder; g and h do not change.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import generator, global_draws
from videottt.core.segments import VOID
from videottt.data.transforms.resize import input_size, resize_image
from videottt.evaluation.theory.sketch import CountSketch
from videottt.evaluation.theory.statistics import GradientStatistics, gradient_statistics
from videottt.models.inputs import image_size, to_input
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method
from videottt.store.frames import FrameStore
from videottt.tasks.task import LabelMaps, Task
from videottt.ttt.objectives import objective_named

HALVES = 2
SHORTEST_RUN = 8


@dataclass(frozen=True)
class Sampling:
    """The number of draws of each random loss, and the size of a stored gradient.

    Attributes:
        masks: number of masks of a frame for ℓ_s, in two independent halves.
        point_draws: number of draws of the points of ℓ_m, in two independent halves.
        dimension: length of the sketch of a gradient.
    """

    masks: int = 8
    point_draws: int = 4
    dimension: int = 16384

    def __post_init__(self) -> None:
        """Check that the draws have two halves."""
        for name in ("masks", "point_draws"):
            value = getattr(self, name)
            if value < HALVES or value % HALVES:
                raise InputError(
                    f"theory: {name} is {value}, but must be even and at least 2: noise is "
                    "estimated from two halves"
                )
        if self.dimension < 1:
            raise InputError(f"theory: dimension is {self.dimension}, but must be at least 1")


@dataclass(frozen=True)
class FrameGradients:
    """The input and the gradients of one frame.

    Attributes:
        pixels: float32 [3, H, W], the model's input x_t: resized, normalised, padded.
        main: float64 [2, D], sketches of ∇ℓ_m, one for each half of the point draws.
        own: float64 [2, D], sketches of ∇ℓ_s, one for each half of the masks.
    """

    pixels: Tensor
    main: Tensor
    own: Tensor


def labelled_run(store: FrameStore, length: int | None = None) -> range:
    """Return the longest run of consecutive frames with a labelled pixel.

    The theorem compares consecutive frames, so frames between two labelled ones cannot be left out.

    Args:
        store: the video.
        length: number of frames to keep, from the start of the run; None: all.

    Raises:
        InputError: the run has fewer than 8 frames, for example because labels are sparse.
    """
    usable = [
        bool(store.labelled[t]) and bool((store.semantic(t) != VOID).any())
        for t in range(len(store))
    ]
    edges = np.flatnonzero(np.diff([False, *usable, False]))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts)) if len(starts) else None
    run = range(0) if longest is None else range(int(starts[longest]), int(ends[longest]))
    run = run[:length]
    if len(run) < SHORTEST_RUN:
        raise InputError(
            f"{store.path}: at most {len(run)} consecutive frames have labels, but the theory "
            f"needs {SHORTEST_RUN}; take a video that is labelled frame by frame"
        )
    return run


def stream_gradients(
    model: YShapedModel,
    task: Task,
    method: Method,
    store: FrameStore,
    run: range,
    key: JobKey,
    sampling: Sampling,
) -> Iterator[FrameGradients]:
    """Yield the gradients of every frame of a run, at the model's weights, which do not change.

    The model is in eval mode, without drop path, in float32. The method sets the objective ℓ_s, its
    options, the size of the input and `micro_batch`; `key` and the frame key every draw.

    Args:
        model: f, g and h of the joint checkpoint (θ₀).
        task: has the loss ℓ_m.
        method: has the objective ℓ_s and the size of the input.
        store: the video.
        run: frames with labels.
        key: keys the random draws.
        sampling: number of draws of each loss.
    """
    model.eval().requires_grad_(False)
    parameters = list(model.encoder.requires_grad_(True).parameters())
    device = parameters[0].device
    sketch = CountSketch(sum(p.numel() for p in parameters), sampling.dimension, key.seed, device)
    main_task_loss = task.main_task_loss(model)
    objective = objective_named(method.objective, method.options)
    for frame in run:
        ids = (*key.draws_of("theory"), frame)
        images, labels = _inputs(store, frame, method, device)
        outputs = model.predict(images)
        main = []
        for half in range(HALVES):
            losses = []
            for draw in range(sampling.point_draws // HALVES):
                with global_draws(*ids, "points", half, draw):
                    losses.append(main_task_loss(outputs, labels))
            loss = torch.stack(losses).mean()
            main.append(sketch(_gradients(loss, parameters, keep=half + 1 < HALVES)))
        del outputs, loss, losses
        batch = images.expand(sampling.masks // HALVES, -1, -1, -1)
        own = []
        for half in range(HALVES):
            draws = generator(*ids, "masks", half)
            sketches = [
                sketch(_gradients(objective.loss(model, chunk, draws), parameters))
                * (len(chunk) / len(batch))
                for chunk in torch.split(batch, method.micro_batch or len(batch))
            ]
            own.append(functools.reduce(torch.add, sketches))
        yield FrameGradients(images[0].cpu(), torch.stack(main), torch.stack(own))


def stream_statistics(
    gradients: Iterable[FrameGradients], run: range, after_frame: Callable[[int], None]
) -> GradientStatistics:
    """Return the inner products of all gradients of a run, read frame by frame.

    Args:
        gradients: of the frames of the run, in order.
        run: indices of the frames.
        after_frame: called with the number of frames done.
    """
    main, own, distances = [], [], []
    before = None
    for done, each in enumerate(gradients, start=1):
        main.append(each.main.numpy())
        own.append(each.own.numpy())
        if before is not None:
            distances.append(float(torch.linalg.vector_norm(each.pixels - before)))
        before = each.pixels
        after_frame(done)
    return gradient_statistics(
        np.array(run), np.array(distances), np.stack(main, axis=1), np.stack(own, axis=1)
    )


def _gradients(loss: Tensor, parameters: Sequence[Tensor], keep: bool = False) -> list[Tensor]:
    return list(
        torch.autograd.grad(
            loss, parameters, retain_graph=keep, allow_unused=True, materialize_grads=True
        )
    )


def _inputs(
    store: FrameStore, frame: int, method: Method, device: torch.device
) -> tuple[Tensor, LabelMaps]:
    """Return a frame as the model's input, float [1, 3, H, W], and its labels."""
    image = store.frame(frame)
    size = input_size(image.shape[:2], method.shortest_edge, method.longest_edge)
    resized = resize_image(image, size)
    images = to_input(torch.from_numpy(resized[None]), device)
    padded = image_size(images)
    # The padding belongs to no segment.
    semantic, instance = (
        torch.from_numpy(_resized(labels, size, padded, outside)[None])
        for labels, outside in (
            (store.semantic(frame), VOID),
            (store.instance(frame).astype(np.int32), 0),
        )
    )
    return images, LabelMaps(semantic, instance).to(device)


def _resized(
    labels: np.ndarray, size: tuple[int, int], padded: tuple[int, int], outside: int
) -> np.ndarray:
    inner = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    whole = np.full(padded, outside, labels.dtype)
    whole[: size[0], : size[1]] = inner
    return whole
