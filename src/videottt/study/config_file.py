"""Read the configuration for the verbs that no rule hands their settings to."""

from pathlib import Path

import yaml

from videottt.core.errors import InputError
from videottt.core.paths import named_path
from videottt.study.config import Config
from videottt.study.layers import complete
from videottt.study.validation import validate

USERS_FILE = Path("config.yaml")


def read_config(path: Path | None = None) -> Config:
    """Return the whole configuration: the shipped defaults with a user's file on top.

    Args:
        path: the user's file; by default config.yaml of this folder, if there is one.

    Raises:
        InputError: the file cannot be read, or says something that is not allowed.
    """
    file = USERS_FILE if path is None else named_path(path)
    own = {} if path is None and not file.exists() else _read(file)
    layers = complete(own, str(file))
    validate(layers)
    return layers.config


def _read(path: Path) -> Config:
    try:
        own = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be read ({reason}); mend it, or name another file with --config"
        ) from None
    if own is None:
        return {}
    if not isinstance(own, dict):
        raise InputError(f"{path}: must be settings by name; see docs/reference/config.md")
    return own
