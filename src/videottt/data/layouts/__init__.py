"""Layouts on disk, and the frame store they are read into.

A layout is a module of this package with a function ``read(root, split, video, space)`` that yields
SourceFrames. Adding one: one file here, and `layout: <name>` in a data set of config.yaml. With a
function ``write(root, split, video, frames, space)`` it can be rendered into too.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.store.frames import SourceFrame

Reader = Callable[[Path, str, str, ClassSpace], Iterator[SourceFrame]]
Writer = Callable[[Path, str, str, Iterable[SourceFrame], ClassSpace], int]


def list_layouts() -> dict[str, ModuleType]:
    """Return the module of every layout by its name."""
    modules = [
        importlib.import_module(f"{__name__}.{each.name}")
        for each in pkgutil.iter_modules(__path__)
        # The renderer is a package: it writes, and is slow to import.
        if not each.ispkg
    ]
    return {m.__name__.rpartition(".")[2]: m for m in modules if hasattr(m, "read")}


def layout_named(name: str) -> Reader:
    """Return the reader of a layout.

    Raises:
        InputError: there is no such layout.
    """
    layouts = list_layouts()
    if name not in layouts:
        raise InputError(f"layout '{name}' does not exist; {nearest(name, layouts)}")
    return layouts[name].read


def writer_named(name: str) -> Writer:
    """Return the writer of a layout.

    Raises:
        InputError: there is no layout of this name that is written.
    """
    writers = {n: module.write for n, module in list_layouts().items() if hasattr(module, "write")}
    if name not in writers:
        raise InputError(f"layout '{name}' cannot be written; {nearest(name, writers)}")
    return writers[name]
