"""Put together the settings of one job from the layers of the configuration.

Each function returns only what one job needs, so that a change re-runs only what depends on it.
"""

from videottt.core.ids import MethodId, check_known
from videottt.core.settings import merged, with_values
from videottt.study.config import (
    Config,
    hyperparameters_of,
    predicting_method,
    split_of,
    study_of,
    study_trained_on,
    training_of,
)
from videottt.study.drawn import drawn_in
from videottt.study.own_models import own_model

# Keys of a method that are not settings of the stream loop.
NOT_SETTINGS = ("label", "checkpoint", "predictions_of", "iteration", "hyperparameters_of", "tasks")


def render_settings(config: Config, dataset: str, video: str) -> Config:
    """Return what `videottt render` needs for one video of an embedded data set."""
    split_of(config, dataset, video)
    render = config["datasets"][dataset]["render"]
    return {
        "size": render["size"],
        "seed": render["seed"],
        "layout": config["datasets"][dataset]["layout"],
        "label_every": render.get("label_every", 1),  # of a video its own, if it has one
        "classes": config["datasets"][dataset].get("classes", []),
        "things": config["datasets"][dataset].get("things", []),
        **render["videos"][video],
    }


def class_settings(config: Config, dataset: str) -> Config:
    """Return the classes of a data set, and which of them are things."""
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    entry = config["datasets"][dataset]
    return {"classes": entry.get("classes", []), "things": entry.get("things", [])}


def check_settings(config: Config, dataset: str) -> Config:
    """Return what `videottt check-data` needs of a data set."""
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    kept = (
        "layout", "root", "fps", "classes", "things", "canvas", "folders", "splits", "spans",
        "scored",
    )  # fmt: skip
    return {key: value for key, value in config["datasets"][dataset].items() if key in kept}


def ingest_settings(config: Config, dataset: str, video: str) -> Config:
    """Return what `videottt ingest` needs for one video."""
    entry = config["datasets"][dataset]
    return {
        **{
            key: entry[key]
            for key in ("layout", "fps", "classes", "things", "canvas")
            if key in entry
        },
        **entry.get("spans", {}).get(video, {}),
    }


def objective_options(config: Config, study: Config, objective: str) -> Config:
    """Return the options of an objective in a study: of its protocol, but for what it changes."""
    protocol = config["protocols"][study["protocol"]]["options"].get(objective, {})
    return merged(protocol, study.get("options", {}).get(objective, {}))


def training_settings(config: Config, dataset: str, task: str, checkpoint: str) -> Config:
    """Return what `videottt train` needs for one checkpoint of the study trained on `dataset`."""
    check_known(checkpoint, config["checkpoints"], "checkpoint", "the configuration")
    study = study_trained_on(config, dataset, task)
    training = training_of(study, task)
    reconstruction = config["checkpoints"][checkpoint]["reconstruction"]
    mae = objective_options(config, study, "mae") if reconstruction else {}
    model = own_model(config, study["model"])
    return {
        "training": {
            **training["optimizer"],
            **training.get("optimizers", {}).get(checkpoint, {}),
            "iterations": training["iterations"][checkpoint],
            "reconstruction": reconstruction,
            **mae,
        },
        "augmentation": {**study_on(study, dataset)["input"], **training["augmentation"]},
        # Of a preset only the name, so that nothing runs again when a preset is added.
        **({} if model is None else {"model": model}),
    }


def study_on(study: Config, dataset: str) -> Config:
    """Return a study with what it has different for one of its data sets."""
    return merged(study, study.get("by_dataset", {}).get(dataset, {}))


def method_settings(config: Config, dataset: str, method: MethodId) -> Config:
    """Return what `videottt predict` needs of one method on a data set."""
    return method_settings_in(config, study_on(study_of(config, dataset), dataset), method)


def method_settings_in(config: Config, study: Config, method: MethodId) -> Config:
    """Return the settings of a method in a study: protocol < study's updates < method.

    What a variant changes is not in it: that overrides even what was selected.
    """
    predicting = predicting_method(config, method)
    protocol = config["protocols"][study["protocol"]]
    entry = config["methods"][predicting.base]
    own = {k: v for k, v in entry.items() if k not in NOT_SETTINGS}
    if "votes" in own:
        own["augmentation"] = {**study["input"], **study["training"]["augmentation"]}
    if "decoding" in study:
        own["decoding"] = study["decoding"]
    # A study's sizes of what a method does (votes, ladder) come after the method's own.
    sizes = study.get("sizes", {}).get(predicting.base, {})
    if entry["objective"] == "none":
        settings = merged(study["input"], own, sizes)
    else:
        options = {"options": objective_options(config, study, entry["objective"])}
        settings = merged(
            study["input"], options, protocol["updates"], study["updates"], own, sizes
        )
    for source in hyperparameters_of(config, predicting):
        settings = with_values(settings, study.get("pinned", {}).get(source, {}))
    return settings


def theory_settings(config: Config, dataset: str) -> Config:
    """Return what `videottt theory` needs of the method whose gradients it measures."""
    values = method_settings(config, dataset, drawn_in(config, study_of(config, dataset)).theory)
    # Rates, steps and the like decide nothing here, and must not make it run again.
    used = ("objective", "options", "shortest_edge", "longest_edge", "micro_batch")
    return {name: values[name] for name in used if name in values}


def segmenter_arguments(config: Config, dataset: str) -> str:
    """Return the arguments that say how large the frames of a data set are made."""
    study = study_on(study_of(config, dataset), dataset)
    return "--shortest-edge {shortest_edge} --longest-edge {longest_edge}".format(**study["input"])
