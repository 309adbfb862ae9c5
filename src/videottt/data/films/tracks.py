"""Choose the tracks of a film that a player takes, from ffmpeg's description of the file."""

import re
from dataclasses import dataclass

# Only ffmpeg's own lines begin like this; lines of a file's metadata are indented further.
_TRACK = re.compile(r"^\[info\]   Stream #0:(\d+).*?: (Video|Audio): (.*)$", re.MULTILINE)
_SIZE = re.compile(r", (\d+)x(\d+)(?=[ ,]|$)")
_COVER = re.compile(r"\((?:attached pic|timed thumbnails)\)")
_RATE = re.compile(r", ([\d.]+) fps")
# After the name of the pixel format, for example "tv, bt709/unknown/unknown, progressive".
_COLOURS = re.compile(r", \w+\((.*?)\)(?=, \d+x\d+)")
_MATRICES = frozenset((
    "gbr", "bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "bt2020c",
    "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp", "ipt-c2", "ycgco-re", "ycgco-ro",
))  # fmt: skip


@dataclass(frozen=True)
class Track:
    """A track of moving pictures.

    Attributes:
        index: its place among all tracks of the file.
        size: height and width as they are stored; 0 if the file does not tell.
        rate: frames a second; None if the file does not tell.
        default: whether the file marks it as the one to show.
        tagged: whether it names the matrix of its colours.
    """

    index: int
    size: tuple[int, int]
    rate: float | None
    default: bool
    tagged: bool

    @property
    def colour_matrix(self) -> str:
        """Return the matrix of the colours, in the words of ffmpeg's filter "scale".

        Without a tag, the size tells as it does in mpv and libplacebo
        (pl_color_system_guess_ycbcr): above 576 lines or from 1280 columns on it is BT.709, and
        else BT.601, which is what "auto" means for ffmpeg.
        """
        height, width = self.size
        return "auto" if self.tagged or (height <= 576 and width < 1280) else "bt709"


def tracks(description: str) -> list[Track]:
    """Return the tracks of moving pictures; covers and thumbnails of chapters are none."""
    found = _of_kind("Video", description)
    return [_track(index, text) for index, text in found if not _COVER.search(text)]


def _of_kind(kind: str, description: str) -> list[tuple[int, str]]:
    # The tracks of the output, which have the same form, come after these words.
    found = _TRACK.findall(description.partition("\n[info] Stream mapping:")[0])
    return [(int(index), text) for index, each, text in found if each == kind]


def _track(index: int, text: str) -> Track:
    size, rate, colours = _SIZE.search(text), _RATE.search(text), _COLOURS.search(text)
    named = {part.partition("/")[0] for part in colours[1].split(", ")} if colours else set()
    return Track(
        index=index,
        size=(int(size[2]), int(size[1])) if size else (0, 0),
        rate=float(rate[1]) if rate else None,
        default="(default)" in text,
        tagged=not named.isdisjoint(_MATRICES),
    )


def shown_track(candidates: list[Track]) -> Track | None:
    """Return the track that ffmpeg shows: of the default ones, or else of all, the largest.

    Of several of one size it is the first; None if there is no track.
    """
    return max(
        candidates,
        key=lambda track: (track.default, track.size[0] * track.size[1], -track.index),
        default=None,
    )


def heard_track(description: str) -> int | None:
    """Return the place of the sound that is heard: the first default one, or else the first."""
    sounds = _of_kind("Audio", description)
    return min(sounds, key=lambda sound: "(default)" not in sound[1], default=(None, ""))[0]
