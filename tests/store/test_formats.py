import dataclasses
import os

import h5py
import numpy as np
import pytest

from support import FRAMES, SIZE, SPACE, VIDEO, contents, store_frames
from videottt.core.errors import InputError
from videottt.core.files import complete_file, sha256, write_text
from videottt.core.frame_result import ADAPT_PHASES, PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import VOID, instances_from, instances_of, panoptic_from
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.evaluation.scores import read_scores
from videottt.store.frames import FrameStore
from videottt.store.layers import InstanceLists
from videottt.store.predictions import WALL_TIMES, PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame

KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 3, VIDEO)


def result(index, seconds=None):
    labels = np.full(SIZE, index, np.uint8)
    labels[:, index] = 7
    seconds = seconds or {phase: 10.0**place for place, phase in enumerate(PHASES)}
    return FrameResult(index, labels, 0.5 + index, float("nan"), index % 2, seconds)


def save_predictions(path, results, looks=()):
    with write_predictions(
        path,
        KEY,
        kind="classes",
        frames=4,
        size=SIZE,
        classes=CITYSCAPES,
        settings={"window": 16},
        provenance={"made": "here"},
    ) as writer:
        for each in results:
            writer.add(each)
        for look in looks:
            writer.look(*look)
    return path


# The frame store


def test_a_frame_store_gives_back_what_it_was_given(store, source_frames):
    assert len(store) == FRAMES
    assert (store.dataset, store.video, store.fps, store.size) == ("synthetic", VIDEO, 10.0, SIZE)
    assert tuple(store.classes) == CITYSCAPES
    assert store.names == [frame.name for frame in source_frames]
    assert store.labelled.tolist() == [True] * FRAMES
    for index, frame in enumerate(source_frames):
        assert np.array_equal(store.frame(index), frame.image)
        assert np.array_equal(store.semantic(index), frame.semantic)
        assert np.array_equal(store.instance(index), frame.instance)
    assert store.instance(0).dtype == np.uint16
    assert store.space == SPACE
    assert store.sizes.tolist() == [list(SIZE)] * FRAMES


def test_segments_of_a_frame_are_those_of_its_two_maps(store, source_frames):
    pairs = [(frame.semantic, frame.instance) for frame in source_frames]
    things = [SPACE.classes.index(name) for name in SPACE.things]
    for index, (semantic, instance) in enumerate(pairs):
        panoptic, instances = store.panoptic(index), store.instances(index)
        assert np.array_equal(panoptic.semantic, semantic)
        assert not panoptic.crowd.any()
        pairs_of_pixels = zip(semantic.flat, instance.flat, strict=True)
        objects = sorted({(label, number) for label, number in pairs_of_pixels if number})
        assert instances.classes.tolist() == [label for label, _ in objects]
        assert set(instances.classes.tolist()) <= set(things)
        masks = instances.pixels()
        for mask, (label, number) in zip(masks, objects, strict=True):
            assert np.array_equal(mask, (semantic == label) & (instance == number))
    assert sum(len(store.instances(index)) for index in range(FRAMES)) > 0


def test_things_without_instance_ids_are_a_crowd(tmp_path, source_frames):
    bare = [SourceFrame(each.name, each.image, each.semantic) for each in source_frames]
    with FrameStore(store_frames(tmp_path / "x.h5", bare)) as store:
        assert (store.instance(3) == 0).all()
        for index in range(FRAMES):
            things = {SPACE.classes[each] for each in store.instances(index).classes}
            assert things == {SPACE.classes[i] for i in np.unique(bare[index].semantic)} & set(
                SPACE.things
            )
            assert store.instances(index).crowd.all()


def test_a_thing_that_is_no_class_is_refused(tmp_path, source_frames):
    with pytest.raises(InputError, match="no class 'persons'; did you mean 'person'"):
        store_frames(tmp_path / "x.h5", source_frames, things=["persons"])
    assert list(tmp_path.iterdir()) == []


def test_equal_frames_make_equal_files(source_frames, store_path, tmp_path):
    again = store_frames(tmp_path / "again.h5", iter(source_frames))
    assert sha256(again) == sha256(store_path)


def spoilt_but_for(kept, store_path, tmp_path):
    """Return a copy of a store in which every frame but one is damaged."""
    path = tmp_path / "spoilt.h5"
    path.write_bytes(store_path.read_bytes())
    with h5py.File(path) as file:
        chunks = [file["frames"].id.get_chunk_info(index) for index in range(FRAMES)]
    with path.open("rb+") as file:
        for chunk in chunks[:kept] + chunks[kept + 1 :]:
            file.seek(chunk.byte_offset)
            file.write(b"\xff" * chunk.size)
    return path


def test_frames_are_stored_and_read_one_at_a_time(store_path, source_frames, tmp_path):
    with h5py.File(store_path) as file:
        for name in ("frames", "labels/semantic", "labels/instance"):
            assert file[name].chunks == (1, *file[name].shape[1:])
    # Frame 3 can be read although all others are spoilt, so it is read alone.
    with FrameStore(spoilt_but_for(3, store_path, tmp_path)) as store:
        assert np.array_equal(store.frame(3), source_frames[3].image)
        with pytest.raises((OSError, InputError)):
            store.frame(4)


def test_a_damaged_frame_is_bad_input_that_names_the_store(store_path, tmp_path):
    with (
        FrameStore(spoilt_but_for(3, store_path, tmp_path)) as store,
        pytest.raises(InputError, match=r"spoilt\.h5"),
    ):
        store.frame(4)


def test_frames_without_labels_are_marked_and_void(tmp_path, source_frames):
    frames = [source_frames[0], SourceFrame("bare", source_frames[1].image), source_frames[2]]
    with FrameStore(store_frames(tmp_path / "x.h5", frames)) as store:
        assert store.labelled.tolist() == [True, False, True]
        assert (store.semantic(1) == VOID).all()
        assert np.array_equal(store.semantic(2), frames[2].semantic)


def changed_frame(frame, **changes):
    return dataclasses.replace(frame, **{k: make(frame) for k, make in changes.items()})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": lambda f: f.image[:-1]}, "is 96x63 but '000000' is 96x64"),
        ({"image": lambda f: f.image.astype(np.float32)}, "not 8-bit RGB but float32"),
        ({"image": lambda f: f.image[..., 0]}, "not 8-bit RGB"),
        ({"semantic": lambda f: np.where(f.semantic == f.semantic[0, 0], 19, f.semantic)},
         r"label id 19, but 'synthetic' has 19 classes \(0..18\)"),
        ({"semantic": lambda f: np.full(SIZE, 254, np.uint8)}, "label id 254"),
        ({"semantic": lambda f: np.full(SIZE, 300)}, "semantic labels|label id 300"),
        ({"semantic": lambda f: f.semantic[:, 1:]}, "its semantic labels are 95x64"),
        ({"instance": lambda f: f.instance[1:]}, "its instance labels are 96x63"),
        ({"instance": lambda f: f.instance + np.uint32(65536)}, r"has instance id \d+, but"),
        ({"instance": lambda f: f.instance.astype(int) - 1}, "has instance id -1"),
        ({"instances": lambda f: instances_from(np.ones((1, 9, 9)), [11])},
         "its instances labels are 9x9"),
        ({"instances": lambda f: instances_from(np.ones((1, *SIZE)), [10])},
         "an instance of class 10, which is not a thing class of 'synthetic'"),
        ({"instances": lambda f: instances_from(np.ones((1, *SIZE)), [VOID])},
         "an instance of class 255, which is not a thing"),
    ],
)  # fmt: skip
def test_an_invalid_frame_is_named_and_leaves_no_file(tmp_path, source_frames, changes, message):
    bad = [*source_frames[:2], changed_frame(source_frames[2], **changes)]
    with pytest.raises(InputError, match=message) as caught:
        store_frames(tmp_path / "x.h5", bad)
    assert "frame '000002' of video 'tiny_0'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(InputError, match="video 'tiny_0' of dataset 'synthetic' has no frames"):
        store_frames(tmp_path / "x.h5", [])
    assert list(tmp_path.iterdir()) == []


# The prediction cache


def test_a_prediction_cache_gives_back_what_it_was_given_in_any_order(tmp_path):
    visible = np.zeros(SIZE, bool)
    visible[:8] = True
    looks = [
        (2, visible, np.full((*SIZE, 3), 9, np.uint8)),
        (1, ~visible, np.ones((*SIZE, 3), "u1")),
    ]
    order = [2, 0, 3, 1]
    path = save_predictions(tmp_path / "x.h5", [result(i) for i in order], looks)
    with PredictionReader(path) as reader:
        assert len(reader) == 4
        assert reader.key == KEY
        assert reader.classes == list(CITYSCAPES)
        assert (reader.settings, reader.provenance) == ({"window": 16}, {"made": "here"})
        for index in range(4):
            assert np.array_equal(reader.prediction(index), result(index).prediction)
        assert reader.number("loss").tolist() == [0.5, 1.5, 2.5, 3.5]
        assert np.isnan(reader.number("gradient_norm")).all()
        assert reader.number("skipped_steps").tolist() == [0, 1, 0, 1]
        assert reader.number("skipped_steps").dtype == np.int64
        for (index, shown, pixels), look in zip(reader.looks(), looks, strict=True):
            assert index == look[0]
            assert np.array_equal(shown, look[1])
            assert np.array_equal(pixels, look[2])


def test_a_ladder_and_its_updates_come_back_rung_by_rung(tmp_path):
    path = tmp_path / "x.h5"
    ids = {"kind": "classes", "frames": 4, "size": SIZE, "classes": CITYSCAPES, "provenance": {}}
    order = (3, 0, 2, 1)
    shifted = [dataclasses.replace(result(i), prediction=result(i).prediction + 1) for i in order]
    with write_predictions(path, KEY, settings={"ladder": [0, 2, 5]}, **ids) as writer:
        for each in shifted:
            writer.add_to_rung(0, each)
        for loss in (0.5, 0.25, float("nan"), 0.125, 0.0):
            writer.update(loss)
        for index in range(4):
            writer.add_to_rung(2, result(index, dict.fromkeys(PHASES, 3.0)))
            writer.add(dataclasses.replace(result(index), resets=index // 2))
        writer.peak_memory(1 << 40, 1 << 41)
    with PredictionReader(path) as reader:
        assert reader.ladder == [0, 2, 5]
        for each in shifted:
            assert np.array_equal(reader.prediction_after(0, each.index), each.prediction)
        for index in range(4):
            assert np.array_equal(reader.prediction_after(2, index), result(index).prediction)
            last = reader.prediction_after(5, index)
            assert np.array_equal(last, reader.prediction(index))
            assert np.array_equal(last, result(index).prediction)
        assert reader.number("resets").tolist() == [0, 0, 1, 1]
        assert (reader.peak_memory(), reader.peak_gpu_memory()) == (1 << 40, 1 << 41)
        # Each rung has seconds and skipped steps of its own; the last those of the file.
        for name in ("load", "adapt_forward", "predict"):
            assert reader.wall_time(name, 2).tolist() == [3.0] * 4
            assert np.array_equal(reader.wall_time(name, 0), reader.wall_time(name))
        assert reader.wall_time("adapt", 2).tolist() == [3.0 * len(ADAPT_PHASES)] * 4
        assert np.array_equal(reader.wall_time("write", 5), reader.wall_time("write"))
        for rung in (0, 2):
            assert (reader.wall_time("write", rung) > 0).all()
            assert reader.number("skipped_steps", rung).tolist() == [0, 1, 0, 1]
        with pytest.raises(InputError, match="'wall_time/load' cannot be read"):
            reader.wall_time("load", 3)
        with pytest.raises(InputError, match=r"after 3 updates; its ladder is \[0, 2, 5\]"):
            reader.prediction_after(3, 0)
    with h5py.File(path) as file:
        assert sorted(file["ladder"]) == ["0", "2"]
        np.testing.assert_array_equal(file["updates/loss"][:], [0.5, 0.25, np.nan, 0.125, 0.0])
    plain = save_predictions(tmp_path / "plain.h5", [result(i) for i in range(4)])
    with PredictionReader(plain) as reader:
        assert reader.ladder == []
        assert np.isnan(reader.peak_gpu_memory())
        with pytest.raises(InputError, match="no prediction after 1 updates"):
            reader.prediction_after(1, 0)
    with h5py.File(plain) as file:
        assert not {"ladder", "updates"} & file.keys()


def test_the_phases_of_learning_add_up_to_its_time(tmp_path):
    path = save_predictions(tmp_path / "x.h5", [result(i) for i in range(4)])
    with PredictionReader(path) as reader:
        spent = {name: reader.wall_time(name) for name in WALL_TIMES}
        assert reader.looks() == []
    given = result(0).wall_time
    assert spent["adapt"].tolist() == [sum(given[phase] for phase in ADAPT_PHASES)] * 4
    assert np.array_equal(spent["adapt"], sum(spent[f"adapt_{phase}"] for phase in ADAPT_PHASES))
    for phase in PHASES:
        name = f"adapt_{phase}" if phase in ADAPT_PHASES else phase
        assert spent[name].tolist() == [given[phase]] * 4
    assert (spent["write"] > 0).all()


def test_equal_results_make_equal_files_but_for_the_writing_time(tmp_path):
    made = [
        contents(
            save_predictions(tmp_path / name, [result(i) for i in range(4)]),
            ["wall_time/write", "memory"],
        )
        for name in ("a.h5", "b.h5")
    ]
    assert made[0] == made[1]


# Layers


def random_segments(seed, space=SPACE):
    """Return a panoptic map and instances, some of which share a mask; frame 0 has none."""
    draws = np.random.default_rng(seed)
    kinds = draws.integers(0, 3, SIZE) * bool(seed)
    semantic = np.choose(kinds, [255, 11, 0]).astype(np.uint8)
    labels = panoptic_from(semantic, draws.integers(0, 4, SIZE).astype(np.uint16), space)
    scores = draws.random(len(labels.classes)).astype(np.float32)
    panoptic = dataclasses.replace(labels, scores=scores, crowd=np.zeros(len(scores), bool))
    found = instances_of(panoptic, space)
    twice = dataclasses.replace(
        found,
        classes=np.concatenate([found.classes, found.classes[:2] + 2]),
        scores=np.concatenate([found.scores, found.scores[:2] / 2]),
        masks=(*found.masks, *found.masks[:2]),
        crowd=np.concatenate([found.crowd, found.crowd[:2]]),
    )
    return {"panoptic": panoptic, "instances": twice}


@pytest.mark.parametrize("kind", ["panoptic", "instances"])
def test_segments_come_back_by_frame_whatever_order_they_were_written_in(tmp_path, kind):
    order, given = [3, 0, 2, 1], [random_segments(seed)[kind] for seed in range(4)]
    results = [dataclasses.replace(result(i), prediction=given[i]) for i in order]
    ids = {"frames": 4, "size": SIZE, "classes": CITYSCAPES, "provenance": {}}
    path = tmp_path / "x.h5"
    with write_predictions(path, KEY, kind=kind, settings={"ladder": [1, 2]}, **ids) as writer:
        for each in reversed(results):
            writer.add_to_rung(1, each)
        for each in results:
            writer.add(each)
    with PredictionReader(path) as reader:
        assert (len(reader), reader.kind) == (4, kind)
        for index in (2, 0, 3, 1):
            for found in (reader.prediction(index), reader.prediction_after(1, index)):
                for field in dataclasses.fields(found):
                    np.testing.assert_equal(
                        getattr(found, field.name), getattr(given[index], field.name)
                    )


def test_a_mask_that_several_instances_share_is_stored_once(tmp_path):
    given = random_segments(1)["instances"]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        layer = InstanceLists.create(file, "layer", 2, SIZE)
        layer.write(1, given)
        layer.write(0, given)
        assert len(file["layer/class"]) == 2 * len(given)
        assert len(file["layer/begin"]) == 2 * len(set(given.masks)) == 2 * len(given) - 4


# Both


@pytest.mark.parametrize(
    "change", [{"version": 99}, {"format": "videottt grams"}, "no attributes"], ids=str
)
@pytest.mark.parametrize("kind", [FrameStore, PredictionReader, read_scores])
def test_a_format_that_is_not_known_is_refused(store_path, tmp_path, kind, change):
    name = {FrameStore: "frames", PredictionReader: "predictions", read_scores: "scores"}[kind]
    version = 5 if kind is FrameStore else 6
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        if change != "no attributes":
            file.attrs.update({"format": f"videottt {name}", "version": version, **change})
    with pytest.raises(InputError, match=f"reads 'videottt {name}' version {version}") as caught:
        kind(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", [FrameStore, PredictionReader, read_scores])
def test_one_format_is_not_taken_for_another(store_path, tmp_path, kind):
    other = store_path
    if kind is FrameStore:
        other = save_predictions(tmp_path / "x.h5", [])
    with pytest.raises(InputError, match="make it again with this version"):
        kind(other)


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"], ids=str)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "x.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.h5: (no such|not a readable)"):
        FrameStore(path)


def test_a_truncated_store_is_refused(store_path, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(store_path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="not a readable HDF5 file"):
        FrameStore(path)


def half_a_store(path, frames):
    def breaking():
        yield from frames[:3]
        raise RuntimeError("in the middle")

    store_frames(path, breaking())


def half_a_cache(path, frames):
    def breaking():
        yield result(0)
        raise RuntimeError("in the middle")

    save_predictions(path, breaking())


@pytest.mark.parametrize("write_half", [half_a_store, half_a_cache])
@pytest.mark.parametrize("there_before", [False, True])
def test_an_error_in_the_middle_leaves_existing_files_unchanged(
    tmp_path, source_frames, write_half, there_before
):
    path = tmp_path / "x.h5"
    if there_before:
        path.write_bytes(b"from an earlier run")
    with pytest.raises(RuntimeError, match="in the middle"):
        write_half(path, source_frames)
    assert [each.name for each in tmp_path.iterdir()] == ["x.h5"] * there_before
    assert not there_before or path.read_bytes() == b"from an earlier run"


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "down" / "x.txt"
    with complete_file(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.parent == path.parent
    assert path.read_text() == "half"
    write_text(path, "ü")
    assert [each.read_bytes() for each in path.parent.iterdir()] == ["ü".encode()]


def test_an_output_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot create this directory"):
        write_text(tmp_path / "file" / "below" / "x.txt", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "folder", "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_hashing_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        sha256(tmp_path / "x")
