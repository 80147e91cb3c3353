"""The page on files is true: its commands run as written, and print what it says."""

import contextlib
import io
import re
import shlex

from hopfield.cli import commands
from source_tree import ROOT

PAGE = ROOT / "docs" / "files.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def printed_by(language, body, names):
    """Run a block, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if language == "python":
            exec(compile(body, str(PAGE), "exec"), names)
        else:
            for line in body.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "hopfield" and commands.run(arguments) == 0, line
    return printed.getvalue()


def test_the_page_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, compared = {}, 0
    for language, body, _, expected in BLOCK.findall(PAGE.read_text("utf-8")):
        if language in ("python", "console"):
            printed = printed_by(language, body, names)
            if expected:
                compared += 1
                assert printed.splitlines() == expected.splitlines(), body
    assert compared == 6
