"""Our models under the names of detectron2, for the authors' release and other programs."""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.files import complete_file
from videottt.models.checkpoint import Checkpoint
from videottt.models.convert.layouts import DETECTRON2
from videottt.models.convert.sizes import WINDOW
from videottt.models.presets import mask2former_config
from videottt.models.y_shaped import YShapedModel

# Versions of modules that detectron2 reads; without them it renames what is right already.
VERSIONED = ("sem_seg_head", "sem_seg_head.predictor", "recon_head", "recon_head.predictor")
AUTHOR = "videottt"


def export_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a model as a pickle that detectron2's DetectionCheckpointer loads, whole or not at all.

    It holds ``model``, an OrderedDict of numpy arrays with ``_metadata``, and ``__author__``.

    Raises:
        InputError: its head paints, for which detectron2's models have no counterpart.
    """
    if checkpoint.model.says != "segments":
        raise InputError(
            f"{path}: cannot be written, because the checkpoint's head paints colours, which no "
            "model of detectron2 does; export one of a task of segmentation"
        )
    arrays = detectron2_arrays(checkpoint.model, decoder=checkpoint.has_decoder)
    vars(arrays)["_metadata"] = _versions(arrays)
    # Protocol 3 names functions as text, once and before any array. numpy 1, which the authors'
    # release needs, does not know numpy 2's name of the one that makes arrays.
    content = pickle.dumps({"model": arrays, "__author__": AUTHOR}, protocol=3)
    content = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)
    with complete_file(path) as part:
        part.write_bytes(content)


def detectron2_arrays(model: YShapedModel, *, decoder: bool) -> OrderedDict[str, np.ndarray]:
    """Return every parameter of a model under detectron2's name, and the buffers it stores.

    Args:
        model: whose head names classes.
        decoder: whether g is among them.
    """
    tensors = {
        name: tensor.detach().cpu()
        for name, tensor in model.state_dict().items()
        if decoder or not name.startswith("decoder.")
    }
    arrays = OrderedDict((name, tensor.numpy()) for name, tensor in stacked(tensors).items())
    index = _relative_positions()
    for name in [name for name in arrays if name.endswith("relative_position_bias_table")]:
        arrays[name.replace("bias_table", "index")] = index
    config = mask2former_config(model.preset, model.preset.queries, model.classes)
    weights = np.ones(model.classes + 1, np.float32)
    weights[-1] = config.no_object_weight
    arrays["criterion.empty_weight"] = weights
    return arrays


def stacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what belongs to parameters, by our names, under detectron2's: q, k and v as one.

    Args:
        tensors: weights, gradients or anything else of the shape of the parameters.
    """
    found: dict[str, Tensor] = {}
    for ours, tensor in tensors.items():
        theirs = DETECTRON2.theirs(ours)
        if theirs is None or theirs in found:
            continue
        parts = DETECTRON2.ours(theirs)
        found[theirs] = torch.cat([tensors[part] for part in parts]) if parts[1:] else tensor
    return found


def _relative_positions() -> np.ndarray:
    """Return which entry of the table of positions a pair of a window's patches has.

    int64 [49, 49], as Swin Transformer computes it (Liu et al., ICCV 2021, section 3.2).
    """
    rows, columns = np.divmod(np.arange(WINDOW**2), WINDOW)
    vertical, horizontal = (np.subtract.outer(each, each) + WINDOW - 1 for each in (rows, columns))
    positions: np.ndarray = vertical * (2 * WINDOW - 1) + horizontal
    return positions


def _versions(arrays: Mapping[str, np.ndarray]) -> OrderedDict[str, dict[str, int]]:
    """Return the version of every module, as torch stores them beside a state dict."""
    modules = {""}
    for name in arrays:
        parts = name.split(".")
        modules |= {".".join(parts[:end]) for end in range(1, len(parts))}
    return OrderedDict(
        (module, {"version": 2 if module in VERSIONED else 1}) for module in sorted(modules)
    )
