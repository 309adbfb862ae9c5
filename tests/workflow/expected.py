"""What the study `paper` must do and show, by config.yaml and by the paper."""

import collections
import itertools
import math

from replicas import study

# Figure 3 is of the ablation without memory.
STEPS = "online_ttt_mae,window=1,reset=every_frame"
TASKS = ("semantic", "instance", "panoptic", "colorization")


def streams_of(config):
    """Return data set, task, methods and videos of every stream."""
    entry = config["studies"]["paper"]
    found = []
    for dataset, tasks in entry["streams"].items():
        splits = config["datasets"][dataset]["splits"]
        videos = [v for split in entry["splits"] for v in splits.get(split, [])]
        for task in tasks:
            named = entry["task_methods"].get(task, entry["methods"])
            methods = [m for m in named if task in of_method(config, m).get("tasks", TASKS)]
            found.append((dataset, task, methods, videos))
    return found


def of_method(config, method):
    """Return what config.yaml says of a method, or of the method that this is a variant of."""
    return config["methods"][method.split(",")[0]]


def rule_of(config, method):
    """Return the rule that makes a method's predictions; None if they are another's."""
    entry = of_method(config, method)
    if "predictions_of" in entry:
        return None
    if "segmenter" in entry:
        return "predict_segmenter"
    return "predict" if "objective" in entry else f"predict_{method}"


def seeds_of(config, task):
    """Return the seeds of a task."""
    entry = config["studies"]["paper"]
    return entry["task_seeds"].get(task, entry["seeds"])


def compared(config):
    """Return what is scored and what is predicted, the latter with the rule that does it."""
    scores, predictions = set(), set()
    for dataset, task, methods, videos in streams_of(config):
        seeds = seeds_of(config, task)
        scored = task in config["datasets"][dataset].get("scored", TASKS)
        for method, seed, video in itertools.product(methods, seeds, videos):
            # What has no truth is drawn, of one seed and in colour.
            if scored or (seed == seeds[0] and method != "left_grey"):
                key = (dataset, task, method, seed, video)
                scores |= {key} if scored else set()
                predictions.add((rule_of(config, method), *key))
    for dataset, task, *key in swept(config):
        scores.add((dataset, task, *key))
        predictions.add(("predict", dataset, task, *key))
    return scores, predictions


def swept(config):
    """Return what is predicted for sweeps beside the methods that are compared anyway."""
    entry = config["studies"]["paper"]
    for sweep in entry["sweeps"].values():
        # The window is selected, so that no value is the method's own.
        own = {"window": None, "steps": 1}[sweep["setting"]]
        values = [value for value in sweep["values"] if value != own]
        for dataset, task in (
            ("kitti_step", "semantic"), ("coco_videos", "instance"), ("coco_videos", "panoptic"),
        ):  # fmt: skip
            if task in sweep["tasks"]:
                split = "test" if dataset == "coco_videos" else "val"
                videos = config["datasets"][dataset]["splits"][split]
                for value, seed, video in itertools.product(values, seeds_of(config, task), videos):
                    variant = f"{sweep['method']},{sweep['setting']}={value}"
                    yield dataset, task, variant, seed, video


def expected_jobs(config):
    """Count the jobs of the study `paper` by what config.yaml says that it compares."""
    entry = config["studies"]["paper"]
    scores, predictions = compared(config)
    rules = collections.Counter(rule for rule, *_ in predictions if rule)
    streams = streams_of(config)
    videos = {(dataset, video) for dataset, *_, listed in streams for video in listed}
    kitti = config["datasets"]["kitti_step"]["splits"]
    selection = entry["selection"]
    trials = sum(math.prod(map(len, grid.values())) for grid in selection["grids"].values())
    trials *= len(kitti[selection["split"]]) * len(selection["seeds"])
    imported = [(task, name) for task, names in entry["imported"].items() for name in names]
    trained = [
        (task, checkpoint, seed)
        for task in {task for _, task, *_ in streams}
        for checkpoint in ("main_task", "joint", "main_task_continued")
        if (task, checkpoint) not in imported
        # Colorization is compared in few methods.
        if (task, checkpoint) != ("colorization", "main_task_continued")
        for seed in seeds_of(config, task)
    ]
    tables = ["table1", "table4", "memories_selected", "architectures", "ablations"]
    scored = [each for each in streams if each[0] != "lumiere"]
    return {
        **rules,
        "score": len(scores),
        "predict_trial": trials,
        "score_trial": trials,
        "select": len(selection["grids"]),
        "import_checkpoint": len(imported),
        "train": len(trained),
        "ingest": len({*videos, "stills of Cityscapes", "stills of COCO"}),
        "fetch_source": len(sources_of(config)),
        "check_data": len(entry["streams"]),
        "theory": len(kitti["val"]) * len(seeds_of(config, "semantic")),
        "trace": len(kitti["val"] + kitti["test"]),
        "diagnose": sum(
            len(listed) * len(seeds_of(config, task)) for _, task, *_, listed in scored
        ),
        "make_table": len(tables),
        "make_omission_table": 1,
        "make_cost_table": 1,
        "make_data_table": 1,
        "make_colour_table": 1,
        "plot_figure2": 1,
        "plot_sweep": len(entry["sweeps"]),
        "plot_theory": 1,
        "plot_diagnosis": 1,
    }


def sources_of(config):
    """Return every file from elsewhere that the study `paper` needs."""
    entry = config["studies"]["paper"]
    found = {"inception", "alexnet"}
    for dataset in (*entry["streams"], "cityscapes", "coco", "imagenet"):
        listed = config["datasets"][dataset]["sources"]
        videos = set(itertools.chain(*config["datasets"][dataset]["splits"].values()))
        found |= {listed[v] for v in videos} if isinstance(listed, dict) else set(listed)
    found |= {source for task in entry["imported"].values() for source in task.values()}
    methods = [*entry["methods"], *itertools.chain(*entry["task_methods"].values())]
    entries = [of_method(config, method) for method in methods]
    return found | {each["weights"] for each in entries if "weights" in each}


# Of what the study shows in the rehearsal, everything.
KITTI, COCO, FILMS = (study.VIDEOS[name] for name in ("kitti_step", "coco_videos", "lumiere"))
STREAMS = [
    ("kitti_step", "semantic", KITTI["val"] + KITTI["test"]),
    ("coco_videos", "instance", COCO["test"]),
    ("coco_videos", "panoptic", COCO["test"]),
    ("coco_videos", "colorization", COCO["test"]),
    ("lumiere", "colorization", FILMS["test"]),
]


def expected_results():
    """Return every table, figure and video of the paper, below the folder of results."""
    names = ["table1", "table2", "table3", "table4", "memories_selected", "architectures"]
    names.append("ablations")
    found = [f"tables/paper/{n}.{form}" for n in names for form in ("csv", "md", "tex")]
    names = ["theory_kitti_step_semantic", "diagnosis", "omissions"]
    found += [f"tables/paper/{n}.{form}" for n in names for form in ("csv", "md")]
    found += ["tables/paper/classes.csv", "tables/paper/conventions.md", "tables/paper/cost.md"]
    names = ["bars", "figure2", "window", "steps", "selection_kitti_step_semantic", "diagnosis"]
    found += [f"figures/paper/{n}.{form}" for n in names for form in ("png", "pdf")]
    found += ["figures/paper/kitti_step/semantic/theory.pdf"]
    for dataset, task, videos in STREAMS:
        for video in videos:
            learned = f"figures/{dataset}/{task}/online_ttt_mae/seed0/{video}"
            found += [f"{learned}_reconstruction.png", f"videos/{dataset}/{task}/seed0/{video}.mp4"]
            if dataset != "lumiere":
                found.append(f"figures/paper/{dataset}/{task}/{video}/curves.png")
            if task == "colorization":
                found.append(f"figures/paper/{dataset}/{video}/colours.png")
                found.append(f"videos/{dataset}/{task}/online_ttt_mae/seed0/{video}.mp4")
            else:
                found.append(f"{learned}_strips.png")
            if task == "semantic":
                found.append(f"figures/{dataset}/{task}/{STEPS}/seed0/{video}_steps.png")
    return found
