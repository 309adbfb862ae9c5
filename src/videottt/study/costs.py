"""Read what costs are worked out from: workflow/resources/costs.yaml and its neighbours."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from videottt.core.errors import InputError
from videottt.study.config import Config
from videottt.study.jobs import Job

if TYPE_CHECKING:
    from videottt.data.fetch.catalogue import Source

# The rule whose jobs fetch and unpack one file from elsewhere.
FETCH = "fetch_source"

Size = tuple[int, int]


@dataclass(frozen=True)
class CostInputs:
    """What costs are worked out from.

    Attributes:
        config: the whole configuration.
        stated: costs.yaml.
        times: method -> seconds a frame, the paper's table 1.
        published: data set -> what is published about its videos, published.yaml.
        sources: id -> file from elsewhere, datasets.yaml.
    """

    config: Config
    stated: Mapping[str, Any]
    times: Mapping[str, float]
    published: Mapping[str, Any]
    sources: Mapping[str, "Source"]


def read_cost_inputs(config: Config, resources: Path, jobs: Iterable[Job]) -> CostInputs:
    """Read what the costs of jobs are worked out from.

    Args:
        config: the whole configuration.
        resources: the folder workflow/resources.
        jobs: that are to be priced; where none fetches anything, datasets.yaml is not read.

    Raises:
        InputError: a file is absent or not what it should be.
    """
    from videottt.data.check import read_published
    from videottt.data.fetch.catalogue import read_sources

    fetching = any(job.rule == FETCH for job in jobs)
    return CostInputs(
        config,
        _read_yaml(resources / "costs.yaml"),
        _read_times(resources / "paper/table1.csv"),
        read_published(resources / "published.yaml"),
        read_sources(Path(config["sources"])) if fetching else {},
    )


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None


def _read_times(path: Path) -> dict[str, float]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["method"]: float(row["seconds_per_frame"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: no table of seconds_per_frame by method: {error!r}") from None


def place_of(entry: Mapping[str, Any], inputs: CostInputs) -> str:
    """Return where an entry of costs.yaml is priced: "gpu" or "cpu"."""
    wanted = inputs.config["device"] != "cpu" and "gpu" in entry
    return "gpu" if wanted else "cpu"


@dataclass(frozen=True)
class Speed:
    """How fast the model of a preset is.

    Attributes:
        place: "gpu" or "cpu".
        prediction: seconds a pixel of a frame that is predicted.
        update: seconds a pixel of an image of an update.
    """

    place: str
    prediction: float
    update: float


def speed_of(model: str | None, inputs: CostInputs) -> Speed:
    """Return how fast the model of a preset is; one that is not in costs.yaml is as the first."""
    models = inputs.stated["models"]
    entry = models.get(model, next(iter(models.values())))
    place = place_of(entry, inputs)
    prediction, update = entry[place]["prediction"], entry[place]["update"]
    return Speed(
        place,
        prediction["seconds"] / pixels_of(prediction["size"]),
        update["seconds"] / update["images"] / pixels_of(update["size"]),
    )


def frames_of(dataset: str, video: str, inputs: CostInputs) -> int | None:
    """Return the number of frames of a video; None if nothing is known of it."""
    entry = inputs.config["datasets"][dataset]
    if "render" in entry:
        return int(entry["render"]["videos"][video]["frames"])
    published = inputs.published.get(dataset, {})
    for videos in published.get("splits", {}).values():
        if videos.get(video):
            return int(videos[video])
    if video in published.get("labelled", {}):
        return int(published["labelled"][video] * (published.get("labelled_every") or 1))
    duration_s, rate = published.get("duration_s", {}).get(video), entry.get("fps")
    return round(duration_s * rate) if duration_s and rate else None


def size_of(dataset: str, video: str, inputs: CostInputs) -> Size:
    """Return (H, W) of the frames of a video."""
    entry = inputs.config["datasets"][dataset]
    if "render" in entry:
        return tuple(entry["render"]["size"])
    sizes = inputs.stated["sizes"]
    stated = sizes.get(dataset, sizes["default"])
    return tuple(inputs.published.get(dataset, {}).get("sizes", {}).get(video, stated))


def pixels_of(size: tuple[float, float]) -> float:
    """Return the number of pixels of (H, W)."""
    return size[0] * size[1]
