"""Load the pretrained networks that compare images, from files; never fetch weights.

Importing this package imports no network and no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from videottt.core.errors import InputError, nearest
from videottt.core.files import sha256

if TYPE_CHECKING:
    import torch

    from videottt.evaluation.perception.inception import InceptionFeatures
    from videottt.evaluation.perception.lpips import PerceptualDistance

# inception: for FID and the inception score; alexnet: the trunk of LPIPS.
NETWORKS = ("inception", "alexnet")


@dataclass(frozen=True)
class Networks:
    """The available networks; metrics without their network are undefined.

    Attributes:
        inception: for FID and the inception score.
        distance: LPIPS.
        files: name of a network -> SHA-256 of the file of its weights.
        device: of the networks.
    """

    inception: "InceptionFeatures | None" = None
    distance: "PerceptualDistance | None" = None
    files: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"


NO_NETWORKS = Networks()


def load_networks(paths: Mapping[str, Path], device: "torch.device") -> Networks:
    """Return the networks with weights.

    Args:
        paths: one of `NETWORKS` -> file of its weights.
        device: of the networks.

    Raises:
        InputError: a network is unknown, or its file is absent or of another network.
    """
    for name in paths:
        if name not in NETWORKS:
            raise InputError(f"networks: no network '{name}'; {nearest(name, NETWORKS)}")
    inception = distance = None
    if "inception" in paths:
        from videottt.evaluation.perception.inception import InceptionFeatures

        inception = InceptionFeatures(paths["inception"], device)
    if "alexnet" in paths:
        from videottt.evaluation.perception.lpips import PerceptualDistance

        distance = PerceptualDistance(paths["alexnet"], device)
    files = {name: sha256(path) for name, path in paths.items()}
    return Networks(inception, distance, files, str(device))
