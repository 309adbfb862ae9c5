"""Declare a data set: its files, classes, splits and videos."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from videottt.core.annotations import Count, Id, Ids, MustBe, Positive, Size, Text, Texts, Whole
from videottt.core.ids import TaskName
from videottt.core.settings import settings


@settings
class Phase:
    """A part of a rendered video.

    Attributes:
        place: "avenue", "market", "park", "residential" or "tunnel".
        light: "day", "dusk", "fog", "night", "rain", "tunnel" or "warm".
    """

    place: str
    light: str


@settings
class RenderedVideo:
    """A video that is rendered.

    Attributes:
        frames: length of the video, or number of stills.
        label_every: every n-th frame is labelled; by default as all videos of the data set.
        phases: the parts of the video in their order; none for stills to train on.
    """

    frames: Count
    label_every: Count | None = None
    phases: list[Phase] = field(default_factory=list)


@settings
class Rendering:
    """How an embedded data set is rendered.

    Attributes:
        size: height and width in pixels.
        seed: seed of the rendered scenes.
        videos: video -> what it shows.
        label_every: every n-th frame is labelled.
    """

    size: Size
    seed: Whole
    videos: dict[Id, RenderedVideo]
    label_every: Count = 1


@settings
class Span:
    """A part of a video's source.

    Attributes:
        first: name of the first frame; by default that of the source.
        last: name of the last frame; by default that of the source.
    """

    first: str | None = None
    last: str | None = None


@settings
class Classes:
    """The classes of one or more data sets.

    Attributes:
        classes: names, in the order of their indices.
        things: classes whose objects are told apart.
    """

    classes: Annotated[Texts, Field(max_length=255)]
    things: Texts | None = None


@settings
class Dataset:
    """A data set.

    Attributes:
        layout: how its files are arranged: a module of videottt.data.layouts.
        fps: frames a second; of video files the most that are taken; null = every frame.
        splits: split -> ids of its videos.
        root: folder below data_root; give this or render.
        render: how an embedded data set is rendered; of a data set without root.
        sources: ids of the downloads that it is made of; or video -> id, where every video is a
            file of its own. Without any, the user has a copy.
        classes: names, in the order of their indices; or the id of an entry of `classes`.
        things: classes whose objects are told apart; by default those of that entry.
        folders: split -> its folder on disk, where that has another name.
        scored: tasks that there are labels for; all by default.
        canvas: height and width that stills of several sizes are put on, at the upper left.
        spans: video -> first and last frame to take from its source.
    """

    layout: str
    fps: Positive | None
    splits: dict[Id, Ids]
    root: Text | None = None
    render: Rendering | None = None
    sources: (
        Annotated[Ids | dict[Id, Id], MustBe("a list of ids, or the id of each video: {video: id}")]
        | None
    ) = None
    classes: Annotated[Texts, Field(max_length=255)] | None = None
    things: Texts | None = None
    folders: dict[Id, Id] = field(default_factory=dict)
    scored: list[TaskName] | None = None
    canvas: Size | None = None
    spans: dict[Id, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.root is None) == (self.render is None):
            raise ValueError("give exactly one of 'root', 'render'")
