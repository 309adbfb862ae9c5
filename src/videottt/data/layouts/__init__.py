"""Layouts on disk, and the frame store they are read into.

A layout is a module of this package with a function ``read(root, split, video, space)`` that yields
SourceFrames; `Layout` says what else it may have. Adding one: one file here, and `layout: <name>`
in a data set of config.yaml.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.data.layouts.listing import Listing
from videottt.store.source_frame import SourceFrame

Reader = Callable[[Path, str, str, ClassSpace], Iterator[SourceFrame]]
Writer = Callable[[Path, str, str, Iterable[SourceFrame], ClassSpace], int]


@dataclass(frozen=True)
class Layout:
    """The functions of a layout, all of (root, split, video, ...).

    Attributes:
        read: yields every frame.
        write: writes frames and returns how many; None of a layout that is only read.
        list_frames: returns the files of a video; None where a frame is no file.
        frames_expected: returns about how many frames there are; None where only reading tells.
    """

    read: Reader
    write: Writer | None = None
    list_frames: Callable[[Path, str, str, ClassSpace], Listing] | None = None
    frames_expected: Callable[[Path, str, str], int | None] | None = None

    @classmethod
    def of(cls, module: ModuleType) -> "Layout":
        """Return the layout that a module is."""
        optional = ("write", "list_frames", "frames_expected")
        return cls(module.read, *(getattr(module, name, None) for name in optional))


def list_layouts() -> dict[str, Layout]:
    """Return every layout by its name."""
    modules = {
        each.name: importlib.import_module(f"{__name__}.{each.name}")
        for each in pkgutil.iter_modules(__path__)
    }
    return {name: Layout.of(module) for name, module in modules.items() if hasattr(module, "read")}


def layout_named(name: str) -> Layout:
    """Return a layout by its name.

    Raises:
        InputError: there is no such layout.
    """
    layouts = list_layouts()
    if name not in layouts:
        raise InputError(f"layout '{name}' does not exist; {nearest(name, layouts)}")
    return layouts[name]


def writer_named(name: str) -> Writer:
    """Return the writer of a layout.

    Raises:
        InputError: there is no layout of this name that is written.
    """
    writers = {known: layout.write for known, layout in list_layouts().items() if layout.write}
    if name not in writers:
        raise InputError(f"layout '{name}' cannot be written; {nearest(name, writers)}")
    return writers[name]
