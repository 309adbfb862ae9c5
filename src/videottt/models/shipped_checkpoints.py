"""Find the checkpoints that ship with the package, by name or by the task that they serve."""

import functools
import os
from dataclasses import field
from pathlib import Path

import yaml

from videottt.core.errors import InputError, absent, nearest
from videottt.core.files import sha256
from videottt.core.ids import TaskName
from videottt.core.settings import build_settings, settings
from videottt.core.shipped import shipped

# Below the project's top level: the files, what they are, and their checksums.
FOLDER = "workflow/resources/checkpoints"
CATALOGUE = f"{FOLDER}/catalogue.yaml"
CHECKSUMS = f"{FOLDER}/SHA256SUMS"


@settings
class ShippedCheckpoint:
    """A small trained model that needs no download; docs/models.md has its model card.

    Attributes:
        made_from: checkpoint of the study `models` whose rounded weights it holds: its path below
            results/checkpoints, without the suffix.
        tasks: tasks that it serves, the one that it was trained for first.
        default: those of its tasks that `videottt run` takes it for.
        title: what it is, in one line.
        licence: licence of the data that it was trained on.
    """

    made_from: str
    tasks: list[TaskName]
    title: str
    licence: str
    default: list[TaskName] = field(default_factory=list)


@functools.cache
def shipped_checkpoints() -> dict[str, ShippedCheckpoint]:
    """Return the checkpoints that ship with the package, by id."""
    entries = yaml.safe_load(shipped(CATALOGUE).read_text(encoding="utf-8"))
    return {
        name: build_settings(ShippedCheckpoint, entry, f"{CATALOGUE}: {name}")
        for name, entry in entries.items()
    }


def file_of(name: str) -> Path:
    """Return where the file of a checkpoint is that ships with the package."""
    return shipped(FOLDER) / f"{name}.safetensors"


@functools.cache
def shipped_checkpoint(name: str) -> Path:
    """Return the file of a checkpoint that ships with the package, and verify it.

    Raises:
        InputError: none has this name, or the file is absent or damaged.
    """
    known = shipped_checkpoints()
    if name not in known:
        raise InputError(
            f"checkpoint '{name}': none that ships with videottt has this name; "
            + nearest(name, known)
        )
    path = file_of(name)
    if not path.is_file():
        raise absent(path, "checkpoint")
    lines = shipped(CHECKSUMS).read_text(encoding="utf-8").splitlines()
    if f"{sha256(path)}  {path.name}" not in lines:
        raise InputError(
            f"{path}: is not the checkpoint '{name}' that ships with videottt; install videottt "
            "again"
        )
    return path


def checkpoint_named(checkpoint: str | os.PathLike[str]) -> Path:
    """Return the file of a checkpoint that is named by its path, or by its id if it ships.

    A file is taken before an id.

    Raises:
        InputError: there is neither.
    """
    path = Path(checkpoint)
    if path.exists():
        return path
    if str(checkpoint) in shipped_checkpoints():
        return shipped_checkpoint(str(checkpoint))
    if path.suffix or len(path.parts) > 1:
        raise absent(path, "checkpoint")
    raise InputError(
        f"{path}: no such checkpoint; name a file, or one that ships with videottt: "
        + ", ".join(shipped_checkpoints())
    )


def checkpoint_for(task: str) -> Path:
    """Return the file of the checkpoint that ships for a task.

    Raises:
        InputError: none does.
    """
    for name, entry in shipped_checkpoints().items():
        if task in entry.default:
            return shipped_checkpoint(name)
    raise InputError(f"task '{task}': no checkpoint ships for it; name a file (--checkpoint)")
