"""Export a checkpoint under detectron2's names, for the authors' release and other programs."""

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
from videottt.models.mask2former_config import mask2former_config
from videottt.models.y_shaped import YShapedModel

# Modules at version 2: detectron2 renames the parameters of older versions when it loads them.
VERSIONED = ("sem_seg_head", "sem_seg_head.predictor", "recon_head", "recon_head.predictor")
AUTHOR = "videottt"


def export_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a model as a pickle that detectron2's DetectionCheckpointer loads.

    The pickle holds ``model``, an OrderedDict of numpy arrays with ``_metadata``, and
    ``__author__``. The file appears only once it is complete.

    Raises:
        InputError: the head predicts colours; detectron2's models have no counterpart.
    """
    if checkpoint.model.head_kind != "segments":
        raise InputError(
            f"{path}: cannot be written, because the checkpoint's head paints colours and no model "
            "of detectron2 does; export the checkpoint of a segmentation task"
        )
    arrays = detectron2_arrays(checkpoint.model, decoder=checkpoint.has_decoder)
    vars(arrays)["_metadata"] = _versions(arrays)
    # The authors' release needs numpy 1, which does not know numpy 2's name of the function that
    # makes arrays. Protocol 3 writes this name as text, once and before any array.
    content = pickle.dumps({"model": arrays, "__author__": AUTHOR}, protocol=3)
    content = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)
    with complete_file(path) as part:
        part.write_bytes(content)


def detectron2_arrays(model: YShapedModel, *, decoder: bool) -> OrderedDict[str, np.ndarray]:
    """Return a model's parameters under detectron2's names, with the buffers detectron2 stores.

    Args:
        model: with a head for segments.
        decoder: whether to include the decoder g.
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
    """Return tensors under detectron2's names, with q, k and v concatenated.

    Args:
        tensors: weights, gradients or other tensors of the parameters' shapes, by our names.
            Tensors without a counterpart in detectron2 are left out.
    """
    renamed: dict[str, Tensor] = {}
    for ours, tensor in tensors.items():
        theirs = DETECTRON2.theirs(ours)
        if theirs is None or theirs in renamed:
            continue
        parts = DETECTRON2.ours(theirs)
        renamed[theirs] = torch.cat([tensors[part] for part in parts]) if parts[1:] else tensor
    return renamed


def _relative_positions() -> np.ndarray:
    """Return the row of the relative position table for each pair of a window's patches.

    int64 [49, 49], as Swin Transformer computes it (Liu et al., ICCV 2021, section 3.2).
    """
    rows, columns = np.divmod(np.arange(WINDOW**2), WINDOW)
    vertical, horizontal = (np.subtract.outer(axis, axis) + WINDOW - 1 for axis in (rows, columns))
    positions: np.ndarray = vertical * (2 * WINDOW - 1) + horizontal
    return positions


def _versions(arrays: Mapping[str, np.ndarray]) -> OrderedDict[str, dict[str, int]]:
    """Return the version of every module, in the form of a state dict's ``_metadata``."""
    modules = {""}
    for name in arrays:
        parts = name.split(".")
        modules |= {".".join(parts[:end]) for end in range(1, len(parts))}
    return OrderedDict(
        (module, {"version": 2 if module in VERSIONED else 1}) for module in sorted(modules)
    )
