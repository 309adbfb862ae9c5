"""Record where a result comes from, in a form that is equal whenever the result is equal.

No wall time and no host name: two runs of the same thing at one commit write the same bytes.

What decides a result (`provenance`) is its identity, by which a finished output and a saved state
are recognised. What a file notes besides (`recorded`) is the commit: with it a reader finds the
source text, and without it nothing is recognised, so that a commit that changes only words throws
no state away.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import videottt

PACKAGES = (
    "torch",
    "transformers",
    "timm",
    "numpy",
    "h5py",
    "pillow",
    "scipy",
    "safetensors",
    "kornia",
    "scikit-image",
    "imageio-ffmpeg",
)
# Of the source tree, which decides nothing that the fingerprint of the code does not.
NOTED = ("commit", "dirty")
# Seconds that git may take, as on a slow file system.
PATIENCE = 10.0
# In a hook of git these name another repository than that of the package.
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
# Calls whose texts only people read, and arguments of any call that are such texts.
_FOR_PEOPLE = ("InputError", "MustBe", "logger.debug", "logger.info", "logger.warning")
_WORDS = ("help", "description", "metavar")


def provenance(device: str = "cpu", **facts: object) -> dict[str, Any]:
    """Return what decides a result: the given facts, the code, the device and package versions."""
    # Asked here, where a job starts: while it runs, the source text may become another commit's.
    source_tree()
    return {
        **facts,
        "videottt": videottt.__version__,
        "code": code_fingerprint(sorted(Path(videottt.__file__).parent.rglob("*.py"))),
        "device": device,
        "python": platform.python_version(),
        "packages": dict(_versions()),
    }


def recorded(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file records of its making: what decides it, and the state of the source tree.

    Args:
        identity: what decides the result, as `provenance` returns it.

    Returns:
        `identity` with ``commit`` and ``dirty``; see `source_tree`.
    """
    return {**identity, **source_tree()}


def identity_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides a result, from what its file recorded."""
    return {name: value for name, value in record.items() if name not in NOTED}


@functools.cache
def source_tree() -> dict[str, Any]:
    """Return the commit that the package's source text is of, and whether it differs from that.

    Only files of the package count: results and pages below the same work tree change while jobs
    run.

    Returns:
        commit: text, in hexadecimal; dirty: bool, whether a file of the package is changed or is
        in no commit. Both are None if the package is not tracked in a git work tree (as installed
        in site-packages, also inside of a repository), or if git is absent, fails or does not
        answer within `PATIENCE` seconds.
    """
    package = Path(videottt.__file__).resolve()
    environment = {name: each for name, each in os.environ.items() if name not in ELSEWHERE}
    command = [
        "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c",
        "status.relativePaths=true", "-C", str(package.parent), "status", "--porcelain=v2",
        "--branch", "--untracked-files=normal", "--ignored=traditional", "--", ".",
    ]  # fmt: skip
    try:
        answer = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="replace", timeout=PATIENCE, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return dict.fromkeys(NOTED)
    return _state_of(answer.stdout.splitlines(), package)


def _state_of(lines: Iterable[str], package: Path) -> dict[str, Any]:
    """Return commit and dirty flag from what `git status` says in the package's folder."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        kinds.setdefault(kind, []).append(rest)
    untracked = [*kinds.get("?", ()), *kinds.get("!", ())]
    places = {(package.parent / name).resolve() for name in untracked}
    commit = dict(each.partition(" ")[::2] for each in kinds.get("#", ())).get("branch.oid", "(")
    if commit.startswith("(") or places & {package, *package.parents}:
        return dict.fromkeys(NOTED)
    return {"commit": commit, "dirty": bool(kinds.keys() - {"#", "!"})}


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
