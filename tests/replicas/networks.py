"""Networks of others in the forms in which they are published, of full size, with random weights.

A tensor is a window that slides over a few random numbers, so that files are small.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch_fidelity import FeatureExtractorInceptionV3

from videottt.core.randomness import generator
from videottt.models.baselines.deeplabv3plus import DeepLabV3PlusR101
from videottt.models.baselines.zhang2016 import Zhang2016
from videottt.settings.presets import PRESETS

# Swin for 224 x 224 pixels, with the sizes of the preset that the replicas are trained with.
WINDOW, RESOLUTION, CATEGORIES = 7, 56, 1000
# SegFormer-B4 by stage: blocks, channels, how much attention shrinks its keys; and its decoder.
SEGFORMER = ((3, 8, 27, 3), (64, 128, 320, 512), (8, 4, 2, 1))
HIDDEN = 768


class _Inception(FeatureExtractorInceptionV3):
    """Without weights, which the library would read or fetch."""

    def load_state_dict(self, weights: object, **_: object) -> None:
        """Leave the weights as they are."""


def write_zhang2016(path: Path, seed: int) -> None:
    """Write eccv16 of https://github.com/richzhang/colorization."""
    with torch.device("meta"):
        network = Zhang2016()
    weights = _weights(network, seed)
    torch.save({n: each for n, each in weights.items() if "num_batches" not in n}, path)


def write_inception(path: Path, seed: int) -> None:
    """Write the Inception v3 of torch-fidelity."""
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.device("meta"):
        network = _Inception("inception", ["2048"], nothing)
    # Through so many layers, signals would grow.
    torch.save(_weights(network, seed, gain=0.65), path)


def write_alexnet(path: Path, seed: int) -> None:
    """Write AlexNet of torchvision."""
    with torch.device("meta"):
        network = torchvision.models.alexnet()
    torch.save(_weights(network, seed), path)


def write_segformer(path: Path, seed: int) -> None:
    """Write SegFormer-B4 for the 19 classes of Cityscapes, as on the Hugging Face Hub."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = 3
    for stage, (depth, width, reduction) in enumerate(zip(*SEGFORMER, strict=True)):
        encoder = "segformer.encoder"
        patches = f"{encoder}.patch_embeddings.{stage}"
        side = 7 if stage == 0 else 3
        shapes |= _affine(f"{patches}.proj", (width, before, side, side))
        shapes |= _norm(f"{patches}.layer_norm", width) | _norm(
            f"{encoder}.layer_norm.{stage}", width
        )
        for block in range(depth):
            shapes |= _segformer_block(f"{encoder}.block.{stage}.{block}", width, reduction)
        shapes |= _affine(f"decode_head.linear_c.{stage}.proj", (HIDDEN, width))
        before = width
    shapes["decode_head.linear_fuse.weight"] = (HIDDEN, 4 * HIDDEN, 1, 1)
    shapes |= _norm("decode_head.batch_norm", HIDDEN) | _moments("decode_head.batch_norm", HIDDEN)
    shapes |= _affine("decode_head.classifier", (19, HIDDEN, 1, 1))
    torch.save(_drawn(shapes, seed), path)


def _segformer_block(name: str, width: int, reduction: int) -> dict[str, tuple[int, ...]]:
    attention = f"{name}.attention.self"
    shapes = _norm(f"{name}.layer_norm_1", width) | _norm(f"{name}.layer_norm_2", width)
    for layer in ("query", "key", "value"):
        shapes |= _affine(f"{attention}.{layer}", (width, width))
    if reduction > 1:
        shapes |= _affine(f"{attention}.sr", (width, width, reduction, reduction))
        shapes |= _norm(f"{attention}.layer_norm", width)
    shapes |= _affine(f"{name}.attention.output.dense", (width, width))
    shapes |= _affine(f"{name}.mlp.dense1", (4 * width, width))
    shapes |= _affine(f"{name}.mlp.dwconv.dwconv", (4 * width, 1, 3, 3))
    return shapes | _affine(f"{name}.mlp.dense2", (width, 4 * width))


def write_deeplab(path: Path, seed: int) -> None:
    """Write DeepLabV3+ with a ResNet-101 and its auxiliary head, as of mmsegmentation."""
    with torch.device("meta"):
        network = DeepLabV3PlusR101()
    shapes = {name: tuple(each.shape) for name, each in network.state_dict().items()}
    head = "auxiliary_head"
    shapes[f"{head}.convs.0.conv.weight"] = (256, 1024, 3, 3)
    shapes |= _norm(f"{head}.convs.0.bn", 256) | _moments(f"{head}.convs.0.bn", 256)
    shapes |= _affine(f"{head}.conv_seg", (19, 256, 1, 1))
    meta = {"mmseg_version": "0.5.0", "iter": 80000, "CLASSES": ["road", "sidewalk"]}
    weights = _drawn(shapes, seed, gain=0.6)
    torch.save({"meta": meta, "state_dict": weights, "optimizer": {}}, path)


def write_swin(path: Path, seed: int) -> None:
    """Write a Swin trained on ImageNet, as of https://github.com/microsoft/Swin-Transformer."""
    sizes = PRESETS["tiny"].encoder
    width = sizes.embed_dim
    shapes = _affine("patch_embed.proj", (width, 3, 4, 4)) | _norm("patch_embed.norm", width)
    counters: dict[str, Tensor] = {}
    for stage, (depth, heads) in enumerate(zip(sizes.depths, sizes.num_heads, strict=True)):
        for block in range(depth):
            name = f"layers.{stage}.blocks.{block}"
            shapes |= _swin_block(name, width, heads)
            counters[f"{name}.attn.relative_position_index"] = torch.zeros(
                WINDOW**2, WINDOW**2, dtype=torch.int64
            )
            windows = (RESOLUTION // 2**stage // WINDOW) ** 2
            if block % 2 and windows > 1:
                counters[f"{name}.attn_mask"] = torch.zeros(windows, WINDOW**2, WINDOW**2)
        if stage < len(sizes.depths) - 1:
            name = f"layers.{stage}.downsample"
            shapes |= {f"{name}.reduction.weight": (2 * width, 4 * width)}
            shapes |= _norm(f"{name}.norm", 4 * width)
            width *= 2
    shapes |= _norm("norm", width) | _affine("head", (CATEGORIES, width))
    torch.save({"model": _drawn(shapes, seed) | counters}, path)


def _swin_block(name: str, width: int, heads: int) -> dict[str, tuple[int, ...]]:
    layers = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    shapes = {f"{name}.attn.relative_position_bias_table": ((2 * WINDOW - 1) ** 2, heads)}
    for layer, (out, before) in layers.items():
        shapes |= _affine(f"{name}.{layer}", (out * width, before * width))
    return shapes | _norm(f"{name}.norm1", width) | _norm(f"{name}.norm2", width)


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _affine(name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _moments(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """Return what a batch norm has beside weight and bias."""
    moments = {f"{name}.running_mean": (width,), f"{name}.running_var": (width,)}
    return moments | {f"{name}.num_batches_tracked": ()}


def _weights(network: nn.Module, seed: int, gain: float = 1.0) -> dict[str, Tensor]:
    """Return weights of the names and shapes of a network that need not have any itself."""
    return _drawn({name: tuple(t.shape) for name, t in network.state_dict().items()}, seed, gain)


def _drawn(
    shapes: Mapping[str, tuple[int, ...]], seed: int, gain: float = 1.0
) -> dict[str, Tensor]:
    return {name: _tensor(name, shape, seed, gain) for name, shape in shapes.items()}


def _tensor(name: str, shape: tuple[int, ...], seed: int, gain: float) -> Tensor:
    """Return a weight; those of normalization layers are told by their names and shapes."""
    if not shape:
        return torch.tensor(0)
    if len(shape) == 1:
        kept = name.endswith(("running_var", "weight"))
        return (torch.ones if kept else torch.zeros)(1).expand(shape)
    strides = (3, *[1] * (len(shape) - 1))
    length = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    draws = torch.randn(length, generator=generator("replicas", name, seed))
    inputs = torch.Size(shape[1:]).numel()
    return (draws * gain * (2 / inputs) ** 0.5).as_strided(shape, strides)
