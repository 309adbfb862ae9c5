"""The public API: the predictions of the command line, from Python, and errors that help."""

import dataclasses
import json
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image

import videottt
from support import SIZE, SMALLEST, SPACE, VIDEO, changed, store_frames, weights_of
from videottt.cli import main
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader
from videottt.store.source_frame import SourceFrame
from videottt.study.stream_settings import settings_for
from videottt.ttt.job import StreamJob, predict_video

SMALL = {"batch": 2, "shortest_edge": 64}
SOURCES = ("testsrc2=size=96x64:rate=5:duration=1", "sine=duration=1")


@pytest.fixture(scope="module")
def checkpoint(joint_checkpoint, tmp_path_factory):
    """The joint checkpoint, with what training notes beside it."""
    path = tmp_path_factory.mktemp("trained") / "joint.safetensors"
    joint = load_checkpoint(joint_checkpoint)
    made = {"model": "tiny", "task": "semantic"}
    save_checkpoint(path, joint.model, joint.classes, joint.space, decoder=True, provenance=made)
    return path


@pytest.fixture(scope="module")
def model(checkpoint):
    return videottt.load(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def frames(source_frames):
    return [frame.image for frame in source_frames[:4]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    inputs = [part for each in SOURCES for part in ("-f", "lavfi", "-i", each)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *inputs]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


def plain(prediction):
    """Return a prediction as arrays that can be compared."""
    if isinstance(prediction, np.ndarray):
        return [prediction]
    values = vars(prediction).values()
    return [np.asarray(value, object if isinstance(value, tuple) else None) for value in values]


def same(one, other):
    pairs = zip(plain(one), plain(other), strict=True)
    return all(np.array_equal(mine, yours) for mine, yours in pairs)


def run(stream, frames):
    return [stream.step(frame) for frame in frames]


def in_python(code):
    """Run code in a new interpreter, and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# The same as the command line


@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("semantic", "online_ttt_mae,window=2"),
        ("semantic", "online_ttt_mae,steps=2,every=2"),
        ("semantic", "explicit_memory_only"),
        ("semantic", "ln_adapt"),
        ("semantic", "tent_class_balance"),
        ("semantic", "self_train"),
        ("semantic", "temporal_smoothing"),
        ("semantic", "mae_joint_training"),
        ("instance", "online_ttt_mae"),
        ("panoptic", "ttt_mae_no_memory"),
    ],
)
def test_a_stream_predicts_what_videottt_predict_does(checkpoint, frames, tmp_path, task, method):
    stored = store_frames(
        tmp_path / "frames.h5", [SourceFrame(f"{i}", frame) for i, frame in enumerate(frames)]
    )
    read = load_checkpoint(checkpoint)
    found = settings_for(read, checkpoint, task, method, study="tiny_demo")
    job = StreamJob(
        frames=stored, checkpoint=checkpoint, task=task, method=method, settings=found.settings,
        override={**found.overrides, **SMALL}, seed=3, device="cpu", output=tmp_path / "out.h5",
    )  # fmt: skip
    predict_video(job)
    model = videottt.load(checkpoint, "cpu", task)
    stream = model.stream(
        method, study="tiny_demo", seed=3, dataset="synthetic", video=VIDEO, **SMALL
    )
    results = run(stream, frames)
    with PredictionReader(tmp_path / "out.h5") as reader:
        for index, result in enumerate(results):
            assert result.index == index
            assert same(result.prediction, reader.prediction(index))
        losses = [result.loss for result in results]
        np.testing.assert_array_equal(reader.number("loss"), losses)


def test_a_stream_of_a_file_predicts_what_videottt_run_does(checkpoint, clip, tmp_path, capfd):
    main(["run", "--checkpoint", str(checkpoint), "--task", "semantic", "--override",
          json.dumps(SMALL), "--output", str(tmp_path), "--device", "cpu", str(clip)])  # fmt: skip
    capfd.readouterr()
    stream = videottt.load(checkpoint, "cpu").stream(video="clip.mp4", **SMALL)
    results = run(stream, videottt.read_video(clip))
    with PredictionReader(tmp_path / "online_ttt_mae.h5") as reader:
        assert len(results) == len(reader) == 5
        np.testing.assert_array_equal(reader.number("loss"), [each.loss for each in results])
        for result in results:
            assert same(result.prediction, reader.prediction(result.index))


def test_the_key_decides_the_draws(model, frames):
    losses = [
        model.stream(**SMALL, **key).step(frames[0]).loss
        for key in ({}, {"dataset": "own", "video": "stream"}, {"video": "b"}, {"seed": 1})
    ]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


# Import


def test_importing_the_package_imports_no_library():
    code = (
        "import sys, time; start = time.perf_counter(); import videottt; "
        "took = time.perf_counter() - start; "
        "print(took, *{'torch', 'numpy', 'transformers', 'pydantic', 'yaml'} & set(sys.modules))"
    )
    took, *libraries = in_python(code).split()
    assert libraries == []
    assert float(took) < 0.2


def test_an_error_can_be_named_without_torch():
    code = "import sys, videottt; videottt.InputError; print('torch' in sys.modules)"
    assert in_python(code) == "False\n"


def test_the_library_needs_nothing_that_draws_or_schedules():
    code = (
        "import sys, videottt; videottt.load; videottt.read_video; "
        "print(*{'matplotlib', 'seaborn', 'pandas', 'snakemake', 'skimage', 'lpips', "
        "'kornia', 'requests'} & set(sys.modules))"
    )
    assert in_python(code) == "\n"


def test_every_public_name_is_there_and_listed():
    for name in videottt.__all__:
        assert getattr(videottt, name).__name__ == name
    assert set(videottt.__all__) <= set(dir(videottt))
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        videottt.laod  # noqa: B018
    with pytest.raises(ImportError):
        exec("from videottt import laod")


# Methods and their settings


def test_settings_are_changed_by_keyword_one_by_one(model):
    usual = model.stream().method
    assert usual.objective == "mae"
    nested = model.stream(window=8, optimizer={"learning_rate": 0.5}).method
    dotted = model.stream(**{"window": 8, "optimizer.learning_rate": 0.5}).method
    variant = model.stream("online_ttt_mae,window=8,optimizer.learning_rate=0.5").method
    expected = dataclasses.replace(
        usual, window=8, optimizer=dataclasses.replace(usual.optimizer, learning_rate=0.5)
    )
    assert nested == dotted == variant == expected
    assert model.stream("online_ttt_mae,window=all").method.window is None
    assert model.stream("online_ttt_mae,window=4", window=None).method.window is None


def test_the_defaults_are_those_of_the_configuration(model, checkpoint):
    found = settings_for(load_checkpoint(checkpoint), checkpoint, "semantic", "tent")
    tent = model.stream("tent").method
    assert tent.window == found.settings["window"]
    assert tent.optimizer.learning_rate == found.settings["optimizer"]["learning_rate"]


def test_a_configuration_of_the_current_folder_is_not_read(model, tmp_path, monkeypatch):
    usual = model.stream().method
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("lr: 0.1\n")
    assert model.stream().method == usual
    with pytest.raises(videottt.InputError, match=r"config\.yaml: unknown setting 'lr'"):
        model.stream(config="config.yaml")


def test_no_setting_of_a_method_has_the_name_of_an_argument():
    arguments = {"method", "seed", "dataset", "video", "study", "config"}
    assert not arguments & {field.name for field in dataclasses.fields(videottt.Method)}


def test_a_method_of_ones_own_is_taken_as_it_is(model, frames):
    method = videottt.Method(objective="mae", window=2, batch=2, shortest_edge=64)
    stream = model.stream(method)
    assert stream.method == method
    assert model.stream(method, steps=2).method == dataclasses.replace(method, steps=2)
    assert np.isfinite(stream.step(frames[0]).loss)
    # Of the same settings, a method of the configuration draws the same.
    named = model.stream("online_ttt_mae", **SMALL)
    own = model.stream(named.method)
    assert same(named.step(frames[0]).prediction, own.step(frames[0]).prediction)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("online_tt_mae", {}, "unknown method 'online_tt_mae'; did you mean 'online_ttt_mae'?"),
        ("online_ttt_mae", {"windw": 8}, "unknown setting 'windw'; did you mean 'window'?"),
        ("online_ttt_mae", {"optimizer": {"lerning_rate": 1}}, "did you mean 'learning_rate'?"),
        ("online_ttt_mae", {"optimizer.lerning_rate": 1}, "did you mean 'learning_rate'?"),
        ("online_ttt_mae", {"window": "8"}, "window"),
        ("online_ttt_mae", {"window": 0}, "window"),
        ("online_ttt_mae", {"options": {"mask_ratoi": 0.5}}, "did you mean 'mask_ratio'?"),
        ("online_ttt_mae,window", {}, "'window' is not a change; write setting=value"),
        ("online_ttt_mae", {"study": "dmeo"}, "unknown study 'dmeo'; did you mean 'demo'?"),
        ("online_ttt_mae", {"config": "absent.yaml"}, "absent.yaml"),
        ("online_ttt_mae", {"seed": -1}, "seed: is -1"),
        ("offline_ttt_mae_all_frames", {}, "use 'videottt run' or 'videottt predict'"),
        ("online_ttt_mae,order=shuffled", {}, "use 'videottt run' or 'videottt predict'"),
        ("segformer_b4", {}, "videottt predict-segmenter"),
    ],
)
def test_a_wrong_method_or_setting_is_one_line_that_helps(model, method, settings, message):
    with pytest.raises(videottt.InputError) as caught:
        model.stream(method, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# Loading


def test_a_model_says_what_it_is(model, checkpoint):
    assert (model.task, model.device) == ("semantic", torch.device("cpu"))
    assert (model.classes, model.things) == (SPACE.classes, SPACE.things)
    assert repr(model) == f"<videottt.Model {checkpoint}: semantic, on cpu>"
    assert videottt.load(str(checkpoint), task="panoptic").task == "panoptic"


def test_loading_touches_no_thread(checkpoint):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        videottt.load(checkpoint)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_model_that_colours_names_no_class(tmp_path, frames):
    path = tmp_path / "colours.safetensors"
    colours = YShapedModel(SMALLEST, 0, 0, "colours")
    made = {"model": "tiny", "task": "colorization"}
    save_checkpoint(path, colours, [], SPACE, decoder=True, provenance=made)
    model = videottt.load(path)
    assert (model.task, model.classes, model.things) == ("colorization", (), ())
    prediction = model.stream(**SMALL).step(frames[0]).prediction
    assert (prediction.dtype, prediction.shape) == (np.uint8, (*SIZE, 3))
    with pytest.raises(videottt.InputError, match="unknown task 'colorization'"):
        model.stream("tent")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkpoint": "absent.safetensors"}, "absent.safetensors: no such checkpoint"),
        ({"task": "semantik"}, "unknown task 'semantik'; did you mean 'semantic'?"),
        ({"task": "colorization"}, "trained for colorization"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
        ({"device": "gpu"}, "device 'gpu' cannot be used"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(checkpoint, changes, message):
    with pytest.raises(videottt.InputError, match=message):
        videottt.load(**{"checkpoint": checkpoint, "device": "cpu", **changes})


def test_a_checkpoint_that_does_not_say_its_task_asks_for_it(joint_checkpoint):
    with pytest.raises(videottt.InputError, match="which task it was trained for"):
        videottt.load(joint_checkpoint)
    model = videottt.load(joint_checkpoint, task="semantic")
    with pytest.raises(videottt.InputError, match="name the study"):
        model.stream()
    assert model.stream(study="tiny_demo").method.window == 16


def test_a_checkpoint_without_a_decoder_does_not_reconstruct(main_task_checkpoint):
    model = videottt.load(main_task_checkpoint, task="semantic")
    with pytest.raises(videottt.InputError, match="use the 'joint' checkpoint"):
        model.stream(study="tiny_demo")


# Streams


@pytest.mark.parametrize("method", ["online_ttt_mae", "ln_adapt", "tent"])
def test_streams_of_one_model_do_not_disturb_each_other(model, frames, method):
    before = weights_of(model._checkpoint.model)
    alone = run(model.stream(method, **SMALL), frames)
    one, other = (model.stream(method, **SMALL, **key) for key in ({}, {"seed": 1}))
    beside = [(one.step(frame), other.step(frame))[0] for frame in frames]
    assert [each.loss for each in alone] == pytest.approx(
        [each.loss for each in beside], abs=0, nan_ok=True
    )
    assert all(same(a.prediction, b.prediction) for a, b in zip(alone, beside, strict=True))
    assert changed(before, model._checkpoint.model) == set()


def test_a_stream_that_is_reset_starts_over(model, frames):
    stream = model.stream(**SMALL)
    first = run(stream, frames)
    stream.reset()
    again = run(stream, frames)
    assert [each.index for each in again] == [0, 1, 2, 3]
    assert [each.loss for each in again] == [each.loss for each in first]
    stream.reset()
    assert stream.step(frames[0][:32]).prediction.shape == (32, SIZE[1])


def as_pil(frame):
    return Image.fromarray(frame)


def as_read_only(frame):
    copied = frame.copy()
    copied.flags.writeable = False
    return copied


def as_reversed(frame):
    return frame[..., ::-1].copy()[..., ::-1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("given", [torch.from_numpy, as_pil, as_read_only, as_reversed])
def test_a_frame_may_be_any_kind_of_array(model, frames, given):
    expected = run(model.stream(**SMALL), frames[:2])
    results = run(model.stream(**SMALL), [given(frame.copy()) for frame in frames[:2]])
    assert [each.loss for each in results] == [each.loss for each in expected]
    assert same(results[1].prediction, expected[1].prediction)


def test_a_buffer_may_be_overwritten(model, frames):
    expected = run(model.stream(**SMALL), frames)
    stream, buffer = model.stream(**SMALL), np.empty_like(frames[0])
    for frame, result in zip(frames, expected, strict=True):
        buffer[:] = frame
        assert stream.step(buffer).loss == result.loss


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_stream_learns_where_gradients_are_off(checkpoint, frames, mode):
    expected = run(videottt.load(checkpoint, "cpu").stream(**SMALL), frames[:2])
    with mode():
        results = run(videottt.load(checkpoint, "cpu").stream(**SMALL), frames[:2])
    assert [each.loss for each in results] == [each.loss for each in expected]
    assert same(results[1].prediction, expected[1].prediction)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((64, 96, 3), np.float32), "is float32 .* multiply values in 0..1 by 255"),
        (torch.zeros(64, 96, 3, dtype=torch.bfloat16), "is bfloat16 .* multiply values"),
        (np.zeros((64, 96, 3), np.int64), "is int64"),
        (np.zeros((3, 64, 96), np.uint8), r"is uint8 \[3, 64, 96\].*put the channels last"),
        (torch.zeros(3, 64, 96), "is float32 .*put the channels last"),
        (np.zeros((64, 96), np.uint8), "repeat a grey image as three channels"),
        (np.zeros((64, 96, 4), np.uint8), "leave out the fourth channel"),
        (np.zeros((1, 64, 96, 3), np.uint8), "one by one"),
        (np.zeros((0, 96, 3), np.uint8), "no pixel"),
        (Image.new("I;16", (96, 64)), "more than 8 bits"),
        ([[0, 0, 0]], "is a list; give a numpy array"),
        (np.zeros((64, 95, 3), np.uint8), "is 95x64, but the frames before it are 96x64"),
    ],
)
def test_a_frame_that_is_none_is_one_line_and_changes_nothing(model, frames, frame, message):
    expected = run(model.stream(**SMALL), frames[:2])
    stream = model.stream(**SMALL)
    stream.step(frames[0])
    with pytest.raises(videottt.InputError, match=f"frame 1: .*{message}|frame 1: {message}"):
        stream.step(frame)
    assert stream.step(frames[1]).loss == expected[1].loss


def test_autocast_is_refused(model, frames):
    stream = model.stream(**SMALL)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(videottt.InputError, match="'precision' decides"),
    ):
        stream.step(frames[0])


# Videos


def test_a_video_is_read_as_it_is_ingested(clip, tmp_path, capfd):
    for fps in (None, 2.5):
        settings = {"layout": "video_file", "classes": ["road"], "fps": fps}
        output = tmp_path / f"{fps}.h5"
        main(["ingest", "--dataset", "own", "--split", "own", "--video", clip.name, "--root",
              str(clip.parent), "--settings", json.dumps(settings), "--output",
              str(output)])  # fmt: skip
        read = list(videottt.read_video(str(clip), fps=fps))
        with FrameStore(output) as store:
            assert len(read) == len(store) == (5 if fps is None else 3)
            assert all(np.array_equal(read[i], store.frame(i)) for i in range(len(read)))
        assert read[0].dtype == np.uint8
    capfd.readouterr()


def test_a_folder_of_images_is_read_upright_and_in_order(tmp_path):
    for name, level in (("10", 200), ("2", 100)):
        Image.new("RGB", (6, 4), (level, 0, 0)).save(tmp_path / f"{name}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (4, 6)).save(tmp_path / "11.jpg", exif=turned)
    read = list(videottt.read_video(tmp_path))
    assert [frame[0, 0, 0] for frame in read] == [100, 200, 0]
    assert [frame.shape for frame in read] == [(4, 6, 3)] * 3


def test_a_video_is_read_one_frame_at_a_time(clip):
    frames = videottt.read_video(clip)
    assert next(frames).shape == (64, 96, 3)
    frames.close()


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("clap.mp4", None, "no such video.*did you mean 'clip'?"),
        ("clip.mp4", 0, "fps: is 0, but must be a number above 0"),
        ("clip.mp4", float("nan"), "fps: is nan"),
    ],
)
def test_a_video_that_cannot_be_read_is_said_at_once(clip, name, fps, message):
    with pytest.raises(videottt.InputError, match=message):
        videottt.read_video(clip.parent / name, fps)


def test_what_is_no_video_is_one_line(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("no video at all")
    with pytest.raises(videottt.InputError, match="no video that ffmpeg can read"):
        list(videottt.read_video(path))
