"""Colorize frames with the network of Zhang et al. 2016, the baseline of the paper's table 3.

"Colorful Image Colorization", https://arxiv.org/abs/1603.08511 (table 4 there), as its authors
published it for PyTorch, https://github.com/richzhang/colorization (colorizers/eccv16.py and
base_color.py). Parameters have the published names, so ``colorization_release_v2-9b330a0b.pth``
fits. Every frame is colorized independently, and nothing is learned from the video.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from videottt.core.cielab import coloured, grey_frame, lab_of
from videottt.core.files import sha256
from videottt.models.baselines.fixed import FixedMethod
from videottt.models.baselines.published import COUNTER
from videottt.models.weights import misfit, read_tensors
from videottt.store.frames import FrameStore

# Each stage's channels, number of convolutions, stride of the last convolution, and dilation.
STAGES = (
    (64, 2, 2, 1),
    (128, 2, 2, 1),
    (256, 3, 2, 1),
    (512, 3, 1, 1),
    (512, 3, 1, 2),
    (512, 3, 1, 2),
    (512, 3, 1, 1),
)
HEAD = 256  # channels of the last stage, at a quarter of the input's size
BINS = 313  # colour bins of the ab plane
SHRINKING = 4  # size of the input divided by the size of the predicted colours

LIGHTNESS_CENTRE, LIGHTNESS_SCALE, AB_SCALE = 50.0, 100.0, 110.0
# (H, W) of the network's input in the authors' demo_release.py, for images of any shape.
SIZE = (256, 256)


class Zhang2016(nn.Module):
    """The network "eccv16": predicts a distribution over bins of the ab plane, and its mean."""

    def __init__(self) -> None:
        super().__init__()
        before = 1
        for number, (channels, convolutions, stride, dilation) in enumerate(STAGES, start=1):
            strides = [1] * (convolutions - 1) + [stride]
            layers: list[nn.Module] = []
            for step in strides:
                layers += [
                    nn.Conv2d(before, channels, 3, step, padding=dilation, dilation=dilation),
                    nn.ReLU(),
                ]
                before = channels
            self.add_module(f"model{number}", nn.Sequential(*layers, nn.BatchNorm2d(channels)))
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(before, HEAD, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD, HEAD, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD, HEAD, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD, BINS, 1),
        )
        self.model_out = nn.Conv2d(BINS, 2, 1, bias=False)

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict colours from lightness, both in CIELAB.

        Args:
            lightness: L, float [B, 1, H, W] in 0..100, H and W multiples of 8.

        Returns:
            a and b, float [B, 2, H, W] within ±110.
        """
        features = (lightness - LIGHTNESS_CENTRE) / LIGHTNESS_SCALE
        for number in range(1, len(STAGES) + 2):
            features = self.get_submodule(f"model{number}")(features)
        ab = self.model_out(features.softmax(dim=1))
        return AB_SCALE * functional.interpolate(ab, scale_factor=SHRINKING, mode="bilinear")


def load_zhang2016(path: Path) -> Zhang2016:
    """Return the network with its published weights, in eval mode, on the CPU.

    Args:
        path: the published file, of which only tensors are read.

    Raises:
        InputError: the file is absent, holds other data than weights, or the weights of another
            network.
    """
    network = Zhang2016()
    weights = read_tensors(path, network.state_dict().__contains__)
    expected = {
        name: tensor.shape
        for name, tensor in network.state_dict().items()
        if not name.endswith(COUNTER)
    }
    shapes = {name: tensor.shape for name, tensor in weights.items() if not name.endswith(COUNTER)}
    if shapes != expected:
        names = sorted(dict(expected.items() ^ shapes.items()))
        reason = f"{len(names)} of its parameters differ in name or shape, such as {names[0]}"
        raise misfit(path, "Zhang et al. 2016, eccv16", reason)
    network.load_state_dict(weights, strict=False)
    return network.eval()


@torch.inference_mode()
def colourise(network: Zhang2016, frame: np.ndarray) -> np.ndarray:
    """Colorize a frame; return RGB, uint8 [H, W, 3], with the lightness of the frame.

    As in the authors' demo, the network's input is the grey frame resized to `SIZE`, and the
    predicted colours are resized to the frame.

    Args:
        network: in eval mode.
        frame: RGB, uint8 [H, W, 3], of which only the lightness is used.
    """
    device = network.model_out.weight.device
    height, width = SIZE
    grey = Image.fromarray(grey_frame(frame)).resize((width, height), Image.Resampling.BICUBIC)
    lightness = lab_of(_batch(np.array(grey), device))[:, :1]
    ab = functional.interpolate(network(lightness), size=frame.shape[:2], mode="bilinear")
    return coloured(_batch(frame, device), ab)[0].cpu().numpy()


def _batch(image: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(image[None]).to(device)


def zhang2016(_: FrameStore, *, weights: Path) -> FixedMethod:
    """Return the fixed method that colorizes frames with the published network.

    Raises:
        InputError: the file of weights is absent or does not fit; see `load_zhang2016`.
    """
    network = load_zhang2016(weights)
    return FixedMethod(
        "colorization",
        "zhang2016",
        "images",
        functools.partial(colourise, network),
        network,
        settings={"size": list(SIZE)},
        weights={"weights": sha256(weights)},
    )
