"""Reading weights that others published, of which nothing but tensors is taken."""

import textwrap
from pathlib import Path

import torch
from torch import Tensor

from videottt.errors import InputError

MEND = "take the file that workflow/resources/datasets.yaml names"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict that torch saved, on the CPU; no code in it is run.

    Raises:
        InputError: the file is absent, or holds anything but tensors by name.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; {MEND}")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    # What is no pickle of tensors makes the unpickler fail in any way.
    except Exception as error:
        raise InputError(
            f"{path}: holds no weights that can be read safely ({type(error).__name__}); {MEND}"
        ) from None
    named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
    if not named or not all(isinstance(each, Tensor) for each in weights.values()):
        raise InputError(f"{path}: holds something other than weights by name; {MEND}")
    return weights


def misfit(path: Path, network: str, reason: object) -> InputError:
    """Return the error for weights that are not those of a network."""
    short = textwrap.shorten(str(reason), 240, placeholder=" ...")
    return InputError(f"{path}: not the weights of {network} ({short}); {MEND}")
