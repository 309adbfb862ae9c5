"""What one job costs: hours of a GPU or a core, disk and network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videottt.study.costs import (
    FETCH,
    Known,
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
# What rules/figures.smk and rules/theory.smk let the model do.
TRACED_FRAMES, TRACED_STEPS = 3, 20
MASKS, POINT_DRAWS = 8, 4


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


def cost_of(job: Job, known: Known) -> Cost:
    """Return what a job costs if it is run."""
    if job.rule == FETCH:
        return _fetching(job, known)
    rule = known.stated["rules"].get(job.rule, known.stated["rules"]["default"])
    if job.rule in MODEL_RULES:
        speed = speed_of(job.model, known)
        place, seconds = speed.place, _MODEL_SECONDS[job.rule](job, known, speed)
    else:
        place = place_of(rule, known)
        seconds = _sum(rule[place], job, known, labelled=rule.get("labelled", False))
    written = _sum(rule.get("bytes", {}), job, known)
    if job.rule == "train":
        written = _checkpoint_bytes(job, known)
    return Cost(**{f"{place}_seconds": seconds}, results=written * _rungs(job))


def seen_size(size: Size, settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return (H, W) of a frame as the model sees it: resized to its shortest and longest edge."""
    scale = min(settings["shortest_edge"] / min(size), settings["longest_edge"] / max(size))
    return size[0] * scale, size[1] * scale


def _frames(job: Job, known: Known, labelled: bool = False) -> int:
    """Return the frames of the video of a job, or those of them with labels; 0 without a video."""
    if "video" not in job.wildcards:
        return 0
    dataset, video = job.wildcards["dataset"], job.wildcards["video"]
    with_labels = known.published.get(dataset, {}).get("labelled", {})
    # The truth of colours is the frame itself.
    if labelled and video in with_labels and job.wildcards.get("task") != "colorization":
        return with_labels[video]
    found = frames_of(dataset, video, known)
    return known.stated["frames"] if found is None else found


def _seen(job: Job, known: Known) -> tuple[float, float]:
    """Return (H, W) of the frames of a job's video as the model sees them."""
    return seen_size(size_of(job.wildcards["dataset"], job.wildcards["video"], known), job.settings)


def _shown_pixels(job: Job, known: Known) -> float:
    """Return the pixels of an image of an update: a view, a crop or the whole frame."""
    seen = _seen(job, known)
    views, crop = job.settings.get("views"), job.settings.get("crop")
    if views is not None:
        return pixels_of(views["crop"])
    return pixels_of(seen if crop is None else tuple(map(min, zip(crop, seen, strict=True))))


def _update_seconds(job: Job, known: Known, speed: Speed) -> float:
    """Return the seconds of one update of a method."""
    times, method = known.times, job.wildcards["method"].split(",")[0]
    # The table's offline row is without its training.
    own = method in times and not job.settings.get("ladder")
    row = method if own else known.stated["objectives"].get(job.settings["objective"], LEARNING)
    relative = (times[row] - times[FIXED]) / (times[LEARNING] - times[FIXED])
    return relative * job.settings.get("batch", BATCH) * _shown_pixels(job, known) * speed.update


def _prediction_seconds(job: Job, known: Known, speed: Speed) -> float:
    """Return the seconds of predicting one frame."""
    return job.settings.get("votes", 1) * pixels_of(_seen(job, known)) * speed.prediction


def _stream_seconds(job: Job, known: Known, speed: Speed) -> float:
    frames, ladder = _frames(job, known), job.settings.get("ladder")
    update = _update_seconds(job, known, speed)
    prediction = _prediction_seconds(job, known, speed)
    if ladder:
        return ladder[-1] * update + len(ladder) * frames * prediction
    updates = job.settings.get("steps", 1) / job.settings.get("every", 1)
    return frames * (updates * update + prediction)


def _trace_seconds(job: Job, known: Known, speed: Speed) -> float:
    """Return the seconds of steps on single frames; each is predicted and twice reconstructed."""
    frames = min(TRACED_FRAMES, _frames(job, known))
    looks = 3 * (TRACED_STEPS + 1) * _prediction_seconds(job, known, speed)
    return frames * (TRACED_STEPS * _update_seconds(job, known, speed) + looks)


def _theory_seconds(job: Job, known: Known, speed: Speed) -> float:
    """Return the seconds of the gradients of both losses on every labelled frame."""
    gradients = (MASKS + POINT_DRAWS) * pixels_of(_seen(job, known)) * speed.update
    return _frames(job, known, labelled=True) * gradients


def _training_seconds(job: Job, known: Known, speed: Speed) -> float:
    training, crop = job.settings["training"], job.settings["augmentation"]["crop"]
    losses = 2 if training["reconstruction"] else 1
    return training["iterations"] * training["batch"] * losses * pixels_of(crop) * speed.update


_MODEL_SECONDS = {
    "train": _training_seconds,
    "predict": _stream_seconds,
    "predict_trial": _stream_seconds,
    "trace": _trace_seconds,
    "theory": _theory_seconds,
}


def _sum(entry: Mapping[str, Any], job: Job, known: Known, *, labelled: bool = False) -> float:
    """Return what an entry of costs.yaml adds up to for a job and the frames of its video."""
    amounts = {
        name: amount[job.wildcards["task"]] if isinstance(amount, Mapping) else amount
        for name, amount in entry.items()
    }
    total = amounts.get("job", 0.0)
    if "video" not in job.wildcards:
        return total
    frames = _frames(job, known, labelled)
    size = size_of(job.wildcards["dataset"], job.wildcards["video"], known)
    total += frames * amounts.get("frame", 0.0)
    total += frames * amounts.get("megapixel", 0.0) * pixels_of(size) / MEGAPIXEL
    if job.settings:
        total += amounts.get("seen_megapixel", 0.0) * pixels_of(_seen(job, known)) / MEGAPIXEL
    return total


def _rungs(job: Job) -> int:
    """Return how often a job predicts its video."""
    return max(1, len(job.settings.get("ladder", [])))


def _checkpoint_bytes(job: Job, known: Known) -> float:
    models = known.stated["models"]
    sizes = models.get(job.model, next(iter(models.values())))["checkpoint"]
    return sizes["model"] + job.settings["training"]["reconstruction"] * sizes["decoder"]


def _fetching(job: Job, known: Known) -> Cost:
    """Return the cost of fetching and unpacking a file; of what is at hand, nothing."""
    source, data_root = known.sources[job.wildcards["source"]], Path(known.config["data_root"])
    if source.place(data_root) is not None:
        return Cost()
    network = 0 if source.download(data_root).is_file() else source.bytes
    stated = known.stated["fetching"]
    unpacked = stated["unpacked"] * source.bytes if source.unpack else 0.0
    return Cost(
        cpu_seconds=source.bytes / stated["bytes_per_second"],
        data=network + unpacked,
        network=network,
    )
