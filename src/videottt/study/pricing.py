"""Price one job: hours of a GPU or a core, disk and network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videottt.core.ids import MethodId
from videottt.study.costs import (
    FETCH,
    CostInputs,
    Size,
    Speed,
    frames_of,
    pixels_of,
    place_of,
    size_of,
    speed_of,
)
from videottt.study.jobs import MODEL_RULES, Job

# Rows of the paper's table 1 whose difference is one update of the masked autoencoder.
FIXED, LEARNING = "main_task_only", "online_ttt_mae"
MEGAPIXEL = 1e6
BATCH = 32  # of a method that does not say
# What the rules of figures, theory and diagnosis let the model do.
TRACED_FRAMES, TRACED_STEPS = 3, 20
MASKS, POINT_DRAWS = 8, 4
DIAGNOSED_FRAMES, DIAGNOSED_MASKS, RANDOM_STEPS = 8, 4, 3


@dataclass(frozen=True)
class Cost:
    """What a job takes.

    Attributes:
        gpu_seconds: of one GPU.
        cpu_seconds: of one core, of jobs that need no GPU.
        results: bytes that it writes below results/.
        data: bytes that it puts below data_root.
        network: bytes that it fetches.
    """

    gpu_seconds: float = 0.0
    cpu_seconds: float = 0.0
    results: float = 0.0
    data: float = 0.0
    network: float = 0.0

    def slower(self, factor: float) -> "Cost":
        """Return the cost of the same in `factor` times the time."""
        seconds = {"gpu_seconds": self.gpu_seconds, "cpu_seconds": self.cpu_seconds}
        return replace(self, **{name: factor * value for name, value in seconds.items()})


def cost_of(job: Job, inputs: CostInputs) -> Cost:
    """Return what a job costs if it is run."""
    if job.rule == FETCH:
        return _fetching(job, inputs)
    rule = inputs.stated["rules"].get(job.rule, inputs.stated["rules"]["default"])
    if job.rule in MODEL_RULES:
        speed = speed_of(job.model, inputs)
        place, seconds = speed.place, _MODEL_SECONDS[job.rule](job, inputs, speed)
    else:
        place = place_of(rule, inputs)
        seconds = _sum(rule[place], job, inputs, labelled=rule.get("labelled", False))
    written = _sum(rule.get("bytes", {}), job, inputs)
    if job.rule == "train":
        written = _checkpoint_bytes(job, inputs)
    return Cost(**{f"{place}_seconds": seconds}, results=written * _rungs(job))


def seen_size(size: Size, settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return (H, W) of a frame as the model sees it: resized to its shortest and longest edge."""
    scale = min(settings["shortest_edge"] / min(size), settings["longest_edge"] / max(size))
    return size[0] * scale, size[1] * scale


def _frames(job: Job, inputs: CostInputs, labelled: bool = False) -> int:
    """Return the frames of the video of a job, or those of them with labels; 0 without a video."""
    if "video" not in job.wildcards:
        return 0
    dataset, video = job.wildcards["dataset"], job.wildcards["video"]
    with_labels = inputs.published.get(dataset, {}).get("labelled", {})
    # The truth of colours is the frame itself.
    if labelled and video in with_labels and job.wildcards.get("task") != "colorization":
        return int(with_labels[video])
    frames = frames_of(dataset, video, inputs)
    return int(inputs.stated["frames"]) if frames is None else frames


def _seen(job: Job, inputs: CostInputs) -> tuple[float, float]:
    """Return (H, W) of the frames of a job's video as the model sees them."""
    return seen_size(
        size_of(job.wildcards["dataset"], job.wildcards["video"], inputs), job.settings
    )


def _shown_pixels(job: Job, inputs: CostInputs) -> float:
    """Return the pixels of an image of an update: a view, a crop or the whole frame."""
    seen = _seen(job, inputs)
    views, crop = job.settings.get("views"), job.settings.get("crop")
    if views is not None:
        return pixels_of(views["crop"])
    return pixels_of(seen if crop is None else tuple(map(min, zip(crop, seen, strict=True))))


def _update_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    """Return the seconds of one update of a method."""
    times, method = inputs.times, MethodId.parse(job.wildcards["method"]).base
    # The table's offline row is without its training.
    own = method in times and not job.settings.get("ladder")
    row = method if own else inputs.stated["objectives"].get(job.settings["objective"], LEARNING)
    relative = (times[row] - times[FIXED]) / (times[LEARNING] - times[FIXED])
    images: int = job.settings.get("batch", BATCH)
    return relative * images * _shown_pixels(job, inputs) * speed.update


def _prediction_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    """Return the seconds of predicting one frame."""
    votes: int = job.settings.get("votes", 1)
    return votes * pixels_of(_seen(job, inputs)) * speed.prediction


def _stream_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    frames = _frames(job, inputs)
    ladder: list[int] = job.settings.get("ladder", [])
    update = _update_seconds(job, inputs, speed)
    prediction = _prediction_seconds(job, inputs, speed)
    if ladder:
        return ladder[-1] * update + len(ladder) * frames * prediction
    updates: float = job.settings.get("steps", 1) / job.settings.get("every", 1)
    return frames * (updates * update + prediction)


def _trace_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    """Return the seconds of steps on single frames; each is predicted and twice reconstructed."""
    frames = min(TRACED_FRAMES, _frames(job, inputs))
    looks = 3 * (TRACED_STEPS + 1) * _prediction_seconds(job, inputs, speed)
    return frames * (TRACED_STEPS * _update_seconds(job, inputs, speed) + looks)


def _theory_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    """Return the seconds of the gradients of both losses on every labelled frame."""
    gradients = (MASKS + POINT_DRAWS) * pixels_of(_seen(job, inputs)) * speed.update
    return _frames(job, inputs, labelled=True) * gradients


def _diagnosis_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    """Return the seconds of gradients, of one step, and of looks at what steps have done."""
    frames = min(DIAGNOSED_FRAMES, _frames(job, inputs, labelled=True))
    gradients = (DIAGNOSED_MASKS + POINT_DRAWS) * pixels_of(_seen(job, inputs)) * speed.update
    # At θ₀, along, against and at random: a prediction, and a reconstruction of every mask.
    looks = (3 + RANDOM_STEPS) * (1 + DIAGNOSED_MASKS) * _prediction_seconds(job, inputs, speed)
    return frames * (gradients + _update_seconds(job, inputs, speed) + looks)


def _training_seconds(job: Job, inputs: CostInputs, speed: Speed) -> float:
    training, crop = job.settings["training"], job.settings["augmentation"]["crop"]
    images: int = training["iterations"] * training["batch"]
    losses = 2 if training["reconstruction"] else 1
    return images * losses * pixels_of(crop) * speed.update


_MODEL_SECONDS = {
    "train": _training_seconds,
    "predict": _stream_seconds,
    "predict_trial": _stream_seconds,
    "trace": _trace_seconds,
    "theory": _theory_seconds,
    "diagnose": _diagnosis_seconds,
}


def _sum(
    entry: Mapping[str, Any], job: Job, inputs: CostInputs, *, labelled: bool = False
) -> float:
    """Return what an entry of costs.yaml adds up to for a job and the frames of its video."""
    amounts = {
        name: amount[job.wildcards["task"]] if isinstance(amount, Mapping) else amount
        for name, amount in entry.items()
    }
    total: float = amounts.get("job", 0.0)
    if "video" not in job.wildcards:
        return total
    frames = _frames(job, inputs, labelled)
    size = size_of(job.wildcards["dataset"], job.wildcards["video"], inputs)
    total += frames * amounts.get("frame", 0.0)
    total += frames * amounts.get("megapixel", 0.0) * pixels_of(size) / MEGAPIXEL
    if job.settings:
        total += amounts.get("seen_megapixel", 0.0) * pixels_of(_seen(job, inputs)) / MEGAPIXEL
    return total


def _rungs(job: Job) -> int:
    """Return how often a job predicts its video."""
    return max(1, len(job.settings.get("ladder", [])))


def _checkpoint_bytes(job: Job, inputs: CostInputs) -> float:
    models = inputs.stated["models"]
    sizes = models.get(job.model, next(iter(models.values())))["checkpoint"]
    decoder = sizes["decoder"] if job.settings["training"]["reconstruction"] else 0
    return float(sizes["model"] + decoder)


def _fetching(job: Job, inputs: CostInputs) -> Cost:
    """Return the cost of fetching and unpacking a file: nothing where it is already there."""
    source, data_root = inputs.sources[job.wildcards["source"]], Path(inputs.config["data_root"])
    if source.place(data_root) is not None:
        return Cost()
    network = 0 if source.download(data_root).is_file() else source.bytes
    stated = inputs.stated["fetching"]
    unpacked = stated["unpacked"] * source.bytes if source.unpack else 0.0
    return Cost(
        cpu_seconds=source.bytes / stated["bytes_per_second"],
        data=network + unpacked,
        network=network,
    )
