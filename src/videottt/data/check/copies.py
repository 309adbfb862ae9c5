"""Check a whole copy of a data set, video by video."""

from pathlib import Path

from videottt.core.errors import InputError
from videottt.data.check import CheckSettings, published_of, read_published
from videottt.data.check.reports import VideoReport
from videottt.data.check.videos import check_video


def check_copy(
    settings: CheckSettings, data_root: Path, dataset: str, published: Path, sample: int
) -> list[VideoReport]:
    """Return what every video of a copy consists of, and everything that is wrong with it.

    Args:
        settings: of the data set.
        data_root: the folder that `settings.root` is below.
        dataset: id of the data set.
        published: file of what is published of data sets.
        sample: frames of each video that are read whole, at most.

    Raises:
        InputError: there is no copy, no such layout, or the file is not what it should be.
    """
    root = data_root / settings.root
    if not root.is_dir():
        raise InputError(
            f"{root}: data set '{dataset}' is not there; put a copy there, or say where "
            "it is with --data-root"
        )
    known = published_of(read_published(published), dataset)
    return [
        check_video(settings, data_root, dataset, video, known, sample)
        for videos in settings.splits.values()
        for video in videos
    ]
