"""The core of the page gives the answers of the library, in a browser."""

import json

import pytest

import chromium
from hopfield import data
from hopfield_play import build, digits, golden
from hopfield_play.sources import SOURCES

TOLERANCE, PART = 1e-5, 73

needs_browser = pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def cases():
    return golden.cases()


def test_there_are_as_many_cases_as_the_page_says(cases):
    assert len(cases) == build.CASES >= 500


def test_cases_are_of_all_kinds(cases):
    """Each kind of end occurs, and each network makes steps."""
    assert {case["converged"] for case in cases} == {True, False}
    assert {case["period"] for case in cases} == {None, 1, 2}
    for kind in ("classical", "dense", "modern"):
        moves = [case["count"] for case in cases if case["network"]["kind"] == kind]
        assert max(moves) >= 3
    assert {case["clamp"] for case in cases} == {None, True, False}
    assert {case["evidence"] for case in cases} == {"known", "all"}
    fitted = [case for case in cases if case["network"].get("separation", {}).get("beta") == "auto"]
    assert len({json.dumps(case["state"]) for case in fitted}) > 20


def test_digits_are_those_of_the_library():
    images = data.load("digits").images[: digits.COUNT].flatten(1).double()
    assert digits.load().equal(images)
    assert (SOURCES / "digits.txt").stat().st_size < 50_000


@needs_browser
def test_core_repeats_all_golden_cases(cases, tmp_path):
    digits_text = (SOURCES / "digits.txt").read_text("ascii")
    with chromium.Browser(tmp_path) as browser:
        browser.run(f"globalThis.digitsText = {json.dumps(digits_text)}; 0")
        browser.run(f"{build.bundle('conformance.js')}\nglobalThis.compareCase = compareCase; 0")
        results = []
        for start in range(0, len(cases), PART):
            part = json.dumps(cases[start : start + PART])
            results += browser.run(
                f"{part}.map(one => compareCase(one, readDigits(globalThis.digitsText)))"
            )
        assert not browser.problems
    assert len(results) == len(cases)
    for case, result in zip(cases, results, strict=True):
        where = case["network"], case["patterns"], case["clamp"]
        assert not result["wrong"], (where, result)
        assert result["deviation"] <= TOLERANCE, (where, result)
