"""Read the models that a user adds to the presets: the configuration's `models`."""

from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import check_known
from videottt.core.settings import build_settings, problem_in
from videottt.settings.presets import PRESETS, Preset, preset_data, preset_named
from videottt.study.config import Config
from videottt.study.layers import Layers


def own_model(config: Config, name: str) -> dict[str, Any] | None:
    """Return a model of the user's `models` as plain data, whole; None: it is a preset.

    What the entry does not name, the preset has that it is `like`.
    """
    entry = config.get("models", {}).get(name)
    if entry is None:
        return None
    like = entry.get("like")
    below = preset_data(like) if like else {}
    return below | {key: value for key, value in entry.items() if key != "like"}


def preset_of(config: Config, name: str) -> Preset:
    """Return the sizes of a model that a study names: of the user's `models`, or a preset.

    Raises:
        InputError: there is no such model, or its sizes are not allowed.
    """
    own = own_model(config, name)
    return preset_named(name) if own is None else build_settings(Preset, own, f"models.{name}")


def check_models(layers: Layers) -> None:
    """Check that each model of the user's is whole, and has a name of its own.

    Raises:
        InputError: one is not.
    """
    for name, entry in layers.config.get("models", {}).items():
        where = layers.where("models", name)
        if name in PRESETS:
            raise InputError(f"{where}: a preset has this name; choose another")
        if entry.get("like") is not None:
            check_known(entry["like"], PRESETS, "preset", f"{where}.like")
        problem = problem_in(Preset, own_model(layers.config, name))
        if problem is not None:
            raise InputError(f"{layers.where('models', name, *problem.place)}: {problem.reason}")
