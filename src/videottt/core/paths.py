"""Read the paths that a user names, as a shell would."""

import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

from videottt.core.errors import InputError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What follows names a file of this machine.
_LOCAL = ("file:///", "file://localhost/")
HOME = "~"


def named_path(name: str | os.PathLike[str]) -> Path:
    """Return the path that a user names; ``~`` and ``~user`` are the folders of users.

    Shells do not expand them in ``--output=~/out``, and nothing does in a configuration. A file
    whose own name begins with ``~`` is named with its folder, as in ``./~``. What is returned can
    be given to this function again.

    Raises:
        InputError: the name is empty, is the address of something on a network, or begins with the
            name of a user that this machine does not have.
    """
    text = os.fspath(name)
    if not text:
        raise InputError("a path is empty; name a file or a folder")
    if _ADDRESS.match(text) and not os.path.lexists(text):
        text = _local(text)
    path = Path(_with_home(text))
    # Of ./~ pathlib makes ~, which would be another folder the next time.
    return path.absolute() if str(path).startswith(HOME) else path


def with_name(path: Path) -> Path:
    """Return a path whose last part is the name of the file or folder: never ``.`` or ``..``."""
    return path if path.name not in ("", "..") else path.resolve()


def _local(address: str) -> str:
    """Return the path that an address names on this machine.

    Raises:
        InputError: it is elsewhere.
    """
    if not address.lower().startswith(_LOCAL):
        raise InputError(
            f"{address}: is an address, and addresses are not read; download it, and name the file"
        )
    return urllib.request.url2pathname(urllib.parse.urlsplit(address).path)


def _with_home(text: str) -> str:
    """Return a path with the folder of a user in place of ``~`` or ``~user``.

    Raises:
        InputError: there is no such user, or no such folder is known.
    """
    user = text.partition("/")[0]
    # Such as ~$report.docx, which other programs make beside their files.
    if not user.startswith(HOME) or (user != HOME and os.path.lexists(text)):
        return text
    folder = os.path.expanduser(user)
    # Of an empty HOME it makes no folder, but the root of all.
    unknown = user == HOME and os.environ.get("HOME") == ""
    if os.path.isabs(folder) and not unknown:
        return folder + text.removeprefix(user)
    if user == HOME:
        raise InputError(
            f"{text}: '{HOME}' is the folder that HOME names, but HOME names none; set it, or name "
            "the folder in full"
        )
    raise InputError(
        f"{text}: '{user}' is the folder of a user, but there is no user '{user[1:]}'; a file or "
        f"folder of that name is ./{text}"
    )
