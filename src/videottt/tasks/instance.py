"""Instance segmentation: predict a mask, a class and a score for each object."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace, Instances, instances_from
from videottt.models.class_scores import query_masks
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs
from videottt.settings.decoding import Decoding
from videottt.tasks.panoptic import segment_targets
from videottt.tasks.segmentation import Segmentation
from videottt.tasks.task import LabelMaps, check_classes


class InstanceSegmentation(Segmentation):
    """Mask2Former's instance segmentation.

    The model predicts thing classes only, or is a panoptic model, whose stuff is left out.
    """

    kind: ClassVar[str] = "instances"

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None:
        allowed = [self.model_classes(space), space.classes]
        named = check_classes(classes, allowed, "instance")
        self._is_thing = space.is_thing
        # Class index of the model -> class index of the data set.
        self._classes = np.array([space.classes.index(name) for name in named])
        self._decoding = decoding

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the names of the thing classes.

        Raises:
            InputError: the data set has none.
        """
        if not space.things:
            raise InputError(
                "task 'instance': the data set has no class with instances; list its thing classes "
                "under 'things' in config.yaml"
            )
        return tuple(name for name in space.classes if name in space.things)

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each object in each image; stuff and crowds have none."""
        device = labels.semantic.device
        is_thing = torch.from_numpy(self._is_thing).to(device)
        # Class index of the data set -> class index of the model, -1 where the model has none.
        model_class = torch.full(is_thing.shape, -1, device=device)
        model_class[torch.from_numpy(self._classes).to(device)] = torch.arange(
            len(self._classes), device=device
        )
        masks, classes = [], []
        for semantic, instance in zip(labels.semantic, labels.instance, strict=True):
            segments, named = segment_targets(semantic, instance, is_thing)
            things = is_thing[named]
            masks.append(segments[things])
            classes.append(model_class[named[things]])
        return masks, classes

    def decode(self, outputs: QueryOutputs, place: Placement, _: np.ndarray) -> Instances:
        """Return the instances of a frame as the authors' instance_inference does.

        The instances are the `top_k` pairs of query and class with the highest class probability,
        less those of stuff classes and those with an empty mask, which cannot match any object. A
        score is the class probability times the mean mask probability over the mask (logit > 0).
        """
        probabilities = outputs.class_logits[-1][0].float().softmax(dim=-1)[:, :-1]
        number = min(self._decoding.top_k, probabilities.numel())
        scores, pairs = probabilities.flatten().topk(number, sorted=True)
        queries, named = pairs // probabilities.shape[1], (pairs % probabilities.shape[1]).cpu()
        classes = self._classes[named.numpy()]
        things = torch.from_numpy(self._is_thing[classes])
        scores, queries = scores[things.to(scores.device)], queries[things.to(queries.device)]
        # Many pairs share a query: enlarge and average the mask of each query once.
        distinct, mask = queries.unique(return_inverse=True)  # type: ignore[no-untyped-call]
        logits = query_masks(outputs, distinct, place)
        masks = logits > 0
        area = masks.flatten(1).sum(dim=1)
        quality = (logits.sigmoid() * masks).flatten(1).sum(dim=1) / (area + 1e-6)
        encoded = instances_from(masks.cpu().numpy(), np.zeros(len(distinct)))
        nonempty = (area > 0).cpu().numpy()[mask.cpu().numpy()]
        rows = mask.cpu().numpy()[nonempty]
        return Instances(
            size=place.size,
            classes=classes[things.numpy()][nonempty].astype(np.uint8),
            scores=(scores * quality[mask]).cpu().numpy()[nonempty].astype(np.float32),
            masks=tuple(encoded.masks[row] for row in rows),
            crowd=np.zeros(len(rows), bool),
        )

    def count_classes(self, prediction: Instances) -> int:
        """Return the number of different classes among objects with a score of at least 0.5."""
        return int(np.unique(prediction.classes[prediction.scores >= 0.5]).size)
