"""Drawings of colorization, and videos of data without ground truth: colours, times and sound."""

import json
import subprocess

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from videottt.cli import main
from videottt.core.cielab import grey_frame
from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.data.layouts.video_file import read_video
from videottt.evaluation.metrics import frame_value
from videottt.evaluation.scores import score_video
from videottt.report.figures.bars import bars_figure
from videottt.report.figures.colours import colours_figure, spread
from videottt.report.figures.curves import curves_figure
from videottt.report.figures.reconstruction import reconstruction_figure
from videottt.report.figures.selection import selection_figure
from videottt.report.figures.steps import steps_figure
from videottt.report.figures.strips import strips_figure
from videottt.report.figures.view import scored_view, unscored_view
from videottt.store.frames import FrameStore, write_frames
from videottt.store.predictions import PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame
from videottt.store.traces import FrameTrace, Traces

SIZE = (30, 41)
LENGTH = 7
FIXED, ONLINE, ZHANG = "main_task_only", "online_ttt_mae", "zhang2016"
LABELS = {FIXED: "Main Task Only"}
# Of what each method adds to the red of a frame.
REDDER = {FIXED: -60, ONLINE: -10, ZHANG: 25}
KEY = JobKey("toy", "colorization", ONLINE, 0, "a")


def image(t, size=SIZE):
    """A ramp in green on a colour that changes with time."""
    found = np.full((*size, 3), (80 + 15 * t, 0, 60), np.uint8)
    found[..., 1] = np.linspace(40, 200, size[1]).astype(np.uint8)
    return found


def coloured(t, method, size=SIZE):
    found = image(t, size).astype(int)
    found[..., 0] += REDDER[method]
    return found.clip(0, 255).astype(np.uint8)


def store(path, images, *, fps=10.0, seconds=None, pixel_aspect=1.0):
    times = [None] * len(images) if seconds is None else seconds
    frames = [
        SourceFrame(f"{t:03}", each, timestamp=time, pixel_aspect=pixel_aspect)
        for t, (each, time) in enumerate(zip(images, times, strict=True))
    ]
    about = {"dataset": "toy", "video": "a", "fps": fps, "classes": ()}
    write_frames(path, frames, **about, provenance={})
    return path


def predictions(path, images, method=ONLINE, looks=()):
    key = JobKey("toy", "colorization", method, 0, "a")
    about = {"kind": "images", "frames": len(images), "size": images[0].shape[:2], "classes": []}
    with write_predictions(path, key, **about, settings={}, provenance={}) as writer:
        for t, each in enumerate(images):
            seconds = dict.fromkeys(PHASES, 0.01)
            writer.add(FrameResult(t, each, 0.5, 0.1, 0, wall_time=seconds))
        for index in looks:
            writer.look(index, np.eye(8, 12, dtype=bool), np.full((8, 12, 3), 90, np.uint8))
    return path


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-nostdin", "-loglevel", "error", *arguments]
    return subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout


def streams(path):
    """What ffmpeg says of a file's streams."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


def decoded(path):
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    return about, [np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in reader]


def waves(path, rate=8000):
    """The sound of a file, one channel: float [samples]."""
    raw = ffmpeg("-i", path, "-map", "0:a", "-ac", 1, "-ar", rate, "-f", "s16le", "-")
    return np.frombuffer(raw, np.int16) / 32768


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Frames, the predictions of three methods, and a video with a beep from 0.6 to 0.8 s."""
    root = tmp_path_factory.mktemp("made")
    store(root / "a.h5", [image(t) for t in range(LENGTH)])
    for method in REDDER:
        images = [coloured(t, method) for t in range(LENGTH)]
        predictions(root / f"{method}.h5", images, method, looks=(1, 4))
    beep = "aevalsrc='if(between(t,0.6,0.8),sin(2*PI*500*t),0)':d=3:s=44100"
    sources = ["-f", "lavfi", "-i", "testsrc=d=3:r=10", "-f", "lavfi", "-i", beep]
    ffmpeg(*sources, "-shortest", root / "source.mp4")
    return root


def files(made, verb):
    frames = ["--frames", str(made / "a.h5"), "--labels", json.dumps(LABELS)]
    if verb == "plot-colours":
        paths = [str(made / f"{method}.h5") for method in (ZHANG, FIXED, ONLINE)]
        return [verb, *frames, "--predictions", *paths]
    found = ["--predictions", str(made / f"{ONLINE}.h5")]
    if verb == "render-prediction":
        return [verb, *frames[:2], *found]
    return [verb, *frames, "--fixed", str(made / f"{FIXED}.h5"), *found]


@pytest.mark.parametrize("verb", ["plot-colours", "render-video", "render-prediction"])
def test_drawings_are_equal_from_run_to_run(made, tmp_path, verb):
    made_of = {"plot-colours": ("png", "pdf")}.get(verb, ("mp4",))
    for run in ("1", "2"):
        outputs = {kind: str(tmp_path / f"{run}.{kind}") for kind in made_of}
        if "mp4" in outputs:
            more = ["--output", outputs["mp4"], "--sound", str(made / "source.mp4")]
        else:
            more = [part for kind, path in outputs.items() for part in (f"--{kind}", path)]
        main([*files(made, verb), *more])
    for kind in made_of:
        once, again = ((tmp_path / f"{run}.{kind}").read_bytes() for run in ("1", "2"))
        assert once == again


class Opened:
    """The frames and predictions of a folder."""

    def __init__(self, root, *methods):
        self.store = FrameStore(root / "a.h5")
        self.readers = [PredictionReader(root / f"{method}.h5") for method in methods]

    def __enter__(self):
        return self.store, *self.readers

    def __exit__(self, *_):
        for each in (self.store, *self.readers):
            each.__exit__(None, None, None)


def shown(axes):
    (found,) = axes.images
    return found.get_array()


def test_figure_9_shows_the_very_pixels_and_the_psnr_of_each_method(made):
    indices = [0, 2, 3, 4, 6]
    with Opened(made, ZHANG, FIXED, ONLINE) as (frames, *readers):
        views = scored_view(frames, "colorization"), unscored_view(frames, "colorization")
        figure, bare = (colours_figure(view, readers, LABELS) for view in views)
    grid = np.array(figure.axes).reshape(5, 5)
    names = ["Input", "Original", ZHANG, "Main Task Only", ONLINE]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == names
    assert [axes.get_title() for axes in grid[0]] == [f"{t / 10:.1f} s" for t in indices]
    for column, t in zip(grid.T, indices, strict=True):
        np.testing.assert_array_equal(shown(column[0]), grey_frame(image(t)))
        np.testing.assert_array_equal(shown(column[1]), image(t))
        for axes, method in zip(column[2:], (ZHANG, FIXED, ONLINE), strict=True):
            found = coloured(t, method)
            np.testing.assert_array_equal(shown(axes), found)
            psnr = frame_value("colorization", found, image(t), frames.space)
            assert axes.get_xlabel() == f"PSNR {psnr:.1f} dB"
    # By hand: all that differs is red, by 10.
    assert grid[4, 0].get_xlabel() == f"PSNR {20 * np.log10(255) - 10 * np.log10(100 / 3):.1f} dB"

    grid = np.array(bare.axes).reshape(4, 5)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == [n for n in names if n != "Original"]
    assert not any(axes.get_xlabel() for axes in grid.flat)


def test_frames_of_a_figure_are_spread_evenly_over_the_video():
    assert spread(100, 5) == [10, 30, 50, 70, 90]
    assert spread(3, 5) == [0, 1, 2]


def test_other_figures_show_images_their_inputs_and_decibels(made):
    with Opened(made, FIXED, ONLINE) as (frames, *readers):
        view = scored_view(frames, "colorization")
        strips = strips_figure(frames, *readers, {})
        rows, bare = (
            reconstruction_figure(each, *readers, {})
            for each in (view, unscored_view(frames, "colorization"))
        )
        scores = [score_video(frames, reader, "test") for reader in readers]
        found = [coloured(2, method) for method in (FIXED, ONLINE)]
        pixels = np.zeros((2, 8, 12, 3), np.uint8)
        trace = FrameTrace(2, np.array([1.0, 0.5]), found, np.ones((8, 12), bool), pixels)
        steps = steps_figure(view, Traces(None, KEY, [], [trace]))
    panels = {axes.get_title(): axes for axes in rows.axes[:6]}
    assert [axes.get_title() for axes in bare.axes[:5]] == list(panels)[:5]
    for title, expected in {
        "Input": grey_frame(image(1)),
        FIXED: coloured(1, FIXED),
        ONLINE: coloured(1, ONLINE),
        "Original": image(1),
    }.items():
        np.testing.assert_array_equal(shown(panels[title]), expected)
    seen = shown(panels["Masked input"])
    assert (seen == seen[..., :1]).all()

    gain = 10 * np.log10(60**2 / 10**2)
    part = strips.subfigs[0]
    assert part.get_suptitle() == f"Gain: +{gain:.1f} dB of frame PSNR"
    grid = np.array(part.axes[:12]).reshape(4, 3)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["Input", FIXED, ONLINE, "Original"]
    high = [axes.get_title() for axes in grid[2]]
    assert high == 3 * [f"PSNR {20 * np.log10(255) - 10 * np.log10(100 / 3):.1f} dB"]

    curves = curves_figure(scores, [FIXED, ONLINE], {}, FIXED)
    assert [axes.get_ylabel() for axes in curves.axes] == ["PSNR of the frame (dB)", "dB"]
    gains = {tuple(np.round(line.get_ydata(), 6)) for line in curves.axes[1].lines}
    assert gains >= {(0.0,) * LENGTH, (round(gain, 6),) * LENGTH}
    values = steps.subfigs[1].axes[1]
    assert values.get_ylabel() == "PSNR of the frame (dB)"
    assert np.diff(values.lines[0].get_ydata()) == pytest.approx(gain)


def test_metrics_in_decibels_stand_beside_those_in_percent():
    ids = {"dataset": "toy", "split": "test", "seed": 0, "aggregation": "pooled"}
    rows = [
        {**ids, "task": task, "metric": metric, "method": ONLINE, "value": value}
        for task, metric, value in (
            ("semantic", "miou_pooled", 0.4),
            ("colorization", "psnr_pooled", 23.5),
        )
    ]
    figure = bars_figure(pd.DataFrame(rows), [ONLINE], {})
    found = {axes.get_xlabel(): axes.patches[0].get_width() for axes in figure.axes}
    assert found == pytest.approx({"pooled mIoU (%)": 40, "pooled PSNR (dB)": 23.5})
    grid = pd.DataFrame({"batch": [1, 2], "psnr_pooled": [20.0, 23.5], "seeds": 1})
    figure = selection_figure({ONLINE: grid.assign(selected=[False, True])}, "colorization", {})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [20, 23.5])
    assert figure.get_supylabel() == "psnr_pooled (dB) on the validation videos"


@pytest.mark.parametrize("scored", [True, False])
def test_video_shows_what_the_model_saw_and_no_original_where_there_is_none(made, tmp_path, scored):
    flags = [] if scored else ["--unscored"]
    main([*files(made, "render-video"), *flags, "--output", str(tmp_path / "v.mp4")])
    about, pictures = decoded(tmp_path / "v.mp4")
    assert len(pictures) == LENGTH
    assert about["fps"] == 10
    panels = [grey_frame(image(5)), image(5), coloured(5, FIXED), coloured(5, ONLINE)]
    if not scored:
        panels = panels[:1] + panels[2:]
    factor, gap = 10, 4
    width = factor * SIZE[1] + gap
    columns, rows = (2, 2) if scored else (3, 1)
    height, total = pictures[5].shape[:2]
    assert total == columns * width - gap + (columns * width - gap) % 2
    panel = (height + gap) // rows
    for place, expected in enumerate(panels):
        bottom = (place // columns + 1) * panel - gap
        left = (place % columns) * width
        found = pictures[5][bottom - factor * SIZE[0] : bottom, left : left + width - gap]
        large = Image.fromarray(expected).resize(
            (width - gap, len(found)), Image.Resampling.BICUBIC
        )
        difference = np.abs(found.astype(int) - np.asarray(large))[8:-8, 8:-8]
        assert difference.mean() < 3
    bars = [
        pictures[5][
            row * panel : row * panel + 20, (column + 1) * width - 120 : (column + 1) * width - gap
        ]
        for row in range(rows)
        for column in range(columns)
    ]
    # The number of the frame, then how good each method is: nothing where that is not known.
    written = [bool((bar > 120).any()) for bar in bars]
    assert written == ([True, False, True, True] if scored else [True, False, False])


def test_panels_of_large_frames_are_reduced_to_what_players_show(tmp_path):
    size = (64, 1500)
    store(tmp_path / "a.h5", [image(0, size)])
    for method in (FIXED, ONLINE):
        predictions(tmp_path / f"{method}.h5", [coloured(0, method, size)], method)
    output = tmp_path / "v.mp4"
    main([*files(tmp_path, "render-video"), "--unscored", "--output", str(output)])
    (picture,) = decoded(output)[1]
    assert picture.shape[1] == 3 * 1280 + 2 * 4
    expected = np.asarray(Image.fromarray(coloured(0, ONLINE, size)).resize((1280, 55)))
    found = picture[-53:-5, -1270:-10].astype(int)
    assert np.abs(found - expected[2:50, 10:-10]).mean() < 3


def test_one_method_is_shown_once(made, tmp_path):
    command = [*files(made, "render-video"), "--predictions", str(made / f"{FIXED}.h5")]
    main([*command, "--unscored", "--output", str(tmp_path / "v.mp4")])
    assert decoded(tmp_path / "v.mp4")[1][0].shape[1] == 2 * 410 + 4


def test_film_has_the_frames_of_the_prediction_at_the_rate_and_size_of_the_source(made, tmp_path):
    main([*files(made, "render-prediction"), "--output", str(tmp_path / "a:b.mp4")])
    about, pictures = decoded(tmp_path / "a:b.mp4")
    assert (about["fps"], about["duration"]) == (10, LENGTH / 10)
    assert len(pictures) == LENGTH
    for t, picture in enumerate(pictures):
        # The last column is there twice, so that the width is even.
        expected = coloured(t, ONLINE)[:, [*range(SIZE[1]), -1]].astype(int)
        assert picture.shape == expected.shape
        assert np.abs(picture - expected).mean() < 4
    assert "Audio" not in streams(tmp_path / "a:b.mp4")


def refused(capsys, *command):
    with pytest.raises(SystemExit) as stop:
        main(list(map(str, command)))
    assert stop.value.code == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("videottt: error: ")
    assert "\n" not in message
    return message


def test_films_of_other_tasks_and_sounds_that_are_not_there_are_refused(made, tmp_path, capsys):
    key = JobKey("toy", "semantic", ONLINE, 0, "a")
    about = {"kind": "classes", "frames": LENGTH, "size": SIZE, "classes": []}
    with write_predictions(tmp_path / "p.h5", key, **about, settings={}, provenance={}) as writer:
        for index in range(LENGTH):
            nothing = np.full(SIZE, 255, np.uint8)
            writer.add(FrameResult(index, nothing, 0.5, 0.5, 0, dict.fromkeys(PHASES, 0.5)))
    command = [*files(made, "render-prediction"), "--output", tmp_path / "out/v.mp4"]
    message = refused(capsys, *command, "--predictions", tmp_path / "p.h5")
    assert "task 'semantic' predicts 'classes', not images" in message
    assert "no such video" in refused(capsys, *command, "--sound", tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    assert "text.mp4" in refused(capsys, *command, "--sound", tmp_path / "text.mp4")
    # A playlist may not make ffmpeg open an address.
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n")
    refused(capsys, *command, "--sound", tmp_path / "list.m3u8")
    assert not list((tmp_path / "out").glob("*"))
    with (
        Opened(made, FIXED) as (frames, reader),
        PredictionReader(tmp_path / "p.h5") as other,
        pytest.raises(InputError, match="give methods of one task and seed"),
    ):
        colours_figure(scored_view(frames, "colorization"), [reader, other], {})


def levels(path):
    """Of a film of plain grey pictures, the level of each."""
    return [round(float(each.mean())) for each in decoded(path)[1]]


def film(tmp_path, seconds, *arguments):
    """A film whose frame t has the level 20 t, at the rate of its time stamps."""
    images = [np.full((16, 16, 3), 20 * t, np.uint8) for t in range(len(seconds))]
    frames = store(tmp_path / "f.h5", images, seconds=seconds, fps=None)
    found = predictions(tmp_path / "p.h5", images)
    output = tmp_path / "film.mp4"
    files = ["--frames", frames, "--predictions", found, "--output", output, *arguments]
    main(["render-prediction", *map(str, files)])
    return output


@pytest.mark.parametrize("rate", [10, 30000 / 1001, 60])
def test_frames_of_a_constant_rate_are_shown_once_each(tmp_path, rate):
    """Also where time stamps are in whole milliseconds, as in Matroska."""
    output = film(tmp_path, [round(1.5 + t / rate, 3) for t in range(12)])
    np.testing.assert_allclose(levels(output), [20 * t for t in range(12)], atol=2)
    assert decoded(output)[0]["fps"] == pytest.approx(rate, rel=0.01)


def test_frames_of_a_variable_rate_are_shown_at_their_times(tmp_path):
    # But for the pause of 1 s one comes every 0.2 s. In the middles of so long pictures, at 0.1,
    # 0.3, ... 1.7 s, the last that had come was:
    output = film(tmp_path, [3.0, 3.12, 3.32, 4.34, 4.62])
    np.testing.assert_allclose(levels(output), [0, 20, *[40] * 5, 60, 80], atol=2)
    assert decoded(output)[0]["duration"] == pytest.approx(9 / 5)


@pytest.mark.parametrize("pause", [12.0, 3600.0, 1e9])
def test_a_long_pause_is_cut_and_told(tmp_path, caplog, pause):
    before, after = [5.0, 5.2, 5.4], [5.4 + pause, 5.6 + pause]
    output = film(tmp_path, [*before, *after])
    # The frame before the pause is shown for 10 s, at 5 pictures a second.
    np.testing.assert_allclose(levels(output), [0, 20, *[40] * 50, 60, 80], atol=2)
    assert "1 pause(s) between frames are cut to 10 s each, with any sound" in caplog.text
    assert f"makes it {pause - 10:.0f} s shorter" in caplog.text


def test_a_slow_film_has_no_pauses(tmp_path, caplog):
    output = film(tmp_path, [0, 60, 120, 180])
    np.testing.assert_allclose(levels(output), [0, 20, 40, 60], atol=2)
    assert not caplog.records


def test_sound_is_cut_where_the_pictures_are(tmp_path):
    beeps = "between(t,0.6,0.8)+between(t,15,16)+between(t,40.6,40.8)+between(t,71,71.2)"
    sound = tmp_path / "s.mkv"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='({beeps})*sin(2*PI*500*t)':d=80:s=44100", sound)
    # Of the pauses of 39.4 and 30 s, the first 10 s are left.
    seconds = [0, 0.2, 0.4, 0.6, 40, 40.2, 40.4, 40.6, 40.8, 70.8, 71, 71.2]
    output = film(tmp_path, seconds, "--sound", sound)
    heard = np.flatnonzero(np.abs(waves(output)) > 0.2) / 8000
    parts = np.split(heard, np.flatnonzero(np.diff(heard) > 0.1) + 1)
    earlier = np.array([0, 29.4, 29.4 + 20])
    starts, ends = (np.array([part[place] for part in parts]) for place in (0, -1))
    np.testing.assert_allclose(starts, [0.6, 40.6, 71] - earlier, atol=0.02)
    np.testing.assert_allclose(ends, [0.8, 40.8, 71.2] - earlier, atol=0.02)
    assert len(waves(output)) / 8000 == pytest.approx(len(levels(output)) / 5, abs=0.05)


def test_the_sound_is_that_of_the_default_track(tmp_path):
    low, high = (("-f", "lavfi", "-i", f"sine=f={tone}:d=2") for tone in (300, 1200))
    chosen = ("-map", 0, "-map", 1, "-disposition:a:0", 0, "-disposition:a:1", "default")
    ffmpeg(*low, *high, *chosen, tmp_path / "s.mkv")
    output = film(tmp_path, [t / 10 for t in range(10)], "--sound", tmp_path / "s.mkv")
    tone = np.abs(np.fft.rfft(waves(output)[800:7200])).argmax() * 8000 / 6400
    assert tone == pytest.approx(1200, abs=10)


@pytest.mark.parametrize(
    ("aspect", "named"), [(4 / 3, "SAR 4:3 DAR 28:15"), (10 / 11, "SAR 10:11 DAR 14:11")]
)
def test_films_have_the_shape_of_the_source(made, tmp_path, aspect, named):
    """The film has pixels of its shape; beside each other, panels have square ones."""
    size = (30, 42)
    images = [image(t, size) for t in range(3)]
    store(tmp_path / "a.h5", images, pixel_aspect=aspect)
    for method in (FIXED, ONLINE):
        predictions(tmp_path / f"{method}.h5", images, method)
    output = str(tmp_path / "film.mp4")
    main([*files(tmp_path, "render-prediction"), "--output", output])
    assert f"42x30 [{named}]" in streams(output)
    output = str(tmp_path / "beside.mp4")
    main([*files(tmp_path, "render-video"), "--unscored", "--output", output])
    assert "SAR" not in streams(output)
    height, width = decoded(output)[1][0].shape[:2]
    panel = (width - 2 * 4) / 3
    bar = round(1.75 * 16)
    assert panel / (height - bar) == pytest.approx(42 / 30 * aspect, rel=0.01)
    learned = PredictionReader(tmp_path / f"{ONLINE}.h5")
    with FrameStore(tmp_path / "a.h5") as frames, learned:
        figure = colours_figure(scored_view(frames, "colorization"), [learned], {})
        figure.draw_without_rendering()
        for axes in figure.axes:
            place = axes.get_window_extent()
            assert place.width / place.height == pytest.approx(42 / 30 * aspect, rel=0.01)


@pytest.mark.parametrize("start", [0.0, 0.25])
def test_sound_is_in_time_and_as_long_as_the_pictures(made, tmp_path, start):
    output = film(tmp_path, [start + t / 10 for t in range(10)], "--sound", made / "source.mp4")
    assert "Audio: aac" in streams(output)
    heard = np.flatnonzero(np.abs(waves(output)) > 0.2) / 8000
    assert heard[0] == pytest.approx(0.6 - start, abs=0.01)
    assert heard[-1] == pytest.approx(0.8 - start, abs=0.01)
    assert len(waves(output)) / 8000 == pytest.approx(1, abs=0.03)
    assert len(levels(output)) == 10
    assert decoded(output)[0]["duration"] == pytest.approx(1, abs=0.03)


def test_sound_that_begins_late_keeps_its_place_and_a_silent_source_will_do(made, tmp_path):
    late = tmp_path / "late.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=3:r=10", "-itsoffset", 0.5, "-f", "lavfi",
           "-i", "sine=d=0.2", "-c:a", "pcm_s16le", late)  # fmt: skip
    output = film(tmp_path, [t / 10 for t in range(10)], "--sound", late)
    heard = np.flatnonzero(np.abs(waves(output)) > 0.05) / 8000
    assert heard[0] == pytest.approx(0.5, abs=0.01)
    silent = tmp_path / "silent.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:r=10", silent)
    output = film(tmp_path, [t / 10 for t in range(10)], "--sound", silent)
    assert "Audio" not in streams(output)
    assert len(levels(output)) == 10


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_what_is_seen_and_heard_at_once_stays_so_from_file_to_film(tmp_path, kind):
    """A white flash and a beep, from 0.6 to 0.8 s; each format has a clock of its own."""
    flash = "color=black:s=32x32:r=20:d=1.5,drawbox=c=white:t=fill:enable='between(t,0.59,0.79)'"
    beep = "aevalsrc='if(between(t,0.6,0.8),sin(2*PI*500*t),0)':d=1.5:s=44100"
    ffmpeg("-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", beep, tmp_path / f"s.{kind}")
    frames = list(read_video(tmp_path / f"s.{kind}"))
    images = [each.image for each in frames]
    store(tmp_path / "a.h5", images, seconds=[each.timestamp for each in frames])
    predictions(tmp_path / f"{ONLINE}.h5", images)
    output = tmp_path / "film.mp4"
    sound = ["--sound", str(tmp_path / f"s.{kind}")]
    main([*files(tmp_path, "render-prediction"), *sound, "--output", str(output)])
    white = np.flatnonzero(np.array(levels(output)) > 200) / 20
    heard = np.flatnonzero(np.abs(waves(output)) > 0.2) / 8000
    np.testing.assert_allclose(heard[[0, -1]], [white[0], white[-1] + 1 / 20], atol=0.04)
    assert len(white) == 4
    assert len(levels(output)) == 30


def test_a_slow_video_is_shown_faster_but_never_with_its_sound(made, tmp_path):
    store(tmp_path / "a.h5", [image(t) for t in range(3)], fps=2.0)
    for method in (FIXED, ONLINE):
        predictions(tmp_path / f"{method}.h5", [coloured(t, method) for t in range(3)], method)
    rates = {}
    for name, more in {"silent": [], "loud": ["--sound", str(made / "source.mp4")]}.items():
        output = tmp_path / f"{name}.mp4"
        main([*files(tmp_path, "render-video"), *more, "--output", str(output)])
        about, pictures = decoded(output)
        assert len(pictures) == 3
        rates[name] = about["fps"]
    assert rates == {"silent": 5, "loud": 2}
