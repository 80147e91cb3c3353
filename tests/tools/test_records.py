"""Records are flat, survive the file they are written to, and are never half written."""

import json
import os
from dataclasses import dataclass

import pytest
import torch

from hopfield.errors import FileFormatError, OptionError
from hopfield.experiments import records
from hopfield.files import write_whole
from hopfield_studies.images import to_pixels
from hopfield_studies.wording import (
    amount,
    keep_equations_whole,
    listed,
    number,
    percent,
    rate,
    size,
    small,
)


@dataclass(frozen=True)
class Config:
    stored: tuple[int, ...] = (1, 2)
    beta: float = 8.0
    seed: int = 3


def test_a_record_is_flat_and_names_its_config_and_seed():
    line = records.record("modern", "dot", Config(), weights=torch.tensor([0.5, 0.5]))
    assert list(line) == ["experiment", "case", "stored", "beta", "seed", "weights"]
    assert line["stored"] == [1, 2] and line["seed"] == 3 and line["weights"] == [0.5, 0.5]
    assert json.loads(json.dumps(line)) == line


def test_results_cannot_hide_the_config():
    with pytest.raises(OptionError, match="beta"):
        records.record("modern", "dot", Config(), beta=1.0)


def test_a_record_refuses_a_mapping():
    with pytest.raises(TypeError, match="flat"):
        records.record("modern", "dot", Config(), nested={"a": 1})


def test_spread_is_mean_and_standard_deviation():
    assert records.mean_and_sd("x", [1.0, 3.0]) == {"x": 2.0, "x_sd": pytest.approx(2**0.5)}
    assert records.mean_and_sd("x", [1.0]) == {"x": 1.0, "x_sd": 0.0}


def test_pixels_are_rows_of_bytes():
    assert to_pixels(torch.tensor([[0.0, 0.5, 1.0, 2.0]]), binary=False) == [[0, 128, 255, 255]]
    assert to_pixels(torch.tensor([[-1.0, 1.0]]), binary=True) == [[0, 255]]


def test_what_is_written_is_read(tmp_path):
    lines = [records.record("a", "β", Config(), value=1.5, none=None)]
    records.write(tmp_path / "r.jsonl", records.header(seed=3), lines)
    head, read = records.read(tmp_path / "r.jsonl")
    assert read == lines
    assert head["seed"] == 3
    assert {"hopfield", "torch", "numpy", "python", "format"} <= set(head)
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_value_that_json_has_not_leaves_the_old_file(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("old")
    with pytest.raises(ValueError):
        records.write(path, records.header(), [{"experiment": "a", "value": float("nan")}])
    assert path.read_text() == "old"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def fail(*_):
        raise OSError("full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "header"),
        ('{"experiment": "a"}\n', "header"),
        ("not json\n", "JSON"),
        ('{"experiment": "header", "format": 99}\n', "format"),
    ],
)
def test_a_file_that_is_no_record_file_says_so(tmp_path, text, says):
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=says):
        records.read(path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        records.read(tmp_path / "missing.jsonl")


def test_find_names_what_is_missing():
    lines = [{"experiment": "a", "n": 1}, {"experiment": "a", "n": 2}]
    assert records.find(lines, "a", n=2) is lines[1]
    assert records.select(lines, "a") == lines
    with pytest.raises(records.MissingRecordError, match="n=3") as missing:
        records.find(lines, "a", n=3)
    assert missing.value.fields == {"n": 3}
    with pytest.raises(records.MissingRecordError, match="no record of 'b'"):
        records.select(lines, "b")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.25, "25 %"),
        (0.1234, "12.3 %"),
        (0.9999, "over 99.9 %"),
        (0.0001, "under 0.1 %"),
    ],
)
def test_a_percentage_is_never_rounded_to_all_or_none(value, words):
    assert percent(value).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (10.0, "10"),
        (1000, "1 000"),
        (-48.23, "−48.2"),
        (0.5, "0.5"),
        (1.225, "1.23"),
        (2e-16, "2.0·10⁻¹⁶"),
    ],
)
def test_numbers_in_words(value, words):
    assert number(value).replace("\u00a0", " ") == words


def test_a_figure_and_its_deviation_have_the_same_decimals():
    assert amount({"x": 2.0123, "x_sd": 0.044}, "x").replace("\u00a0", " ") == "2.012 ± 0.044"
    assert amount({"x": -49.4, "x_sd": 0.0}, "x") == "−49.4"
    assert rate({"x": 0.53, "x_sd": 0.216}, "x").replace("\u00a0", " ") == "53.0 ± 21.6 %"
    assert rate({"x": 1.0}, "x").replace("\u00a0", " ") == "100 %"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("at β = 8 it", "at β_=_8 it"),
        ("β = 0.5, x ± y", "β_=_0.5, x_±_y"),
        ("one two = ", "one two = "),
    ],
)
def test_equations_are_held_together(text, held):
    assert keep_equations_whole(text) == held.replace("_", "\u00a0")


def test_the_size_of_an_image_in_words():
    assert size({"units": 64, "shape": [8, 8]}) == "64 pixels"
    assert size({"units": 192, "shape": [3, 8, 8]}) == "192 values"


def test_small_differences_and_lists():
    assert small(0.0) == "0" and small(0.25) == "0.25"
    assert small(1e-9).replace("\u00a0", " ") == "below 0.001"
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
