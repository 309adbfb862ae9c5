"""Load published weights into a network and account for every parameter's name and shape."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError
from videottt.models.weights import MEND, read_tensors

# Number of batches a batch norm has seen: unused at test time, and absent from older files.
COUNTER = "num_batches_tracked"


def read_published(
    path: Path, is_known: Callable[[str], bool] = lambda name: False
) -> dict[str, Tensor]:
    """Return the tensors of a published file by name, on the CPU; no code in the file is run.

    Floating-point tensors are converted to float32.

    Args:
        path: a file in any format that `read_tensors` reads.
        is_known: whether a name is one of the network.

    Raises:
        InputError: the file is absent, or holds other data than tensors by name.
    """
    tensors = read_tensors(path, is_known)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def differences(expected: Mapping[str, torch.Size], tensors: Mapping[str, Tensor]) -> list[str]:
    """Return a line for every tensor that is missing, unknown or misshapen, sorted.

    Args:
        expected: shapes of the network's parameters by name.
        tensors: tensors of a file by name.
    """
    return sorted(
        [f"missing {name}" for name in expected.keys() - tensors.keys()]
        + [f"unknown {name}" for name in tensors.keys() - expected.keys()]
        + [
            f"misshapen {name} {list(tensors[name].shape)}, expected {list(shape)}"
            for name, shape in expected.items()
            if name in tensors and tensors[name].shape != shape
        ]
    )


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path, title: str) -> None:
    """Load weights into a network, in place; names and shapes must match exactly.

    Args:
        network: may be on the device "meta".
        weights: tensors by the network's parameter names.
        path: of the file of weights, for messages.
        title: name of the network, for messages.

    Raises:
        InputError: tensors are missing, unknown or misshapen; one line lists all of them.
    """
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    counters = {name: torch.tensor(0) for name in expected if name.endswith(COUNTER)}
    tensors = counters | dict(weights)
    wrong = differences(expected, tensors)
    if wrong:
        raise InputError(f"{path}: not the weights of {title}: {'; '.join(wrong)}; {MEND}")
    network.load_state_dict(tensors, assign=True)
