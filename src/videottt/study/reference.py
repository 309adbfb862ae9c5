"""Write the reference page of all settings, and the schema of their files for editors.

Both are made of the declarations in videottt.settings: `python -m videottt.study.reference`.
"""

import argparse
import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from videottt.core.annotations import MustBe, SomeOf
from videottt.core.paths import named_path
from videottt.runtime.slurm_site import Site
from videottt.settings.augmentation import Augmentation, Views
from videottt.settings.config import (
    ConfigFile,
    MethodEntry,
    ModelEntry,
    Protocol,
    TrainedCheckpoint,
)
from videottt.settings.dataset import Classes, Dataset, Phase, RenderedVideo, Rendering, Span
from videottt.settings.decoding import Decoding
from videottt.settings.method import CollapseSettings, Method, OptimizerSettings
from videottt.settings.presets import Preset, SwinSizes, TimmBackbone
from videottt.settings.study import (
    InputSize,
    OfDataset,
    PublishedNumbers,
    Selection,
    Study,
    Sweep,
    TaskTraining,
    Training,
)
from videottt.settings.tables import DrawnMethods, RowGroup, Table
from videottt.settings.training import TrainingSettings
from videottt.study.layers import ABSTRACT, EXTENDS
from videottt.ttt.objectives import list_objectives, objective_class

PAGE = "docs/reference/config.md"
SCHEMA = "workflow/schemas/config.schema.json"

# Every class of settings, in the order of the page.
CHAPTERS: dict[str, list[type]] = {
    "The configuration": [ConfigFile],
    "Studies": [
        Study, InputSize, Training, TaskTraining, TrainingSettings, Augmentation, Selection, Sweep,
        OfDataset, PublishedNumbers,
    ],
    "Methods": [
        MethodEntry, Method, OptimizerSettings, CollapseSettings, Views, Decoding, Protocol,
        TrainedCheckpoint,
    ],
    "Models": [ModelEntry, Preset, SwinSizes, TimmBackbone],
    "Data sets": [Dataset, Classes, Span, Rendering, RenderedVideo, Phase],
    "Tables and figures": [Table, RowGroup, DrawnMethods],
    "The cluster: slurm.yaml": [Site],
}  # fmt: skip

OPENING = """# Settings

Every setting, with its type, its range, its default and its meaning. `make reference` writes
this page from the declarations in `src/videottt/settings/` and in the objectives; do not edit it.

Settings come in layers, each on top of the one before: the files of `workflow/config/`, then
`config.yaml`, then files given with `--configfile`, then `--config name=value` on the command line.
Settings are merged name by name; a list replaces a list; null removes a list or a group of
settings. An entry of methods, data sets or studies may have `extends: <id>` (or a list of ids), and
takes over everything of those; a study with `abstract: true` is only there to be extended. An
unknown name is an error that suggests the nearest one.

In an editor with a YAML language server, the first line of each file of settings turns on
completion and checks.
"""


def reference_page() -> str:
    """Return the page, as Markdown."""
    parts = [OPENING]
    for chapter, kinds in CHAPTERS.items():
        parts.append(f"## {chapter}\n")
        parts += [_section(kind, kind.__name__) for kind in kinds]
    parts.append("## Options of the objectives\n")
    parts.append("The `options` of a method depend on its `objective`.\n")
    parts += [_section(objective_class(name), f"Objective {name}") for name in list_objectives()]
    return "\n".join(parts)


def _section(kind: type, title: str) -> str:
    first, meanings = documented(kind)
    lines = [f"### {title}", "", first, ""]
    fields = dataclasses.fields(kind)
    if fields:
        hints = typing.get_type_hints(kind, include_extras=True)
        lines += ["| setting | value | default | meaning |", "|:--|:--|:--|:--|"]
        for field in fields:
            cells = [
                f"`{field.name}`",
                in_words(hints[field.name]),
                _default(field),
                meanings.get(field.name, ""),
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def documented(kind: type) -> tuple[str, dict[str, str]]:
    """Return the first line of a class's docstring, and the meaning of each of its settings."""
    meanings: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, section = text.partition("\nAttributes:\n")
        section = re.split(r"\n(?=\S)", section)[0]
        for entry in re.split(r"\n(?=    \w)", "\n" + section):
            name, colon, meaning = entry.strip().partition(": ")
            if colon:
                meanings[name] = " ".join(meaning.split()).replace("``", "`")
    first = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
    return " ".join(first.split()), meanings


def in_words(annotation: Any) -> str:
    """Return what a value may be, as people write it in YAML."""
    if annotation is Any:
        return "anything"
    if annotation is type(None):
        return "null"
    origin, of = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(in_words, of))
    if hasattr(annotation, "__metadata__"):
        return _marked(of[0], annotation.__metadata__)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in of)
    if origin is dict:
        return f"{{name: {in_words(of[1])}}}"
    if origin is list or (origin is tuple and of[-1] is Ellipsis):
        return f"list, each {in_words(of[0])}"
    if origin is tuple:
        return f"list of {len(of)}, each {in_words(of[0])}"
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _link(annotation)
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}[annotation]


def _marked(annotation: Any, marks: tuple[Any, ...]) -> str:
    for mark in marks:
        if isinstance(mark, MustBe):
            return mark.words
        if isinstance(mark, SomeOf):
            return "some settings of " + " and ".join(map(_link, mark.kinds))
    return in_words(annotation) + "".join(_bounds(marks))


def _bounds(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        for bound in mark.metadata if isinstance(mark, FieldInfo) else [mark]:
            match bound:
                case annotated_types.Ge(ge=number):
                    yield f" ≥ {number}"
                case annotated_types.Gt(gt=number):
                    yield f" > {number}"
                case annotated_types.Le(le=number):
                    yield f" ≤ {number}"
                case annotated_types.Lt(lt=number):
                    yield f" < {number}"
                case annotated_types.MultipleOf(multiple_of=number):
                    yield f", a multiple of {number}"


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{json.dumps(field.default)}`"
    if field.default_factory is dataclasses.MISSING:
        return "–"
    made = field.default_factory()
    return "its defaults" if dataclasses.is_dataclass(made) else f"`{json.dumps(made)}`"


class _Described(GenerateJsonSchema):
    """Adds to the schema of a class what it is."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Return the schema of a class of settings."""
        return {**super().dataclass_schema(schema), "description": documented(schema["cls"])[0]}


def editors_schema() -> dict[str, Any]:
    """Return the JSON schema of a file of settings: any of them may be left out, or be null."""
    schema = TypeAdapter(ConfigFile).json_schema(schema_generator=_Described)
    definitions: dict[str, Any] = schema["$defs"]
    for name, kind in [("ConfigFile", schema), *definitions.items()]:
        kind.pop("required", None)
        meanings = _meanings(name)
        for setting, entry in kind.get("properties", {}).items():
            kind["properties"][setting] = {
                **_or_null(entry), "description": meanings.get(setting, "")
            }  # fmt: skip
    ids = {"type": "string", "description": "id of another entry"}
    for name in ("SomeMethodEntryAndMethod", "Dataset", "Study"):
        definitions[name]["properties"][EXTENDS] = {"anyOf": [ids, {"type": "array", "items": ids}]}
    definitions["Study"]["properties"][ABSTRACT] = {"type": "boolean"}
    definitions["Dataset"]["properties"]["classes"]["anyOf"].append({"type": "string"})
    for section in ("methods", "protocols", "checkpoints", "tables"):
        definitions[section.capitalize()] = schema["properties"][section]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _meanings(definition: str) -> dict[str, str]:
    """Return the meanings of the settings of a class, or of the classes of a `SomeOf`."""
    kinds = {kind.__name__: kind for chapter in CHAPTERS.values() for kind in chapter}
    names = [definition] if definition in kinds else definition.removeprefix("Some").split("And")
    meanings: dict[str, str] = {}
    for name in reversed(names):
        meanings |= documented(kinds[name])[1]
    return meanings


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a setting that null removes, where it is a list or has names."""
    removable = {"$ref", "additionalProperties", "patternProperties", "items", "prefixItems"}
    if not (removable & schema.keys()):
        return schema
    patterns = schema.get("patternProperties", {})
    if patterns:
        below = {pattern: _or_null(entry) for pattern, entry in patterns.items()}
        schema = {**schema, "patternProperties": below, "additionalProperties": False}
    elif isinstance(schema.get("additionalProperties"), dict):
        schema = {**schema, "additionalProperties": _or_null(schema["additionalProperties"])}
    return {"anyOf": [schema, {"type": "null"}]}


def main() -> None:
    """Write both files into the project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=named_path, default=Path(), help="folder of the project")
    project = parser.parse_args().project
    schema = json.dumps(editors_schema(), indent=1, sort_keys=True, ensure_ascii=False)
    for path, text in ((PAGE, reference_page()), (SCHEMA, schema + "\n")):
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(file)


if __name__ == "__main__":
    main()
