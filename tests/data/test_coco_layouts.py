"""Layouts of COCO, on small hand-made sets, each also broken in every way that is reported."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from coco_files import CAR, PERSON, SETS, SIZE, SKY, SMALL, picture, written
from support import DATA, SPACE, VIDEO, store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace
from videottt.data.layouts import (
    coco_videos,
    layout_named,
    writer_named,
)
from videottt.data.layouts.coco_categories import STUFF, THINGS
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame


def read(layout, root, space=SMALL, video=None):
    return list(layout_named(layout).read(root, "any", video or SETS[layout][1], space))


SEMANTIC = [
    [SKY] * 6,
    [SKY, CAR, CAR, CAR, CAR, VOID],
    [SKY, CAR, CAR, CAR, CAR, VOID],
    [PERSON, PERSON, PERSON, PERSON, VOID, VOID],
]
INSTANCE = [[0] * 6, [0, 1, 1, 2, 2, 0], [0, 1, 1, 2, 2, 0], [3, 3, 0, 0, 0, 0]]


def test_sparse_labels_of_coco_videos_are_those_of_their_frames(tmp_path):
    frames = read("coco_videos", written("coco_videos", tmp_path))
    assert [frame.name for frame in frames] == [f"bar_000{number}" for number in (1, 2, 3, 4)]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 2, 3]
    for frame in frames[::2]:
        assert frame.semantic.tolist() == SEMANTIC
        assert frame.instance.tolist() == INSTANCE
        assert (frame.semantic.dtype, frame.instance.dtype) == (np.uint8, np.uint16)
    assert all(frame.semantic is None and frame.instance is None for frame in frames[1::2])


def test_coco_panoptic_is_read_by_name_with_maps_in_either_folder(tmp_path):
    root = written("coco_panoptic", tmp_path)
    frames = read("coco_panoptic", root)
    assert [frame.name for frame in frames] == ["x", "y"]
    assert frames[1].semantic.tolist() == SEMANTIC
    (root / "panoptic_val2017").rename(root / "annotations/panoptic_val2017")
    again = read("coco_panoptic", root)
    assert all(np.array_equal(a.instance, b.instance) for a, b in zip(frames, again, strict=True))


def test_crowds_void_and_objects_of_a_map_become_segments(tmp_path):
    frames = read("coco_panoptic", written("coco_panoptic", tmp_path))
    with FrameStore(
        store_frames(tmp_path / "x.h5", frames, classes=SMALL.classes, things=SMALL.things)
    ) as store:
        panoptic, instances = store.panoptic(0), store.instances(0)
    assert panoptic.classes.tolist() == [SKY, CAR, CAR, PERSON, PERSON]
    assert panoptic.crowd.tolist() == [False, False, False, True, False]
    assert panoptic.semantic.tolist() == SEMANTIC
    assert instances.classes.tolist() == [CAR, CAR, PERSON, PERSON]
    assert instances.pixels().sum((1, 2)).tolist() == [4, 4, 2, 2]


def test_masks_that_overlap_are_kept_and_the_smaller_one_lies_on_top(tmp_path):
    first, second = read("coco_instances", written("coco_instances", tmp_path))
    square, runs, corner = (np.zeros(SIZE, bool) for _ in range(3))
    square[:] = True
    runs[:2, 1:4] = True
    corner[0, :2] = corner[3, 4:] = True
    assert first.instances.classes.tolist() == [CAR, PERSON, PERSON, PERSON]
    assert first.instances.crowd.tolist() == [False, False, False, True]
    assert np.array_equal(first.instances.pixels(), np.stack([square, runs, corner, runs]))
    expected = np.ones(SIZE, int)  # the car, below all others
    expected[runs] = 0  # the crowd, over the person of the same size that comes before it
    expected[corner] = 3
    assert first.instance.tolist() == expected.tolist()
    assert np.array_equal(first.semantic, np.where(runs | corner, PERSON, CAR))
    assert len(second.instances) == 0
    assert (second.semantic == VOID).all()


def test_a_frame_store_keeps_masks_that_overlap(tmp_path):
    frames = read("coco_instances", written("coco_instances", tmp_path))
    frames = [SourceFrame("bare", frames[0].image), *frames]
    space = {"classes": SMALL.classes, "things": SMALL.things}
    with FrameStore(store_frames(tmp_path / "x.h5", frames, **space)) as store:
        kept = [store.instances(index) for index in range(3)]
    assert [len(each) for each in kept] == [0, 4, 0]
    assert kept[1].masks == frames[1].instances.masks
    assert kept[1].crowd.tolist() == [False, False, False, True]
    assert kept[1].size == SIZE


def test_stuff_of_an_instance_file_is_in_the_map_and_no_instance(tmp_path):
    space = ClassSpace(SMALL.classes, ("car",))
    first, _ = read("coco_instances", written("coco_instances", tmp_path), space)
    assert first.instances.classes.tolist() == [CAR]
    assert first.instance.max() == 1
    assert (first.semantic == PERSON).sum() == 9


def test_stills_of_several_sizes_lie_on_a_canvas(tmp_path):
    def enlarge(document, root):
        document["images"][0] |= {"height": 7, "width": 5}
        picture(root / "val2017/y.jpg", np.full((7, 5, 3), 200, np.uint8))

    frames = read("coco_instances", written("coco_instances", tmp_path, enlarge))
    options = {"classes": SMALL.classes, "things": SMALL.things}
    with pytest.raises(InputError, match=r"'y' of video 'tiny_0'.* is 5x7 but 'x' is 6x4"):
        store_frames(tmp_path / "x.h5", frames, **options)
    with pytest.raises(InputError, match=r"5x7, larger than .*'canvas' of 8x6"):
        store_frames(tmp_path / "x.h5", frames, canvas=(6, 8), **options)
    path = store_frames(tmp_path / "x.h5", frames, canvas=(8, 8), **options)
    with FrameStore(path) as store:
        assert store.size == (8, 8)
        assert store.sizes.tolist() == [[4, 6], [7, 5]]
        for index, frame in enumerate(frames):
            assert np.array_equal(store.frame(index), frame.image)
            assert np.array_equal(store.semantic(index), frame.semantic)
            assert np.array_equal(store.instance(index), frame.instance)
            assert np.array_equal(store.instances(index).pixels(), frame.instances.pixels())


def test_categories_are_those_of_coco_where_a_file_names_none(tmp_path):
    def coco_s_own(document, root):
        del document["categories"]

    root = written("coco_videos", tmp_path, coco_s_own)
    names = ["sky-other-merged", "car", "person"]
    space = ClassSpace(tuple(names), ("car", "person"))
    assert read("coco_videos", root, space)[0].semantic.tolist() == SEMANTIC
    assert (len(THINGS), len(STUFF)) == (80, 53)


# Broken sets. Each change returns nothing; the message names the file and the id.


def segments_of(document):
    return document["annotations"][0]["segments_info"]


def in_images(**changes):
    return lambda document, root: document["images"][0].update(changes)


def in_segment(place, **changes):
    return lambda document, root: segments_of(document)[place].update(changes)


def without(path):
    return lambda document, root: (root / path).unlink()


def redrawn(path, size):
    return lambda document, root: picture(root / path, np.zeros((*size, 3), np.uint8))


def dropped(key):
    return lambda document, root: document.pop(key)


def again(key):
    return lambda document, root: document[key].append(dict(document[key][0]))


# Cases of both layouts with segments: the changes are of image 13 or 1.
BROKEN_MAPS = [
    (lambda d, r: segments_of(d).pop(1), r"segment 300 has pixels, but is not in"),
    (lambda d, r: segments_of(d).append({"id": 77, "category_id": 3}), "segment 77 .*has no pixel"),
    (lambda d, r: segments_of(d).append(dict(segments_of(d)[0])), "segment 5 is 2 times"),
    (in_segment(1, id=0), "segment 0 is 1 times"),
    (in_segment(1, category_id=4), "segment 300 has category 4, which is not among the 3"),
    (in_segment(1, category_id="car"), "segment 300 has category 'car', which is not among the 3"),
    (in_segment(1, category_id=[3]), "segment 300: 'category_id' is missing or not an integer or"),
    (in_segment(1, id="x"), "an entry of its segments: 'id' is not an integer; correct it"),
    (in_segment(1, instance_id="x"), "segment 300: 'instance_id' is not an integer; correct it"),
    (in_segment(0, instance_id=70000), "segment 5 has instance_id 70000"),
    (lambda d, r: [each.update(instance_id=4) for each in segments_of(d)[1:3]],
     "instance_id 4, as segment 300"),
    (lambda d, r: d["annotations"][0].pop("segments_info"), "'segments_info' is missing"),
    (lambda d, r: d["annotations"][0].pop("file_name"), "entry 0 of 'annotations': 'file_name'"),
    (lambda d, r: [each.update(image_id=99) for each in d["annotations"]],
     "none of its 2 annotations belongs to an image of 'images', the first one to image 99; add"),
    (again("annotations"), "image 1?[13] .*has two annotations"),
    (lambda d, r: d["annotations"][1].update(file_name=d["annotations"][0]["file_name"]),
     "image 1?1 .*image 1?[13] both name the map|image 2 .*image 1 both name the map"),
    (dropped("annotations"), "has no list 'annotations'"),
    (dropped("images"), "has no list 'images'"),
    (again("images"), "has this id too"),
    (lambda d, r: d["images"][0].update(file_name=d["images"][1]["file_name"]),
     r"image \d+ .*image \d+ is '.*' too"),
    (lambda d, r: d["images"][0].pop("height"), "entry 0 of 'images': 'height' is missing"),
    (lambda d, r: d["categories"].append(d["categories"][0]), "category 1 is listed twice"),
    (lambda d, r: d["categories"][0].pop("name"), "category 1: 'name' is missing"),
    (lambda d, r: d["categories"][1].update(name="cart"), "'cart', which is no class.*mean 'car'"),
    (lambda d, r: d["categories"][2].update(isthing=1), "'sky', a thing in .* but stuff in"),
]  # fmt: skip
BROKEN = [
    *(("coco_videos", change, message) for change, message in BROKEN_MAPS),
    *(("coco_panoptic", change, message) for change, message in BROKEN_MAPS),
    ("coco_videos", without("panoptic_images/bar/bar_0003.png"),
     r"bar_0003\.png: this map of segments of image 13 in .*bar\.json is missing"),
    ("coco_videos", redrawn("panoptic_images/bar/bar_0003.png", (4, 7)),
     r"panoptic_images/bar/bar_0003\.png: is 7x4, but image 13 of .* is 6x4"),
    ("coco_videos", redrawn("raw_images/bar/bar_0003.png", (5, 6)),
     r"raw_images/bar/bar_0003\.png: is 6x5, but image 13"),
    ("coco_videos", in_images(height=9), r"bar_0003\.png: is 6x4, but image 13 of .* is 6x9"),
    ("coco_videos", without("raw_images/bar/bar_0002.png"), r"bar_0003\.png: .*after number 1"),
    ("coco_videos", without("raw_images/bar/bar_0004.png"), r"image 14 \('bar_0004\.png'\) is not"),
    ("coco_videos", lambda d, r: picture(
        r / "raw_images/bar/bar_x.png", np.zeros((*SIZE, 3), np.uint8)), r"bar_x\.png: the name"),
    ("coco_videos", lambda d, r: picture(
        r / "panoptic_images/bar/bar_0001.png", np.zeros(SIZE, np.uint8)), "mode L, expected RGB"),
    ("coco_panoptic", without("panoptic_val2017/x.png"),
     r"panoptic_val2017/x\.png: this map of segments of image 1 in"),
    ("coco_panoptic", without("val2017/y.jpg"), r"y\.jpg: this file of image 2 in"),
    ("coco_panoptic", redrawn("val2017/y.jpg", (5, 6)), r"y\.jpg: is 6x5, but image 2"),
    ("coco_panoptic", in_images(file_name="x.png"), r"image 1 .*image 2 is 'x\.png' too"),
    ("coco_instances", without("val2017/y.jpg"), r"y\.jpg: this file of image 2 in"),
    ("coco_instances", in_images(width=7), r"y\.jpg: is 6x4, but image 2 of .* is 7x4"),
    ("coco_instances", again("annotations"), "annotation 7 is listed twice"),
    ("coco_instances", again("images"), "image 2 .*has this id too"),
    ("coco_instances", dropped("images"), "has no list 'images'"),
    ("coco_instances", lambda d, r: [each.update(segmentation=[]) for each in d["annotations"]],
     r"none of its 4 objects has a mask \(first: annotation 7\); add a 'segmentation'"),
    ("coco_instances", lambda d, r: d["annotations"][1].update(category_id=5),
     "annotation 8 has category 5"),
]  # fmt: skip


def of_mask(segmentation):
    return lambda document, root: document["annotations"][1].update(segmentation=segmentation)


BROKEN_MASKS = [
    ([[0, 0, 1, 1, 2, "2"]], "polygon of 6 values that are not all numbers"),
    ([[0, 0, 1, 1, 2, True]], "polygon of 6 values that are not all numbers"),
    ([[[[0, 0, 1, 1, 2, 2]]]], "polygon of 1 values that are not all numbers"),
    ([[0, 0, 1, 1, 2, 10**12]], "a corner far from its image of 6x4"),
    ([[0, 0, 1, 1, 2, 10**400]], "a corner far from its image of 6x4"),
    ("0 0 1 1 2 2", "no 'segmentation'"),
    ({"counts": [24]}, "no 'segmentation'"),
    ({"size": [6, 4], "counts": [24]}, r"size \[6, 4\], but its image has \[4, 6\]"),
    ({"size": [4, 6], "counts": [24, 1]}, "do not add up to 4 x 6"),
    ({"size": [4, 6], "counts": [26, -2]}, "do not add up to 4 x 6"),
    ({"size": [4, 6], "counts": "h1"}, "compressed run lengths that are damaged"),
    ({"size": [4, 6], "counts": "P"}, "compressed run lengths that are damaged"),
    ({"size": [4, 6], "counts": "ü"}, "compressed run lengths that are damaged"),
    ({"size": [4, 6], "counts": 24}, "compressed run lengths that are damaged"),
]
BROKEN += [
    ("coco_instances", of_mask(mask), f"annotation 8 has .*{message}")
    for mask, message in BROKEN_MASKS
]


@pytest.mark.parametrize(("layout", "change", "message"), BROKEN)
def test_an_inconsistent_set_is_refused_by_file_and_id(tmp_path, layout, change, message):
    root = written(layout, tmp_path, change)
    with pytest.raises(InputError, match=message) as caught:
        read(layout, root)
    text = str(caught.value)
    assert "\n" not in text
    assert str(tmp_path) in text
    assert re.search(r"[;(] ?\w+", text), "it says how to mend it"


@pytest.mark.parametrize("layout", SETS)
def test_annotations_that_are_no_json_or_not_there_are_refused(tmp_path, layout):
    root = written(layout, tmp_path)
    path = next((root / "annotations").rglob("*.json"))
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InputError, match=rf"{path.name}: not a readable JSON"):
        read(layout, root)
    path.write_text("[]")
    with pytest.raises(InputError, match="has no list 'images'"):
        read(layout, root)
    path.rename(path.with_name("n" + path.name))
    with pytest.raises(InputError, match=f"annotations are missing; did you mean 'n{path.name}'"):
        read(layout, root)


# The embedded benchmark in the layout of COCO Videos


def stores_of(frames, folder, label_every):
    """Return frame stores of one video by way of both layouts."""
    sparse = [
        frame if index % label_every == 0 else SourceFrame(frame.name, frame.image)
        for index, frame in enumerate(frames)
    ]
    paths = []
    for layout, written_frames in (("kitti_step", frames), ("coco_videos", sparse)):
        root = folder / layout
        count = writer_named(layout)(root, "test", VIDEO, iter(written_frames), SPACE)
        assert count == len(frames)
        frames_read = layout_named(layout).read(root, "test", VIDEO, SPACE)
        paths.append(store_frames(folder / f"{layout}.h5", frames_read))
    return paths


def segments(panoptic):
    return {name: getattr(panoptic, name).tolist() for name in ("ids", "classes", "crowd")}


def test_one_video_is_the_same_in_both_layouts_where_it_is_labelled(tmp_path, source_frames):
    # A crowd and void too, which the renderer does not draw.
    semantic, instance = source_frames[0].semantic.copy(), source_frames[0].instance.copy()
    semantic[:5, :7], instance[:5, :7] = VOID, 0
    semantic[10:20, :9], instance[10:20, :9] = SPACE.classes.index("person"), 0
    first = SourceFrame("000000", source_frames[0].image, semantic, instance)
    dense, sparse = stores_of([first, *source_frames[1:]], tmp_path, 5)
    with FrameStore(dense) as kitti, FrameStore(sparse) as coco:
        assert coco.labelled.tolist() == [index % 5 == 0 for index in range(len(source_frames))]
        assert kitti.labelled.all()
        assert coco.panoptic(0).crowd.any()
        for index in range(len(source_frames)):
            assert np.array_equal(kitti.frame(index), coco.frame(index))
        for index in np.flatnonzero(coco.labelled):
            assert np.array_equal(kitti.semantic(index), coco.semantic(index))
            assert np.array_equal(kitti.instance(index), coco.instance(index))
            assert segments(kitti.panoptic(index)) == segments(coco.panoptic(index))
            assert kitti.instances(index).masks == coco.instances(index).masks


def test_the_layout_of_the_authors_is_written(tmp_path, source_frames):
    coco_videos.write(tmp_path, "test", "bar", source_frames[:3], SPACE)
    names = {"bar_000001.png", "bar_000002.png", "bar_000003.png"}
    for kind in ("raw", "panoptic", "semantic"):
        assert {each.name for each in (tmp_path / f"{kind}_images/bar").iterdir()} == names
    document = json.loads((tmp_path / "annotations/train/bar.json").read_text())
    assert json.loads((tmp_path / "annotations/val/bar.json").read_text()) == document
    assert [each["name"] for each in document["categories"]] == list(SPACE.classes)
    assert {each["name"] for each in document["categories"] if each["isthing"]} == {"person", "car"}
    assert len({tuple(each["color"]) for each in document["categories"]}) == len(SPACE.classes)
    colours = np.asarray(Image.open(tmp_path / "panoptic_images/bar/bar_000002.png")).astype(int)
    ids = colours @ [1, 256, 65536]
    for segment in document["annotations"][1]["segments_info"]:
        inside = ids == segment["id"]
        left, top, width, height = segment["bbox"]
        assert inside.sum() == segment["area"]
        assert inside[top : top + height, left : left + width].sum() == segment["area"]
        assert (source_frames[1].semantic[inside] == segment["category_id"] - 1).all()


def test_the_benchmark_is_rendered_and_ingested_with_sparse_labels(tmp_path):
    classes = {"classes": SPACE.classes, "things": SPACE.things, "layout": "coco_videos"}
    scene = {
        "size": [32, 48],
        "seed": 0,
        "frames": 5,
        "phases": [{"place": "park", "light": "day"}],
    }
    stores = {}
    for label_every in (1, 2):
        root, path = tmp_path / f"root{label_every}", tmp_path / f"{label_every}.h5"
        settings = json.dumps({**scene, **classes, "label_every": label_every})
        ids = ["--split", "test", "--video", "v"]
        main(["render", *ids, "--settings", settings, "--output", str(root)])
        settings = json.dumps({**classes, "fps": 10})
        ids += ["--dataset", "x", "--root", str(root)]
        main(["ingest", *ids, "--settings", settings, "--output", str(path)])
        stores[label_every] = FrameStore(path)
    with stores[1] as dense, stores[2] as sparse:
        assert dense.labelled.all()
        assert sparse.labelled.tolist() == [True, False, True, False, True]
        assert sparse.space == SPACE
        for index in range(5):
            assert np.array_equal(dense.frame(index), sparse.frame(index))
            expected = dense.semantic(index) if sparse.labelled[index] else VOID
            assert (sparse.semantic(index) == expected).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_every": 0}, "label_every: 0 is not allowed; it must be at least 1"),
        ({"label_every": 2}, "frame 1 of video 'v' has no labels, but kitti_step"),
        ({"layout": "camvid"}, "layout 'camvid' cannot be written"),
    ],
)
def test_settings_that_cannot_be_rendered_leave_no_folder(tmp_path, capsys, changes, message):
    scene = {"size": [32, 48], "seed": 0, "frames": 3, **changes}
    ids = ["--split", "train", "--video", "v", "--output", str(tmp_path / "root")]
    with pytest.raises(SystemExit):
        main(["render", *ids, "--settings", json.dumps(scene)])
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# COCO's own sample

SAMPLE = DATA / "coco_panoptic_sample"
COCO = ClassSpace((*THINGS.values(), *STUFF.values()), tuple(THINGS.values()))


@pytest.fixture
def sample(tmp_path):
    if not SAMPLE.is_dir():
        pytest.skip(f"no COCO sample in {DATA}: set VIDEOTTT_SHARED_DATA to the folder with it")
    shutil.copytree(SAMPLE / "input_images", tmp_path / "val2017")
    shutil.copytree(SAMPLE / "panoptic_examples", tmp_path / "panoptic_val2017")
    (tmp_path / "annotations").mkdir()
    for kind, name in (("panoptic", "examples"), ("instances", "coco_detection_format")):
        target = tmp_path / "annotations" / f"{kind}_val2017.json"
        shutil.copy(SAMPLE / f"panoptic_{name}.json", target)
    return tmp_path


@pytest.mark.shared_data
def test_coco_s_sample_is_the_same_as_segments_and_as_instances(sample):
    def stored(layout):
        frames = layout_named(layout).read(sample, "val", "val2017", COCO)
        options = {"classes": COCO.classes, "things": COCO.things, "canvas": (640, 640)}
        return FrameStore(store_frames(sample / f"{layout}.h5", frames, **options))

    source = json.loads((sample / "annotations/panoptic_val2017.json").read_text())
    with stored("coco_panoptic") as maps, stored("coco_instances") as masks:
        assert maps.names == ["000000142238", "000000439180"]
        for index, annotated in enumerate(source["annotations"]):
            panoptic = maps.panoptic(index)
            areas = np.bincount(panoptic.ids.ravel())[1:]
            infos = annotated["segments_info"]
            assert sorted(areas) == sorted(each["area"] for each in infos)
            names = THINGS | STUFF
            classes = sorted(COCO.classes.index(names[each["category_id"]]) for each in infos)
            assert panoptic.classes.tolist() == classes
            crowds = {each["area"] for each in infos if each["iscrowd"]}
            assert {int(area) for area in areas[panoptic.crowd]} == crowds
            assert len(crowds) >= 1
            assert np.array_equal(maps.semantic(index), masks.semantic(index))
            ours, theirs = maps.instances(index), masks.instances(index)
            keys = [
                sorted(zip(each.classes.tolist(), each.crowd.tolist(), each.masks, strict=True))
                for each in (ours, theirs)
            ]
            assert keys[0] == keys[1]
            assert len(ours) == sum(each["category_id"] in THINGS for each in infos)
