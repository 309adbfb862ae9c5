"""Instance segmentation: a mask, a class and a score for each object."""

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
from videottt.tasks.decoding import Decoding
from videottt.tasks.panoptic import segment_targets
from videottt.tasks.segmentation import Segmentation
from videottt.tasks.task import LabelMaps, check_classes


class InstanceSegmentation(Segmentation):
    """Mask2Former's instance segmentation.

    The model names things only, or it is one of the task panoptic, whose stuff is left out.
    """

    kind: ClassVar[str] = "instances"

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None:
        allowed = [self.model_classes(space), space.classes]
        named = check_classes(classes, allowed, "instance")
        self._is_thing = space.is_thing
        # The model's class -> class of the data set.
        self._classes = np.array([space.classes.index(name) for name in named])
        self._decoding = decoding

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the thing classes.

        Raises:
            InputError: there are none.
        """
        if not space.things:
            raise InputError(
                "task 'instance': the data set has no class whose objects are told apart; name "
                "them in its 'things' in config.yaml"
            )
        return tuple(name for name in space.classes if name in space.things)

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each object in each image; none for stuff and crowds."""
        device = labels.semantic.device
        is_thing = torch.from_numpy(self._is_thing).to(device)
        # Class of the data set -> the model's; -1 for those that it does not name.
        own = torch.full(is_thing.shape, -1, device=device)
        own[torch.from_numpy(self._classes).to(device)] = torch.arange(
            len(self._classes), device=device
        )
        masks, classes = [], []
        for semantic, instance in zip(labels.semantic, labels.instance, strict=True):
            found, named = segment_targets(semantic, instance, is_thing)
            things = is_thing[named]
            masks.append(found[things])
            classes.append(own[named[things]])
        return masks, classes

    def decode(self, outputs: QueryOutputs, place: Placement, _: np.ndarray) -> Instances:
        """Return instances as the authors' instance_inference does.

        The k best pairs of query and class, things only; the score of each is its class probability
        times the mean probability of its mask (logit above 0). Without empty masks, which cannot
        match anything.
        """
        probabilities = outputs.class_logits[-1][0].float().softmax(dim=-1)[:, :-1]
        number = min(self._decoding.top_k, probabilities.numel())
        scores, pairs = probabilities.flatten().topk(number, sorted=True)
        queries, named = pairs // probabilities.shape[1], (pairs % probabilities.shape[1]).cpu()
        classes = self._classes[named.numpy()]
        things = torch.from_numpy(self._is_thing[classes])
        scores, queries = scores[things.to(scores.device)], queries[things.to(queries.device)]
        # Many pairs share a query: each of them is enlarged and averaged once.
        distinct, mask = queries.unique(return_inverse=True)  # type: ignore[no-untyped-call]
        logits = query_masks(outputs, distinct, place)
        masks = logits > 0
        area = masks.flatten(1).sum(dim=1)
        quality = (logits.sigmoid() * masks).flatten(1).sum(dim=1) / (area + 1e-6)
        found = instances_from(masks.cpu().numpy(), np.zeros(len(distinct)))
        seen = (area > 0).cpu().numpy()[mask.cpu().numpy()]
        rows = mask.cpu().numpy()[seen]
        return Instances(
            size=place.size,
            classes=classes[things.numpy()][seen].astype(np.uint8),
            scores=(scores * quality[mask]).cpu().numpy()[seen].astype(np.float32),
            masks=tuple(found.masks[row] for row in rows),
            crowd=np.zeros(len(rows), bool),
        )

    def count_classes(self, prediction: Instances) -> int:
        """Return how many classes the more likely objects of a frame have."""
        return int(np.unique(prediction.classes[prediction.scores >= 0.5]).size)
