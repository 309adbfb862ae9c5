"""Read published weights from safetensors, torch or pickle files without running their code."""

import json
import logging
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.models.pickles import OF_TORCH_FILES, Record, Refused, finished_value, read_pickle
from videottt.models.wrapped_names import unwrapped

logger = logging.getLogger(__name__)

# Keys under which training programs store the weights beside other data, the likeliest first.
ENVELOPES = (
    "model", "state_dict", "model_state_dict", "model_state", "weights", "params", "net", "network",
    "module", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema",
)  # fmt: skip
DEEPEST = 6  # most envelopes in envelopes
# First bytes of files that torch saved: a zip archive, or before torch 1.6 a number in a pickle.
ZIP = b"PK\x03\x04"
OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
MEND = "take the file that workflow/resources/datasets.yaml names"


def read_tensors(
    path: Path, is_known: Callable[[str], bool] = lambda name: False
) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU, out of the wrappers of training programs.

    The file's first bytes decide how it is read: as safetensors, as a file saved by torch (its
    tensors and arrays only), or as a pickle of arrays (see `videottt.models.pickles`). No code in a
    file is run. Weights are taken out of `ENVELOPES`, and what is no weight is ignored. Wrappers
    are removed from the names (see `videottt.models.wrapped_names`).

    Args:
        path: of the file; its name does not matter.
        is_known: whether a name is one of the network. Where the names with a prefix lead to one,
            weights without the prefix, such as those of a loss, are left out.

    Raises:
        InputError: the file is absent, has another format, holds no tensors by name, holds several
            networks none of which is the main one, has names of which only some have a prefix, or
            holds weights that are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; check the path")
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:9] == b"{":
        return _checked(unwrapped(_read_safetensors(path), is_known, path), path)
    torch_saved = is_of_torch(start)
    if not torch_saved and start[:1] in (b"<", b"v", b""):
        raise InputError(
            f"{path}: is no file of weights but text or empty (often a web page or a git LFS "
            "pointer in place of the file); download it again"
        )
    held = _read_torch(path) if torch_saved else read_pickle(path)
    return _checked(unwrapped(_tensors(held, path), is_known, path), path)


def is_of_torch(start: bytes) -> bool:
    """Return whether a file was saved by torch, from its first 16 bytes."""
    return start.startswith(ZIP) or start[2:].startswith(OLD_TORCH)


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
        with torch.serialization.safe_globals(OF_TORCH_FILES):
            held = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(held, Record):
            raise Refused("holds arguments, a path or a time alone")
    # On other content the unpickler can raise any exception.
    except Exception as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it asks for '{asked[1]}'" if asked else type(error).__name__
        if isinstance(error, Refused):
            reason = f"it {error}"
        raise InputError(
            f"{path}: holds no weights that can be read safely ({reason}); take a file of weights "
            "only, without other objects: torch.save(model.state_dict(), ...)"
        ) from None
    return held


def _tensors(held: Any, path: Path) -> dict[str, Tensor]:
    """Take the state dict out of a file's content; return its arrays and numbers as tensors."""
    held = _state_dict(held, path) or _innermost(held)
    if not isinstance(held, dict) or not held:
        raise InputError(f"{path}: holds no weights by name; take a checkpoint of a model")
    values = {name: finished_value(value) for name, value in held.items()}
    found = {
        name: value.detach() if isinstance(value, Tensor) else torch.as_tensor(value)
        for name, value in values.items()
        if isinstance(name, str) and isinstance(value, Tensor | np.ndarray | int | float)
    }
    # Beside names of layers, a number is the epoch, or the number of models that are averaged.
    layered = any("." in name for name in found)
    weights = {n: each for n, each in found.items() if each.ndim or "." in n or not layered}
    if not weights:
        name, value = next(iter(values.items()))
        raise InputError(
            f"{path}: its entry '{name}' is no array of numbers but a {type(value).__name__}; "
            "take a checkpoint of a model"
        )
    if len(weights) < len(held):
        logger.info(
            "%s: ignored %d thing(s) beside the weights, such as '%s'",
            path, len(held) - len(weights), next(name for name in held if name not in weights),
        )  # fmt: skip
    return weights


def _state_dict(held: Any, path: Path, depth: int = DEEPEST) -> dict[Any, Any] | None:
    """Return the dictionary of weights in a file's content, None if there is none.

    Raises:
        InputError: several unknown entries of the file have weights.
    """
    if not isinstance(held, dict) or not depth:
        return None
    weights = [str(name) for name, value in held.items() if _is_weight(value)]
    # Where there are envelopes, arrays beside them are of something else.
    if any("." in name for name in weights):
        return held
    known = [name for name in ENVELOPES if isinstance(held.get(name), dict)]
    found = _envelopes(held, known, path, depth)
    if not found and depth == DEEPEST:
        found = _envelopes(held, [name for name in held if name not in known], path, depth)
        # Weights of a network have names with a dot; states of an optimizer, for one, do not.
        found = {name: each for name, each in found.items() if any("." in str(n) for n in each)}
        if len(found) > 1:
            raise InputError(
                f"{path}: has the weights of several networks, {', '.join(map(repr, found))}; save "
                "the state_dict() of the one that is meant"
            )
    if len(found) > 1:
        logger.info("%s: has weights as %s; the first are taken", path, " and ".join(found))
    return next(iter(found.values()), held if weights else None)


def _envelopes(
    held: dict[Any, Any], names: list[Any], path: Path, depth: int
) -> dict[str, dict[Any, Any]]:
    """Return, of entries by name, those that have weights, once each: a file may share them."""
    distinct = {id(held[name]): name for name in reversed(names) if isinstance(name, str)}
    return {
        name: inner
        for name in reversed(distinct.values())
        if (inner := _state_dict(held[name], path, depth - 1)) is not None
    }


def _innermost(held: Any) -> Any:
    """Return what is in the envelopes, where no weights are, for the message."""
    for _ in range(DEEPEST):
        inner = held if isinstance(held, dict) else {}
        held = next((inner[n] for n in ENVELOPES if isinstance(inner.get(n), dict)), held)
    return held


def _is_weight(value: Any) -> bool:
    value = finished_value(value)
    return isinstance(value, Tensor | np.ndarray) and bool(value.ndim)


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path}: the weights '{name}' are not finite; download it again")
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
