"""Layouts on disk, and the frame store they are read into.

A layout is a module of this package with a function ``read(root, split, video)`` that yields
SourceFrames. Adding one: one file here, and `layout: <name>` in a data set of config.yaml.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

from videottt.errors import InputError, nearest
from videottt.frames import SourceFrame

Reader = Callable[[Path, str, str], Iterator[SourceFrame]]


def list_layouts() -> dict[str, Reader]:
    """Return the reader of every layout by its name."""
    modules = [
        importlib.import_module(f"{__name__}.{each.name}")
        for each in pkgutil.iter_modules(__path__)
        # The renderer is a package: it writes, and is slow to import.
        if not each.ispkg
    ]
    return {m.__name__.rpartition(".")[2]: m.read for m in modules if hasattr(m, "read")}


def layout_named(name: str) -> Reader:
    """Return the reader of a layout.

    Raises:
        InputError: there is no such layout.
    """
    layouts = list_layouts()
    if name not in layouts:
        raise InputError(f"layout '{name}' does not exist; {nearest(name, layouts)}")
    return layouts[name]
