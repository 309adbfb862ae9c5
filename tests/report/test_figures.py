import itertools
import json

import h5py
import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import rgb_to_hsv
from PIL import Image

from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace, instances_from
from videottt.evaluation.metrics import statistics_of
from videottt.evaluation.scores import Scores
from videottt.report.figures.bars import bars_figure
from videottt.report.figures.class_colours import class_colours
from videottt.report.figures.curves import curves_figure, rolling_mean
from videottt.report.figures.selection import read_grid, selection_figure, varied_settings
from videottt.report.figures.steps import steps_figure
from videottt.report.figures.strips import Strip, extreme_strips, frame_values, strips_figure
from videottt.report.figures.style import METHODS, method_colours
from videottt.report.figures.sweep import Sweep, sweep_figure
from videottt.report.figures.view import scored_view
from videottt.store.frames import FrameStore, write_frames
from videottt.store.predictions import WALL_TIMES, PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame
from videottt.store.traces import FrameTrace, read_traces, write_traces

CLASSES = ["sky", "road", "car"]
FIXED, ONLINE = "mae_joint_training", "online_ttt_mae"
HEIGHT, WIDTH, LENGTH = 30, 41, 7
LABELS = json.dumps({FIXED: "MAE Joint Training"})
GREY = 200


def truth():
    """Sky above, road below, and void in a corner."""
    labels = np.ones((HEIGHT, WIDTH), np.uint8)
    labels[: HEIGHT // 2] = 0
    labels[-3:, -3:] = 255
    return labels


def store(path, video="a", labelled=True, fps=2.0, length=LENGTH):
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    frames = [SourceFrame(f"{t:03}", image, truth() if labelled else None) for t in range(length)]
    write_frames(path, frames, dataset="toy", video=video, fps=fps, classes=CLASSES, provenance={})
    return path


def predictions(path, method, video="a", seed=0, looks=(), length=LENGTH, right=None):
    """The fixed model takes everything for sky, the other one is right but for the void.

    `right` says of each frame whether a method is right; else it takes everything for a car.
    """
    key = JobKey("toy", "semantic", method, seed, video)
    found = np.where(truth() == 255, 2, truth()) if method == ONLINE else np.zeros_like(truth())
    frames = [found if right is None or right[t] else np.full_like(found, 2) for t in range(length)]
    with write_predictions(
        path,
        key,
        kind="classes",
        frames=length,
        size=(HEIGHT, WIDTH),
        classes=CLASSES,
        settings={},
        provenance={},
    ) as writer:
        for index, prediction in enumerate(frames):
            seconds = dict.fromkeys(PHASES, 0.01)
            writer.add(
                FrameResult(index, prediction.astype(np.uint8), 0.5, 0.1, 0, wall_time=seconds)
            )
        for index in looks:
            visible = np.zeros((24, 32), bool)
            visible[:8, :8] = True
            writer.look(index, visible, np.full((24, 32, 3), 90, np.uint8))
    return path


def traces(path, indices=(1, 4), steps=6):
    """The loss falls by a tenth a step; all is taken for road before step 3, then all is right."""
    found = np.stack([np.where(truth() == 0, int(s < 3), 1) for s in range(steps + 1)])
    visible = np.zeros((24, 32), bool)
    visible[:8, :8] = True
    pixels = np.stack([np.full((24, 32, 3), 10 * step, np.uint8) for step in range(steps + 1)])
    frames = [
        FrameTrace(i, 1 - 0.1 * np.arange(steps + 1), list(found.astype(np.uint8)), visible, pixels)
        for i in indices
    ]
    key = JobKey("toy", "semantic", ONLINE, 0, "a")
    about = {"kind": "classes", "size": (HEIGHT, WIDTH), "classes": CLASSES}
    write_traces(path, key, frames, **about, settings={}, provenance={})
    return path


def metrics(values, seeds=(0, 1), splits=("val",)):
    """Tidy metrics: {method: pooled mean IoU}; a seed more is a hundredth more."""
    ids = {"dataset": "toy", "task": "semantic", "video": "all"}
    ids |= {"aggregation": "pooled", "metric": "miou_pooled"}
    return pd.DataFrame(
        [
            {**ids, "split": split, "method": method, "seed": seed, "value": value + 0.01 * seed}
            for split in splits
            for method, value in values.items()
            for seed in seeds
        ]
    )


WINDOWS = {"main_task_only": 0.1, FIXED: 0.12, f"{ONLINE},window=all": 0.3, ONLINE: 0.5}
WINDOWS |= {f"{ONLINE},window={k}": 0.2 + 0.01 * k for k in (8, 1, 2)}


def grid(chosen=1, rate=(1e-3, 1e-4, 1e-2), scope=("layer", "position")):
    rows = [
        {"optimizer.learning_rate": r, "options.scope": s, "batch": 8, "miou_pooled": 0.1 + i / 100}
        for i, (s, r) in enumerate((s, r) for s in scope for r in rate)
    ]
    table = pd.DataFrame(rows).assign(seeds=1)
    return table.assign(selected=table.index == chosen)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Frames, predictions and scores of two methods and two seeds."""
    root = tmp_path_factory.mktemp("made")
    store(root / "a.h5")
    for method in (FIXED, ONLINE):
        for seed in (0, 1):
            found = predictions(root / f"{method}{seed}.h5", method, seed=seed, looks=(1, 4))
            files = {
                "frames": root / "a.h5",
                "predictions": found,
                "output": root / f"scores/{method}{seed}.h5",
            }
            options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
            main(["score", "--split", "test", *options])
    scores = sorted(map(str, (root / "scores").iterdir()))
    main(["aggregate", "--scores", *scores, "--output", str(root / "metrics.csv")])
    metrics(WINDOWS).to_csv(root / "window.csv", index=False)
    grid().to_csv(root / "grid.csv", index=False)
    traces(root / "traces.h5")
    return root


def pair(made, **other):
    files = {"frames": "a.h5", "fixed": f"{FIXED}0.h5", "predictions": f"{ONLINE}0.h5", **other}
    return [part for name, file in files.items() for part in (f"--{name}", str(made / file))] + [
        "--labels",
        LABELS,
    ]


def figure_command(made, verb):
    methods = ["--methods", f"{FIXED},{ONLINE}", "--labels", LABELS]
    if verb == "plot-curves":
        scores = map(str, (made / "scores").iterdir())
        return [verb, "--scores", *scores, *methods, "--baseline", FIXED]
    if verb == "plot-bars":
        return [verb, "--metrics", str(made / "metrics.csv"), *methods, "--baseline", FIXED]
    if verb == "plot-sweep":
        sweep = ["--method", ONLINE, "--setting", "window", "--base-value", "16"]
        return [verb, "--metrics", str(made / "window.csv"), *sweep, "--fixed", FIXED]
    if verb == "plot-selection":
        grids = ["--grids", *2 * [str(made / "grid.csv")], "--methods", f"{FIXED},{ONLINE}"]
        return [verb, *grids, "--task", "semantic", "--labels", LABELS]
    if verb == "plot-steps":
        return [verb, "--frames", str(made / "a.h5"), "--traces", str(made / "traces.h5")]
    return [verb, *pair(made)]


def refused(capsys, command, *outputs):
    """Run a command that must fail with one line and leave nothing; return the line."""
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("videottt: error: ")
    assert "\n" not in message
    for path in outputs:
        assert not list(path.parent.glob(f"*{path.stem}*"))
    return message


def decoded(path):
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    pictures = [np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in reader]
    return about, pictures


@pytest.mark.parametrize(
    "verb",
    [
        "plot-curves",
        "plot-bars",
        "plot-sweep",
        "plot-selection",
        "plot-reconstruction",
        "plot-strips",
        "plot-steps",
    ],
)
def test_figures_are_valid_and_equal_from_run_to_run(made, tmp_path, verb):
    for run in ("1", "2"):
        outputs = ["--png", str(tmp_path / run / "f.png"), "--pdf", str(tmp_path / run / "f.pdf")]
        main([*figure_command(made, verb), *outputs])
    with Image.open(tmp_path / "1/f.png") as image:
        assert image.width >= 900
        # No empty margins: something is drawn within 0.2 inches of each edge.
        dark = np.asarray(image.convert("L")) < 250
    for edge in (dark[:30], dark[-30:], dark[:, :30], dark[:, -30:]):
        assert edge.any()
    printed = (tmp_path / "1/f.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    # Text is text, in the fonts of the style, which are no shapes.
    assert b"/Type3" not in printed
    for name in ("f.png", "f.pdf"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_video_shows_labels_and_both_predictions_in_the_colours_of_the_classes(made, tmp_path):
    for run in ("1", "2"):
        main(["render-video", *pair(made), "--output", str(tmp_path / run / "v.mp4")])
    assert (tmp_path / "1/v.mp4").read_bytes() == (tmp_path / "2/v.mp4").read_bytes()
    about, pictures = decoded(tmp_path / "1/v.mp4")
    assert len(pictures) == LENGTH
    # 2 frames a second are too few to watch.
    assert about["fps"] == 5
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    height, width = pictures[3].shape[:2]
    assert width % 2 == height % 2 == 0
    assert width >= 800
    palette = class_colours(CLASSES).astype(float)
    shown = {None: (GREY,) * 3}
    for index in range(len(CLASSES)):
        shown[index] = 0.6 * palette[index] + 0.4 * GREY
    # Upper and lower half of: input, ground truth, fixed model, online.
    expected = {(0, 0): (None, None), (0, 1): (0, 1), (1, 0): (0, 0), (1, 1): (0, 1)}
    for (row, column), halves in expected.items():
        for half, label in zip((0.4, 0.75), halves, strict=True):
            y, x = int((row + half) * height / 2), int((column + 0.3) * width / 2)
            colour = pictures[3][y - 3 : y + 3, x - 3 : x + 3].reshape(-1, 3).mean(axis=0)
            assert np.abs(colour - shown[label]).max() < 8


def test_video_without_labels_has_three_panels_and_its_own_rate(made, tmp_path):
    store(tmp_path / "frames.h5", labelled=False, fps=12.5)
    output = tmp_path / "v.mp4"
    main(["render-video", *pair(made, frames=tmp_path / "frames.h5"), "--output", str(output)])
    about, pictures = decoded(output)
    assert about["fps"] == 12.5
    assert len(pictures) == LENGTH
    height, width = pictures[0].shape[:2]
    assert width > 3.5 * height


def test_other_videos_lengths_and_seeds_are_refused(made, tmp_path, capsys):
    store(tmp_path / "frames.h5", video="b")
    predictions(tmp_path / "short.h5", ONLINE, length=LENGTH - 1)
    cases = {
        "frames of 'b'": {"frames": tmp_path / "frames.h5"},
        f"predicts {LENGTH - 1} frames": {"predictions": tmp_path / "short.h5"},
        "seed 1": {"predictions": made / f"{ONLINE}1.h5"},
    }
    png, pdf, mp4 = (tmp_path / "out" / f"x.{kind}" for kind in ("png", "pdf", "mp4"))
    for words, other in cases.items():
        for verb in ("plot-reconstruction", "plot-strips"):
            command = [verb, *pair(made, **other), "--png", str(png), "--pdf", str(pdf)]
            assert words in refused(capsys, command, png)
        command = ["render-video", *pair(made, **other)]
        assert words in refused(capsys, [*command, "--output", str(mp4)], mp4)


def test_scores_that_do_not_fit_each_other_are_refused(made, tmp_path, capsys):
    png, pdf = tmp_path / "out/x.png", tmp_path / "out/x.pdf"
    outputs = ["--png", str(png), "--pdf", str(pdf)]
    scores = [
        str(made / f"scores/{method}{seed}.h5") for method in (FIXED, ONLINE) for seed in (0, 1)
    ]
    methods = ["--methods", f"{FIXED},{ONLINE}"]
    cases = {
        "seeds": ["--scores", *scores[:3], *methods],
        "two files of scores of method": ["--scores", *scores, scores[0], *methods],
        "not among the methods": ["--scores", *scores, "--methods", FIXED],
        f"baseline: no method 'x'; valid names: {FIXED}": [
            "--scores", *scores, *methods, "--baseline", "x",
        ],
    }  # fmt: skip
    for words, given in cases.items():
        assert words in refused(capsys, ["plot-curves", *given, *outputs], png, pdf)
    command = ["plot-bars", "--metrics", str(made / "metrics.csv"), "--methods", "online"]
    assert f"did you mean '{ONLINE}'?" in refused(capsys, [*command, *outputs], png, pdf)
    (tmp_path / "empty.csv").touch()
    command = ["plot-bars", "--metrics", str(tmp_path / "empty.csv"), "--methods", ONLINE]
    assert "not a table of metrics" in refused(capsys, [*command, *outputs], png, pdf)


def test_predictions_without_reconstructions_are_refused(made, tmp_path, capsys):
    predictions(tmp_path / "p.h5", ONLINE)
    png, pdf = tmp_path / "out/x.png", tmp_path / "out/x.pdf"
    command = ["plot-reconstruction", *pair(made, predictions=tmp_path / "p.h5")]
    message = refused(capsys, [*command, "--png", str(png), "--pdf", str(pdf)], png, pdf)
    assert "holds no reconstruction" in message


def test_unlabelled_frames_have_no_ground_truth_and_a_method_stands_once(made, tmp_path):
    """The figure is one panel narrower without labels, and without a second method."""
    store(tmp_path / "frames.h5", labelled=False)
    cases = {
        6: {},
        5: {"frames": tmp_path / "frames.h5"},
        4: {"frames": tmp_path / "frames.h5", "predictions": made / f"{FIXED}0.h5"},
    }
    widths = {}
    for panels, other in cases.items():
        png, pdf = tmp_path / f"{panels}.png", tmp_path / f"{panels}.pdf"
        command = ["plot-reconstruction", *pair(made, **other)]
        main([*command, "--png", str(png), "--pdf", str(pdf)])
        with Image.open(png) as image:
            widths[panels] = image.width
    assert widths[4] < widths[5] < widths[6]


@pytest.mark.parametrize("reads", ["", "head -c 100 > /dev/null; "])
def test_failure_of_ffmpeg_is_one_line(made, tmp_path, capsys, monkeypatch, reads):
    broken = tmp_path / "ffmpeg"
    broken.write_text(f"#!/bin/sh\n{reads}echo banner >&2\necho 'disk is on fire' >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    mp4 = tmp_path / "out/x.mp4"
    message = refused(capsys, ["render-video", *pair(made), "--output", str(mp4)], mp4)
    assert message.endswith("ffmpeg failed with status 7: disk is on fire")


def test_failure_to_read_a_frame_stops_ffmpeg_and_leaves_nothing(made, tmp_path):
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes((made / f"{ONLINE}0.h5").read_bytes())
    with h5py.File(damaged, "r+") as file:
        file["prediction/map"].id.write_direct_chunk((4, 0, 0), b"not gzip")
    mp4 = tmp_path / "out/x.mp4"
    with pytest.raises((OSError, SystemExit)):
        main(["render-video", *pair(made, predictions=damaged), "--output", str(mp4)])
    assert not list(mp4.parent.iterdir())


def test_class_colours_are_those_of_cityscapes_or_distinct():
    palette = class_colours(["pavement", "tree", "unicorn", "sidewalk", "car", "dragon"])
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert palette[0].tolist() == [244, 35, 232]
    assert palette[1].tolist() == [107, 142, 35]
    assert palette[4].tolist() == [0, 0, 142]
    assert not palette[[6, 255]].any()
    many = class_colours([f"thing {index}" for index in range(133)])
    assert len({tuple(colour) for colour in many[:133]} | {(0, 0, 0)}) == 134
    assert len({tuple(colour) for colour in palette[:6]}) == 6


def test_a_method_has_one_colour_in_all_figures_and_no_other_has_it():
    for count in (2, 10, 25):
        methods = [f"m{index}" for index in range(count)]
        assert list(method_colours(methods)) == methods
        assert len(set(method_colours([*METHODS, *methods]).values())) == len(METHODS) + count
    alone = {method: method_colours([method])[method] for method in METHODS}
    assert method_colours([*METHODS, "another"]).items() >= alone.items()
    colours = np.array(list(alone.values()))
    distance = np.linalg.norm(colours[:, None] - colours, axis=-1) + np.eye(len(colours))
    assert distance.min() > 0.15
    # As in the paper's figure 2: blue, yellow, green.
    hues = {"main_task_only": 0.57, "offline_ttt_mae_all_frames": 0.14, ONLINE: 0.45}
    for method, hue in hues.items():
        assert rgb_to_hsv(alone[method])[0] == pytest.approx(hue, abs=0.03)


def test_variants_are_paler_than_their_method_and_as_green():
    variants = [f"{ONLINE},window={k}" for k in (1, 2, 4)]
    colours = method_colours([*variants, ONLINE])
    assert colours[ONLINE] == method_colours([ONLINE])[ONLINE]
    hue, saturation, _ = rgb_to_hsv([colours[m] for m in (ONLINE, *variants)]).T
    np.testing.assert_allclose(hue, hue[0], atol=0.01)
    assert (np.diff(saturation) < -0.1).all()


def test_bars_are_means_in_percent_with_a_line_at_the_baseline():
    values = {ONLINE: 0.2, FIXED: 0.3, "tent": np.nan}
    figure = bars_figure(metrics(values, splits=("val", "test")), list(values), {}, FIXED)
    assert [axes.get_title() for axes in figure.axes] == ["toy, val", "toy, test"]
    for axes in figure.axes:
        widths = [bar.get_width() for bar in axes.patches]
        np.testing.assert_allclose(widths, [20.5, 30.5, np.nan])
        assert [text.get_text() for text in axes.texts] == ["20.5 ± 0.7", "30.5 ± 0.7", "–"]
        assert 30.5 in [pytest.approx(line.get_xdata()[0]) for line in axes.lines]
        # The first method is on top.
        assert axes.yaxis_inverted()
    with pytest.raises(InputError, match="no method 'x'"):
        bars_figure(metrics(values), list(values), {}, "x")


def test_panels_name_their_metric_and_lack_what_does_not_exist_for_their_task():
    of_things = metrics({ONLINE: 0.2, f"{ONLINE},window=4": 0.25, FIXED: 0.3}, seeds=[0])
    instance = of_things.assign(dataset="coco", task="instance", metric="ap_pooled")
    first = metrics({ONLINE: 0.5, f"{ONLINE},window=4": 0.6, "tent": 0.4}, seeds=[0])
    # Of another task's metric there is nothing to see.
    both = pd.concat([first, instance, of_things.assign(dataset="coco", task="instance")])
    methods = [FIXED, "tent", ONLINE]
    figure = bars_figure(both, methods, {}, FIXED)
    found = {
        axes.get_xlabel(): {round(bar.get_y() + 0.4): bar.get_width() for bar in axes.patches}
        for axes in figure.axes
    }
    assert found == {
        "pooled mIoU (%)": pytest.approx({1: 40, 2: 50}),
        "pooled AP (%)": pytest.approx({0: 30, 2: 20}),
    }
    with pytest.raises(InputError, match="of method 'self_train'"):
        bars_figure(both, [*methods, "self_train"], {})

    swept = sweep_figure(both, Sweep(ONLINE, "window", "16"), [FIXED, "tent"], {})
    assert [axes.get_ylabel() for axes in swept.axes] == list(found)
    shown = [{line.get_label() for line in axes.lines} & set(methods) for axes in swept.axes]
    assert shown == [{ONLINE, "tent"}, {ONLINE, FIXED}]
    named = [text.get_text() for text in swept.legends[0].get_texts()]
    assert sorted(named) == sorted([*methods, "value used elsewhere"])


def objects_found(method, hits, fps=2.0, step=10):
    """Scores of every tenth frame of a car: found wholly, or not at all; None: there is no car."""
    car = np.zeros((1, 8, 8), bool)
    car[0, 2:6, 2:6] = True
    pairs = [
        (instances_from(car[: hit is not None], [1] * (hit is not None)),
         instances_from(car[: bool(hit)], [1] * bool(hit)))
        for hit in hits
    ]  # fmt: skip
    length = step * len(hits)
    statistics = statistics_of("instance").of_frames(pairs, ClassSpace(("road", "car"), ("car",)))
    return Scores(
        key=JobKey("toy", "instance", method, 0, "a"), split="test", fps=fps,
        index=np.arange(0, length, step), statistics=statistics,
        wall_time={name: np.zeros(length) for name in WALL_TIMES},
        skipped_steps=np.zeros(length, int), resets=np.zeros(length, int), peak_memory=0,
    )  # fmt: skip


def test_curves_join_sparse_labels_and_have_a_gap_only_where_nothing_is_defined():
    hits = {FIXED: [0, 1, None, 1, None, 0, 0], ONLINE: [1, 1, None, 1, None, 1, 0]}
    figure = curves_figure([objects_found(*each) for each in hits.items()], list(hits), {}, FIXED)
    quality, gain = figure.axes
    assert quality.get_ylabel() == "AP of the frame (%)"
    raw = quality.lines[0]
    np.testing.assert_allclose(raw.get_xdata(), 5 * np.arange(7))
    np.testing.assert_allclose(raw.get_ydata(), [0, 100, np.nan, 100, np.nan, 0, 0])
    smooth = {line.get_label(): line for line in quality.lines}[ONLINE].get_ydata()
    np.testing.assert_allclose(smooth, [100, 100, np.nan, 100, np.nan, 200 / 3, 50])
    # The frame between two gaps is visible.
    alone = [line.get_xdata().tolist() for line in quality.lines if line.get_marker() == "_"]
    assert alone == [[15], [15]]
    np.testing.assert_allclose(gain.lines[0].get_ydata(), [0, 0, np.nan, 0, np.nan, 0, 0])
    assert "labelled frames" in figure.legends[0].get_title().get_text()


def test_a_sweep_is_in_octaves_with_all_at_the_right():
    figure = sweep_figure(metrics(WINDOWS), Sweep(ONLINE, "window", "16"), [FIXED], {})
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines[ONLINE].get_xdata(), [0, 1, 3, 4])
    np.testing.assert_allclose(lines[ONLINE].get_ydata(), [21.5, 22.5, 28.5, 50.5])
    np.testing.assert_allclose(lines[FIXED].get_ydata(), 12.5)
    assert lines["value used elsewhere"].get_xydata().tolist() == [[4, pytest.approx(50.5)]]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["1", "2", "8", "16", "all"]
    assert axes.get_xticks()[-1] > 5
    unlimited = [line for line in axes.lines if line.get_xdata()[-1] == axes.get_xticks()[-1]]
    assert pytest.approx(30.5) in [line.get_ydata()[-1] for line in unlimited]
    # It has the settings of the method, and is none that was selected for itself.
    note = axes.texts[0].get_text().replace("\n", " ")
    assert note == f"k = 1: no explicit memory, every other setting as in {ONLINE}"


@pytest.mark.parametrize(
    ("values", "base", "words"),
    [
        ({f"{ONLINE},window=16": 0.1}, "16", "and another method have the same window"),
        ({f"{ONLINE},window=wide": 0.1}, "16", "window=wide is neither a positive number"),
        ({}, None, "give its window with --base-value"),
    ],
)
def test_sweeps_over_other_things_are_refused(values, base, words):
    with pytest.raises(InputError, match=words):
        sweep_figure(metrics({**WINDOWS, **values}), Sweep(ONLINE, "window", base), [], {})
    with pytest.raises(InputError, match="no variant of 'tent'"):
        sweep_figure(metrics(WINDOWS), Sweep("tent", "window", base), [], {})


def test_strips_are_the_adjacent_frames_with_the_largest_and_the_smallest_gain():
    gains = np.array([0.0, 1, 5, 3, -9, np.nan, 30, 0, -1])
    # Runs of two labelled frames: 0.5, 3, 4, -3, then 15, -0.5; those with one do not count.
    assert extreme_strips(gains, 2) == [Strip(6, 2, 15), Strip(3, 2, -3)]
    # Where labels are sparse, runs with as many as there are, and these in the middle.
    assert extreme_strips(np.array([np.nan, 2, np.nan, np.nan, 7, np.nan]), 3) == [
        Strip(3, 3, 7),
        Strip(0, 3, 2),
    ]
    assert extreme_strips(np.array([5, np.nan, np.nan, np.nan, 1]), 3) == [
        Strip(0, 3, 5),
        Strip(2, 3, 1),
    ]
    assert extreme_strips(np.array([1.0, 2]), 3) == [Strip(0, 2, 1.5)]
    with pytest.raises(InputError, match="no frame of the video is labelled"):
        extreme_strips(np.full(4, np.nan), 2)


def test_strips_say_what_was_gained_and_what_was_lost(made, tmp_path):
    """The fixed model has 25.2 % (all sky: 615 of 1221 pixels), a frame of cars 0 %."""
    right = [True, True, False, False, False, True, True]
    predictions(tmp_path / "p.h5", ONLINE, right=right)
    with (
        FrameStore(made / "a.h5") as frames,
        PredictionReader(made / f"{FIXED}0.h5") as fixed,
        PredictionReader(tmp_path / "p.h5") as learned,
    ):
        parts = strips_figure(frames, fixed, learned, {}).subfigs
    heads = [part.get_suptitle() for part in parts]
    assert heads == [
        "Largest gain: +41.5 points of frame mIoU",
        "Largest loss: −25.2 points of frame mIoU",
    ]
    # Rows are the input, the fixed model, the method, the ground truth.
    titles = [[axes.get_title() for axes in part.axes[:9]] for part in parts]
    for found, first in zip(titles, (0, 2), strict=True):
        assert found[:3] == [f"frame {t}, {t / 2:.1f} s" for t in range(first, first + 3)]
        assert found[3:6] == 3 * ["mIoU 25.2 %"]
    assert titles[0][6:] == ["mIoU 100.0 %", "mIoU 100.0 %", "mIoU 0.0 %"]
    assert titles[1][6:] == 3 * ["mIoU 0.0 %"]


def test_frame_values_are_those_of_the_scores(made):
    table = pd.read_csv(made / "metrics.csv")
    for method in (FIXED, ONLINE):
        rows = table[(table.method == method) & (table.metric == "miou_frames")]
        with (
            FrameStore(made / "a.h5") as frames,
            PredictionReader(made / f"{method}0.h5") as found,
        ):
            shares = frame_values(scored_view(frames, "semantic"), found)
        assert shares.mean() == pytest.approx(100 * rows.value.iloc[0])
        assert 0 < shares.min() <= 100


def test_selection_shows_every_trial_and_rings_the_chosen_one():
    table = grid(chosen=2)
    assert varied_settings(table, "miou_pooled") == ["optimizer.learning_rate", "options.scope"]
    (axes,) = selection_figure({ONLINE: table}, "semantic", {}).axes
    # 0.01 is the largest rate, though not the last one tried.
    assert axes.texts[0].get_text() == "at the edge of learning_rate"
    lines = {line.get_label(): line.get_xydata() for line in axes.lines[:2]}
    # In the order of the rates: 1e-4, 1e-3, 1e-2.
    np.testing.assert_allclose(lines["layer"], [[0, 11], [1, 10], [2, 12]])
    np.testing.assert_allclose(lines["position"], [[0, 14], [1, 13], [2, 15]])
    np.testing.assert_allclose(axes.lines[2].get_xydata(), [[2, 12]])


def test_iterations_are_an_axis_only_where_they_tell_trials_apart():
    ladder = pd.concat(
        [grid(rate=(1e-3,), scope=("layer",)).assign(iteration=i) for i in (0, 10, 100)]
    )
    assert varied_settings(ladder, "miou_pooled") == ["iteration"]
    both = pd.concat([grid(scope=("layer",)).assign(iteration=i) for i in (0, 10, 100)])
    assert varied_settings(both, "miou_pooled") == ["iteration", "optimizer.learning_rate"]
    found = grid().assign(iteration=[3, 1, 4, 1, 5, 9])
    assert "iteration" not in varied_settings(found, "miou_pooled")


def test_four_settings_can_be_told_apart_and_a_window_of_all_frames_is_the_last(tmp_path):
    names = ("optimizer.learning_rate", "optimizer_between_frames", "window", "options.weight")
    tried = ((1e-4, 1e-3, 1e-2, 0.1), ("rebuilt", "kept"), (4, "all", 1), (0.0, 1.0))
    rows = [dict(zip(names, values, strict=True)) for values in itertools.product(*tried)]
    table = pd.DataFrame(rows).assign(seeds=1)
    table = table.assign(miou_pooled=0.2 + table.index / 1000, selected=table.index == 6)
    table.to_csv(tmp_path / "grid.csv", index=False)
    # As the verb reads it: what has words and numbers is text.
    read = read_grid(tmp_path / "grid.csv", "miou_pooled")
    (axes,) = selection_figure({ONLINE: read}, "semantic", {}).axes
    lines = axes.lines[:-1]
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) == len(lines) == 12
    key = [text.get_text() for text in axes.get_legend().get_texts()]
    assert key == [
        "window 1", "window 4", "window all", "weight 0", "weight 1", "rebuilt", "kept"
    ]  # fmt: skip
    # Trial 6: the first rate, which is at an edge; kept; window 4 of 1, 4 and all.
    (thick,) = [line.get_label() for line in lines if line.get_linewidth() > 1]
    assert thick == "4, kept, 0"
    # Beside it, what changes one setting: two windows, rebuilt, and the other weight.
    clear = {line.get_label() for line in lines if line.get_alpha() is None}
    assert clear == {thick, "1, kept, 0", "all, kept, 0", "4, rebuilt, 0", "4, kept, 1"}
    assert axes.texts[0].get_text() == "at the edge of learning_rate"
    by_window = read.drop(columns=[*names[:2], names[3]]).drop_duplicates("window")
    by_window = by_window.assign(selected=by_window.window == "all")
    (axes,) = selection_figure({ONLINE: by_window}, "semantic", {}).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "4", "all"]
    assert axes.texts[0].get_text() == ""


def test_selections_that_cannot_be_drawn_are_refused():
    for table, words in (
        (grid().drop(columns="selected"), "no column 'selected'"),
        (grid(chosen=99), "0 trials are chosen, not one"),
        (grid()[["miou_pooled", "seeds", "selected"]], "no column of a setting"),
    ):
        with pytest.raises(InputError, match=words):
            selection_figure({ONLINE: table}, "semantic", {})


def test_steps_show_loss_and_miou_after_each_step(made):
    with FrameStore(made / "a.h5") as frames:
        view = scored_view(frames, "semantic")
        figure = steps_figure(view, read_traces(made / "traces.h5"))
    titles = [axes.get_title() for axes in figure.subfigs[0].axes[:6]]
    assert titles[2:] == ["Before any step", "After 1 step", "After 5 steps", "After 6 steps"]
    loss, share = (axes.lines[0].get_ydata() for axes in figure.subfigs[1].axes)
    np.testing.assert_allclose(loss, 1 - 0.1 * np.arange(7))
    # Of 1221 labelled pixels 606 are road; of sky there is none before step 3.
    np.testing.assert_allclose(share[:3], 50 * 606 / 1221)
    np.testing.assert_allclose(share[3:], 100)


def test_rolling_mean_is_centred_and_keeps_gaps():
    values = np.array([[1.0, 2, 3, np.nan, 5, 7]])
    means = rolling_mean(values, 3)
    np.testing.assert_allclose(means, [[1.5, 2, 2.5, np.nan, 6, 6]])
