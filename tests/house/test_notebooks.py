"""Notebooks are their scripts: same cells, and a run of a script prints what its notebook shows."""

import contextlib
import io
import json
import re

import matplotlib.pyplot as plt
import pytest
import torch

from source_tree import ROOT

FOLDER = ROOT / "notebooks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.name != "build.py")
LARGEST = 300_000  # bytes: a reader on a slow line opens it


def cells_of_script(text: str) -> list[tuple[str, str]]:
    """Kind and source of each cell of a script in the percent format."""
    found = []
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        first, _, body = part.partition("\n")
        kind = "markdown" if first.strip() == "[markdown]" else "code"
        if kind == "markdown":
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        found.append((kind, body.strip("\n")))
    return found


def cells_of_notebook(script) -> list[dict]:
    return json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]


def _names(script) -> str:
    return script.stem


def test_every_script_has_a_notebook_and_every_notebook_a_script():
    assert len(SCRIPTS) >= 6
    assert {p.stem for p in SCRIPTS} == {p.stem for p in FOLDER.glob("*.ipynb")}


@pytest.mark.parametrize("script", SCRIPTS, ids=_names)
def test_a_notebook_holds_the_cells_of_its_script(script):
    """After a change of the script: python notebooks/build.py NAME."""
    cells = [(c["cell_type"], "".join(c["source"])) for c in cells_of_notebook(script)]
    assert cells == cells_of_script(script.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=_names)
def test_a_notebook_begins_with_the_installation_and_ends_with_what_to_try(script):
    cells = cells_of_script(script.read_text(encoding="utf-8"))
    assert cells[0][0] == "markdown" and "pip install" in cells[0][1]
    assert cells[-1][0] == "markdown" and "## Try\n" in cells[-1][1]
    kinds = [kind for kind, _ in cells]
    bare = [k for k in range(2, len(kinds)) if kinds[k] == kinds[k - 1] == "code"]
    assert not bare, "a sentence before each cell of code"


@pytest.mark.parametrize("script", SCRIPTS, ids=_names)
def test_a_notebook_has_pictures_no_errors_and_is_small(script):
    outputs = [out for cell in cells_of_notebook(script) for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert {out["output_type"] for out in outputs} <= {"stream", "display_data"}
    assert {out["name"] for out in outputs if "name" in out} <= {"stdout"}
    assert script.with_suffix(".ipynb").stat().st_size <= LARGEST


@pytest.mark.parametrize("script", SCRIPTS, ids=_names)
def test_a_script_prints_what_its_notebook_shows(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    plt.switch_backend("agg")
    names: dict[str, object] = {"__name__": "__main__"}
    with torch.random.fork_rng(devices=[]), plt.rc_context():
        for cell in cells_of_notebook(script):
            if cell["cell_type"] == "code":
                printed = _printed("".join(cell["source"]), script.name, names)
                assert printed == _shown(cell)


def _printed(source: str, name: str, names: dict[str, object]) -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()) as text:
        exec(compile(source, name, "exec"), names)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def _shown(cell: dict) -> list[str]:
    text = "".join("".join(out["text"]) for out in cell["outputs"] if "text" in out)
    return [line.rstrip() for line in text.splitlines()]
