"""Test-time training on video streams (JMLR 2025): models that keep learning while they predict.

    import videottt

    model = videottt.load("joint.safetensors")
    stream = model.stream("online_ttt_mae", window=8)
    for frame in videottt.read_video("clip.mp4"):
        result = stream.step(frame)

Names are imported when they are first used, so that ``import videottt`` itself loads no library.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "FrameResult",
    "InputError",
    "Instances",
    "Method",
    "Model",
    "Panoptic",
    "Stream",
    "load",
    "read_video",
]

if TYPE_CHECKING:
    from videottt.api import Model, Stream, load, read_video
    from videottt.core.errors import InputError
    from videottt.core.frame_result import FrameResult
    from videottt.core.segments import Instances, Panoptic
    from videottt.settings.method import Method
else:
    # Public name -> the module that has it.
    _HOMES = {
        "FrameResult": "videottt.core.frame_result",
        "InputError": "videottt.core.errors",
        "Instances": "videottt.core.segments",
        "Method": "videottt.settings.method",
        "Model": "videottt.api",
        "Panoptic": "videottt.core.segments",
        "Stream": "videottt.api",
        "load": "videottt.api",
        "read_video": "videottt.api",
    }

    # Hidden from type checkers, for which any name would exist.
    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'videottt' has no attribute '{name}'")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
