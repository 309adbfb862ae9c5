"""Checkpoints as others published them: tensors alone are read, and every name is accounted for."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError
from videottt.models.weights import MEND, read_tensors

# How many batches a norm has seen decides nothing at test time, and older files do not have it.
COUNTER = "num_batches_tracked"


def read_published(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published file by name, on the CPU; no code in it is run.

    Floating-point tensors come as float32, whatever they were stored as.

    Args:
        path: of any form that `read_tensors` takes.

    Raises:
        InputError: the file is absent, or holds anything but tensors by name.
    """
    tensors = read_tensors(path)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def differences(expected: Mapping[str, torch.Size], found: Mapping[str, Tensor]) -> list[str]:
    """Return every name that is missing, unknown or of another shape, in words."""
    return sorted(
        [f"missing {name}" for name in expected.keys() - found.keys()]
        + [f"unknown {name}" for name in found.keys() - expected.keys()]
        + [
            f"misshapen {name} {list(found[name].shape)}, expected {list(shape)}"
            for name, shape in expected.items()
            if name in found and found[name].shape != shape
        ]
    )


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Give a network its weights, all of them and no others; it may be on the device "meta".

    Args:
        network: to be filled in place.
        weights: by the network's own names.
        path: that they were read from.
        what: the network, in words.

    Raises:
        InputError: a name is missing or unknown, or a shape is another: all of them in one line.
    """
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    counters = {name: torch.tensor(0) for name in expected if name.endswith(COUNTER)}
    found = counters | dict(weights)
    wrong = differences(expected, found)
    if wrong:
        raise InputError(f"{path}: not the weights of {what}: {'; '.join(wrong)}; {MEND}")
    network.load_state_dict(found, assign=True)
