"""Pairs of near-duplicates against loops over all pairs, and where users look for them."""

import pytest
import torch

from cases import seeded
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, PackedStore, data, diagnose
from hopfield.errors import EmptyMemoryError, HopfieldError
from hopfield.memories import duplicates as room


def stored(rows, make=ModernHopfield, **options):
    memory = make()
    memory.store(rows, **options)
    return memory


def by_loops(rows, threshold):
    """Pairs of the definition: copies with their first, near-duplicates among first ones."""
    rows = rows.double()
    n = len(rows)
    first = [next(j for j in range(i + 1) if torch.equal(rows[i], rows[j])) for i in range(n)]
    kinds = sorted(set(first))
    far = {(i, j): float((rows[i] - rows[j]).norm()) for i in kinds for j in kinds if i < j}
    nearest = [min((d for pair, d in far.items() if i in pair), default=None) for i in kinds]
    limit = threshold * float(torch.tensor(nearest, dtype=torch.float64).median()) if far else 0.0
    pairs = [(0.0, first[i], i) for i in range(n) if first[i] != i]
    return sorted(pairs + [(d, *pair) for pair, d in far.items() if d <= limit]), limit


def with_near_ones(n, dim, near, copies):
    rows = torch.randn(n, dim, generator=seeded(0))
    close = rows[:near] + 1e-3 * torch.randn(near, dim, generator=seeded(1))
    rows = torch.cat([rows, close, rows[:copies], rows[:copies]])
    return rows[torch.randperm(len(rows), generator=seeded(2))]


@pytest.mark.parametrize("threshold", [0.0, 0.25, 1.01, 1.5])
@pytest.mark.parametrize("size", [1024, 7])
@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_pairs_are_those_of_loops(threshold, size, offset, monkeypatch):
    monkeypatch.setattr(room, "ROWS", size)
    monkeypatch.setattr(room, "ENTRIES", 20)
    rows = with_near_ones(30, 6, near=5, copies=3).double() + offset
    found = stored(rows).duplicates(threshold)
    expected, limit = by_loops(rows, threshold)
    assert found.index.tolist() == [list(pair[1:]) for pair in expected]
    assert found.distance.tolist() == pytest.approx(
        [pair[0] for pair in expected], abs=1e-12 + offset * 1e-15
    )
    assert found.limit == pytest.approx(limit, rel=1e-9) and found.count == len(expected)
    assert len(expected) >= {0.0: 6, 0.25: 11, 1.01: 19, 1.5: 60}[threshold], "premise"


@pytest.mark.parametrize("factor", [2.0**-60, 1000.0, 1e15])
def test_the_unit_of_the_patterns_does_not_matter(factor):
    rows = with_near_ones(40, 8, near=4, copies=2)
    one, other = stored(rows).duplicates(), stored(factor * rows).duplicates()
    assert torch.equal(one.index, other.index) and len(one) == 8
    torch.testing.assert_close(factor * one.distance, other.distance, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    "make",
    [ClassicalHopfield, DenseHopfield, lambda: DenseHopfield(store=PackedStore())],
    ids=["classical", "dense", "packed"],
)
def test_binary_patterns(make):
    """One flip of 200 is a distance of 2; random patterns are about 14 apart."""
    rows = torch.randn(10, 200, generator=seeded(0)).sign()
    flipped = rows[3] * torch.where(torch.arange(200) == 5, -1.0, 1.0)
    memory = make()
    memory.store(torch.cat([rows, flipped[None]]))
    found = memory.duplicates()
    assert list(found) == [(3, 10)] and found.distance.tolist() == [2.0]


def test_pairs_have_the_names_of_the_patterns():
    rows = torch.eye(5)
    near = rows[2] + torch.tensor([1e-3, 0, 0, 0, 0])
    names = ["a", "b", "c", "d", "e", "copy of b", "nearly c"]
    memory = stored(torch.cat([rows, rows[1:2], near[None]]), names=names)
    found = memory.duplicates()
    assert list(found) == [("b", "copy of b"), ("c", "nearly c")]
    assert found.name.tolist() == [["b", "copy of b"], ["c", "nearly c"]]
    assert repr(found).splitlines()[1:] == [
        "  'b' and 'copy of b', distance 0",
        "  'c' and 'nearly c', distance 0.001",
    ]
    text = repr(diagnose(memory))
    assert "'b' and 'copy of b'" in text and "'c' and 'nearly c'" in text


def test_pictures_that_were_saved_again_are_found():
    """Grey levels change by one of 16 here and there, as after compression."""
    digits = data.load("digits").patterns[:300]
    noise = torch.randint(-1, 2, (20, 64), generator=seeded(0)) / 16 * 0.5
    memory = stored(torch.cat([digits, (digits[:20] + noise).clamp(0, 1)]))
    found = memory.duplicates()
    assert list(found) and sorted(found) == [(i, 300 + i) for i in range(20)]
    report = diagnose(memory)
    assert set(report.near_duplicate.nonzero().flatten().tolist()) == {*range(20), *range(300, 320)}


def test_many_pairs_are_counted_and_the_nearest_listed():
    rows = torch.cat([torch.arange(60.0)[:, None] / 1000, torch.tensor([[50.0], [90.0]])])
    found = stored(rows).duplicates(2.5, most=5)
    assert found.count == 59 + 58 and len(found) == 5, "neighbours and their neighbours"
    assert found.distance.max() < 0.0011 and repr(found).endswith("and 112 more")


@pytest.mark.parametrize(
    ("rows", "pairs"),
    [
        (torch.ones(1, 2), []),
        (torch.ones(3, 2), [(0, 1), (0, 2)]),
        (torch.zeros(2, 1), [(0, 1)]),
        (torch.tensor([[0.0], [1.0]]), []),
        (torch.tensor([[0.0], [-0.0], [1.0]]), [(0, 1)]),
        (torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float16), []),
    ],
)
def test_few_patterns(rows, pairs):
    found = stored(rows).duplicates()
    assert list(found) == pairs and found.count == len(pairs)
    assert repr(found).startswith(f"{len(pairs)} pair{'s' * (len(pairs) != 1)} within ")


def test_what_cannot_be_compared_is_refused_by_name():
    with pytest.raises(EmptyMemoryError):
        ModernHopfield().duplicates()
    memory = stored(torch.rand(4, 2, generator=seeded(0)))
    for threshold in (-1.0, float("nan"), float("inf"), "near", None, True, 1e10, [0.1]):
        with pytest.raises(HopfieldError, match="threshold"):
            memory.duplicates(threshold)
    for most in (0, -1, 1.5, "all", None, True):
        with pytest.raises(HopfieldError, match="most"):
            memory.duplicates(most=most)
    memory.store(torch.tensor([[1.0, float("nan")]]), known=torch.tensor([[True, False]]))
    with pytest.raises(HopfieldError, match="complete patterns"):
        memory.duplicates()
