import json

import h5py
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from videottt.cli import main
from videottt.figures.curves import rolling_mean
from videottt.figures.style import class_colours, method_colours
from videottt.frame_result import PHASES, FrameResult
from videottt.frames import SourceFrame, write_frames
from videottt.predictions import PredictionKey, write_predictions

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


def predictions(path, method, video="a", seed=0, looks=(), length=LENGTH):
    """The fixed model takes everything for sky, the other one is right but for the void."""
    key = PredictionKey("toy", "semantic", method, seed, video)
    found = np.where(truth() == 255, 2, truth()) if method == ONLINE else np.zeros_like(truth())
    with write_predictions(
        path, key, frames=length, size=(HEIGHT, WIDTH), classes=CLASSES, settings={}, provenance={}
    ) as writer:
        for index in range(length):
            seconds = dict.fromkeys(PHASES, 0.01)
            writer.add(FrameResult(index, found.astype(np.uint8), 0.5, 0.1, 0, seconds))
        for index in looks:
            visible = np.zeros((24, 32), bool)
            visible[:8, :8] = True
            writer.look(index, visible, np.full((24, 32, 3), 90, np.uint8))
    return path


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
        return [verb, "--metrics", str(made / "metrics.csv"), *methods]
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


@pytest.mark.parametrize("verb", ["plot-curves", "plot-bars", "plot-reconstruction"])
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
    assert (tmp_path / "1/f.pdf").read_bytes().startswith(b"%PDF")
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
        command = ["plot-reconstruction", *pair(made, **other)]
        assert words in refused(capsys, [*command, "--png", str(png), "--pdf", str(pdf)], png)
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
        "two scores of method": ["--scores", *scores, scores[0], *methods],
        "not to be shown": ["--scores", *scores, "--methods", FIXED],
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
        file["prediction"].id.write_direct_chunk((4, 0, 0), b"not gzip")
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


def test_methods_have_distinct_colours():
    for count in (2, 10, 25):
        methods = [f"m{index}" for index in range(count)]
        colours = method_colours(methods)
        assert list(colours) == methods
        assert len(set(colours.values())) == count


def test_rolling_mean_is_centred_and_keeps_gaps():
    values = np.array([[1.0, 2, 3, np.nan, 5, 7]])
    means = rolling_mean(values, 3)
    np.testing.assert_allclose(means, [[1.5, 2, 2.5, np.nan, 6, 6]])
