"""Pages are true: code runs and prints what they say, links lead somewhere."""

import ast
import contextlib
import importlib
import io
import itertools
import re
import runpy
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from source_tree import ROOT, files, within

PAGES = [p for p in within("README.md", "docs", suffixes=(".md",))]
EVERY_PAGE = [p for p in files() if p.suffix == ".md"]
EXAMPLES = within("examples")
FENCE = re.compile(r"^```(?P<language>\w*)\s*\n(?P<body>.*?)^```\s*?$\n?", re.MULTILINE | re.DOTALL)
SKIP = "<!-- skip -->"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


class Block(NamedTuple):
    """A fenced block of a page: its language, body, first line, and the text before it."""

    language: str
    body: str
    line: int
    before: str


def _blocks(text: str) -> list[Block]:
    found, end = [], 0
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("body"))
        found.append(Block(fence["language"], fence["body"], line, text[end : fence.start()]))
        end = fence.end()
    return found


def _tidy(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _printed(block: Block, page: Path, names: dict[str, object]) -> str:
    code = compile("\n" * block.line + block.body, _name(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


@pytest.fixture
def as_a_user(tmp_path, monkeypatch):
    """An empty folder, no screen, and generators the code may seed as it likes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    with torch.random.fork_rng(devices=[]):
        yield


def _run(page: Path) -> None:
    """Run the code of a page, and compare its output with the text blocks below it."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = None
    for block in _blocks(page.read_text(encoding="utf-8")):
        above = block.before.strip()
        if block.language == "text" and printed is not None and not above:
            assert _tidy(printed) == _tidy(block.body), f"{_name(page)}:{block.line}"
        run = block.language == "python" and not above.endswith(SKIP)
        printed = _printed(block, page, names) if run else None


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_code_runs_and_prints_what_the_page_says(page, as_a_user):
    """Blocks of a page share their names. A page that writes files also runs a second time."""
    _run(page)
    if any(Path.cwd().iterdir()):
        _run(page)


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_examples_run(example, as_a_user):
    runpy.run_path(str(example), run_name="__main__")


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The names GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.*?)\s*$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}


def _broken(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    exists = path in files() or any(f.is_relative_to(path) for f in files())
    return not exists or bool(anchor and path.suffix == ".md" and anchor not in _anchors(path))


@pytest.mark.parametrize("page", EVERY_PAGE, ids=_name)
def test_links_and_images_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", _prose(page))
    links = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(
        r"(?:src|href)=\"([^\"]+)\"", text
    )
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    broken = [link for link in local if _broken(page, link)]
    assert not broken, f"{_name(page)} links to what is not in the tree: {broken}"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=_name)
def test_headings_make_an_outline(page):
    """One title, first; and no level left out below it."""
    levels = [len(marks) for marks in re.findall(r"^(#+) ", _prose(page), re.MULTILINE)]
    assert levels[:1] == [1] and levels.count(1) == 1, f"{_name(page)}: one title, at the top"
    steps = [b - a for a, b in itertools.pairwise(levels)]
    assert max(steps, default=0) <= 1, f"{_name(page)}: a level of heading is left out"


def _choices():
    """The numbers that the table of choices names: (name, there, in the code)."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\|.*\| `([a-z_.]+)\.([A-Z_]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    modules = [importlib.import_module(f"hopfield.{module}") for module, *_ in rows]
    return [
        (name, eval(value), getattr(module, name))
        for module, (_, name, value) in zip(modules, rows, strict=True)
    ]


CHOICES = _choices()  # before any test changes them


def test_the_table_of_choices_holds_the_numbers_of_the_code():
    assert len(CHOICES) >= 10
    for name, said, there in CHOICES:
        assert said == there, name


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("WinnerTakesAll", 5),
        ("TwoScales", 12),
        ("chebyshev", 10),
        ("Bidirectional", 80),
        ("MemmapStore", 25),
    ],
)
def test_extensions_are_short(name, most):
    text = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    code = "\n".join(b.body for b in _blocks(text) if b.language == "python")
    (node,) = (n for n in ast.parse(code).body if getattr(n, "name", "") == name)
    lines = code.splitlines()[node.lineno - 1 : node.end_lineno]
    assert len([line for line in lines if line.strip()]) <= most


def test_the_network_of_the_page_computes_in_every_precision(as_a_user):
    """States are in float32 at least, rows in the dtype of the store."""
    text = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "__main__"}
    for block in _blocks(text):
        if block.language == "python":
            exec(block.body, names)
    pairs = names["pairs"]
    for stored, given in itertools.product((torch.float16, torch.float32, torch.float64), repeat=2):
        memory = names["Bidirectional"](split=100)
        memory.store(pairs.to(stored))
        found = memory.retrieve(pairs.to(given))
        assert found.state.equal(pairs.to(given)) and found.energy.equal(memory.energy(found.state))
