"""Check a whole copy of a data set, video by video."""

from pathlib import Path

from videottt.core.errors import InputError
from videottt.data.check import CheckSettings, published_of, read_published
from videottt.data.check.reports import VideoReport
from videottt.data.check.videos import check_video


def check_copy(
    settings: CheckSettings, data_root: Path, dataset: str, published: Path, sample: int
) -> list[VideoReport]:
    """Return a report on every video of a copy, with every problem.

    Args:
        settings: the data set's keys in config.yaml.
        data_root: the folder of all data.
        dataset: id of the data set.
        published: the file of published facts.
        sample: largest number of frames to decode in each video.

    Raises:
        InputError: there is no copy or no such layout, or the file of published facts is invalid.
    """
    root = data_root / settings.root
    if not root.is_dir():
        raise InputError(
            f"{root}: no such folder, so data set '{dataset}' is missing; put a copy there, or "
            "name its folder with --data-root"
        )
    known = published_of(read_published(published), dataset)
    return [
        check_video(settings, data_root, dataset, video, known, sample)
        for videos in settings.splits.values()
        for video in videos
    ]
