"""Files of COCO as other programs write and read them: ids, names, sizes, masks, photographs."""

import copy
import json
import logging

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from coco_files import CAR, PERSON, SETS, SIZE, SMALL, drawn, picture, written
from support import store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.data.layouts import layout_named
from videottt.store.frames import FrameStore

NAN = float("nan")
MAPS = {"coco_videos": "panoptic_images/bar", "coco_panoptic": "panoptic_val2017"}
IMAGES = {"coco_videos": "raw_images/bar", "coco_panoptic": "val2017", "coco_instances": "val2017"}


def read(layout, root):
    return list(layout_named(layout).read(root, "any", SETS[layout][1], SMALL))


def assert_equal(frames, expected):
    assert [frame.name for frame in frames] == [frame.name for frame in expected]
    for ours, theirs in zip(frames, expected, strict=True):
        for kind in ("image", "semantic", "instance"):
            a, b = getattr(ours, kind), getattr(theirs, kind)
            assert (a is None) == (b is None)
            assert a is None or np.array_equal(a, b), kind
        assert (ours.instances is None) == (theirs.instances is None)
        if ours.instances is not None:
            assert ours.instances.masks == theirs.instances.masks
            assert ours.instances.classes.tolist() == theirs.instances.classes.tolist()
            assert ours.instances.crowd.tolist() == theirs.instances.crowd.tolist()


def document_of(root):
    (path,) = (each for each in (root / "annotations").rglob("*.json") if each.name[0] != ".")
    return path


@pytest.fixture
def usual(tmp_path):
    """Return a function that reads a set as it should be."""
    return lambda layout: read(layout, written(layout, tmp_path / "usual"))


# Masks


def masked(place, segmentation):
    def change(document, root):
        document["annotations"][place]["segmentation"] = segmentation

    return change


INVALID = {
    "a box for a polygon": [[0, 0, 1, 1]],
    "a polygon of seven numbers": [[0, 0, 1, 0, 1, 1, 0]],
    "no polygon": [],
    "an empty polygon": [[]],
    "null": None,
    "no run lengths": {},
    "a null polygon": [None],
    "a line": [[0, 0, 3, 2, 6, 4]],
    "a point": [[2, 2, 2, 2, 2, 2]],
    "NaN": [[0, 0, 6, NAN, 6, 4]],
    "infinity": [[0, 0, 6, float("inf"), 6, 4]],
    "null for NaN": [[0, 0, 6, None, 6, 4]],
}


@pytest.mark.parametrize("segmentation", INVALID.values(), ids=INVALID)
def test_an_object_without_a_mask_is_left_out_and_said_once(tmp_path, usual, caplog, segmentation):
    first, second = read(
        "coco_instances", written("coco_instances", tmp_path, masked(1, segmentation))
    )
    (expected, other) = usual("coco_instances")
    kept = [0, 2, 3]
    assert first.instances.classes.tolist() == [CAR, PERSON, PERSON]
    assert first.instances.masks == tuple(expected.instances.masks[place] for place in kept)
    assert first.instances.crowd.tolist() == [False, False, True]
    assert_equal([second], [other])
    (record,) = caplog.records
    assert "1 of 4 objects (they have no mask; first: annotation 8)" in record.getMessage()


@pytest.mark.parametrize("part", [each[0] for each in INVALID.values() if each])
def test_an_invalid_part_is_left_out_and_its_object_stays(tmp_path, usual, caplog, part):
    def change(document, root):
        document["annotations"][2]["segmentation"].insert(1, part)
        document["annotations"][0]["segmentation"].append(part)
        del document["annotations"][1]["segmentation"]
        document["annotations"][1]["bbox"] = [1, 0, 3, 2]

    first, _ = read("coco_instances", written("coco_instances", tmp_path, change))
    expected, _ = usual("coco_instances")
    assert first.instances.masks == tuple(expected.instances.masks[place] for place in (0, 2, 3))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"{document_of(tmp_path)}: left out 1 of 4 objects (they have no mask; first: "
        "annotation 8) and 2 of 6 polygons and other parts of masks (they have no area)"
    )


CORNERS = [[0, 0, 2, 0, 2, 1, 0, 1], [4, 3, 6, 3, 6, 4, 4, 4]]
RUNS = {"size": [4, 6], "counts": [0, 1, 3, 1, 14, 1, 3, 1]}
SPELLINGS = {
    "a level deeper": [CORNERS],
    "each a level deeper": [[each] for each in CORNERS],
    "corners as pairs": [[each[place : place + 2] for place in (0, 2, 4, 6)] for each in CORNERS],
    "run lengths in a list": [RUNS],
    "both": [RUNS, CORNERS[1]],
    "run lengths with fractions": {
        "size": [4.0, 6.0],
        "counts": [float(n) for n in RUNS["counts"]],
    },
}


@pytest.mark.parametrize("segmentation", SPELLINGS.values(), ids=SPELLINGS)
def test_other_spellings_of_a_mask_are_the_same_mask(tmp_path, usual, caplog, segmentation):
    frames = read("coco_instances", written("coco_instances", tmp_path, masked(2, segmentation)))
    assert_equal(frames, usual("coco_instances"))
    assert not caplog.records


@pytest.mark.parametrize("square", [
    [0.0, 0.0, 6.0, 0.0, 6.0, 4.0, 0.0, 4.0],
    [[0, 0], [6, 0], [6, 4], [0, 4]],
    [[[0, 0], [6, 0], [6, 4], [0, 4]]],
])  # fmt: skip
def test_one_polygon_needs_no_outer_list(tmp_path, usual, square):
    frames = read("coco_instances", written("coco_instances", tmp_path, masked(0, square)))
    assert_equal(frames, usual("coco_instances"))


def test_a_polygon_that_crosses_itself_has_an_area(tmp_path, caplog):
    bow_tie = [[0, 0, 4, 4, 4, 0, 0, 4]]
    first, _ = read("coco_instances", written("coco_instances", tmp_path, masked(1, bow_tie)))
    coded = coco_mask.frPyObjects(bow_tie, *SIZE)
    assert first.instances.masks[1] == coded[0]["counts"]
    assert first.instances.pixels()[1].any()
    assert not caplog.records


# Ids


def with_ids(images=lambda n: n, annotations=lambda n: n, segments=lambda n: n):
    """Return a change that writes the ids of the lists by functions, and so what refers to them."""

    def change(document, root):
        document["categories"] = copy.deepcopy(document["categories"])
        for each in document["images"] + document["categories"]:
            each["id"] = images(each["id"])
        for each in document["annotations"]:
            each["image_id"] = annotations(each["image_id"])
            for name in ("id", "category_id"):
                if name in each:
                    each[name] = annotations(each[name])
            for segment in each.get("segments_info", []):
                segment["category_id"] = annotations(segment["category_id"])
                segment["id"] = segments(segment["id"])

    return change


def large(number):
    return number if number == 255 else number + 10**30


def word(number):
    return "255" if number == 255 else f"id {number}"


DIALECTS = {
    "texts": with_ids(word, word),
    "numbers as texts": with_ids(str, str, str),
    "fractions": with_ids(float, float, float),
    "texts among numbers": with_ids(int, str, str),
    "numbers among texts": with_ids(str, float, float),
    "numbers with zeros": with_ids(int, lambda n: f"{n:012d}", lambda n: f"{n}.0"),
    "large": with_ids(large, large),
}


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("change", DIALECTS.values(), ids=DIALECTS)
def test_ids_are_integers_or_texts_however_they_are_written(
    tmp_path, usual, caplog, layout, change
):
    assert_equal(read(layout, written(layout, tmp_path, change)), usual(layout))
    assert not caplog.records


def test_an_id_is_itself_rather_than_a_number_and_never_one_of_two(tmp_path):
    def change(document, root):
        document["images"][0]["id"], document["images"][1]["id"] = "1", 1

    first, second = read("coco_instances", written("coco_instances", tmp_path / "a", change))
    assert (len(first.instances), len(second.instances)) == (4, 0)

    def unclear(document, root):
        change(document, root)
        for each in document["annotations"]:
            each["image_id"] = "01"

    with pytest.raises(InputError, match=r"none of its 4 annotations .* to image '01'; add"):
        read("coco_instances", written("coco_instances", tmp_path / "b", unclear))


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("wrong", [True, None, [1], {"a": 1}, 1.5, NAN])
@pytest.mark.parametrize(("key", "name"), [("images", "id"), ("annotations", "image_id"),
                                           ("categories", "id")])  # fmt: skip
def test_what_is_no_id_is_refused(tmp_path, layout, key, name, wrong):
    def change(document, root):
        document[key] = copy.deepcopy(document[key])
        document[key][0][name] = wrong

    with pytest.raises(InputError, match=f"'{name}' is missing or not an integer or a text; add"):
        read(layout, written(layout, tmp_path, change))


@pytest.mark.parametrize(("layout", "left"), [("coco_videos", 2), ("coco_panoptic", 2),
                                              ("coco_instances", 4)])  # fmt: skip
def test_annotations_of_other_images_are_left_out_unless_all_are(tmp_path, caplog, layout, left):
    def change(document, root):
        document["annotations"] += [{**document["annotations"][0], "image_id": 99}] * 3

    assert_equal(
        read(layout, written(layout, tmp_path / "a", change)),
        read(layout, written(layout, tmp_path / "b")),
    )
    (record,) = caplog.records
    said = f"left out 3 of {left + 3} annotations (their images are not in 'images'; first: image"
    assert f"{said} 99)" in record.getMessage()

    def spoil(document, root):
        for each in document["annotations"]:
            each["image_id"] = 99

    with pytest.raises(InputError, match=f"none of its {left} annotations belongs to an image"):
        read(layout, written(layout, tmp_path / "c", spoil))


# Names of files


def in_cameras(layout, spelt=str):
    """Return a change that moves x and y to 0001 in two folders; `spelt` writes the names."""

    def change(document, root):
        for folder, suffix in ((IMAGES[layout], "jpg"), (MAPS.get(layout), "png")):
            for place, old in enumerate("xy", start=1) if folder else ():
                new = root / folder / f"cam{place}/0001.{suffix}"
                new.parent.mkdir(exist_ok=True)
                (root / folder / f"{old}.{suffix}").rename(new)
        for entry in document["images"] + document["annotations"]:
            if "file_name" in entry:
                old, suffix = entry["file_name"].split(".")
                entry["file_name"] = spelt(f"cam{'xy'.index(old) + 1}/0001.{suffix}")

    return change


NAMES = {
    "as they are": str,
    "with backslashes": lambda name: name.replace("/", "\\"),
    "from here": lambda name: f"./{name}",
    "from here on Windows": lambda name: ".\\" + name.replace("/", "\\"),
    "in capital letters": lambda name: f"{name[:-4]}{name[-4:].upper()}",
    "without suffixes": lambda name: name[:-4],
    "with the folder": lambda name: f"{'panoptic_' * name.endswith('png')}val2017/{name}",
}


@pytest.mark.parametrize("layout", ["coco_panoptic", "coco_instances"])
@pytest.mark.parametrize("spelt", NAMES.values(), ids=NAMES)
def test_one_name_in_two_folders_is_two_frames(tmp_path, usual, layout, spelt):
    root = written(layout, tmp_path, in_cameras(layout, spelt))
    frames = read(layout, root)
    assert [frame.name for frame in frames] == ["cam1/0001", "cam2/0001"]
    for frame, theirs in zip(frames, usual(layout), strict=True):
        assert np.array_equal(frame.image, theirs.image)
        assert np.array_equal(frame.semantic, theirs.semantic)
    listed = layout_named(layout).list_frames
    if listed:
        assert not listed(root, "any", "val2017", SMALL).strays


def test_a_frame_in_a_folder_is_kept_and_can_begin_a_span(tmp_path):
    root = written("coco_panoptic", tmp_path, in_cameras("coco_panoptic"))
    settings = {"layout": "coco_panoptic", "classes": SMALL.classes, "things": SMALL.things,
                "fps": 1, "first": "cam2/0001"}  # fmt: skip
    main(["ingest", "--dataset", "d", "--split", "val", "--video", "val2017", "--root", str(root),
          "--settings", json.dumps(settings), "--output", str(tmp_path / "x.h5")])  # fmt: skip
    with FrameStore(tmp_path / "x.h5") as store:
        assert store.names == ["cam2/0001"]


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("..\\secret.png", "leads outside"),
        ("a\\..\\..\\secret.png", "leads outside"),
        ("a/..\\..\\secret.png", "leads outside"),
        ("C:\\secret.png", "leads outside"),
        ("C:/secret.png", "leads outside"),
        ("C:..\\secret.png", "leads outside"),
        ("\\secret.png", "leads outside"),
        ("\\\\server\\share\\secret.png", "leads outside"),
        ("http://images.cocodataset.org/val2017/x.jpg", "is an address; give the name"),
        ("", "is empty"),
        (".\\", "is empty"),
        (7, "'file_name' is missing or not a text"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, layout, name, message):
    def change(document, root):
        picture(root / "secret.png", np.zeros((*SIZE, 3), np.uint8))
        document["images" if layout == "coco_instances" else "annotations"][0]["file_name"] = name

    with pytest.raises(InputError, match=message):
        read(layout, written(layout, tmp_path, change))


def test_a_suffix_that_could_be_two_files_is_no_guess(tmp_path):
    def change(document, root):
        document["images"][1]["file_name"] = "x"
        picture(root / "val2017/x.png", np.zeros((*SIZE, 3), np.uint8))

    with pytest.raises(InputError, match=r"val2017/x: this file of image 1 in .* is missing"):
        read("coco_instances", written("coco_instances", tmp_path, change))


@pytest.mark.parametrize(("layout", "suffix"), [("coco_videos", ".jpg"), ("coco_videos", ""),
                                                ("coco_panoptic", ".jpg"), ("coco_panoptic", ""),
                                                ("coco_panoptic", ".PNG")])  # fmt: skip
def test_maps_are_png_files_whatever_suffix_is_written(tmp_path, usual, layout, suffix):
    def change(document, root):
        for entry in document["annotations"] + document["images"] * (layout == "coco_videos"):
            entry["file_name"] = entry["file_name"][:-4] + suffix

    assert_equal(read(layout, written(layout, tmp_path, change)), usual(layout))


def test_frames_of_coco_videos_may_be_named_with_their_folder_and_be_of_any_kind(tmp_path, usual):
    def change(document, root):
        for entry in document["images"] + document["annotations"]:
            entry["file_name"] = f"bar\\{entry['file_name']}"
        with Image.open(root / "raw_images/bar/bar_0002.png") as frame:
            frame.save(root / "raw_images/bar/bar_0002.bmp")
        (root / "raw_images/bar/bar_0002.png").unlink()

    assert_equal(
        read("coco_videos", written("coco_videos", tmp_path, change)), usual("coco_videos")
    )


# Other keys


def without_sizes(document):
    for entry in document["images"]:
        del entry["height"], entry["width"]


def with_null_sizes(document):
    for entry in document["images"]:
        entry.update(height=None, width=None)


def with_sizes_as_fractions(document):
    for entry in document["images"]:
        entry.update(height=4.0, width=6.0)


def with_keys_of_others(document):
    document |= {"info": None, "licenses": []}
    for entry in document["images"] + document["annotations"] + document["categories"]:
        entry |= {"extra": {"a": [1]}, "area": None, "bbox": None, "supercategory": None}
    document["categories"].reverse()


def with_flags_of_others(document):
    for entry in document["annotations"]:
        for each in [entry, *entry.get("segments_info", [])]:
            if not each.get("iscrowd"):
                each["iscrowd"] = None
            else:
                each["iscrowd"] = 1.0
    for entry in document["categories"]:
        entry["isthing"] = None


CHANGES = (without_sizes, with_null_sizes, with_sizes_as_fractions, with_keys_of_others,
           with_flags_of_others)  # fmt: skip


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("change", CHANGES)
def test_optional_keys_may_be_absent_null_or_more(tmp_path, usual, layout, change):
    def changed(document, root):
        document["categories"] = copy.deepcopy(document["categories"])
        change(document)

    assert_equal(read(layout, written(layout, tmp_path, changed)), usual(layout))


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_document_may_begin_with_a_byte_order_mark(tmp_path, usual, layout, encoding):
    root = written(layout, tmp_path)
    path = document_of(root)
    path.write_text(path.read_text(), encoding=encoding)
    assert_equal(read(layout, root), usual(layout))


def test_a_map_without_segments_is_void(tmp_path):
    def change(document, root):
        document["annotations"][0]["segments_info"] = []
        picture(root / "panoptic_val2017/x.png", np.zeros((*SIZE, 3), np.uint8))

    first, _ = read("coco_panoptic", written("coco_panoptic", tmp_path, change))
    assert (first.semantic == 255).all()
    assert (first.instance == 0).all()


# Photographs and maps

QUARTERS = np.zeros((*SIZE, 3), np.uint8)
QUARTERS[:2, :3], QUARTERS[:2, 3:], QUARTERS[2:, :3] = (250, 40, 40), (40, 250, 40), (40, 40, 250)
OPPOSITES = {3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
             6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}  # fmt: skip
FIRST = {"coco_videos": "bar_0001.png", "coco_panoptic": "x.jpg", "coco_instances": "x.jpg"}


def turned(layout, orientation):
    """Return a change that stores the first picture turned, with the EXIF data that say so."""

    def change(document, root):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(QUARTERS).transpose(OPPOSITES[orientation])
        options = {} if layout == "coco_videos" else {"quality": 100, "subsampling": 0}
        stored.save(root / IMAGES[layout] / FIRST[layout], exif=exif, **options)

    return change


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("orientation", OPPOSITES)
@pytest.mark.parametrize("sized", [True, False])
def test_photographs_are_upright_under_their_labels(tmp_path, usual, layout, orientation, sized):
    def change(document, root):
        turned(layout, orientation)(document, root)
        if not sized:
            without_sizes(document)

    first, *others = read(layout, written(layout, tmp_path, change))
    # A JPEG of 4 x 6 pixels is not quite what was stored.
    assert np.abs(first.image.astype(int) - QUARTERS).max() <= (
        0 if layout == "coco_videos" else 60
    )
    expected, *rest = usual(layout)
    assert np.array_equal(first.semantic, expected.semantic)
    assert np.array_equal(first.instance, expected.instance)
    assert_equal(others, rest)


@pytest.mark.parametrize("layout", SETS)
def test_labels_of_the_pixels_as_they_are_stored_are_refused(tmp_path, layout):
    def change(document, root):
        turned(layout, 6)(document, root)
        for entry in document["images"]:
            if entry["file_name"] == FIRST[layout]:
                entry.update(height=6, width=4)

    message = (
        rf"{FIRST[layout]}: is 6x4 as its EXIF data turn it, but image 1?1 of .*json is 4x6, as "
        "its pixels are stored; remove its EXIF orientation"
    )
    with pytest.raises(InputError, match=message):
        read(layout, written(layout, tmp_path, change))


@pytest.mark.parametrize("layout", MAPS)
def test_maps_may_have_an_opaque_alpha_channel_or_a_palette(tmp_path, usual, layout):
    def change(document, root):
        opaque, indexed = document["annotations"]
        colours = np.dstack([drawn(), np.full(SIZE, 255, np.uint8)])
        picture(root / MAPS[layout] / opaque["file_name"], colours)
        palette = Image.fromarray(drawn()).quantize(16, dither=Image.Dither.NONE)
        assert np.array_equal(np.asarray(palette.convert("RGB")), drawn())
        palette.save(root / MAPS[layout] / indexed["file_name"])

    assert_equal(read(layout, written(layout, tmp_path / "a", change)), usual(layout))

    def fade(document, root):
        change(document, root)
        colours = np.dstack([drawn(), np.full(SIZE, 128, np.uint8)])
        picture(root / MAPS[layout] / document["annotations"][0]["file_name"], colours)

    with pytest.raises(InputError, match="mode RGBA with transparency, expected RGB"):
        read(layout, written(layout, tmp_path / "b", fade))


@pytest.mark.parametrize("layout", SETS)
def test_hidden_files_beside_pictures_and_maps_are_none(tmp_path, usual, layout):
    root = written(layout, tmp_path)
    for folder in {*root.rglob("*"), root}:
        if folder.is_dir():
            for path in [*folder.iterdir(), folder / "clip.json"]:
                (folder / f"._{path.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
            (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
            (folder / "__MACOSX").mkdir()
    frames = read(layout, root)
    assert_equal(frames, usual(layout))
    listed = layout_named(layout).list_frames
    if listed:
        listing = listed(root, "any", SETS[layout][1], SMALL)
        assert not listing.strays
        assert not listing.problems
    path = document_of(root)
    path.rename(path.with_name("n" + path.name))
    with pytest.raises(InputError, match=f"missing; did you mean 'n{path.name}'"):
        read(layout, root)


def test_what_is_read_is_kept(tmp_path):
    def change(document, root):
        DIALECTS["texts"](document, root)
        document["annotations"][1]["segmentation"] = []

    frames = read("coco_instances", written("coco_instances", tmp_path, change))
    space = {"classes": SMALL.classes, "things": SMALL.things}
    with FrameStore(store_frames(tmp_path / "x.h5", frames, **space)) as store:
        assert store.instances(0).masks == frames[0].instances.masks
        assert len(store.instances(0)) == 3
