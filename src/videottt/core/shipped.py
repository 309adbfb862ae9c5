"""Find the files that ship with the package: the workflow, its rules and its default settings."""

from pathlib import Path

import videottt


def shipped(path: str) -> Path:
    """Return a file or folder of the project.

    Args:
        path: relative to the project's top level, as in "workflow/config".

    Returns:
        its path: in the wheel below `videottt/project/`, in a clone the file itself.
    """
    package = Path(videottt.__file__).parent
    in_wheel = package / "project"
    return (in_wheel if in_wheel.is_dir() else package.parents[1]) / path
