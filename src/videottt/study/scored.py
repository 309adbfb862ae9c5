"""Choose the results that a study puts together: streams with a truth, methods that can run."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.core.errors import InputError
from videottt.core.ids import JobKey, MethodId, check_known
from videottt.study.arguments import text_of
from videottt.study.config import (
    Config,
    is_offline,
    is_scored,
    methods_for,
    predicting_method,
    seeds_of,
    splits_of,
    streams_of,
    study_methods,
    study_of,
    videos_in,
    weights_of_networks,
)
from videottt.study.trials import sweep_methods, sweep_serves, sweep_split

if TYPE_CHECKING:
    from videottt.data.fetch.catalogue import Source

Sources = Mapping[str, "Source"]


@dataclass(frozen=True)
class ScoredStream:
    """The results of one stream: of every method, with every seed, on every video.

    Attributes:
        dataset: id of the data set.
        task: one of `core.ids.TASKS`.
        methods: at least one, as of seeds and videos.
        seeds: of the study.
        videos: their ids.
    """

    dataset: str
    task: str
    methods: Sequence[MethodId]
    seeds: Sequence[int]
    videos: Sequence[str]

    @property
    def ids(self) -> dict[str, Any]:
        """Return the values of each id, in the form of `videottt aggregate --of`."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "method": [str(method) for method in self.methods],
            "seed": list(self.seeds),
            "video": list(self.videos),
        }


def can_be_had(config: Config, study: Config, sources: Sources, name: str) -> bool:
    """Return whether a published network is there, or may be fetched for a study."""
    if not is_offline(config, study):
        return True
    return sources[name].place(Path(config["data_root"])) is not None


def available_networks(config: Config, study: Config, sources: Sources, task: str) -> list[str]:
    """Return the ids of those networks that score a task and can be had."""
    networks = weights_of_networks(task)
    return [name for name in networks if can_be_had(config, study, sources, name)]


def networks_of(config: Config, sources: Sources, dataset: str, task: str) -> list[str]:
    """Return the ids of the networks that the scores of a task on a data set need and can have."""
    return available_networks(config, study_of(config, dataset), sources, task)


def network_arguments(config: Config, sources: Sources, dataset: str, task: str) -> str:
    """Return the arguments of `videottt score` that name those networks."""
    root = Path(config["data_root"])
    names = networks_of(config, sources, dataset, task)
    files = {name: str(root / sources[name].provides[0]) for name in names}
    return f"--networks {shlex.quote(text_of(files))}" if files else ""


def network_notes(config: Config, sources: Sources, study: Config, record: str) -> dict[str, str]:
    """Return the reason for each published network that table 3 lacks.

    Args:
        config: the configuration.
        sources: what comes from elsewhere, by id.
        study: whose table.
        record: pattern of the file that a fetched `{source}` is noted in.
    """
    root = Path(config["data_root"])
    methods = [m for m in config["methods"].values() if "colourizer" in m and "weights" in m]
    networks = [*weights_of_networks("colorization"), *(each["weights"] for each in methods)]
    return {
        name: f"{root / sources[name].provides[0]} is not there, and this study is offline; "
        f"put it there: videottt fetch {name} --data-root {root} --output "
        + record.format(source=name)
        for name in networks
        if not can_be_had(config, study, sources, name)
    }


def weights_of(config: Config, method: MethodId) -> str | None:
    """Return the download of the published network that a method is; None if it is none."""
    weights: str | None = config["methods"][method.base].get("weights")
    return weights


def available_methods(config: Config, study: Config, sources: Sources, task: str) -> list[MethodId]:
    """Return the methods that a study compares in a task, without those that lack their network."""
    needed = [(m, weights_of(config, m)) for m in study_methods(config, study, task)]
    return [
        method
        for method, weights in needed
        if weights is None or can_be_had(config, study, sources, weights)
    ]


def scored_streams(config: Config, study: Config) -> list[tuple[str, str]]:
    """Return every (data set, task) of a study that there is a truth for."""
    return [ids for ids in streams_of(study) if is_scored(config, *ids)]


def scored_in(
    config: Config, sources: Sources, study: Config, sweep: str | None = None
) -> list[ScoredStream]:
    """Return which results of a study, or of one of its sweeps, are put together."""
    found = []
    for dataset, task in scored_streams(config, study):
        if sweep is None:
            methods = available_methods(config, study, sources, task)
            splits = splits_of(config, study, dataset)
        else:
            entry = study["sweeps"][sweep]
            serves = sweep_serves(config, entry, task)
            methods = methods_for(config, sweep_methods(config, study, sweep), task)
            splits = [sweep_split(entry, dataset)] if serves else []
        videos = [video for split in splits for video in videos_in(config, dataset, split)]
        seeds = seeds_of(study, task)
        if methods and seeds and videos:
            found.append(ScoredStream(dataset, task, methods, seeds, videos))
    return found


def scored_ids(
    config: Config, sources: Sources, study: Config, sweep: str | None = None
) -> list[dict[str, Any]]:
    """Return the same as values of ids, in the form of `videottt aggregate --of`."""
    return [stream.ids for stream in scored_in(config, sources, study, sweep)]


def job_of_predictions(
    config: Config, dataset: str, task: str, method: MethodId, seed: int, video: str
) -> JobKey:
    """Return the job whose predictions are scored as those of a method."""
    return JobKey(dataset, task, str(predicting_method(config, method)), seed, video)


def check_truth(config: Config, dataset: str, task: str) -> None:
    """Check that there is a truth to score predictions with.

    Raises:
        InputError: there is no such data set, or no truth for the task.
    """
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    if not is_scored(config, dataset, task):
        raise InputError(
            f"dataset '{dataset}' has no labels for the task '{task}', so nothing can be "
            "scored; if it has some, add the task to its 'scored'"
        )


def crosschecked(config: Config, sources: Sources, study: Config) -> list[ScoredStream]:
    """Return which results of a study detectron2 has an evaluator for."""
    found = []
    for stream in scored_in(config, sources, study):
        own = [m for m in stream.methods if "checkpoint" in config["methods"][m.base]]
        if stream.task != "colorization":
            found.append(replace(stream, methods=own))
    return found


def crosschecked_ids(config: Config, sources: Sources, study: Config) -> list[dict[str, Any]]:
    """Return the same as values of ids, in the form of `videottt crosscheck --of`."""
    return [stream.ids for stream in crosschecked(config, sources, study)]


def borrowed_predictions(config: Config, sources: Sources, study: Config) -> dict[str, str]:
    """Return the methods that are scored on predictions of another method, with that method."""
    streams = crosschecked(config, sources, study)
    methods = {method for stream in streams for method in stream.methods}
    pairs = {str(method): str(predicting_method(config, method)) for method in methods}
    return {method: other for method, other in sorted(pairs.items()) if method != other}
