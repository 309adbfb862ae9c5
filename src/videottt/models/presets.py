"""Sizes of the model: `swin_small` is the paper's, `tiny` trains on a CPU in minutes."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from transformers import Mask2FormerConfig, SwinConfig

from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings

# Queries of the decoder g: one for each colour of each pixel of a 4 x 4 patch (paper section 4.3).
RECONSTRUCTION_QUERIES = 3 * 4 * 4
# ... and of the head h of colorization: one for each plane of colour.
COLOUR_QUERIES = 2 * 4 * 4
# Of any size: larger than any model's, smaller than what would fill a machine's memory.
LARGEST = 2**16


@dataclass(frozen=True)
class Preset:
    """Every size that decides the shape of a parameter, and the drop path rate.

    Attributes:
        embed_dim: channels of the first Swin stage; they double from stage to stage.
        depths: blocks of each Swin stage.
        num_heads: attention heads of each Swin stage.
        drop_path_rate: rate of the last block; rates grow linearly from 0.
        hidden_dim: channels of the pixel decoder and of the queries.
        mask_dim: channels of the per-pixel embedding that queries are compared with.
        queries: queries of the main-task head.
        pixel_decoder_layers: layers of deformable attention.
        pixel_decoder_feedforward: inner channels of those layers.
        decoder_layers: layers of masked attention.
        feedforward: inner channels of those layers.
        attention_heads: heads of both decoders.
        loss_points: points sampled from each mask for the main-task loss.
        mask_patch: side of a patch that is masked as a whole, in pixels.
    """

    embed_dim: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    drop_path_rate: float
    hidden_dim: int
    mask_dim: int
    queries: int
    pixel_decoder_layers: int
    pixel_decoder_feedforward: int
    decoder_layers: int
    feedforward: int
    attention_heads: int
    loss_points: int
    mask_patch: int


PRESETS = {
    "tiny": Preset(
        embed_dim=32,
        depths=(1, 1, 2, 1),
        num_heads=(1, 2, 4, 8),
        drop_path_rate=0.0,
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
    ),
    "swin_small": Preset(
        embed_dim=96,
        depths=(2, 2, 18, 2),
        num_heads=(3, 6, 12, 24),
        drop_path_rate=0.3,
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
    """Return a preset by its name.

    Raises:
        InputError: there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(f"model '{name}' does not exist; {nearest(name, PRESETS)}")
    return PRESETS[name]


def preset_from(sizes: dict[str, Any]) -> Preset:
    """Return the preset that a checkpoint's metadata spells out.

    Raises:
        InputError: a size is missing, unknown or none that a model can have.
    """
    preset = build_settings(Preset, sizes, "preset")
    for name, value in sizes_of(preset).items():
        for size in value if isinstance(value, tuple) else (value,):
            if name != "drop_path_rate" and not 1 <= size <= LARGEST:
                raise InputError(f"preset: '{name}' is {value}, but must be 1..{LARGEST}")
    stages = [preset.embed_dim * 2**stage for stage in range(len(preset.depths))]
    shared = [
        *zip(stages, preset.num_heads, strict=False),
        (preset.hidden_dim, preset.attention_heads),
    ]
    if len(preset.num_heads) != len(stages) or any(size % heads for size, heads in shared):
        raise InputError("preset: its attention heads do not share its channels evenly")
    return preset


def sizes_of(preset: Preset) -> dict[str, Any]:
    """Return a preset as plain data, for a checkpoint's metadata."""
    return dataclasses.asdict(preset)


def mask2former_config(preset: Preset, queries: int, classes: int) -> Mask2FormerConfig:
    """Return the configuration of one head on the four-channel Swin encoder."""
    encoder = SwinConfig(  # type: ignore[call-arg]
        num_channels=4,
        patch_size=4,
        embed_dim=preset.embed_dim,
        depths=list(preset.depths),
        num_heads=list(preset.num_heads),
        window_size=7,
        drop_path_rate=preset.drop_path_rate,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return Mask2FormerConfig(  # type: ignore[call-arg]
        backbone_config=encoder,
        feature_size=preset.hidden_dim,
        mask_feature_size=preset.mask_dim,
        hidden_dim=preset.hidden_dim,
        encoder_layers=preset.pixel_decoder_layers,
        encoder_feedforward_dim=preset.pixel_decoder_feedforward,
        # transformers builds one layer fewer than this number, as Mask2Former does.
        decoder_layers=preset.decoder_layers + 1,
        dim_feedforward=preset.feedforward,
        num_attention_heads=preset.attention_heads,
        dropout=0.0,
        num_queries=queries,
        num_labels=classes,
        train_num_points=preset.loss_points,
    )
