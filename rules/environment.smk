"""Set up what all rules share: the checked configuration, the machine, the shell of a job."""

import functools
import gc
import inspect
import json
import operator
import os
import shlex
import sys
import sysconfig
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

import videottt
from videottt.cli import module_of
from videottt.core.errors import InputError
from videottt.core.ids import check_known
from videottt.models.shipped_checkpoints import shipped_checkpoint
from videottt.runtime.gpus import visible_gpus
from videottt.study import config as settings
from videottt.study import (
    drawn,
    inputs,
    job_settings,
    layers,
    omissions,
    rerun,
    scored,
    shown,
    trials,
    validation,
)
from videottt.study.arguments import listed, text_of

# Of thousands of jobs nearly nothing is garbage, and to look for it as often as Python does would take
# a seventh of the time that their DAG takes.
gc.set_threshold(50_000, 20, 100)

RESOURCES = Path(os.path.relpath(Path(workflow.basedir) / "resources"))
SLURM = Path(workflow.basedir).absolute() / "slurm"

# Of `--config offline=true mirror= container=`, Snakemake makes words.
for key in ("offline", "mirror", "container"):
    if key in config:
        config[key] = {"true": True, "false": False, "": None}.get(config[key], config[key])

# The user's own file, under the name that errors call it by.
USERS_FILE = " or ".join(map(os.path.relpath, workflow.configfiles)) or "--config"
try:
    LAYERS = layers.complete(dict(config), USERS_FILE)
    validation.validate(LAYERS)
except InputError as error:
    sys.exit(f"videottt: error: {error}")
config.clear()
config.update(LAYERS.config)

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

# The list of downloads; a relative path may also be one of the project.
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
        validation.check_sources(LAYERS, sources())
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


# Checked one by one in the functions of the study, with messages that name the nearest valid id.
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


def signed(function):
    """Return a function of a rule, with its signature at hand."""
    # Snakemake asks for it several times a job; to work it out anew would take longer than the call.
    function.__signature__ = inspect.signature(function)
    return function


def reported(function):
    """Return `function` of wildcards, with bad input reported as a single line."""

    def call(wildcards):
        try:
            return function(wildcards)
        except InputError as error:
            # Snakemake would wrap any exception in several lines of its own.
            print(f"videottt: error: {error}", file=sys.stderr, flush=True)
            os._exit(2)

    return signed(call)


# What functions of the study take, by the names of their parameters; any other is a wildcard.
TAKEN = {
    "config": lambda wildcards: config,
    "sources": lambda wildcards: sources(),
    "study": lambda wildcards: settings.study_named(config, wildcards.study),
    "study_id": lambda wildcards: wildcards.study,
    "method": lambda wildcards: settings.method_of(config, wildcards.method),
    "seed": lambda wildcards: int(wildcards.seed),
    "trial": lambda wildcards: int(wildcards.trial),
}


def wildcard(name, default):
    """Return the function of wildcards that is one of them."""
    if default is inspect.Parameter.empty:
        return operator.attrgetter(name)
    # A rule without such a wildcard leaves a function its default.
    return lambda wildcards: wildcards.get(name, default)


def param(function, form=text_of):
    """Return a function of the study as one of wildcards: ids in, text on a command line out."""
    parameters = inspect.signature(function).parameters.values()
    taken = [TAKEN.get(each.name) or wildcard(each.name, each.default) for each in parameters]
    return reported(lambda wildcards: form(function(*(value(wildcards) for value in taken))))


def method_list(function):
    """Return a function of the study whose methods a command line takes, as one of wildcards."""
    return param(function, form=listed)


# Once a job, and for thousands of jobs.
fingerprint = functools.cache(rerun.fingerprint)


def code(verb, chosen=None):
    """Return a function of wildcards: what a verb does; a change of it re-runs the rule.

    `chosen` is a function of the study: which module the verb looks up by name.
    """
    named = [param(chosen)] if chosen else []
    return reported(
        lambda wildcards: fingerprint(module_of(verb), *(module(wildcards) for module in named))
    )
