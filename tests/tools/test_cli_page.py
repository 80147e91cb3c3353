"""Pages of commands are true: they run as written, and print what the page says."""

import contextlib
import io
import re
import shlex

import pytest

from hopfield.cli import commands
from source_tree import ROOT

PAGES = {"files.md": 6, "disk.md": 6}
"""Pages, and the least number of texts that are compared."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def printed_by(page, language, body, names):
    """Run a block, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if language == "python":
            exec(compile(body, str(page), "exec"), names)
        else:
            for line in body.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "hopfield" and commands.run(arguments) == 0, line
    return printed.getvalue()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page, names, compared = ROOT / "docs" / name, {}, 0
    for language, body, _, expected in BLOCK.findall(page.read_text("utf-8")):
        if language in ("python", "console"):
            printed = printed_by(page, language, body, names)
            if expected:
                compared += 1
                assert printed.splitlines() == expected.splitlines(), body
    assert compared >= PAGES[name]
