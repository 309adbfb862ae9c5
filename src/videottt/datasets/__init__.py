"""Layouts on disk, and the frame store they are read into.

A layout is a function ``read(root, split, video) -> Iterator[SourceFrame]``. Adding one: one file
here, and `layout: <name>` in a data set of config.yaml.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from videottt.datasets import camvid, kitti_step
from videottt.errors import InputError, nearest
from videottt.frames import SourceFrame

LAYOUTS: dict[str, Callable[[Path, str, str], Iterator[SourceFrame]]] = {
    "camvid": camvid.read,
    "kitti_step": kitti_step.read,
}


def layout_named(name: str) -> Callable[[Path, str, str], Iterator[SourceFrame]]:
    """Return the reader of a layout.

    Raises:
        InputError: there is no such layout.
    """
    if name not in LAYOUTS:
        raise InputError(f"layout '{name}' does not exist; {nearest(name, LAYOUTS)}")
    return LAYOUTS[name]
