"""The replicas of real data sets and networks, read by what reads the real ones."""

import json

import numpy as np
import pytest
import yaml

from replicas import cityscapes, coco, imagenet, kitti_step, published, write_replicas
from support import ROOT, import_for
from videottt.core.segments import ClassSpace
from videottt.data.check import read_published
from videottt.data.fetch.catalogue import read_sources
from videottt.data.fetch.fetching import fetch
from videottt.data.layouts import layout_named
from videottt.data.layouts.coco_categories import STUFF, THINGS
from videottt.data.layouts.imagenet import StillFolder
from videottt.evaluation.perception import load_networks
from videottt.models.baselines.deeplabv3plus import load_deeplabv3plus_r101
from videottt.models.baselines.segformer import load_segformer_b4
from videottt.models.baselines.zhang2016 import colourise, load_zhang2016

RESOURCES = ROOT / "workflow/resources"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    return write_replicas(tmp_path_factory.mktemp("replicas"), RESOURCES / "datasets.yaml")


@pytest.fixture(scope="module")
def data_root(replicas, tmp_path_factory):
    """What `videottt fetch` makes of all replicas, each a download that was put there by hand."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "sources.yaml").write_text(replicas.sources(NOWHERE))
    for name, source in read_sources(folder / "sources.yaml").items():
        path = source.download(folder)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(replicas.file(name).read_bytes())
        record = folder / f"records/{name}.json"
        fetch(source, name, folder, mirror=None, offline=True, output=record)
    return folder


def test_the_list_of_replicas_differs_from_the_real_one_in_sizes_and_checksums_only(replicas):
    real = yaml.safe_load((RESOURCES / "datasets.yaml").read_text())["sources"]
    listed = yaml.safe_load(replicas.sources(NOWHERE))["sources"]
    assert listed.keys() == real.keys()
    for name, entry in listed.items():
        changed = {key for key in entry if entry[key] != real[name].get(key)}
        addresses = {"urls"} if entry["access"] == "cityscapes" else set()
        assert changed <= {"bytes", "exact_bytes", "sha256", "md5"} | addresses
        for kind in ("sha256", "md5"):
            digits = [each.get(kind) or "" for each in (real[name], entry)]
            assert len(digits[0]) == len(digits[1])
            assert not digits[0] or digits[0] != digits[1]
    assert listed["cityscapes_labels"]["urls"] == [f"{NOWHERE}/file-handling/?packageID=1"]
    assert yaml.safe_load(published()).keys() <= read_published(RESOURCES / "published.yaml").keys()


def test_the_same_seed_writes_the_same_bytes(replicas, tmp_path):
    for name in ("kitti_step_labels", "coco_panoptic", "imagenet", "lumiere_the_sea", "alexnet"):
        path = tmp_path / replicas.file(name).name
        replicas.write(name, path)
        assert path.read_bytes() == replicas.file(name).read_bytes(), name


def read(data_root, config, dataset, split, video):
    entry = config["datasets"][dataset]
    space = ClassSpace(tuple(entry.get("classes", ())), tuple(entry.get("things", ())))
    folder = entry.get("folders", {}).get(split, split)
    reader = layout_named(entry["layout"]).read
    return list(reader(data_root / entry["root"], folder, video, space)), space


@pytest.mark.parametrize(
    ("dataset", "split", "video", "frames", "labelled"),
    [
        ("kitti_step", "val", "0014", 8, 8),
        ("kitti_step", "test", "0003", 8, 8),
        ("cityscapes", "train", "train", 8, 8),
        ("coco", "train", "train2017", 8, 8),
        ("coco_videos", "test", "bangkok", 6, 3),
        ("camvid", "val", "0001TP", 3, 3),
        ("lumiere", "test", "the_sea", 16, 0),
        ("project_page", "test", "school", 8, 0),
        ("project_page_driving", "test", "kitti_0002", 8, 0),
    ],
)
def test_a_data_set_is_read_with_all_of_its_frames_and_labels(
    data_root, config, dataset, split, video, frames, labelled
):
    found, space = read(data_root, config, dataset, split, video)
    assert len(found) == frames
    assert all(each.image.std() > 8 for each in found)
    truths = [each for each in found if each.semantic is not None]
    assert len(truths) == labelled
    for each in truths:
        classes = set(np.unique(each.semantic)) - {255}
        assert len(classes) >= 4
        assert max(classes) < len(space.classes)
    if space.things and truths:
        assert max(each.instance.max() for each in truths) > 1


def test_labels_are_read_as_they_were_rendered(data_root, config):
    void, seed = 255, 0
    found, _ = read(data_root, config, "kitti_step", "test", "0012")
    size = kitti_step.SEQUENCES["train"]["0012"]
    for each, truth in zip(found, kitti_step.frames_of("0012", size, seed), strict=True):
        np.testing.assert_array_equal(each.image, truth.image)
        np.testing.assert_array_equal(each.semantic[:-3], truth.semantic[:-3])
        np.testing.assert_array_equal(each.instance[:-3], 67 * truth.instance[:-3])
        assert (each.semantic[-3:] == void).all()
    assert max(each.instance.max() for each in found) > 255

    found, _ = read(data_root, config, "cityscapes", "train", "train")
    truths = [frame for split, _, frame in cityscapes.frames_of(seed) if split == "train"]
    for each, truth in zip(found, truths, strict=True):
        np.testing.assert_array_equal(each.image, truth.image)
        np.testing.assert_array_equal(each.semantic[1:-4], truth.semantic[1:-4])
        assert (each.semantic[[0, -1]] == void).all()

    found, space = read(data_root, config, "coco", "train", "train2017")
    indices = np.array(
        [space.classes.index((THINGS | STUFF)[c]) if c else void for c in coco.CATEGORIES]
    )
    for each, (_, name, truth) in zip(found, coco.frames_of("train2017", seed), strict=True):
        assert each.name == name
        np.testing.assert_array_equal(each.semantic, indices[truth.semantic])
        assert abs(each.image.astype(int) - truth.image).mean() < 8  # JPEG


def test_a_film_has_no_colour_and_a_clip_has(data_root, config):
    film, clip = (
        read(data_root, config, *ids)[0]
        for ids in [("lumiere", "test", "gardener"), ("project_page", "test", "bangkok")]
    )
    assert np.ptp(film[0].image.astype(int), axis=-1).max() <= 2
    assert np.ptp(clip[0].image.astype(int), axis=-1).max() > 60


def test_only_what_is_wanted_was_unpacked(data_root):
    sequences = {v for videos in kitti_step.SEQUENCES.values() for v in videos}
    root = data_root / "kitti_step"
    assert {each.name for each in (root / "training/image_02").iterdir()} == sequences
    assert {each.name for each in root.iterdir()} == {"training", "panoptic_maps"}
    kinds = {each.name.rpartition("_")[2] for each in (data_root / "cityscapes").rglob("*.*")}
    assert kinds == {
        "leftImg8bit.png",
        "color.png",
        "instanceIds.png",
        "labelIds.png",
        "polygons.json",
    }
    assert {each.name for each in (data_root / "cityscapes/gtFine").iterdir()} == {"train", "val"}
    assert len(list((data_root / "coco/panoptic_train2017").iterdir())) == len(
        coco.IMAGES["train2017"]
    )
    assert not [each for each in data_root.rglob("*") if "MACOSX" in each.name]
    folder = StillFolder(data_root / "imagenet/train", ClassSpace((), ()))
    assert len(folder) == len(imagenet.CLASSES) * imagenet.IMAGES
    assert all(folder.frame(number).shape[2] == 3 for number in range(len(folder)))


@pytest.mark.parametrize(
    ("source", "task", "dataset", "decoder"),
    [
        ("mask2former_cityscapes_semantic", "semantic", "cityscapes", False),
        ("mask2former_coco_instance", "instance", "coco", False),
        ("mask2former_coco_panoptic", "panoptic", "coco", False),
        ("mask2former_coco_panoptic_hf", "panoptic", "coco", False),
        ("mask2former_cityscapes_semantic_hf", "semantic", "cityscapes", False),
        ("release_coco_instance", "instance", "coco", True),
        ("swin_small_imagenet", "colorization", "imagenet", False),
    ],
)
def test_a_checkpoint_is_imported_with_nothing_left_over(
    replicas, config, source, task, dataset, decoder
):
    entry = config["datasets"][dataset]
    space = ClassSpace(tuple(entry.get("classes", ())), tuple(entry.get("things", ())))
    made = import_for(replicas.file(source), task, space, model="tiny", fourth_channel="zeros")
    assert made.has_decoder == decoder
    assert made.has_head == (task != "colorization")


def test_networks_of_others_fit_and_tell_images_apart(replicas, data_root, config):
    import torch

    frames, _ = read(data_root, config, "kitti_step", "val", "0014")
    images = np.stack([frames[0].image, frames[-1].image])
    names = ("inception", "alexnet")
    networks = load_networks({n: replicas.file(n) for n in names}, torch.device("cpu"))
    features, logits = networks.inception(images)
    assert np.isfinite(features).all()
    assert 1e-3 < abs(features[0] - features[1]).mean() < 1e3
    assert 1e-3 < logits.std() < 1e3
    assert networks.distance(images[:1], images[1:])[0] > 1e-3
    coloured = colourise(load_zhang2016(replicas.file("zhang2016")), images[0])
    assert coloured.std(axis=(0, 1)).min() > 1
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 128 - 1
    loaders = {"segformer_b4": load_segformer_b4, "deeplabv3plus_r101": load_deeplabv3plus_r101}
    for name, load in loaders.items():
        with torch.inference_mode():
            scores = load(replicas.file(name))(pixels)
        assert len(torch.unique(scores.argmax(1))) > 1, name
        assert 1e-3 < float(scores.std()) < 1e3, name


def test_a_record_names_the_checksum_that_was_enforced(data_root, replicas):
    records = {
        name: json.loads((data_root / f"records/{name}.json").read_text())
        for name in replicas.entries
    }
    for name in ("coco_val_images", "mask2former_coco_instance", "alexnet", "cityscapes_images"):
        assert records[name]["checksum"] == "published", records[name]
