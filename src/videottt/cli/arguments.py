"""Kinds of arguments that several verbs take."""

import argparse
import json
import re
from pathlib import Path
from typing import Any


def add_verb(verbs: Any, name: str, run: Any) -> argparse.ArgumentParser:
    """Add a verb whose help is the docstring of the function that runs it."""
    text = (run.__doc__ or "").strip()
    verb = verbs.add_parser(name, help=text.splitlines()[0], description=text)
    verb.set_defaults(run=run)
    return verb


def settings(text: str) -> dict[str, Any]:
    """Read a JSON object from the command line, or from a file if the text starts with '@'."""
    try:
        value = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, json.JSONDecodeError) as error:
        raise argparse.ArgumentTypeError(f"not a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object: write {...}")
    return value


def names(text: str) -> list[str]:
    """Read names separated by commas; a comma before ``setting=`` is part of a method's id."""
    return [name.strip() for name in re.split(r",(?!\s*[\w.]+=)", text)]
