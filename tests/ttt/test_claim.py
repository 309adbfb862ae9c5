"""The paper's claim on the embedded benchmark: online > no memory > fixed, in small.

Three seeds, each with a model of its own that is trained here in half a minute, on one video that
drives from a familiar street at day into an unfamiliar market at night. This is a test of the
mechanism: its rate was chosen on this very video, and says nothing of how much is gained elsewhere.
"""

import dataclasses

import numpy as np
import pytest
import torch

from support import SMALLEST, SPACE
from videottt.core.ids import JobKey
from videottt.core.randomness import numpy_generator
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.data.synthetic import render_stills, render_video
from videottt.data.transforms.recipe import augment
from videottt.evaluation.metrics import statistics_of
from videottt.models.y_shaped import YShapedModel
from videottt.settings.augmentation import Augmentation
from videottt.settings.dataset import Phase
from videottt.settings.method import Method, OptimizerSettings
from videottt.settings.training import TrainingSettings
from videottt.tasks import task_named
from videottt.training.joint import start_run, train
from videottt.ttt.stream import Stream, run_stream

SIZE = (64, 96)
STILLS, FRAMES, SEEDS = 150, 48, (0, 1, 2)
PHASES = [Phase("residential", "day"), Phase("market", "night")]
PRESET = dataclasses.replace(SMALLEST, queries=20, loss_points=256)
TRAINING = TrainingSettings(
    iterations=200, batch=8, learning_rate=2e-3, warmup=20, reconstruction_weight=10.0
)
RECIPE = Augmentation(SIZE[0], 2 * SIZE[1], SIZE, scales=(0.9, 1.4), flip=0.5, colour=0.5)
FIXED = Method(objective="none", shortest_edge=SIZE[0], longest_edge=2 * SIZE[1])
ONLINE = dataclasses.replace(
    FIXED,
    objective="mae",
    window=16,
    batch=4,
    optimizer_between_frames="kept",
    optimizer=OptimizerSettings(
        learning_rate=1e-3, encoder_multiplier=1.0, decoder_multiplier=0.1, gradient_clip=0.01
    ),
)
METHODS = {
    "fixed": FIXED,
    "no memory": dataclasses.replace(ONLINE, window=1, reset="every_frame"),
    "online": ONLINE,
}
# Points of mIoU. Seen in the three seeds: online over fixed +0.6, +2.5, +1.4; no memory over fixed
# -0.2, -0.2, 0.0, so that the second half of the claim is only that no memory loses little. (The
# paper has +0.1 and 0.0 there, in table 1.)
TOLERANCE = 0.5


class Samples(torch.utils.data.Dataset):
    """Rendered stills, drawn with replacement and augmented."""

    def __init__(self, stills, seed):
        self.stills, self.seed = stills, seed

    def __len__(self):
        return TRAINING.iterations * TRAINING.batch

    def __getitem__(self, index):
        draws = numpy_generator("claim", self.seed, index)
        still = self.stills[draws.integers(len(self.stills))]
        layers = still.image, still.semantic, still.instance.astype(np.int32)
        return tuple(torch.from_numpy(layer.copy()) for layer in augment(*layers, RECIPE, draws))


def trained(seed, stills):
    """Return a model that was trained jointly from new weights."""
    run = start_run(YShapedModel(PRESET, len(CITYSCAPES), seed), TRAINING)
    task = task_named("semantic", SPACE)
    train(run, task, Samples(stills, seed), TRAINING, ("claim", seed), lambda run, stop: None)
    return run.model


def miou(model, weights, method, video):
    """Return the pooled mIoU of a method that starts from some weights, in percent."""
    model.load_state_dict(weights)
    key = JobKey("synthetic", "semantic", "claim", 0, "claim")
    stream = Stream(model, task_named("semantic", SPACE), method, key)
    results = run_stream(stream, enumerate(frame.image for frame in video))
    parts = [
        statistics_of("semantic").of_frame(video[each.index].semantic, each.prediction, SPACE)
        for each in results
    ]
    return 100 * parts[0].joined(parts).metrics()["miou_pooled"]


@pytest.fixture(scope="module")
def scores():
    """Return method -> pooled mIoU of every seed."""
    stills = list(render_stills(STILLS, SIZE, seed=0))
    video = list(render_video("claim", PHASES, FRAMES, SIZE, seed=3))
    found = {name: [] for name in METHODS}
    for seed in SEEDS:
        model = trained(seed, stills)
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        for name, method in METHODS.items():
            found[name].append(miou(model, weights, method, video))
    return {name: np.array(values) for name, values in found.items()}


def test_online_gains_over_the_fixed_model_and_over_no_memory(scores):
    fixed, alone, online = scores["fixed"], scores["no memory"], scores["online"]
    assert (fixed > 8).all()  # of 19 classes: it has learned something
    assert (online > fixed).all()
    assert (online - fixed).mean() > TOLERANCE
    assert (online > alone).all()
    assert (online - alone).mean() > TOLERANCE
    assert (alone - fixed).mean() > -TOLERANCE
