"""Check a copy of a data set of config.yaml against what is published of it."""

from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.settings import build_settings
from videottt.data.check import CheckSettings
from videottt.data.check.copies import check_copy
from videottt.data.check.reports import VideoReport
from videottt.study.config_file import read_config
from videottt.study.job_settings import check_settings


def check_data_set(
    dataset: str,
    *,
    config: Path | None,
    published: Path,
    data_root: Path | None = None,
    settings: dict[str, Any] | None = None,
    sample: int = 8,
) -> list[VideoReport]:
    """Return what every video of a copy consists of, and everything that is wrong with it.

    Args:
        dataset: id of the data set.
        config: a user's file; by default config.yaml of this folder, if there is one. It is not
            read where `data_root` and `settings` are given.
        published: file of what is published of data sets.
        data_root: folder of all data; by default that of the configuration.
        settings: of the data set; by default that of the configuration.
        sample: frames of each video that are read whole, at most.

    Raises:
        InputError: the data set is rendered, there is no copy of it, or its settings are wrong.
    """
    if settings is None or data_root is None:
        whole = read_config(config)
        data_root = data_root or Path(whole["data_root"])
        settings = settings or check_settings(whole, dataset)
    if "root" not in settings:
        raise InputError(
            f"data set '{dataset}' is rendered here: there is no copy of it to check; "
            "name one with a 'root' in config.yaml"
        )
    chosen = build_settings(CheckSettings, settings, f"data set '{dataset}'")
    return check_copy(chosen, data_root, dataset, published, sample)
