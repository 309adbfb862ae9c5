"""Run the Inception v3 of FID and the inception score, the network of 2015, by torch-fidelity."""

import io
from pathlib import Path

import numpy as np
import torch

from videottt.models.weights import misfit, read_tensors

# A name of the network.
MARK = "Conv2d_1a_3x3.conv.weight"
FEATURES = ("2048", "logits_unbiased")


class InceptionFeatures:
    """Inception v3 on images, resized to 299 x 299 as by TensorFlow 1.

    Heusel et al., NeurIPS 2017 (FID); Salimans et al., NeurIPS 2016 (inception score).

    Args:
        path: weights-inception-2015-12-05-6726825d.pth of torch-fidelity.
        device: of the network.

    Raises:
        InputError: the file is absent, or holds other weights.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        from torch_fidelity import FeatureExtractorInceptionV3

        # The library fetches weights unless it is given a file, and unpickling a file may run code.
        # So it gets a new file of safely read tensors.
        safe = io.BytesIO()
        torch.save(read_tensors(path, {MARK}.__contains__), safe)
        safe.seek(0)
        try:
            self._network = FeatureExtractorInceptionV3("inception", list(FEATURES), safe)
        except RuntimeError as error:
            raise misfit(path, "Inception v3", error) from None
        self._network.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features and logits of images.

        Args:
            images: uint8 [N, H, W, 3], RGB.

        Returns:
            Features float32 [N, 2048], of the last pooling, and logits without bias float32
            [N, 1008].
        """
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device)
        features, logits = self._network(pixels)
        return features.cpu().numpy(), logits.cpu().numpy()
