"""A method is pure data from config.yaml: objective × window × steps × optimizer × reset."""

from dataclasses import dataclass, field
from typing import Any

from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings
from videottt.data.transforms.recipe import Augmentation
from videottt.data.transforms.update_views import Views, check_crop
from videottt.tasks.decoding import Decoding

CHOICES = {
    "sampling": ("with_replacement", "permutations"),
    "reset": ("never", "every_frame", "class_collapse"),
    "order": ("stream", "shuffled", "offline"),
    "optimizer_between_frames": ("kept", "rebuilt"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
}


OPTIMIZERS = ("adamw", "sgd")
COUNTS = (
    "window",
    "steps",
    "every",
    "batch",
    "micro_batch",
    "shortest_edge",
    "longest_edge",
    "smoothing",
    "votes",
    "skipped_limit",
)


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW, as the release uses it, or stochastic gradient descent.

    Attributes:
        name: "adamw" or "sgd".
        momentum: of sgd.
        learning_rate: of every parameter outside the encoder.
        encoder_multiplier: factor on the learning rate of the encoder f.
        weight_decay: decoupled; 0 for norms, embeddings and relative position tables.
        gradient_clip: largest L2 norm of all gradients together; None does not clip.
    """

    name: str = "adamw"
    momentum: float = 0.0
    learning_rate: float = 1e-4
    encoder_multiplier: float = 0.1
    weight_decay: float = 0.05
    gradient_clip: float | None = 0.01

    def __post_init__(self) -> None:
        """Check what a schema would."""
        if self.name not in OPTIMIZERS:
            raise InputError(
                f"method: optimizer.name is '{self.name}'; {nearest(self.name, OPTIMIZERS)}"
            )


@dataclass(frozen=True)
class CollapseSettings:
    """When predictions count as collapsed (paper section 5.1; Volpi et al., CVPR 2022).

    Attributes:
        difference: reset when the numbers of predicted classes of the initial and of the current
            model, averaged over `frames`, differ by more than this.
        frames: length of both moving averages.
    """

    difference: float = 2.0
    frames: int = 10

    def __post_init__(self) -> None:
        """Check what a schema would."""
        if self.frames < 1:
            raise InputError(f"method: collapse.frames is {self.frames}, but must be at least 1")


@dataclass(frozen=True)
class Method:
    """Everything that decides what one job does with a video, beside the checkpoint and the seed.

    Attributes:
        objective: name of the objective that each update minimises; "none" for a fixed model.
        options: of the objective, for example its mask ratio.
        window: size k of the explicit memory in frames, the current one included; None = all.
        steps: updates before each prediction.
        every: update before every n-th frame only, the first one included; those between are
            predicted with the weights of the last update, also where every frame is a reset.
        batch: images of one update.
        micro_batch: images of one forward and backward pass; None = the whole batch.
        sampling: how a batch is drawn from the window.
        reset: when the weights go back to those of the checkpoint; "never" is implicit memory.
        collapse: when that is, for the reset "class_collapse".
        order: "stream"; "shuffled" to destroy temporal smoothness (paper section 6.1); "offline"
            trains on all frames of the video before the first prediction (same section).
        ladder: iterations after which an offline method predicts the whole video, ascending.
        optimizer: of the updates.
        optimizer_between_frames: whether the optimizer's state carries over to the next frame.
        drop_path: whether drop path is on during updates (the release) or off.
        shortest_edge: frames are resized to this shortest edge, in pixels, before the model.
        longest_edge: but to no longer than this longest edge.
        crop: (H, W) of the random crop of each resized frame of an update, multiples of 32, as in
            the release on KITTI-STEP; None = the whole frame.
        views: in place of a crop, the random views of each frame of an update, as in the release on
            COCO Videos; None = none.
        precision: of the forward passes of updates; predictions are always float32.
        smoothing: frames over which predicted scores are averaged, the current one included.
        votes: predictions of a frame that vote: the frame itself and augmented copies of it.
        augmentation: the recipe of those copies.
        decoding: how queries become instances or a panoptic map.
        skipped_limit: updates in a row that may be left out because loss or gradient was not
            finite; one more ends the job.
    """

    objective: str
    options: dict[str, Any] = field(default_factory=dict)
    window: int | None = 16
    steps: int = 1
    every: int = 1
    batch: int = 32
    micro_batch: int | None = None
    sampling: str = "with_replacement"
    reset: str = "never"
    collapse: CollapseSettings = field(default_factory=CollapseSettings)
    order: str = "stream"
    ladder: tuple[int, ...] = ()
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    optimizer_between_frames: str = "kept"
    drop_path: bool = False
    shortest_edge: int = 1024
    longest_edge: int = 2048
    crop: tuple[int, int] | None = None
    views: Views | None = None
    precision: str = "auto"
    smoothing: int = 1
    votes: int = 1
    augmentation: Augmentation | None = None
    decoding: Decoding = field(default_factory=Decoding)
    skipped_limit: int = 20

    def __post_init__(self) -> None:
        """Check what a schema would, for methods that do not come from config.yaml."""
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise InputError(f"method: {name} is '{value}'; {nearest(str(value), allowed)}")
        for name in COUNTS:
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            unlimited = value is None and name in ("window", "micro_batch")
            if not unlimited and not (whole and value >= 1):
                raise InputError(
                    f"method: {name} is {value!r}, but must be a whole number, at least 1"
                )
        self._check_combinations()

    def _check_combinations(self) -> None:
        rungs = list(self.ladder)
        if (self.order == "offline") != bool(rungs):
            raise InputError(
                f"method: order is '{self.order}' and ladder is {rungs}; an offline method has a "
                "ladder of iterations to predict at, the others have none"
            )
        if rungs != sorted(set(rungs)) or any(rung < 0 for rung in rungs):
            raise InputError(f"method: ladder {rungs} must be iterations in ascending order")
        if self.order == "offline" and self.reset != "never":
            raise InputError(f"method: order 'offline' never resets, but reset is '{self.reset}'")
        if self.crop is not None:
            check_crop(self.crop, "method: crop")
            if self.views is not None:
                raise InputError(
                    "method: crop and views are both set, but each says what an update is shown of "
                    "a frame; set one of them to null"
                )
        if self.votes > 1 and self.augmentation is None:
            raise InputError("method: votes need the setting 'augmentation', their recipe")


def method_from(settings: dict[str, Any]) -> Method:
    """Return the method that plain settings describe.

    Raises:
        InputError: a key is unknown or missing, or a value is not allowed.
    """
    nested = {
        "optimizer": OptimizerSettings,
        "collapse": CollapseSettings,
        "augmentation": Augmentation,
        "views": Views,
        "decoding": Decoding,
    }
    built: dict[str, Any] = {
        name: build_settings(kind, settings[name], f"method: {name}")
        for name, kind in nested.items()
        if settings.get(name) is not None
    }
    method: Method = build_settings(Method, {**settings, **built}, "method")
    return method
