"""config.yaml, cut to what the replicas show and to what a test has time for."""

import copy
from typing import Any

Config = dict[str, Any]

# Of the sequences that there are replicas of, so few that the time goes into different jobs.
VIDEOS = {
    "kitti_step": {"val": ["0014"], "test": ["0003", "0012"]},
    "coco_videos": {"test": ["bangkok"]},
    "lumiere": {"test": ["workers_leaving", "the_sea"]},
}
CROP, EDGES = [64, 96], {"shortest_edge": 64, "longest_edge": 224}
SEED = 0


def miniature(config: Config) -> Config:
    """Return a configuration whose study `paper` is small in every size, and whole otherwise."""
    config = copy.deepcopy(config)
    for dataset, splits in VIDEOS.items():
        config["datasets"][dataset]["splits"] = splits
    config["datasets"]["coco"]["canvas"] = [80, 80]
    config["device"] = "cpu"
    study = config["studies"]["paper"]
    study |= {"model": "tiny", "seeds": [SEED], "input": EDGES}
    # Untrained models are sure of nothing.
    study["decoding"] = {"object_mask_threshold": 0.0}
    study["sizes"] = {
        "offline_ttt_mae_all_frames": {"ladder": [1, 2]},
        "majority_vote": {"votes": 2},
        "online_ttt_mae_majority_vote": {"votes": 2},
    }
    study["updates"] |= {"batch": 2, "micro_batch": 1, "crop": CROP}
    for different in study["by_dataset"].values():
        _cut_of_dataset(different)
    _cut_training(study["training"])
    for training in study["training"]["tasks"].values():
        _cut_training(training)
    _cut_choices(study)
    return config


def _cut_of_dataset(different: Config) -> None:
    different["input"] = EDGES
    updates = different["updates"]
    updates |= {"micro_batch": 1}
    updates["views"] |= {"crop": [64, 64], "scales": [0.5, 1.5]}


def _cut_training(training: Config) -> None:
    training["iterations"] = dict.fromkeys(training["iterations"], 2)
    training["augmentation"] |= {"crop": CROP}
    training.setdefault("optimizer", {})
    training["optimizer"] |= {"batch": 2, "micro_batch": 1, "workers": 0, "warmup": 0}
    training["threads"] = 1


def _cut_choices(study: Config) -> None:
    """Leave two trials of every method, and a few values of every sweep."""
    grids = study["selection"]["grids"]
    for method, (first, *others) in {m: grid.items() for m, grid in grids.items()}.items():
        setting, values = first
        grids[method] = {setting: values[:2], **{name: each[:1] for name, each in others}}
    study["sweeps"]["window"]["values"] = [2, 16, "all"]
    study["sweeps"]["steps"]["values"] = [1, 2]
