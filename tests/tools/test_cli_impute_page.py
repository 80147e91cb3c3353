"""The page on gaps begins with a file: the command prints and writes what the page says."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_iris

from hopfield.cli import commands
from source_tree import ROOT

PAGE = (ROOT / "docs" / "gaps.md").read_text("utf-8")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def irises():
    """Return the irises, shuffled, and the mask of deleted cells."""
    loaded = load_iris(as_frame=True)
    table = loaded.frame.drop(columns="target")
    table.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    table["species"] = loaded.target_names[loaded.target]
    table = table.sample(frac=1, random_state=1).reset_index(drop=True)
    return table, np.random.default_rng(0).random(table.shape) < 0.15


def assert_alike(text, shown):
    """Words are equal; numbers may differ by a tenth, on another processor."""
    assert NUMBER.sub("0", text) == NUMBER.sub("0", shown)
    numbers = [[float(x) for x in NUMBER.findall(each)] for each in (text, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.1)


def test_the_first_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table, deleted = irises()
    table.mask(deleted).to_csv("iris.csv", index=False)
    before, printed, after = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[:3]
    lines = (tmp_path / "iris.csv").read_text().splitlines(keepends=True)
    assert "".join(lines[:4]) == before
    command = re.search(r"```console\nhopfield (.*?)\n```", PAGE)[1]
    assert commands.run(command.split()) == 0
    assert_alike(capsys.readouterr().err, printed)
    filled = (tmp_path / "filled.csv").read_text().splitlines(keepends=True)
    assert_alike("".join(filled[:4]), after)
    cells = np.array([line.strip().split(",") for line in filled[1:]])
    truth = table.to_numpy()
    species, length = deleted[:, 4], deleted[:, 2]
    right = (cells[species, 4] == truth[species, 4]).mean()
    error = np.sqrt(
        np.square(cells[length, 2].astype(float) - truth[length, 2].astype(float)).mean()
    )
    said = re.search(r"of the species (\d+) % .* with an error of ([\d.]+)\.", PAGE)
    assert right == pytest.approx(float(said[1]) / 100, abs=0.05)
    assert error == pytest.approx(float(said[2]), rel=0.1)
