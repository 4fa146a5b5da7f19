"""Links, pictures and names in the documentation are there; `make docs` checks the rest."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import morpheus

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "src/morpheus/model/shipped").glob("*/README.md"),
    ]
)


def named(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """The text without fenced and indented blocks."""
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)


def anchors(page):
    """The anchors of its headings, as code hosts and the site make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_names_are_the_code_s(page):
    names = re.findall(r"`(morpheus(?:\.[a-zA-Z]\w*)+)(?:\(\))?`", prose(page))
    for name in names:
        if name.endswith(("fits", "py")):
            continue
        assert resolved(name), name


def resolved(name):
    """Import as much as is a module, and look the rest up in it."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[n:]:
                found = getattr(found, part)
        except AttributeError:
            continue
        return True
    return False


def test_the_page_on_python_has_what_morpheus_gives():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    first = page.split("## Packages", maxsplit=1)[0]
    listed = [
        name.rpartition(".") for name in re.findall(r"^   (morpheus\.\S+)$", first, re.MULTILINE)
    ]
    assert {name for _, _, name in listed} == set(morpheus.__all__)
    for package, _, name in listed:
        assert getattr(importlib.import_module(package), name) is getattr(morpheus, name)


def test_the_walk_through_has_the_numbers_of_its_pixel():
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs/figures/make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    demo = make.work()
    row = demo.catalog.table[demo.found.labels[make.PIXEL] - 1]
    page = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
    for what, value in make.facts(demo.mosaic, demo.result, row).items():
        assert value in page, (what, value)
