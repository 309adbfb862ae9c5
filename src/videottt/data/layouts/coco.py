"""Read the images and categories of the JSON files of the COCO layouts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace
from videottt.data.layouts.coco_categories import STUFF, THINGS
from videottt.data.layouts.coco_entries import (
    Entry,
    Id,
    as_number,
    field,
    file_name,
    finder,
    flag,
    identity,
    is_file,
    stored_picture,
    without_suffix,
)
from videottt.data.layouts.listing import size_text
from videottt.data.pictures.images import opened, read_image


@dataclass(frozen=True)
class CocoImage:
    """One image of a JSON file.

    Attributes:
        id: id of the image.
        file_name: path of its file within the folder of images.
        size: (H, W) of the upright image; None if the JSON file does not say.
        source: the JSON file.
    """

    id: Id
    file_name: str
    size: tuple[int, int] | None
    source: Path

    @property
    def name(self) -> str:
        """Return the path of the image file, without its suffix."""
        return without_suffix(self.file_name)

    @property
    def where(self) -> str:
        """Return the JSON file and the id of the image, for errors."""
        return f"{self.source}: image {self.id!r} ('{self.file_name}')"

    def path(self, folder: Path) -> Path:
        """Return the file of the image in a folder, which may be missing."""
        return stored_picture(folder, self.file_name)

    def read(self, folder: Path) -> np.ndarray:
        """Read the image from a folder, upright: uint8 [H, W, 3].

        Raises:
            InputError: the file is missing, unreadable or of another size.
        """
        path = self.path(folder)
        if not is_file(path):
            raise InputError(
                f"{path}: this file of image {self.id!r} in {self.source} is missing; restore it "
                "from the data set"
            )
        pixels = read_image(path)
        if self.size is not None:
            self.check_size(path, pixels, self.size)
        return pixels

    def check_size(self, path: Path, pixels: np.ndarray, size: tuple[int, int]) -> None:
        """Raise an InputError if a file of this image differs from the image's size."""
        own = pixels.shape[:2]
        if own == size:
            return
        image = f"image {self.id!r} of {self.source} is {size_text(size)}"
        with opened(path) as picture:
            stored = picture.height, picture.width
        if stored == size:
            raise InputError(
                f"{path}: is {size_text(own)} as its EXIF data turn it, but {image}, as its pixels "
                "are stored; remove its EXIF orientation if the labels fit it then, or make labels "
                "of the upright picture"
            )
        raise InputError(
            f"{path}: is {size_text(own)}, but {image}; restore the file or correct the annotations"
        )


def images_of(document: Entry, source: Path, folder: Path) -> dict[Id, CocoImage]:
    """Return the images of a JSON file by their ids, in the order of their names.

    Raises:
        InputError: an entry is incomplete, or two entries share an id or a name.
    """
    images: dict[Id, CocoImage] = {}
    names: dict[str, CocoImage] = {}
    for place, entry in enumerate(document["images"]):
        where = f"{source}: entry {place} of 'images'"
        size, name = _size_of(entry, where), file_name(entry, folder, where)
        image = CocoImage(identity(entry, "id", where), name, size, source)
        if image.id in images:
            raise InputError(
                f"{image.where}: '{images[image.id].file_name}' has this id too; give every "
                "image a unique id"
            )
        if image.name in names:
            other = names[image.name]
            raise InputError(
                f"{image.where}: image {other.id!r} is '{other.file_name}' too; file names must "
                "differ before their suffix, so remove or rename one"
            )
        images[image.id] = names[image.name] = image
    return dict(sorted(images.items(), key=lambda pair: pair[1].name))


def _size_of(entry: Entry, where: str) -> tuple[int, int] | None:
    stated = isinstance(entry, dict) and (entry.get("height"), entry.get("width"))
    if stated == (None, None):
        return None
    return field(entry, "height", int, where), field(entry, "width", int, where)


def with_images(
    document: Entry, images: dict[Id, CocoImage], source: Path
) -> tuple[list[tuple[int, Entry, CocoImage]], list[str]]:
    """Return the annotations of images with their places in the file; and what is left out.

    As in pycocotools, annotations of images that are not in the file are left out.

    Raises:
        InputError: an annotation names no image, or none belongs to an image of the file.
    """
    find = finder(images)
    pairs, unknown = [], []
    for place, annotation in enumerate(document["annotations"]):
        number = identity(annotation, "image_id", f"{source}: entry {place} of 'annotations'")
        found = find(number)
        if found is None:
            unknown.append(number)
        else:
            pairs.append((place, annotation, images[found]))
    if not unknown:
        return pairs, []
    if not pairs:
        raise InputError(
            f"{source}: none of its {len(unknown)} annotations belongs to an image of 'images', "
            f"the first one to image {unknown[0]!r}; add the images or correct the 'image_id'"
        )
    said = f"{len(unknown)} of {len(document['annotations'])} annotations"
    return pairs, [f"{said} (their images are not in 'images'; first: image {unknown[0]!r})"]


@dataclass(frozen=True)
class Categories:
    """The categories of a JSON file, and the classes of a data set.

    Attributes:
        names: id of a category -> its name.
        things: id of a category -> whether it is a thing, if the file tells.
        space: the classes of the data set.
        source: the JSON file.
        find: finds the id of a category, as `finder` says.
    """

    names: dict[Id, str]
    things: dict[Id, bool]
    space: ClassSpace
    source: Path
    find: Callable[[Id], Id | None]

    def index(self, category: Id, where: str) -> int:
        """Return the class index of a category; category 255 is void unless the file defines it.

        Args:
            category: id of the category.
            where: the annotation, for errors.

        Raises:
            InputError: the category is unknown or no class of the data set, or is a thing in only
                one of the file and the data set.
        """
        found = self.find(category)
        if found is None and as_number(category) == VOID:
            return VOID
        if found is None:
            raise InputError(
                f"{where} has category {category!r}, which is not among the {len(self.names)} of "
                f"{self.source}; add it to 'categories' there, or correct the annotation"
            )
        name = self.names[found]
        if name not in self.space.classes:
            hint = nearest(name, self.space.classes)
            raise InputError(
                f"{where} has category {found!r} '{name}', which is no class of the data set; "
                f"add it to the data set's 'classes' in config.yaml ({hint})"
            )
        configured = name in self.space.things
        if self.things.get(found, configured) != configured:
            kinds = ("stuff", "a thing") if configured else ("a thing", "stuff")
            raise InputError(
                f"{where} has category {found!r} '{name}', {kinds[0]} in {self.source} but "
                f"{kinds[1]} in the data set; correct the data set's 'things' in config.yaml"
            )
        return self.space.classes.index(name)


def categories_of(document: Entry, space: ClassSpace, source: Path) -> Categories:
    """Return the categories of a JSON file, or those of COCO panoptic if it has none.

    Raises:
        InputError: an entry is incomplete, or two entries share an id.
    """
    names: dict[Id, str] = {}
    things: dict[Id, bool] = {}
    if document.get("categories"):
        entries = field(document, "categories", list, str(source))
    else:
        entries = [
            {"id": number, "name": name, "isthing": number in THINGS}
            for number, name in (THINGS | STUFF).items()
        ]
    for entry in entries:
        number = identity(entry, "id", f"{source}: an entry of 'categories'")
        where = f"{source}: category {number!r}"
        if number in names:
            raise InputError(f"{where} is listed twice; give every category a unique id")
        names[number] = field(entry, "name", str, where)
        if entry.get("isthing") is not None:
            things[number] = flag(entry, "isthing", where)
    return Categories(names, things, space, source, finder(names))
