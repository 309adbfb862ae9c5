"""How many frames a second are scored, beside the reference libraries called as their pages say.

    python benchmarks/scoring.py [--frames 24] [--size 375 1242] [--rounds 3]

Scores rendered frames and made-up predictions, with every metric over all frames and of each frame
alone: mean IoU beside torchmetrics, AP beside pycocotools, PQ beside panopticapi, PSNR and SSIM
beside scikit-image; and beside detectron2's evaluators (all frames only), where these can be
imported. Says how far the numbers are apart; the exit status is 1 if that is more than 1e-6.
"""

import argparse
import contextlib
import importlib.util
import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from loading import made_up
from measuring import alternated, print_result
from videottt.core.segments import (
    ClassSpace,
    Instances,
    Panoptic,
    Prediction,
    instances_from,
    instances_of,
    panoptic_from,
)
from videottt.evaluation.crosscheck.reference import Frame, reference
from videottt.evaluation.metrics import statistics_of

Pairs = Sequence[tuple[Any, Any]]
Metrics = dict[str, float]

SPACE = ClassSpace(tuple(str(index) for index in range(19)), ("11", "13"))
DETECTIONS = 100  # in a frame, as many as Mask2Former gives
SHIFT = 5  # of predictions against labels, in pixels
TOLERANCE = 1e-6  # torchmetrics has floats of 32 bits


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", nargs=2, type=int, default=(375, 1242))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result = {
        task: compared(task, pairs, options.rounds)
        for task, pairs in pairs_of(tuple(options.size), options.frames).items()
    }
    print_result({"benchmark": "scoring", "frames": options.frames, "tasks": result})
    apart = max(each["largest_difference"] for each in result.values())
    sys.exit(1 if apart > TOLERANCE else 0)


def compared(task: str, pairs: Pairs, rounds: int) -> dict[str, Any]:
    """Return and print how ours and each reference score the pairs of a task."""
    ways = {"ours": lambda: ours(task, pairs)}
    name, called = REFERENCES[task]
    ways[name] = lambda: called(pairs)
    if importlib.util.find_spec("detectron2") and task != "colorization":
        ways["detectron2"] = lambda: detectron2(task, pairs)
    found = {way: score() for way, score in ways.items()}
    seconds = alternated(ways, rounds)
    own = found.pop("ours")
    difference = max(
        abs(own[metric] - value)
        for values in found.values()
        for metric, value in values.items()
        if not np.isnan(value)
    )
    rates = {way: len(pairs) / each for way, each in seconds.items()}
    ratios = {way: rates["ours"] / rates[way] for way in found}
    print(f"{task}: " + ", ".join(f"{way} {rate:.1f} frames/s" for way, rate in rates.items()))
    for way, ratio in ratios.items():
        count = len(found[way])
        print(
            f"  {ratio:.2f} times as fast as {way}; {count} numbers, at most {difference:.1g} apart"
        )
    return {"frames_per_second": rates, "ratio": ratios, "largest_difference": float(difference)}


def ours(task: str, pairs: Pairs) -> Metrics:
    """Return our metrics of pairs of label and prediction."""
    return statistics_of(task).of_frames(pairs, SPACE).metrics()


def torchmetrics_iou(pairs: Pairs) -> Metrics:
    """Return the mean IoU by torchmetrics, over the classes in the ground truth."""
    import torch
    from torchmetrics.classification import MulticlassJaccardIndex

    def mean_iou(chosen: Pairs) -> float:
        metric = MulticlassJaccardIndex(len(SPACE.classes), average="none", ignore_index=255)
        for label, prediction in chosen:
            metric.update(torch.from_numpy(prediction.copy()), torch.from_numpy(label.copy()))
        labelled = np.unique(np.concatenate([np.unique(label) for label, _ in chosen]))
        return float(metric.compute().numpy()[labelled[labelled < 255]].astype(np.float64).mean())

    each = [mean_iou([pair]) for pair in pairs]
    return {"miou_pooled": mean_iou(pairs), "miou_frames": float(np.mean(each))}


def pycocotools_ap(pairs: Pairs) -> Metrics:
    """Return AP by COCOeval, of all frames and of each."""
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    pooled = dict(zip((f"{name}_pooled" for name in names), coco_averages(pairs), strict=True))
    each = np.array([coco_averages([pair])[0] for pair in pairs])
    return pooled | {"ap_frames": float(np.nanmean(each))}


def coco_averages(pairs: Pairs) -> list[float]:
    """Return the six averages of COCOeval; NaN: not defined."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_labels([label for label, _ in pairs])
        found = truth.loadRes(coco_detections([prediction for _, prediction in pairs]))
        evaluation = COCOeval(truth, found, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) if value >= 0 else float("nan") for value in evaluation.stats[:6]]


def coco_labels(frames: Sequence[Instances]) -> Any:
    """Return labels as COCO's object."""
    from pycocotools import mask
    from pycocotools.coco import COCO

    annotations = [
        {
            "image_id": image, "category_id": int(name), "iscrowd": int(crowd),
            "segmentation": run_lengths, "area": float(mask.area(run_lengths)),
            "bbox": mask.toBbox(run_lengths).tolist(),
        }
        for image, each in enumerate(frames)
        for name, crowd, run_lengths in zip(
            each.classes, each.crowd, each.run_lengths, strict=True
        )
    ]  # fmt: skip
    made = COCO()
    made.dataset = {
        "info": {},
        "images": [
            {"id": i, "height": f.size[0], "width": f.size[1]} for i, f in enumerate(frames)
        ],
        "categories": [{"id": int(index)} for index in np.flatnonzero(SPACE.is_thing)],
        "annotations": [{**each, "id": i} for i, each in enumerate(annotations, start=1)],
    }
    made.createIndex()
    return made


def coco_detections(frames: Sequence[Instances]) -> list[dict[str, Any]]:
    """Return predictions in the form of COCO's files of results."""
    return [
        {
            "image_id": image, "category_id": int(name), "score": float(score),
            "segmentation": run_lengths,
        }
        for image, each in enumerate(frames)
        for name, score, run_lengths in zip(
            each.classes, each.scores, each.run_lengths, strict=True
        )
    ]  # fmt: skip


def panopticapi_pq(pairs: Pairs) -> Metrics:
    """Return PQ by panopticapi, from PNG files, of all frames and of each."""
    from panopticapi.evaluation import PQStat, pq_compute_single_core

    categories = {i: {"isthing": int(thing)} for i, thing in enumerate(SPACE.is_thing)}
    pooled, alone = PQStat(), []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for number, pair in enumerate(pairs):
            annotated = [
                annotation(each, Path(folder, f"{number}_{side}.png"))
                for side, each in enumerate(pair)
            ]
            found = pq_compute_single_core(0, [annotated], folder, folder, categories)
            alone.append(found.pq_average(categories, None)[0]["pq"])
            pooled += found
    averages = pooled.pq_average(categories, None)[0]
    values = {f"{name}_pooled": averages[name] for name in ("pq", "sq", "rq")}
    return values | {"pq_frames": float(np.mean(alone))}


def annotation(segments: Panoptic, path: Path) -> dict[str, Any]:
    """Write a map as COCO's PNG, and return its annotation."""
    from panopticapi.utils import id2rgb

    Image.fromarray(id2rgb(segments.ids.astype(np.uint32))).save(path)
    areas = np.bincount(segments.ids.ravel(), minlength=len(segments.classes) + 1)[1:]
    columns = zip(segments.classes, segments.crowd, areas.tolist(), strict=True)
    info = [
        {"id": number, "category_id": int(name), "iscrowd": int(crowd), "area": area}
        for number, (name, crowd, area) in enumerate(columns, start=1)
        if area
    ]
    return {"image_id": path.name, "file_name": path.name, "segments_info": info}


def scikit_image_colours(pairs: Pairs) -> Metrics:
    """Return PSNR and SSIM by scikit-image, averaged over frames."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    psnr = [peak_signal_noise_ratio(*pair) for pair in pairs]
    ssim = [structural_similarity(*pair, channel_axis=-1, **window) for pair in pairs]
    return {"psnr_frames": float(np.mean(psnr)), "ssim_frames": float(np.mean(ssim))}


def detectron2(task: str, pairs: Pairs) -> Metrics:
    """Return the metrics of detectron2's evaluator, over all frames."""
    frames = [Frame(lambda each=label: each, lambda each=found: each) for label, found in pairs]
    found = reference(task, frames, SPACE)
    return {name: value for name, value in found.items() if value is not None}


REFERENCES: dict[str, tuple[str, Callable[[Pairs], Metrics]]] = {
    "semantic": ("torchmetrics", torchmetrics_iou),
    "instance": ("pycocotools", pycocotools_ap),
    "panoptic": ("panopticapi", panopticapi_pq),
    "colorization": ("scikit-image", scikit_image_colours),
}


def pairs_of(size: tuple[int, int], count: int) -> dict[str, list[tuple[Prediction, Prediction]]]:
    """Return pairs of label and prediction of each task: rendered frames, moved to the right."""
    draws = np.random.default_rng(0)
    pairs: dict[str, list[tuple[Prediction, Prediction]]] = {task: [] for task in REFERENCES}
    for frame in made_up(size, count):
        moved = [np.roll(each, SHIFT, axis=1) for each in (frame.semantic, frame.instance)]
        label, found = (
            panoptic_from(*maps, SPACE) for maps in ((frame.semantic, frame.instance), moved)
        )
        objects = instances_of(label, SPACE)
        pairs["semantic"].append((frame.semantic, moved[0]))
        pairs["panoptic"].append((label, found))
        pairs["instance"].append((objects, detections(objects, draws)))
        pairs["colorization"].append((frame.image, np.roll(frame.image, 1, axis=1)))
    return pairs


def detections(labels: Instances, draws: np.random.Generator) -> Instances:
    """Return `DETECTIONS` objects: those of the labels, each several times, moved at random."""
    if not len(labels):
        return labels
    masks = labels.pixels()
    chosen = np.arange(DETECTIONS) % len(labels)
    first = np.arange(DETECTIONS) < len(labels)
    reach = np.where(first, 3, 30)
    moved = [
        np.roll(masks[index], int(draws.integers(-far, far + 1)), axis=1)
        for index, far in zip(chosen, reach, strict=True)
    ]
    scores = draws.uniform(size=DETECTIONS) / 2 + first / 2
    return instances_from(np.stack(moved), labels.classes[chosen], scores)


if __name__ == "__main__":
    main()
