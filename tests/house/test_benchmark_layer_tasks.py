"""Layers against other methods: the records are complete, the pages say them, a short form."""

import statistics

import pytest
import torch

from benchmarks.layer_tasks import page, starts
from benchmarks.layer_tasks.__main__ import SEEDS, measure
from benchmarks.layer_tasks.methods import METHODS
from benchmarks.layer_tasks.tasks import NOISE, PAIRS, SYMBOLS, TASKS, digit_bags, recall
from benchmarks.training.digits import uneven_bags
from hopfield.experiments import records


def test_every_method_was_measured_on_its_tasks():
    expected = {
        (task, method, seed)
        for method, (_, tasks) in METHODS.items()
        for task in tasks
        for seed in range(SEEDS)
    }
    assert set(page.results()) == expected and {task for task, *_ in expected} == set(TASKS)
    assert len(TASKS) >= 6


def test_the_pages_say_the_records():
    assert page.PAGE.read_text(encoding="utf-8") == page.text()
    assert page.STARTS_PAGE.read_text(encoding="utf-8") == page.starts_text()


def test_what_the_pages_conclude_holds():
    means = {key: mean for key, (mean, _) in page.means().items()}
    plain = ("logistic regression", "support vectors")
    for task in ("iris", "wine", "breast cancer", "digits"):
        others = [m for (name, method), m in means.items() if name == task and method not in plain]
        assert max(means[task, method] for method in plain) > max(others) - 0.02
    for task in ("bags of 10", "bags of 5 to 30", "recall"):
        least = min(
            m for (name, method), m in means.items() if name == task and method not in plain
        )
        assert least > max(means[task, method] for method in plain) + 0.1
    lines = records.read(page.START_RECORDS)[1]
    spread, ours = (records.select(lines, "lookup_start", deviation=d) for d in ("1", "d^−¼"))
    assert all(
        one["accuracy"] > other["accuracy"] - 0.02 for one, other in zip(ours, spread, strict=True)
    )
    for field, gain in (("held", 0.5), ("accuracy", 0.03)):
        means = [statistics.fmean(one[field] for one in each) for each in (ours, spread)]
        assert means[0] > means[1] + gain, "a start at d^−¼ against one at 1"
    found = {(one["beta"], one["steps"]): one for one in records.select(lines, "recall_start")}
    assert all(found["1/√d", steps]["accuracy"] > 0.99 for steps in starts.STEPS)
    assert found["4, learned", 3]["accuracy"] < 0.5
    assert found["4, learned", 3]["slope"] < 1e-6 * found["1/√d", 3]["slope"]
    layers = (page.ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    of_three = [f"{100 * found[beta, 3]['accuracy']:.0f} %" for beta in starts.RECALL_BETAS]
    assert "reached {}, from β = 1 {}, and from β = 4 {}".format(*of_three) in layers


@pytest.mark.parametrize("method", METHODS)
def test_a_short_form(method):
    """On the smallest task of each method, after few updates."""
    task = METHODS[method][1][0]
    with torch.random.fork_rng(devices=[]):
        found = measure(method, task, seed=0, updates=60)
    chance = {"iris": 1 / 3, "bags of 10": 1 / 2, "recall": 1 / SYMBOLS}[task]
    assert found["accuracy"] > chance + 0.03


def test_bags_hold_their_digit_and_other_sizes():
    images = torch.arange(1.0, 31.0)[:, None].expand(-1, 64)
    labels = torch.arange(1, 31) % 10
    found = uneven_bags(images, labels, 60, (3, 8), most=2, seed=0)
    assert {len(bag) for bag in found.images} == set(range(3, 9))
    for bag, positive, wanted in zip(found.images, found.positive, found.wanted, strict=True):
        assert torch.equal(bag[:, 0] % 10 == 9, wanted) and bool(wanted.any()) == bool(positive)
        assert wanted.sum() <= 2
    task = digit_bags(0, (5, 7), most=1)
    assert task.train.inputs.shape[:2] == task.train.padding.shape == (500, 7)
    assert not task.test.inputs[task.test.padding].any()


def test_recall_asks_for_the_value_of_a_key():
    part = recall(0).test
    keys, values = part.inputs.split(SYMBOLS, -1)
    asked = part.query[:, :SYMBOLS]
    distance = (asked[:, None] - keys).norm(dim=-1)
    found = values[torch.arange(len(keys)), distance.argmin(-1)].argmax(-1)
    assert keys.shape[1] == PAIRS and not part.query[:, SYMBOLS:].any()
    right = (found == part.labels).double().mean()
    assert 0.8 < right < 1, f"noise of {NOISE} makes some keys unclear"
