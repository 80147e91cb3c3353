"""Rows without weight are not read; torch's attention is used where only states are needed."""

import math

import pytest
import torch
from torch import Tensor

from cases import seeded
from hopfield import Entmax, ModernHopfield, Softmax, Sparsemax, TopK, attention, readout
from hopfield.readout import block_rows, fused_attention, read
from hopfield.separation import Separation
from hopfield.separation.softmax import GROUP_FROM_SCORES
from hopfield.similarity import dot
from hopfield.stores import RamStore
from hopfield.stores.base import Block

N, DIM, QUERIES = 400, 12, 5
SHARP = {
    "softmax": Softmax(60.0),
    "sparsemax": Sparsemax(30.0),
    "entmax": Entmax(beta=30.0, alpha=1.5),
    "top": TopK(3, beta=2.0),
}


def given(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Patterns, and states near some of them."""
    generator = seeded(3)
    patterns = torch.randn(N, DIM, generator=generator, dtype=torch.float64)
    states = patterns[:QUERIES] + 0.1 * torch.randn(QUERIES, DIM, generator=generator).double()
    return patterns.to(dtype), states.to(dtype)


def blocks_of(patterns: Tensor, size: int = N) -> list[Block]:
    """The patterns as a store hands them out."""
    store = RamStore()
    store.append(patterns)
    return store.blocks(size)


class Watched:
    """A block that says how many rows were pulled."""

    def __init__(self, block: Block) -> None:
        self.block, self.pulled = block, 0
        self.start, self.rows = block.start, block.rows

    def scores(self, state: Tensor) -> Tensor:
        return self.block.scores(state)

    def squares(self, mask: Tensor | None) -> Tensor:
        return self.block.squares(mask)

    def __len__(self) -> int:
        return len(self.block)

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        self.pulled += len(self) if at is None else len(at)
        return self.block.weighted_sum(weights, at)


@pytest.mark.parametrize("separation", SHARP.values(), ids=SHARP.keys())
def test_few_rows_with_weight_are_pulled_alone(separation: Separation):
    patterns, states = given()
    block = Watched(blocks_of(patterns)[0])
    found = read([block], states, dot, separation)
    assert 0 < block.pulled <= N // 4
    weights = separation(states @ patterns.T)
    torch.testing.assert_close(found.state, weights @ patterns, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [1024, 1087])
def test_the_first_of_many_tied_patterns_is_the_strongest(count):
    patterns = torch.randn(count, 4, generator=seeded(5)).sign()  # 16 different rows, so that
    patterns[-1] *= 3  # most scores tie, and a row of its own comes last
    states = torch.cat([torch.randn(70, 4, generator=seeded(6)).sign(), patterns[-1:]])
    assert len(states) * count >= GROUP_FROM_SCORES, "premise: searched by groups"
    found = read(blocks_of(patterns, count), states, dot, Softmax(1.0))
    scores = states @ patterns.T
    first = (scores == scores.amax(-1, keepdim=True)).long().argmax(-1)
    assert first.unique().numel() > 8 and first[-1] == count - 1
    assert torch.equal(found.index, first)


def test_many_rows_with_weight_are_pulled_together():
    patterns, states = given()
    block = Watched(blocks_of(patterns)[0])
    found = read([block], states, dot, Softmax(0.1))
    assert block.pulled == N
    weights = torch.softmax(0.1 * states @ patterns.T, -1)
    torch.testing.assert_close(found.state, weights @ patterns, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("beta", [0.01, 1.0, 300.0])
def test_what_is_cut_off_is_less_than_rounding(beta, dtype):
    patterns, states = given(dtype)
    exact = torch.softmax(beta * states.double() @ patterns.double().T, -1) @ patterns.double()
    limit = patterns.norm(dim=-1).max().double()
    found = read(blocks_of(patterns, 7), states, dot, Softmax(beta)).state.double()
    slack = 16 * torch.finfo(dtype).eps * (1 + beta * limit**2) * limit
    assert (found - exact).abs().max() <= slack


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("beta", [0.0, 1e-30, 0.3, 40.0, 1e30, math.inf])
def test_update_is_the_state_that_is_read(beta, similarity):
    patterns, states = given()
    memory = ModernHopfield(beta, similarity=similarity)
    memory.store(patterns)
    step = memory.retrieve(states, steps=1, tol=0.0)
    torch.testing.assert_close(memory.update(states), step.state, rtol=1e-10, atol=1e-10)


def test_fused_attention_leaves_to_others_what_it_cannot_do():
    patterns, states = given()
    assert fused_attention(states, patterns, 1.0) is not None
    assert fused_attention(states, patterns, math.inf) is None, "∞ − ∞ is no weight"
    assert fused_attention(states.requires_grad_(), patterns, 1.0) is None, "no second derivatives"


def test_fused_attention_takes_a_beta_for_each_query_and_values_of_any_width():
    patterns, states = given()
    beta = torch.linspace(0.1, 2.0, QUERIES, dtype=torch.float64)
    for width in (1, DIM, 3 * DIM):
        values = torch.randn(N, width, generator=seeded(1), dtype=torch.float64)
        expected = torch.softmax(beta[:, None] * states @ patterns.T, -1) @ values
        found = fused_attention(states, patterns, beta, values)
        assert found is not None
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(attention(states, patterns, beta, values), expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("n", [1, 50])
def test_attention_refuses_what_is_not_finite_wherever_it_stands(n, bad):
    patterns, states = given(torch.float32)
    for spoilt in range(3):
        rows, cues, values = patterns[:n].clone(), states.clone(), patterns[:n, :3].clone()
        (rows, cues, values)[spoilt][0, 0] = bad
        with pytest.raises(ValueError, match="must be finite"):
            attention(cues, rows, 1.0, values)
        if spoilt < 2:
            with pytest.raises(ValueError, match="must be finite"):
                attention(cues, rows, 1.0)


def test_blocks_hold_so_many_scores_and_copies_so_many_rows():
    assert block_rows(1, copied=False) > block_rows(1) > block_rows(10**4)
    assert block_rows(1024, copied=False) * 1024 <= 2**20
    assert block_rows(10**9) >= 1


@pytest.mark.parametrize("dim", [20, readout.SHORT_ROWS + 1])
@pytest.mark.parametrize("queries", [1, readout.FEW_QUERIES + 1])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_a_learnt_beta_sharpens_scores_and_biases_alike(similarity, queries, dim):
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(50, dim, generator=generator)
    cues = 0.3 * patterns[:queries] + torch.randn(queries, dim, generator=generator)
    beta = torch.tensor(0.2, requires_grad=True)
    memories = [ModernHopfield(each, similarity=similarity) for each in (0.2, beta)]
    for memory in memories:
        memory.store(patterns)
    with torch.no_grad():
        plain, learnt = (memory.update(cues) for memory in memories)
        read = memories[0].retrieve(cues, steps=1, tol=0.0).state
    torch.testing.assert_close(learnt, plain)
    torch.testing.assert_close(plain, read)


@pytest.mark.parametrize("separation", SHARP.values(), ids=SHARP)
def test_the_entropy_with_gradients_is_the_formula(separation):
    """In blocks, where nothing may be overwritten; and of one pattern it is 0, not −0."""
    patterns, states = given()
    states = (states / 30).requires_grad_()
    found = read(blocks_of(patterns, 150), states, dot, separation).entropy
    entropy = torch.special.entr(separation(states @ patterns.T).clamp_min(1e-300)).sum(-1)
    torch.testing.assert_close(found, entropy, rtol=1e-9, atol=1e-12)
    assert found.detach().max() > 1e-3, "premise"
    alone = read(blocks_of(patterns[:1]), states.detach(), dot, separation).entropy
    assert not torch.signbit(alone).any() and not alone.any()


class Mean(Separation):
    """A separation of one's own, whose scores are all kept: softmax at β = 1."""

    def potential(self, scores: Tensor) -> Tensor:
        return scores.logsumexp(-1) - math.log(scores.shape[-1])

    def __call__(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)


DENSE_WEIGHTS = {
    "sparsemax": Sparsemax(1e-6),
    "entmax": Entmax(1.5, 1e-3),
    "top": TopK(300, 1.0),
    "own": Mean(),
}


@pytest.mark.parametrize("masked", ["no mask", "one mask", "a mask each"])
@pytest.mark.parametrize("name", DENSE_WEIGHTS)
def test_scores_of_all_queries_are_not_kept_at_once(name, masked, monkeypatch):
    """Where most patterns have weight, the batch is read in parts."""
    separation, (patterns, _) = DENSE_WEIGHTS[name], given()
    states = torch.randn(16, DIM, generator=seeded(4), dtype=torch.float64)
    known = {"no mask": None, "one mask": torch.arange(DIM) < 7}.get(
        masked, torch.rand(16, DIM, generator=seeded(5)) < 0.7
    )
    blocks = blocks_of(patterns, 50)
    whole = read(blocks, states, dot, separation, known)
    sizes, real = [], type(separation).potential

    def potential(self: Separation, scores: Tensor, *rest: int) -> Tensor:
        sizes.append(scores.numel())
        return real(self, scores, *rest)

    monkeypatch.setattr(readout, "BLOCK_SCORES", 2**10)
    monkeypatch.setattr(type(separation), "potential", potential)
    parts = read(blocks, states, dot, separation, known)
    assert len(sizes) > 2 and max(sizes) <= 2**10
    for field in ("state", "potential", "weight", "entropy"):
        torch.testing.assert_close(getattr(parts, field), getattr(whole, field))
    assert torch.equal(parts.index, whole.index)


@pytest.mark.parametrize("name", ["sparsemax", "entmax", "top"])
def test_candidates_are_searched_when_their_number_has_doubled(name, monkeypatch):
    """In 40 blocks each score is looked at a few times, not in every block that follows."""
    separation, (patterns, states) = DENSE_WEIGHTS[name], given()
    sizes, real = [], type(separation)._floor
    floor = lambda self, scores: sizes.append(scores.shape[-1]) or real(self, scores)  # noqa: E731
    monkeypatch.setattr(type(separation), "_floor", floor)
    read(blocks_of(patterns, 10), states, dot, separation)
    assert sum(sizes) <= 6 * N


@pytest.mark.parametrize("name", ["sparsemax", "entmax", "top"])
@pytest.mark.parametrize("size", [1, 7, 64, N])
def test_weights_in_many_blocks_are_those_of_all_scores(name, size):
    separation, (patterns, states) = DENSE_WEIGHTS[name], given()
    found = read(blocks_of(patterns, size), states, dot, separation)
    scores = states @ patterns.T
    weights = separation(scores)
    torch.testing.assert_close(found.state, weights @ patterns)
    torch.testing.assert_close(found.potential, separation.potential(scores))
    assert torch.equal(found.index, scores.argmax(-1))
