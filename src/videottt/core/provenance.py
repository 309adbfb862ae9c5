"""Record where a result comes from, in a form that is equal whenever the result is equal.

No wall time and no host name: two runs of the same thing write the same bytes.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import videottt

PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "h5py",
    "pillow",
    "scipy",
    "safetensors",
    "kornia",
    "scikit-image",
    "imageio-ffmpeg",
)
# Calls whose texts only people read, and arguments of any call that are such texts.
_FOR_PEOPLE = ("InputError", "MustBe", "logger.debug", "logger.info", "logger.warning")
_WORDS = ("help", "description", "metavar")


def provenance(device: str = "cpu", **facts: object) -> dict[str, Any]:
    """Return what decides a result: the given facts, the code, the device and package versions."""
    return {
        **facts,
        "videottt": videottt.__version__,
        "code": code_fingerprint(sorted(Path(videottt.__file__).parent.rglob("*.py"))),
        "device": device,
        "python": platform.python_version(),
        "packages": dict(_versions()),
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        # The streaming library alone does without some of them.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def code_fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of what Python files do; words that people read do not count."""
    return fingerprint_of(_logic(file, file.stat().st_mtime_ns) for file in files)


@functools.cache
def _logic(file: Path, _changed: int) -> bytes:
    return logic_of(ast.parse(file.read_text(encoding="utf-8")))


def fingerprint_of(logics: Iterable[bytes]) -> str:
    """Return a hash of what Python files do, of the logic of each."""
    digest = hashlib.sha256()
    for logic in logics:
        digest.update(logic)
    return digest.hexdigest()[:16]


def logic_of(tree: ast.Module) -> bytes:
    """Return what a Python file does, as bytes, without the words that people read.

    Those are docstrings, error and log lines and help texts.
    """
    return "\n".join(_logic_of_node(tree, wordless=False)).encode()


def _logic_of_node(node: ast.AST, wordless: bool) -> list[str]:
    """Return the kinds and values of a node and all below it; `wordless`: without texts.

    Every job asks for that of the whole package, which takes `ast.dump` twice as long.
    """
    if isinstance(node, ast.Constant):
        # Not as a field of that value is: `raise error from None` is not `raise error`.
        return ["=" if wordless and isinstance(node.value, str) else f"={node.value!r}"]
    wordless = wordless or _is_for_people(node)
    logic = [type(node).__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            logic += _logic_of_node(value, wordless)
        elif isinstance(value, list):
            logic.append("[")
            for part in value:
                if not isinstance(part, ast.AST):
                    logic.append(repr(part))
                elif not _is_left_out(part, node, wordless):
                    logic += _logic_of_node(part, wordless)
            logic.append("]")
        else:
            logic.append(repr(value))
    return logic


def _is_for_people(node: ast.AST) -> bool:
    """Return whether the texts below a node are the message of an error, a log line or help."""
    if isinstance(node, ast.Call):
        return _dotted(node.func) in _FOR_PEOPLE
    return isinstance(node, ast.Raise) or (isinstance(node, ast.keyword) and node.arg in _WORDS)


def _is_left_out(part: ast.AST, node: ast.AST, wordless: bool) -> bool:
    """Return whether a part of a node is a statement that is a text, or words between values."""
    if isinstance(part, ast.Expr):
        return _is_text(part.value)
    return wordless and isinstance(node, ast.JoinedStr) and _is_text(part)


def _dotted(node: ast.expr) -> str:
    """Return what is called, such as `logger.info`, or "" where that is no such name."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
