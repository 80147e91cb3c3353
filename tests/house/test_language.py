"""Docstrings, pages and public names are plain English.

Counts are a thermometer: what matters is that a stranger understands at first reading.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from source_tree import ROOT, parse, within

ODD = re.compile(
    r"\b(so many|what is|what it|where there|nobody|besides?|brings?|told|said|asked|serves?"
    r"|likewise|anew|is none|is no|one's own|of its own)\b",
    re.IGNORECASE,
)
FIRST = re.compile(
    r"(What|Whether|Who|How|It|The same|As|Which|All of|Nothing|They|This|These|That|Those)\b"
)
PER_THOUSAND, FIRST_SHARE, PAGES_PER_THOUSAND = 9.2, 0.127, 2.0
# Adjectives, participles and coined words: none says alone what a thing is.
COINED = set(
    "pull pulled unpulled fine wide lean excess attended bare dropped visits decide decided fitting"
    " fitted fits once last both told untold note asked found here own swallower carrying rounded"
    " way census kept apart seen standing weighing".split()
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Where each docstring of a module is, and its text; those below attributes too."""
    for node in ast.walk(parse(path)):
        for item in node.body if isinstance(getattr(node, "body", None), list) else []:
            value = item.value if isinstance(item, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield f"{path.relative_to(ROOT)}:{item.lineno}", value.value


def odd_turns(texts: list[tuple[str, str]]) -> tuple[float, list[str]]:
    """Odd turns in a thousand words, and where they are."""
    places = [f"{where}: {match[0]}" for where, text in texts for match in ODD.finditer(text)]
    words = sum(len(text.split()) for _, text in texts)
    assert words > 1000, "premise: there are texts"
    return 1000 * len(places) / words, places


def test_docstrings_have_few_odd_turns():
    rate, places = odd_turns(list(chain(*map(docstrings, within("src", "tests")))))
    assert rate <= PER_THOUSAND, "\n".join([f"{rate:.2f} in 1 000 words", *places])


def test_docstrings_begin_with_a_verb_or_a_subject():
    texts = list(chain(*map(docstrings, within("src", "tests"))))
    wrong = [f"{where}: {text.split('.')[0]}" for where, text in texts if FIRST.match(text.strip())]
    share = len(wrong) / len(texts)
    assert share <= FIRST_SHARE, "\n".join([f"{share:.1%} of docstrings", *wrong])


def test_pages_have_few_odd_turns():
    """Code and its output left out."""
    pages = within("README.md", "docs", suffixes=(".md",))
    prose = [
        (
            str(page.relative_to(ROOT)),
            re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.S),
        )
        for page in pages
    ]
    rate, places = odd_turns(prose)
    assert rate <= PAGES_PER_THOUSAND, "\n".join([f"{rate:.2f} in 1 000 words", *places])


def public_names(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Names that a module and its public classes define."""
    waiting = list(parse(path).body)
    while waiting:
        node = waiting.pop()
        name = getattr(node, "name", "")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((node, t.id) for t in targets if isinstance(t, ast.Name))
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not name.startswith("_"):
            yield node, name
            waiting += node.body if isinstance(node, ast.ClassDef) else []


def test_no_public_name_is_a_coined_word():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in within("src")
        if not path.name.startswith("_") or path.name == "__init__.py"
        for node, name in public_names(path)
        if name.lower() in COINED
    ]
    assert not wrong, "\n".join(["", *wrong])
