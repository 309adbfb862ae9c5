"""Load a checkpoint, stream frames through it, read a video: the public Python API.

`import videottt` exposes the public names of this module when they are first used.
"""

import contextlib
import copy
import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.frame_result import FrameResult
from videottt.core.ids import TASKS, JobKey, check_known
from videottt.core.paths import named_path, with_name
from videottt.core.segments import ClassSpace
from videottt.core.settings import merged, with_values
from videottt.core.shipped import shipped
from videottt.data.ingest import sampled
from videottt.data.layouts import video_file
from videottt.models.checkpoint import Checkpoint, load_checkpoint
from videottt.models.shipped_checkpoints import checkpoint_named
from videottt.runtime.device import prepare_device
from videottt.settings.decoding import Decoding
from videottt.settings.method import Method, method_from
from videottt.study.stream_settings import settings_for, trained_task
from videottt.tasks import Task, task_named
from videottt.ttt import stream as engine
from videottt.ttt.job import check_fits

FilePath = str | os.PathLike[str]
# What `Stream.step` takes: uint8 [H, W, 3], RGB.
Frame = np.ndarray | Tensor | Image.Image


def load(
    checkpoint: FilePath, device: str | torch.device = "auto", task: str | None = None
) -> "Model":
    """Load a checkpoint.

    Changes neither the number of threads nor any environment variable. The command line leases a
    GPU of several to each job; a library does not: name one with ``device="cuda:1"``.

    Args:
        checkpoint: a file that `videottt train` or `videottt import-checkpoint` wrote; methods that
            learn by reconstruction need a joint one. Or the id of one that ships with videottt,
            such as "driving_semantic": `videottt list checkpoints`.
        device: "auto" (a GPU if torch can use one, else the CPU), "cpu", "cuda" or "cuda:N".
        task: "semantic", "instance", "panoptic" or "colorization"; by default the one that the
            checkpoint was trained for. A checkpoint for panoptic segmentation also does the
            semantic and the instance task.

    Raises:
        InputError: the file is absent or no checkpoint, it cannot do the task, or the device cannot
            be used.
    """
    path = checkpoint_named(named_path(checkpoint))
    with _gradients():
        read = load_checkpoint(path)
    name = trained_task(read, path) if task is None else task
    check_known(name, TASKS, "task", str(path))
    # Only to refuse at once a task that the checkpoint cannot do.
    _decoder(read, path, name, Decoding())
    return Model(read, path, name, _device_named(str(device)))


class Model:
    """A checkpoint that `load` read; its weights never change.

    Each stream learns on its own copy of the weights, so that streams of one model do not disturb
    each other. Memory: the model stays on the CPU; each stream adds a copy on the device, and the
    state of its optimizer, for AdamW twice the trained weights.
    """

    def __init__(self, checkpoint: Checkpoint, path: Path, task: str, device: torch.device) -> None:
        self._checkpoint = checkpoint
        self._path = path
        self._task = task
        self._device = device

    def __repr__(self) -> str:
        return f"<videottt.Model {self._path}: {self._task}, on {self._device}>"

    @property
    def device(self) -> torch.device:
        """The device that streams compute on."""
        return self._device

    @property
    def task(self) -> str:
        """The task: "semantic", "instance", "panoptic" or "colorization"."""
        return self._task

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by their index in predictions; none for colorization."""
        return self._checkpoint.space.classes if self._checkpoint.classes else ()

    @property
    def things(self) -> tuple[str, ...]:
        """The names of those classes whose objects are told apart."""
        return self._checkpoint.space.things if self._checkpoint.classes else ()

    def stream(
        self,
        method: str | Method = "online_ttt_mae",
        *,
        seed: int = 0,
        dataset: str = "own",
        video: str = "stream",
        study: str | None = None,
        config: FilePath | None = None,
        **settings: Any,
    ) -> "Stream":
        """Begin a stream: run a method on the frames of one video.

        A method named by its id has the settings that `videottt run` takes: those of the study for
        own videos with the checkpoint's model. Any setting of `videottt.Method` can be changed by
        keyword: ``window=8``, ``optimizer={"learning_rate": 1e-4}`` (the other settings of the
        optimizer stay), or with a dotted name, ``**{"optimizer.learning_rate": 1e-4}``.

        The same checkpoint, method, frames, `seed`, `dataset` and `video` give the same
        predictions, bit for bit, on one machine and with one number of threads. `videottt run
        clip.mp4` computes those of ``dataset="own", video="clip.mp4"``, with one thread.

        Args:
            method: id of a method ("online_ttt_mae"), of a variant ("online_ttt_mae,window=4"), or
                a `videottt.Method`, which is taken as it is and needs no configuration.
            seed: of every random draw, at least 0.
            dataset: id of the data set, which random draws are keyed by.
            video: id of the video, which random draws are keyed by.
            study: id of the study whose settings are used.
            config: a file on top of the shipped defaults; by default the project's own config.yaml,
                never one of the current folder.
            settings: settings of the method to change.

        Raises:
            InputError: there is no such method, study or setting, a value is not allowed, the
                checkpoint or the task does not suit the method, or the method needs all frames of
                the video before the first prediction (offline, shuffled).
        """
        if isinstance(method, Method):
            name, values = "", dataclasses.asdict(method)
        else:
            # Not what `videottt run` falls back to: many folders have a config.yaml of their own.
            file = shipped("config.yaml") if config is None else named_path(config)
            found = settings_for(
                self._checkpoint, self._path, self._task, method, config=file, study=study
            )
            name, values = str(found.method), with_values(found.settings, found.overrides)
        changes = (with_values({}, {setting: value}) for setting, value in settings.items())
        chosen = method_from(merged(values, *changes))
        if chosen.order != "stream":
            raise InputError(
                f"method: order '{chosen.order}' needs all frames of the video before the first "
                "prediction, but a stream gets them one by one; use 'videottt run' or 'videottt "
                "predict'"
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed: is {seed!r}, but must be a whole number of at least 0")
        check_fits(self._checkpoint, chosen, self._path)
        key = JobKey(dataset, self._task, name, seed, video)
        return Stream(self._checkpoint, self._path, self._device, chosen, key)


class Stream:
    """A model that learns from each frame of a video, then predicts it; `Model.stream` makes one.

    Memory does not grow with the video, unless the method's window is None: the window keeps the
    last frames as uint8.

    Streams of one process share torch's global random generators while they draw: call `step` from
    one thread at a time.

    Attributes:
        method: all settings that the stream runs with.
    """

    method: Method

    def __init__(
        self, checkpoint: Checkpoint, path: Path, device: torch.device, method: Method, key: JobKey
    ) -> None:
        self.method = method
        self._checkpoint = checkpoint
        self._device = device
        self._key = key
        self._task = _decoder(checkpoint, path, key.task, method.decoding)
        self._seen = 0
        self._size: tuple[int, ...] = ()
        self._engine = self._begin()

    def __repr__(self) -> str:
        name = self._key.method or self.method.objective
        return f"<videottt.Stream {name}: {self._key.task}, {self._seen} frames, on {self._device}>"

    def step(self, frame: Frame) -> FrameResult:
        """Learn from a frame, then predict it.

        Learns inside ``torch.no_grad()`` and ``torch.inference_mode()`` too. The frame is copied:
        its buffer may be overwritten afterwards.

        Args:
            frame: uint8 [H, W, 3], RGB: a numpy array or a torch tensor on any device. Or a PIL
                image, whose EXIF orientation is not applied. All frames of a stream have one size.

        Returns:
            the prediction, at the frame's own size: for "semantic" the class of each pixel, uint8
            [H, W], 255 = void; for "panoptic" a `videottt.Panoptic`, for "instance" a
            `videottt.Instances`, for "colorization" an image, uint8 [H, W, 3], RGB. Beside it the
            loss, the gradient norm and the wall time of each phase.

        Raises:
            InputError: the frame is not uint8 RGB, has another size than the first, or
                torch.autocast is on (after these, the stream is unchanged); memory ran out, or too
                many updates in a row were not finite.
        """
        if torch.is_autocast_enabled(self._device.type):
            raise InputError(
                f"frame {self._seen}: torch.autocast is on, but the method's setting 'precision' "
                "decides the precision; call step outside of it"
            )
        pixels = _pixels(frame, self._seen)
        height, width = pixels.shape[:2]
        if self._size and self._size != (height, width):
            raise InputError(
                f"frame {self._seen}: is {width}x{height}, but the frames before it are "
                f"{self._size[1]}x{self._size[0]}; resize it, or begin another stream"
            )
        self._size = height, width
        with _gradients():
            result = self._engine.step(pixels, self._seen)
        self._seen += 1
        return result

    def reset(self) -> None:
        """Start over: the checkpoint's weights, an empty window, and frame 0 comes next."""
        self._seen, self._size = 0, ()
        self._engine = self._begin()

    def _begin(self) -> engine.Stream:
        with _gradients():
            model = copy.deepcopy(self._checkpoint.model).to(self._device)
            return engine.Stream(model, self._task, self.method, self._key)


def read_video(path: FilePath, fps: float | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of a video file or of a folder of images, one by one, as they are read.

    The frames are those of `videottt ingest` and `videottt run`. Memory does not grow with the
    length. Frames are upright; pixels that are not square stay as they are stored. Images of a
    folder come in the natural order of their names, 2 before 10, and each page of one is a frame.

    Args:
        path: anything that ffmpeg reads, or a folder of images.
        fps: frames a second that are taken at most, above 0; by default every frame. Images of a
            folder have no time stamps, and all are taken.

    Yields:
        uint8 [H, W, 3], RGB.

    Raises:
        InputError: at once, there is no such video or `fps` is not above 0; while reading, the
            video is damaged, changes its size, or has mostly unusable time stamps.
    """
    if fps is not None and not (fps > 0 and math.isfinite(fps)):
        raise InputError(f"fps: is {fps}, but must be a number above 0; correct it")
    place = with_name(named_path(path))
    frames = video_file.read(place.parent, "", place.name, ClassSpace(()))
    return (frame.image for frame in (frames if fps is None else sampled(frames, fps)))


@contextlib.contextmanager
def _gradients() -> Iterator[None]:
    """Record gradients inside the block, also where the caller has switched that off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _device_named(name: str) -> torch.device:
    # Numbered, because `prepare_device` leases a GPU that is not, for the life of the process.
    if name in ("auto", "cuda") and torch.cuda.is_available():
        name = f"cuda:{torch.cuda.current_device()}"
    elif name == "auto":
        name = "cpu"
    return prepare_device(name, torch.get_num_threads())


def _decoder(checkpoint: Checkpoint, path: Path, task: str, decoding: Decoding) -> Task:
    """Return the task that decodes what a checkpoint's head says."""
    try:
        return task_named(task, checkpoint.space, checkpoint.classes, decoding)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _pixels(frame: object, index: int) -> np.ndarray:
    """Return a copy of a frame as uint8 [H, W, 3], RGB.

    Raises:
        InputError: it is none.
    """
    if isinstance(frame, Image.Image):
        if frame.mode.startswith(("I", "F")):
            raise InputError(f"frame {index}: has more than 8 bits a channel; convert it to 8 bits")
        return np.array(frame.convert("RGB"))
    if not isinstance(frame, np.ndarray | Tensor):
        raise InputError(
            f"frame {index}: is a {type(frame).__name__}; give a numpy array or a torch tensor, "
            "uint8 [H, W, 3], or a PIL image"
        )
    dtype = str(frame.dtype).removeprefix("torch.")
    shape = tuple(frame.shape)
    if dtype != "uint8" or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise InputError(
            f"frame {index}: is {dtype} {list(shape)}, but must be uint8 [H, W, 3], RGB; "
            + _mend(dtype, shape)
        )
    array = frame.detach().cpu().numpy() if isinstance(frame, Tensor) else frame
    # A copy, because the window keeps it and callers reuse their buffers.
    return np.array(array, np.uint8, order="C")


def _mend(dtype: str, shape: tuple[int, ...]) -> str:
    """Say how to make uint8 [H, W, 3] of an array."""
    if 0 in shape:
        return "it has no pixel"
    if len(shape) == 4:
        return "hand the frames over one by one"
    if len(shape) == 2:
        return "repeat a grey image as three channels"
    if len(shape) == 3 and shape[2] == 4:
        return "leave out the fourth channel: frame[..., :3]"
    if len(shape) == 3 and shape[2] != 3 and shape[0] == 3:
        return "put the channels last: transpose(1, 2, 0) in numpy, permute(1, 2, 0) in torch"
    if dtype.startswith(("float", "bfloat")):
        return "multiply values in 0..1 by 255, round and convert them to uint8"
    return "convert it"
