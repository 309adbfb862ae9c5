"""Tell the files of a data set from those that systems and programs put beside them."""

# Suffixes of films.
FILMS = (
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".mpe",
    ".mpv", ".m1v", ".m2v", ".ts", ".mts", ".m2t", ".m2ts", ".tod", ".mod", ".vob", ".mxf", ".wmv",
    ".asf", ".flv", ".f4v", ".ogv", ".ogm", ".3gp", ".3g2", ".dv", ".y4m", ".h264", ".264", ".avc",
    ".h265", ".265", ".hevc", ".ivf", ".obu", ".nut", ".rm", ".rmvb", ".gxf", ".mj2", ".mjpeg",
    ".mjpg", ".insv", ".360",
)  # fmt: skip
# Suffixes of what cameras, editors and downloads put beside a film: subtitles, notes, previews,
# sound, places, checksums and halves of downloads.
SIDECARS = (
    ".srt", ".vtt", ".ass", ".ssa", ".sub", ".idx", ".sbv", ".ttml", ".lrc", ".txt", ".md", ".nfo",
    ".json", ".jsonl", ".xml", ".xmp", ".yaml", ".yml", ".csv", ".tsv", ".log", ".description",
    ".thm", ".lrv", ".lrf", ".wav", ".mp3", ".m4a", ".aac", ".ac3", ".flac", ".opus", ".gpx",
    ".kml", ".fit", ".h5", ".npy", ".npz", ".pkl", ".md5", ".sha1", ".sha256", ".torrent", ".part",
    ".crdownload", ".tmp", ".bak", ".ini", ".url", ".zip", ".pdf", ".html", ".edl", ".cpi",
)  # fmt: skip
# Folders that systems make.
_OF_SYSTEMS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information")


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or made by a system and no data."""
    return name.startswith(".") or name in _OF_SYSTEMS
