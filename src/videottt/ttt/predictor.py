"""From a frame to its prediction with the weights as they are: what only reads the model."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.randomness import generator
from videottt.core.segments import Prediction
from videottt.data.transforms.resize import input_size, resize_image
from videottt.models.inputs import Placement, denormalise, normalise, pad_to_stride
from videottt.models.masking import random_visible
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.tasks.task import Task
from videottt.ttt.ensembling import TemporalSmoothing, majority_vote
from videottt.ttt.method import Method


class Predictor:
    """Predicts frames of one video; keeps the scores that temporal smoothing averages.

    Args:
        model: read, never changed.
        task: decodes what the head says.
        method: its input size, smoothing and votes.
        key: (seed, dataset, video), what random draws are keyed by.

    Raises:
        InputError: the method averages predictions that the task cannot average.
    """

    def __init__(
        self, model: YShapedModel, task: Task, method: Method, key: tuple[int, str, str]
    ) -> None:
        if (method.smoothing > 1 or method.votes > 1) and not hasattr(task, "decode_scores"):
            raise InputError(
                "method: smoothing and votes average scores of pixels, which this task does not "
                "have; use them with the task 'semantic'"
            )
        self._model = model
        self._task = task
        self._method = method
        self._key = key
        self._device = next(model.parameters()).device
        self._smoothing = TemporalSmoothing(method.smoothing)

    def state(self) -> list[Tensor]:
        """Return the scores that smoothing remembers, the oldest first."""
        return self._smoothing.state()

    def restore(self, state: list[Tensor]) -> None:
        """Go on from saved scores."""
        self._smoothing.restore([scores.to(self._device) for scores in state])

    def observed(self, frame: np.ndarray) -> np.ndarray:
        """Return what is observed of a frame, both uint8 [H, W, 3].

        Nothing else of a frame ever reaches the model.
        """
        return self._task.observed(torch.from_numpy(frame[None]))[0].numpy()

    def resized(self, observed: np.ndarray) -> np.ndarray:
        """Return what is observed of a frame at the model's input size, not padded."""
        method = self._method
        size = input_size(observed.shape[:2], method.shortest_edge, method.longest_edge)
        return resize_image(observed, size)

    def tensor(self, image: np.ndarray) -> Tensor:
        """Return a resized frame as the model takes it: float [1, 3, H, W], normalised, padded."""
        return pad_to_stride(normalise(torch.from_numpy(image[None]).to(self._device)))

    @torch.inference_mode()
    def predict(self, frame: np.ndarray, image: np.ndarray, index: int) -> Prediction:
        """Return the prediction of frame number `index`, as the task decodes it.

        Args:
            frame: uint8 [H, W, 3].
            image: what is observed of it, resized.
            index: of the frame in its video.
        """
        method, task, size = self._method, self._task, frame.shape[:2]
        images = self.tensor(image)
        place = Placement(tuple(images.shape[-2:]), image.shape[:2], size)
        outputs = self._model.predict(images)
        if method.votes == 1 and method.smoothing == 1:
            return task.decode(outputs, place, frame)
        scores = task.scores(outputs, place)
        if method.votes > 1:
            scores = majority_vote(
                frame,
                task.decode_scores(scores),
                self._predict_copies,
                self._model.classes,
                method.augmentation,
                method.votes,
                (*self._key, index),
            )
        return task.decode_scores(self._smoothing(scores))

    @torch.inference_mode()
    def reconstruct(
        self, image: np.ndarray, index: int, mask_ratio: float, masked_with: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mask a resized frame and reconstruct it; for looking, not learning.

        Returns:
            visible: bool [h, w], and the reconstructed pixels, uint8 [h, w, 3].
        """
        images = self.tensor(image)
        draws = generator(*self._key, index, "look")
        patch = self._model.preset.mask_patch
        visible = random_visible(1, tuple(images.shape[-2:]), patch, mask_ratio, draws)
        pixels = self._model.reconstruct(images, visible.to(self._device), masked_with)
        height, width = image.shape[:2]
        shown = visible[0, 0, :height, :width].bool().numpy()
        return shown, denormalise(pixels)[0, :height, :width].cpu().numpy()

    def _predict_copies(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """Return predictions of images uint8 [B, h, w, 3], h and w multiples of 32."""
        place = Placement(*[images.shape[1:3]] * 3)
        outputs = self._model.predict(normalise(torch.from_numpy(images).to(self._device)))
        classes, masks = outputs.class_logits[-1], outputs.mask_logits[-1]
        return [
            self._task.decode(
                QueryOutputs((classes[i : i + 1],), (masks[i : i + 1],)), place, image
            )
            for i, image in enumerate(images)
        ]
