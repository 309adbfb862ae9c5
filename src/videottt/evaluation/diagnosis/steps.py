"""Take one step of test-time training from θ₀, the same step backwards, and steps at random.

The step is that of the stream loop: its batch, its masks, its optimizer. It moves f and g. What it
does to the main task is all due to f: the places along, against and at random move f alone, with g₀
and h₀.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videottt.core.ids import JobKey
from videottt.core.randomness import generator, global_draws
from videottt.core.segments import Prediction
from videottt.evaluation.diagnosis.labelled import LabelledFrame
from videottt.evaluation.diagnosis.sampling import CHUNK, Sampling, draws_of
from videottt.models.inputs import to_input
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method
from videottt.tasks.task import MainTaskLoss, Task
from videottt.ttt.memory import sample_indices, shown_to_update
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.observation import Observation
from videottt.ttt.predictor import Predictor
from videottt.ttt.stream import Stream

# Where the weights are when something is measured; "random" stands for each random step.
CHECKPOINT, ALONG, AGAINST, RANDOM = "checkpoint", "along", "against", "random"

# A displacement of the weights of f: one tensor for each parameter.
Displacement = Sequence[Tensor]


@dataclass(frozen=True)
class MeasuredStep:
    """What one step on one frame does.

    Attributes:
        predictions: of the frame, for each of `places`.
        main_task_loss: ℓ_m of the frame, for each of `places`: float64 [P].
        own_loss: ℓ_s of the frame with g₀, for each of `places`, on masks that the step has not
            seen: float64 [P].
        step_loss: ℓ_s before the step and after it, with the g that it leads to: float64 [2, 2];
            the first row on its own batch and masks, the second on those of `own_loss`.
        length: L2 norm of the displacement of f over that of f.
        skipped: 1 if the step was skipped because loss or gradient was not finite, else 0.
    """

    predictions: list[Prediction]
    main_task_loss: np.ndarray
    own_loss: np.ndarray
    step_loss: np.ndarray
    length: float
    skipped: int


def places(sampling: Sampling) -> list[str]:
    """Return where the weights are in turn, in the order of what is measured."""
    return [CHECKPOINT, ALONG, AGAINST, *[RANDOM] * sampling.random_steps]


def single_step(method: Method) -> Method:
    """Return a method as one step from the checkpoint, which is all that a single frame shows."""
    return dataclasses.replace(
        method, steps=1, every=1, reset="never", predict="after", smoothing=1, votes=1
    )


def opposite(displacement: Displacement) -> list[Tensor]:
    """Return the displacement that leads the other way, of equal length."""
    return [-part for part in displacement]


def random_displacement(displacement: Displacement, draws: torch.Generator) -> list[Tensor]:
    """Return a displacement in a random direction whose every tensor is as long as the given one's.

    Directions are uniform on the sphere of each tensor.

    Args:
        displacement: sets the shapes and the L2 norms.
        draws: source of the random draws, on the CPU.
    """
    found = []
    for part in displacement:
        noise = torch.randn(part.shape, generator=draws).double()
        length = torch.linalg.vector_norm(part.double()).cpu()
        found.append((noise * (length / torch.linalg.vector_norm(noise))).to(part))
    return found


def displacements(
    displacement: Displacement, sampling: Sampling, key: JobKey, index: int
) -> Iterator[list[Tensor]]:
    """Yield the displacement that leads from the checkpoint to each of the other `places`.

    Args:
        displacement: of f by the step of the stream loop, float64.
        sampling: number of random displacements.
        key: keys them, together with the frame's index.
        index: of the frame.
    """
    yield list(displacement)
    yield opposite(displacement)
    for draw in range(sampling.random_steps):
        draws = generator(*draws_of(key, index, "random step", draw))
        yield random_displacement(displacement, draws)


def measured_step(
    model: YShapedModel,
    task: Task,
    method: Method,
    objective: Objective,
    main_task_loss: MainTaskLoss,
    frame: LabelledFrame,
    sampling: Sampling,
    key: JobKey,
) -> MeasuredStep:
    """Take one step on a frame in each direction, and measure the model at every place.

    Args:
        model: f, g and h; back at its weights at the end, bit for bit.
        task: decodes the outputs of h.
        method: of `single_step`; sets the batch, the masks and the optimizer.
        objective: of the method.
        main_task_loss: ℓ_m.
        frame: the input and its labels.
        sampling: number of masks, of draws of points and of random steps.
        key: keys the step as the stream does, and all other draws.

    Raises:
        InputError: memory is short even for one image.
    """
    observation = frame.observation
    parameters = objective.trainable(model)
    initial = [parameter.detach().clone() for parameter in parameters]
    predictor = Predictor(model, task, method, key)

    def measured() -> tuple[Prediction, float, float]:
        return (
            predictor.predict_frame(observation),
            _main_task_loss(model, main_task_loss, frame, sampling, key),
            _fresh_loss(model, objective, observation, sampling, key),
        )

    def step_losses() -> tuple[float, float]:
        return (
            update_loss(model, objective, observation, method, key),
            _fresh_loss(model, objective, observation, sampling, key),
        )

    rows, losses = [measured()], [step_losses()]
    step = Stream(model, task, method, key).step(observation.frame, observation.index)
    losses.append(step_losses())
    encoder = list(model.encoder.parameters())
    stepped = [parameter.detach().clone() for parameter in encoder]
    _restore(parameters, initial)
    start = [parameter.detach().clone() for parameter in encoder]
    # Exact in float64, so that the step along leads to the very weights that the stream has.
    moved = [after.double() - before.double() for after, before in zip(stepped, start, strict=True)]
    for displacement in displacements(moved, sampling, key, observation.index):
        _move(encoder, start, displacement)
        rows.append(measured())
    _restore(encoder, start)
    predictions, main, own = zip(*rows, strict=True)
    return MeasuredStep(
        predictions=list(predictions),
        main_task_loss=np.array(main),
        own_loss=np.array(own),
        step_loss=np.array(losses).T,
        length=_norm(moved) / _norm(start),
        skipped=step.skipped_steps,
    )


@torch.inference_mode()
def update_loss(
    model: YShapedModel,
    objective: Objective,
    observation: Observation,
    method: Method,
    key: JobKey,
) -> float:
    """Return ℓ_s of the batch and the masks of the stream's step, at the current weights.

    Args:
        model: at any weights, which do not change; drop path is off.
        objective: of the method.
        observation: the first frame of a stream, on which the step is taken.
        method: sets the batch.
        key: of the stream.
    """
    # As the stream draws its first update; a test holds both together.
    draws = generator(*key.draws, observation.index, 0)
    drawn = sample_indices(1, method.batch, method.sampling, draws)
    shown = torch.stack([shown_to_update(observation.remembered, method, draws) for _ in drawn])
    device = observation.images.device
    losses = [
        float(objective.loss(model, to_input(part, device), draws)) * len(part)
        for part in torch.split(shown, CHUNK)
    ]
    return sum(losses) / len(shown)


@torch.inference_mode()
def _main_task_loss(
    model: YShapedModel,
    main_task_loss: MainTaskLoss,
    frame: LabelledFrame,
    sampling: Sampling,
    key: JobKey,
) -> float:
    """Return ℓ_m of a frame, a mean over the draws of its points."""
    outputs = model.predict(frame.observation.images)
    losses = []
    for draw in range(sampling.point_draws):
        with global_draws(*draws_of(key, frame.observation.index, "step points", draw)):
            losses.append(float(main_task_loss(outputs, frame.labels)))
    return float(np.mean(losses))


@torch.inference_mode()
def _fresh_loss(
    model: YShapedModel,
    objective: Objective,
    observation: Observation,
    sampling: Sampling,
    key: JobKey,
) -> float:
    """Return ℓ_s of the whole frame, on masks that no step has learned from."""
    draws = generator(*draws_of(key, observation.index, "fresh masks"))
    images = observation.images.expand(sampling.masks, -1, -1, -1)
    losses = [
        float(objective.loss(model, part, draws)) * len(part) for part in torch.split(images, CHUNK)
    ]
    return sum(losses) / sampling.masks


@torch.no_grad()
def _move(
    parameters: Sequence[Tensor], initial: Sequence[Tensor], displacement: Displacement
) -> None:
    for parameter, start, part in zip(parameters, initial, displacement, strict=True):
        parameter.copy_(start.double() + part)


@torch.no_grad()
def _restore(parameters: Sequence[Tensor], initial: Sequence[Tensor]) -> None:
    torch._foreach_copy_(list(parameters), list(initial))


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(sum(float(tensor.double().square().sum()) for tensor in tensors) ** 0.5)
