"""Define what is found out, and how grave it is."""

from dataclasses import dataclass

GOOD, WARNING, BAD = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        level: `GOOD`, `WARNING` or `BAD`.
        subject: what it is about, in a few words.
        text: what was found and, unless it is good, how to mend it.
    """

    level: str
    subject: str
    text: str
