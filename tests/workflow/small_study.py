"""A study small enough for a test."""

from support import whole_config

SELF_TRAINED = "self_train"  # exists for semantic segmentation only
METHODS = [
    "main_task_only",
    "mae_joint_training",
    "offline_ttt_mae_all_frames",
    "offline_ttt_mae_fixed_iteration",
    SELF_TRAINED,
    "online_ttt_mae",
    "online_ttt_mae,window=2",
]


def small_config():
    config = whole_config()
    config["study"] = "tiny_demo"
    phases = [{"place": "avenue", "light": "day"}, {"place": "market", "light": "warm"}]
    dataset = config["datasets"]["synthetic"]
    dataset["splits"] = {"train": ["stills"], "val": ["val_0"], "test": ["test_0"]}
    dataset["render"]["size"] = [64, 96]
    dataset["render"]["videos"] = {
        "stills": {"frames": 6},
        "val_0": {"frames": 8, "phases": phases},
        "test_0": {"frames": 6, "phases": phases},
    }
    coco = config["datasets"]["synthetic_coco"]
    coco["splits"] = {"val": ["val_0"], "test": ["test_0"]}
    coco["render"]["size"] = [64, 96]
    coco["render"]["videos"] = {
        name: {"frames": 4, "phases": phases} for name in ("val_0", "test_0")
    }
    # They use videos that are not rendered here.
    for other in ("demo", "demo_coco", "lite_selection", "models"):
        del config["studies"][other]
    # A video of one's own, in colour, beside a film without: nothing is scored of that.
    films = {"layout": "video_file", "fps": None, "splits": {"test": ["clip"]}}
    config["datasets"]["my_videos"] = {**films, "root": "own", "scored": ["colorization"]}
    config["datasets"]["lumiere"] = {**films, "root": "films", "fps": 5, "scored": []}
    config["studies"]["my_videos"] |= {
        "model": "tiny",  # trained in the test, like those of the other study
        "shipped": {},
        "drawn": {},
        "streams": {"my_videos": ["colorization"], "lumiere": ["colorization"]},
        "methods": ["left_grey", "zhang2016", "main_task_only", "online_ttt_mae"],
        "paper": {"colorization": {"dataset": "coco_videos"}},
    }
    study = config["studies"]["tiny_demo"]
    study["streams"] = {"synthetic": ["semantic"], "synthetic_coco": ["panoptic"]}
    del study["training"]["tasks"]
    study["methods"] = list(METHODS)
    for method in METHODS[2:4]:
        config["methods"][method]["tasks"] = ["semantic"]  # for the time it takes
    study["splits"] = ["test"]
    study["training"]["augmentation"]["crop"] = [64, 96]
    study["training"]["optimizer"] |= {"batch": 2, "warmup": 0}
    study["training"]["iterations"] = {"main_task": 2, "joint": 2}
    study["updates"]["batch"] = 2
    study["input"]["shortest_edge"] = 64
    for key in ("training", "updates", "input"):
        config["studies"]["my_videos"][key] = study[key]
    study.pop("pinned", None)
    grid = {"optimizer.learning_rate": [1.0e-4, 1.0e-3]}
    study["selection"] = {
        "split": "val",
        "seeds": [0],
        "grids": {"online_ttt_mae": grid, "offline_ttt_mae_all_frames": grid},
    }
    study["sizes"] = {"offline_ttt_mae_all_frames": {"ladder": [1, 2]}}
    window = {"method": "online_ttt_mae", "setting": "window", "values": [2, 16]}
    study["sweeps"] = {"window": {**window, "split": "val"}}
    return config
