"""Score colorization: compare the colours of frames with the true ones (paper, table 3).

On 8-bit RGB images at their own size:

* PSNR of the squared error over all channels and pixels, of all frames at once (pooled) or of each
  frame (frames). It is in dB, and not defined without any error.
* SSIM of Wang et al., 2004, by scikit-image, with their window: Gaussian, 11 x 11 pixels, sigma
  1.5, only where it fits into the image. Averaged over channels, pixels and frames.
* LPIPS of Zhang et al., CVPR 2018, averaged over frames: a distance, 0 for equal images.
* FID of Heusel et al., NeurIPS 2017, between the true frames and the predicted ones, and the
  inception score of Salimans et al., NeurIPS 2016, of the predicted ones, with torch-fidelity's
  Inception v3. Both depend on the number of frames, and are computed over all frames at once.

The last two need pretrained networks, see `videottt.evaluation.perception`; without, they are NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace
from videottt.evaluation.metrics.statistics import Headline, Statistics, defined_mean
from videottt.evaluation.perception import NO_NETWORKS, Networks
from videottt.store.frames import FrameStore

WHITE = 255.0  # the largest value of a channel
WINDOW = 11  # of SSIM, in pixels
# Least number of frames for FID: that of the features, for a covariance of full rank.
ENOUGH = 2048
SPLITS = 10  # of the inception score
DISTANCES = ("lpips_frames", "fid_pooled")  # metrics for which less is better


@dataclass(frozen=True)
class ColourErrors(Statistics):
    """Errors and features of N coloured frames.

    Attributes:
        squared_error: int64 [N], summed over pixels and channels.
        values: int64 [N], pixels x channels.
        ssim: float64 [N]; NaN for frames smaller than its window.
        lpips: float64 [N]; NaN without its network.
        true_features: float32 [N, 2048] of Inception; [N, 0] without it.
        features: likewise, of the predictions.
        logits: float32 [N, 1008] of Inception, of the predictions; [N, 0] without it.
    """

    headline: ClassVar[Headline] = Headline(
        "PSNR", "psnr_pooled", "psnr_frames", "psnr", unit="dB", scale=1.0
    )
    kind: ClassVar[str] = "images"

    squared_error: np.ndarray
    values: np.ndarray
    ssim: np.ndarray
    lpips: np.ndarray
    true_features: np.ndarray
    features: np.ndarray
    logits: np.ndarray

    @staticmethod
    def labelled(store: FrameStore) -> np.ndarray:
        """Return True for every frame: each is its own ground truth."""
        return np.ones(len(store), bool)

    @staticmethod
    def label(store: FrameStore, index: int) -> np.ndarray:
        """Return frame `index` in its true colours: uint8 [H, W, 3]."""
        return store.frame(index)

    @classmethod
    def of_frame(
        cls,
        label: np.ndarray,
        prediction: np.ndarray,
        space: ClassSpace,
        networks: Networks = NO_NETWORKS,
    ) -> Self:
        """Return the statistics of one frame from two images: uint8 [H, W, 3].

        Args:
            label: the true frame.
            prediction: the coloured frame.
            space: the classes, which do not matter here.
            networks: for the features; without its network, a field is NaN or empty.
        """
        pair = np.stack([label, prediction])
        features, logits = np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)
        if networks.inception is not None:
            features, logits = networks.inception(pair)
        lpips = np.full(1, np.nan)
        if networks.distance is not None:
            lpips = networks.distance(pair[1:], pair[:1])
        return cls(
            space,
            squared_error=np.array([_squared_error(label, prediction)]),
            values=np.array([label.size]),
            ssim=np.array([_ssim(label, prediction)]),
            lpips=lpips,
            true_features=features[:1],
            features=features[1:],
            logits=logits[1:],
        )

    @classmethod
    def frame_value(cls, label: np.ndarray, prediction: np.ndarray, space: ClassSpace) -> float:
        """Return the PSNR of one frame, in dB, and compute nothing else."""
        return float(psnr(_squared_error(label, prediction), label.size))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the statistics of the frames of one or more parts.

        Raises:
            InputError: the parts differ in classes or networks.
        """
        if len({(part.features.shape[1], part.logits.shape[1]) for part in parts}) > 1:
            raise InputError(
                "scores of colorization made with and without Inception cannot be pooled; score "
                "all videos of the data set with the same --networks"
            )
        return super().joined(parts)

    def metrics(self) -> dict[str, float]:
        """Return PSNR, SSIM, LPIPS, FID and inception score, as in the module's docstring.

        ``psnr_pooled`` and ``psnr_frames`` in dB, ``ssim_frames``, ``lpips_frames``,
        ``fid_pooled``, ``inception_score_pooled`` and ``inception_score_std_pooled``, its standard
        deviation over 10 splits of the frames; and ``frames_undefined``, the number of frames
        without any error, which ``psnr_frames`` leaves out.
        """
        mean, deviation = inception_score(self.logits)
        return {
            "psnr_pooled": float(psnr(self.squared_error.sum(), self.values.sum())),
            "psnr_frames": defined_mean(self.frame_values()),
            "ssim_frames": float(self.ssim.mean()),
            "lpips_frames": float(self.lpips.mean()),
            "fid_pooled": frechet_distance(self.true_features, self.features),
            "inception_score_pooled": mean,
            "inception_score_std_pooled": deviation,
            "frames_undefined": float(np.isnan(self.frame_values()).sum()),
        }

    def frame_values(self) -> np.ndarray:
        """Return the PSNR of each frame alone: float64 [N], in dB; NaN without any error."""
        return psnr(self.squared_error, self.values)

    def caveats(self) -> list[str]:
        """Return warnings about FID and inception score of too few frames."""
        number = len(self.features)
        if not self.features.size or number >= ENOUGH:
            return []
        if number < 2:
            return ["FID of one frame is not defined, and its inception score is 1"]
        lines = [
            f"FID of {number} frames: it needs {ENOUGH} or more, and is far too large of fewer; "
            "compare it only with that of the same number of frames"
        ]
        if number < SPLITS:
            lines.append(
                f"inception score of {number} frames: it has {number} splits of one frame instead "
                f"of {SPLITS}, and is 1 whatever they show"
            )
        return lines


def psnr(squared_error: np.ndarray | int, values: np.ndarray | int) -> np.ndarray:
    """Return the peak signal-to-noise ratio of 8-bit images: float64 [...], in dB.

    Args:
        squared_error: int [...], summed over values.
        values: int [...], number of values.

    Returns:
        10 log10(255^2 / mean squared error); NaN without any error.
    """
    error = np.asarray(squared_error, np.float64) / values
    ratio = np.divide(WHITE**2, error, out=np.full(error.shape, np.nan), where=error > 0)
    result: np.ndarray = 10 * np.log10(ratio)
    return result


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """Return the Fréchet distance of two Gaussians with the moments of two sets of features.

    The distance is |m - n|^2 + tr(S + T - 2 (S T)^(1/2)) for means m, n and covariances S, T
    (Heusel et al., 2017, eq. 6; Dowson and Landau, 1982). With S = A'A and T = B'B, the trace of
    (S T)^(1/2) is the sum of the singular values of A B'. The usual eigenvalues of S T take a
    hundred times as long for few frames, and roots of eigenvalues near 0 magnify rounding errors.

    Args:
        features: float [N, F].
        others: float [M, F].

    Returns:
        The distance; NaN for fewer than two frames, or without features.
    """
    if min(len(features), len(others)) < 2 or not features.shape[1]:
        return float("nan")
    sets = [each.astype(np.float64) for each in (features, others)]
    m, n = (each.mean(axis=0) for each in sets)
    roots: list[np.ndarray] = [
        np.asarray(np.linalg.qr((each - each.mean(axis=0)) / np.sqrt(len(each) - 1), mode="r"))
        for each in sets
    ]
    variances = float(sum(np.square(root).sum() for root in roots))
    common = np.linalg.svd(np.asarray(roots[0] @ roots[1].T), compute_uv=False).sum()
    return float(max(0.0, np.square(m - n).sum() + variances - 2 * common))


def inception_score(logits: np.ndarray) -> tuple[float, float]:
    """Return the inception score of images, by torch-fidelity: exp E KL(p(y|x) || p(y)).

    The images are shuffled, always in the same way, and split into ten sets of equal size, or into
    sets of one image if there are fewer than ten.

    Args:
        logits: float [N, C].

    Returns:
        Mean and standard deviation over the splits; NaN without logits.
    """
    if not logits.size:
        return float("nan"), float("nan")
    import torch
    from torch_fidelity.metric_isc import (
        KEY_METRIC_ISC_MEAN,
        KEY_METRIC_ISC_STD,
        isc_features_to_metric,
    )

    from videottt.core.randomness import seed_of

    seed = seed_of("inception_score") % 2**32
    splits = min(SPLITS, len(logits))
    found = isc_features_to_metric(torch.from_numpy(logits), splits, shuffle=True, rng_seed=seed)
    return found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD]


def _squared_error(image: np.ndarray, other: np.ndarray) -> int:
    return int(np.square(image.astype(np.int64) - other).sum())


def _ssim(image: np.ndarray, other: np.ndarray) -> float:
    """Return the SSIM of two images uint8 [H, W, 3]; NaN if the window does not fit."""
    if min(image.shape[:2]) < WINDOW:
        return float("nan")
    from skimage.metrics import structural_similarity

    found = structural_similarity(  # type: ignore[no-untyped-call]
        image,
        other,
        channel_axis=-1,
        data_range=WHITE,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(found)
