"""Report bad input: the command line prints an `InputError` as one line and exits with 2."""

import difflib
from collections.abc import Iterable
from pathlib import Path


def visible(text: str) -> str:
    """Escape characters that would move a terminal's cursor or begin a new line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InputError(Exception):
    """Input that cannot be used; the message says what is wrong, where, and how to mend it."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the valid name nearest to `name`, or the valid names."""
    names = sorted(map(str, valid))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "valid names: " + ", ".join(names)


def absent(path: Path, what: str = "file") -> InputError:
    """Return the error for a missing file; it names the command that makes a result."""
    made = "results" in path.parts and not path.is_absolute()
    hint = f"make it with 'snakemake --cores 1 {path}'" if made else "check the path"
    return InputError(f"{path}: no such {what}; {hint}")
