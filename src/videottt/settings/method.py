"""Declare a method of test-time training: objective × window × steps × optimizer × reset."""

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from videottt.core.annotations import Count, CropSize, NotNegative, Positive, Whole
from videottt.core.settings import build_settings, settings
from videottt.settings.augmentation import Augmentation, Views
from videottt.settings.decoding import Decoding
from videottt.settings.precision import Precision


@settings
class OptimizerSettings:
    """AdamW, as the release uses it, or stochastic gradient descent.

    Attributes:
        name: "adamw" or "sgd".
        momentum: momentum of sgd.
        learning_rate: of the head h and, times their factors, of f and g.
        encoder_multiplier: factor on the learning rate of the encoder f.
        decoder_multiplier: factor on the learning rate of the decoder g; the release has one rate
            for g and h.
        weight_decay: decoupled; 0 for norms, embeddings and relative position tables.
        gradient_clip: largest L2 norm of all gradients together; null does not clip.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: NotNegative = 1e-4
    encoder_multiplier: NotNegative = 0.1
    decoder_multiplier: NotNegative = 1.0
    weight_decay: NotNegative = 0.05
    gradient_clip: Positive | None = 0.01


@settings
class CollapseSettings:
    """When predictions count as collapsed (paper section 5.1; Volpi et al., CVPR 2022).

    Attributes:
        difference: reset when the numbers of predicted classes of the initial and of the current
            model, averaged over `frames`, differ by more than this.
        frames: length of both moving averages.
    """

    difference: NotNegative = 2.0
    frames: Count = 10


@settings
class Method:
    """Everything that decides what one job does with a video, beside the checkpoint and the seed.

    Attributes:
        objective: name of the objective that each update minimises; "none" for a fixed model.
        options: options of the objective, such as its mask ratio.
        window: size k of the explicit memory in frames, the current one included; null = all.
        steps: updates before each prediction.
        every: update before every n-th frame only, the first one included; those between are
            predicted with the weights of the last update, also where every frame is a reset.
        batch: images of one update.
        micro_batch: images of one forward and backward pass; null = the whole batch.
        sampling: how a batch is drawn from the window: "with_replacement", uniformly (the paper),
            or "permutations", each frame equally often (the release).
        reset: when the weights go back to those of the checkpoint; "never" is implicit memory.
        collapse: when predictions count as collapsed, for the reset "class_collapse".
        order: "stream"; "shuffled" to destroy temporal smoothness (paper section 6.1); "offline"
            trains on all frames of the video before the first prediction (same section).
        ladder: iterations after which an offline method predicts the whole video, ascending.
        optimizer: optimizer of the updates.
        optimizer_between_frames: whether the optimizer's state carries over to the next frame
            ("kept"), or every frame starts with a new one ("rebuilt", as all commands of the
            authors have it; the paper's text is silent).
        predict: whether a frame is predicted "after" its update, as in the paper (section 4.2), or
            "before" it, as in the original Tent: with what earlier frames have taught. Resets come
            before both.
        drop_path: whether drop path is on during updates (the release) or off.
        shortest_edge: frames are resized to this shortest edge, in pixels, before the model.
        longest_edge: largest longest edge after that, in pixels.
        crop: (H, W) of the random crop of each resized frame of an update, multiples of 32, as in
            the release on KITTI-STEP; null = the whole frame.
        views: in place of a crop, the random views of each frame of an update, as in the release on
            COCO Videos; null = no views.
        precision: of the forward passes of updates; predictions are always float32.
        smoothing: frames over which predicted scores are averaged, the current one included.
        votes: predictions of a frame that vote: the frame itself and augmented copies of it.
        augmentation: how the copies that vote are augmented.
        decoding: how queries become instances or a panoptic map.
        skipped_limit: updates in a row that may be left out because loss or gradient was not
            finite; one more ends the job.
    """

    objective: str
    options: dict[str, Any] = field(default_factory=dict)
    window: Count | None = 16
    steps: Count = 1
    every: Count = 1
    batch: Count = 32
    micro_batch: Count | None = None
    sampling: Literal["with_replacement", "permutations"] = "with_replacement"
    reset: Literal["never", "every_frame", "class_collapse"] = "never"
    collapse: CollapseSettings = field(default_factory=CollapseSettings)
    order: Literal["stream", "shuffled", "offline"] = "stream"
    ladder: tuple[Whole, ...] = ()
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    optimizer_between_frames: Literal["kept", "rebuilt"] = "rebuilt"
    predict: Literal["after", "before"] = "after"
    drop_path: bool = False
    shortest_edge: Count = 1024
    longest_edge: Count = 2048
    crop: CropSize | None = None
    views: Views | None = None
    precision: Precision = "auto"
    smoothing: Count = 1
    votes: Count = 1
    augmentation: Augmentation | None = None
    decoding: Decoding = field(default_factory=Decoding)
    skipped_limit: Count = 20

    def __post_init__(self) -> None:
        rungs = list(self.ladder)
        if (self.order == "offline") != bool(rungs):
            raise ValueError(
                f"order is '{self.order}' and ladder is {rungs}; an offline method has a ladder of "
                "iterations to predict at, the others have none"
            )
        if rungs != sorted(set(rungs)):
            raise ValueError(f"ladder {rungs} must be iterations in ascending order")
        if self.order == "offline" and self.reset != "never":
            raise ValueError(f"order 'offline' never resets, but reset is '{self.reset}'")
        if self.order == "offline" and self.predict != "after":
            raise ValueError(
                "order 'offline' predicts after all updates; set predict to 'after', or use "
                "another order"
            )
        if self.crop is not None and self.views is not None:
            raise ValueError(
                "crop and views are both set, but each says what an update is shown of a frame; "
                "set one of them to null"
            )
        if self.votes > 1 and self.augmentation is None:
            raise ValueError("votes need the setting 'augmentation', their recipe")


def method_from(values: dict[str, Any]) -> Method:
    """Return the method that plain settings describe.

    Raises:
        InputError: a name is unknown or missing, or a value is not allowed.
    """
    return build_settings(Method, values, "method")
