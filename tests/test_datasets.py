import numpy as np
import pytest
from PIL import Image

from support import SIZE, SPACE
from videottt.datasets import camvid, kitti_step, layout_named
from videottt.errors import InputError
from videottt.frames import VOID


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
    ],
)
def test_a_spoilt_copy_of_kitti_step_is_refused_by_the_name_of_what_is_wrong(kitti, spoil):
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
        list(layout_named(layout)(root, "val", video, SPACE))


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
