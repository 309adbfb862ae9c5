"""Images and maps of labels, in the layouts that consist of them."""

import io
import json
import struct
import zlib

import numpy as np
from PIL import Image

from malformed.case import CLASSES, cases, ingesting

SIZE = (16, 24)
FRAME, MAP = "images/val/v/000001.png", "panoptic_maps/val/v/000001.png"


def saved(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def panoptic(label=0):
    return np.full((*SIZE, 3), (label, 0, 0), np.uint8)


def kitti(spoil, **settings):
    """Return the maker of a video of three frames that is spoilt."""

    def make(folder, _):
        for number in range(3):
            saved(folder / f"images/val/v/{number:06d}.png", panoptic(9))
            saved(folder / f"panoptic_maps/val/v/{number:06d}.png", panoptic())
        spoil(folder)
        return ingesting(folder, "kitti_step", "v", **{**CLASSES, **settings})

    return make


def cut(name, kept):
    """Return what keeps the first part of a file."""

    def spoil(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(kept * len(content))])

    return spoil


def drawn(name, array, **options):
    return lambda folder: saved(folder / name, array, **options)


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def lost(name):
    return lambda folder: (folder / name).unlink()


def in_place_of(name):
    """Return what makes a folder in the place of a file."""

    def spoil(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def flipped(name, place):
    def spoil(folder):
        content = bytearray((folder / name).read_bytes())
        content[place] ^= 0xFF
        (folder / name).write_bytes(content)

    return spoil


def png(width, height, *, colour=2, interlaced=1):
    """Return a PNG file whose header promises far more than it holds."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlaced)
    pixels = zlib.compress(bytes(1000))
    chunks = (b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def jpeg():
    stream = io.BytesIO()
    Image.fromarray(panoptic(9)).save(stream, "JPEG")
    return stream.getvalue()


def authors_maps(stated):
    """Return what puts the authors' maps, with a file of sizes, in the place of panoptic ones."""

    def spoil(folder):
        for number in range(3):
            stem = folder / f"panoptic_maps/val/v/{number:06d}"
            stem.with_suffix(".png").unlink()
            saved(stem.with_name(f"{stem.name}_sem.png"), np.zeros(SIZE, np.uint8))
            stem.with_suffix(".json").write_text(stated)

    return spoil


def cityscapes(spoil):
    def make(folder, _):
        saved(folder / "leftImg8bit/v/c/c_0_leftImg8bit.png", panoptic(9))
        saved(folder / "gtFine/v/c/c_0_gtFine_labelIds.png", np.full(SIZE, 7, np.uint8))
        saved(folder / "gtFine/v/c/c_0_gtFine_instanceIds.png", np.full(SIZE, 7, np.uint16))
        spoil(folder)
        return ingesting(folder, "cityscapes", "v", **CLASSES)

    return make


def camvid(spoil):
    def make(folder, _):
        for name in ("a", "b"):
            saved(folder / f"images/v/{name}.png", panoptic(9))
            saved(folder / f"labels/v/{name}.png", np.zeros(SIZE, np.uint8))
        spoil(folder)
        return ingesting(folder, "camvid", "v", classes=[f"class {n}" for n in range(11)])

    return make


def stills(spoil, **settings):
    """Return the maker of a folder of images that is read as a video."""

    def make(folder, _):
        for name in ("a1", "a2"):
            saved(folder / f"clip/{name}.png", panoptic(9))
        spoil(folder)
        return ingesting(folder, "video_file", "clip", **settings)

    return make


RESTORE = "restore it from the data set"
UNREADABLE = rf"{FRAME}: not a readable image \(.+\); {RESTORE}"
CASES = [
    *cases("PNG", [
        ("truncated", kitti(cut(FRAME, 0.6)), UNREADABLE),
        ("cut in its header", kitti(cut(FRAME, 0.2)), UNREADABLE),
        ("empty", kitti(written(FRAME, b"")), UNREADABLE),
        ("text", kitti(written(FRAME, b"<!DOCTYPE html><html>Not found</html>")), UNREADABLE),
        ("a byte of its pixels changed", kitti(flipped(FRAME, 50)), UNREADABLE),
        ("a byte of its header changed", kitti(flipped(FRAME, 18)), UNREADABLE),
        ("60000 x 60000 interlaced", kitti(written(FRAME, png(60000, 60000))),
         rf"{FRAME}: not a readable image \(.*pixels.*\); {RESTORE}"),
        ("10000 x 10000 with few bytes", kitti(written(FRAME, png(10000, 10000))),
         rf"{FRAME}: (not a readable image|is 10000x10000).*; {RESTORE}"),
        ("0 x 0", kitti(written(FRAME, png(0, 0))), UNREADABLE),
        ("fractions for colours", kitti(drawn(FRAME, np.zeros(SIZE, np.float32), format="TIFF")),
         rf"{FRAME}: has values with a sign, with fractions .*; convert it to 8 or 16 bits"),
        ("32 bits a pixel", kitti(drawn(FRAME, np.zeros(SIZE, np.int32), format="TIFF")),
         rf"{FRAME}: has values with a sign, with fractions or of 32 bits; convert it to 8 or 16"),
        ("several pages under one label map", kitti(drawn(
            FRAME, panoptic(9), format="TIFF", save_all=True,
            append_images=[Image.fromarray(panoptic(8))])),
         rf"{FRAME}: holds 2 pictures, but one is due; save each as a file of its own"),
        ("a folder", kitti(in_place_of(FRAME)),
         rf"{FRAME}: not a readable image \(.*Is a directory"),
        ("PostScript by another name", kitti(written(FRAME, b"%!PS-Adobe-3.0 EPSF-3.0\n%%EOF")),
         UNREADABLE),
        ("of another size", kitti(drawn(FRAME, np.zeros((9, 9, 3), np.uint8))),
         rf"{MAP}: is 24x16, but its frame is 9x9; restore both from the data set"),
    ]),
    *cases("JPEG", [
        ("truncated", stills(written("clip/a2.jpg", jpeg()[:400])),
         r"a2\.(jpg|png): (not a readable image|and a2)"),
        ("only its first bytes", kitti(written(FRAME, jpeg()[:20])), UNREADABLE),
        ("without its last pixels", kitti(written(FRAME, jpeg()[:-5])), UNREADABLE),
    ]),
    *cases("label map", [
        ("missing", kitti(lost(MAP)), rf"{MAP}: missing label map of frame .*{FRAME}; {RESTORE}"),
        ("of no frame", kitti(drawn(MAP.replace("1.png", "7.png"), panoptic())),
         r"000007\.png: this label map has no frame in .*; restore the missing frame"),
        ("of an unknown class", kitti(drawn(MAP, panoptic(77))), rf"{MAP}: has class 77, but .*; "),
        ("of another size", kitti(drawn(MAP, np.zeros((4, 4, 3), np.uint8))),
         rf"{MAP}: is 4x4, but its frame is 24x16; restore both"),
        ("grey where colours are due", kitti(drawn(MAP, np.zeros(SIZE, np.uint8))),
         rf"{MAP}: is a label map of mode L, expected RGB; restore it"),
        ("truncated", kitti(cut(MAP, 0.5)), rf"{MAP}: not a readable image .*; {RESTORE}"),
        ("with transparent pixels", kitti(drawn(MAP, np.zeros((*SIZE, 4), np.uint8))),
         rf"{MAP}: is a label map of mode RGBA with transparency, expected RGB; restore it"),
        ("of 16 bits", camvid(drawn("labels/v/b.png", np.zeros(SIZE, np.uint16))),
         r"labels/v/b\.png: is a label map of mode I;16, expected L or P"),
        ("beyond the classes of CamVid", camvid(drawn("labels/v/b.png", np.full(SIZE, 12, "u1"))),
         r"frame 'b' of video 'v' \(d\) has label id 12, but 'd' has 11 classes .*; correct the"),
        ("of a label that Cityscapes has not",
         cityscapes(drawn("gtFine/v/c/c_0_gtFine_labelIds.png", np.full(SIZE, 34, np.uint8))),
         rf"labelIds\.png: has label 34, but labels are 0\.\.33.*; {RESTORE}"),
        ("of an instance of nothing",
         cityscapes(drawn("gtFine/v/c/c_0_gtFine_instanceIds.png", np.full(SIZE, 9000, np.uint16))),
         rf"instanceIds\.png: has instance 9000, but it must be a label.*; {RESTORE}"),
        ("with sizes that are no JSON", kitti(authors_maps("{")), r"000000\.json: .*imgHeight"),
        ("with sizes that are text", kitti(authors_maps('{"imgHeight": "16", "imgWidth": "24"}')),
         r"000000\.json: is not like .*imgHeight"),
        ("with sizes of another frame", kitti(authors_maps(json.dumps(
            {"imgHeight": 375, "imgWidth": 1242}))),
             r"000000\.png: is 24x16, but its JSON file says 1242x375; restore both"),
    ]),
    *cases("frames", [
        ("one is missing", kitti(lost(FRAME)), rf"{FRAME}: this frame is missing.*; restore it"),
        ("two have one number", kitti(drawn("images/val/v/000001.jpg", panoptic())),
         r"000001\.(jpg|png): is not named like a frame, 000000\.png; remove or rename it"),
        ("none is there", kitti(lambda folder: [each.unlink() for each in
                                                (folder / "images/val/v").iterdir()]),
         r"images/val/v: holds no frame \(\.png, \.jpg, \.jpeg and other pictures\)"),
        ("of several sizes", stills(drawn("clip/a2.png", np.zeros((9, 9, 3), np.uint8))),
         r"frame 'a2' of video 'clip' \(d\) is 9x9 but 'a1' is 24x16; .*resize them"),
        ("one name, two files", stills(drawn("clip/a2.bmp", panoptic())),
         r"clip/a2\.png: has the same name as a2\.bmp; keep one of them"),
        ("of a kind that is not read", stills(written("clip/a3.heic", b"ftypheic")),
         r"clip/a3\.heic: is a picture of a kind that is not read; convert it to PNG, or remove"),
        ("an empty one", stills(written("clip/a3.gif", b"")),
         r"clip/a3\.gif: not a readable image"),
        ("without a rate", stills(lambda folder: None, fps=None),
         r"frame 'a1': images have no time stamps; give their frames a second"),
    ]),
]  # fmt: skip
