"""Check that one video of a data set is complete, and has the published length and size."""

from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import TASKS
from videottt.data.check import CheckSettings, frames_of
from videottt.data.check.findings import Findings, of_files, of_frames, of_video_file
from videottt.data.check.reports import VideoReport
from videottt.data.layouts import Layout, layout_named
from videottt.data.layouts.listing import size_text
from videottt.data.layouts.video_file import find_source, is_film

# A video file whose length is off by more than this factor is another video, or a part of it.
OFF = 2.0
# Tasks that need labels; colorization learns from the colours of the frames.
SEGMENTATION = set(TASKS) - {"colorization"}


def check_video(
    settings: CheckSettings,
    data_root: Path,
    dataset: str,
    video: str,
    known: dict[str, Any],
    sample: int,
) -> VideoReport:
    """Return a report on a video, with every problem.

    Every image file is checked by its header and last bytes; `sample` frames, evenly spread, are
    decoded with their labels, by the code that also reads them for training and evaluation. A video
    file is checked by its header and first frames. In a layout that lists no files every frame is
    decoded.

    Args:
        settings: the data set's keys in config.yaml.
        data_root: the folder of all data.
        dataset: id of the data set.
        video: id of the video.
        known: published facts about the data set (`published_of`).
        sample: largest number of frames to decode.

    Raises:
        InputError: there is no such layout.
    """
    layout = layout_named(settings.layout)
    split = next(name for name, videos in settings.splits.items() if video in videos)
    root = data_root / settings.root
    place = root, settings.folders.get(split, split), video
    try:
        findings = _examine(layout, place, settings, sample)
    except InputError as error:
        findings = Findings(problems=[str(error)])
    else:
        findings.problems += _contradictions(
            findings, settings, f"{root}: video '{video}'", video, known
        )
    fps, duration_s = findings.fps, findings.duration_s
    if fps is None and settings.fps and not findings.stills:
        fps, duration_s = settings.fps, findings.frames / settings.fps
    return VideoReport(
        dataset=dataset,
        split=split,
        video=video,
        frames=findings.frames,
        published=frames_of(known, video),
        labelled=sum(findings.labelled),
        published_labelled=known["labelled"].get(video),
        size=findings.size,
        fps=fps,
        duration_s=duration_s,
        classes=len(settings.classes),
        problems=tuple(findings.problems),
    )


def _examine(
    layout: Layout, place: tuple[Path, str, str], settings: CheckSettings, sample: int
) -> Findings:
    root, _, video = place
    span = settings.spans.get(video, {})
    if layout.list_frames:
        listing = layout.list_frames(*place, settings.space)
        return of_files(listing, span, settings.space, sample, video)
    if settings.layout == "video_file" and is_film(source := find_source(root, video)):
        return of_video_file(source, layout.frames_expected and layout.frames_expected(*place))
    return of_frames(layout.read(*place, settings.space), span, settings.space)


def _contradictions(
    findings: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    """Return the problems of a video that contradict published facts or config.yaml."""
    problems = [
        *_wrong_number(findings, where, video, known),
        *_wrong_labels(findings, settings, where, video, known),
        *_wrong_sizes(findings, settings, where, video, known),
    ]
    folders = known["folders"].get(video)
    if folders is not None and len(findings.folders) != folders:
        problems.append(
            f"{where} has {len(findings.folders):,} folders, published are {folders:,}; restore "
            "the missing ones"
        )
    published = known["duration_s"].get(video)
    seconds = findings.duration_s
    if published and seconds and not 1 / OFF <= seconds / published <= OFF:
        problems.append(
            f"{where} takes {seconds:.4g} s, published are {published} s; get the whole video, and "
            "no other in the same file"
        )
    return problems


def _wrong_number(findings: Findings, where: str, video: str, known: dict[str, Any]) -> list[str]:
    published = frames_of(known, video)
    # The header of a video file gives its number of frames only approximately.
    if published is None or abs(findings.frames - published) <= findings.uncertain:
        return []
    return [
        f"{where} has {findings.frames:,} frames, published are {published:,}; restore missing "
        "files, or remove files that the data set does not have"
    ]


def _wrong_labels(
    findings: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    if findings.problems and not any(findings.labelled):
        # A problem already says that the labels cannot be read.
        return []
    labelled = known["labelled"].get(video)
    if labelled is not None:
        every = known["labelled_every"] or 1
        scored = findings.labelled[::every]
        # The published number may be rounded up or down if the length does not divide.
        if labelled <= sum(scored) <= labelled + (every > 1):
            return []
        return [
            f"{where}: {sum(scored):,} of the {len(scored):,} frames that are scored, one in "
            f"{every}, have labels, published are {labelled:,}; restore the missing ones"
        ]
    expected = settings.classes and SEGMENTATION & set(settings.scored)
    if findings.frames and expected and not any(findings.labelled):
        return [f"{where} has no labels; unpack the archive of labels too"]
    return []


def _wrong_sizes(
    findings: Findings, settings: CheckSettings, where: str, video: str, known: dict[str, Any]
) -> list[str]:
    """Return the frames that differ in size from most or from the published, or do not fit."""
    published, usual = known["sizes"].get(video), findings.size
    if usual is None:
        return []
    problems = []
    if published is not None and usual != tuple(published):
        problems.append(
            f"{where} has frames of {size_text(usual)}, published is {size_text(published)}; use "
            "the data set at its published size"
        )
    if published is not None or not findings.stills:
        problems += [
            f"{path}: is {size_text(size)}, but other frames are {size_text(usual)}; restore it"
            for size, paths in findings.sizes.items()
            if size != usual
            for path in paths
        ]
    elif settings.canvas is not None:
        problems += [
            f"{path}: is {size_text(size)}, larger than the data set's 'canvas' of "
            f"{size_text(settings.canvas)} in config.yaml; enlarge the canvas"
            for size, paths in findings.sizes.items()
            if size[0] > settings.canvas[0] or size[1] > settings.canvas[1]
            for path in paths
        ]
    return problems
