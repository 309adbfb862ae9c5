"""The one exception for bad input: the command line prints it as a single line and exits with 2."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Input that cannot be used; the message says what is wrong, where, and how to mend it."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the valid name nearest to `name`, or the valid names."""
    names = sorted(map(str, valid))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "valid names: " + ", ".join(names)
