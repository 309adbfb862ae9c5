"""Check that a copy of a data set is complete and undamaged, and has the published numbers.

`copies` checks all videos, `videos` compares a video with the published numbers, `findings`
examines a video, `files` the files of a frame, and `reports` holds the results.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.ids import TASKS
from videottt.core.segments import ClassSpace

# Published facts about a data set; workflow/resources/published.yaml explains the keys.
KINDS = {
    "splits": dict,
    "sizes": dict,
    "folders": dict,
    "labelled": dict,
    "labelled_every": int,
    "duration_s": dict,
    "as_released": dict,
}


@dataclass(frozen=True)
class CheckSettings:
    """The keys of a data set in config.yaml that a copy on disk is checked against.

    Attributes:
        layout: name of the layout on disk.
        root: folder of the data set, below data_root.
        splits: split -> ids of its videos.
        folders: split -> its name on disk, if that differs.
        classes: names of the classes, in the order of their indices.
        things: names of the classes whose objects are told apart.
        fps: frames a second, if the frames have no time stamps.
        canvas: (H, W) that holds stills of several sizes; None means one size in each video.
        scored: tasks for which the data set has labels.
        spans: video -> ``{"first": name, "last": name}`` of the part that is used.
    """

    layout: str
    root: str
    splits: dict[str, list[str]]
    folders: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    fps: float | None = None
    canvas: tuple[int, int] | None = None
    scored: tuple[str, ...] = TASKS
    spans: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def space(self) -> ClassSpace:
        """Return the classes and things."""
        return ClassSpace(self.classes, self.things)


def read_published(path: Path) -> dict[str, dict[str, Any]]:
    """Read the published facts about data sets.

    Args:
        path: workflow/resources/published.yaml, which explains its keys.

    Returns:
        data set -> each of `KINDS`; a fact that is not published is empty, or None for a number.

    Raises:
        InputError: the file is absent or not YAML, or has an unknown key or a value of a wrong
            type.
    """
    try:
        published = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a readable YAML file ({error}); restore it") from None
    if not isinstance(published, dict):
        raise InputError(f"{path}: must map data sets to published facts; restore it")
    for dataset, entry in published.items():
        if not isinstance(entry, dict | None):
            raise InputError(f"{path}: {dataset}: must map keys to published facts; restore it")
        for key, value in (entry or {}).items():
            if key not in KINDS:
                raise InputError(f"{path}: {dataset}: unknown key '{key}'; {nearest(key, KINDS)}")
            if type(value) is not KINDS[key]:
                raise InputError(
                    f"{path}: {dataset}: '{key}' must be a {KINDS[key].__name__}; restore it"
                )
    return {dataset: {**_nothing(), **(entry or {})} for dataset, entry in published.items()}


def published_of(everything: dict[str, dict[str, Any]], dataset: str) -> dict[str, Any]:
    """Return the published facts about one data set; all are empty if the file lacks it."""
    return everything.get(dataset, _nothing())


def _nothing() -> dict[str, Any]:
    return {key: kind() if kind is dict else None for key, kind in KINDS.items()}


def frames_of(entry: dict[str, Any], video: str) -> int | None:
    """Return the published number of frames of a video; None if it is not published.

    Args:
        entry: the published facts about the data set, from `read_published`.
        video: id of the video, in any split.
    """
    return {name: n for videos in entry["splits"].values() for name, n in videos.items()}.get(video)
