"""Functions of the rules: ids in, paths and settings out. The only file with `def`."""

import functools
import itertools
import json
import os
import re
import shlex
import sys
import sysconfig
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

import videottt
from videottt.study import config as settings
from videottt.study import job_settings
from videottt.study import trials
from videottt.study import validation
from videottt.core.errors import InputError
from videottt.runtime.gpus import visible_gpus
from videottt.core.provenance import code_fingerprint
from videottt.report.tables.layout import layout_of, tables_of

SCHEMA = Path(workflow.basedir) / "schemas/config.schema.yaml"
RESOURCES = Path(os.path.relpath(Path(workflow.basedir) / "resources"))
SLURM = Path(workflow.basedir).absolute() / "slurm"

# Of `--config offline=true mirror= container=`, Snakemake makes words.
for key in ("offline", "mirror", "container"):
    config[key] = {"true": True, "false": False, "": None}.get(config.get(key), config.get(key))

try:
    validation.validate(config, SCHEMA)
except InputError as error:
    sys.exit(f"videottt: error: {error}")

# What the jobs run with: this Python, the conda environments of the rules, or an image.
DEPLOYED = workflow.deployment_settings.deployment_method
IN_CONDA = DeploymentMethod.CONDA in DEPLOYED
PACKAGE = Path(videottt.__file__).parents[1]
if IN_CONDA and PACKAGE.samefile(sysconfig.get_path("purelib")):
    sys.exit(
        f"videottt: error: --sdm conda: the packages beside videottt in {PACKAGE} would hide those "
        "of the environments; install it with pip install --editable, as make setup does"
    )
if config["container"]:

    container: config["container"]

elif DeploymentMethod.APPTAINER in DEPLOYED:
    sys.exit(
        "videottt: error: --sdm apptainer: no image is named, and jobs would run without one; "
        "name it with --config container=videottt.sif"
    )

# Everything that comes from elsewhere; a relative path may also be one of the repository.
SOURCES = Path(config["sources"])
if not SOURCES.is_file():
    SOURCES = RESOURCES.parents[1] / SOURCES


@functools.cache
def sources():
    """Return everything that comes from elsewhere, by its id."""
    # Here, because every job parses this file, and few need to know.
    from videottt.data.fetch.catalogue import read_sources

    return read_sources(SOURCES)


# Not once a job.
if workflow.is_main_process:
    try:
        validation.check_sources(config, sources())
    except InputError as error:
        sys.exit(f"videottt: error: {error}")


# Jobs that take a GPU run as many at once as there are places on those that are visible here, unless
# `--resources gpu=N` says otherwise; which of them each takes is its own affair (videottt.runtime.gpus).
# Without a GPU here, or with device: cpu, cores alone limit how many jobs run at once. On a cluster
# it is the profile that says what has a GPU.
ON_CLUSTER = workflow.resource_settings.nodes is not None
# Only who hands out jobs needs to know: to ask the driver may take a second.
VISIBLE = len(visible_gpus()) if workflow.is_main_process and config["device"] != "cpu" else 0
GPUS = int(VISIBLE > 0)
if GPUS and not ON_CLUSTER and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", VISIBLE * config["jobs_per_gpu"])

# The paper's published numbers, and what is published about data sets.
PAPER = [
    str(RESOURCES / "paper" / name)
    for name in ("table1.csv", "table4.csv", "architectures.csv", "ablations.csv")
]
PAPER_DATA = str(RESOURCES / "paper/table2.csv")
PAPER_COLOURS = str(RESOURCES / "paper/table3.csv")
PUBLISHED = str(RESOURCES / "published.yaml")

# How `videottt fetch` gets what is not there.
OFFLINE = settings.is_offline(config, settings.current_study(config))
FETCHING = [
    *(["--offline"] if OFFLINE else []),
    *(["--mirror", config["mirror"]] if config["mirror"] else []),
]

# torchrun starts the processes that share a training, and ends all if one fails.
TORCHRUN = "python -P -m torch.distributed.run" if IN_CONDA else "torchrun"
PROCESSES = f"--standalone --nproc-per-node {config['training_processes']} -m videottt"
TRAINING = "videottt" if config["training_processes"] == 1 else f"{TORCHRUN} {PROCESSES}"

# Where jobs keep the states that they go on from, outside everything that Snakemake deletes.
SAVING = ["--state", "results/state", "--save-every", str(config["save_every"])]

# What the commands take from the environment is no reason to run anything again: where the data lie,
# how they are fetched, how many processes share a training or a GPU, how often states are saved, how
# HDF5 locks files.
ENVIRONMENT = {
    "DATA_ROOT": config["data_root"],
    "SOURCES": str(SOURCES),
    "FETCHING": " ".join(FETCHING),
    "TRAINING": TRAINING,
    "SAVING": " ".join(SAVING),
    "VIDEOTTT_JOBS_PER_GPU": str(config["jobs_per_gpu"]),
    "HDF5_USE_FILE_LOCKING": {"best-effort": "BEST_EFFORT", "on": "TRUE", "off": "FALSE"}[
        config["hdf5_locking"]
    ],
}
# PATH, so that .venv/bin/snakemake works without activating .venv; what an environment or an image
# has comes first.
EXPORTS = f'export PATH="$PATH":{shlex.quote(str(Path(sys.executable).parent))}; ' + "".join(
    f"export {name}={shlex.quote(value)}; " for name, value in ENVIRONMENT.items()
)
# `videottt` is a script of the Python that it was installed with, whatever environment is active.
# In one of conda, its own Python runs the package from where it lies; -P, because no script looks
# for modules in the working directory either.
if IN_CONDA:
    EXPORTS += f"export PYTHONPATH={shlex.quote(str(PACKAGE))}; "
    EXPORTS += 'videottt() { python -P -m videottt "$@"; }; '
# A brace in a path would be one of Snakemake's own.
shell.prefix(EXPORTS.replace("{", "{{").replace("}", "}}"))


# Methods that are no Y-shaped model have rules of their own.
SEGMENTERS = [m for m, entry in config["methods"].items() if "segmenter" in entry]
OTHER_NETWORKS = [m for m, entry in config["methods"].items() if "checkpoint" not in entry]


# Checked one by one in the functions below, with messages that name the nearest valid id.
wildcard_constraints:
    dataset="[^/]+",
    task="[^/]+",
    method="[^/]+",
    checkpoint="[^/]+",
    split="[^/]+",
    video="[^/]+",
    study="[^/]+",
    source="[^/]+",
    sweep="[^/]+",
    seed=r"\d+",
    trial=r"\d+",


# The modules whose logic decides the numbers of a stage. Comments and docstrings do not count.
CODE = {
    "render": ["data/synthetic", "core/randomness.py", "core/segments.py", "cli/sources.py"],
    "ingest": [
        "data/layouts/images.py",
        "data/layouts/listing.py",
        "core/segments.py",
        "store/layers.py",
        "store/frames.py",
        "cli/frames.py",
    ],
    # Of each layout, beside the module of its name.
    "cityscapes": ["data/layouts/kitti_step.py"],
    "coco_videos": ["data/layouts/coco.py", "data/layouts/coco_categories.py", "data/layouts/coco_panoptic.py"],
    "coco_panoptic": ["data/layouts/coco.py", "data/layouts/coco_categories.py"],
    "coco_instances": ["data/layouts/coco.py", "data/layouts/coco_categories.py"],
    "video_file": ["data/layouts/containers.py", "data/layouts/ffmpeg_decoder.py"],
    "model": [
        "models",
        "core/randomness.py",
        "ttt/optimizer.py",
        "runtime/precision.py",
        "tasks",
        "core/cielab.py",
        "tasks/decoding.py",
        "core/segments.py",
    ],
    "train": [
        "training/joint.py",
        "training/settings.py",
        "runtime/distributed.py",
        "data/transforms/recipe.py",
        "data/transforms/view.py",
        "data/transforms/colour_jitter.py",
        "data/transforms/update_views.py",
        "ttt/objectives/mae.py",
        "data/layouts/imagenet.py",
        "cli/checkpoints.py",
    ],
    "predict": [
        "ttt/stream.py",
        "ttt/update.py",
        "data/transforms/update_views.py",
        "ttt/offline.py",
        "ttt/predictor.py",
        "ttt/ensembling.py",
        "data/transforms/recipe.py",
        "data/transforms/view.py",
        "data/transforms/colour_jitter.py",
        "ttt/memory.py",
        "ttt/method.py",
        "core/settings.py",
        "store/predictions.py",
        "store/layers.py",
        "cli/predict.py",
    ],
    "drawing": [
        "report/figures/view.py",
        "report/figures/objects.py",
        "report/figures/overlay.py",
        "report/figures/panels.py",
        "report/figures/pairing.py",
        "report/figures/style.py",
        "core/cielab.py",
        "evaluation/metrics",
        "core/segments.py",
        "store/layers.py",
    ],
    "score": ["evaluation/metrics", "evaluation/perception", "core/segments.py", "store/layers.py", "evaluation/scores.py", "cli/score.py"],
    "colourizers": [
        "core/cielab.py",
        "store/predictions.py",
        "store/layers.py",
        "cli/fixed.py",
        "cli/colourizers.py",
    ],
    "segmenters": [
        "models/baselines/segmenters.py",
        "models/baselines/published.py",
        "models/inputs.py",
        "store/predictions.py",
        "store/layers.py",
        "cli/fixed.py",
        "cli/segmenters.py",
    ],
}


@functools.cache
def code(*places):
    """Return a fingerprint of modules: a change of what they do re-runs the rule."""
    root = Path(videottt.__file__).parent
    found = [root / place for place in places]
    files = [f for p in found for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    return code_fingerprint(files)


def code_of_layout(stage):
    """Return a function of wildcards: the fingerprint of a stage on a data set's layout."""

    def of_dataset(wildcards):
        layout = config["datasets"][wildcards.dataset]["layout"]
        return code(*CODE[stage], f"data/layouts/{layout}.py", *CODE.get(layout, []))

    return of_dataset


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


def fetched(names):
    """Return the records of files from elsewhere."""
    for name in names:
        settings.check_known(name, sources(), "source", str(SOURCES))
    return [rules.fetch_source.output.record.format(source=name) for name in names]


def below_data_root(place):
    """Return a place below the folder of the real data sets, as a shell takes it."""
    return f'"$DATA_ROOT"/{shlex.quote(str(place))}'


def file_of(name):
    """Return where the single file of a source is, as a shell takes it."""
    settings.check_known(name, sources(), "source", str(SOURCES))
    return below_data_root(sources()[name].provides[0])


@reported
def source_of(wildcards):
    """Return what a video is read from: what is rendered here, records of what was fetched, or the
    user's copy of a data set."""
    split = settings.split_of(config, wildcards.dataset, wildcards.video)
    if "render" in config["datasets"][wildcards.dataset]:
        return expand(rules.render.output.root, split=split, **wildcards)
    names = settings.sources_of(config, wildcards.dataset, wildcards.video)
    if names:
        return fetched(names)
    root = root_of(wildcards.dataset)
    if not is_video_file(wildcards):
        return as_input(root)
    from videottt.data.layouts.video_file import find_source

    return as_input(find_source(root, wildcards.video))


def as_input(path):
    """Return a path of the user's as an input of a rule."""
    # Snakemake knows no way to say that braces are no wildcard.
    if re.search(r"\{\s*[.\w]+\s*[,}]", str(path)):
        raise InputError(
            f"{path}: Snakemake takes the braces in this name for a wildcard; rename it"
        )
    return str(path)


def root_of(dataset):
    """Return the folder of the user's copy of a data set."""
    root = Path(config["data_root"]) / config["datasets"][dataset]["root"]
    if not root.is_dir():
        raise InputError(
            f"{root}: data set '{dataset}' is not there; put a copy there, or say where "
            "it is with --config data_root=..., or run --config study=demo, which needs no data"
        )
    return root


def is_video_file(wildcards):
    """Return whether a video is a file or a folder, and not one of a data set with labels."""
    return config["datasets"][wildcards.dataset]["layout"] == "video_file"


def ingest_root(wildcards, input):
    """Return the folder that a layout is read from, as a shell takes it."""
    entry = config["datasets"][wildcards.dataset]
    return below_data_root(entry["root"]) if "root" in entry else shlex.join(input.source)


@reported
def render_settings(wildcards):
    return json.dumps(job_settings.render_settings(config, wildcards.dataset, wildcards.video))


@reported
def split_of(wildcards):
    return settings.split_of(config, wildcards.dataset, wildcards.video)


@reported
def folder_of(wildcards):
    return settings.folder_of(config, wildcards.dataset, wildcards.video)


@reported
def ingest_settings(wildcards):
    return json.dumps(job_settings.ingest_settings(config, wildcards.dataset, wildcards.video))


def stills_split(wildcards):
    """Return the ids of the stills that a checkpoint is trained on."""
    study = settings.study_trained_on(config, wildcards.dataset, wildcards.task)
    split = settings.training_of(study, wildcards.task)["split"]
    return settings.videos_in(config, wildcards.dataset, split)


def is_read_in_place(dataset):
    """Return whether the stills of a data set, a million, are read where they lie."""
    return config["datasets"][dataset]["layout"] == "imagenet"


@reported
def stills_of(wildcards):
    videos = stills_split(wildcards)
    if not is_read_in_place(wildcards.dataset):
        return expand(rules.ingest.output.frames, dataset=wildcards.dataset, video=videos)
    names = [n for v in videos for n in settings.sources_of(config, wildcards.dataset, v)]
    return fetched(dict.fromkeys(names))


def stills_arguments(wildcards, input):
    """Return the frame stores or folders of stills, as a shell takes them."""
    if not is_read_in_place(wildcards.dataset):
        return shlex.join(input.stills)
    root = Path(config["datasets"][wildcards.dataset]["root"])
    return " ".join(below_data_root(root / video) for video in stills_split(wildcards))


def checkpoint_file(study, ids):
    """Return the file of a checkpoint: imported, where the study says so, or trained."""
    source = settings.imported(study, ids["task"], ids["checkpoint"])
    if source is None:
        return rules.train.output.checkpoint.format(**ids)
    # Written so because `expand`, asked for once a job, would take a tenth of building the DAG.
    return rules.import_checkpoint.output.checkpoint.format(source=source, **ids)


@reported
def initial_of(wildcards):
    job_settings.training_settings(config, wildcards.dataset, wildcards.task, wildcards.checkpoint)
    study = settings.study_trained_on(config, wildcards.dataset, wildcards.task)
    ids = wildcards.task, wildcards.checkpoint
    initial = settings.initial_checkpoint(config, study, *ids)
    return checkpoint_file(study, {**wildcards, "checkpoint": initial}) if initial else []


@reported
def fetched_checkpoint(wildcards):
    return fetched([wildcards.source])


@reported
def imported_classes(wildcards):
    """Return the classes that a checkpoint to import is to know, as JSON."""
    return json.dumps(job_settings.class_settings(config, wildcards.dataset))


@reported
def training_settings(wildcards):
    ids = wildcards.dataset, wildcards.task, wildcards.checkpoint
    return json.dumps(job_settings.training_settings(config, *ids))


@reported
def training_model(wildcards):
    return settings.study_trained_on(config, wildcards.dataset, wildcards.task)["model"]


@reported
def training_threads(wildcards):
    # From the configuration, not from --cores: the number of threads decides the last bits.
    study = settings.study_trained_on(config, wildcards.dataset, wildcards.task)
    return settings.training_of(study, wildcards.task)["threads"]


@reported
def checkpoint_of(wildcards):
    ids = wildcards.dataset, wildcards.task, wildcards.method
    trained = settings.checkpoint_ids(config, *ids)
    study = settings.study_of(config, wildcards.dataset)
    return checkpoint_file(study, {**wildcards, **trained})


@reported
def method_settings(wildcards):
    return json.dumps(job_settings.method_settings(config, wildcards.dataset, wildcards.method))


@reported
def method_overrides(wildcards):
    """Return what a variant of a method changes, as JSON."""
    validation.check_variant(config, SCHEMA, wildcards.method)
    return json.dumps(settings.parse_method(config, wildcards.method)[1])


@reported
def trial_settings(wildcards):
    return json.dumps(
        trials.trial_settings(config, wildcards.dataset, wildcards.method, int(wildcards.trial))
    )


@reported
def code_of_method(wildcards):
    base, _ = settings.parse_method(config, wildcards.method)
    objective = config["methods"][base]["objective"]
    return code(*CODE["model"], *CODE["predict"], f"ttt/objectives/{objective}.py")


@reported
def selections_of(wildcards):
    """Return the files that decide hyper-parameters of a method."""
    chosen = trials.selections_of(config, wildcards.dataset, wildcards.method)
    place = trials.selected_on(config, wildcards.dataset, wildcards.task)
    return [rules.select.output.selection.format(**place, method=m) for m in chosen]


def selection_arguments(wildcards, input):
    return f"--selection {shlex.join(input.selection)}" if input.selection else ""


@reported
def predictions_of(wildcards):
    """Return the cached predictions that are scored as those of a method."""
    settings.check_known(wildcards.dataset, config["datasets"], "dataset", "config.yaml")
    if not settings.is_scored(config, wildcards.dataset, wildcards.task):
        raise InputError(
            f"dataset '{wildcards.dataset}' has no truth for the task '{wildcards.task}': nothing "
            "to score; correct its 'scored' in config.yaml if it has"
        )
    method = settings.predicting_method(config, wildcards.method)
    return rules.predict.output.predictions.format(**{**wildcards, "method": method})


@reported
def job_of_predictions(wildcards):
    """Return what the predictions that are scored must be of, as JSON."""
    ids = {name: getattr(wildcards, name) for name in ("dataset", "task", "video")}
    method = settings.predicting_method(config, wildcards.method)
    return json.dumps({**ids, "method": method, "seed": int(wildcards.seed)})


@reported
def selection_of_iteration(wildcards):
    """Return the file that chose after how many updates an offline method is scored."""
    iteration = settings.score_iteration(config, wildcards.dataset, wildcards.method)
    return selections_of(wildcards) if iteration == "selected" else []


@reported
def score_iteration(wildcards):
    return settings.score_iteration(config, wildcards.dataset, wildcards.method)


def can_be_had(study, name):
    """Return whether a network of others is there, or may be fetched for a study."""
    offline = settings.is_offline(config, study)
    return not offline or sources()[name].place(Path(config["data_root"])) is not None


def networks_at_hand(study, task):
    """Return the ids of those networks that score a task and can be had."""
    return [n for n in settings.weights_of_networks(task) if can_be_had(study, n)]


def network_notes(wildcards):
    """Return, as JSON, why each network of others that table 3 lacks is not there."""
    study = settings.study_named(config, wildcards.study)
    wanted = [*settings.weights_of_networks("colorization"), weights_of("zhang2016")]
    root = Path(config["data_root"])
    return json.dumps(
        {
            name: f"{root / sources()[name].provides[0]} is not there, and this study is offline; "
            f"put it there: videottt fetch {name} --data-root {root} --output "
            + rules.fetch_source.output.record.format(source=name)
            for name in wanted
            if not can_be_had(study, name)
        }
    )


def weights_of(method):
    """Return the id of the network of others that a method is, or None."""
    base, _ = settings.parse_method(config, method)
    return config["methods"][base].get("weights")


@reported
def weights_argument(wildcards):
    return file_of(weights_of(wildcards.method))


@reported
def segmenter_input(wildcards):
    """Return the arguments that say how large the frames of a data set are made."""
    study = job_settings.study_on(settings.study_of(config, wildcards.dataset), wildcards.dataset)
    return "--shortest-edge {shortest_edge} --longest-edge {longest_edge}".format(**study["input"])


def code_of_segmenter(wildcards):
    network = config["methods"][wildcards.method]["segmenter"].partition("_")[0]
    return code(*CODE["segmenters"], f"models/baselines/{network}.py")


@reported
def fetched_weights(wildcards):
    return fetched([weights_of(wildcards.method)])


@reported
def networks_of(wildcards):
    """Return the records of the networks that the scores of a task need, where they can be had."""
    study = settings.study_of(config, wildcards.dataset)
    return fetched(networks_at_hand(study, wildcards.task))


@reported
def network_arguments(wildcards):
    """Return the arguments of `videottt score` that name them."""
    study = settings.study_of(config, wildcards.dataset)
    root = Path(config["data_root"])
    names = networks_at_hand(study, wildcards.task)
    files = {name: str(root / sources()[name].provides[0]) for name in names}
    return f"--networks {shlex.quote(json.dumps(files))}" if files else ""


def methods_at_hand(study, task):
    """Return the methods that a study compares in a task, without those that lack their network."""
    return [
        method
        for method in settings.study_methods(config, study, task)
        if weights_of(method) is None or can_be_had(study, weights_of(method))
    ]


def scored_streams(study):
    """Return every (data set, task) of a study that there is a truth for."""
    return [ids for ids in settings.streams_of(study) if settings.is_scored(config, *ids)]


def score_files(study, methods, videos, dataset, task):
    """Return the score files of some methods on some videos, of all seeds of a study."""
    return expand(
        rules.score.output.scores,
        dataset=dataset,
        task=task,
        method=methods,
        seed=settings.seeds_of(study, task),
        video=videos,
    )


@reported
def scores_of_video(wildcards):
    study = settings.study_named(config, wildcards.study)
    ids = wildcards.dataset, wildcards.task
    return score_files(study, curves_of(study, wildcards.task), [wildcards.video], *ids)


def scored_in(study, sweep=None):
    """Return which results of a study, or of one of its sweeps, are put together.

    One entry a stream, in the form of `videottt aggregate --of`.
    """
    found = []
    for dataset, task in scored_streams(study):
        if sweep is None:
            methods = methods_at_hand(study, task)
            splits = settings.splits_of(config, study, dataset)
        else:
            methods = trials.sweep_methods(config, study, sweep)
            methods = settings.methods_for(config, methods, task)
            split = study["sweeps"][sweep]["split"]
            splits = {split} & config["datasets"][dataset]["splits"].keys()
        videos = [v for split in splits for v in settings.videos_in(config, dataset, split)]
        values = [methods, settings.seeds_of(study, task), videos]
        if all(values):
            ids = dict(zip(["method", "seed", "video"], values, strict=True))
            found.append({"dataset": dataset, "task": task, **ids})
    return found


def scored_ids(wildcards):
    study = settings.study_named(config, wildcards.study)
    return scored_in(study, dict(wildcards.items()).get("sweep"))


@reported
def scores_of_study(wildcards):
    return [f for ids in scored_ids(wildcards) for f in expand(rules.score.output.scores, **ids)]


@reported
def scored_of_study(wildcards):
    return json.dumps(scored_ids(wildcards))


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
    number = len(trials.trials_of(config, wildcards.dataset, wildcards.method))
    return trial_scores(wildcards, range(number))


@reported
def trial_arguments(wildcards):
    """Return one --trial argument a trial: its values and its score files."""
    found = [
        {"values": values, "scores": trial_scores(wildcards, number)}
        for number, values in enumerate(
            trials.trials_of(config, wildcards.dataset, wildcards.method)
        )
    ]
    return " ".join(f"--trial {shlex.quote(json.dumps(trial))}" for trial in found)


@reported
def selection_metric(wildcards):
    # Here, because every job parses this file, and few need h5py for it.
    from videottt.evaluation.metrics import headline

    return headline(wildcards.task).pooled


# What the curves over one video show: the two memories, one by one. More would be a tangle.
CURVES = [
    "left_grey",
    "zhang2016",
    "main_task_only",
    "mae_joint_training",
    "ttt_mae_no_memory",
    "implicit_memory_only",
    "explicit_memory_only",
    "online_ttt_mae",
]


def curves_of(study, task):
    methods = methods_at_hand(study, task)
    return [method for method in CURVES if method in methods] or methods[:6]


@reported
def methods_of_curves(wildcards):
    return ",".join(curves_of(settings.study_named(config, wildcards.study), wildcards.task))


@reported
def methods_of_study(wildcards):
    """Return the methods that a study scores in one of its tasks."""
    study = settings.study_named(config, wildcards.study)
    found = {m for _, task in scored_streams(study) for m in methods_at_hand(study, task)}
    order = [*study["methods"], *itertools.chain(*study.get("task_methods", {}).values())]
    return ",".join(method for method in dict.fromkeys(order) if method in found)


@reported
def colour_methods(wildcards):
    """Return the methods of table 3, also those that lack their network."""
    study = settings.study_named(config, wildcards.study)
    return ",".join(settings.study_methods(config, study, "colorization"))


@reported
def predictions_of_colours(wildcards):
    """Return what each method of a study that colours has made of a video: of the first seed.

    What is left grey is the input.
    """
    study = settings.study_named(config, wildcards.study)
    methods = methods_at_hand(study, "colorization")
    return expand(
        rules.predict.output.predictions,
        task="colorization",
        method=[method for method in methods if method != "left_grey"],
        seed=settings.seeds_of(study, "colorization")[0],
        dataset=wildcards.dataset,
        video=wildcards.video,
    )


@reported
def fixed_of(wildcards):
    """Return the predictions of the model without learning that a method is shown beside."""
    fixed = settings.FIXED_BESIDE.get(wildcards.task, settings.FIXED[0])
    return rules.predict.output.predictions.format(**{**wildcards, "method": fixed})


def sound_of(wildcards):
    """Return the argument that names the video file that a video has its sound from."""
    if not is_video_file(wildcards):
        return ""
    root = Path(config["datasets"][wildcards.dataset]["root"])
    return f"--sound {below_data_root(root / wildcards.video)}"


def truth_of(wildcards, task=None):
    """Return the argument that says that there is nothing to compare with."""
    task = task or wildcards.task
    return "" if settings.is_scored(config, wildcards.dataset, task) else "--unscored"


@reported
def paper_of_study(wildcards):
    return json.dumps(settings.paper_of(settings.study_named(config, wildcards.study)))


def shown_methods():
    """Return the ids of all methods, and of the variants that a study compares."""
    found = dict.fromkeys(config["methods"])
    for study in config["studies"].values():
        found |= dict.fromkeys(study["methods"])
        for methods in study.get("task_methods", {}).values():
            found |= dict.fromkeys(methods)
        for sweep in study.get("sweeps", {}):
            found |= dict.fromkeys(trials.sweep_methods(config, study, sweep))
    return list(found)


method_labels = json.dumps({m: settings.label_of(config, m) for m in shown_methods()})


def study_results(wildcards):
    """Return everything that the study that is run shows: tables, figures, videos, theory."""
    study_id, study = config["study"], settings.current_study(config)
    tasks = {task for _, task in scored_streams(study)}
    results = []
    if tasks - {"colorization"}:
        results += expand(rules.make_table.output, study=study_id, table=tables_of_study(study_id))
        results += expand(rules.make_class_table.output, study=study_id)
        results += expand(rules.make_convention_table.output, study=study_id)
    if "colorization" in tasks:
        results += expand(rules.make_colour_table.output, study=study_id)
    if checked_datasets(study):
        results += expand(rules.make_data_table.output, study=study_id)
    results += figures_of_study(study_id)
    if "window" in study.get("sweeps", {}):
        # Its gradients need runs of labelled frames, and its figure is of the paper's section 6.2.
        for ids in scored_in(study, "window"):
            if ids["task"] == "semantic":
                results += expand(rules.plot_theory.output, study=study_id, **ids)
    return results


def checked_datasets(study):
    """Return the data sets of a study that are real, and not just videos of the user's."""
    entries = {dataset: config["datasets"][dataset] for dataset in study["streams"]}
    own = [d for d, e in entries.items() if e["layout"] == "video_file" and "sources" not in e]
    return [d for d, e in entries.items() if "root" in e and d not in own]


@reported
def reports_of_study(wildcards):
    datasets = checked_datasets(settings.study_named(config, wildcards.study))
    return expand(rules.check_data.output.report, dataset=datasets)


@reported
def sources_of_dataset(wildcards):
    """Return what has to be there before a data set is checked."""
    settings.check_known(wildcards.dataset, config["datasets"], "dataset", "config.yaml")
    entry = config["datasets"][wildcards.dataset]
    videos = [video for videos in entry["splits"].values() for video in videos]
    names = [n for v in videos for n in settings.sources_of(config, wildcards.dataset, v)]
    return fetched(dict.fromkeys(names)) if names else str(root_of(wildcards.dataset))


@reported
def check_settings(wildcards):
    return json.dumps(job_settings.check_settings(config, wildcards.dataset))


@reported
def layout_of_table(wildcards):
    """Return the rows of a table, as JSON: those of its methods that the study has."""
    methods = tabulated_methods(wildcards.study)
    return json.dumps(layout_of(config["tables"], wildcards.table, methods))


@reported
def model_of_study(wildcards):
    return settings.study_named(config, wildcards.study)["model"]


def tables_of_study(study):
    """Return the ids of the tables that have a row for a method of a study."""
    return tables_of(config["tables"], tabulated_methods(study))


def tabulated_methods(study):
    """Return the methods of a study that exist for another task than colorization, of table 3."""
    methods = settings.study_named(config, study)["methods"]
    return [m for m in methods if set(settings.tasks_of(config, m)) - {"colorization"}]


# The methods of the paper's figure 2, and the method whose learning its figure 3 shows.
FIGURE2 = ["main_task_only", "offline_ttt_mae_all_frames", "online_ttt_mae"]
TRACED = "ttt_mae_no_memory"


@reported
def bars_baseline(wildcards):
    """Return the method that bars are compared with, where the study has it."""
    methods = settings.study_named(config, wildcards.study)["methods"]
    return f"--baseline {FIGURE2[0]}" if FIGURE2[0] in methods else ""


@reported
def sweep_arguments(wildcards):
    """Return what `videottt plot-sweep` needs of one sweep of a study."""
    study = settings.study_named(config, wildcards.study)
    sweep = study["sweeps"][wildcards.sweep]
    method, setting = sweep["method"], sweep["setting"]
    ids = {v: settings.variant_id(config, study, method, setting, v) for v in sweep["values"]}
    own = [value for value, variant in ids.items() if variant == method]
    arguments = ["--method", method, "--setting", setting, "--fixed", ",".join(settings.FIXED)]
    return shlex.join([*arguments, *(part for v in own for part in ("--base-value", str(v)))])


@reported
def selected_methods(wildcards):
    study = settings.study_named(config, wildcards.study)
    return settings.methods_for(config, trials.selected_methods(study), wildcards.task)


def selection_grids(wildcards):
    ids = {"dataset": wildcards.dataset, "task": wildcards.task}
    return expand(rules.select.output.grid, method=selected_methods(wildcards), **ids)


def figures_of_study(study_id):
    """Return the drawings of a study that need no video, and those of each of its videos."""
    study = settings.study_named(config, study_id)
    scored = scored_streams(study)
    results = expand(rules.plot_bars.output, study=study_id) if scored else []
    if scored and set(FIGURE2) <= set(study["methods"]):
        results += expand(rules.plot_figure2.output, study=study_id)
    results += expand(rules.plot_sweep.output, study=study_id, sweep=study.get("sweeps", []))
    for dataset, task in settings.streams_of(study):
        ids = {"study": study_id, "dataset": dataset, "task": task}
        selected_here = trials.selected_on(config, dataset, task) == {
            "dataset": dataset,
            "task": task,
        }
        if trials.selected_methods(study) and selected_here:
            results += expand(rules.plot_selection.output, **ids)
        ids |= {
            "video": settings.study_videos(config, study, dataset),
            "seed": settings.seeds_of(study, task)[0],
        }
        if (dataset, task) in scored:
            results += expand(rules.plot_curves.output, **ids)
        learned = [*rules.plot_reconstruction.output]
        if task == "colorization":
            results += expand(rules.plot_colours.output, **ids)
            learned += rules.render_prediction.output
        elif (dataset, task) in scored:
            learned += rules.plot_strips.output
        results += expand(learned, method="online_ttt_mae", **ids)
        if task == "semantic" and (dataset, task) in scored:  # as in the paper's figure 3
            results += expand(rules.plot_steps.output, method=TRACED, **ids)
        results += expand(rules.render_video.output, **ids)
    return results


# What rules/theory.smk measures: the gradients of online TTT-MAE at the joint checkpoint.
CODE["theory"] = [
    "training/joint.py",
    "ttt/objectives/mae.py",
    "ttt/method.py",
    "core/settings.py",
    "evaluation/theory/gradients.py",
    "evaluation/theory/sketch.py",
    "evaluation/theory/statistics.py",
]


@reported
def checkpoint_of_theory(wildcards):
    ids = wildcards.dataset, wildcards.task, "online_ttt_mae"
    trained = settings.checkpoint_ids(config, *ids)
    study = settings.study_of(config, wildcards.dataset)
    return checkpoint_file(study, {**wildcards, **trained})


@reported
def settings_of_theory(wildcards):
    values = job_settings.method_settings(config, wildcards.dataset, "online_ttt_mae")
    # Rates, steps and the like decide nothing here, and must not make it run again.
    used = ("objective", "options", "shortest_edge", "longest_edge", "micro_batch")
    return json.dumps({name: values[name] for name in used if name in values})


def sweep_of_windows(wildcards):
    """Return the sweep over window sizes of a study."""
    sweeps = settings.study_named(config, wildcards.study).get("sweeps", {})
    if "window" not in sweeps:
        raise InputError(
            f"study '{wildcards.study}' has no sweeps.window in config.yaml, which figure 4 and the "
            "theory need; add it, or take a study that has it"
        )
    return sweeps["window"]


@reported
def theory_of_study(wildcards):
    """Return the gradient statistics of the videos of the sweep's split, for all seeds."""
    study = settings.study_named(config, wildcards.study)
    split = sweep_of_windows(wildcards)["split"]
    return expand(
        rules.theory.output.statistics,
        dataset=wildcards.dataset,
        task=wildcards.task,
        video=settings.videos_in(config, wildcards.dataset, split),
        seed=settings.seeds_of(study, wildcards.task),
    )


@reported
def window_sweep(wildcards):
    sweep_of_windows(wildcards)
    return rules.aggregate_sweep.output.metrics.format(study=wildcards.study, sweep="window")


@reported
def window_sweep_arguments(wildcards):
    sweep = sweep_of_windows(wildcards)
    own = (
        job_settings.method_settings(config, wildcards.dataset, sweep["method"])["window"] or "all"
    )
    values = {"split": sweep["split"], "method": sweep["method"], "base-value": own}
    return shlex.join(part for name, value in values.items() for part in (f"--{name}", str(value)))


def crosschecked(wildcards):
    """Return which results of a study detectron2 has an evaluator for."""
    found = []
    for ids in scored_ids(wildcards):
        methods = [m for m in ids["method"] if "checkpoint" in config["methods"][m.split(",")[0]]]
        if ids["task"] != "colorization":
            found.append({**ids, "method": methods})
    return found


@reported
def files_of_study(wildcards):
    """Return the files of every job of a study that can be replayed."""
    files = {"frames": [], "predictions": [], "scores": []}
    for ids in crosschecked(wildcards):
        methods = [settings.predicting_method(config, method) for method in ids["method"]]
        predicting = {**ids, "method": list(dict.fromkeys(methods))}
        files["frames"] += sorted(set(expand(rules.ingest.output.frames, **ids)))
        files["predictions"] += expand(rules.predict.output.predictions, **predicting)
        files["scores"] += expand(rules.score.output.scores, **ids)
    return files


@reported
def crosschecked_of_study(wildcards):
    return json.dumps(crosschecked(wildcards))


@reported
def predicting_of_study(wildcards):
    """Return which methods are scored on the predictions of others, as JSON."""
    methods = {method for ids in crosschecked(wildcards) for method in ids["method"]}
    pairs = {method: settings.predicting_method(config, method) for method in sorted(methods)}
    return json.dumps({method: other for method, other in pairs.items() if method != other})
