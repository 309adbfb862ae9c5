"""`videottt check-data` on small copies of every layout, whole and spoilt; and table 2 from it."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from support import ROOT, SPACE
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.data.check import frames_of, read_published
from videottt.data.check.files import read_header
from videottt.data.layouts import coco_videos, kitti_step
from videottt.store.source_frame import SourceFrame

CLASSES = {"classes": list(SPACE.classes), "things": list(SPACE.things)}


def picture(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def grey(*size):
    return np.full((*size, 3), 120, np.uint8)


# Small copies: each returns the settings of its data set, and what is "published" of it.


def kitti_copy(root, source_frames):
    for video, frames in (("0002", source_frames[:5]), ("0014", source_frames[5:8])):
        kitti_step.write(root / "kitti", "val", video, iter(frames), SPACE)
    kitti_step.write(root / "kitti", "train", "0003", iter(source_frames[8:10]), SPACE)
    splits = {"val": ["0002", "0014"], "test": ["0003"]}
    known = {
        "splits": {"val": {"0002": 5, "0014": 3}, "test": {"0003": 2}},
        "sizes": {"0002": [64, 96]},
    }
    entry = {"layout": "kitti_step", "root": "kitti", "folders": {"test": "train"}, "fps": 10}
    return {**entry, **CLASSES, "splits": splits}, known


def unpacked_kitti_copy(root, source_frames):
    entry, known = kitti_copy(root, source_frames)
    (root / "kitti/training/image_02").mkdir(parents=True)
    for video in [*(root / "kitti/images").glob("*/*")]:
        video.rename(root / "kitti/training/image_02" / video.name)
    shutil.rmtree(root / "kitti/images")
    return entry, known


def derived_kitti_copy(root, source_frames):
    entry, known = kitti_copy(root, source_frames)
    for path in [*(root / "kitti/panoptic_maps").rglob("*.png")]:
        classes = np.asarray(Image.open(path))[..., 0]
        picture(path.with_name(f"{path.stem}_sem.png"), classes)
        path.with_suffix(".json").write_text(json.dumps({"imgHeight": 64, "imgWidth": 96}))
        path.unlink()
    return entry, known


def cityscapes_copy(root, source_frames):
    for city, count in (("aachen", 2), ("bonn", 1)):
        for number in range(count):
            stem = f"val/{city}/{city}_00000{number}_000019"
            picture(root / f"city/leftImg8bit/{stem}_leftImg8bit.png", grey(8, 12))
            labels = root / f"city/gtFine/{stem}_gtFine"
            picture(labels.with_name(f"{labels.name}_labelIds.png"), np.full((8, 12), 26, np.uint8))
            objects = np.full((8, 12), 26001, np.uint16)
            picture(labels.with_name(f"{labels.name}_instanceIds.png"), objects)
    entry = {"layout": "cityscapes", "root": "city", "fps": 1, "splits": {"val": ["val"]}}
    return {**entry, **CLASSES}, {"splits": {"val": {"val": 3}}, "sizes": {"val": [8, 12]}}


def coco_videos_copy(root, source_frames):
    sparse = [
        frame if index % 2 == 0 else SourceFrame(frame.name, frame.image)
        for index, frame in enumerate(source_frames[:7])
    ]
    coco_videos.write(root / "videos", "test", "bar", iter(sparse), SPACE)
    entry = {"layout": "coco_videos", "root": "videos", "fps": 10, "splits": {"test": ["bar"]}}
    return {**entry, **CLASSES}, {"labelled": {"bar": 4}, "labelled_every": 2}


def coco_copy(root, source_frames):
    coco_videos.write(root / "coco", "any", "v", iter(source_frames[:3]), SPACE)
    (root / "coco/raw_images/v").rename(root / "coco/val2017")
    (root / "coco/panoptic_images/v").rename(root / "coco/panoptic_val2017")
    document = root / "coco/annotations/train/v.json"
    document.rename(root / "coco/annotations/panoptic_val2017.json")
    entry = {"layout": "coco_panoptic", "root": "coco", "fps": 1, "splits": {"val": ["val2017"]}}
    entry |= {"canvas": [100, 100]}
    return {**entry, **CLASSES}, {"splits": {"val": {"val2017": 3}}}


def imagenet_copy(root, source_frames):
    for number in range(4):
        folder = f"imagenet/train/n0{number % 2}"
        picture(root / folder / f"{number}.JPEG", grey(8 + number, 9), format="JPEG")
    entry = {"layout": "imagenet", "root": "imagenet", "fps": None, "splits": {"train": ["train"]}}
    return entry, {"splits": {"train": {"train": 4}}, "folders": {"train": 2}}


def camvid_copy(root, source_frames):
    for number in range(6):
        name = f"{number:06d}.png"
        picture(root / "camvid/images/0001TP" / name, grey(6, 8))
        picture(root / "camvid/labels/0001TP" / name, np.full((6, 8), number, np.uint8))
    entry = {"layout": "camvid", "root": "camvid", "fps": 1, "classes": ["a"] * 11}
    entry |= {"splits": {"val": ["0001TP"]}, "spans": {"0001TP": {"last": "000003"}}}
    return entry, {"splits": {"val": {"0001TP": 4}}}


def film_copy(root, source_frames):
    import ffmpeg
    import imageio_ffmpeg

    (root / "films").mkdir(parents=True)
    source = ffmpeg.input("testsrc=size=64x48:rate=10:duration=5", format="lavfi")
    written = source.output(str(root / "films/goldfish.mp4"), pix_fmt="yuv420p")
    written.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)
    entry = {"layout": "video_file", "root": "films", "fps": 10, "scored": []}
    entry |= {"splits": {"test": ["goldfish"]}}
    return {**entry, **CLASSES}, {
        "splits": {"test": {"goldfish": 50}},
        "duration_s": {"goldfish": 6},
    }


COPIES = {
    "kitti": kitti_copy,
    "unpacked_kitti": unpacked_kitti_copy,
    "derived_kitti": derived_kitti_copy,
    "cityscapes": cityscapes_copy,
    "coco_videos": coco_videos_copy,
    "coco": coco_copy,
    "imagenet": imagenet_copy,
    "camvid": camvid_copy,
    "films": film_copy,
}


class Copy:
    """A copy of a data set, and what `check-data` says of it."""

    def __init__(self, root, kind, source_frames):
        self.root = root / "data"
        self.entry, self.known = COPIES[kind](self.root, source_frames)
        self.report = root / "report.csv"

    def check(self, *options):
        """Return the exit status."""
        facts = self.root.parent / "published.yaml"
        facts.write_text(yaml.safe_dump({"set": self.known}))
        try:
            main([
                "check-data", "set", "--data-root", str(self.root), "--settings",
                json.dumps(self.entry), "--published", str(facts), "--output", str(self.report),
                *options,
            ])  # fmt: skip
        except SystemExit as ended:
            return ended.code
        return 0

    def rows(self):
        with self.report.open() as file:
            return list(csv.DictReader(file))


@pytest.fixture
def copy_of(tmp_path, source_frames):
    return lambda kind: Copy(tmp_path, kind, source_frames)


@pytest.mark.parametrize(
    ("kind", "videos", "frames", "labelled", "size", "seconds"),
    [
        ("kitti", 3, 10, 10, ("64", "96"), "0.5"),
        ("unpacked_kitti", 3, 10, 10, ("64", "96"), "0.5"),
        ("derived_kitti", 3, 10, 10, ("64", "96"), "0.5"),
        ("cityscapes", 1, 3, 3, ("8", "12"), ""),
        ("coco_videos", 1, 7, 4, ("64", "96"), "0.7"),
        ("coco", 1, 3, 3, ("64", "96"), ""),
        ("imagenet", 1, 4, 0, ("8", "9"), ""),
        ("camvid", 1, 4, 4, ("6", "8"), "4"),
        ("films", 1, 50, 0, ("48", "64"), "5"),
    ],
)
def test_a_complete_copy_is_counted_and_has_no_problems(
    copy_of, capsys, kind, videos, frames, labelled, size, seconds
):
    copy = copy_of(kind)
    assert copy.check() == 0
    shown = capsys.readouterr()
    assert "problem:" not in shown.err
    rows = copy.rows()
    assert len(rows) == videos
    assert sum(int(row["frames"]) for row in rows) == frames
    assert sum(int(row["labelled"]) for row in rows) == labelled
    assert {row["problems"] for row in rows} == {"0"}
    assert (rows[0]["height"], rows[0]["width"]) == size
    assert rows[0]["duration_s"] == seconds
    assert rows[0]["classes"] == str(len(copy.entry.get("classes", [])))
    last = shown.out.splitlines()[-1].split()
    assert last[:3] == ["all", str(videos), str(frames)]


# Each kind of damage, and the one line that says so.


def cut(path, kept):
    def spoil(root):
        whole = (root / path).read_bytes()
        (root / path).write_bytes(whole[:kept])

    return spoil


def replaced(path, array, **options):
    return lambda root: picture(root / path, array, **options)


def lost(path):
    return lambda root: (root / path).unlink()


def copied(path, name):
    return lambda root: shutil.copy(root / path, (root / path).with_name(name))


def no_labels(root):
    shutil.rmtree(root / "kitti/panoptic_maps/train")


def unreadable_annotations(root):
    (root / "videos/annotations/train/bar.json").write_text("{")


def unlabelled_frame(root):
    path = root / "videos/annotations/train/bar.json"
    document = json.loads(path.read_text())
    for key, name in (("images", "file_name"), ("annotations", "file_name")):
        document[key] = [each for each in document[key] if each[name] != "bar_000003.png"]
    path.write_text(json.dumps(document))
    (root / "videos/panoptic_images/bar/bar_000003.png").unlink()


FRAME, MAP = "kitti/images/val/0002/000001.png", "kitti/panoptic_maps/val/0002/000001.png"
STILL = "city/gtFine/val/bonn/bonn_000000_000019_gtFine"
DAMAGES = [
    ("kitti", cut(FRAME, 0), f"{FRAME}: is empty"),
    ("kitti", cut(FRAME, 30), f"{FRAME}: not a readable image"),
    ("kitti", cut(FRAME, -40), f"{FRAME}: not a readable image"),
    ("kitti", cut(MAP, -40), f"{MAP}: not a readable image"),
    ("kitti", replaced(FRAME, grey(64, 97)), f"{FRAME}: is 97x64, but other frames are 96x64"),
    ("kitti", replaced(MAP, grey(63, 96)), f"{MAP}: is 96x63, but its frame is 96x64"),
    ("kitti", replaced(MAP, grey(64, 96)[..., 0]), f"{MAP}: is a label map of mode L, expected"),
    ("kitti", replaced(MAP, grey(64, 96)), f"{MAP}: has class 120, but classes are 0..18"),
    ("kitti", replaced(FRAME, np.zeros((64, 96), np.int32), format="TIFF"),
     f"{FRAME}: has values with a sign"),
    ("kitti", replaced(FRAME, grey(64, 96), format="TIFF", save_all=True,
                       append_images=[Image.new("RGB", (96, 64))]),
     f"{FRAME}: holds 2 pictures, but one is due"),
    ("kitti", replaced(MAP, np.zeros((64, 96, 4), np.uint8)),
     f"{MAP}: is a label map of mode RGBA with transparency, expected RGB"),
    ("kitti", lost(MAP), f"{MAP}: missing label map"),
    ("kitti", copied(MAP, "000005.png"), "val/0002/000005.png: this label map has no frame"),
    ("kitti", copied(FRAME, "x.png"), "0002/x.png: is not named like a frame"),
    ("kitti", no_labels, "kitti: video '0003' has no labels"),
    ("derived_kitti", replaced(MAP.replace(".png", "_sem.png"), grey(64, 96)[..., 0]),
     "000001_sem.png: has class 120"),
    ("derived_kitti", lost(MAP.replace(".png", ".json")), "000001.json: missing JSON file"),
    ("cityscapes", replaced(f"{STILL}_labelIds.png", np.full((8, 12), 40, np.uint8)),
     f"{STILL}_labelIds.png: has label 40"),
    ("cityscapes", replaced(f"{STILL}_instanceIds.png", np.full((8, 12), 26, np.uint8)),
     f"{STILL}_instanceIds.png: is a label map of mode L, expected I;16"),
    ("cityscapes", lost(f"{STILL}_instanceIds.png"), "instanceIds.png: missing instance map"),
    ("coco_videos", lost("videos/panoptic_images/bar/bar_000003.png"),
     "panoptic_images/bar/bar_000003.png: this file is missing"),
    ("coco_videos", replaced("videos/panoptic_images/bar/bar_000009.png", grey(64, 96)),
     "bar_000009.png: belongs to no frame"),
    ("coco_videos", copied("videos/raw_images/bar/bar_000007.png", "bar_000009.png"),
     "bar_000009.png: this frame comes after number 7"),
    ("coco_videos", unreadable_annotations, "bar.json: not a readable JSON file"),
    ("coco_videos", unlabelled_frame, "video 'bar': 3 of the 4 frames that are scored, one in 2"),
    ("coco_videos", replaced("videos/panoptic_images/bar/bar_000003.png", grey(64, 96)),
     "bar_000003.png: segment"),
    ("coco", lost("coco/val2017/v_000002.png"), "val2017/v_000002.png: this file is missing"),
    ("coco", replaced("coco/val2017/extra.png", grey(5, 5)), "extra.png: belongs to no frame"),
    ("imagenet", cut("imagenet/train/n01/3.JPEG", -60), "n01/3.JPEG: not a readable image"),
    ("camvid", lost("camvid/labels/0001TP/000002.png"), "000002.png: missing label map"),
    ("films", cut("films/goldfish.mp4", -900), "goldfish.mp4: is truncated or damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spoil", "message"), DAMAGES)
def test_each_kind_of_damage_is_one_line_with_its_file(copy_of, capsys, kind, spoil, message):
    copy = copy_of(kind)
    copy.known = {key: value for key, value in copy.known.items() if key.startswith("labelled")}
    spoil(copy.root)
    assert copy.check() == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "problem:" in each]
    assert message in line
    assert str(copy.root) in line
    assert sum(int(row["problems"]) for row in copy.rows()) == 1


@pytest.mark.parametrize("place", [FRAME, MAP, "imagenet/train/n01/3.JPEG"])
def test_a_truncated_file_is_found_without_a_sample(copy_of, capsys, place):
    copy = copy_of(place.partition("/")[0])
    cut(place, -40)(copy.root)
    assert copy.check("--sample", "0") == 1
    assert f"{place}: not a readable image" in capsys.readouterr().err


def test_a_published_length_that_does_not_divide_may_be_rounded_down(copy_of):
    copy = copy_of("coco_videos")
    copy.known["labelled"] = {"bar": 3}
    assert copy.check() == 0


def test_only_the_part_that_is_used_is_checked(copy_of):
    copy = copy_of("kitti")
    copy.known = {}
    copy.entry["spans"] = {"0002": {"first": "000002", "last": "000003"}}
    (copy.root / FRAME).write_bytes(b"")
    assert copy.check() == 0
    assert [row["frames"] for row in copy.rows()] == ["2", "3", "2"]


def test_a_still_of_another_size_than_is_published_is_named(copy_of, capsys):
    copy = copy_of("cityscapes")
    place = "city/leftImg8bit/val/bonn/bonn_000000_000019_leftImg8bit.png"
    picture(copy.root / place, grey(4, 6))
    for kind, dtype in (("labelIds", np.uint8), ("instanceIds", np.uint16)):
        picture(copy.root / f"{STILL}_{kind}.png", np.full((4, 6), 26, dtype))
    assert copy.check() == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "problem:" in each]
    assert f"{place}: is 6x4, but other frames are 12x8" in line


def test_every_problem_is_listed_not_only_the_first(copy_of, capsys):
    copy = copy_of("kitti")
    (copy.root / FRAME).write_bytes(b"")
    for spoil in (lost(MAP.replace("0001.png", "0003.png")), replaced(MAP, grey(1, 1))):
        spoil(copy.root)
    shutil.rmtree(copy.root / "kitti/images/val/0014")
    assert copy.check() == 1
    problems = [line for line in capsys.readouterr().err.splitlines() if "problem:" in line]
    assert len(problems) == 3
    for name in ("0002/000001.png: is empty", "000003.png: missing label map", "val/0014: no such"):
        assert any(name in problem for problem in problems)
    assert [row["problems"] for row in copy.rows()] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("kind", "known", "message"),
    [
        ("kitti", {"splits": {"val": {"0014": 4}}}, "'0014' has 3 frames, published are 4"),
        ("kitti", {"splits": {"val": {"0014": 2}}}, "'0014' has 3 frames, published are 2"),
        ("kitti", {"sizes": {"0014": [375, 1242]}}, "frames of 96x64, published is 1242x375"),
        ("coco_videos", {"labelled": {"bar": 3}, "labelled_every": 1}, "4 of the 7 frames"),
        ("coco_videos", {"labelled": {"bar": 2}, "labelled_every": 2}, "4 of the 4 frames"),
        ("imagenet", {"folders": {"train": 3}}, "has 2 folders, published are 3"),
        ("films", {"splits": {"test": {"goldfish": 52}}}, "has 50 frames, published are 52"),
        ("films", {"duration_s": {"goldfish": 46}}, "takes 5 s, published are 46 s"),
    ],
)
def test_a_copy_that_is_not_as_published_is_reported(copy_of, capsys, kind, known, message):
    copy = copy_of(kind)
    copy.known = known
    assert copy.check() == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "problem:" in each]
    assert message in line


def test_a_class_that_the_data_set_has_not_is_found_in_a_sample(copy_of, capsys):
    copy = copy_of("camvid")
    copy.entry["classes"] = ["a", "b"]
    assert copy.check() == 1
    assert "000002.png: its labels have class 2" in capsys.readouterr().err
    # A sample is of whole files: without one, what headers cannot tell is not found.
    spoilt = Copy(copy.root.parent / "second", "kitti", list(_frames()))
    picture(spoilt.root / MAP, grey(64, 96))
    assert spoilt.check("--sample", "0") == 0
    assert spoilt.check("--sample", "5") == 1


def _frames():
    for number in range(10):
        blank = np.zeros((64, 96), np.uint8)
        yield SourceFrame(f"{number:06d}", grey(64, 96), blank, blank.astype(np.uint16))


def test_stills_must_fit_the_canvas(copy_of, capsys):
    copy = copy_of("coco")
    copy.entry["canvas"] = [64, 90]
    assert copy.check() == 1
    lines = capsys.readouterr().err.splitlines()
    assert (
        sum("is 96x64, larger than the data set's 'canvas' of 90x64" in each for each in lines) == 3
    )


def test_what_follows_a_whole_image_is_no_damage(tmp_path):
    picture(tmp_path / "x.png", grey(4, 6))
    with (tmp_path / "x.png").open("ab") as file:
        file.write(b"left by a camera")
    assert read_header(tmp_path / "x.png").size == (4, 6)


def test_settings_come_from_config_yaml(tmp_path, capsys, monkeypatch, source_frames):
    entry, _ = kitti_copy(tmp_path / "mine", source_frames)
    config = {
        "data_root": str(tmp_path / "mine"),
        "datasets": {"kitti_step": {**entry, "sources": ["x"]}},
    }
    render = {"size": [64, 96], "seed": 0, "videos": {"v": {"frames": 3}}}
    made = {"layout": "kitti_step", "fps": 10, "splits": {"val": ["v"]}, "render": render}
    config["datasets"]["made"] = made
    config["datasets"]["absent"] = {**entry, "root": "nowhere"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    facts = ["--published", str(ROOT / "workflow/resources/published.yaml")]
    with pytest.raises(SystemExit) as ended:
        main(["check-data", "kitti_step", *facts])
    assert ended.value.code == 1
    assert "video '0002' has 5 frames, published are 233" in capsys.readouterr().err
    for dataset, message in (
        ("made", "'made' is rendered here: there is no copy"),
        ("absent", "mine/nowhere: no such folder, so data set 'absent' is missing"),
        ("kiti_step", "did you mean 'kitti_step'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["check-data", dataset, *facts])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


# The published facts


@pytest.fixture(scope="module")
def facts():
    return read_published(ROOT / "workflow/resources/published.yaml")


def test_published_numbers_add_up_to_those_of_the_data_sets(facts, config):
    kitti = facts["kitti_step"]
    sums = {split: sum(videos.values()) for split, videos in kitti["splits"].items()}
    assert sums == {"val": 2981, "test": 5027}
    assert frames_of(kitti, "0015") == 376
    assert kitti["as_released"] == {"0015": 476}
    assert sum(facts["coco_videos"]["labelled"].values()) == 3130
    for dataset, entry in facts.items():
        known = config["datasets"][dataset]["splits"]
        for split, videos in entry["splits"].items():
            assert set(videos) == set(known[split])
        everything = {video for videos in known.values() for video in videos}
        for key in ("sizes", "labelled", "duration_s", "folders", "as_released"):
            assert set(entry[key]) <= everything


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kitti_step: {split: {}}", "unknown key 'split'; did you mean 'splits'"),
        ("kitti_step: {splits: 3}", "'splits' must be a dict"),
        ("[]", "must map data sets"),
        ("{", "not a readable YAML file"),
    ],
)
def test_a_file_of_published_numbers_is_checked(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_published(tmp_path / "x.yaml")


# Table 2

HEADINGS = (
    "dataset,split,video,frames,published,labelled,published_labelled,height,width,fps,duration_s,"
    "classes,problems\n"
)
REPORTS = {
    "kitti_step": "kitti_step,val,0002,200,,200,,375,1242,10,20,19,0\n"
    "kitti_step,test,0000,400,,400,,375,1242,10,40,19,0\n",
    "films": "films,test,sea,100,,0,,480,640,20,5,0,2\nfilms,test,1e6,300,,0,,480,640,10,30,0,0\n",
    "stills": "stills,val,val,500,500,500,,1024,2048,,,19,0\n",
}


def make_table(tmp_path, reports, paper):
    files = []
    for name in reports:
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_text(HEADINGS + REPORTS[name])
    outputs = {kind: tmp_path / f"table2.{kind}" for kind in ("csv", "markdown", "latex")}
    arguments = [text for kind, path in outputs.items() for text in (f"--{kind}", str(path))]
    main(["make-data-table", "--reports", *map(str, files), "--paper", str(paper), *arguments])
    return outputs


def test_table_2_has_ours_beside_the_paper_s(tmp_path, capsys):
    paper = tmp_path / "paper.csv"
    paper.write_text(
        "dataset,label,mean_length_s,frames,fps,classes\n"
        'davis,"DAVIS, 2017",3.5,3455,30,\nkitti_step,KITTI-STEP,40,600,10,19\n'
    )
    outputs = make_table(tmp_path, REPORTS, paper)
    table = pd.read_csv(outputs["csv"]).set_index("dataset")
    assert list(table.index) == ["davis", "kitti_step", "films", "stills"]
    # Worked by hand: 60 s and 600 frames of 2 videos; 35 s and 400 frames of 2.
    ours = table[["videos", "mean_length_s", "frames", "fps", "classes", "labelled", "problems"]]
    assert ours.loc["kitti_step"].tolist() == [2, 30, 600, 10, 19, 600, 0]
    assert ours.loc["films"].drop("classes").tolist() == [2, 17.5, 400, 11.4286, 0, 2]
    assert ours.loc["stills"].dropna().to_dict() == {
        "videos": 1, "frames": 500, "classes": 19, "labelled": 500, "problems": 0,
    }  # fmt: skip
    assert ours.loc["davis"].isna().all()
    assert table.loc["davis", ["paper_mean_length_s", "paper_frames"]].tolist() == [3.5, 3455]
    text = outputs["markdown"].read_text()
    cells = [cell.strip() for cell in text.split("\n| KITTI-STEP")[1].splitlines()[0].split("|")]
    assert cells[1:-1] == ["2", "30.0", "40.0", "600", "600", "10", "10", "19", "19", "600"]
    caption = " ".join(text.split())
    assert "frames and rate give another length: KITTI-STEP 30.0 s, not 40." in caption
    assert "check-data reports problems: films (2)." in caption
    assert text == capsys.readouterr().out[:-1]
    assert r"\label{tab:table2}" in outputs["latex"].read_text()


def test_the_paper_s_table_2_stands_alone_where_nothing_is_checked(tmp_path):
    paper = ROOT / "workflow/resources/paper/table2.csv"
    table = pd.read_csv(make_table(tmp_path, [], paper)["csv"]).set_index("dataset")
    assert table.paper_frames.to_dict() == {
        "cityscapes_vps": 3000, "davis": 3455, "youtube_vos": 123467, "kitti_step": 8008,
        "coco_videos": 10475,
    }  # fmt: skip
    assert table.videos.isna().all()


def test_what_is_no_report_is_refused(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("dataset,frames\n")
    paper = str(ROOT / "workflow/resources/paper/table2.csv")
    outputs = [text for kind in ("csv", "markdown", "latex") for text in (f"--{kind}", "y")]
    for file, message in (("x.csv", "no column 'split'"), ("z.csv", "no such file")):
        with pytest.raises(SystemExit):
            main(["make-data-table", "--reports", str(tmp_path / file), "--paper", paper, *outputs])
        assert message in capsys.readouterr().err
