"""Checkpoints of Mask2Former as published, with the sizes of the preset `tiny`, untrained.

Those of the model zoo and of the paper's authors are pickles of numpy arrays by detectron2's names,
the copies of Hugging Face are state dicts of transformers.
"""

import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from transformers import Mask2FormerForUniversalSegmentation
from transformers.utils import logging

from videottt.core.randomness import global_draws
from videottt.models.convert.exporting import detectron2_arrays
from videottt.models.mask2former_config import mask2former_config
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import PRESETS

PRESET = PRESETS["tiny"]


def write_zoo(classes: int, path: Path, seed: int) -> None:
    """Write a checkpoint of the model zoo: three channels, and an old name of the queries."""
    arrays = detectron2_arrays(YShapedModel(PRESET, classes, seed), decoder=False)
    patches = "backbone.patch_embed.proj.weight"
    arrays[patches] = np.ascontiguousarray(arrays[patches][:, :3])
    named = {name.replace("query_feat", "static_query"): a for name, a in arrays.items()}
    _pickle(path, {"model": named, "__author__": "third_party"})


def write_release(classes: int, path: Path, seed: int) -> None:
    """Write a checkpoint of the paper's authors: four channels, and the decoder g."""
    arrays = detectron2_arrays(YShapedModel(PRESET, classes, seed), decoder=True)
    _pickle(path, {"model": dict(arrays)})


def write_hugging_face(classes: int, path: Path, seed: int) -> None:
    """Write a model as transformers saves it, in the older form of .bin if the name says so."""
    config = mask2former_config(PRESET, PRESET.queries, classes)
    config.backbone_config.num_channels = 3
    with global_draws("replicas", path.name, seed):
        model = Mask2FormerForUniversalSegmentation(config)
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # Which gives parameters their published names.
        model.save_pretrained(folder)
        saved = Path(folder) / "model.safetensors"
        if path.suffix == ".bin":
            torch.save(safetensors.torch.load_file(saved), path)
        else:
            saved.replace(path)


def _pickle(path: Path, content: Mapping[str, object]) -> None:
    # As numpy 1 wrote it, when these were published.
    written = pickle.dumps(content, protocol=3)
    path.write_bytes(written.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1))
