"""Pickles that hold arrays and plain containers, read without running anything that is in them.

detectron2 keeps its models in pickles. A pickle is a program: it names functions, which Python's
own reader imports and calls. Here only the names below are known, and what stands behind them is
not numpy's or torch's function but one of this module that checks what it is given.
"""

import io
import math
import pickle
import pickletools
import re
import textwrap
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError

# Larger than any model that is read here, smaller than what would fill a machine's memory.
MOST_BYTES = 8 * 2**30
PLAIN = (str, int, float, bool, bytes, bytearray, type(None))
NUMBERS = re.compile(r"[<>=|]?(f[248]|[iu][1248]|b1)")
# Opcodes that say at which place of its memo a pickle keeps a value.
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


def read_pickle(path: Path) -> Any:
    """Return what a pickle holds: dict, list, tuple, str, numbers, None, arrays, tensors.

    Arrays are numpy's, of numbers or booleans, and writable; tensors are torch's, on the CPU. An
    OrderedDict keeps its attribute ``_metadata``, as state dicts have it. Text and bytes of Python
    2 are read as latin-1.

    Raises:
        InputError: the file is absent, no pickle, broken off, too large, or asks for anything
            else; that is refused before it is imported or called.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: is larger than any model that is read here; check the path")
    content = path.read_bytes()
    try:
        _check_memo(content)
        held = _Reader(io.BytesIO(content), encoding="latin1").load()
        return _finished(held, {})
    except _Refused as refused:
        raise InputError(
            f"{path}: refused, because it {refused}; a checkpoint holds only arrays and plain "
            "containers"
        ) from None
    # What is no pickle of this kind makes the unpickler fail in any way.
    except Exception as error:
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 240, placeholder=" ...")
        raise InputError(
            f"{path}: not a readable pickle of arrays ({reason}); take an unbroken copy of a "
            "checkpoint"
        ) from None


class _Refused(Exception):
    """What a pickle asks for that it is not given."""


def _check_memo(content: bytes) -> None:
    """Refuse a pickle that keeps a value at a place beyond its own length: it takes memory."""
    for number, (opcode, place, _) in enumerate(pickletools.genops(content)):
        if opcode.name in MEMO and isinstance(place, int) and place > number:
            raise _Refused(f"has fewer values than its place {place} claims")


class _Known:
    """A function that a pickle may call; without attributes, so that no pickle can set one."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a global name."""
        module = module.replace("numpy._core.", "numpy.core.")
        known = KNOWN.get((module, name))
        if known is None:
            raise _Refused(f"asks for '{module}.{name}'")
        return OrderedDict if known is OrderedDict else _Known(known)

    def persistent_load(self, _: Any) -> Any:
        """Refuse objects that are kept elsewhere."""
        raise _Refused("asks for an object that is kept outside it (persistent id)")


class _Dtype:
    """A numpy.dtype in the making."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_: object) -> None:
        self.code, self.order = code, ""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) < 5 or any(each is not None for each in state[2:5]):
            raise _Refused("holds an array of records")
        self.order = state[1]

    def made(self) -> np.dtype:
        text = f"{self.order}{self.code}".replace("||", "|")
        if not NUMBERS.fullmatch(text):
            raise _Refused(f"holds an array of '{self.code}', not of numbers")
        return np.dtype(text)


class _Array:
    """A numpy.ndarray in the making, or a torch.Tensor that is made."""

    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | Tensor | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, content = state[-4:]
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise _Refused("holds an array without a type")
    kind = dtype.made()
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        raise _Refused("holds an array of something other than bytes")
    if not all(isinstance(each, int) and each >= 0 for each in shape):
        raise _Refused(f"holds an array of shape {shape}")
    if math.prod(shape) * kind.itemsize != len(content):
        raise _Refused(f"holds {len(content)} bytes for an array of shape {list(shape)}")
    # A copy, because bytes cannot be written to.
    return np.frombuffer(content, kind).reshape(shape, order=order).astype(kind.newbyteorder("="))


def _buffered(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.value = _array(content, dtype, shape, order)
    return array


def _scalar(dtype: Any, content: Any) -> _Array:
    return _buffered(content, dtype, (), "C")


def _encoded(text: str, encoding: str) -> bytes:
    """Return bytes as protocol 2 writes them: as text."""
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"encodes text as '{encoding}'")
    return text.encode("latin1")


def _no_bytes(*arguments: Any) -> bytes:
    """Return no bytes, which protocol 2 writes as a call."""
    if arguments:
        raise _Refused("makes bytes of something else")
    return b""


class _Storage:
    """The numbers of a tensor, which torch saved within the pickle; out of a pickle's reach."""

    __slots__ = ("value",)

    def __init__(self, content: bytes) -> None:
        self.value = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Array:
    if not isinstance(storage.value, torch.TypedStorage):
        raise _Refused("holds a tensor without numbers")
    numbers = torch.empty(0, dtype=storage.value.dtype).set_(storage.value)
    if math.prod(size) > numbers.numel():
        raise _Refused(f"holds {numbers.numel()} numbers for a tensor of shape {list(size)}")
    array = _Array()
    array.value = numbers.as_strided(size, stride, offset)
    return array


def _parameter(tensor: _Array, *_: object) -> _Array:
    return tensor


def _kind(*_: object) -> None:
    raise _Refused("makes an array without its content")


# By the names of numpy before version 2; a pickle of a later one says numpy._core.
KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _buffered,
    ("numpy", "ndarray"): _kind,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): _no_bytes,
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _finished(held: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """Return what was read with its arrays in place of those in the making.

    Args:
        held: as the unpickler left it; its dictionaries and lists are changed in place.
        done: what was gone through and its result, by identity: what is held many times is gone
            through once, and nothing else can get the identity of what is kept here.
    """
    if id(held) in done:
        return done[id(held)][1]
    done[id(held)] = held, held
    result = held
    if isinstance(held, _Array) and held.value is not None:
        # Numbers of numpy become those of Python.
        result = held.value if held.value.shape else held.value.item()
    elif isinstance(held, _Dtype):
        result = held.made()
    elif isinstance(held, dict):
        _finish_attributes(held, done)
        for key, value in held.items():
            if not isinstance(key, PLAIN):
                raise _Refused("names something by other than text or a number")
            held[key] = _finished(value, done)
    elif isinstance(held, list):
        held[:] = [_finished(each, done) for each in held]
    elif isinstance(held, tuple):
        result = tuple(_finished(each, done) for each in held)
    elif not isinstance(held, PLAIN):
        raise _Refused("holds a function or a class")
    done[id(held)] = held, result
    return result


def _finish_attributes(held: dict[Any, Any], done: dict[int, tuple[Any, Any]]) -> None:
    attributes = vars(held) if isinstance(held, OrderedDict) else {}
    for name in attributes:
        if name != "_metadata":
            raise _Refused(f"sets the attribute '{name}' of a dictionary")
        attributes[name] = _finished(attributes[name], done)
