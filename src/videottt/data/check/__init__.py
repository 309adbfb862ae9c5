"""Check that a copy of a data set is whole: its files, their form, and how many are published.

`copies` checks all videos, `videos` compares one with what is published, `findings` looks at it,
`files` at one frame, and `reports` holds what was found.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.ids import TASKS
from videottt.core.segments import ClassSpace

# What may be published of a data set, as workflow/resources/published.yaml explains it.
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
    """What a data set is said to be: of its keys in config.yaml those that a copy can contradict.

    Attributes:
        layout: name of the layout on disk.
        root: its folder, below data_root.
        splits: split -> ids of its videos.
        folders: split -> what it is called on disk, where that is another name.
        classes: names of the classes, in the order of their indices.
        things: names of those whose objects are counted one by one.
        fps: frames a second, where the frames have no time stamps.
        canvas: (H, W) that holds stills of several sizes; None = all of a video have one size.
        scored: tasks for which it has labels.
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
        """Return the classes, and which of them are things."""
        return ClassSpace(self.classes, self.things)


def read_published(path: Path) -> dict[str, dict[str, Any]]:
    """Read what is published about data sets.

    Args:
        path: workflow/resources/published.yaml, which says what its keys are.

    Returns:
        data set -> each of `KINDS`; empty (or None, of a number) where nothing is published.

    Raises:
        InputError: the file is absent or no YAML, or has an unknown key or a value of another kind.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a readable YAML file ({error}); restore it") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must map data sets to what is published; restore it")
    for dataset, entry in found.items():
        if not isinstance(entry, dict | None):
            raise InputError(f"{path}: {dataset}: must say what is published by key; restore it")
        for key, value in (entry or {}).items():
            if key not in KINDS:
                raise InputError(f"{path}: {dataset}: unknown key '{key}'; {nearest(key, KINDS)}")
            if type(value) is not KINDS[key]:
                raise InputError(f"{path}: {dataset}: '{key}' must be a {KINDS[key].__name__}")
    return {dataset: {**_nothing(), **(entry or {})} for dataset, entry in found.items()}


def published_of(everything: dict[str, dict[str, Any]], dataset: str) -> dict[str, Any]:
    """Return what is published of one data set, nothing if it is not in the file."""
    return everything.get(dataset, _nothing())


def _nothing() -> dict[str, Any]:
    return {key: kind() if kind is dict else None for key, kind in KINDS.items()}


def frames_of(entry: dict[str, Any], video: str) -> int | None:
    """Return the published number of frames of a video; None if it is not published.

    Args:
        entry: of one data set, from `read_published`.
        video: its id, in whatever split.
    """
    return {name: n for videos in entry["splits"].values() for name, n in videos.items()}.get(video)
