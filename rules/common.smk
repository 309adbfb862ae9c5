"""Functions of the rules: ids in, paths and settings out. The only file with `def`."""

import functools
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import videottt
from videottt import config as settings
from videottt.errors import InputError
from videottt.provenance import code_fingerprint

try:
    settings.validate(config, Path(workflow.basedir) / "schemas/config.schema.yaml")
except InputError as error:
    sys.exit(f"videottt: error: {error}")


# So that .venv/bin/snakemake works without activating .venv; a conda environment comes first.
shell.prefix(f'export PATH="$PATH:{Path(sys.executable).parent}"; ')


# Without a GPU here, or with device: cpu, cores alone limit how many jobs run at once.
GPUS = int(config["device"] != "cpu" and shutil.which("nvidia-smi") is not None)

# The paper's published numbers.
PAPER = [
    os.path.relpath(Path(workflow.basedir) / "resources/paper" / name)
    for name in ("table1.csv", "table4.csv")
]


# Checked one by one in the functions below, with messages that name the nearest valid id.
wildcard_constraints:
    dataset="[^/]+",
    task="[^/]+",
    method="[^/]+",
    checkpoint="[^/]+",
    split="[^/]+",
    video="[^/]+",
    study="[^/]+",
    seed=r"\d+",
    trial=r"\d+",


# The modules whose logic decides the numbers of a stage. Comments and docstrings do not count.
CODE = {
    "render": [
        "datasets/synthetic",
        "datasets/kitti_step.py",
        "randomness.py",
        "cli/sources.py",
    ],
    "ingest": [
        "datasets/camvid.py",
        "datasets/images.py",
        "datasets/kitti_step.py",
        "frames.py",
        "cli/frames.py",
    ],
    "model": ["models", "randomness.py", "optimization.py", "precision.py", "tasks"],
    "train": ["training.py", "augmentation.py", "objectives/mae.py", "cli/checkpoints.py"],
    "predict": [
        "stream.py",
        "memory.py",
        "method.py",
        "settings.py",
        "predictions.py",
        "cli/predict.py",
    ],
    "score": ["metrics/semantic.py", "scores.py", "cli/score.py"],
}


@functools.cache
def code(*places):
    """Return a fingerprint of modules: a change of what they do re-runs the rule."""
    root = Path(videottt.__file__).parent
    found = [root / place for place in places]
    files = [f for p in found for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    return code_fingerprint(files)


def reported(function):
    """Return `function` of wildcards, with bad input reported as a single line."""

    def call(wildcards):
        try:
            return function(wildcards)
        except InputError as error:
            # Snakemake would wrap any exception in several lines of its own.
            print(f"videottt: error: {error}", file=sys.stderr, flush=True)
            os._exit(2)

    return call


@reported
def source_of(wildcards):
    """Return the folder that a video is read from: rendered here, or a copy of the data set."""
    split = settings.split_of(config, wildcards.dataset, wildcards.video)
    entry = config["datasets"][wildcards.dataset]
    if "render" in entry:
        return expand(rules.render.output.root, split=split, **wildcards)[0]
    root = Path(config["data_root"]) / entry["root"]
    if not root.is_dir():
        raise InputError(
            f"{root}: data set '{wildcards.dataset}' is not there; put a copy there, or say where "
            "it is with --config data_root=..., or run --config study=demo, which needs no data"
        )
    return str(root)


@reported
def render_settings(wildcards):
    return json.dumps(settings.render_settings(config, wildcards.dataset, wildcards.video))


@reported
def split_of(wildcards):
    return settings.split_of(config, wildcards.dataset, wildcards.video)


@reported
def ingest_settings(wildcards):
    return json.dumps(settings.ingest_settings(config, wildcards.dataset, wildcards.video))


@reported
def stills_of(wildcards):
    study = settings.study_trained_on(config, wildcards.dataset)
    videos = settings.videos_in(config, wildcards.dataset, study["training"]["split"])
    return expand(rules.ingest.output.frames, dataset=wildcards.dataset, video=videos)


@reported
def initial_of(wildcards):
    settings.training_settings(config, wildcards.dataset, wildcards.checkpoint)
    initial = config["checkpoints"][wildcards.checkpoint].get("initial")
    ids = {**wildcards, "checkpoint": initial}
    return expand(rules.train.output.checkpoint, **ids) if initial else []


@reported
def training_settings(wildcards):
    return json.dumps(settings.training_settings(config, wildcards.dataset, wildcards.checkpoint))


@reported
def training_model(wildcards):
    return settings.study_trained_on(config, wildcards.dataset)["model"]


@reported
def training_threads(wildcards):
    # From the configuration, not from --cores: the number of threads decides the last bits.
    return settings.study_trained_on(config, wildcards.dataset)["training"]["threads"]


@reported
def checkpoint_of(wildcards):
    trained = settings.checkpoint_ids(config, wildcards.dataset, wildcards.method)
    return expand(rules.train.output.checkpoint, **{**wildcards, **trained})


@reported
def method_settings(wildcards):
    return json.dumps(settings.method_settings(config, wildcards.dataset, wildcards.method))


@reported
def trial_settings(wildcards):
    return json.dumps(
        settings.trial_settings(config, wildcards.dataset, wildcards.method, int(wildcards.trial))
    )


def code_of_method(wildcards):
    objective = config["methods"].get(wildcards.method, {}).get("objective", "none")
    return code(*CODE["model"], *CODE["predict"], f"objectives/{objective}.py")


@reported
def selection_of(wildcards):
    if settings.is_selected(config, wildcards.dataset, wildcards.method):
        return rules.select.output.selection.format(**wildcards)
    return []


def score_files(wildcards, videos, **ids):
    """Return the score files of all methods and seeds of a study for some videos."""
    study = settings.study_named(config, wildcards.study)
    return expand(
        rules.score.output.scores,
        method=study["methods"],
        seed=study["seeds"],
        video=videos,
        **ids,
    )


@reported
def scores_of_video(wildcards):
    ids = {"dataset": wildcards.dataset, "task": wildcards.task}
    return score_files(wildcards, [wildcards.video], **ids)


@reported
def scores_of_study(wildcards):
    study = settings.study_named(config, wildcards.study)
    return [
        path
        for dataset in study["datasets"]
        for path in score_files(
            wildcards,
            settings.study_videos(config, study, dataset),
            dataset=dataset,
            task=study["tasks"],
        )
    ]


def trial_scores(wildcards, trial):
    """Return the score files of one trial on the validation videos."""
    selection = settings.study_of(config, wildcards.dataset)["selection"]
    return expand(
        rules.score_trial.output.scores,
        trial=trial,
        seed=selection["seeds"],
        video=settings.videos_in(config, wildcards.dataset, selection["split"]),
        **wildcards,
    )


@reported
def trial_scores_of(wildcards):
    return trial_scores(wildcards, range(len(settings.trials(config, wildcards.dataset))))


@reported
def trial_arguments(wildcards):
    """Return one --trial argument a trial: its values and its score files."""
    trials = [
        {"values": values, "scores": trial_scores(wildcards, number)}
        for number, values in enumerate(settings.trials(config, wildcards.dataset))
    ]
    return " ".join(f"--trial {shlex.quote(json.dumps(trial))}" for trial in trials)


@reported
def selection_metric(wildcards):
    return settings.study_of(config, wildcards.dataset)["selection"]["metric"]


@reported
def methods_of_study(wildcards):
    return ",".join(settings.study_named(config, wildcards.study)["methods"])


@reported
def paper_of_study(wildcards):
    dataset = settings.study_named(config, wildcards.study).get("paper")
    return f"--paper-dataset {dataset}" if dataset else ""


method_labels = json.dumps({m: entry["label"] for m, entry in config["methods"].items()})


def study_results(wildcards):
    """Return everything that the study that is run shows: tables, figures, videos."""
    study_id, study = config["study"], settings.current_study(config)
    results = expand(
        [*rules.make_table.output, *rules.plot_bars.output],
        study=study_id,
    )
    for dataset in study["datasets"]:
        ids = {"study": study_id, "dataset": dataset, "task": study["tasks"]}
        ids |= {"video": settings.study_videos(config, study, dataset), "seed": study["seeds"][0]}
        results += expand(rules.plot_curves.output, **ids)
        results += expand(rules.plot_reconstruction.output, method="online_ttt_mae", **ids)
        results += expand(rules.render_video.output, **ids)
    return results
