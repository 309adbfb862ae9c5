"""Still images as people have them: turned, of many pages and kinds, with files beside them."""

import io
import json
import shutil
import struct
import subprocess
import tracemalloc
import zlib

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from archive_files import make_tar, make_zip
from support import SPACE
from videottt.core.errors import InputError
from videottt.data.check.files import read_header
from videottt.data.fetch.catalogue import Source, Unpacking
from videottt.data.fetch.unpacking import unpack
from videottt.data.layouts import layout_named
from videottt.data.layouts.imagenet import StillFolder
from videottt.data.layouts.video_file import find_source, frames_expected, read_video
from videottt.data.pictures.images import image_size, read_image, read_map

SIZE = (16, 24)
# Four quarters that no turn and no mirror leaves as they are.
QUARTERS = np.repeat(
    np.repeat(np.array([[[250, 40, 40], [40, 250, 40]], [[40, 40, 250], [9, 9, 9]]], "u1"), 8, 0),
    12,
    1,
)
Turn = Image.Transpose
# What EXIF's orientations make upright is stored after the opposite.
OPPOSITES = {
    2: Turn.FLIP_LEFT_RIGHT, 3: Turn.ROTATE_180, 4: Turn.FLIP_TOP_BOTTOM, 5: Turn.TRANSPOSE,
    6: Turn.ROTATE_90, 7: Turn.TRANSVERSE, 8: Turn.ROTATE_270,
}  # fmt: skip


def saved(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(path, **options)
    return path


def turned(path, array, orientation, **options):
    """Save an image on its side or mirrored, with the EXIF data that say so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(array)
    if orientation in OPPOSITES:
        stored = stored.transpose(OPPOSITES[orientation])
    return saved(path, stored, exif=exif, **options)


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(*, pixels=QUARTERS, before=b"", after=b""):
    """Return a PNG file with chunks before and after its pixels."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    whole = held.getvalue()
    return whole[:33] + before + whole[33:-12] + after + whole[-12:]


def frames_of(layout, root, video="v"):
    return list(layout_named(layout).read(root, "val", video, SPACE))


# Small copies of each layout, of one labelled frame each.


def kitti(root, image, save=saved):
    saved(root / "panoptic_maps/val/v/000000.png", np.full((*SIZE, 3), (13, 0, 1), np.uint8))
    return save(root / "images/val/v/000000.png", image)


def unpacked_kitti(root, image, save=saved):
    saved(root / "panoptic_maps/val/v/000000_sem.png", np.full(SIZE, 13, np.uint8))
    stated = {"imgHeight": SIZE[0], "imgWidth": SIZE[1]}
    (root / "panoptic_maps/val/v/000000.json").write_text(json.dumps(stated))
    return save(root / "training/image_02/v/000000.png", image)


def camvid(root, image, save=saved):
    saved(root / "labels/v/a.png", np.zeros(SIZE, np.uint8))
    return save(root / "images/v/a.png", image)


def segnet_camvid(root, image, save=saved):
    for part in ("train", "val", "test"):
        saved(root / f"{part}annot/v_{part}.png", np.zeros(SIZE, np.uint8))
        path = save(root / f"{part}/v_{part}.png", image)
    return path


def cityscapes(root, image, save=saved):
    saved(root / "gtFine/v/c/c_0_gtFine_labelIds.png", np.full(SIZE, 7, np.uint8))
    saved(root / "gtFine/v/c/c_0_gtFine_instanceIds.png", np.full(SIZE, 7, np.uint16))
    return save(root / "leftImg8bit/v/c/c_0_leftImg8bit.png", image)


def imagenet(root, image, save=saved):
    return save(root / "v/n01/a.png", image)


def video_file(root, image, save=saved):
    return save(root / "v/a.png", image)


LAYOUTS = {
    "kitti_step": kitti, "unpacked kitti_step": unpacked_kitti, "camvid": camvid,
    "segnet camvid": segnet_camvid, "cityscapes": cityscapes, "imagenet": imagenet,
    "video_file": video_file,
}  # fmt: skip
EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)


# Upright


@EVERY_LAYOUT
@pytest.mark.parametrize("orientation", [3, 4, 6])
def test_every_layout_reads_upright(tmp_path, layout, orientation):
    LAYOUTS[layout](tmp_path, QUARTERS, lambda path, image: turned(path, image, orientation))
    for frame in frames_of(layout.split()[-1], tmp_path):
        assert np.array_equal(frame.image, QUARTERS)
        assert frame.semantic is None or frame.semantic.shape == SIZE


def test_training_on_a_folder_reads_upright(tmp_path):
    turned(tmp_path / "a.png", QUARTERS, 5)
    stills = StillFolder(tmp_path, SPACE)
    assert np.array_equal(stills.frame(0), QUARTERS)
    assert stills.semantic(0).shape == stills.instance(0).shape == SIZE


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", {}),
        (".jpg", {"quality": 100, "subsampling": 0}),
        (".tif", {}),
        (".tiff", {"compression": "tiff_lzw"}),
        (".webp", {"lossless": True}),
        (".avif", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_each_orientation_is_turned_upright_in_each_format(tmp_path, suffix, options, orientation):
    path = turned(tmp_path / f"a{suffix}", QUARTERS, orientation, **options)
    assert np.abs(read_image(path).astype(int) - QUARTERS).max() <= 3
    assert image_size(path) == read_header(path).size == SIZE


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_png_file_may_say_anywhere_how_it_is_turned(tmp_path, place):
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    stored = np.ascontiguousarray(np.rot90(QUARTERS))
    path = tmp_path / "a.png"
    path.write_bytes(png(pixels=stored, **{place: chunk(b"eXIf", exif)}))
    assert np.array_equal(read_image(path), QUARTERS)
    assert image_size(path) == SIZE


@pytest.mark.parametrize(
    "exif", [b"", b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09"]
)
def test_damaged_exif_data_do_not_matter(tmp_path, exif):
    (tmp_path / "a.png").write_bytes(png(before=chunk(b"eXIf", exif)))
    saved(tmp_path / "a.webp", QUARTERS, lossless=True, exif=b"Exif\0\0" + exif)
    for path in tmp_path.iterdir():
        assert np.array_equal(read_image(path), QUARTERS)
        assert image_size(path) == SIZE


# Pages, and kinds of pictures


def pages(path, count=5, **options):
    """Save several pictures in one file; each has its own grey."""
    first, *others = (Image.new("RGB", SIZE[::-1], (40 * number,) * 3) for number in range(count))
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=others, **options)
    return path


def greys(frames):
    return {frame.name: int(frame.image[0, 0, 0]) for frame in frames}


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".tif", {}), (".TIFF", {"compression": "tiff_deflate"}), (".gif", {"duration": 100}),
     (".webp", {"lossless": True}), (".png", {"duration": 100})],
)  # fmt: skip
def test_every_page_in_a_folder_is_a_frame(tmp_path, suffix, options):
    pages(tmp_path / f"v/scan10{suffix}", **options)
    saved(tmp_path / "v/scan2.png", np.full((*SIZE, 3), 7, np.uint8))
    expected = {"scan2": 7, **{f"scan10_{number:06d}": 40 * number for number in range(5)}}
    frames = frames_of("video_file", tmp_path)
    assert greys(frames) == expected
    assert list(greys(frames)) == list(expected)
    assert frames_expected(tmp_path, "val", "v") == 6


def test_an_animation_is_composed_as_ffmpeg_composes_it(tmp_path):
    moving = [Image.fromarray(QUARTERS) for _ in range(4)]
    for number, picture in enumerate(moving):
        picture.paste((250, 250, 9), (4 * number, 4, 4 * number + 6, 10))
    path = tmp_path / "v/a.gif"
    path.parent.mkdir()
    moving[0].save(path, save_all=True, append_images=moving[1:], duration=40)
    in_folder = [frame.image for frame in frames_of("video_file", tmp_path)]
    alone = [frame.image for frame in read_video(path)]
    assert np.array_equal(in_folder, alone)
    assert np.array_equal(in_folder, moving)


def test_thumbnails_and_masks_are_no_pages(tmp_path):
    path = tmp_path / "v/a.tif"
    path.parent.mkdir()
    with TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
        for level, kind in ((10, 0), (20, 1), (30, 2), (40, 4)):
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[254] = kind
            Image.new("RGB", SIZE[::-1], (level,) * 3).save(file, "TIFF", tiffinfo=tags)
            file.newFrame()
    assert greys(frames_of("video_file", tmp_path)) == {"a_000000": 10, "a_000001": 30}


def test_what_comes_with_a_picture_is_no_page(tmp_path):
    # The second picture of a phone; what an APNG file shows to programs that do not know APNG.
    pages(tmp_path / "v/phone.jpg", 2, format="MPO")
    pages(tmp_path / "v/still.png", 3, default_image=True)
    frames = greys(frames_of("video_file", tmp_path))
    assert frames == {"phone": 0, "still_000000": 40, "still_000001": 80}
    assert read_image(tmp_path / "v/phone.jpg").shape == (*SIZE, 3)


def test_a_file_of_pages_may_be_the_video_itself(tmp_path):
    pages(tmp_path / "scan.tif", 3)
    frames = list(layout_named("video_file").read(tmp_path, "val", "scan", SPACE))
    assert greys(frames) == {"000000": 0, "000001": 40, "000002": 80}
    assert [frame.timestamp for frame in frames] == [None] * 3
    assert frames_expected(tmp_path, "val", "scan") == 3
    photograph = turned(tmp_path / "photo.jpg", QUARTERS, 8)
    (frame,) = read_video(photograph)
    assert (frame.image.shape, frame.timestamp) == ((*SIZE, 3), 0)


def test_a_damaged_page_is_never_left_out(tmp_path):
    path = pages(tmp_path / "scan.tif")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    with pytest.raises(InputError, match=r"scan\.tif: not a readable image"):
        list(read_video(path))


KINDS = {
    ".jfif": "JPEG", ".JPE": "JPEG", ".jp2": "JPEG2000", ".ppm": "PPM", ".pnm": "PPM",
    ".gif": "GIF", ".tga": "TGA", ".dib": "DIB", ".avif": "AVIF", ".qoi": "QOI", ".sgi": "SGI",
    ".pcx": "PCX", ".BMP": "BMP",
}  # fmt: skip


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_of_picture_is_a_frame(tmp_path, suffix):
    for number, ending in enumerate((".png", suffix, ".png")):
        grey = np.full((*SIZE, 3), 60 * number, np.uint8)
        saved(tmp_path / f"v/{number}{ending}", grey, format=KINDS.get(ending))
    levels = greys(frames_of("video_file", tmp_path))
    assert list(levels) == ["0", "1", "2"]
    assert np.allclose(list(levels.values()), [0, 60, 120], atol=2)


@pytest.mark.parametrize(
    ("layout", "suffix"),
    [("camvid", ".ppm"), ("cityscapes", ".tif"), ("kitti_step", ".webp"), ("imagenet", ".gif")],
)
def test_labelled_layouts_take_every_kind_of_picture(tmp_path, layout, suffix):
    grey = np.full((*SIZE, 3), 50, np.uint8)
    LAYOUTS[layout](
        tmp_path, grey, lambda path, image: saved(path.with_suffix(suffix), image, lossless=True)
    )
    assert [np.unique(frame.image) for frame in frames_of(layout, tmp_path)] == [50]


@pytest.mark.parametrize("layout", ["camvid", "cityscapes", "imagenet", "video_file"])
def test_a_picture_that_is_not_read_is_named(tmp_path, layout):
    path = LAYOUTS[layout](tmp_path, QUARTERS)
    raw = path.with_suffix(".CR2")
    raw.write_bytes(b"raw")
    # As cameras save it, beside the picture of the same name.
    assert len(frames_of(layout, tmp_path)) == 1
    raw.rename(raw.with_name(f"other_{raw.name}"))
    with pytest.raises(InputError, match=r"other_.*\.CR2: is a picture of a kind that is not read"):
        frames_of(layout, tmp_path)


@pytest.mark.parametrize("layout", ["camvid", "cityscapes", "video_file"])
def test_two_pictures_of_one_name_are_refused(tmp_path, layout):
    path = LAYOUTS[layout](tmp_path, QUARTERS)
    saved(path.with_suffix(".bmp"), QUARTERS)
    with pytest.raises(InputError, match=f"{path.name}: has the same name as .*bmp; keep one"):
        frames_of(layout, tmp_path)


# Files beside data

APPLE = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        "


@EVERY_LAYOUT
def test_no_layout_takes_hidden_files_for_data(tmp_path, layout):
    LAYOUTS[layout](tmp_path, QUARTERS)
    name = layout.split()[-1]
    before = [frame.name for frame in frames_of(name, tmp_path)]
    for path in [each for each in tmp_path.rglob("*") if each.is_file()]:
        for beside in (f"._{path.name}", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt"):
            path.with_name(beside).write_bytes(APPLE)
        saved(path.with_name(f".hidden_{path.name}").with_suffix(".png"), QUARTERS)
    for folder in [each for each in tmp_path.rglob("*") if each.is_dir()]:
        shutil.copytree(folder, folder.parent / "__MACOSX" / folder.name, dirs_exist_ok=True)
    assert [frame.name for frame in frames_of(name, tmp_path)] == before


@pytest.mark.parametrize(
    "beside",
    ["clip.srt", "clip.json", "clip.THM", "clip.LRV", "clip.xmp", "clip.txt", "clip.wav",
     "clip.jpg", "clip.webp", "clip.heic", "clip.vtt", "._clip.mp4", "clip.en.srt", "clip.unknown"],
)  # fmt: skip
@pytest.mark.parametrize("film", ["clip.mp4", "clip.MTS", "clip.webm"])
def test_a_film_is_the_video_whatever_lies_beside_it(tmp_path, film, beside):
    for name in (film, beside):
        (tmp_path / name).write_bytes(b"")
    assert find_source(tmp_path, "clip") == tmp_path / film
    assert find_source(tmp_path, beside) == tmp_path / beside


def test_a_file_of_no_known_kind_is_the_video_if_it_is_the_only_one(tmp_path):
    for name in ("clip.xyz", "clip.srt", "clip.png"):
        (tmp_path / name).write_bytes(b"")
    assert find_source(tmp_path, "clip").name == "clip.xyz"
    (tmp_path / "clip.abc").write_bytes(b"")
    with pytest.raises(InputError, match=r"which of clip\.abc, clip\.xyz is the video"):
        find_source(tmp_path, "clip")
    for name in ("other.srt", "other.json"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="other: no such video"):
        find_source(tmp_path, "other")


def test_a_sidecar_is_no_download(tmp_path):
    source = Source("f", 1, "l", "p", "open", ("set/film.mp4", "set/film.*"), ("http://x/f",))
    for name in ("film.srt", "film.json", "._film.webm"):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    assert source.place(tmp_path) is None
    (tmp_path / "set/film.webm").write_bytes(b"x")
    assert source.place(tmp_path) == tmp_path / "set/film.webm"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_hidden_files_of_an_archive_stay_there(tmp_path, make):
    names = ("d/a.png", "d/._a.png", "__MACOSX/d/._a.png", "d/.DS_Store", "d/__MACOSX/b.png")
    archive = make(tmp_path / "archive", dict.fromkeys(names, b"x"))
    unpack(archive, Unpacking({"d/": "set/"}, 100, 10), tmp_path / "data", "set")
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files == [tmp_path / "data/set/a.png"]


# Decoding

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def by_ffmpeg(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", f"file:{path}", "-f",
               "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
    result = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return np.frombuffer(result.stdout, np.uint8).reshape(256, 256, 3)


def deep_png(path, values, colour):
    """Write a PNG file of 16 bits a channel, which Pillow cannot write in colour."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def grey_png(path):
    Image.fromarray(RAMP).save(path)


def big_endian_tiff(path):
    Image.frombytes("I;16B", RAMP.shape[::-1], RAMP.astype(">u2").tobytes()).save(path, "TIFF")


def pgm(path):
    path.write_bytes(b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes())


def packed_tiff(path):
    Image.fromarray(RAMP).save(path, "TIFF", compression="tiff_lzw")


def grey_with_alpha(path):
    deep_png(path, np.stack([RAMP, np.full_like(RAMP, 65535)], -1), 4)


@pytest.mark.parametrize(
    ("write", "suffix"),
    [(grey_png, ".png"), (grey_with_alpha, ".png"), (big_endian_tiff, ".tif"),
     (packed_tiff, ".tif"), (pgm, ".pgm")],
)  # fmt: skip
def test_grey_of_16_bits_has_the_levels_of_ffmpeg(tmp_path, write, suffix):
    path = tmp_path / f"0{suffix}"
    write(path)
    levels = read_image(path)
    assert np.array_equal(levels, by_ffmpeg(path))
    assert np.array_equal(levels[..., 0], np.minimum((RAMP.astype(int) + 128) >> 8, 255))
    assert np.array_equal(next(read_video(tmp_path)).image, levels)


def rgb_png(path):
    deep_png(path, np.repeat(RAMP[..., None], 3, -1), 2)


def rgba_png(path):
    deep_png(path, np.stack([RAMP, RAMP, RAMP, np.zeros_like(RAMP)], -1), 6)


def ppm(path):
    path.write_bytes(b"P6 256 256 65535\n" + np.repeat(RAMP, 3).astype(">u2").tobytes())


@pytest.mark.parametrize("write", [rgb_png, rgba_png, ppm])
def test_colours_of_16_bits_have_the_levels_of_grey(tmp_path, write):
    write(tmp_path / "c.png")
    grey_png(tmp_path / "g.png")
    assert np.array_equal(read_image(tmp_path / "c.png"), read_image(tmp_path / "g.png"))


LONG = b"x" * 3_000_000
TEXTS = [
    (b"zTXt", b"k\0\0" + zlib.compress(LONG)),
    (b"iTXt", b"k\0\1\0\0\0" + zlib.compress(LONG)),
    (b"iCCP", b"k\0\0" + zlib.compress(LONG)),
    (b"tEXt", b"k\0" + bytes(70_000_000)),
]


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(("kind", "content"), TEXTS, ids=[kind.decode() for kind, _ in TEXTS])
def test_long_texts_of_a_png_file_do_not_matter(tmp_path, kind, content, place):
    path = tmp_path / "a.png"
    path.write_bytes(png(**{place: chunk(kind, content)}))
    assert np.array_equal(read_image(path), QUARTERS)
    assert read_header(path).size == SIZE
    path.write_bytes(path.read_bytes().replace(b"IDAT", b"JDAT"))
    with pytest.raises(InputError, match=r"a\.png: not a readable image"):
        read_image(path)


def test_a_text_is_never_unpacked_to_its_end(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(before=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8), 9))))
    tracemalloc.start()
    assert np.array_equal(read_image(path), QUARTERS)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"optimize": True, "quality": 95}, {"restart_marker_blocks": 2}],
)
def test_only_its_end_marker_may_a_jpeg_file_lack(tmp_path, options):
    path = saved(tmp_path / "0.jpg", noise(37, 51), **options)
    whole, pixels = path.read_bytes(), read_image(path)
    for cut in (1, 2):
        path.write_bytes(whole[:-cut])
        assert np.array_equal(read_image(path), pixels)
        assert read_header(path).size == (37, 51)
    ends = {*range(3, 40), *np.linspace(40, len(whole) - 1, 40).astype(int).tolist()}
    for cut in ends:
        path.write_bytes(whole[:-cut])
        for read in (read_image, read_header):
            with pytest.raises(InputError, match=r"0\.jpg: not a readable image"):
                read(path)


def palette(labels):
    """Return labels in colour as a picture with a palette."""
    return Image.fromarray(labels).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)


def with_alpha(labels, alpha=255):
    return np.concatenate([labels, np.full((*labels.shape[:2], 1), alpha, np.uint8)], axis=-1)


def test_an_alpha_channel_or_a_palette_that_changes_nothing_is_read(tmp_path):
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[:, 12:] = 13, 1, 2
    path = tmp_path / "a.png"
    for stored in (colours, with_alpha(colours), palette(colours)):
        saved(path, stored)
        assert np.array_equal(read_map(path, ("RGB",)), colours)
    saved(path, np.stack([colours[..., 0], np.full(SIZE, 255, np.uint8)], -1))
    assert np.array_equal(read_map(path, ("L", "P")), colours[..., 0])


@pytest.mark.parametrize(
    ("stored", "modes", "says"),
    [
        (with_alpha(np.zeros((*SIZE, 3), np.uint8), 254), ("RGB",), "mode RGBA with transparency"),
        (np.zeros((*SIZE, 4), np.uint8), ("L",), "mode RGBA with transparency"),
        (palette(np.zeros((*SIZE, 3), np.uint8)), ("L",), "mode P, expected L"),
        (np.zeros(SIZE, bool), ("L", "P"), "mode 1, expected L or P"),
        (np.zeros(SIZE, np.uint8), ("RGB",), "mode L, expected RGB"),
    ],
)
def test_a_label_map_that_could_mean_something_else_is_refused(tmp_path, stored, modes, says):
    path = saved(tmp_path / "a.png", stored)
    with pytest.raises(InputError, match=rf"a\.png: is a label map of {says}"):
        read_map(path, modes)


def test_a_label_map_of_16_bits_a_channel_is_refused(tmp_path):
    rgb_png(tmp_path / "a.png")
    with pytest.raises(InputError, match="16 bits a channel, expected 8"):
        read_map(tmp_path / "a.png", ("RGB",))


def test_labels_are_turned_like_the_pictures(tmp_path):
    labels = QUARTERS[..., 0].copy()
    path = turned(tmp_path / "a.png", labels, 6)
    assert np.array_equal(read_map(path, ("L",)), labels)
