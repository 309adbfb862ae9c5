"""Read data sets in their layouts on disk.

A layout is a module of this package with a function ``read(root, split, video, space)`` that yields
SourceFrames; `Layout` lists its optional functions. To add a layout, add one module here, and set
`layout: <name>` for a data set in config.yaml.
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
    """The functions of a layout, each with the arguments (root, split, video, ...).

    Attributes:
        read: yields every frame.
        write: writes frames and returns their number; None for a layout that is only read.
        list_frames: returns the files of a video; None if a frame is not a file.
        frames_expected: returns the approximate number of frames; None if only reading tells.
    """

    read: Reader
    write: Writer | None = None
    list_frames: Callable[[Path, str, str, ClassSpace], Listing] | None = None
    frames_expected: Callable[[Path, str, str], int | None] | None = None

    @classmethod
    def of(cls, module: ModuleType) -> "Layout":
        """Return the layout that a module implements."""
        optional = ("write", "list_frames", "frames_expected")
        return cls(module.read, *(getattr(module, name, None) for name in optional))


def list_layouts() -> dict[str, Layout]:
    """Return every layout, by name."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    }
    return {name: Layout.of(module) for name, module in modules.items() if hasattr(module, "read")}


def layout_named(name: str) -> Layout:
    """Return the layout of a name.

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
        InputError: no layout of this name can be written.
    """
    writers = {known: layout.write for known, layout in list_layouts().items() if layout.write}
    if name not in writers:
        raise InputError(f"layout '{name}' cannot be written; {nearest(name, writers)}")
    return writers[name]
