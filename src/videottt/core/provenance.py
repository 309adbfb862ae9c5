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

    Those are docstrings, error and log lines and help texts; they are taken out of the tree.
    """
    return ast.dump(_WithoutWords().visit(tree)).encode()


class _WithoutWords(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop a statement that is only a text."""
        return None if _is_text(node.value) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Blank the message of an error."""
        return _blanked(self.generic_visit(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Blank the texts of an error or log line, and help texts."""
        self.generic_visit(node)
        if ast.unparse(node.func) in _FOR_PEOPLE:
            return _blanked(node)
        for keyword in node.keywords:
            if keyword.arg in _WORDS:
                _blanked(keyword)
        return node


def _blanked(node: ast.AST) -> ast.AST:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            part.value = ""
        elif isinstance(part, ast.JoinedStr):
            part.values = [value for value in part.values if not _is_text(value)]
    return node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
