"""Whatever bytes and texts come in, parsers return what they mean or refuse them in one line."""

import argparse
import copy
import dataclasses
import functools
import io
import json
import os
import pickle
import shutil
import tarfile
import warnings
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask

from archive_files import below
from support import ROOT, SPACE, small_model, store_frames, whole_config
from videottt.cli import arguments
from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.rle import check_masks, run_lengths
from videottt.core.segments import VOID, instances_from, instances_of, panoptic_from
from videottt.data.check.files import read_header
from videottt.data.fetch.catalogue import Unpacking, read_sources
from videottt.data.fetch.unpacking import unpack
from videottt.data.films.containers import declared_size
from videottt.data.layouts import coco_instances, coco_panoptic, coco_videos, kitti_step
from videottt.data.pictures.images import FORMATS, image_size, read_image, read_pages
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.pickles import read_pickle
from videottt.report.tables.reading import read_metrics
from videottt.runtime.saved_state import SavedState
from videottt.store.frames import FrameStore
from videottt.store.predictions import NUMBERS, PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame
from videottt.study import config as configuration
from videottt.study.layers import complete
from videottt.study.validation import validate

CONFIG = whole_config()
SOURCES = yaml.safe_load((ROOT / "workflow/resources/datasets.yaml").read_text(encoding="utf-8"))


def searched(examples):
    """Return a decorator that searches the same examples every time, however slow they are."""
    checks = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
    return settings(
        max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=checks,
    )  # fmt: skip


# Damage


@st.composite
def spoilt(draw, content):
    """Bytes that differ from `content`: some are changed, or it is cut, or a part is gone."""
    places = st.integers(0, len(content) - 1)
    kind = draw(st.sampled_from(["bits", "bytes", "zeros", "cut", "removed", "repeated"]))
    if kind == "cut":
        return content[: draw(places)]
    if kind in ("bits", "bytes"):
        found = bytearray(content)
        for place in draw(st.lists(places, min_size=1, max_size=3)):
            found[place] ^= 1 << draw(st.integers(0, 7)) if kind == "bits" else draw(BYTE)
        return bytes(found)
    start, length = draw(places), draw(st.sampled_from([1, 8, 64, 512]))
    part = content[start : start + length]
    between = {"zeros": bytes(len(part)), "removed": b"", "repeated": 2 * part}[kind]
    return content[:start] + between + content[start + length :]


BYTE = st.integers(1, 255)

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=8)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def places_in(value, path=()):
    """Yield the path to every value in a document of JSON."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places_in(value[key], (*path, key))


@st.composite
def mistaken(draw, document, values=JSON):
    """A document in which one to three values are others, or are gone."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places_in(changed))[1:] or [()]))
        if not path:
            return draw(values)
        holder = functools.reduce(lambda held, key: held[key], path[:-1], changed)
        if draw(st.integers(0, 4)):
            holder[path[-1]] = copy.deepcopy(draw(values | st.sampled_from(USUAL)))
        else:
            del holder[path[-1]]
    return changed


# What may stand where something else should.
USUAL = [
    0, -1, 1, 2, 255, 256, 2**24, 2**31, 2**63, 2**70, 1.0, float("inf"), float("nan"), "", ".",
    "..", "/", "a" * 300, "\0", "\ud800", [], {}, [[]], [0, 0], "0", True, None,
]  # fmt: skip


# Run lengths


@searched(150)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_are_those_of_pycocotools(mask):
    found = instances_from(mask[None], [0])
    check_masks(found)
    runs = run_lengths(found.masks[0])
    columns = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(columns, mask.ravel(order="F"))
    assert np.array_equal(found.pixels()[0], mask)


@searched(300)
@given(
    st.binary(max_size=12)
    | st.lists(st.integers(48, 111), max_size=12).map(bytes)
    | spoilt(instances_from(np.eye(9, dtype=bool)[None], [0]).masks[0])
)
def test_what_passes_for_run_lengths_is_a_mask_that_pycocotools_decodes_to_the_same(counts):
    mask = dataclasses.replace(instances_from(np.zeros((1, 9, 9), bool), [0]), masks=(counts,))
    try:
        check_masks(mask)
    except ValueError:
        return
    runs = run_lengths(counts)
    columns = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(mask.pixels()[0], columns.reshape((9, 9), order="F"))
    assert coco_mask.area(mask.run_lengths)[0] == columns.sum()


# COCO's documents


SMALL = (6, 8)
CATEGORIES = [{"id": 12, "name": "person", "isthing": 1}, {"id": 1, "name": "road", "isthing": 0}]
IMAGES = [{"id": 7, "file_name": "v_000001.png", "height": SMALL[0], "width": SMALL[1]}]
SEGMENTS = [{"id": 1, "category_id": 12, "iscrowd": 0, "instance_id": 3, "area": 8},
            {"id": 2, "category_id": 1, "iscrowd": 0}]  # fmt: skip
PANOPTIC = {
    "images": IMAGES,
    "categories": CATEGORIES,
    "annotations": [{"image_id": 7, "file_name": "v_000001.png", "segments_info": SEGMENTS}],
}
DIAGONAL = instances_from(np.eye(*SMALL, dtype=bool)[None], [0]).masks[0].decode()
SEGMENTATIONS = [
    [[0, 0, 5, 0, 5, 5], [1.5, 1.5, 2, 3, 4, 1]],
    {"size": list(SMALL), "counts": [3, 10, 35]},
    {"size": list(SMALL), "counts": DIAGONAL},
]
INSTANCES = {
    "images": IMAGES,
    "categories": CATEGORIES,
    "annotations": [
        {"id": 5 + i, "image_id": 7, "category_id": 12, "iscrowd": i % 2, "segmentation": each}
        for i, each in enumerate(SEGMENTATIONS)
    ],
}


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """A folder that has one image in every layout of COCO, without the documents."""
    root = tmp_path_factory.mktemp("coco")
    ids = np.zeros((*SMALL, 3), np.uint8)
    ids[:, :4, 0], ids[:, 4:, 0] = 1, 2
    for folder in ("v", "raw_images/v", "annotations/panoptic_v", "panoptic_images/v"):
        (root / folder).mkdir(parents=True)
        Image.fromarray(ids).save(root / folder / "v_000001.png")
    (root / "annotations/train").mkdir()
    return root


@pytest.mark.parametrize(
    ("layout", "name", "whole"),
    [
        (coco_panoptic, "panoptic_v", PANOPTIC),
        (coco_videos, "train/v", PANOPTIC),
        (coco_instances, "instances_v", INSTANCES),
    ],
    ids=["panoptic", "videos", "instances"],
)
def test_a_document_of_coco_is_read_or_refused_whatever_it_says(coco, layout, name, whole):
    path = coco / f"annotations/{name}.json"

    def read(document):
        path.write_text(json.dumps(document))
        return list(layout.read(coco, "val", "v", SPACE))

    (frame,) = read(whole)
    assert set(np.unique(frame.semantic)) >= {11}

    @searched(250)
    @given(mistaken(whole) | JSON)
    def search(document):
        # What is read is good enough to be kept.
        kept = path.with_suffix(".h5")
        unless_refused(lambda: store_frames(kept, read(document), things=SPACE.things))

    search()


@searched(60)
@given(st.binary(max_size=60) | spoilt(json.dumps(PANOPTIC).encode()))
def test_a_file_that_should_be_a_document_of_coco_is_read_or_refused(coco, content):
    (coco / "annotations/panoptic_v.json").write_bytes(content)
    unless_refused(lambda: list(coco_panoptic.read(coco, "val", "v", SPACE)))


def unless_refused(read):
    """Return what a reader returns, or None where it refuses its input."""
    try:
        return read()
    except InputError:
        return None


# KITTI-STEP


MAPS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.tuples(
        arrays.arrays(np.uint8, size, elements=st.integers(0, 18) | st.just(VOID)),
        arrays.arrays(np.uint16, size),
    )
)


@searched(100)
@given(MAPS)
def test_panoptic_maps_of_kitti_step_come_back(maps):
    found = kitti_step.decode(kitti_step.encode(*maps))
    for one, other in zip(found, maps, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@searched(60)
@given(MAPS.map(lambda maps: np.dstack([maps[0], maps[1] % 256, maps[1] // 256])), st.data())
def test_a_panoptic_map_of_kitti_step_is_read_or_refused_whatever_it_holds(tmp_path, colours, data):
    image, label = (tmp_path / f"{kind}/val/v" for kind in ("images", "panoptic_maps"))
    for folder in (image, label):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours.astype(np.uint8)).save(folder / "000000.png")
    (frame,) = kitti_step.read(tmp_path, "val", "v", SPACE)
    assert np.array_equal(frame.semantic, colours[..., 0])
    content = (label / "000000.png").read_bytes()
    (label / "000000.png").write_bytes(data.draw(spoilt(content)))
    found = unless_refused(lambda: list(kitti_step.read(tmp_path, "val", "v", SPACE)))
    assert found is None or found[0].semantic.shape == frame.semantic.shape


# Pictures


def pictured(kind):
    """Return a small picture of a kind, turned by its EXIF data."""
    held = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6
    colours = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
    Image.fromarray(colours).save(held, kind, **({} if kind == "BMP" else {"exif": turned}))
    return held.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_read_or_refused_whatever_is_damaged(tmp_path, kind):
    path = tmp_path / "0.png"

    @searched(150)
    @given(spoilt(pictured(kind)))
    def search(content):
        path.write_bytes(content)
        for read in (read_image, lambda each: list(read_pages(each)), image_size, read_header):
            unless_refused(lambda read=read: read(path))

    search()


# Pickles


STATE = {
    "model": {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float64(2.5)},
    "names": ["x", "y", ("z", 1, None, True)],
}
TENSORS = {"model": {"a": torch.arange(4.0), "b": torch.nn.Parameter(torch.ones(2))}}
PICKLES = [pickle.dumps(STATE, protocol) for protocol in (0, 2, 4)] + [pickle.dumps(TENSORS, 2)]
# Every instruction of the pickle machine, and names that it may know.
WORDS = [bytes([code]) for code in range(256)] + [
    b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n", b"cos\nsystem\n", b"cbuiltins\neval\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"U\x02f4",
    b"c_codecs\nencode\n", b"ctorch.storage\n_load_from_bytes\n", b"K\x01", b"ctorch._utils\n"
    b"_rebuild_tensor_v2\n", b"(", b"t", b"R", b"b", b"}", b"]", b"\x85", b"\x86", b"\x81", b"N",
]  # fmt: skip
ALLOWED = (dict, list, tuple, str, int, float, bool, bytes, bytearray, type(None), np.ndarray,
           np.dtype, torch.Tensor)  # fmt: skip


def check_plain(held, seen=()):
    """Check that a value is of arrays and plain containers, as deep as it goes."""
    assert isinstance(held, ALLOWED)
    if isinstance(held, dict | list | tuple) and not any(held is each for each in seen):
        for each in [*held, *held.values()] if isinstance(held, dict) else held:
            check_plain(each, (*seen, held))


@searched(500)
@given(
    st.binary(max_size=40)
    | st.sampled_from(PICKLES).flatmap(spoilt)
    | st.lists(st.sampled_from(WORDS), max_size=12).map(lambda words: b"".join(words) + b".")
)
def test_a_pickle_is_arrays_or_refused(tmp_path, content):
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_plain(unless_refused(lambda: read_pickle(path)))


# Checkpoints


@pytest.fixture(scope="module")
def small_checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save_checkpoint(path, small_model(), ["a", "b"], SPACE, decoder=False, provenance={})
    return path


def test_a_checkpoint_is_read_or_refused_whatever_its_metadata_say(small_checkpoint, tmp_path):
    with safetensors.safe_open(small_checkpoint, "pt") as file:
        facts = dict(file.metadata())
    tensors = safetensors.torch.load_file(small_checkpoint)
    stated = {name: json.loads(facts[name]) for name in facts if name not in ("format", "version")}

    @searched(60)
    @given(mistaken(stated))
    def search(changed):
        found = changed if isinstance(changed, dict) else {}
        metadata = {name: json.dumps(value) for name, value in found.items()}
        plain = {"format": facts["format"], "version": facts["version"]}
        content = safetensors.torch.save(tensors, {**metadata, **plain})
        (tmp_path / "x.safetensors").write_bytes(content)
        unless_refused(lambda: load_checkpoint(tmp_path / "x.safetensors"))

    search()


def test_the_head_of_a_checkpoint_is_read_or_refused_whatever_is_damaged(
    small_checkpoint, tmp_path
):
    content = small_checkpoint.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")

    @searched(60)
    @given(spoilt(content[:end]))
    def search(head):
        (tmp_path / "x.safetensors").write_bytes(head + content[end:])
        unless_refused(lambda: load_checkpoint(tmp_path / "x.safetensors"))

    search()


# Saved states


@searched(200)
@given(st.data())
def test_a_damaged_state_is_passed_over_and_never_changes_a_number(tmp_path, data):
    folder = tmp_path / "state"
    shutil.rmtree(folder, ignore_errors=True)

    def saved():
        return SavedState(folder, folder / "x.h5", {"job": 1})

    states = [{"a": torch.arange(float(i + 2)), "next": i} for i in range(3)]
    parts = [[{"frame": i, "map": torch.full((3,), i)}] for i in range(3)]
    writer = saved()
    for state, part in zip(states, parts, strict=True):
        assert writer.save(state, part)
    files = sorted(folder.rglob("*.state")) + sorted(folder.rglob("*.part"))
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=3, unique=True)):
        path.write_bytes(data.draw(spoilt(path.read_bytes())))
    reader = saved()
    found = reader.load()
    if found is not None:
        last = found["next"]
        assert torch.equal(found["a"], states[last]["a"])
        for read, part in zip(reader.parts(), parts[: last + 1], strict=True):
            assert read[0]["frame"] == part[0]["frame"]
            assert torch.equal(read[0]["map"], part[0]["map"])
    assert saved().save({"next": 9}, [{"frame": 0}])


# HDF5 files of ours


def stored_frames(path):
    """Write a small store with every kind of labels, and return how it is read whole."""
    draws = np.random.default_rng(0)
    frames = []
    for index in range(3):
        image = draws.integers(0, 256, (*SMALL, 3)).astype(np.uint8)
        semantic = draws.choice([0, 11, 13, VOID], SMALL).astype(np.uint8)
        instance = draws.integers(0, 300, SMALL).astype(np.uint16)
        masks = instances_from(draws.random((2, *SMALL)) < 0.5, [11, 13])
        frames.append(SourceFrame(f"{index}", image, semantic, instance, masks, index / 7))
    store_frames(path, frames)
    return read_frames


def read_frames(path):
    with FrameStore(path) as store:
        facts = [store.dataset, store.video, store.fps, store.space, store.names, store.size]
        values = [store.timestamps, store.labelled, store.sizes]
        for index in range(len(store)):
            values += [store.frame(index), store.semantic(index), store.instance(index)]
            values += columns(store.instances(index))
    return facts, values


def columns(prediction):
    """Return what a prediction holds, as arrays and texts."""
    if isinstance(prediction, np.ndarray):
        return [prediction]
    return [getattr(prediction, field.name) for field in dataclasses.fields(prediction)]


def stored_predictions(path, kind):
    """Write small predictions of a kind with a ladder, and return how they are read whole."""
    draws = np.random.default_rng(0)
    key = JobKey("d", "t", "m", 0, "v")
    with write_predictions(
        path, key, kind=kind, frames=3, size=SMALL, classes=SPACE.classes,
        settings={"ladder": [1, 2]}, provenance={"made": "here"},
    ) as writer:  # fmt: skip
        for index in range(3):
            semantic = draws.choice([0, 11, 13, VOID], SMALL).astype(np.uint8)
            instance = draws.integers(0, 3, SMALL).astype(np.uint16)
            panoptic = panoptic_from(semantic, instance, SPACE)
            made = {
                "classes": semantic,
                "panoptic": panoptic,
                "instances": instances_of(panoptic, SPACE),
                "images": draws.integers(0, 256, (*SMALL, 3)).astype(np.uint8),
            }
            result = FrameResult(index, made[kind], index / 3, 1.0, 0, dict.fromkeys(PHASES, 0.5))
            writer.add_to_rung(1, result)
            writer.add(result)
        writer.look(0, np.ones((2, 2), bool), np.ones((*SMALL, 3), np.uint8))
    return read_predictions


def read_predictions(path):
    with PredictionReader(path) as reader:
        facts = [reader.key, reader.classes, reader.settings, reader.provenance, reader.ladder,
                 reader.kind, reader.size, reader.peak_memory()]  # fmt: skip
        values = [reader.number(name) for name in NUMBERS] + [reader.wall_time("adapt")]
        values += [each for look in reader.looks() for each in look]
        for index in range(len(reader)):
            values += columns(reader.prediction(index))
            values += columns(reader.prediction_after(1, index))
    return facts, values


@pytest.mark.parametrize("kind", ["frames", "classes", "panoptic", "instances", "images"])
def test_a_damaged_hdf5_file_is_refused_or_says_what_it_said(tmp_path, kind):
    whole, other = tmp_path / "whole.h5", tmp_path / "x.h5"
    read = stored_frames(whole) if kind == "frames" else stored_predictions(whole, kind)
    facts, values = read(whole)

    @searched(500)
    @given(spoilt(whole.read_bytes()))
    def search(content):
        other.write_bytes(content)
        found = unless_refused(lambda: read(other))
        if found is not None:
            assert found[0] == facts
            np.testing.assert_equal(found[1], values)

    search()


# Text on command lines and in config.yaml


VALUES = TEXTS | st.sampled_from(
    ["2001-99-99", "[1", "&a [*a]", "{a: {b", "!!int x", "!!timestamp x", "1_0", "0o9", "1e3", "=",
     "99:99:99", "!!binary \x00", "<<: 1", "? a", "!!python/name:os.system", "[" * 500]
)  # fmt: skip


@searched(300)
@given(st.lists(TEXTS | VALUES.map("window={}".format), max_size=3))
def test_a_variant_of_a_method_is_its_settings_or_refused(changes):
    config = {"methods": {"m": {"label": "M"}}}
    found = unless_refused(lambda: configuration.method_of(config, ",".join(["m", *changes])))
    if found is not None:
        assert found.base == "m"
        assert len(found.overrides) <= sum(change.count(",") + 1 for change in changes)
        configuration.label_of(config, found)


WRITTEN = st.dictionaries(TEXTS, JSON, max_size=4).map(json.dumps)


@searched(300)
@given(VALUES | JSON.map(json.dumps) | WRITTEN | st.just('{"a": 1e999}') | VALUES.map("@{}".format))
def test_settings_of_a_command_line_are_json_or_refused(text):
    for read in (arguments.settings, arguments.products):
        try:
            found = read(text)
        except argparse.ArgumentTypeError:
            continue
        # It is to be written as provenance.
        assert json.loads(json.dumps(found, allow_nan=False)) == found


@searched(100)
@given(st.dictionaries(TEXTS, JSON, max_size=4))
def test_settings_come_back(values):
    plain = json.dumps(values)
    if any(word in plain for word in ("NaN", "Infinity")):
        return
    assert arguments.settings(plain) == json.loads(plain)


# Whole files of settings, and tables


def of_its_own(document):
    """Values that stand elsewhere in a document, or anything."""
    places = [path for path in places_in(document) if path]
    held = [functools.reduce(lambda held, key: held[key], path, document) for path in places]
    return st.sampled_from(held) | JSON


@searched(80)
@given(mistaken(CONFIG, of_its_own(CONFIG)))
def test_a_configuration_is_taken_or_refused(changed):
    unless_refused(lambda: validate(complete(changed)))


@searched(80)
@given(mistaken(SOURCES, of_its_own(SOURCES)).map(yaml.safe_dump) | TEXTS)
def test_a_list_of_sources_is_taken_or_refused(tmp_path, text):
    path = tmp_path / "datasets.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    for source in (unless_refused(lambda: read_sources(path)) or {}).values():
        assert not any(".." in PurePosixPath(place).parts for place in source.provides)
        assert source.download(tmp_path).parent == tmp_path / "downloads"


TABLE = "dataset,split,task,method,seed,aggregation,video,metric,value\n" + "".join(
    f"d,test,semantic,m,{seed},pooled,all,miou_pooled,0.{seed}5\n" for seed in range(3)
)


@searched(200)
@given(spoilt(TABLE.encode()) | st.binary(max_size=60))
def test_a_table_of_metrics_is_read_or_refused(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    table = unless_refused(lambda: read_metrics(path))
    assert table is None or not table.drop(columns="value").isna().any(axis=None)


def test_a_name_in_a_table_of_metrics_is_a_text_whatever_it_looks_like(tmp_path):
    names = ["0012", "null", "nan", "1e3", "True"]
    rows = TABLE.splitlines()
    table = [rows[0], *(rows[1].replace(",all,", f",{name},") for name in names)]
    (tmp_path / "t.csv").write_text("\n".join(table))
    assert read_metrics(tmp_path / "t.csv").video.tolist() == names


# Videos


STARTS = [b"\0\0\0\x08ftyp", b"\0\0\0\x01mdat", b"RIFF\x10\0\0\0AVI ", b"\x1a\x45\xdf\xa3\x80",
          b"\x18\x53\x80\x67\x81", b""]  # fmt: skip


@searched(300)
@given(st.lists(st.sampled_from(STARTS) | st.binary(max_size=12), max_size=6).map(b"".join))
def test_a_video_file_says_its_size_or_nothing(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    declared = declared_size(path)
    assert declared is None or 0 < declared < 2**64 + len(content)


# Archives


PARTS = st.sampled_from(["..", ".", "", "a", "A", "b", "set", "\\", "C:", "~", "a" * 300, "\n",
                         "a.zip"]) | TEXTS  # fmt: skip
MEMBERS = st.lists(
    st.tuples(st.lists(PARTS, max_size=4).map("/".join), st.binary(max_size=20)), max_size=5
)


def zipped(members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name or "x"), content)
    return held.getvalue()


def tarred(members):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return held.getvalue()


@st.composite
def archives(draw):
    members = draw(MEMBERS)
    try:
        content = draw(st.sampled_from([zipped, tarred]))(members)
    except (ValueError, OverflowError):
        content = zipped([("a/b", b"x")])
    return draw(spoilt(content)) if draw(st.booleans()) else content


@searched(200)
@given(archives())
def test_an_archive_is_unpacked_below_its_place_or_not_at_all(tmp_path, monkeypatch, content):
    # It waits for all that other processes write.
    monkeypatch.setattr(os, "sync", lambda: None)
    folder = tmp_path / "archive"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    archive = folder / "x.bin"
    archive.write_bytes(content)
    wanted = Unpacking({"": "set/"}, 10_000, 20)
    done = unless_refused(lambda: unpack(archive, wanted, folder / "data/root", "set") or True)
    made = set(below(folder)) - {"x.bin"}
    assert all(name.startswith("data/root/set/") for name in made)
    assert done or not made
