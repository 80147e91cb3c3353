"""The committed results: pages are what the records say, all hold, no seed shows a failure."""

import re
import runpy
from collections import Counter

import pytest

from hopfield.experiments import records
from hopfield_studies import published
from hopfield_studies.published.base import CHANCE
from hopfield_studies.report.published import page
from source_tree import ROOT

FOLDER = ROOT / "docs" / "results"
MAKER = runpy.run_path(str(ROOT / "docs" / "make_results.py"))


def test_the_pages_are_what_the_records_say():
    for name, text in MAKER["pages"]().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "python docs/make_results.py"


def test_the_figures_are_those_of_the_records():
    _, lines = records.read(FOLDER / "records.jsonl")
    drawn = {MAKER["_file"](each) for each in records.select(lines, "figure")}
    assert {path.name for path in FOLDER.glob("*.svg")} == drawn
    for each in records.select(lines, "figure"):
        text = (FOLDER / MAKER["_file"](each)).read_text(encoding="utf-8")
        assert MAKER["mark"](each, lines) in text, "python docs/make_results.py"


def test_the_verdicts_are_what_judging_the_records_gives():
    head, lines = records.read(FOLDER / "records.jsonl")
    assert head["form"] == "full" and head["data"] == "mnist"
    again, judged = MAKER["judged"]()
    assert again == head and len(judged) == len(lines)
    for one, other in zip(judged, lines, strict=True):
        assert _alike(one, other), f"python docs/make_results.py: {other}"
    verdicts = records.select(lines, "verdict")
    assert len(verdicts) == len(published.RESULTS) and all(v["holds"] for v in verdicts)


def _alike(one, other):
    """Equal, but for the last digits, which elementary functions round differently elsewhere."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, rel=1e-10, abs=1e-15)
    return one == other


def test_a_right_library_fails_in_no_more_than_one_run_of_a_hundred():
    _, lines = records.read(FOLDER / "seeds.jsonl")
    done = Counter((line["result"], line["data"]) for line in lines)
    asked = {(result.name, "mnist") for result in published.RESULTS} | {("walkthrough", "digits")}
    assert done.keys() == asked and len(set(done.values())) == 1
    assert min(done.values()) == len({line["seed"] for line in lines}) >= 20
    assert all(line["holding"] == line["checks"] for line in lines)
    assert sum(line["checks"] for line in lines if line["seed"] == 0) * CHANCE <= 0.01


def test_the_page_of_all_is_what_the_records_say():
    """Its text; figures are drawn a little differently by other versions of matplotlib."""
    head, lines = records.read(FOLDER / "records.jsonl")
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert _words(text) == _words(page(head, lines)), "python docs/make_results.py"


def _words(html):
    return re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)).split()


def test_the_records_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_500_000


def test_marks_tell_curves_apart():
    figure = {"result": "r", "name": "f"}
    series = {"experiment": "series", "result": "r", "figure": "f", "y": [1.0]}
    assert MAKER["mark"](figure, [series]) != MAKER["mark"](figure, [series | {"y": [2.0]}])
