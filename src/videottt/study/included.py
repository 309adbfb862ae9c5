"""Include the results of a study in the README and in docs/: `make results STUDY=demo_full`.

A page has blocks. The command writes what is inside of them, and nothing else of the page:

    <!-- results: demo_full/table1 rows="main_task_only; online_ttt_mae" columns="mIoU; gain" -->
    <!-- end of results -->

The name is one of a table of `workflow/config/tables.yaml`, `cost`, `conventions`, `omissions`,
`diagnosis` or `theory_<dataset>_<task>`. A block without `rows` (ids of methods) and `columns`
(headings) has all of them. A figure has the path below `results/figures/`, and the words for those
who do not see it:

    <!-- results: demo_full/figures/demo_full/bars.png alt="Bars: mIoU of every method" -->
    <!-- end of results -->

Tables are made by the code and the configuration of today, from numbers that the project keeps in
docs/results/<study>/ (see `study.shipped_results`). A test compares them with the pages: it fails
when a column, a caption, a label or a row has changed, or somebody has edited a number.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from videottt.core.errors import InputError, nearest
from videottt.core.files import write_text
from videottt.core.paths import named_path
from videottt.study.config import study_named
from videottt.study.remade_tables import chosen, configuration, remade_table
from videottt.study.shipped_results import FIGURES, made_line, read_made, ship
from videottt.study.shown import labels_of

README = "README.md"
DOCS = "docs"
SHIPPED = "docs/results"

_END = "<!-- end of results -->"
_OPENED = re.compile(r"^<!-- results: .*$", re.MULTILINE)
_BLOCK = re.compile(
    rf"^(?P<first><!-- results: (?P<study>[\w-]+)/(?P<name>\S+)(?P<options>[^\n]*?) -->)\n"
    rf"(?P<inside>(?:(?!<!-- results: ).)*?)^{re.escape(_END)}$",
    re.MULTILINE | re.DOTALL,
)
_OPTIONS = ("rows", "columns", "alt")


@dataclass(frozen=True)
class Block:
    """A place of a page that a command fills.

    Attributes:
        study: id.
        name: of a table, or ``figures/<path>``.
        options: rows, columns or alt, as written.
        inside: what the page has there.
    """

    study: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    inside: str = ""

    def several(self, option: str) -> list[str]:
        """Return the parts of an option, which semicolons divide."""
        parts = self.options.get(option, "").split(";")
        return [part.strip() for part in parts if part.strip()]


def pages_of(project: Path) -> list[Path]:
    """Return the pages that may have blocks."""
    return [project / README, *sorted((project / DOCS).rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order.

    Raises:
        InputError: a block has no end, or an option that does not exist.
    """
    text = page.read_text(encoding="utf-8")
    found = [_block(match, page) for match in _BLOCK.finditer(text)]
    if len(found) != len(_OPENED.findall(text)):
        raise InputError(f"{page}: a block of results has no end; write '{_END}' below it")
    return found


def without_blocks(page: Path) -> str:
    """Return the text of a page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def filled(page: Path, project: Path) -> str:
    """Return the text of a page with the results of today in every block.

    Args:
        page: a file of the project.
        project: its folder.

    Raises:
        InputError: a block is wrong, or asks for a row, a column, a table or a figure that is not
            there.
    """
    blocks_of(page)

    def inside(match: re.Match[str]) -> str:
        block = _block(match, page)
        return f"{match['first']}\n\n{_content(block, page, project)}\n\n{_END}"

    return _BLOCK.sub(inside, page.read_text(encoding="utf-8"))


def _block(match: re.Match[str], page: Path) -> Block:
    try:
        words = shlex.split(match["options"])
    except ValueError as error:
        raise InputError(f"{page}: {match['first']}: {error}; mend its quotes") from None
    options = dict(word.partition("=")[::2] for word in words)
    for name in options:
        if name not in _OPTIONS:
            raise InputError(f"{page}: results: no option '{name}'; {nearest(name, _OPTIONS)}")
    return Block(match["study"], match["name"], options, match["inside"].strip())


def _content(block: Block, page: Path, project: Path) -> str:
    folder = project / SHIPPED / block.study
    if not folder.exists():
        return f"*Not run yet under this protocol: `make results STUDY={block.study}`.*"
    made = read_made(folder)
    if block.name.startswith(f"{FIGURES}/"):
        if block.name not in made["files"]:
            raise InputError(f"{page}: {block.name} is not shipped; run 'make results'")
        link = os.path.relpath(folder / block.name, page.parent)
        return f"![{block.options.get('alt', '')}]({link})"
    labels = labels_of(configuration(block.study))
    rows = [labels.get(method, method) for method in block.several("rows")]
    try:
        table = remade_table(block.study, block.name, folder)
        if block.several("rows") or block.several("columns"):
            table = chosen(table, rows, block.several("columns"))
    except InputError as error:
        raise InputError(f"{page}: {block.study}/{block.name}: {error}") from None
    return f"{table.strip()}\n\n{made_line(made)}"


def include(study_id: str, results: Path, project: Path) -> list[Path]:
    """Ship what the pages show of a study's results, and write it into them.

    Returns:
        the files written.

    Raises:
        InputError: a result is absent, a block is wrong, or no page shows the study.
    """
    study = study_named(configuration(study_id), study_id)
    pages = {
        page: [b for b in blocks_of(page) if b.study == study_id] for page in pages_of(project)
    }
    names = [block.name for each in pages.values() for block in each]
    if not names:
        raise InputError(
            f"no page shows '{study_id}'; add a block '<!-- results: {study_id}/table1 -->'"
        )
    written = ship(study_id, study, results, project / SHIPPED / study_id, names)
    remade_table.cache_clear()
    texts = {page: filled(page, project) for page, each in pages.items() if each}
    for page, text in texts.items():
        write_text(page, text)
    return [*written, *texts]


def main() -> None:
    """Include the results of a study."""
    parser = argparse.ArgumentParser(description="Include the results of a study in the pages.")
    parser.add_argument("--study", required=True, help="id of a study whose workflow has run")
    parser.add_argument(
        "--results", type=named_path, default=Path("results"), help="of the workflow"
    )
    parser.add_argument("--project", type=named_path, default=Path(), help="folder of the project")
    options = parser.parse_args()
    try:
        for path in include(options.study, options.results, options.project):
            print(path)
    except InputError as error:
        sys.exit(f"videottt: error: {error}")


if __name__ == "__main__":
    main()
