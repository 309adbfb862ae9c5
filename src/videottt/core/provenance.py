"""Where a result comes from, in a form that is the same whenever the result is the same.

No wall time and no host name: two runs of the same thing write the same bytes.
"""

import ast
import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable
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
# What may begin with a docstring.
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def provenance(device: str = "cpu", **facts: object) -> dict[str, Any]:
    """Return what decides a result: the given facts, the code, the device and package versions."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        **facts,
        "videottt": videottt.__version__,
        "code": code_fingerprint(sorted(Path(videottt.__file__).parent.rglob("*.py"))),
        "device": device,
        "python": platform.python_version(),
        "packages": versions,
    }


def code_fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of what Python files do: comments, docstrings and layout do not count."""
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
    """Return what a Python file does, as bytes; its docstrings are taken out of the tree."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and node.body and _is_text(node.body[0]):
            node.body = node.body[1:]
    return ast.dump(tree).encode()


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
