"""Read config.yaml for the verbs that no rule hands its settings to."""

from pathlib import Path

import yaml

from videottt.core.errors import InputError
from videottt.study.config import Config


def read_config(path: Path, *keys: str) -> Config:
    """Return config.yaml.

    Args:
        path: of the file.
        keys: that it must have.

    Raises:
        InputError: it is absent, no YAML, or lacks one of them.
    """
    try:
        config: Config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in keys:
            config[key]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a readable config.yaml ({reason}); run this where it is, or "
            "name it with --config"
        ) from None
    return config
