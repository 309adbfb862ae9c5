"""Read pickles of arrays and plain containers without running code from the file.

detectron2 stores models as pickles. A pickle is a program: it names functions, and Python's reader
imports and calls them. This reader accepts only the names in `KNOWN`. Behind each name is not the
function of numpy or torch, but a function of this module that checks its arguments. The records
that training programs keep beside the weights (`RECORDS`) are passed over without being made.
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

# Largest file that is read; models are smaller, and a larger file could fill the memory.
MOST_BYTES = 8 * 2**30
PLAIN = (str, int, float, bool, bytes, bytearray, type(None))
NUMBERS = re.compile(r"[<>=|]?(f[248]|[iu][1248]|b1)")
# Opcodes that store a value at a position of the pickle's memo.
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


def read_pickle(path: Path) -> Any:
    """Return the content of a pickle: arrays, tensors, dict, list, tuple, text, numbers, None.

    Arrays are writable numpy arrays of numbers or booleans, tensors are torch tensors on the CPU.
    An OrderedDict keeps its attribute ``_metadata``, which state dicts have. Text and bytes of
    Python 2 are read as latin-1. A record (`RECORDS`) is read as None.

    Raises:
        InputError: the file is absent, no pickle, truncated or larger than 8 GiB, or asks for an
            unknown function or object. The reader refuses a name before importing or calling it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(
            f"{path}: is larger than {MOST_BYTES // 2**30} GiB, the limit for models; check the "
            "path"
        )
    content = path.read_bytes()
    try:
        _check_memo(content)
        held = _Reader(io.BytesIO(content), encoding="latin1").load()
        return _finished(held, {})
    except Refused as refused:
        raise InputError(
            f"{path}: refused, because it {refused}; a checkpoint holds only arrays and plain "
            "containers"
        ) from None
    # On other content the unpickler can raise any exception.
    except Exception as error:
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 240, placeholder=" ...")
        raise InputError(
            f"{path}: not a readable pickle of arrays ({reason}); take an unbroken copy of a "
            "checkpoint"
        ) from None


class Refused(Exception):
    """A request of a pickle that is refused; the message completes "because it ..."."""


def _check_memo(content: bytes) -> None:
    """Refuse a pickle whose memo has positions beyond its number of values.

    The unpickler allocates the memo up to the largest position, which could fill the memory.
    """
    for number, (opcode, place, _) in enumerate(pickletools.genops(content)):
        if opcode.name in MEMO and isinstance(place, int) and place > number:
            raise Refused(f"has fewer values than its place {place} claims")


class _Known:
    """A function that a pickle may call; it has no attributes that a pickle could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return this module's replacement for a global name; refuse unknown names."""
        if (module, name) in RECORDS:
            return Record
        module = module.replace("numpy._core.", "numpy.core.")
        known = KNOWN.get((module, name))
        if known is None:
            raise Refused(f"asks for '{module}.{name}'")
        return OrderedDict if known is OrderedDict else _Known(known)

    def persistent_load(self, _: Any) -> Any:
        """Refuse references to objects outside the pickle."""
        raise Refused("asks for an object that is kept outside it (persistent id)")


class _Dtype:
    """A numpy.dtype under construction."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_: object) -> None:
        self.code, self.order = code, ""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) < 5 or any(part is not None for part in state[2:5]):
            raise Refused("holds an array of records")
        self.order = state[1]

    def made(self) -> np.dtype:
        text = f"{self.order}{self.code}".replace("||", "|")
        if not NUMBERS.fullmatch(text):
            raise Refused(f"holds an array of '{self.code}', not of numbers")
        return np.dtype(text)


class _Array:
    """A numpy.ndarray under construction, or a finished array or tensor."""

    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | Tensor | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, content = state[-4:]
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise Refused("holds an array without a type")
    kind = dtype.made()
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        raise Refused("holds an array of something other than bytes")
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise Refused(f"holds an array of shape {shape}")
    if math.prod(shape) * kind.itemsize != len(content):
        raise Refused(f"holds {len(content)} bytes for an array of shape {list(shape)}")
    # astype copies: an array on top of bytes would be read-only.
    return np.frombuffer(content, kind).reshape(shape, order=order).astype(kind.newbyteorder("="))


def _buffered(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.value = _array(content, dtype, shape, order)
    return array


def _scalar(dtype: Any, content: Any) -> _Array:
    return _buffered(content, dtype, (), "C")


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that protocol 2 stores as latin-1 text."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused(f"encodes text as '{encoding}'")
    return text.encode("latin1")


def _no_bytes(*arguments: Any) -> bytes:
    """Return empty bytes, which protocol 2 stores as a call of ``bytes()``."""
    if arguments:
        raise Refused("makes bytes of something else")
    return b""


class Record:
    """Something beside the weights, of which nothing is kept."""

    __slots__ = ()

    def __init__(self, *_: object) -> None:
        """Take any arguments."""

    def __new__(cls, *_: object) -> "Record":
        """Take any arguments."""
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        """Take any state."""


class _Storage:
    """The numbers of a tensor, a torch file inside the pickle; a pickle can set no attribute."""

    __slots__ = ("value",)

    def __init__(self, content: bytes) -> None:
        self.value = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Array:
    if not isinstance(storage.value, torch.TypedStorage):
        raise Refused("holds a tensor without numbers")
    numbers = torch.empty(0, dtype=storage.value.dtype).set_(storage.value)
    if math.prod(size) > numbers.numel():
        raise Refused(f"holds {numbers.numel()} numbers for a tensor of shape {list(size)}")
    array = _Array()
    array.value = numbers.as_strided(size, stride, offset)
    return array


def _parameter(tensor: _Array, *_: object) -> _Array:
    return tensor


def _kind(*_: object) -> None:
    raise Refused("makes an array without its content")


# numpy's names are those before version 2; `find_class` translates numpy 2's numpy._core.
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
# What training programs keep beside the weights: arguments, paths, times and ids.
RECORDS = (
    ("argparse", "Namespace"),
    ("types", "SimpleNamespace"),
    *(
        (module, name)
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")
    ),
    *(("datetime", name) for name in ("datetime", "date", "time", "timedelta", "timezone")),
    ("uuid", "UUID"),
)
# The names that are read in files of torch, beside those that torch's own safe reader knows.
OF_TORCH_FILES: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *(
        (make, f"{package}.{name}")
        for package in ("numpy.core", "numpy._core")
        for name, make in (
            ("multiarray._reconstruct", _Array),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _buffered),
        )
    ),
    (_kind, "numpy.ndarray"),
    (_Dtype, "numpy.dtype"),
    *((Record, ".".join(record)) for record in RECORDS),
]


def finished_value(held: Any) -> Any:
    """Return a value of a file of torch, with a numpy array or a number if it was one of numpy."""
    return _value(held) if isinstance(held, _Array) and held.value is not None else held


def _value(array: _Array) -> Any:
    # A 0-dimensional array becomes a Python number.
    value = array.value
    return value if value is None or value.shape else value.item()


def _finished(held: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """Replace arrays under construction by finished arrays, throughout the unpickler's result.

    Args:
        held: an object from the unpickler; dictionaries and lists are changed in place.
        done: (object, result) of every finished object by `id`, so that a shared object is finished
            once. Keeping the object alive keeps its `id` from being used again.
    """
    if id(held) in done:
        return done[id(held)][1]
    done[id(held)] = held, held
    result = held
    if isinstance(held, _Array) and held.value is not None:
        result = _value(held)
    elif isinstance(held, Record):
        result = None
    elif isinstance(held, _Dtype):
        result = held.made()
    elif isinstance(held, dict):
        _finish_attributes(held, done)
        for key, value in held.items():
            if not isinstance(key, PLAIN):
                raise Refused("names something by other than text or a number")
            held[key] = _finished(value, done)
    elif isinstance(held, list):
        held[:] = [_finished(item, done) for item in held]
    elif isinstance(held, tuple):
        result = tuple(_finished(item, done) for item in held)
    elif not isinstance(held, PLAIN):
        raise Refused("holds a function or a class")
    done[id(held)] = held, result
    return result


def _finish_attributes(held: dict[Any, Any], done: dict[int, tuple[Any, Any]]) -> None:
    attributes = vars(held) if isinstance(held, OrderedDict) else {}
    for name in attributes:
        if name != "_metadata":
            raise Refused(f"sets the attribute '{name}' of a dictionary")
        attributes[name] = _finished(attributes[name], done)
