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
from hopfield.experiments.records import find
from hopfield_studies import baselines, claims, from_scratch, images, steps, walkthrough

TIMED = {"loop_ms", "closed_ms", "modern_ms"}


def _untimed(lines):
    return [{key: value for key, value in line.items() if key not in TIMED} for line in lines]


def _dataset(n, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, *shape, generator=generator)
    return data.Dataset(images, None, "made", "a test")


def test_every_step_yields_flat_records_with_a_seed():
    lines = quick_demo.lines()
    assert len({line["experiment"] for line in lines}) == len(steps.plan())
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


def test_every_claim_is_judged():
    rows = claims.judge(quick_demo.lines())
    assert len(rows) == len(claims.CLAIMS)
    assert claims.UNKNOWN not in {row["verdict"] for row in rows}
    for row in rows:
        assert row["measured"] and row["reason"].endswith(".")
        assert 0 <= row["score"] <= 1


def test_a_small_set_runs_and_leaves_large_sizes_unmeasured():
    lines = quick_demo.run(_dataset(steps.FEWEST_IMAGES, 6, 5))
    rows = {row["case"]: row["verdict"] for row in claims.judge(lines)}
    assert rows["When 3 images are stored, retrieval is perfect."] != claims.UNKNOWN
    assert rows["With 100 there is 1 mistake and little other degradation."] == claims.UNKNOWN


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((steps.FEWEST_IMAGES - 1, 8, 8), "at least 20 images"),
        ((30, 64), "plain vectors"),
        ((30, 65, 64), "at most 4096 pixels"),
        ((30, 1, 8), "two rows"),
        ((30, 8, 8, 3), "Move the axes"),
    ],
)
def test_unfit_data_are_refused(shape, says):
    with pytest.raises(DataError, match=says):
        steps.check(_dataset(*shape))


def _photographs(n, offset=0.2):
    """Grey images without a black pixel."""
    images = offset + 0.7 * _dataset(n, 6, 6).images
    return data.Dataset(images, None, "photographs", "a test")


def test_photographs_are_split_at_their_mean_and_not_all_ink():
    dataset = steps.check(_photographs(60))
    assert len(dataset.binary().unique(dim=0)) == 1, "premise: at 0 they are all the same"
    (line,) = walkthrough.images(walkthrough.ImagesConfig(), dataset)
    assert line["threshold"] == pytest.approx(dataset.patterns.mean().item())
    assert line["distinct"] == 60 and 0.4 < line["ink"] < 0.6
    assert line["light"], "drawn as photographs are, not as ink"
    lines = quick_demo.run(dataset, titles=("classical network", "dense network", "encodings"))
    assert min(line["exact"] for line in lines if line["experiment"] == "dense") < 1.0
    assert find(lines, "classical", case="document", n=10, patterns="images")["exact_blind"] < 1.0
    assert find(lines, "encodings", case="±1", n=10)["right"] < 1.0


def test_a_record_says_how_many_images_were_stored():
    lines = quick_demo.run(_photographs(60), titles=("speed", "overflow", "energies"))
    stored = {line["experiment"]: line["stored"] for line in lines}
    assert stored == {"speed": 10, "overflow": 60, "energies": 60}
    reasons = {row["reason"] for row in claims.judge(quick_demo.run(_photographs(60)))}
    assert "needs 100 images; this set has 60." in reasons


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.full((40, 6, 6), 0.5), "has 1 and 39 copies"),
        (_photographs(10).images.repeat(4, 1, 1), "has 10 and 30 copies"),
        (torch.linspace(0.6, 1.0, 40)[:, None, None] * torch.eye(6), "as ±1 .* are only 1"),
    ],
)
def test_images_that_are_all_alike_are_refused(images, says):
    with pytest.raises(DataError, match=says):
        steps.check(data.Dataset(images, None, "made", "a test"))


def test_the_same_quantity_is_measured_on_the_same_draws():
    titles = ("classical network", "continuous network", "encodings")
    planned = [step for step in steps.plan() if step.title in titles]
    lines = [line for step in planned for line in step.run(_photographs(30))]
    for n in (1, 2, 3, 10):
        classical = find(lines, "classical", case="document", n=n, patterns="images")
        again = find(lines, "encodings", case="±1", n=n)
        assert (again["right"], again["samples"]) == (
            classical["exact_blind"],
            classical["samples"],
        )
    continuous = find(lines, "modern", case="document", n=10)
    again = find(lines, "encodings", case="[0, 1]", n=10)
    assert (again["right"], again["samples"]) == (continuous["right"], continuous["samples"])


def test_a_second_copy_of_the_image_is_as_right_as_the_first():
    rows = torch.eye(3)[[0, 1, 2, 1]]
    assert images.is_same_pattern(rows, torch.tensor([0, 3, 1, 1])).tolist() == [
        True,
        True,
        False,
        True,
    ]


def test_what_is_drawn_as_light():
    assert not images.drawing_options(data.load("digits"))["light"]
    assert images.drawing_options(_dataset(2, 3, 8, 8))["light"]
    assert images.drawing_options(_photographs(2))["light"]
    dark = data.Dataset(torch.zeros(2, 3, 8, 8), None, "made", "a test")
    assert images.drawing_options(dark)["light"], "colours are light, whatever the background"


@pytest.mark.parametrize("shape", [(30, 8, 8), (30, 3, 8, 8), (30, 1, 8, 8)])
def test_fit_data_are_accepted(shape):
    dataset = _dataset(*shape)
    assert steps.check(dataset) is dataset


def test_subsets_are_distinct_and_reproducible():
    drawn = list(images.subsets(torch.arange(100), 10, 5, seed=1))
    again = list(images.subsets(torch.arange(100), 10, 5, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert len({tuple(index.tolist()) for index in drawn}) == 5
    assert all(index.unique().numel() == 10 for index in drawn)
    assert images.number_of_subsets(1, 30) == 90 and images.number_of_subsets(100, 30) == 30


def test_the_loop_baseline_agrees_with_the_closed_form():
    patterns = synthetic.random_binary(7, 20, generator=torch.Generator().manual_seed(1))
    memory = hopfield.DenseHopfield(0.3)
    memory.store(patterns)
    cue = occlude_half(patterns, fill=1.0).state[0]
    looped = baselines.dense_step(patterns, cue, 1 / 0.3)
    assert torch.equal(looped, memory.update(cue))
    assert not torch.equal(looped, cue), "premise: something flips"


def test_the_documents_hebbian_step_is_the_librarys_without_ties():
    patterns = synthetic.random_binary(3, 25, generator=torch.Generator().manual_seed(1))
    cues = occlude_half(patterns, fill=1.0).state
    memory = hopfield.ClassicalHopfield(diagonal=True, schedule="synchronous")
    memory.store(patterns)
    looped = cues @ baselines.outer_products(patterns)
    assert (looped != 0).all(), "premise: an odd number of patterns and units leaves no tie"
    stepped = torch.where(baselines.hebbian_step(patterns, cues), 1.0, -1.0)
    assert torch.equal(stepped, looped.sign()) and torch.equal(stepped, memory.update(cues))
    tie = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    assert baselines.hebbian_step(tie, torch.tensor([[1.0, 0.0]])).tolist() == [[True, False]]


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
