"""Read published weights from safetensors, torch or pickle files without running their code."""

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.models.pickles import read_pickle

# Keys under which training programs store the weights beside other data.
ENVELOPES = ("model", "state_dict", "model_state")
# Prefix that torch's wrappers for parallel training add to every name.
PREFIX = "module."
# First bytes of files that torch saved: a zip archive, or before torch 1.6 a number in a pickle.
ZIP = b"PK\x03\x04"
OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
MEND = "take the file that workflow/resources/datasets.yaml names"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU, without the prefix ``module.``.

    The file's first bytes decide how it is read: as safetensors, as a file saved by torch (its
    tensors only), or as a pickle of arrays (see `videottt.models.pickles`). No code in a file is
    run.

    Args:
        path: of the file; its name does not matter.

    Raises:
        InputError: the file is absent, has another format, holds no tensors by name, or holds
            weights that are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; check the path")
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:9] == b"{":
        return _checked(_read_safetensors(path), path)
    torch_saved = start.startswith(ZIP) or start[2:].startswith(OLD_TORCH)
    if not torch_saved and start[:1] in (b"<", b"v", b""):
        raise InputError(
            f"{path}: is no file of weights but text or empty (often a web page or a git LFS "
            "pointer in place of the file); download it again"
        )
    held = _read_torch(path) if torch_saved else read_pickle(path)
    return _checked(_tensors(held, path), path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: not a readable safetensors file ({error}); download it again"
        ) from None


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # On other content the unpickler can raise any exception.
    except Exception as error:
        raise InputError(
            f"{path}: holds no weights that can be read safely ({type(error).__name__}); take a "
            "file of weights only, without other objects"
        ) from None


def _tensors(held: Any, path: Path) -> dict[str, Tensor]:
    """Take the state dict out of a file's content; return its arrays and numbers as tensors."""
    for name in ENVELOPES:
        if isinstance(held, dict) and isinstance(held.get(name), dict):
            held = held[name]
    if not isinstance(held, dict) or not held:
        raise InputError(f"{path}: holds no weights by name; take a checkpoint of a model")
    tensors = {}
    for name, value in held.items():
        if not isinstance(name, str) or not isinstance(value, Tensor | np.ndarray | int | float):
            raise InputError(
                f"{path}: its entry '{name}' is no array of numbers but a {type(value).__name__}; "
                "take a checkpoint of a model"
            )
        tensors[name] = value.detach() if isinstance(value, Tensor) else torch.as_tensor(value)
    return tensors


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path}: the weights '{name}' are not finite; download it again")
    return _unprefixed(tensors)


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith(PREFIX) for name in tensors):
        return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    return tensors


def misfit(path: Path, network: str, reason: object) -> InputError:
    """Return the error for a file whose weights do not fit a network.

    Args:
        path: of the file.
        network: its name, for the message.
        reason: the mismatch; shortened to 240 characters.
    """
    short = textwrap.shorten(str(reason), 240, placeholder=" ...")
    return InputError(f"{path}: not the weights of {network} ({short}); {MEND}")
