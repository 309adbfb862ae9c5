"""Log in to the servers of data sets with credentials that the user has stored."""

import json
import os
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import platformdirs
import requests

from videottt.core.errors import InputError

USERNAME = "CITYSCAPES_USERNAME"
PASSWORD = "CITYSCAPES_PASSWORD"
TIMEOUT = 60.0  # seconds that a server may stay silent
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Credentials:
    """A user name and its password.

    Attributes:
        username: the user name or an e-mail address.
        password: the password; no message has it.
        origin: the variables or the file that they come from, for messages.
    """

    username: str
    password: str = field(repr=False)
    origin: str


def cityscapes_credentials() -> Credentials | None:
    """Return the credentials of the environment, else those stored by csDownload, else None.

    csDownload belongs to the package cityscapesscripts.

    Raises:
        InputError: one of the two variables is missing, or csDownload's file cannot be read.
    """
    username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
    if username and password:
        return Credentials(username, password, f"{USERNAME} and {PASSWORD}")
    if username or password:
        raise InputError(f"set both {USERNAME} and {PASSWORD}; only one of them is set")
    path = Path(platformdirs.user_data_dir("cityscapesscripts", "cityscapes"), "credentials.json")
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(str(stored["username"]), str(stored["password"]), str(path))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: holds no user name and password; remove it and run 'csDownload -l'"
        ) from None


def log_in_to_cityscapes(session: requests.Session, url: str, credentials: Credentials) -> None:
    """Log a session in to the server of `url`, as csDownload does.

    The hidden fields of the login form are sent back, as a browser does.

    Raises:
        InputError: the server cannot be reached, refuses the credentials, or does not use https.
    """
    page = urljoin(url, "/login")
    if urlsplit(page).scheme != "https" and urlsplit(page).hostname not in _THIS_MACHINE:
        raise InputError(f"{page}: a password is sent over https only; correct the address")
    try:
        login_page = session.get(page, timeout=TIMEOUT, allow_redirects=False)
        login_page.raise_for_status()
        form = _HiddenFields()
        form.feed(login_page.text)
        values = {"username": credentials.username, "password": credentials.password}
        answer = session.post(
            page,
            data={**form.values, **values, "submit": "Login"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        # The error's own message may contain the password.
        raise InputError(
            f"{page}: cannot be reached ({type(error).__name__}); check the connection, or try "
            "again later"
        ) from None
    # The server redirects after a successful login, and shows the form again after a failed one.
    if answer.status_code != requests.codes.found:
        raise InputError(
            f"{page}: refuses the user name and password of {credentials.origin}; correct them "
            "there"
        )


def published_md5(session: requests.Session, url: str) -> str | None:
    """Return the MD5 that Cityscapes publishes for a package, or None.

    Args:
        session: a session that is logged in.
        url: address of the package, ``.../file-handling/?packageID=<number>``.
    """
    try:
        answer = session.get(
            url.replace("/file-handling/", "/md5-sum/"), timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException:
        return None
    words = answer.text.split() if answer.status_code == requests.codes.ok else []
    digits = words[0].lower() if words else ""
    return digits if len(digits) == 32 and set(digits) <= set("0123456789abcdef") else None


class _HiddenFields(HTMLParser):
    """A parser that gathers the hidden fields of a page, such as tokens against forgery."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "input" and attributes.get("type") == "hidden" and attributes.get("name"):
            self.values[str(attributes["name"])] = attributes.get("value") or ""
