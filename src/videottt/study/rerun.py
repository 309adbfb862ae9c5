"""Compute what re-runs a job: the modules that its verb imports, less those that decide no number.

A module that is left out by mistake costs a wrong number, one too many costs a job that runs again:
in doubt a module counts.
"""

import ast
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path

import videottt
from videottt.core.errors import InputError
from videottt.core.ids import MethodId
from videottt.core.provenance import fingerprint_of, logic_of
from videottt.study.config import Config, study_of
from videottt.study.drawn import drawn_in

NAME = "videottt"
# Modules that decide no number, and why. What only they import does not count either.
PLUMBING = {
    "videottt": "the version and the public names",
    "videottt.cli": "finds the module of a verb, and reports errors",
    "videottt.cli.arguments": "reads the command line, which the rules write in full",
    "videottt.core.errors": "messages",
    "videottt.core.progress": "messages",
    "videottt.core.refusals": "messages",
    "videottt.core.provenance": "notes beside a result what it was made with",
    "videottt.runtime.claims": "keeps two processes from one file",
    "videottt.runtime.gpus": "leases a GPU; which one it is changes nothing",
    "videottt.runtime.interruption": "notes that a job is to stop",
    "videottt.runtime.nvml": "asks the driver which GPUs there are",
    "videottt.runtime.out_of_memory": "recognises an error",
    "videottt.runtime.saved_state": "keeps what a killed job goes on from, bit for bit",
}
# Where a statement holds others.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True)
class Module:
    """A module of the package.

    Attributes:
        imported: names of the modules of the package that it imports, and of those these are in.
        logic: what it does, without comments and docstrings.
    """

    imported: Sequence[str]
    logic: bytes


def fingerprint(*modules: str, root: Path | None = None) -> str:
    """Return a fingerprint of what modules do: jobs run again where it has changed.

    Args:
        modules: that of a verb, and those that the verb looks up by a name in its settings, which
            no import shows.
        root: folder of the package; by default the installed one.

    Raises:
        InputError: there is no such module.
    """
    root = root or Path(videottt.__file__).parent
    behind = modules_behind(*modules, root=root)
    return fingerprint_of(module.logic for module in behind.values())


def layout_module(config: Config, dataset: str) -> str:
    """Return the module that reads and writes the layout of a data set."""
    return f"{NAME}.data.layouts.{config['datasets'][dataset]['layout']}"


def objective_module(config: Config, method: MethodId) -> str:
    """Return the module of what a method minimises."""
    return f"{NAME}.ttt.objectives.{config['methods'][method.base]['objective']}"


def theory_module(config: Config, dataset: str) -> str:
    """Return the module of the objective whose gradients are measured on a data set."""
    return objective_module(config, drawn_in(config, study_of(config, dataset)).theory)


def modules_behind(*modules: str, root: Path) -> dict[str, Module]:
    """Return the modules whose logic some modules run, by name and in that order.

    Those are they themselves, what they import anywhere, also inside functions, what that imports,
    and the packages that all of these are in. Imports for type checkers alone run nothing.

    Raises:
        InputError: there is no such module.
    """
    found: dict[str, Module] = {}
    waiting = [package for name in modules for package in _with_packages(name)]
    while waiting:
        name = waiting.pop()
        if name in found or name in PLUMBING:
            continue
        file = _file_of(name, root)
        if file is None:
            raise InputError(f"{name}: there is no such module below {root}")
        found[name] = _read(file, file.stat().st_mtime_ns, name, root)
        waiting += found[name].imported
    return dict(sorted(found.items()))


@functools.cache
def _file_of(module: str, root: Path) -> Path | None:
    place = root.joinpath(*module.split(".")[1:])
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _with_packages(module: str) -> list[str]:
    """Return a module and all packages that it is in."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@functools.cache
def _read(file: Path, _changed: int, name: str, root: Path) -> Module:
    # Kept, because the rules ask for many verbs, whose modules overlap.
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    imported = [
        module
        for statement in _imports(tree.body)
        for each in _named(statement, package, root)
        if each.split(".")[0] == NAME
        for module in _with_packages(each)
    ]
    return Module(tuple(dict.fromkeys(imported)), logic_of(tree))


def _imports(statements: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield every import in some statements, and in those below them, but for type checkers."""
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.If) and _is_for_type_checkers(statement.test):
            yield from _imports(statement.orelse)
        else:
            for block in _BLOCKS:
                yield from _imports(getattr(statement, block, ()))


def _is_for_type_checkers(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _named(statement: ast.Import | ast.ImportFrom, package: str, root: Path) -> list[str]:
    """Return the modules that an import names."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    source = resolve_name("." * statement.level + (statement.module or ""), package)
    if source.split(".")[0] != NAME:
        return []
    below = [f"{source}.{alias.name}" for alias in statement.names]
    return [source, *(name for name in below if _file_of(name, root))]
