"""Check that one video of a data set is whole, and as long and as large as is published."""

from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import TASKS
from videottt.data.check import CheckSettings, frames_of
from videottt.data.check.findings import Findings, of_files, of_film, of_frames
from videottt.data.check.reports import VideoReport
from videottt.data.layouts import Layout, layout_named
from videottt.data.layouts.listing import size_text
from videottt.data.layouts.video_file import find_source

# A film is another one, or a part of it, if its length is off by more than this factor.
OFF = 2.0
# Tasks that need labels; colours are their own.
SEGMENTATION = set(TASKS) - {"colorization"}


def check_video(
    settings: CheckSettings,
    data_root: Path,
    dataset: str,
    video: str,
    known: dict[str, Any],
    sample: int,
) -> VideoReport:
    """Return what a video consists of, and everything that is wrong with it.

    Of every image file the header and the end are read; `sample` frames, evenly spread, are read
    whole with their labels, by what reads them for training and evaluation. Of a video file the
    header and the beginning are read. What does not list its files is read whole.

    Args:
        settings: of its data set.
        data_root: the folder that `settings.root` is below.
        dataset: its id.
        video: id of the video.
        known: what is published of the data set (`published_of`).
        sample: how many frames are read whole, at most.

    Raises:
        InputError: there is no such layout.
    """
    layout = layout_named(settings.layout)
    split = next(name for name, videos in settings.splits.items() if video in videos)
    root = data_root / settings.root
    place = root, settings.folders.get(split, split), video
    try:
        found = _found(layout, place, settings, sample)
    except InputError as error:
        found = Findings(problems=[str(error)])
    else:
        found.problems += _against_published(
            found, settings, f"{root}: video '{video}'", video, known
        )
    fps, duration_s = found.fps, found.duration_s
    if fps is None and settings.fps and not found.stills:
        fps, duration_s = settings.fps, found.frames / settings.fps
    return VideoReport(
        dataset=dataset,
        split=split,
        video=video,
        frames=found.frames,
        published=frames_of(known, video),
        labelled=sum(found.labelled),
        published_labelled=known["labelled"].get(video),
        size=found.size,
        fps=fps,
        duration_s=duration_s,
        classes=len(settings.classes),
        problems=tuple(found.problems),
    )


def _found(
    layout: Layout, place: tuple[Path, str, str], settings: CheckSettings, sample: int
) -> Findings:
    root, _, video = place
    span = settings.spans.get(video, {})
    if layout.list_frames:
        listing = layout.list_frames(*place, settings.space)
        return of_files(listing, span, settings.space, sample, video)
    if settings.layout == "video_file" and (source := find_source(root, video)).is_file():
        return of_film(source, layout.frames_expected and layout.frames_expected(*place))
    return of_frames(layout.read(*place, settings.space), span, settings.space)


def _against_published(
    found: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    """Return what a video has other than is published of it, or said in config.yaml."""
    problems = [
        *_wrong_number(found, where, video, known),
        *_wrong_labels(found, settings, where, video, known),
        *_wrong_sizes(found, settings, where, video, known),
    ]
    folders = known["folders"].get(video)
    if folders is not None and len(found.folders) != folders:
        problems.append(
            f"{where} has {len(found.folders):,} folders, published are {folders:,}; restore what "
            "is missing"
        )
    published = known["duration_s"].get(video)
    if published and found.duration_s and not 1 / OFF <= found.duration_s / published <= OFF:
        problems.append(
            f"{where} takes {found.duration_s:.4g} s, published are {published} s; get the whole "
            "film, without others"
        )
    return problems


def _wrong_number(found: Findings, where: str, video: str, known: dict[str, Any]) -> list[str]:
    published = frames_of(known, video)
    # A video file only says about how many frames it has.
    if published is None or abs(found.frames - published) <= found.uncertain:
        return []
    return [
        f"{where} has {found.frames:,} frames, published are {published:,}; restore what is "
        "missing, or remove what is not the data set's"
    ]


def _wrong_labels(
    found: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    if found.problems and not any(found.labelled):
        # Said already: the labels cannot be read at all.
        return []
    labelled = known["labelled"].get(video)
    if labelled is not None:
        every = known["labelled_every"] or 1
        scored = found.labelled[::every]
        # Whether lengths that do not divide were rounded up is not published.
        if labelled <= sum(scored) <= labelled + (every > 1):
            return []
        return [
            f"{where}: {sum(scored):,} of the {len(scored):,} frames that are scored, one in "
            f"{every}, have labels, published are {labelled:,}; restore what is missing"
        ]
    expected = settings.classes and SEGMENTATION & set(settings.scored)
    if found.frames and expected and not any(found.labelled):
        return [f"{where} has no labels; unpack the archive of labels too"]
    return []


def _wrong_sizes(
    found: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    """Return frames of another size than most, than is published, or than the canvas holds."""
    published, usual = known["sizes"].get(video), found.size
    if usual is None:
        return []
    problems = []
    if published is not None and usual != tuple(published):
        problems.append(
            f"{where} has frames of {size_text(usual)}, published is {size_text(published)}; use "
            "the data set as it is published"
        )
    if published is not None or not found.stills:
        problems += [
            f"{path}: is {size_text(size)}, but other frames are {size_text(usual)}; restore it"
            for size, paths in found.sizes.items()
            if size != usual
            for path in paths
        ]
    elif settings.canvas is not None:
        problems += [
            f"{path}: is {size_text(size)}, larger than the data set's 'canvas' of "
            f"{size_text(settings.canvas)} in config.yaml; enlarge that"
            for size, paths in found.sizes.items()
            if size[0] > settings.canvas[0] or size[1] > settings.canvas[1]
            for path in paths
        ]
    return problems
