"""The pages name what exists: links, anchors, pictures, paths, verbs and targets."""

import re

import pytest
import yaml

from docs.pages import OTHERS, PAGES, TARGETS, anchors_of, code_of, links_of
from support import ROOT
from videottt.cli import VERBS

DOCS = ROOT / "docs"
PACKAGE = ROOT / "src/videottt"
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
# Folders of the project that a page may name; what is generated is not among them.
FOLDERS = ("src", "rules", "workflow", "tests", "envs", "benchmarks", "docs")
TOP_FILES = re.compile(r"[A-Z]+\.(md|cff)|Dockerfile|Makefile|apptainer\.def|config\.yaml|.*\.lock")


def by_name(page):
    return str(page.relative_to(ROOT))


def path_named(text):
    """Return the path of the project that a piece of code is, or None."""
    text = text.rstrip("/")
    if re.search(r"[<>*{}…$%\s]", text):
        return None
    first, _, rest = text.partition("/")
    if (rest and first in FOLDERS) or text == "results/README.md":
        return ROOT / text
    if rest and first in ROOMS and text.endswith(".py"):
        return PACKAGE / text
    return ROOT / text if TOP_FILES.fullmatch(text) else None


def test_the_readme_fits():
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    pictures = [number for number, line in enumerate(lines) if line.startswith("![")]
    assert pictures
    assert pictures[0] < 12


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=by_name)
def test_links_lead_somewhere(page):
    for target in links_of(page):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{by_name(page)}: nothing is at {target}"
        if page.is_relative_to(DOCS):
            assert file.is_relative_to(DOCS), f"{by_name(page)}: {target} is not part of the site"
        if anchor:
            for kind in anchors_of(file):
                assert anchor in kind, f"{by_name(page)}: no heading is at {target}"


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=by_name)
def test_paths_verbs_and_targets_exist(page):
    # A changelog names what is gone.
    if page.name == "CHANGELOG.md":
        return
    for text in code_of(page):
        path = path_named(text)
        assert path is None or path.exists(), f"{by_name(page)}: there is no {text}"
        verb = re.match(r"videottt ([a-z][\w-]*)", text)
        assert not verb or verb[1] in VERBS, f"{by_name(page)}: there is no verb in '{text}'"
        target = re.match(r"make ([a-z][\w-]*)", text)
        assert not target or target[1] in TARGETS, f"{by_name(page)}: no target in '{text}'"


def test_every_picture_is_shown():
    shown = {(page.parent / target).resolve() for page in PAGES for target in links_of(page)}
    unused = set((DOCS / "images").iterdir()) - shown
    assert not unused


def test_the_site_has_every_page():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [page for part in parts for page in pages(part)]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages(site["nav"])) == sorted(
        str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")
    )
