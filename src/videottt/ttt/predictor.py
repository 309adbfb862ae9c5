"""Predict and reconstruct frames with the current weights, without changing the model."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.core.segments import Prediction
from videottt.data.transforms.resize import frame_size
from videottt.models.inputs import Placement, denormalise, image_size, to_input
from videottt.models.masking import random_visible
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.settings.method import Method
from videottt.tasks.task import PixelTask, Task
from videottt.ttt.ensembling import TemporalSmoothing, majority_vote
from videottt.ttt.observation import Observation


class Predictor:
    """Predict the frames of one video, with temporal smoothing and majority vote if asked for.

    Args:
        model: only read, never changed.
        task: decodes the outputs of the head h.
        method: sets the smoothing, the votes and the augmentation of the copies that vote.
        key: identity of the job, the key of random draws.

    Raises:
        InputError: the method smooths or votes, but the task has no scores for every pixel.
    """

    def __init__(self, model: YShapedModel, task: Task, method: Method, key: JobKey) -> None:
        self._model = model
        self._task = task
        self._averaged: PixelTask | None = None
        if method.smoothing > 1 or method.votes > 1:
            if not isinstance(task, PixelTask):
                raise InputError(
                    "method: smoothing and votes average the scores of pixels, which this task "
                    "does not have; use them with the task 'semantic'"
                )
            self._averaged = task
        self._method = method
        self._draws = key.draws
        self._device = next(model.parameters()).device
        self._smoothing = TemporalSmoothing(method.smoothing)

    def state(self) -> list[Tensor]:
        """Return the scores in the window of temporal smoothing, the oldest first."""
        return self._smoothing.state()

    def restore(self, state: list[Tensor]) -> None:
        """Restore the scores in the window of temporal smoothing."""
        self._smoothing.restore([scores.to(self._device) for scores in state])

    @torch.inference_mode()
    def predict_frame(self, observation: Observation) -> Prediction:
        """Return the prediction of a frame at the frame's size, as decoded by the task."""
        method, frame, task = self._method, observation.frame, self._averaged
        place = Placement(
            image_size(observation.images), frame_size(observation.image), frame_size(frame)
        )
        outputs = self._model.predict_final(observation.images)
        if task is None:
            return self._task.decode(outputs, place, frame)
        assert isinstance(outputs, QueryOutputs)
        scores = task.scores(outputs, place)
        if method.votes > 1:
            assert method.augmentation is not None
            scores = majority_vote(
                frame,
                task.decode_scores(scores),
                self._predict_copies,
                self._model.classes,
                method.augmentation,
                method.votes,
                (*self._draws, observation.index),
            )
        return task.decode_scores(self._smoothing(scores))

    @torch.inference_mode()
    def reconstruct(
        self, observation: Observation, mask_ratio: float, masked_with: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mask a frame and reconstruct it, for figures; nothing is learned.

        Args:
            observation: the frame.
            mask_ratio: fraction of patches that are masked, 0..1.
            masked_with: colour of masked pixels, "mean" or "black".

        Returns:
            the visible pixels, bool [h, w], and the reconstruction, RGB uint8 [h, w, 3].
        """
        images = observation.images
        draws = generator(*self._draws, observation.index, "look")
        patch = self._model.preset.mask_patch
        visible = random_visible(1, image_size(images), patch, mask_ratio, draws)
        pixels = self._model.reconstruct(images, visible.to(self._device), masked_with)
        height, width = observation.image.shape[:2]
        shown = visible[0, 0, :height, :width].bool().numpy()
        return shown, denormalise(pixels)[0, :height, :width].cpu().numpy()

    def _predict_copies(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """Return the predictions of images, uint8 [B, h, w, 3], h and w multiples of 32."""
        size = frame_size(images[0])
        place = Placement(size, size, size)
        outputs = self._model.predict_final(to_input(torch.from_numpy(images), self._device))
        assert isinstance(outputs, QueryOutputs)
        classes, masks = outputs.class_logits[-1], outputs.mask_logits[-1]
        predictions = []
        for i, image in enumerate(images):
            one = QueryOutputs((classes[i : i + 1],), (masks[i : i + 1],))
            prediction = self._task.decode(one, place, image)
            assert isinstance(prediction, np.ndarray)
            predictions.append(prediction)
        return predictions
