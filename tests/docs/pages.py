"""Read the pages of the documentation: their code blocks, links, headings and named paths."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Pages whose links and paths are checked, though their code blocks are not.
OTHERS = [*sorted(set(ROOT.glob("*.md")) - {PAGES[0]}), ROOT / "benchmarks/README.md",
          ROOT / "results/README.md"]  # fmt: skip
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FENCE = re.compile(r"^( *)```(\w*)\s*$")
EXCUSE = re.compile(r"^ *<!-- not run: (.+) -->$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: its file.
        line: number of the line that opens it.
        language: named behind the fence; "" for none.
        text: what is inside.
        excuse: why it is not run; "" for a block that is.
    """

    page: Path
    line: int
    language: str
    text: str
    excuse: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page):
    """Return the fenced blocks of a page."""
    found, opened = [], None
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if opened is not None and line.strip() == "```":
            inner = (each.removeprefix(opened[1]) for each in lines[opened[0] : number - 1])
            excuse = EXCUSE.match(lines[opened[0] - 2]) if opened[0] > 1 else None
            text = "\n".join(inner)
            found.append(Block(page, opened[0], opened[2], text, excuse[1] if excuse else ""))
            opened = None
        elif opened is None and fence:
            opened = number, fence[1], fence[2]
    assert opened is None, f"{page}: the block of line {opened and opened[0]} is not closed"
    return found


def prose_of(page):
    """Return the text of a page without its fenced blocks."""
    text, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("```"):
            inside = not inside
        elif not inside:
            text.append(line)
    return "\n".join(text)


def links_of(page):
    """Return the targets of the links and images of a page."""
    return LINK.findall(CODE.sub("", prose_of(page)))


def code_of(page):
    """Return what stands between backticks in the prose of a page."""
    return CODE.findall(prose_of(page))


def anchors_of(page):
    """Return the anchors of a page's headings, as GitHub and as mkdocs make them."""
    github, site = set(), set()
    for title in re.findall(r"^#+ +(.+?) *$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", title)
        github.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
        ascii_only = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
        kept = re.sub(r"[^\w\s-]", "", ascii_only).strip().lower()
        site.add(re.sub(r"[-\s]+", "-", kept))
    return github, site
