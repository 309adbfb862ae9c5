"""Build the encoder f: a Swin Transformer, as in the paper, or any hierarchical backbone of timm.

An encoder takes four channels, RGB and visibility (paper section 4.3), and returns four maps at
1/4, 1/8, 1/16 and 1/32 of the image.

Batch norms of a backbone are always in eval mode, in training too: they normalise by the statistics
that come with the pre-trained weights, and only their scale and shift are trained. So a prediction
does not depend on the other images of a batch, and masked and whole images share the statistics.
What adapts them at test time are the objectives `layer_norm` and `tent`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError
from videottt.core.randomness import global_draws
from videottt.models.swin import CHANNELS, SwinEncoder
from videottt.settings.presets import SwinSizes, TimmBackbone

# Side of a pixel of each map in pixels of the image.
STRIDES = (4, 8, 16, 32)
# How families of backbones are told that images have any size; most need not be told.
ANY_SIZE: tuple[dict[str, bool], ...] = (
    {},
    {"strict_img_size": False},
    {"dynamic_img_size": True},
)
# Height and width of the image that a backbone is tried with: neither square nor of a usual size.
TRIED = (64, 96)
# ImageNet's mean and standard deviation, 0..1, by which the model's images are normalised.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class TimmEncoder(nn.Module):
    """A backbone of timm with a fourth input channel, whose maps are channels first.

    Args:
        backbone: of timm, made with `features_only` and four input channels.
        levels: for each of the four maps, its place among the backbone's.
        channels: of the maps.
        channels_last: whether the backbone's maps are [B, H, W, C].

    Attributes:
        scale: factor on the model's normalised RGB, which the backbone expects otherwise
            normalised; float [3, 1, 1].
        shift: what is added after it; float [3, 1, 1].
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        levels: Sequence[int],
        channels: tuple[int, ...],
        channels_last: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = channels
        self._levels = tuple(levels)
        self._channels_last = channels_last
        config: dict[str, Any] = backbone.pretrained_cfg  # type: ignore[assignment]
        mean = torch.tensor(config.get("mean", MEAN))
        std = torch.tensor(config.get("std", STD))
        self.register_buffer("scale", (torch.tensor(STD) / std).view(3, 1, 1))
        self.register_buffer("shift", ((torch.tensor(MEAN) - mean) / std).view(3, 1, 1))

    def train(self, mode: bool = True) -> "TimmEncoder":
        """Set the mode of all modules but the batch norms, which stay in eval mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.training = False
        return self

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return maps i = 0..3, float [B, C_i, H / 2^(i+2), W / 2^(i+2)].

        Args:
            pixels: float [B, 4, H, W], H and W multiples of 32.
        """
        colours = torch.addcmul(self.shift, pixels[:, :3], self.scale)
        # Channels last in memory: convolutions on a CPU are faster so.
        images = torch.cat([colours, pixels[:, 3:]], dim=1).contiguous(
            memory_format=torch.channels_last
        )
        maps = self.backbone(images)
        chosen = (maps[level] for level in self._levels)
        return tuple(m.permute(0, 3, 1, 2) if self._channels_last else m for m in chosen)


def build_encoder(sizes: SwinSizes | TimmBackbone, seed: int | None) -> SwinEncoder | TimmEncoder:
    """Return an encoder with an attribute `channels`, those of its four maps.

    Args:
        sizes: of a Swin Transformer, which has no weights yet and is on the meta device; or the
            name of a backbone of timm, whose weights are drawn.
        seed: of the draws; None for weights that will be replaced.

    Raises:
        InputError: timm has no such backbone, it has not the four maps, or takes images of one size
            only.
    """
    if isinstance(sizes, SwinSizes):
        with torch.device("meta"):
            return SwinEncoder(sizes)
    with global_draws("initial weights of the encoder", seed or 0), torch.device("cpu"):
        for options in ANY_SIZE:
            encoder = _timm_encoder(sizes.name, options)
            if encoder is not None:
                return encoder
    height, width = TRIED
    raise InputError(
        f"encoder '{sizes.name}': has no maps at 1/4 to 1/32 of an image of {height} x {width} "
        "pixels (it takes images of one size only, or cuts off their edges); choose another "
        "backbone, such as resnet18 or convnext_atto"
    )


def _timm_encoder(name: str, options: dict[str, bool]) -> TimmEncoder | None:
    """Return an encoder if it can be made with options, and takes images that are not square."""
    backbone = _backbone(name, CHANNELS, options)
    if backbone is None:
        return None
    info: Any = backbone.feature_info
    strides = info.reduction()
    missing = [stride for stride in STRIDES if stride not in strides]
    if missing:
        raise InputError(
            f"encoder '{name}': has maps at 1/{', 1/'.join(map(str, strides))} of the image, but "
            "1/4, 1/8, 1/16 and 1/32 are needed; choose a hierarchical backbone"
        )
    # The last of a stride: the others are of earlier layers.
    levels = [len(strides) - 1 - strides[::-1].index(stride) for stride in STRIDES]
    channels = tuple(info.channels()[level] for level in levels)
    last = str(getattr(backbone, "output_fmt", "")).endswith("NHWC")
    encoder = TimmEncoder(backbone, levels, channels, last).eval()
    try:
        with torch.no_grad():
            maps = encoder(torch.zeros(1, CHANNELS, *TRIED))
    except (AssertionError, RuntimeError, ValueError):
        return None
    expected = [
        (count, *(side // stride for side in TRIED))
        for count, stride in zip(channels, STRIDES, strict=True)
    ]
    return encoder if [tuple(m.shape[1:]) for m in maps] == expected else None


def _backbone(name: str, channels: int, options: dict[str, Any]) -> nn.Module | None:
    """Return a backbone of timm that returns maps; None if it does not know an option.

    Raises:
        InputError: timm has no such backbone, or it returns no maps.
    """
    import timm

    if not timm.is_model(name):
        known = timm.list_models(f"*{name.split('_')[0]}*") or timm.list_models("resnet*")
        raise InputError(
            f"encoder '{name}': timm {timm.__version__} has no such backbone; some that it has: "
            + ", ".join(known[:5])
        )
    # Some families drop paths unless they are told not to; others know no such option.
    choices: tuple[dict[str, Any], ...] = ({"drop_path_rate": 0.0}, {})
    for dropping in choices:
        try:
            made: nn.Module = timm.create_model(
                name, features_only=True, in_chans=channels, **dropping, **options
            )
        except TypeError:
            continue
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"encoder '{name}': timm makes no maps of it ({error}); choose another backbone"
            ) from None
        return made
    return None
