"""Compare g's reconstruction of masked pixels with inpainting, on the same masks."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.evaluation.diagnosis.inpainting import filled_by_inverse_distance, filled_with_mean
from videottt.evaluation.diagnosis.sampling import CHUNK, Sampling, draws_of
from videottt.models.inputs import image_size, to_device
from videottt.models.masking import random_visible, reconstruction_loss
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.mae import MaskedAutoencoding

# What fills masked pixels, in the order of the columns of errors.
FILLED_BY = ("decoder", "mean", "inverse_distance")


def reconstruction_errors(
    model: YShapedModel,
    objective: MaskedAutoencoding,
    images: Iterable[tuple[int, Tensor]],
    sampling: Sampling,
    key: JobKey,
    source: str,
) -> np.ndarray:
    """Return the mean squared error of each way to fill the masked pixels of images.

    Errors are of masked pixels alone, whatever the objective averages over, in normalised units as
    ℓ_s (section 3), and a mean over the masks of an image. All ways fill the same pixels.

    Args:
        model: f and g, in eval mode; it does not change.
        objective: its mask ratio and its colour of masked pixels.
        images: index and model's input, float [1, 3, H, W], one by one.
        sampling: number of masks.
        key: keys the masks, together with `source` and the index.
        source: "video" or "stills".

    Returns:
        float64 [N, 3], a column for each of `FILLED_BY`.

    Raises:
        InputError: the mask ratio leaves no pixel visible.
    """
    rows = [
        errors_of_image(
            model, objective, image, sampling.masks, generator(*draws_of(key, source, index))
        )
        for index, image in images
    ]
    return np.array(rows).reshape(-1, len(FILLED_BY))


@torch.inference_mode()
def errors_of_image(
    model: YShapedModel,
    objective: MaskedAutoencoding,
    image: Tensor,
    masks: int,
    draws: torch.Generator,
) -> list[float]:
    """Return the errors of one image, float [1, 3, H, W]; see `reconstruction_errors`."""
    visible = random_visible(
        masks, image_size(image), model.preset.mask_patch, objective.mask_ratio, draws
    )
    images = image.expand(masks, -1, -1, -1)
    pixels, shown = images.cpu().numpy(), visible.numpy()
    filled = {
        "decoder": torch.cat([
            model.reconstruct(part, to_device(seen, image.device), objective.masked_with).cpu()
            for part, seen in zip(
                torch.split(images, CHUNK), torch.split(visible, CHUNK), strict=True
            )
        ]),
        "mean": torch.from_numpy(filled_with_mean(pixels, shown)),
        "inverse_distance": torch.from_numpy(filled_by_inverse_distance(pixels, shown)),
    }  # fmt: skip
    target = images.cpu()
    return [
        float(reconstruction_loss(filled[name].double(), target.double(), visible, "masked"))
        for name in FILLED_BY
    ]
