"""Measure LPIPS, a distance of images in AlexNet's features, with the authors' package."""

import importlib.resources
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videottt.models.weights import misfit, read_tensors

SMALLEST = 31  # least edge of an image in pixels; AlexNet's last features of smaller ones are empty
MARK = "features.0.weight"  # a name of torchvision's AlexNet
# Layer of torchvision's AlexNet -> slice of LPIPS that has it.
SLICE_OF = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}


class PerceptualDistance:
    """LPIPS 0.1 with AlexNet: a distance, 0 for equal images (Zhang et al., CVPR 2018).

    The weights of its linear layers are part of the package `lpips`.

    Args:
        path: alexnet-owt-7be5be79.pth of torchvision.
        device: of the network.

    Raises:
        InputError: the file is absent, or holds other weights.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        import lpips

        trunk = _trunk(read_tensors(path, {MARK}.__contains__), path)
        packaged = importlib.resources.files("lpips") / "weights/v0.1/alex.pth"
        with warnings.catch_warnings():
            # The package uses deprecated arguments of torchvision.
            warnings.simplefilter("ignore", UserWarning)
            # Without weights, because it would download the trunk's and read all of them unsafely.
            self._network = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
        with importlib.resources.as_file(packaged) as linear:
            self._network.load_state_dict(read_tensors(linear), strict=False)
        try:
            self._network.net.load_state_dict(trunk)
        except RuntimeError as error:
            raise misfit(path, "AlexNet", error) from None
        self._network.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the distances between pairs of images.

        Args:
            images: uint8 [N, H, W, 3], RGB.
            others: likewise.

        Returns:
            float64 [N]; NaN for images smaller than 31 pixels, too small for AlexNet.
        """
        if min(images.shape[1:3]) < SMALLEST:
            return np.full(len(images), np.nan)
        pairs = self._network(self._scaled(images), self._scaled(others))
        result: np.ndarray = pairs.flatten().double().cpu().numpy()
        return result

    def _scaled(self, images: np.ndarray) -> Tensor:
        """Return uint8 images as inputs of the network: [N, 3, H, W] in -1..1."""
        return torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device).float() / 127.5 - 1


def _trunk(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the convolutions of torchvision's AlexNet under the names of LPIPS.

    Raises:
        InputError: the weights are not of AlexNet.
    """
    found = {name: each for name, each in weights.items() if not name.startswith("classifier.")}
    wanted = {f"features.{i}.{kind}": i for i in SLICE_OF for kind in ("weight", "bias")}
    if found.keys() != wanted.keys():
        other = sorted(found.keys() ^ wanted.keys())
        raise misfit(path, "AlexNet", "missing or unknown: " + ", ".join(other))
    return {
        name.replace("features.", f"slice{SLICE_OF[i]}."): found[name] for name, i in wanted.items()
    }
