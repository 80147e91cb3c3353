"""Records of training: what was reached, and that the page says so."""

import math
import statistics

import pytest
import torch

from benchmarks.training import digits, recall, tasks
from hopfield.experiments import records
from source_tree import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "training"


def page(name: str) -> str:
    return (ROOT / "docs" / "learned" / f"{name}.md").read_text(encoding="utf-8")


def lines(name: str, seeds: int) -> list[records.Record]:
    found = records.read(RESULTS / f"{name}.jsonl")[1]
    assert {line["seed"] for line in found} == set(range(seeds))
    assert all(len(line["curve"]) == line["epochs"] for line in found)
    return found


def mean(found: list[records.Record], field: str) -> float:
    return statistics.fmean(line[field] for line in found)


def test_a_trained_lookup_classifies_digits():
    reached = mean(lines("lookup", 5), "accuracy")
    assert reached >= 0.97 and f"{100 * reached:.1f} %" in page("lookup")


def test_an_association_learns_what_is_alike():
    found = lines("retrieve", 5)
    reached, drawn = mean(found, "accuracy"), mean(found, "untrained")
    assert reached > 0.97 and drawn < 0.8
    said = f"{100 * reached:.1f} %; with a random encoder {100 * drawn:.1f} %"
    assert said in page("retrieval")


def test_dense_memories_classify_digits():
    found = lines("dense", 5)
    by_degree = {
        d: mean(records.select(found, "dense", degree=d), "accuracy")
        for d in tasks.DEGREES["digits"]
    }
    assert all(f"{d}: {100 * share:.1f} %" in page("dense") for d, share in by_degree.items())
    assert max(by_degree.values()) > max(by_degree[2], by_degree[8]) > 0.97
    assert min(by_degree.values()) > 0.95
    assert all(line["curve"][0] < 1.5 * math.log(10) for line in found)


def test_the_error_on_mnist_is_least_at_a_small_degree():
    """Krotov & Hopfield (2016): 1.51 % at degree 2, 1.44 % at 3, 1.61 % at 20, 1.8 % at 30."""
    found = lines("mnist", 3)
    error = {
        d: 1 - mean(records.select(found, "dense", case="mnist", degree=d), "accuracy")
        for d in tasks.DEGREES["mnist"]
    }
    assert all(f"{d}: {100 * share:.1f} %" in page("dense") for d, share in error.items())
    assert min(error, key=error.get) in (3, 5) and min(error[2], error[10]) > 1.5 * error[5]


def test_pooling_finds_what_decides_a_bag():
    found = lines("sets", 10)
    auc = {
        (case, pooling): mean(records.select(found, "sets", case=case, pooling=pooling), "auc")
        for case in tasks.SETS
        for pooling in tasks.POOLINGS
    }
    for bag in tasks.SETS:
        row = " | ".join(f"{auc[bag, pooling]:.3f}" for pooling in tasks.POOLINGS)
        assert f"| {bag} | {row} |" in page("pooling")
    few, many = tasks.SETS
    assert auc[few, "hopfield"] >= 0.985
    assert auc[many, "hopfield"] >= 0.974 and auc[many, "mean"] < 0.7


@pytest.mark.parametrize("other", ["max", "gated"])
@pytest.mark.parametrize("case", tasks.SETS)
def test_hopfield_pooling_is_not_worse_than_chance_allows(case, other):
    """Paired over the seeds, by two standard errors."""
    found = lines("sets", 10)
    ours, theirs = (
        [line["auc"] for line in records.select(found, "sets", case=case, pooling=pooling)]
        for pooling in ("hopfield", other)
    )
    each = [one - another for one, another in zip(ours, theirs, strict=True)]
    error = statistics.stdev(each) / len(each) ** 0.5
    said = f"{statistics.fmean(each):.4f} ± {error:.4f}".replace("-", "−")
    assert said in page("pooling") and statistics.fmean(each) > -2 * error


def test_hidden_patches_are_completed_down_the_energy():
    found = lines("complete", 3)
    assert all(
        line["falls"] == 1 and line["error"] < 0.65 * line["error_of_mean"] for line in found
    )
    assert f"{mean(found, 'error'):.3f}" in page("completion")


def test_a_split_holds_every_image_once_and_every_digit_in_both():
    held = digits.split(0)
    every = torch.cat([held.images, held.test_images])
    assert len(every) == 1797 and len(every.unique(dim=0)) == 1797
    shares = held.test_labels.bincount() / (held.labels.bincount() + held.test_labels.bincount())
    torch.testing.assert_close(shares, torch.full((10,), 0.3), rtol=0, atol=0.01)


@pytest.mark.parametrize(("size", "most"), tasks.SETS.values())
def test_a_bag_is_positive_if_it_holds_the_digit(size, most):
    names = torch.arange(20.0)[:, None]
    found = digits.bags(names, torch.arange(20) % 10, 40, size, most, seed=0)
    nines = (found.images % 10 == 9).sum((1, 2))
    assert torch.equal(nines > 0, found.positive) and nines.max() == most
    assert found.images.shape == (40, size, 1)


def test_patches_are_the_image_cut():
    images = torch.arange(128.0).reshape(2, 64)
    cut = digits.patches(images)
    assert cut[0, 1].tolist() == [2, 3, 10, 11] and cut[1, 4].tolist() == [80, 81, 88, 89]
    assert torch.equal(digits.whole(cut), images)


def test_auc_counts_pairs_in_order():
    scores, positive = torch.tensor([0.1, 0.4, 0.4, 0.9]), torch.tensor([False, True, False, True])
    assert tasks.auc(scores, positive) == 3.5 / 4


def test_product_keys_recall_what_a_lookup_of_all_recalls():
    found = records.read(RESULTS / "recall.jsonl")[1]
    text = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    for name in recall.LAYERS:
        own = records.select(found, "recall", case=name)
        assert {line["seed"] for line in own} == {0, 1, 2}
        row = f"| {name} | {mean(own, 'recall'):.3f} | {mean(own, 'loss'):.2f} |"
        assert row in text and mean(own, "recall") > 0.95
