"""Patterns with gaps: every readout agrees with loops over entries, and Euclid's energy falls."""

import math

import pytest
import torch
from torch import Tensor

from cases import seeded
from hopfield import Cue, Entmax, ModernHopfield, Softmax, Sparsemax, TopK
from hopfield.separation import Separation
from hopfield.similarity import EntrySum, Similarity

N, DIM, QUERIES = 9, 12, 5
SEPARATIONS = {
    "softmax": Softmax(1.3),
    "sharp": Softmax(400.0),
    "sparsemax": Sparsemax(0.4),
    "entmax": Entmax(1.5, 0.8),
    "topk": TopK(3, 1.1),
}
SCALED = ("dot", "euclidean", "manhattan", "own")
MASKS = ("none", "shared", "each")


def rows_with_gaps(
    seed: int, n: int = N, dim: int = DIM, share: float = 0.3, complete: int = 0
) -> tuple[Tensor, Tensor]:
    """Rows with NaN where they know nothing; the last one knows its last entry only."""
    generator = seeded(seed)
    rows = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    known = torch.rand(n, dim, generator=generator) >= share
    known[torch.arange(n), torch.arange(n) % dim] = True
    known[-1] = torch.arange(dim) == dim - 1
    known[:complete] = True
    return torch.where(known, rows, math.nan), known


def cues(kind: str, seed: int, known: Tensor) -> tuple[Tensor, Tensor | None]:
    """States, and their masks, which leave out the last entry."""
    generator = seeded(seed + 51)
    states = torch.randn(QUERIES, known.shape[1], generator=generator, dtype=torch.float64)
    if kind == "none":
        return states, None
    shape = (known.shape[1],) if kind == "shared" else states.shape
    mask = torch.rand(shape, generator=generator) < 0.85
    mask[..., -1] = False
    common = (mask.expand_as(states)[:, None] & known).sum(-1)
    assert (common[:, :-1] > 2).all(), "premise: correlations are not ±1, which tie"
    assert (common[:, -1] == 0).all(), "premise: a row has no common entry"
    return states, mask


def score(similarity: str, row: Tensor, x: Tensor) -> float:
    """One score of the common entries."""
    if similarity == "dot":
        return float(row @ x)
    if similarity == "euclidean":
        return -float((row - x).square().sum()) / 2
    if similarity == "manhattan":
        return -float((row - x).abs().sum())
    if similarity == "correlation":
        row, x = row - row.mean(), x - x.mean()
    length = float(row.norm() * x.norm())
    return float(row @ x) / length if length > 1e-12 else 0.0


def weigh(separation: Separation, scores: dict[int, float]) -> dict[int, float]:
    """Weights of the rows that take part."""
    if not scores:
        return {}
    weights = separation(torch.tensor(list(scores.values()), dtype=torch.float64))
    return dict(zip(scores, weights.tolist(), strict=True))


def read_by_loops(rows, known, x, mask, similarity, separation) -> tuple[Tensor, dict, dict]:
    """The next state of one query, with the scores and weights of rows with common entries."""
    scores, scale = {}, {}
    for mu in range(len(rows)):
        common = known[mu] & mask
        if common.any():
            scale[mu] = int(mask.sum()) / int(common.sum()) if similarity in SCALED else 1.0
            scores[mu] = scale[mu] * score(similarity, rows[mu][common], x[common])
    weights, following = weigh(separation, scores), x.clone()
    for i in range(len(x)):
        donors = {mu: weights[mu] for mu in scores if known[mu, i]}
        if sum(donors.values()) < N * 2.0**-78:  # eps^1.5
            donors = weigh(separation, {mu: scores[mu] for mu in donors})
        total = sum(p * scale[mu] for mu, p in donors.items())
        if total:
            following[i] = sum(p * scale[mu] * rows[mu, i] for mu, p in donors.items()) / total
    return following, scores, weights


def potential(separation: Separation, scores: dict[int, float]) -> float:
    """F of n scores, of which those missing here are −∞."""
    values = torch.tensor(list(scores.values()), dtype=torch.float64)
    if isinstance(separation, Softmax):
        share = math.log(len(scores) / N) / separation.beta
        return float(separation.potential(values)) + share
    return float(separation.potential(values, total=float(N)))


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS.keys())
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan", "cosine", "correlation"])
def test_a_step_is_the_step_by_loops(similarity, separation, masks):
    rows, known = rows_with_gaps(0)
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows, known=known, values=torch.arange(2.0 * N, dtype=torch.float64).view(N, 2))
    states, mask = cues(masks, 0, known)
    result = memory.retrieve(states, mask, clamp=None if mask is None else False, steps=1, tol=0.0)
    first = memory.retrieve(states, mask, steps=0)
    each = torch.ones(QUERIES, DIM, dtype=torch.bool) if mask is None else mask.expand(QUERIES, -1)
    for q, m in enumerate(each):
        following, scores, weights = read_by_loops(
            rows, known, states[q], m, similarity, separation
        )
        torch.testing.assert_close(result.state[q], following, rtol=1e-9, atol=1e-9)
        best = max(weights, key=lambda mu: (scores[mu], -mu))
        assert first.index[q] == best
        assert float(first.weight[q]) == pytest.approx(weights[best], rel=1e-9)
        value = sum(p * (2.0 * mu) for mu, p in weights.items())
        assert float(first.value[q, 0]) == pytest.approx(value, rel=1e-9, abs=1e-9)
        energy = -potential(separation, scores)
        if similarity == "dot":
            largest = rows.nan_to_num().square().sum(-1).max()
            energy += float(states[q][m].square().sum() + largest) / 2
        assert float(first.energy[q]) == pytest.approx(energy, rel=1e-9, abs=1e-9)
    if mask is None:
        torch.testing.assert_close(memory.update(states), result.state, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(memory.energy(states), first.energy, rtol=1e-12, atol=1e-12)


# ---- what is promised


def test_euclids_energy_never_rises():
    """Over 2 000 steps, free and clamped, by known entries and by all."""
    generator, eps, steps = seeded(7), torch.finfo(torch.float64).eps, 0
    for turn in range(40):
        separation = list(SEPARATIONS)[turn % 5]
        n, dim = 3 + turn % 23, 2 + turn % 11
        rows, known = rows_with_gaps(turn, n, dim, 0.1 + 0.015 * turn, complete=1)
        largest = float(rows.nan_to_num().norm(dim=-1).max())
        beta = 10.0 ** (turn % 7 / 2 - 1) / largest**2 * dim
        memory = ModernHopfield(
            separation=type(SEPARATIONS[separation])(beta=beta), similarity="euclidean"
        )
        memory.store(rows, known=known)
        spread = largest / dim**0.5
        states = spread * torch.randn(40, dim, generator=generator, dtype=torch.float64)
        mask = torch.rand(40, dim, generator=generator) < 0.7
        mask[:, 0] = True
        ways = {"all": {}, "free": {"known": mask, "clamp": False}}
        ways["clamped"] = {"known": mask, "evidence": "all"}
        for way, options in ways.items():
            trace = memory.retrieve(states, **options, trace=True, tol=0.0, steps=6).trace
            trace = trace[1:] if way == "clamped" else trace
            rise = trace.diff(dim=0)
            steps += rise.numel()
            longest = torch.maximum(states.norm(dim=-1), torch.tensor(largest))
            kappa = 1 + dim * beta * largest * longest  # scores grow by c, at most dim
            size = torch.maximum(trace.abs().amax(0), longest**2 / 2)
            assert (rise <= 8 * eps * kappa * size).all(), (turn, way, float(rise.max()))
    assert steps > 2000, steps


@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS.keys())
def test_the_step_of_euclid_is_a_step_down_the_gradient(separation):
    """x'_i = x_i − ∂E/∂x_i / Σ p c k, by autograd."""
    rows, known = (part[:-1] for part in rows_with_gaps(1))
    memory = ModernHopfield(separation=separation, similarity="euclidean")
    memory.store(rows, known=known)
    states = cues("none", 1, known)[0].requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(states).sum(), states)
    count = known.sum(-1).double()
    scores = torch.stack(
        [-(DIM / c) * (row - states)[:, k].square().sum(-1) / 2
         for row, k, c in zip(rows, known, count, strict=True)], dim=-1
    )  # fmt: skip
    total = separation(scores) @ (known * (DIM / count)[:, None]).double()
    decided = total > 1e-6
    expected = (states - slope / total)[decided]
    assert decided.double().mean() > 0.5, "premise: most entries are read by weight"
    torch.testing.assert_close(memory.update(states)[decided], expected, rtol=1e-8, atol=1e-8)
    following = memory.update(states)
    assert torch.autograd.grad(following.square().sum(), states)[0].isfinite().all()


def test_known_entries_held_need_one_read():
    rows, known = rows_with_gaps(2)
    memory = ModernHopfield(3.0, similarity="euclidean")
    memory.store(rows, known=known)
    states, mask = cues("each", 2, known)
    result = memory.retrieve(states, mask)
    assert result.converged.all() and (result.steps <= 1).all()
    assert torch.equal(result.state[mask], states[mask])


def test_a_mask_of_everything_is_no_mask():
    rows = torch.randn(N, DIM, generator=seeded(3))
    memory = ModernHopfield(0.3)
    memory.store(rows, known=torch.ones(DIM, dtype=torch.bool))
    assert memory.known is None and not memory.storage.has_gaps
    memory.store(rows[:1], known=torch.arange(DIM) > 0)
    assert memory.known.sum() == (N + 1) * DIM - 1
    assert torch.equal(memory.patterns[:N], rows) and memory.patterns[N, 0].isnan()
    memory.remove(N)
    assert memory.known is None and torch.equal(memory.patterns, rows)


def test_complete_rows_score_alike_with_and_without_gaps_elsewhere():
    rows = torch.randn(N, DIM, generator=seeded(3), dtype=torch.float64)
    far = torch.full((1, DIM), 30.0, dtype=torch.float64)
    states = torch.randn(QUERIES, DIM, generator=seeded(4), dtype=torch.float64)
    one, other = (ModernHopfield(0.3, similarity="euclidean") for _ in range(2))
    one.store(torch.cat([rows, far]))
    other.store(rows)
    other.store(far, known=torch.arange(DIM) < DIM - 1)
    mask = torch.arange(DIM) < 5
    for options in ({}, {"known": mask}, {"known": mask, "evidence": "all"}):
        first, second = (m.retrieve(states, **options, steps=3, tol=0.0) for m in (one, other))
        torch.testing.assert_close(first.state, second.state, rtol=1e-7, atol=1e-7)
        torch.testing.assert_close(first.energy, second.energy, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS.keys())
def test_neither_blocks_nor_storage_order_matter(separation, monkeypatch):
    rows, known = rows_with_gaps(5, n=300)
    states = torch.randn(QUERIES, DIM, generator=seeded(6), dtype=torch.float64)
    mask = torch.arange(DIM) % 3 > 0
    order = torch.randperm(300, generator=seeded(8))
    results = []
    for size, at in ((10**6, slice(None)), (7, slice(None)), (64, order)):
        monkeypatch.setattr("hopfield.readout.BLOCK_ROWS", size)
        memory = ModernHopfield(separation=separation, similarity="euclidean")
        memory.store(rows[at], known=known[at])
        results.append(memory.retrieve(states, mask, clamp=False, steps=3, tol=0.0))
    for other in results[1:]:
        torch.testing.assert_close(other.state, results[0].state, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(other.energy, results[0].energy, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("beta", [0.0, 1e-38, 1e-3, 1e30, math.inf])
def test_extreme_beta(beta, dtype):
    """β = 0 averages the rows with common entries, β = ∞ takes the nearest that know an entry."""
    rows = torch.tensor([[0.0, 1, 2], [1, math.nan, 5], [math.nan, 7, 9]], dtype=dtype)
    memory = ModernHopfield(beta, similarity="euclidean")
    memory.store(rows, known=~rows.isnan())
    state = torch.tensor([0.9, math.nan, math.nan], dtype=dtype)
    result = memory.retrieve(state, ~state.isnan())
    low, high = result.state[1:].tolist(), [1.0, 5.0]
    assert low == pytest.approx([1.0, 3.5] if beta < 0.1 else high, rel=1e-3)
    assert result.state.dtype == dtype and not result.energy.isnan()


def test_statistics_are_those_of_known_entries():
    rows, known = rows_with_gaps(9, n=2500)
    known[:, 3] = False
    rows = torch.where(known | (torch.arange(DIM) == 3), rows + 1000, math.nan)
    known[-1, 4] = True
    rows[-1, 4] = 1.0
    memory = ModernHopfield()
    memory.store(rows[:700].nan_to_num() + 0.0)
    memory.storage.summary()
    memory.remove(range(700))
    for part in (slice(0, 1500), slice(1500, 2500)):
        memory.store(rows[part], known=known[part])
        summary = memory.storage.summary()
    cut = torch.where(known, rows, math.nan)
    there = [column[~column.isnan()] for column in cut.T]
    mean = [float(column.mean()) if len(column) else 0.0 for column in there]
    std = [float(column.std(correction=0)) if len(column) else 0.0 for column in there]
    assert summary.mean.tolist() == pytest.approx(mean, rel=1e-12)
    assert summary.std.tolist() == pytest.approx(std, rel=1e-9)
    assert summary.counts.tolist() == [len(column) for column in there]
    norms = cut.nan_to_num().square().sum(-1)
    torch.testing.assert_close(summary.squared_norms, norms, rtol=1e-12, atol=0)


# ---- any similarity


def test_a_function_of_your_own_compares_common_entries():
    def chebyshev(rows, state, known):
        difference = (state[..., None, :] - rows).abs()
        if known is not None:
            difference = difference * known[..., None, :]
        return -difference.amax(-1)

    rows, known = rows_with_gaps(4)
    memory = ModernHopfield(2.0, similarity=chebyshev)
    memory.store(rows, known=known)
    states, mask = cues("each", 4, known)
    result = memory.retrieve(states, mask)
    for q, (x, m) in enumerate(zip(states, mask, strict=True)):
        common = known & m
        scores = -torch.where(common, (rows - x).abs(), 0.0).amax(-1)
        scores[~common.any(-1)] = -math.inf
        weights = torch.softmax(2.0 * scores, -1)[:, None] * known
        expected = (weights * rows.nan_to_num()).sum(0) / weights.sum(0)
        torch.testing.assert_close(result.state[q][~m], expected[~m], rtol=1e-9, atol=1e-9)


def test_a_sum_of_your_own_is_scaled_as_those_of_the_package():
    def distance(block, state, known):
        difference = (state[..., None, :] - block.rows).square()
        if known is not None:
            difference = difference * known[..., None, :]
        return -difference.sum(-1) / 2

    rows, known = rows_with_gaps(4)
    states, mask = cues("each", 4, known)
    results = []
    for similarity in ("euclidean", EntrySum("mine", distance), Similarity("unscaled", distance)):
        memory = ModernHopfield(2.0, similarity=similarity)
        memory.store(rows, known=known)
        results.append(memory.retrieve(states, mask, steps=1).state)
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)
    assert (results[0] - results[2]).abs().max() > 0.01, "premise: the scale matters"


# ---- tables


def test_rows_that_all_have_gaps_complete_each_other():
    nan = math.nan
    table = torch.tensor(
        [[1, 10, nan, 4], [2, 20, 7, nan], [nan, 30, 9, 6], [4, nan, 11, 8], [1, nan, 5, 4.0]]
    )
    memory = ModernHopfield(50.0, similarity="euclidean")
    memory.store(Cue(table, ~table.isnan()))
    result = memory.retrieve(Cue(table, ~table.isnan()))
    assert torch.equal(result.state[~table.isnan()], table[~table.isnan()])
    filled = result.state[table.isnan()].tolist()
    # The nearest row that knows the entry: rows 4, 4, 3, 2 and 0. Row 1, for instance, differs
    # from rows 0, 2, 3 and 4 by 101, 104, 20 and 5 in two common entries each.
    assert filled == [5.0, 4.0, 4.0, 30.0, 10.0]


def test_masks_grow_by_doubling_like_the_rows():
    rows, memory = torch.arange(66.0).reshape(33, 2), ModernHopfield()
    masks = torch.arange(66).reshape(33, 2) % 4 != 1
    memory.store(rows[:1])  # complete rows come first
    for row, mask in zip(rows[1:].split(1), masks[1:].split(1), strict=True):
        memory.store(row, known=mask)
    assert torch.equal(memory.known, masks | (torch.arange(33) == 0)[:, None])
    assert memory.known.untyped_storage().nbytes() == 2 * 64, "room for 64 rows"
    memory.remove([0])
    memory.store(rows[:1])
    assert torch.equal(memory.known, torch.cat([masks[1:], masks[:1] | True]))
