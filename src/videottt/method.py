"""A method is pure data from config.yaml: objective × window × steps × optimizer × reset."""

from dataclasses import dataclass, field
from typing import Any

from videottt.errors import InputError, nearest
from videottt.settings import build_settings

CHOICES = {
    "sampling": ("with_replacement", "permutations"),
    "reset": ("never", "every_frame"),
    "order": ("stream", "shuffled"),
    "optimizer_between_frames": ("kept", "rebuilt"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
}


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW, as the release uses it.

    Attributes:
        learning_rate: of every parameter outside the encoder.
        encoder_multiplier: factor on the learning rate of the encoder f.
        weight_decay: decoupled; 0 for norms, embeddings and relative position tables.
        gradient_clip: largest L2 norm of all gradients together; None does not clip.
    """

    learning_rate: float = 1e-4
    encoder_multiplier: float = 0.1
    weight_decay: float = 0.05
    gradient_clip: float | None = 0.01


@dataclass(frozen=True)
class Method:
    """Everything that decides what one job does with a video, beside the checkpoint and the seed.

    Attributes:
        objective: name of the objective that each update minimises; "none" for a fixed model.
        options: of the objective, for example its mask ratio.
        window: size k of the explicit memory in frames, the current one included; None = all.
        steps: updates before each prediction.
        batch: images of one update.
        micro_batch: images of one forward and backward pass; None = the whole batch.
        sampling: how a batch is drawn from the window.
        reset: when the weights go back to those of the checkpoint; "never" is implicit memory.
        order: "stream", or "shuffled" to destroy temporal smoothness (paper section 6.1).
        optimizer: of the updates.
        optimizer_between_frames: whether the optimizer's state carries over to the next frame.
        drop_path: whether drop path is on during updates (the release) or off.
        shortest_edge: frames are resized to this shortest edge, in pixels, before the model.
        longest_edge: but to no longer than this longest edge.
        crop: (H, W) of the random crop of each image of an update; None = the whole frame.
        precision: of the forward passes of updates; predictions are always float32.
    """

    objective: str
    options: dict[str, Any] = field(default_factory=dict)
    window: int | None = 16
    steps: int = 1
    batch: int = 32
    micro_batch: int | None = None
    sampling: str = "with_replacement"
    reset: str = "never"
    order: str = "stream"
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    optimizer_between_frames: str = "kept"
    drop_path: bool = False
    shortest_edge: int = 1024
    longest_edge: int = 2048
    crop: tuple[int, int] | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        """Check what a schema would, for methods that do not come from config.yaml."""
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise InputError(f"method: {name} is '{value}'; {nearest(str(value), allowed)}")
        for name in ("window", "steps", "batch", "micro_batch", "shortest_edge", "longest_edge"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise InputError(
                    f"method: {name} is {value!r}, but must be a whole number, at least 1"
                )


def method_from(settings: dict[str, Any]) -> Method:
    """Return the method that plain settings describe.

    Raises:
        InputError: a key is unknown or missing, or a value is not allowed.
    """
    optimizer = build_settings(
        OptimizerSettings, settings.get("optimizer", {}), "method: optimizer"
    )
    return build_settings(Method, {**settings, "optimizer": optimizer}, "method")
