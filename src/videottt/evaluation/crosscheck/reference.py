"""Run detectron2's own evaluators on labels and predictions.

The evaluators are used through their public interface: a registered data set with labels in COCO's
files, and outputs in the form of detectron2's models. Their percentages become fractions, their
names ours.
"""

import contextlib
import importlib
import io
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace, Instances, Panoptic

REPOSITORY = "https://github.com/facebookresearch/detectron2"
# Of 6 June 2026; keep envs/detectron2.post-deploy.sh in step.
COMMIT = "02b5c4e295e990042a714712c21dc79b731e8833"
# Imports of its evaluators that this package does not need itself.
REQUIREMENTS = ("fvcore", "'iopath<0.1.10'", "omegaconf", "yacs", "termcolor", "cloudpickle")
DATASET = "videottt_crosscheck"  # as registered while an evaluator runs

# Our ids -> detectron2's names.
INSTANCE = {
    "ap_pooled": "AP",
    "ap50_pooled": "AP50",
    "ap75_pooled": "AP75",
    "ap_small_pooled": "APs",
    "ap_medium_pooled": "APm",
    "ap_large_pooled": "APl",
}
PANOPTIC = {
    f"{quality}{ours}_pooled": f"{quality.upper()}{theirs}"
    for ours, theirs in (("", ""), ("_things", "_th"), ("_stuff", "_st"))
    for quality in ("pq", "sq", "rq")
}


@dataclass(frozen=True)
class Frame:
    """One scored frame, read when it is needed, so that no whole video is in memory.

    Attributes:
        label: returns the label.
        prediction: returns the prediction, in the same form.
    """

    label: Callable[[], Any]
    prediction: Callable[[], Any]


def check_available() -> None:
    """Check that detectron2 can be imported.

    Raises:
        InputError: it cannot be imported; the message says how to install it.
    """
    try:
        importlib.import_module("detectron2.evaluation")
    except ImportError as error:
        raise InputError(
            f"detectron2 cannot be imported ({error}). It is not on the package index, and its "
            "evaluators run from source: git clone "
            f"{REPOSITORY} && git -C detectron2 checkout {COMMIT[:12]} && "
            f"pip install {' '.join(REQUIREMENTS)}, then set PYTHONPATH=detectron2; or run the "
            "rule crosscheck with snakemake --sdm conda, which does that in an environment of its "
            "own"
        ) from None


def reference(task: str, frames: Sequence[Frame], space: ClassSpace) -> dict[str, float | None]:
    """Return detectron2's metrics of a task, pooled over frames.

    Args:
        task: semantic, instance or panoptic.
        frames: the labelled frames.
        space: the classes.

    Returns:
        Our metric id -> fraction in 0..1; NaN where detectron2 calls it undefined, None where its
        evaluator fails.

    Raises:
        InputError: the task is unknown.
    """
    if task not in EVALUATIONS:
        raise InputError(f"crosscheck: no task '{task}'; {nearest(task, EVALUATIONS)}")
    with _quiet(), tempfile.TemporaryDirectory(prefix="videottt_crosscheck") as folder:
        return EVALUATIONS[task](frames, space, Path(folder))


def _semantic(frames: Sequence[Frame], space: ClassSpace, folder: Path) -> dict[str, float | None]:
    import torch
    from detectron2.evaluation import SemSegEvaluator

    # The evaluator reads labels by file name. The number of a frame serves as one, without a copy.
    records = [{"file_name": str(n), "sem_seg_file_name": str(n)} for n in range(len(frames))]
    with _registered(records, stuff_classes=list(space.classes), ignore_label=VOID):
        evaluator = SemSegEvaluator(
            DATASET,
            distributed=False,
            sem_seg_loading_fn=lambda name, dtype: frames[int(name)].label().astype(dtype),
        )
        evaluator.reset()
        every = np.arange(len(space.classes))[:, None, None]
        for record, frame in zip(records, frames, strict=True):
            one_hot = torch.from_numpy(np.equal(frame.prediction(), every).astype(np.uint8))
            evaluator.process([record], [{"sem_seg": one_hot}])
        found = evaluator.evaluate()["sem_seg"]
    names = {"miou_pooled": "mIoU"} | {f"iou:{name}": f"IoU-{name}" for name in space.classes}
    return _fractions(found, names)


def _instance(frames: Sequence[Frame], space: ClassSpace, folder: Path) -> dict[str, float | None]:
    from detectron2.evaluation import COCOEvaluator

    things = np.flatnonzero(space.is_thing)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames):
        label = frame.label()
        images.append(_image(number, label.size))
        annotations += _objects(label, number, first=len(annotations) + 1)
    path = _write_labels(folder / "instances.json", images, annotations, space, things)
    metadata = {
        "json_file": str(path),
        "thing_classes": [space.classes[index] for index in things],
        "thing_dataset_id_to_contiguous_id": {int(c) + 1: n for n, c in enumerate(things)},
    }
    with _registered(images, **metadata):
        evaluator = COCOEvaluator(
            DATASET,
            tasks=("segm",),
            distributed=False,
            # The fast one needs a compiler, and detectron2 calls it unofficial.
            use_fast_impl=False,
        )
        evaluator.reset()
        for image, frame in zip(images, frames, strict=True):
            evaluator.process(
                [{"image_id": image["id"]}], [{"instances": _outputs(frame.prediction(), things)}]
            )
        found = evaluator.evaluate()["segm"]
    classes = {f"ap:{space.classes[index]}": f"AP-{space.classes[index]}" for index in things}
    # With a single class, detectron2 gives no AP by class.
    return _fractions(found, INSTANCE | (classes if len(things) > 1 else {}))


def _panoptic(frames: Sequence[Frame], space: ClassSpace, folder: Path) -> dict[str, float | None]:
    import torch
    from detectron2.evaluation import COCOPanopticEvaluator
    from panopticapi.utils import id2rgb

    path = folder / "panoptic.json"
    kinds = {
        f"{kind}_dataset_id_to_contiguous_id": {int(c) + 1: int(c) for c in np.flatnonzero(chosen)}
        for kind, chosen in (("thing", space.is_thing), ("stuff", ~space.is_thing))
    }
    with _registered([], panoptic_json=str(path), panoptic_root=str(folder), **kinds):
        evaluator = COCOPanopticEvaluator(DATASET)
        evaluator.reset()
        images, annotations = [], []
        for number, frame in enumerate(frames):
            label, prediction = frame.label(), frame.prediction()
            images.append(image := _image(number, label.ids.shape))
            Image.fromarray(id2rgb(label.ids.astype(np.int32))).save(folder / image["file_name"])
            annotations.append(
                {
                    "image_id": number,
                    "file_name": image["file_name"],
                    "segments_info": _label_segments(label),
                }
            )
            segments = _predicted_segments(prediction, space)
            ids = torch.from_numpy(prediction.ids.astype(np.int32))
            inputs = {"image_id": number, "file_name": image["file_name"]}
            evaluator.process([inputs], [{"panoptic_seg": (ids, segments)}])
        _write_labels(path, images, annotations, space, range(len(space.classes)))
        try:
            found = evaluator.evaluate()["panoptic_seg"]
        except ZeroDivisionError:
            # It divides by the number of thing (stuff) classes that occur, even by 0.
            return dict.fromkeys(PANOPTIC)
    return _fractions(found, PANOPTIC)


EVALUATIONS = {"semantic": _semantic, "instance": _instance, "panoptic": _panoptic}


def _fractions(found: dict[str, float], names: dict[str, str]) -> dict[str, float | None]:
    # Without any prediction, COCOEvaluator lists no classes.
    return {ours: float(found.get(theirs, np.nan)) / 100 for ours, theirs in names.items()}


def _image(number: int, size: tuple[int, ...]) -> dict[str, Any]:
    height, width = size
    return {"id": number, "height": height, "width": width, "file_name": f"{number:06d}.png"}


def _write_labels(
    path: Path,
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    space: ClassSpace,
    indices: Sequence[int] | np.ndarray,
) -> Path:
    """Write labels in COCO's form; category ids are class indices + 1, because 0 is void."""
    categories = [
        {"id": int(c) + 1, "name": space.classes[c], "isthing": int(space.is_thing[c])}
        for c in indices
    ]
    content = {"images": images, "annotations": annotations, "categories": categories, "info": {}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _objects(label: Instances, image: int, first: int) -> list[dict[str, Any]]:
    """Return objects as COCO annotations, with ids from `first`, because 0 means no match."""
    masks = label.run_lengths
    return [
        {
            "id": first + row,
            "image_id": image,
            "category_id": int(label.classes[row]) + 1,
            "iscrowd": int(label.crowd[row]),
            "segmentation": {**mask, "counts": mask["counts"].decode()},
            "area": float(coco_mask.area(mask)),
            "bbox": coco_mask.toBbox(mask).tolist(),
        }
        for row, mask in enumerate(masks)
    ]


def _outputs(prediction: Instances, things: np.ndarray) -> Any:
    """Return instances in the form of detectron2's models, whose classes number things only."""
    import torch
    from detectron2.structures import BitMasks
    from detectron2.structures import Instances as Outputs

    masks = torch.from_numpy(prediction.pixels())
    return Outputs(
        prediction.size,
        pred_masks=masks,
        pred_boxes=BitMasks(masks).get_bounding_boxes(),
        scores=torch.from_numpy(prediction.scores),
        pred_classes=torch.from_numpy(np.searchsorted(things, prediction.classes)),
    )


def _label_segments(label: Panoptic) -> list[dict[str, Any]]:
    areas = _areas(label)
    return [
        {
            "id": row + 1,
            "category_id": int(label.classes[row]) + 1,
            "iscrowd": int(label.crowd[row]),
            "area": int(areas[row]),
        }
        for row in np.flatnonzero(areas).tolist()
    ]


def _predicted_segments(prediction: Panoptic, space: ClassSpace) -> list[dict[str, Any]]:
    """Return the segments that have a pixel in the form of detectron2's models."""
    classes = prediction.classes.tolist()
    return [
        {
            "id": row + 1,
            "category_id": classes[row],
            "isthing": bool(space.is_thing[classes[row]]),
        }
        for row in np.flatnonzero(_areas(prediction)).tolist()
    ]


def _areas(segments: Panoptic) -> np.ndarray:
    """Return the pixels of each segment: int64 [S]."""
    return np.bincount(segments.ids.ravel(), minlength=len(segments.classes) + 1)[1:]


@contextlib.contextmanager
def _registered(records: list[dict[str, Any]], **metadata: Any) -> Iterator[None]:
    from detectron2.data import DatasetCatalog, MetadataCatalog

    DatasetCatalog.register(DATASET, lambda: records)
    try:
        MetadataCatalog.get(DATASET).set(**metadata)
        yield
    finally:
        DatasetCatalog.remove(DATASET)
        MetadataCatalog.remove(DATASET)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the evaluators, which print and log every result."""
    logger = logging.getLogger("detectron2")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(invalid="ignore"):
            yield
    finally:
        logger.setLevel(before)
