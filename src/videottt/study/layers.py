"""Complete a configuration: the shipped defaults, the user's file on top, and what entries extend.

The defaults are files of workflow/config/. A user's file needs only what differs. An entry of
`methods`, `datasets` or `studies` may extend others::

    studies:
      mine: {extends: camvid, seeds: [0], sweeps: null}

Settings are merged key by key. A list replaces the list below it; null in place of a list or of
settings by name removes them.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.paths import HOME, named_path
from videottt.core.settings import without_nulls
from videottt.core.shipped import shipped
from videottt.settings.config import ConfigFile
from videottt.study.config import Config

DEFAULTS = "workflow/config"
# Sections of which every entry is a file of its own, named by its id.
FOLDERS = ("classes", "datasets", "studies")
EXTENDING = ("methods", "datasets", "studies")
EXTENDS = "extends"
# Of a study that only others extend.
ABSTRACT = "abstract"
# Settings of the machine that are files or folders.
PLACES = ("data_root", "sources")


@dataclass(frozen=True)
class Layers:
    """A whole configuration, and where its parts come from.

    Attributes:
        config: with the defaults, and without `extends`.
        name: of the user's file.
        own: what the user's file says.
        files: (section, id) or (section,) -> the file of the defaults that has it.
        parents: (section, id) -> ids of the entries that it extends, at any distance.
    """

    config: Config
    name: str = "config.yaml"
    own: Config = dataclasses.field(default_factory=dict)
    files: Mapping[tuple[str, ...], str] = dataclasses.field(default_factory=dict)
    parents: Mapping[tuple[str, str], list[str]] = dataclasses.field(default_factory=dict)

    def where(self, *place: str | int) -> str:
        """Return the file that a place of the configuration comes from, and the place, dotted."""
        dotted = ".".join(map(str, place))
        return f"{self._file(place)}: {dotted}" if dotted else self._file(place)

    def _file(self, place: tuple[str | int, ...]) -> str:
        section, entry = (*map(str, place[:2]), "", "")[:2]
        for name in [entry, *self.parents.get((section, entry), [])]:
            if _says(self.own, (section, name, *place[2:]) if entry else place):
                return self.name
        return self.files.get((section, entry), self.files.get((section,), self.name))


def complete(own: Config, name: str = "config.yaml") -> Layers:
    """Return a user's configuration on top of the defaults.

    Args:
        own: what the user's file says.
        name: of the file, for errors.

    Raises:
        InputError: an entry extends one that does not exist, or itself.
    """
    defaults, files = _defaults()
    for section in (*FOLDERS, *EXTENDING, "protocols", "checkpoints", "tables", "drawn"):
        if not isinstance(own.get(section, {}), dict):
            raise InputError(f"{name}: {section}: must be entries by name; write {{id: ...}}")
    config = layered({**_machine_defaults(), **defaults}, own)
    parents: dict[tuple[str, str], list[str]] = {}
    for section in EXTENDING:
        entries = config[section]
        config[section] = {
            entry: _extended(entries, entry, section, name, parents) for entry in entries
        }
    studies = config["studies"].items()
    config["studies"] = {
        entry: study
        for entry, study in studies
        if not (isinstance(study, dict) and study.pop(ABSTRACT, False))
    }
    for entry, dataset in config["datasets"].items():
        if isinstance(dataset, dict) and isinstance(dataset.get("classes"), str):
            config["datasets"][entry] = _with_classes(config, entry, dataset, name)
    # A null that removes something may also find nothing to remove.
    whole = _machine_defaults() | without_nulls(ConfigFile, config)
    return Layers(whole | _places(whole, own, name), name, own, files, parents)


def layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> Config:
    """Return settings with others on top of them, key by key; null removes a list or settings."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, dict):
            # Also where there is nothing below, for the nulls in it.
            result[key] = layered(under if isinstance(under, dict) else {}, value)
        elif value is None and isinstance(under, dict | list):
            del result[key]
        else:
            result[key] = value
    return result


def _machine_defaults() -> Config:
    return {
        field.name: field.default
        for field in dataclasses.fields(ConfigFile)
        if field.default is not dataclasses.MISSING
    }


def _places(config: Config, own: Config, name: str) -> dict[str, str]:
    """Return the files and folders that a configuration names, as any program takes them.

    Raises:
        InputError: one is null, or there is no such user or folder; see `core.paths`.
    """
    found = {}
    for key in PLACES:
        if key in own and own[key] is None:
            raise InputError(
                f"{name}: {key}: is null, which a lone ~ means in YAML; name a folder or a file, "
                "such as ~/data"
            )
        value = config[key]
        # An empty text, or none, is refused with all other settings.
        if isinstance(value, str) and value:
            found[key] = _place(value, f"{name}: {key}")
    image = config["container"]
    # It may also be the address of one.
    if isinstance(image, str) and image.startswith(HOME):
        found["container"] = _place(image, f"{name}: container")
    return found


def _place(value: str, where: str) -> str:
    try:
        return str(named_path(value))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@functools.cache
def _defaults() -> tuple[Config, dict[tuple[str, ...], str]]:
    """Return the shipped defaults, and which file each part is from."""
    root = shipped(DEFAULTS)
    config: Config = {}
    files: dict[tuple[str, ...], str] = {}
    for path in sorted(root.glob("*.yaml")):
        config[path.stem] = _read(path)
        files[(path.stem,)] = f"{DEFAULTS}/{path.name}"
    for section in FOLDERS:
        config[section] = {}
        for path in sorted((root / section).glob("*.yaml")):
            config[section][path.stem] = _read(path)
            files[(section, path.stem)] = f"{DEFAULTS}/{section}/{path.name}"
    return config, files


def _read(path: Path) -> Config:
    try:
        values: Config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    return values


def _extended(
    entries: Mapping[str, Any],
    entry: str,
    section: str,
    name: str,
    parents: dict[tuple[str, str], list[str]],
    below: tuple[str, ...] = (),
) -> Any:
    """Return an entry with those that it extends merged below it.

    Args:
        entries: all of the section.
        entry: id of the one.
        section: name of the section.
        name: of the user's file, for errors.
        parents: is told which entries it extends.
        below: ids of the entries that extend this one.
    """
    own = entries[entry]
    if not isinstance(own, dict):
        return own
    where = f"{name}: {section}.{entry}.{EXTENDS}"
    if entry in below:
        raise InputError(f"{where}: extends itself: {' -> '.join([*below, entry])}; break the loop")
    result: Config = {}
    names: list[str] = []
    for parent in _ids(own.get(EXTENDS) or []):
        if parent not in entries:
            raise InputError(f"{where}: unknown entry '{parent}'; {nearest(parent, entries)}")
        above = _extended(entries, parent, section, name, parents, (*below, entry))
        if isinstance(above, dict):
            result = layered(result, {k: v for k, v in above.items() if k != ABSTRACT})
        names += [parent, *parents.get((section, parent), [])]
    parents[(section, entry)] = names
    return layered(result, {key: value for key, value in own.items() if key != EXTENDS})


def _ids(value: Any) -> Iterable[str]:
    return map(str, value if isinstance(value, list) else [value])


def _with_classes(config: Config, entry: str, dataset: Config, name: str) -> Config:
    """Return a data set with the classes whose id it names."""
    classes = config["classes"]
    chosen = dataset["classes"]
    if chosen not in classes:
        where = f"{name}: datasets.{entry}.classes"
        raise InputError(f"{where}: unknown classes '{chosen}'; {nearest(chosen, classes)}")
    values = classes[chosen] if isinstance(classes[chosen], dict) else {}
    return {**dataset, **{key: dataset.get(key, value) for key, value in values.items()},
            "classes": values.get("classes")}  # fmt: skip


def _says(values: Any, place: Iterable[str | int]) -> bool:
    """Return whether some settings say something of a place, or of all that it is in."""
    for part in place:
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, dict):
            return False
    return True
