"""Published results: each holds, each can fail, and the page says what the records say."""

import json
import math
from functools import cache

import pytest
import torch

from heavy import HEAVY
from hopfield import data, theory
from hopfield.errors import OptionError
from hopfield.experiments import records
from hopfield.experiments.runner import run
from hopfield_studies import published
from hopfield_studies.published import base
from hopfield_studies.report.html import prose
from hopfield_studies.report.published import interval, page

NAMES = [
    pytest.param(result.name, marks=[pytest.mark.heavy] * (result.name in HEAVY))
    for result in published.RESULTS
]
QUIET = {"progress": lambda text: None}


@cache
def reproduced(name, images="digits"):
    """Records, checks and verdict of one result's quick form."""
    (result,) = published.select([name])
    lines = run(published.tasks([result], base.Form(images=images)), **QUIET)
    return tuple(lines), tuple(published.judge([result], lines))


def failures(judged):
    return [
        f"{line['what']}: {line['measured']}, allowed {interval(line)}"
        for line in judged
        if line["experiment"] == "check" and not line["holds"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_result_holds(name):
    lines, judged = reproduced(name)
    assert not failures(judged)
    assert judged[-1]["experiment"] == "verdict" and judged[-1]["holds"]
    assert all({"result", "experiment", "seed"} <= line.keys() for line in lines)


@pytest.mark.heavy
def test_the_walkthrough_holds_on_the_published_images(mnist):
    if not data.is_on_disk("mnist", "test"):
        pytest.skip("HOPFIELD_DATA holds no test images")
    assert not failures(reproduced("walkthrough", "mnist")[1])


@pytest.mark.parametrize("name", NAMES)
def test_theory_is_drawn_beside_what_was_measured(name):
    _, judged = reproduced(name)
    figures = records.select(judged, "figure")
    for figure in figures:
        assert figure["x"] and figure["y"] and figure["caption"].endswith(".")
        drawn = records.select(judged, "series", figure=figure["name"])
        kinds = {line["kind"] for line in drawn}
        assert "measured" in kinds and kinds & {"theory", "published"}, figure
    json.dumps(judged, allow_nan=False)


def test_every_check_has_a_reason_and_an_interval_that_holds_what_is_expected():
    for name in {result.name for result in published.RESULTS} - HEAVY:
        for check in records.select(reproduced(name)[1], "check"):
            assert len(check["reason"]) > 10, check
            low = -math.inf if check["low"] is None else check["low"]
            high = math.inf if check["high"] is None else check["high"]
            assert low <= check["expected"] <= high, check


def test_quantiles_leave_the_stated_chance():
    assert base.student(1) == pytest.approx(1 / math.tan(math.pi * base.CHANCE / 2))  # Cauchy
    for trials, chance in ((60, 0.0033), (200, 0.001), (10, 0.5), (300, 1e-5)):
        probability = [math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
                       for k in range(trials + 1)]  # fmt: skip
        k = base.max_failures(trials, chance)
        assert sum(probability[k + 1 :]) <= base.CHANCE < sum(probability[k:])


def test_near_is_as_wide_as_the_draws_err():
    line = {"x": 1.0, "x_sd": 0.5, "samples": 25}
    check = base.near("x", line, "x", 1.2)
    assert check.high - check.low == pytest.approx(2 * base.student(24) * 0.1)
    assert check.holds and not base.near("x", line, "x", 2.0).holds
    wider = base.near("x", line, "x", 1.2, floor=1.0, reference=(0.5, 4))
    assert wider.high - wider.low == pytest.approx(2 * base.student(24) * math.hypot(0.2, 0.5))


def test_other_checks_hold_and_fail():
    assert base.exactly("x", 0, 0, "law").holds and not base.exactly("x", 1, 0, "law").holds
    assert base.misses("x", 4, 60, 0.0033).holds and not base.misses("x", 5, 60, 0.0033).holds
    small, large = ({"x": x, "x_sd": 0.1 * math.sqrt(15), "samples": 30} for x in (1.0, 2.0))
    assert base.exceeds("x", large, small, "x").holds
    assert not base.exceeds("x", large | {"x": 1.5}, small, "x").holds
    equal = small | {"x_sd": 0.0}
    assert not base.exceeds("x", equal, equal, "x").holds, "no draw differs"
    assert not base.exceeds("x", large, small | {"samples": 3}, "x").holds, "the fewer draws count"
    assert base.at_least("x", 2, 1, "law").holds and not base.at_most("x", 2, 1, "law").holds
    wide = base.widened(base.Check("x", 3, 1, 0.9, 1.1, "error"), 1, 2.95, "theory")
    assert wide.holds and wide.high == pytest.approx(3.05) and wide.low == 0.9


def test_results_are_chosen_by_name_in_their_order():
    assert [r.name for r in published.select(["sparse-exact", "hebbian-curve"])] == [
        "hebbian-curve", "sparse-exact"]  # fmt: skip
    assert published.select([]) == list(published.RESULTS) and len(published.NINE) == 9
    with pytest.raises(OptionError, match="NAME"):
        published.select(["hebbian"])


def test_the_page_shows_every_result_and_opens_those_that_fail():
    judged = [
        dict(line) for name in ("attention", "learning-rules") for line in reproduced(name)[1]
    ]
    head = records.header(seed=0, form="quick", data="digits", chance=base.CHANCE)
    good = page(head, judged)
    assert "2 of 2 results hold" in good and "<details open>" not in good
    assert good.count("<svg") == 2 and "No MNIST was found" in good
    assert "ran on the MNIST test images" in page(head | {"data": "mnist"}, judged)
    assert all(prose(v["claim"]) in good for v in records.select(judged, "verdict"))
    assert good.count('id="attention"') == 1 and "http" not in good.replace("www.w3.org", "")
    check = next(line for line in judged if line["experiment"] == "check")
    check.update(measured=1.0, holds=False)
    verdict = next(line for line in judged if line["experiment"] == "verdict")
    verdict.update(holds=False, holding=verdict["checks"] - 1)
    bad = page(head, judged)
    assert "1 of 2 results hold" in bad and bad.count("<details open>") == 1
    assert "✗ fails" in bad and "1 of which fail" in bad


def test_an_interval_is_told_from_a_number():
    assert interval({"low": 0.5, "high": 0.5}) == "= 0.5"
    assert interval({"low": 0.5, "high": 0.6}) == "0.5 … 0.6"
    assert interval({"low": 1 - 2e-7, "high": 1 + 2e-7}) == "1 ± 2.0·10⁻⁷"
    assert (
        interval({"low": None, "high": 2}) == "≤ 2" and interval({"low": 2, "high": None}) == "≥ 2"
    )


@pytest.mark.heavy
def test_the_library_is_what_is_measured():
    """The oracle of one result: unstable bits counted by hand are those of its record."""
    line = next(line for line in reproduced("dense-capacity")[0] if line.get("n") == 300)
    assert line["samples"] == 30
    exact = theory.bit_error_exact(3, 100, 300)
    assert 1 - line["accuracy"] == pytest.approx(exact, rel=0.3)
    assert torch.isfinite(torch.tensor(line["accuracy_sd"]))
