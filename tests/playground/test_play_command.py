"""`hopfield play` writes the page, or serves it."""

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from hopfield.cli import commands
from hopfield_play import build

INTERRUPTIBLE = """
import signal
import sys
from hopfield.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
"""The command, with Ctrl-C working: what a shell starts in the background ignores it."""


def test_export_writes_the_page(tmp_path, capsys):
    target = tmp_path / "page.html"
    assert commands.run(["play", "--export", str(target)]) == 0
    assert target.read_text("utf-8") == build.page()
    assert capsys.readouterr().out == f"{target}\n"


def test_a_folder_that_is_missing_is_one_line(tmp_path, capsys):
    assert commands.run(["play", "--export", str(tmp_path / "none" / "page.html")]) == 1
    assert capsys.readouterr().err.startswith("hopfield: No such file or directory")


def test_the_command_serves_until_it_is_interrupted():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "play", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=no_browser(),
    ) as process:
        address = process.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        page = urllib.request.urlopen(address, timeout=60).read().decode()
        assert 'data-page="served"' in page
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert error == "hopfield: interrupted.\n"


def no_browser():
    """Return the environment, in which opening a browser does nothing."""
    return os.environ | {"BROWSER": "true"}


def test_a_port_in_use_is_one_line(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert commands.run(["play", "--port", port]) == 1
    assert capsys.readouterr().err == (
        f"hopfield: --port must be free, but {port} is not: Address already in use. "
        "Name another one, or 0 for any that is free.\n"
    )


@pytest.mark.parametrize("port", ["", "x", "-1", "65536", "1.5", "²"])
def test_a_port_that_is_none_is_one_line(port, capsys):
    assert commands.run(["play", f"--port={port}"]) == 1
    assert capsys.readouterr().err.startswith("hopfield: --port must be a whole number from 0 to")


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_the_extra_the_error_names_it(package, capsys, monkeypatch):
    import_module = builtins.__import__

    def refuse(name, *others, **options):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=package)
        return import_module(name, *others, **options)

    for name in list(sys.modules):
        if name.startswith("hopfield_play."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("hopfield_play.server", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    assert commands.run(["play"]) == 1
    error = capsys.readouterr().err
    assert "pip install 'hopfield[play]'" in error and "--export page.html" in error


def test_export_needs_no_data(capsys):
    assert commands.run(["play", "--export", "page.html", "--data", "mnist"]) == 1
    assert "--data" in capsys.readouterr().err


def test_a_name_that_two_modules_declare_would_be_seen():
    """Modules share one scope in the page, where each name has one declaration."""
    names = [
        line.removeprefix("async ").split()[1].split("(")[0].rstrip(" =")
        for line in build.bundle().splitlines()
        if line.startswith(("const ", "function ", "async function ", "class ", "let "))
    ]
    assert len(names) > 150
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})
