import json

import numpy as np
import pytest
from PIL import Image

from support import SIZE, SPACE
from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace, panoptic_from
from videottt.data.layouts import camvid, cityscapes, kitti_step, layout_named
from videottt.data.layouts.kitti_step import CITYSCAPES


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


# KITTI-STEP


@pytest.fixture
def kitti(tmp_path, source_frames):
    """Two videos of four frames in KITTI-STEP's layout."""
    for video, frames in (("0002", source_frames[:4]), ("0014", source_frames[4:8])):
        assert kitti_step.write(tmp_path, "val", video, iter(frames), SPACE) == 4
    return tmp_path


def read_kitti(root, video="0002", split="val"):
    return list(kitti_step.read(root, split, video, SPACE))


def test_kitti_step_is_read_as_it_was_written(kitti, source_frames):
    for read, frame in zip(read_kitti(kitti, "0014"), source_frames[4:8], strict=True):
        assert np.array_equal(read.image, frame.image)
        assert np.array_equal(read.semantic, frame.semantic)
        assert np.array_equal(read.instance, frame.instance)
    names = [frame.name for frame in read_kitti(kitti)]
    assert names == ["000000", "000001", "000002", "000003"]


def test_a_panoptic_map_is_class_and_256_times_green_plus_blue(tmp_path):
    panoptic = np.array([[[13, 0, 1], [13, 1, 0], [11, 255, 254], [VOID, 0, 0]]], np.uint8)
    semantic, instance = kitti_step.decode(panoptic)
    assert semantic.tolist() == [[13, 13, 11, VOID]]
    assert instance.tolist() == [[1, 256, 255 * 256 + 254, 0]]
    assert (semantic.dtype, instance.dtype) == (np.uint8, np.uint16)
    assert np.array_equal(kitti_step.encode(semantic, instance), panoptic)


def test_a_split_without_panoptic_maps_is_read_without_labels(kitti):
    (kitti / "images" / "val").rename(kitti / "images" / "test")
    frames = read_kitti(kitti, split="test")
    assert len(frames) == 4
    assert all(frame.semantic is None and frame.instance is None for frame in frames)


# The layouts of KITTI-STEP, and the files of each.


def as_deeplab2_arranges_it(root):
    """As `kitti_step.write` writes it."""


def as_the_archives_unpack(root):
    (root / "training").mkdir()
    (root / "images/val").rename(root / "training/image_02")
    (root / "images").rmdir()


def as_the_authors_derive_it(root):
    add_what_the_authors_derive(root)
    for path in (root / "panoptic_maps").rglob("*.png"):
        if not path.name.endswith("_sem.png"):
            path.unlink()


def add_what_the_authors_derive(root):
    for path in list((root / "panoptic_maps").rglob("*.png")):
        classes = np.asarray(Image.open(path))[..., 0]
        picture(path.with_name(f"{path.stem}_sem.png"), classes)
        stated = {"imgHeight": classes.shape[0], "imgWidth": classes.shape[1]}
        path.with_suffix(".json").write_text(json.dumps(stated))


@pytest.mark.parametrize(
    ("rearrange", "instances"),
    [
        (as_deeplab2_arranges_it, True),
        (as_the_archives_unpack, True),
        (add_what_the_authors_derive, True),
        (as_the_authors_derive_it, False),
    ],
)
def test_every_form_of_kitti_step_holds_the_same(kitti, source_frames, rearrange, instances):
    rearrange(kitti)
    for video, frames in (("0002", source_frames[:4]), ("0014", source_frames[4:8])):
        for read, frame in zip(read_kitti(kitti, video), frames, strict=True):
            assert np.array_equal(read.image, frame.image)
            assert np.array_equal(read.semantic, frame.semantic)
            assert (read.instance is not None) == instances
            assert not instances or np.array_equal(read.instance, frame.instance)


def test_all_missing_files_are_listed_and_reading_stops_at_the_first(tmp_path):
    for number in (0, 2, 6, 7):
        picture(tmp_path / f"images/test/0000/{number:06d}.png", np.zeros((*SIZE, 3), np.uint8))
    picture(tmp_path / "images/test/0000/last.png", np.zeros((*SIZE, 3), np.uint8))
    problems = kitti_step.list_frames(tmp_path, "test", "0000", SPACE).problems
    folder = tmp_path / "images/test/0000"
    assert [str(each).partition(": ")[0] for each in problems] == [
        f"{folder}/{name}" for name in ("000001.png", "000003.png", "last.png")
    ]
    assert "this frame and 2 after it are missing" in str(problems[1])
    with pytest.raises(InputError, match=r"000001\.png: this frame is missing"):
        next(kitti_step.read(tmp_path, "test", "0000", SPACE))


def class_out_of_range(root):
    panoptic = np.zeros((*SIZE, 3), np.uint8)
    panoptic[3, 4, 0] = 19
    picture(root / "panoptic_maps/val/0002/000001.png", panoptic)
    return "panoptic_maps/val/0002/000001.png: has class 19"


def class_out_of_range_among_derived_maps(root):
    as_the_authors_derive_it(root)
    picture(root / "panoptic_maps/val/0002/000001_sem.png", np.full(SIZE, 254, np.uint8))
    return "000001_sem.png: has class 254"


def map_of_another_size(root):
    picture(root / "panoptic_maps/val/0002/000003.png", np.zeros((5, 7, 3), np.uint8))
    return f"000003.png: is 7x5, but its frame is {SIZE[1]}x{SIZE[0]}"


def derived_map_in_colour(root):
    as_the_authors_derive_it(root)
    picture(root / "panoptic_maps/val/0002/000000_sem.png", np.zeros((*SIZE, 3), np.uint8))
    return "000000_sem.png: is a label map of mode RGB, expected L or P"


def stated_size_of_another_frame(root):
    as_the_authors_derive_it(root)
    path = root / "panoptic_maps/val/0002/000001.json"
    path.write_text('{"imgHeight": 375, "imgWidth": 1242}')
    return f"images/val/0002/000001.png: is {SIZE[1]}x{SIZE[0]}, but"


def stated_size_without_width(root):
    as_the_authors_derive_it(root)
    (root / "panoptic_maps/val/0002/000002.json").write_text('{"imgHeight": 375}')
    return '000002.json: is not like {"imgHeight"'


def lose_a_stated_size(root):
    as_the_authors_derive_it(root)
    (root / "panoptic_maps/val/0002/000002.json").unlink()
    return "000002.json: missing JSON file"


def lose_a_derived_map(root):
    as_the_authors_derive_it(root)
    (root / "panoptic_maps/val/0002/000002_sem.png").unlink()
    return "000002_sem.png: missing label map"


def lose_an_unpacked_video(root):
    as_the_archives_unpack(root)
    for path in (root / "training/image_02/0002").iterdir():
        path.unlink()
    return "training/image_02/0002: holds no frame"


def lose_a_frame(root):
    (root / "images/val/0002/000001.png").unlink()
    return "000001.png"


def lose_the_last_frame(root):
    (root / "images/val/0002/000003.png").unlink()
    return "000003.png"


def lose_a_map(root):
    (root / "panoptic_maps/val/0002/000002.png").unlink()
    return "000002.png"


def lose_all_maps(root):
    for path in (root / "panoptic_maps/val/0002").iterdir():
        path.unlink()
    return "panoptic_maps/val/0002"


def lose_the_maps_folder(root):
    lose_all_maps(root)
    (root / "panoptic_maps/val/0002").rmdir()
    return "panoptic_maps/val/0002"


def lose_all_frames(root):
    for path in (root / "images/val/0002").iterdir():
        path.unlink()
    return "images/val/0002"


def grey_map(root):
    picture(root / "panoptic_maps/val/0002/000001.png", np.zeros(SIZE, np.uint8))
    return "000001.png"


def text_for_a_frame(root):
    (root / "images/val/0002/000001.png").write_text("no picture")
    return "000001.png"


@pytest.mark.parametrize(
    "spoil",
    [
        lose_a_frame,
        lose_the_last_frame,
        lose_a_map,
        lose_all_maps,
        lose_the_maps_folder,
        lose_all_frames,
        grey_map,
        text_for_a_frame,
        class_out_of_range,
        class_out_of_range_among_derived_maps,
        map_of_another_size,
        derived_map_in_colour,
        stated_size_of_another_frame,
        stated_size_without_width,
        lose_a_stated_size,
        lose_a_derived_map,
        lose_an_unpacked_video,
    ],
)
def test_a_damaged_copy_of_kitti_step_is_refused_by_the_file(kitti, spoil):
    culprit = spoil(kitti)
    with pytest.raises(InputError) as caught:
        read_kitti(kitti)
    assert culprit in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(read_kitti(kitti, "0014")) == 4


@pytest.mark.parametrize("kept", [0, 5, 12, 30, 45, 0.5, -200])
def test_a_truncated_png_is_refused_by_name(kitti, kept):
    path = kitti / "images/val/0002/000002.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)] if isinstance(kept, float) else whole[:kept])
    with pytest.raises(InputError, match=r"000002\.png: not a readable image"):
        read_kitti(kitti)


@pytest.mark.parametrize("place", [20, 60, 0.5])
def test_a_png_with_a_spoilt_byte_is_refused_by_name(kitti, place):
    path = kitti / "images/val/0002/000002.png"
    content = bytearray(path.read_bytes())
    content[int(len(content) * place) if isinstance(place, float) else place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"000002\.png: not a readable image"):
        read_kitti(kitti)


# Cityscapes

# Label id -> train id, from the table of cityscapesscripts/helpers/labels.py.
TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12,
    26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip
OBJECTS = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
STREET = ClassSpace(CITYSCAPES, OBJECTS)
# Road, two cars, a group of cars, a rider, a caravan (void), sky, and the license plate.
LABELS = np.array([[7, 26, 26, 26], [25, 29, 23, 255]], np.uint8)
NUMBERED = np.array([[7, 26000, 26001, 26], [25000, 29003, 23, 0]], np.uint16)
ROAD, CAR, RIDER, SKY = (CITYSCAPES.index(name) for name in ("road", "car", "rider", "sky"))


@pytest.fixture
def cityscapes_root(tmp_path):
    """Three stills of two cities, with label ids and instances, without train ids."""
    for shade, name in enumerate(CITY_NAMES):
        city = name.partition("_")[0]
        image = np.full((*LABELS.shape, 3), 10 * shade, np.uint8)
        picture(tmp_path / f"leftImg8bit/val/{city}/{name}_leftImg8bit.png", image)
        labels = tmp_path / f"gtFine/val/{city}"
        picture(labels / f"{name}_gtFine_labelIds.png", LABELS)
        picture(labels / f"{name}_gtFine_instanceIds.png", NUMBERED)
        picture(labels / f"{name}_gtFine_color.png", image)
        (labels / f"{name}_gtFine_polygons.json").write_text("{}")
    return tmp_path


CITY_NAMES = ("aachen_000000_000019", "aachen_000001_000019", "bonn_000000_000019")


def read_cityscapes(root, space=STREET):
    return list(cityscapes.read(root, "any", "val", space))


def test_cityscapes_is_read_from_label_ids_and_instance_ids(cityscapes_root):
    frames = read_cityscapes(cityscapes_root)
    assert tuple(frame.name for frame in frames) == CITY_NAMES
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 10, 20]
    for frame in frames:
        assert frame.semantic.tolist() == [[ROAD, CAR, CAR, CAR], [RIDER, VOID, SKY, VOID]]
        assert frame.instance.tolist() == [[0, 1, 2, 0], [1, 0, 0, 0]]
        assert (frame.semantic.dtype, frame.instance.dtype) == (np.uint8, np.uint16)
        panoptic = panoptic_from(frame.semantic, frame.instance, STREET)
        # The group, and no other car, is a crowd.
        assert panoptic.crowd.sum() == 1
        assert panoptic.crowd[panoptic.ids[0, 3] - 1]
    # Classes that are no things of the data set have no objects.
    first = read_cityscapes(cityscapes_root, SPACE)[0]
    assert first.instance.tolist() == [[0, 1, 2, 0], [0, 0, 0, 0]]


def test_train_ids_are_those_of_the_official_table(tmp_path):
    labels = np.array([[*range(34), 255]], np.uint8)
    made = cityscapes.train_ids(tmp_path, labels)
    assert made.tolist() == [[TRAIN_IDS.get(label, VOID) for label in range(34)] + [VOID]]


def test_maps_of_train_ids_are_read_without_maps_of_label_ids(cityscapes_root):
    folder = cityscapes_root / "gtFine/val/aachen"
    picture(
        folder / f"{CITY_NAMES[0]}_gtFine_labelTrainIds.png", np.full(LABELS.shape, 10, np.uint8)
    )
    (folder / f"{CITY_NAMES[0]}_gtFine_labelIds.png").unlink()
    first, second, _ = read_cityscapes(cityscapes_root)
    assert (first.semantic == SKY).all()
    assert second.semantic[0, 0] == ROAD


def test_cityscapes_without_instances_or_without_labels(cityscapes_root):
    for path in cityscapes_root.rglob("*_instanceIds.png"):
        path.unlink()
    assert [frame.instance for frame in read_cityscapes(cityscapes_root)] == [None] * 3
    (cityscapes_root / "gtFine/val").rename(cityscapes_root / "gtFine/elsewhere")
    assert [frame.semantic for frame in read_cityscapes(cityscapes_root)] == [None] * 3


def broken(name, array):
    path = f"gtFine/val/{name.partition('_')[0]}/{name}"
    return lambda root: picture(root / path, array) and path.rpartition("/")[2]


def lost(path):
    return lambda root: (root / path).unlink() or path.rpartition("/")[2]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken("bonn_000000_000019_gtFine_labelIds.png", LABELS + 30), "has label 37, but"),
        (broken("bonn_000000_000019_gtFine_labelTrainIds.png", LABELS), "has class 23, but"),
        (broken("bonn_000000_000019_gtFine_instanceIds.png", NUMBERED + 8000), "has instance 8007"),
        (broken("bonn_000000_000019_gtFine_instanceIds.png", NUMBERED * 0 + 34), "has instance 34"),
        (broken("bonn_000000_000019_gtFine_instanceIds.png", LABELS), "of mode L, expected I;16"),
        (broken("aachen_000000_000019_gtFine_labelIds.png", LABELS[:1]), "is 4x1, but its frame"),
        (broken("aachen_000007_000019_gtFine_labelIds.png", LABELS), "has no frame in"),
        (lost("gtFine/val/bonn/bonn_000000_000019_gtFine_labelIds.png"), "missing label map"),
        (lost("gtFine/val/bonn/bonn_000000_000019_gtFine_instanceIds.png"), "missing instance map"),
        (lost("leftImg8bit/val/bonn/bonn_000000_000019_leftImg8bit.png"), "has no frame in"),
    ],
)
def test_a_spoilt_copy_of_cityscapes_is_refused_by_the_file(cityscapes_root, spoil, message):
    culprit = spoil(cityscapes_root)
    with pytest.raises(InputError, match=message) as caught:
        read_cityscapes(cityscapes_root)
    assert culprit.partition("_leftImg8bit")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_of_cityscapes_is_answered_with_the_nearest_one(cityscapes_root):
    with pytest.raises(InputError, match="did you mean 'val'"):
        list(cityscapes.read(cityscapes_root, "any", "vall", STREET))


# CamVid

IDS = np.array([[0, 3, 11], [10, 11, 8]], np.uint8)
NAMES = ("006690", "006720", "006750")


def write_folders(root):
    """images/<video>, labels/<video>"""
    for video in ("0001TP", "0006R0"):
        for number, name in enumerate(NAMES):
            image = np.full((2, 3, 3), 10 * number, np.uint8)
            picture(root / "images" / video / f"{name}.png", image)
            picture(root / "labels" / video / f"{name}.png", IDS)


def write_segnet(root):
    """<part>/<video>_<frame>.png, <part>annot/..."""
    for number, (part, name) in enumerate(zip(("val", "train", "test"), NAMES, strict=True)):
        for video in ("0001TP", "0006R0"):
            image = np.full((2, 3, 3), 10 * number, np.uint8)
            picture(root / part / f"{video}_{name}.png", image)
            picture(root / f"{part}annot" / f"{video}_{name}.png", IDS)


@pytest.fixture(params=[write_folders, write_segnet], ids=["folders", "SegNet"])
def camvid_root(request, tmp_path):
    request.param(tmp_path)
    return tmp_path


def test_camvid_is_read_in_the_order_of_its_frame_numbers_from_either_layout(camvid_root):
    frames = list(camvid.read(camvid_root, "any", "0001TP", SPACE))
    assert tuple(frame.name for frame in frames) == NAMES
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 10, 20]
    for frame in frames:
        assert frame.semantic.tolist() == [[0, 3, VOID], [10, VOID, 8]]
        assert frame.instance is None


@pytest.mark.parametrize(
    ("layout", "video", "nearest"),
    [("camvid", "0001TB", "0001TP"), ("kitti_step", "00142", "0014")],
)
def test_an_unknown_video_is_answered_with_the_nearest_one(
    request, tmp_path, layout, video, nearest
):
    root = request.getfixturevalue("kitti" if layout == "kitti_step" else "camvid_folders")
    with pytest.raises(InputError, match=f"did you mean '{nearest}'"):
        list(layout_named(layout).read(root, "val", video, SPACE))


@pytest.fixture
def camvid_folders(tmp_path):
    write_folders(tmp_path)
    return tmp_path


def test_an_unknown_video_of_segnet_s_layout_is_answered_with_the_nearest_one(tmp_path):
    write_segnet(tmp_path)
    with pytest.raises(InputError, match="did you mean '0001TP'"):
        list(camvid.read(tmp_path, "test", "0001TB", SPACE))


def test_camvid_labels_of_the_wrong_kind_or_missing_are_refused(camvid_root):
    folder = camvid_root / ("labels/0001TP" if (camvid_root / "labels").is_dir() else "valannot")
    label = min(folder.glob("*6690.png"), key=lambda path: "0006R0" in path.name)
    picture(label, np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(InputError, match=r"mode RGB, expected L or P") as caught:
        list(camvid.read(camvid_root, "any", "0001TP", SPACE))
    assert str(label) in str(caught.value)
    label.unlink()
    with pytest.raises(InputError, match=f"{label.name}: missing label map"):
        list(camvid.read(camvid_root, "any", "0001TP", SPACE))


def test_camvid_palette_labels_are_ids_not_colours(camvid_folders):
    path = camvid_folders / "labels/0001TP/006690.png"
    coloured = Image.new("P", (3, 2))
    coloured.putdata(IDS.ravel().tolist())
    coloured.putpalette([channel for index in range(256) for channel in (index, 0, 255 - index)])
    coloured.save(path)
    assert Image.open(path).mode == "P"
    first = next(iter(camvid.read(camvid_folders, "any", "0001TP", SPACE)))
    assert first.semantic.tolist() == [[0, 3, VOID], [10, VOID, 8]]


def test_a_missing_folder_says_what_to_check(tmp_path):
    with pytest.raises(InputError, match=r"check data_root in config\.yaml"):
        list(camvid.read(tmp_path / "nowhere", "any", "0001TP", SPACE))
    with pytest.raises(InputError, match="did you mean 'kitti_step'"):
        layout_named("kitti-step")
