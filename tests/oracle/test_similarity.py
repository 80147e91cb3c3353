"""Similarities against plain loops, with no mask, one mask for all, and a mask for each cue."""

import math
import statistics

import pytest
import torch

from cases import seeded
from hopfield import similarity
from hopfield.similarity import SIMILARITIES
from hopfield.stores import Block

every_similarity = pytest.mark.parametrize("name", SIMILARITIES)


def by_loops(name: str, row: list[float], state: list[float], mask: list[bool]) -> float:
    """One score by its textbook formula, over the known entries."""
    pairs = [(a, b) for a, b, known in zip(row, state, mask, strict=True) if known]
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    product = math.fsum(x * y for x, y in pairs)
    if name == "dot":
        return product
    if name == "euclidean":
        return -math.fsum((x - y) ** 2 for x, y in pairs) / 2
    if name == "manhattan":
        return -math.fsum(abs(x - y) for x, y in pairs)
    if name == "cosine":
        norms = math.hypot(*a) * math.hypot(*b)
        return product / norms if norms else 0.0
    constant = len(pairs) < 2 or len(set(a)) == 1 or len(set(b)) == 1
    return 0.0 if constant else statistics.correlation(a, b)


def masks(kind: str, batch: tuple[int, ...], dim: int) -> torch.Tensor | None:
    """No mask, one mask, or one a cue."""
    if kind == "none":
        return None
    shape = (dim,) if kind == "shared" else (*batch, dim)
    return torch.rand(shape, generator=seeded(3)) < 0.6


def expected(name: str, rows: torch.Tensor, states: torch.Tensor, known: torch.Tensor | None):
    """All scores by loops."""
    flat = states.reshape(-1, states.shape[-1])
    mask = torch.ones_like(flat, dtype=torch.bool)
    if known is not None:
        mask = known.expand(states.shape).reshape(flat.shape)
    scores = [
        [by_loops(name, row, x, m) for row in rows.tolist()]
        for x, m in zip(flat.tolist(), mask.tolist(), strict=True)
    ]
    return torch.tensor(scores, dtype=torch.float64).reshape(*states.shape[:-1], len(rows))


@every_similarity
@pytest.mark.parametrize("kind", ["none", "shared", "each"])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_scores_by_loops(name, kind, batch):
    generator = seeded(0)
    rows = torch.randn(5, 9, generator=generator, dtype=torch.float64)
    states = torch.randn(*batch, 9, generator=generator, dtype=torch.float64)
    known = masks(kind, batch, 9)
    wanted = expected(name, rows, states, known)
    found = SIMILARITIES[name](Block(0, rows), states, known)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    single = SIMILARITIES[name](Block(0, rows.float()), states.float(), known)
    torch.testing.assert_close(single, wanted.float(), rtol=1e-5, atol=1e-5)
    assert single.dtype == torch.float32


@every_similarity
@pytest.mark.parametrize("kind", ["none", "shared", "each"])
@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_scores_of_plain_tensors_by_loops(name, kind, batch):
    """The public functions: rows as a tensor, NaN where an entry is hidden."""
    rows = torch.randn(5, 9, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(*batch, 9, generator=seeded(1), dtype=torch.float64)
    known = masks(kind, batch, 9)
    wanted = expected(name, rows, states, known)
    shown = states if known is None else torch.where(known, states, torch.nan)
    score = getattr(similarity, name)
    torch.testing.assert_close(score(rows, shown, known), wanted, rtol=1e-12, atol=1e-12)
    half = score(rows.half(), shown.bfloat16(), known)
    assert half.dtype == torch.float32
    rounded = expected(name, rows.half().double(), states.bfloat16().double(), known)
    torch.testing.assert_close(half, rounded.float(), rtol=1e-5, atol=1e-5)


@every_similarity
def test_scores_of_plain_tensors_have_gradients(name):
    rows = torch.randn(3, 4, generator=seeded(0), dtype=torch.float64, requires_grad=True)
    states = torch.randn(2, 4, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(getattr(similarity, name), (rows, states))


@every_similarity
def test_half_precision_rows_are_scored_in_the_precision_of_the_state(name):
    rows = torch.randn(5, 9, generator=seeded(0)).half()
    states = torch.randn(4, 9, generator=seeded(1))
    found = SIMILARITIES[name](Block(0, rows), states, None)
    torch.testing.assert_close(
        found, expected(name, rows, states, None).float(), rtol=1e-5, atol=1e-5
    )


@every_similarity
def test_zero_and_constant_vectors_have_finite_scores(name):
    rows = torch.tensor([[0.0, 0, 0], [2.0, 2, 2], [1.0, 2, 3], [0.1, 0.1, 0.1]])
    states = torch.cat([rows, torch.tensor([[3.0, 1.0, 2.0]])])
    for known in (None, torch.tensor([True, False, False]), torch.zeros(3, dtype=torch.bool)):
        found = SIMILARITIES[name](Block(0, rows), states, known)
        wanted = expected(name, rows, states, known).float()
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@every_similarity
def test_hidden_entries_do_not_count(name):
    rows = torch.randn(5, 9, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(4, 9, generator=seeded(1), dtype=torch.float64)
    known = masks("each", (4,), 9)
    other = torch.where(known, states, 100 * torch.randn(4, 9, generator=seeded(2)).double())
    score = SIMILARITIES[name]
    one, two = score(Block(0, rows), states, known), score(Block(0, rows), other, known)
    assert torch.equal(one, two)
    assert not torch.allclose(one, score(Block(0, rows), states, None)), "premise: they would count"


@pytest.mark.parametrize("offset", [0.0, 1.0, 30.0])
def test_euclidean_scores_are_never_positive_and_zero_for_a_pattern_itself(offset):
    rows = offset + torch.randn(20, 30, generator=seeded(0))
    scores = SIMILARITIES["euclidean"](Block(0, rows), rows, None)
    assert (scores <= 0).all()
    # The subtraction of squares costs M²·eps.
    limit = 8 * torch.finfo(torch.float32).eps * rows.square().sum(-1).max()
    assert (scores.diagonal().abs() <= limit).all()


@pytest.mark.parametrize("name", ["cosine", "correlation"])
def test_ratios_stay_between_minus_one_and_one(name):
    rows = torch.randn(30, 8, generator=seeded(0))
    scores = SIMILARITIES[name](Block(0, torch.cat([rows, -rows])), 3 * rows, None)
    assert scores.abs().max() <= 1
    torch.testing.assert_close(scores[:, :30].diagonal(), torch.ones(30), rtol=0, atol=1e-5)
    torch.testing.assert_close(scores[:, 30:].diagonal(), -torch.ones(30), rtol=0, atol=1e-5)


def test_correlation_sees_neither_offset_nor_scale():
    rows = torch.randn(6, 12, generator=seeded(0), dtype=torch.float64)
    states = torch.randn(4, 12, generator=seeded(1), dtype=torch.float64)
    score = SIMILARITIES["correlation"]
    plain = score(Block(0, rows), states, None)
    moved = score(Block(0, 5 * rows + 3), 0.1 * states - 7, None)
    torch.testing.assert_close(plain, moved, rtol=1e-9, atol=1e-9)
