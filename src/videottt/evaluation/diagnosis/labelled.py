"""Choose labelled frames that are spread over a video, and read them for the model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from videottt.core.errors import InputError
from videottt.core.segments import VOID, Prediction
from videottt.data.transforms.resize import frame_size
from videottt.evaluation.metrics import label_of, labelled
from videottt.models.inputs import image_size
from videottt.settings.method import Method
from videottt.store.frames import FrameStore
from videottt.tasks.task import LabelMaps, Task
from videottt.ttt.observation import Observation, observe


@dataclass(frozen=True)
class LabelledFrame:
    """A frame of a video, as the model sees it, with its labels.

    Attributes:
        observation: the frame without the predicted quantity, resized, normalised and padded.
        labels: y of the loss ℓ_m, at the size of the model's input; its padding is void.
        truth: what predictions are scored against, at the frame's size.
    """

    observation: Observation
    labels: LabelMaps
    truth: Prediction


def spread_evenly(length: int, count: int) -> list[int]:
    """Return up to `count` places in 0..length - 1, spread evenly, each once and ascending."""
    if not length:
        return []
    places = np.linspace(0, length - 1, count + 2)[1:-1].round().astype(int)
    return list(dict.fromkeys(places.tolist()))


def chosen_frames(store: FrameStore, task: str, count: int) -> list[int]:
    """Return the indices of up to `count` labelled frames, spread evenly over the labelled ones.

    Frames whose labels are all void do not count, except for colorization, whose labels are the
    colours.

    Args:
        store: the video.
        task: one of `core.ids.TASKS`.
        count: number of frames, at least 1.

    Raises:
        InputError: no frame is labelled.
    """
    usable = [
        index
        for index in np.flatnonzero(labelled(store, task)).tolist()
        if task == "colorization" or (store.semantic(index) != VOID).any()
    ]
    if not usable:
        raise InputError(
            f"{store.path}: no frame of '{store.video}' is labelled, but a diagnosis compares both "
            "losses and scores predictions; take a labelled video"
        )
    return [usable[place] for place in spread_evenly(len(usable), count)]


def labelled_frames(
    store: FrameStore,
    indices: Sequence[int],
    task: Task,
    task_name: str,
    method: Method,
    device: torch.device,
) -> Iterator[LabelledFrame]:
    """Read frames of a video with their labels.

    Args:
        store: the video.
        indices: of the frames.
        task: removes the predicted quantity from frames.
        task_name: one of `core.ids.TASKS`.
        method: sets the size of the model's input.
        device: of the model.
    """
    for index in indices:
        frame = store.frame(index)
        observation = observe(frame, index, task, method, device)
        inner, padded = frame_size(observation.image), image_size(observation.images)
        layers = (
            _resized(store.semantic(index), inner, padded, VOID, Image.Resampling.NEAREST),
            _resized(
                store.instance(index).astype(np.int32), inner, padded, 0, Image.Resampling.NEAREST
            ),
            # The padding of the colours is black, which has none.
            _resized(frame, inner, padded, 0, Image.Resampling.BILINEAR),
        )
        labels = LabelMaps(*(torch.from_numpy(layer[None]) for layer in layers))
        yield LabelledFrame(observation, labels.to(device), label_of(store, index, task_name))


def _resized(
    layer: np.ndarray,
    size: tuple[int, int],
    padded: tuple[int, int],
    outside: int,
    filtered: Image.Resampling,
) -> np.ndarray:
    """Return labels [H, W, ...] resized to `size` (H, W), padded at the bottom and the right."""
    inner = Image.fromarray(layer).resize((size[1], size[0]), filtered)
    whole = np.full((*padded, *layer.shape[2:]), outside, layer.dtype)
    whole[: size[0], : size[1]] = inner
    return whole
