"""`hopfield play` writes the page, or opens it."""

import webbrowser

from hopfield.cli import commands
from hopfield_play import build


def test_export_writes_the_page(tmp_path, capsys):
    target = tmp_path / "page.html"
    assert commands.run(["play", "--export", str(target)]) == 0
    assert target.read_text("utf-8") == build.page()
    assert capsys.readouterr().out == f"{target}\n"


def test_a_folder_that_is_missing_is_one_line(tmp_path, capsys):
    assert commands.run(["play", "--export", str(tmp_path / "none" / "page.html")]) == 1
    assert capsys.readouterr().err.startswith("hopfield: No such file or directory")


def test_without_a_file_the_page_opens(tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or False)
    assert commands.run(["play"]) == 0
    (page,) = tmp_path.rglob("*.html")
    out = capsys.readouterr().out
    assert opened == [page.as_uri()] and out.startswith(page.as_uri())
    assert "--export page.html" in out


def test_a_name_that_two_modules_declare_would_be_seen():
    """Modules share one scope in the page, where each name has one declaration."""
    names = [
        line.split()[1].split("(")[0].rstrip(" =")
        for line in build.bundle().splitlines()
        if line.startswith(("const ", "function ", "class "))
    ]
    assert len(names) > 150
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})
