"""Declare models by name: `swin_small` is the paper's, `lite` is for a CPU, `tiny` for tests."""

import dataclasses
import json
from typing import Annotated, Any

from pydantic import Field

from videottt.core.annotations import Fraction, MustBe, OneOf
from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings, settings

# The bound keeps a broken file from filling the machine's memory.
Number = Annotated[int, Field(ge=1, le=2**16)]


@settings
class SwinSizes:
    """Sizes of a Swin Transformer (transformers), whose patches are 4 x 4 and windows 7 x 7.

    Attributes:
        embed_dim: channels of the first stage; they double from stage to stage.
        depths: number of blocks of each of the four stages.
        num_heads: attention heads of each stage.
        drop_path_rate: drop path rate of the last block, 0..1; rates grow linearly from 0.
    """

    embed_dim: Number
    depths: Annotated[tuple[Number, ...], Field(min_length=4, max_length=4)]
    num_heads: tuple[Number, ...]
    drop_path_rate: Fraction

    def __post_init__(self) -> None:
        if len(self.num_heads) != len(self.depths) or any(
            channels % heads for channels, heads in zip(self.channels, self.num_heads, strict=True)
        ):
            raise ValueError(
                "its attention heads do not share its channels evenly; choose numbers of heads "
                "that divide the channels"
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """Return the channels of each stage's map."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.depths)))


@settings
class TimmBackbone:
    """A convolutional or hierarchical backbone of timm, with maps at 1/4 to 1/32 of the image.

    Attributes:
        name: of the backbone in timm, such as resnet18 or convnext_atto.
        weights: where the weights of the encoder come from before training: "package" (a Python
            package of weights that is installed; `models/pretrained_weights.py` lists them), "hub"
            (timm's own, downloaded once by huggingface_hub), the path of a file, or null, new
            weights. A checkpoint does not need them.
    """

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$"),
        MustBe("a name of timm: small letters, digits and '_'"),
    ]
    weights: str | None = None


@settings
class Preset:
    """The Y-shaped model: its encoder f, and the sizes of the branches h and g as in Mask2Former.

    Attributes:
        encoder: a Swin Transformer, as in the paper, by its sizes; or a backbone of timm by name.
        hidden_dim: channels of the pixel decoder and of the queries.
        mask_dim: channels of the per-pixel embedding that queries are compared with.
        queries: number of queries of the head h for segments.
        pixel_decoder_layers: deformable attention layers of the pixel decoder.
        pixel_decoder_feedforward: inner channels of the pixel decoder's feed-forward networks.
        decoder_layers: masked attention layers of the query decoder.
        feedforward: inner channels of the query decoder's feed-forward networks.
        attention_heads: attention heads of the pixel decoder and of the query decoder.
        loss_points: points sampled from each mask for the main task loss ℓ_m.
        mask_patch: side of the square patches that ℓ_s masks, in pixels.
    """

    encoder: Annotated[SwinSizes | TimmBackbone, OneOf()]
    hidden_dim: Number
    mask_dim: Number
    queries: Number
    pixel_decoder_layers: Number
    pixel_decoder_feedforward: Number
    decoder_layers: Number
    feedforward: Number
    attention_heads: Number
    loss_points: Number
    mask_patch: Number

    def __post_init__(self) -> None:
        if self.hidden_dim % self.attention_heads:
            raise ValueError(
                "its attention heads do not share its channels evenly; choose numbers of heads "
                "that divide the channels"
            )


_TINY = Preset(
    encoder=SwinSizes(
        embed_dim=32, depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), drop_path_rate=0.0
    ),
    hidden_dim=64,
    mask_dim=64,
    queries=24,
    pixel_decoder_layers=1,
    pixel_decoder_feedforward=128,
    decoder_layers=3,
    feedforward=128,
    attention_heads=4,
    loss_points=768,
    mask_patch=8,
)
PRESETS = {
    "tiny": _TINY,
    "lite": dataclasses.replace(
        _TINY,
        encoder=TimmBackbone(name="tf_efficientnet_lite0", weights="package"),
        queries=32,
        loss_points=2048,
        feedforward=256,
    ),
    "swin_small": Preset(
        encoder=SwinSizes(
            embed_dim=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24), drop_path_rate=0.3
        ),
        hidden_dim=256,
        mask_dim=256,
        queries=100,
        pixel_decoder_layers=6,
        pixel_decoder_feedforward=1024,
        decoder_layers=9,
        feedforward=2048,
        attention_heads=8,
        loss_points=12544,
        mask_patch=16,
    ),
}


def preset_named(name: str) -> Preset:
    """Return the preset called `name`.

    Raises:
        InputError: no preset has this name.
    """
    if name not in PRESETS:
        raise InputError(f"model: no preset is called '{name}'; {nearest(name, PRESETS)}")
    return PRESETS[name]


def preset_data(name: str) -> dict[str, Any]:
    """Return a preset as plain data, as a configuration would have it."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(PRESETS[name])))
    return values


def preset_from(sizes: dict[str, Any]) -> Preset:
    """Return the preset with the sizes in a checkpoint's metadata.

    Raises:
        InputError: a size is missing, unknown or out of range, or the attention heads do not divide
            the channels.
    """
    return build_settings(Preset, sizes, "preset")


def without_weights(preset: Preset) -> Preset:
    """Return a preset whose encoder takes no pre-trained weights."""
    if isinstance(preset.encoder, SwinSizes):
        return preset
    return dataclasses.replace(preset, encoder=dataclasses.replace(preset.encoder, weights=None))


def sizes_of(preset: Preset) -> dict[str, Any]:
    """Return a preset by name, for a checkpoint's metadata: without the source of weights."""
    sizes = dataclasses.asdict(preset)
    sizes["encoder"].pop("weights", None)
    return sizes
