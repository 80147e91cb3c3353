"""The demo: all of it runs, the same seed gives the same records, unfit data are refused."""

import json
import math

import pytest
import torch

import hopfield
import quick_demo
from hopfield import data, synthetic
from hopfield.corruption import occlude_half
from hopfield.errors import DataError
from hopfield.experiments import baselines, claims, demo, from_scratch, sampling, walkthrough
from hopfield.experiments.headlines import headline

TIMED = {"loop_ms", "closed_ms", "modern_ms"}


def _untimed(lines):
    return [{key: value for key, value in line.items() if key not in TIMED} for line in lines]


def _dataset(n, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, *shape, generator=generator)
    return data.Dataset(images, None, "made", "a test")


def test_every_step_yields_flat_records_with_a_seed():
    lines = quick_demo.lines()
    assert len({line["experiment"] for line in lines}) == len(demo.plan())
    for line in lines:
        assert {"experiment", "case", "seed"} <= set(line)
        assert not any(isinstance(value, dict) for value in line.values())
        json.dumps(line, allow_nan=False)


def test_the_same_seed_gives_the_same_records():
    titles = ("classical network", "sweep of β", "encodings")
    digits = data.load("digits")
    first, again = (quick_demo.run(digits, 5, titles) for _ in range(2))
    assert first == again
    assert first != quick_demo.run(digits, 6, titles)


def test_a_step_does_not_depend_on_the_steps_before_it():
    title = "sweeps and load"
    experiment = "load"
    alone = quick_demo.run(data.load("digits"), 0, (title,))
    together = [line for line in quick_demo.lines() if line["experiment"] == experiment]
    assert _untimed(alone) == _untimed(together)


def test_every_step_has_a_headline():
    lines = quick_demo.lines()
    for experiment in {line["experiment"] for line in lines}:
        assert headline([line for line in lines if line["experiment"] == experiment])


def test_every_claim_is_judged():
    rows = claims.judge(quick_demo.lines())
    assert len(rows) == len(claims.CLAIMS)
    assert claims.UNKNOWN not in {row["verdict"] for row in rows}
    for row in rows:
        assert row["measured"] and row["reason"].endswith(".")
        assert 0 <= row["score"] <= 1


def test_a_small_set_runs_and_leaves_large_sizes_unmeasured():
    lines = quick_demo.run(_dataset(demo.FEWEST_IMAGES, 6, 5))
    rows = {row["case"]: row["verdict"] for row in claims.judge(lines)}
    assert rows["When 3 digits are stored, retrieval is perfect."] != claims.UNKNOWN
    assert rows["With 100 there is 1 mistake and little other degradation."] == claims.UNKNOWN


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((demo.FEWEST_IMAGES - 1, 8, 8), "at least 20 images"),
        ((30, 64), "plain vectors"),
        ((30, 65, 64), "at most 4096 pixels"),
        ((30, 1, 8), "two rows"),
        ((30, 8, 8, 3), "Move the axes"),
    ],
)
def test_unfit_data_are_refused(shape, says):
    with pytest.raises(DataError, match=says):
        demo.check(_dataset(*shape))


@pytest.mark.parametrize("shape", [(30, 8, 8), (30, 3, 8, 8), (30, 1, 8, 8)])
def test_fit_data_are_accepted(shape):
    dataset = _dataset(*shape)
    assert demo.check(dataset) is dataset


def test_subsets_are_distinct_and_reproducible():
    drawn = list(sampling.subsets(100, 10, 5, seed=1))
    again = list(sampling.subsets(100, 10, 5, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert len({tuple(index.tolist()) for index in drawn}) == 5
    assert all(index.unique().numel() == 10 for index in drawn)
    assert sampling.draws(1, 30) == 90 and sampling.draws(100, 30) == 30


def test_the_loop_baseline_agrees_with_the_closed_form():
    patterns = synthetic.random_binary(7, 20, generator=torch.Generator().manual_seed(1))
    memory = hopfield.DenseHopfield(0.3)
    memory.store(patterns)
    cue = occlude_half(patterns, fill=1.0).state[0]
    looped = baselines.dense_step(patterns, cue, 1 / 0.3)
    assert torch.equal(looped, memory.update(cue))
    assert not torch.equal(looped, cue), "premise: something flips"


def test_the_documents_activation_returns_the_negative():
    line = next(walkthrough.flips(walkthrough.FlipsConfig(subsets=2), data.load("digits")))
    assert line["document"] == 1.0 and line["sign"] == 0.0


def test_the_cycle_shown_is_a_cycle():
    lines = list(from_scratch.oscillation(from_scratch.OscillationConfig()))
    shown = next(line for line in lines if line["case"] == "synchronous")
    states = shown["states"]
    assert states[-1] == states[-3] and states[-2] == states[-4] and states[-1] != states[-2]
    flipped = sum(value > 0 for value in shown["flipped"][-1])
    assert flipped == shown["flipping"] > 0
    assert math.prod(shown["shape"]) == len(states[0])


def test_attention_agrees_to_the_last_digits():
    line = next(from_scratch.attention_equality(from_scratch.AttentionConfig()))
    assert line["case"] == "float64" and line["difference"] <= 8 * line["epsilon"] * line["largest"]
