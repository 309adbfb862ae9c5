"""Find what the jobs of a study read: copies of data sets, stills, videos."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from videottt.core.errors import InputError
from videottt.core.ids import check_known
from videottt.study.config import (
    Config,
    is_scored,
    sources_of,
    study_trained_on,
    training_of,
    videos_in,
)


def sources_of_videos(config: Config, dataset: str, videos: Iterable[str]) -> list[str]:
    """Return the ids of the downloads that some videos are read from, each once."""
    names = [name for video in videos for name in sources_of(config, dataset, video)]
    return list(dict.fromkeys(names))


def all_sources(config: Config, dataset: str) -> list[str]:
    """Return the ids of the downloads that all videos of a data set are read from.

    Raises:
        InputError: there is no such data set.
    """
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    videos = [v for split in config["datasets"][dataset]["splits"].values() for v in split]
    return sources_of_videos(config, dataset, videos)


def root_of(config: Config, dataset: str) -> Path:
    """Return the folder of the user's copy of a data set.

    Raises:
        InputError: there is no copy.
    """
    root: Path = Path(config["data_root"]) / config["datasets"][dataset]["root"]
    if not root.is_dir():
        raise InputError(
            f"{root}: data set '{dataset}' is missing; put a copy there, or name its place "
            "with --config data_root=..., or run --config study=demo, which needs no data"
        )
    return root


def copy_of(config: Config, dataset: str, video: str) -> str:
    """Return the file or folder of a video in the user's copy of a data set, as an input of a rule.

    Raises:
        InputError: it is not there, or has a name that no rule can take.
    """
    root = root_of(config, dataset)
    if not is_video_file(config, dataset):
        return as_input(root)
    # Here, because every job parses the rules, and few need to know.
    from videottt.data.layouts.video_file import find_source

    return as_input(find_source(root, video))


def as_input(path: Path) -> str:
    """Return a path of the user's as an input of a rule.

    Raises:
        InputError: there are braces in it that Snakemake takes for a wildcard.
    """
    # Snakemake knows no way to say that braces are no wildcard.
    if re.search(r"\{\s*[.\w]+\s*[,}]", str(path)):
        raise InputError(
            f"{path}: Snakemake takes the braces in this name for a wildcard; rename it"
        )
    return str(path)


def is_video_file(config: Config, dataset: str) -> bool:
    """Return whether the videos of a data set are files or folders, without labels."""
    return bool(config["datasets"][dataset]["layout"] == "video_file")


def is_read_in_place(config: Config, dataset: str) -> bool:
    """Return whether the stills of a data set, too many for a frame store, stay in their files."""
    return bool(config["datasets"][dataset]["layout"] == "imagenet")


def below_data_root(place: Path | str) -> str:
    """Return a place below the folder of the real data sets, as a shell takes it."""
    return f'"$DATA_ROOT"/{shlex.quote(str(place))}'


def ingest_root(config: Config, dataset: str, rendered: Sequence[str]) -> str:
    """Return the folder that a layout is read from, as a shell takes it.

    Args:
        config: the configuration.
        dataset: id of the data set.
        rendered: the folder of a video that is rendered here.
    """
    entry = config["datasets"][dataset]
    return below_data_root(entry["root"]) if "root" in entry else shlex.join(rendered)


def trained_stills(config: Config, dataset: str, task: str) -> dict[str, list[str]]:
    """Return the data sets that a checkpoint is trained on, each with the ids of its stills.

    Raises:
        InputError: no study trains such a checkpoint.
    """
    training = training_of(study_trained_on(config, dataset, task), task)
    splits = {dataset: training["split"], **training.get("also", {})}
    return {name: videos_in(config, name, split) for name, split in splits.items()}


def stills_arguments(config: Config, dataset: str, task: str, stores: Sequence[str]) -> str:
    """Return the frame stores or folders of stills, as a shell takes them.

    Args:
        config: the configuration.
        dataset: id of the data set.
        task: of the checkpoint.
        stores: the frame stores of all stills that are not read where they lie.
    """
    folders = [
        below_data_root(Path(config["datasets"][name]["root"]) / video)
        for name, videos in trained_stills(config, dataset, task).items()
        if is_read_in_place(config, name)
        for video in videos
    ]
    return " ".join([shlex.join(stores), *folders]).strip()


def training_model(config: Config, dataset: str, task: str) -> str:
    """Return the preset of the model that is trained on a data set for a task."""
    model: str = study_trained_on(config, dataset, task)["model"]
    return model


def training_threads(config: Config, dataset: str, task: str) -> int:
    """Return the CPU threads of a training: not of the machine, as they decide the last bits."""
    threads: int = training_of(study_trained_on(config, dataset, task), task)["threads"]
    return threads


def sound_argument(config: Config, dataset: str, video: str) -> str:
    """Return the argument that names the video file that a video has its sound from, if any."""
    if not is_video_file(config, dataset):
        return ""
    root = Path(config["datasets"][dataset]["root"])
    return f"--sound {below_data_root(root / video)}"


def truth_argument(config: Config, dataset: str, task: str) -> str:
    """Return the argument that marks a stream without a truth, or nothing."""
    return "" if is_scored(config, dataset, task) else "--unscored"


def colour_truth_argument(config: Config, dataset: str) -> str:
    """Return the argument that marks a colorization stream without a truth, or nothing."""
    return truth_argument(config, dataset, "colorization")
