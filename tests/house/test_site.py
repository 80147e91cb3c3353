"""The documentation as a site: every page is in it, links lead within it, nothing is fetched."""

import ast
import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from posixpath import dirname, join, normpath

import pytest

import chromium
from source_tree import PACKAGE, ROOT, within

MADE = runpy.run_path(str(ROOT / "docs" / "make_site.py"))
DOCS = ROOT / "docs"
NAVIGATION = MADE["navigation"]((DOCS / "index.md").read_text(encoding="utf-8"))
PAGES = {str(p.relative_to(DOCS)) for p in within("docs", suffixes=(".md",))}
PAGES |= set(MADE["OUTSIDE"].values())
PAGES |= {f"notebooks/{path.stem}.md" for path in within("notebooks", suffixes=(".ipynb",))}


def _in_order(entries):
    """The pages of a navigation."""
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values():
                yield from _in_order(below)


def test_every_page_is_in_the_navigation_once():
    listed = ["index.md", *_in_order(NAVIGATION)]
    missing = [f"docs/{page} is not in docs/index.md" for page in sorted(PAGES - set(listed))]
    assert not missing, "\n".join(["", *missing])
    assert sorted(listed) == sorted(PAGES), "each at one place, and each a page"


def test_tabs_and_sections_are_those_of_the_index():
    tabs = {name: below for tab in NAVIGATION for name, below in tab.items()}
    assert {"By goal", "Networks", "Theory and practice"} <= set(tabs)
    goals = {name for goal in tabs["By goal"] for name in goal}
    assert {"A table", "Pictures", "Vectors", "A network to train", "A class to teach"} <= goals


@pytest.mark.parametrize("page", sorted(PAGES))
def test_rewritten_links_lead_to_what_the_site_has(page):
    path = MADE["checkout_path"](page)
    text = (ROOT / path).read_text(encoding="utf-8")
    text = "" if path.endswith(".ipynb") else MADE["_as_page"](path, text)
    links = re.findall(r"\]\(([^)\s]+)\)", MADE["FENCE"].sub("", MADE["rewrite_links"](text, page)))
    for link in links:
        target = normpath(join(dirname(page), link.partition("#")[0]))
        outer = re.match(r"[a-z]+:|#", link)
        assert outer or target in PAGES or (DOCS / target).is_file(), link


def test_links_to_source_files_keep_their_words():
    rewrite = MADE["rewrite_links"]
    assert rewrite("a [test](../tests/conftest.py) of", "tables.md") == "a test of"
    assert rewrite("[Start](../README.md#example)", "tables.md") == "[Start](start.md#example)"
    assert rewrite("[gaps](docs/gaps.md)", "start.md") == "[gaps](gaps.md)"
    assert rewrite("[notation.md](../notation.md)", "learned/dense.md") == (
        "[Notation and formulas](../notation.md)"
    )
    assert rewrite("```\n[a](../b.py)\n```\n", "tables.md") == "```\n[a](../b.py)\n```\n"


def test_the_reference_has_every_public_name():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    names = set(MADE["_assigned"](tree, "__all__"))
    pages = [MADE["reference"](name, {}) for name in MADE["NAMESPACES"]]
    shown = {m for page in pages for m in re.findall(r"^::: [\w.]*?(\w+)$", page, re.MULTILINE)}
    assert names - shown <= set(MADE["NAMESPACES"]), "each is shown or has a page"
    assert len(shown) > 100, "premise: pages have names"


def _fetched(page: Path) -> list[str]:
    """Addresses that a browser asks for when it opens the page."""
    text = page.read_text(encoding="utf-8")
    tags = re.findall(r"<(?:script|img|link|iframe|source|video)\b[^>]*>", text)
    plain = [tag for tag in tags if not re.search(r'rel="?(canonical|next|prev)', tag)]
    return re.findall(r'(?:src|href)="?((?:https?:)?//[^"\s>]+)', " ".join(plain))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built without a warning."""
    for name in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        try:
            present = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            present = None
        if present is None:
            pytest.skip("needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_has_every_page_and_fetches_nothing(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) >= len(PAGES) + len(MADE["NAMESPACES"])
    assert not {address for page in pages for address in _fetched(page)}
    styles = [sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css")]
    assert not [text for text in styles if re.search(r"url\(\"?(https?:)?//", text)]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert f'<a href="{path.name}" download>' in text
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = ") and "reference/nn.html" in index


def test_a_network_shows_what_memory_lacks_and_names_its_base(site):
    text = (site / "reference" / "hopfield.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'<h3 id="hopfield\.(\w+\.\w+)"', text))
    assert {"Memory.store", "Memory.retrieve", "Memory.nearest", "Memory.energy_of"} <= shown
    assert {"ClassicalHopfield.attractors", "SequenceHopfield.roll"} <= shown
    assert not {"ClassicalHopfield.energy_of", "ModernHopfield.store"} & shown
    assert '<a class="autorefs autorefs-internal" title="Memory' in text, "a base is a link"
    assert "CalibratedMemory" not in text, "bases that no page shows are left out"


@pytest.mark.skipif(chromium.find() is None, reason="needs Chromium")
def test_a_page_opened_from_its_folder_finds_words(site, tmp_path):
    with chromium.Browser(tmp_path) as browser:
        browser.resize(1280, 800)
        browser.open(f"file://{site / 'gaps.html'}")
        browser.click("input[name=query]")
        for letter in "sparsemax":
            browser.press(letter)
        found = f"""new Promise(done => {{
            const look = () => document.querySelector(".md-search-result__item a")?.href
            setTimeout(() => done(null), {1000 * chromium.SECONDS})
            setInterval(() => look() && done(look()), 50)
        }})"""
        assert "reference/separation.html" in (browser.run(found) or "nothing")
        assert not browser.problems
        assert not [address for address in browser.requests if address.startswith("http")]
