"""Read the JSON files of the COCO layouts: images, categories and annotations."""

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace
from videottt.data.layouts.coco_categories import STUFF, THINGS
from videottt.data.layouts.images import read_image

Entry = dict[str, Any]

Value = TypeVar("Value")


def read_document(path: Path) -> Entry:
    """Return a JSON file that has the lists ``images`` and ``annotations``.

    Raises:
        InputError: the file is missing, is not JSON, or lacks one of the lists.
    """
    if not path.is_file():
        beside = [file.name for file in path.parent.glob("*.json")]
        hint = nearest(path.name, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{path}: these annotations are missing; {hint}")
    try:
        document: Entry = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); restore it") from None
    for key in ("images", "annotations"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise InputError(f"{path}: has no list '{key}', so it is no COCO file; restore it")
    return document


def field(entry: Entry, key: str, kind: type[Value], where: str) -> Value:
    """Return a value of an entry.

    Raises:
        InputError: the entry has no such key, or its value is of another type.
    """
    stored: Any = entry.get(key) if isinstance(entry, dict) else None
    if type(stored) is not kind:
        names: dict[type, str] = {int: "an integer", str: "a text", list: "a list"}
        raise InputError(f"{where}: '{key}' is missing or not {names[kind]}; add it")
    value: Value = stored
    return value


def file_field(entry: Entry, where: str) -> str:
    """Return the ``file_name`` of an entry, after checking that it stays in its folder.

    Raises:
        InputError: the entry has no file name, or the name leads out of its folder.
    """
    name = field(entry, "file_name", str, where)
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
        raise InputError(
            f"{where}: the file_name {name!r} leads outside its folder; give the name within it"
        )
    return name


def flag(entry: Entry, key: str, where: str, default: bool = False) -> bool:
    """Return a value of an entry that is 0 or 1, or `default` where there is none.

    Raises:
        InputError: the value is not 0 or 1.
    """
    value = entry.get(key, default)
    if not isinstance(value, int) or value not in (0, 1):
        raise InputError(f"{where}: '{key}' is {value!r}, but must be 0 or 1; correct it")
    return bool(value)


@dataclass(frozen=True)
class CocoImage:
    """One image of a JSON file.

    Attributes:
        id: id of the image.
        file_name: name of its file.
        size: (H, W).
        source: the JSON file.
    """

    id: int
    file_name: str
    size: tuple[int, int]
    source: Path

    @property
    def name(self) -> str:
        """Return the name of the image file, without its suffix."""
        return Path(self.file_name).stem

    @property
    def where(self) -> str:
        """Return the JSON file and the id of the image, for errors."""
        return f"{self.source}: image {self.id} ('{self.file_name}')"

    def read(self, folder: Path) -> np.ndarray:
        """Read the image from a folder: uint8 [H, W, 3].

        Raises:
            InputError: the file is missing, unreadable or of another size.
        """
        path = folder / self.file_name
        # Unlike Path.is_file, os.path.isfile returns False for a name that is too long.
        if not os.path.isfile(path):
            raise InputError(
                f"{path}: this file of image {self.id} in {self.source} is missing; restore it "
                "from the data set"
            )
        pixels = read_image(path)
        self.check_size(path, pixels)
        return pixels

    def check_size(self, path: Path, pixels: np.ndarray) -> None:
        """Raise an InputError if a file of this image differs in size from the JSON file."""
        height, width = pixels.shape[:2]
        if (height, width) != self.size:
            raise InputError(
                f"{path}: is {width}x{height}, but image {self.id} of {self.source} is "
                f"{self.size[1]}x{self.size[0]}; restore the file or correct the annotations"
            )


def images_of(document: Entry, source: Path) -> dict[int, CocoImage]:
    """Return the images of a JSON file by their ids, in the order of their names.

    Raises:
        InputError: an entry is incomplete, or two entries share an id or a name.
    """
    images: dict[int, CocoImage] = {}
    names: dict[str, CocoImage] = {}
    for number, entry in enumerate(document["images"]):
        where = f"{source}: entry {number} of 'images'"
        size = field(entry, "height", int, where), field(entry, "width", int, where)
        file_name = file_field(entry, where)
        image = CocoImage(field(entry, "id", int, where), file_name, size, source)
        if image.id in images:
            raise InputError(
                f"{image.where}: '{images[image.id].file_name}' has this id too; give every "
                "image a unique id"
            )
        if image.name in names:
            raise InputError(
                f"{image.where}: image {names[image.name].id} is '{names[image.name].file_name}' "
                "too; file names must differ before their suffix, so remove or rename one"
            )
        images[image.id] = names[image.name] = image
    return dict(sorted(images.items(), key=lambda pair: pair[1].name))


def image_of(annotation: Entry, images: dict[int, CocoImage], where: str) -> CocoImage:
    """Return the image that an annotation belongs to.

    Raises:
        InputError: there is no such image.
    """
    number = field(annotation, "image_id", int, where)
    if number not in images:
        raise InputError(
            f"{where} belongs to image {number}, which is not in 'images'; add that image or "
            "remove the annotation"
        )
    return images[number]


@dataclass(frozen=True)
class Categories:
    """The categories of a JSON file, and the classes of a data set.

    Attributes:
        names: id of a category -> its name.
        things: id of a category -> whether it is a thing, if the file tells.
        space: the classes of the data set.
        source: the JSON file.
    """

    names: dict[int, str]
    things: dict[int, bool]
    space: ClassSpace
    source: Path

    def index(self, category: int, where: str) -> int:
        """Return the class index of a category; category 255 is void unless the file defines it.

        Args:
            category: id of the category.
            where: the annotation, for errors.

        Raises:
            InputError: the category is unknown or no class of the data set, or is a thing in only
                one of the file and the data set.
        """
        if category == VOID and category not in self.names:
            return VOID
        if category not in self.names:
            raise InputError(
                f"{where} has category {category}, which is not among the {len(self.names)} of "
                f"{self.source}; add it to 'categories' there, or correct the annotation"
            )
        name = self.names[category]
        if name not in self.space.classes:
            hint = nearest(name, self.space.classes)
            raise InputError(
                f"{where} has category {category} '{name}', which is no class of the data set; "
                f"add it to the data set's 'classes' in config.yaml ({hint})"
            )
        configured = name in self.space.things
        if self.things.get(category, configured) != configured:
            kinds = ("stuff", "a thing") if configured else ("a thing", "stuff")
            raise InputError(
                f"{where} has category {category} '{name}', {kinds[0]} in {self.source} but "
                f"{kinds[1]} in the data set; correct the data set's 'things' in config.yaml"
            )
        return self.space.classes.index(name)


def categories_of(document: Entry, space: ClassSpace, source: Path) -> Categories:
    """Return the categories of a JSON file, or those of COCO panoptic if it has none.

    Raises:
        InputError: an entry is incomplete, or two entries share an id.
    """
    if not document.get("categories"):
        things = {number: number in THINGS for number in THINGS | STUFF}
        return Categories(THINGS | STUFF, things, space, source)
    names: dict[int, str] = {}
    things = {}
    for entry in field(document, "categories", list, str(source)):
        number = field(entry, "id", int, f"{source}: an entry of 'categories'")
        where = f"{source}: category {number}"
        if number in names:
            raise InputError(f"{where} is listed twice; give every category a unique id")
        names[number] = field(entry, "name", str, where)
        if "isthing" in entry:
            things[number] = flag(entry, "isthing", where)
    return Categories(names, things, space, source)
