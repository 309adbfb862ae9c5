"""The verbs, run as the rules run them, on what is small enough for a test."""

import json

import pytest

from support import VIDEO
from videottt.cli import main
from videottt.data.layouts.kitti_step import CITYSCAPES

INGEST = {"layout": "kitti_step", "fps": 10, "classes": list(CITYSCAPES)}
TRAIN = {
    "training": {"iterations": 4, "batch": 2, "learning_rate": 1e-3},
    "augmentation": {"shortest_edge": 64, "longest_edge": 256, "crop": [64, 96]},
}
ONLINE = {"objective": "mae", "window": 4, "batch": 2, "shortest_edge": 64, "longest_edge": 256}
# A method that learns nothing.
FIXED = {"objective": "none", "shortest_edge": 64, "longest_edge": 256}


def call(verb, **options):
    """Run one verb; dictionaries become JSON, lists several values."""
    words = [verb]
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        words.append("--" + name.replace("_", "-"))
        words += [json.dumps(each) if isinstance(each, dict) else str(each) for each in values]
    main(words)


def ingest(root, output, **changes):
    options = {"dataset": "synthetic", "split": "test", "video": VIDEO, "settings": INGEST}
    call("ingest", root=root, output=output, **{**options, **changes})


def train(frames, output, **changes):
    options = {"task": "semantic", "model": "tiny", "settings": TRAIN, "seed": 0, "device": "cpu"}
    call("train", frames=[frames], history=output.with_suffix(".csv"), output=output,
         **{**options, **changes})  # fmt: skip


def predict(frames, checkpoint, output, **changes):
    options = {"task": "semantic", "method": "online_ttt_mae", "settings": ONLINE, "seed": 0}
    call("predict", frames=frames, checkpoint=checkpoint, output=output, device="cpu",
         **{**options, **changes})  # fmt: skip


def ingesting(clip, output):
    """Return the command that reads the folder of images `clip` of a folder."""
    settings = json.dumps({"layout": "video_file", "fps": 10})
    return ["ingest", "--dataset", "d", "--split", "s", "--video", "clip", "--root", str(clip),
            "--settings", settings, "--output", str(output)]  # fmt: skip


def refused(capsys, call):
    """Return the one line that bad input is reported in."""
    with pytest.raises(SystemExit) as raised:
        call()
    assert raised.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = (each for each in lines if each.startswith("videottt: error:"))
    assert lines[-1] == line
    return line
