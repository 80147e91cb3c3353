"""The k best patterns against brute force in float64, entry by entry."""

import pytest
import torch
from torch import Tensor

from brute_force import brute_force, one_score
from cases import (
    CASES,
    DIM,
    FULL,
    HALF,
    filled,
    in_turn,
    over_dtypes,
    patterns_and_cues,
    random_masks,
    seeded,
    signs,
)
from hopfield import (
    ClassicalHopfield,
    Cue,
    Memory,
    ModernHopfield,
    PackedStore,
    readout,
)
from hopfield.iteration import Reading
from hopfield.memories import nearest as module
from hopfield.memories import pairwise, ranking, scanning
from hopfield.memories.scanning import scan_scoring

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def assert_best(found, scores: Tensor, k: int) -> None:
    """The answer is that of brute force; a tie within rounding goes to either."""
    order = scores.sort(descending=True, stable=True)
    eps = torch.finfo(torch.float64).eps * 64 * DIM * scores.abs().amax().clamp_min(1)
    own = scores.gather(-1, found.index)
    assert ((own - order.values[:, :k]).abs() <= eps).all(), "other patterns score better"
    apart = (order.values.diff(dim=-1) < -eps)[:, : k - 1].all(-1)
    last = (
        order.values[:, k - 1] - order.values[:, k : k + 1].amax(-1) > eps
        if k < scores.shape[1]
        else apart
    )
    clear = apart & last
    assert torch.equal(found.index[clear], order.indices[clear, :k])
    error = (found.score.double() - own).abs()
    assert (error <= torch.finfo(found.score.dtype).eps * own.abs() + eps).all(), error.max()


MASKS = ("none", "shared", "per query")


@pytest.mark.parametrize("masks", MASKS)
@in_turn(CASES, 1)
def test_the_k_best_are_those_of_brute_force(case, dtype, masks):
    patterns, cues = patterns_and_cues(case, dtype, n=40)
    known = {"none": None, "shared": random_masks(DIM), "per query": random_masks(len(cues), DIM)}
    memory, mask = filled(case, patterns), known[masks]
    found = memory.nearest(cues, 7, mask)
    everything = torch.ones(DIM, dtype=torch.bool) if mask is None else mask
    scores = brute_force(case.similarity, patterns, cues, everything)
    assert found.index.shape == found.score.shape == found.weight.shape == (len(cues), 7)
    assert found.name is None
    assert_best(found, scores, 7)


@pytest.mark.parametrize("rows", [1, 3, 64])
@in_turn(CASES, 3)
def test_blocks_do_not_matter(case, dtype, rows, monkeypatch):
    patterns, cues = patterns_and_cues(case, dtype, n=30)
    memory, mask = filled(case, patterns), random_masks(len(cues), DIM)
    whole = memory.nearest(cues, 5, mask)
    monkeypatch.setattr(readout, "block_rows", lambda queries, copied=True: rows)
    monkeypatch.setattr(ranking, "PENDING", 2)
    monkeypatch.setattr(module, "QUERIES", 4)
    parts = memory.nearest(cues, 5, mask)
    assert torch.equal(whole.index, parts.index)
    torch.testing.assert_close(whole.score, parts.score, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(whole.weight, parts.weight, rtol=1e-4, atol=1e-6)


def test_equal_patterns_follow_in_the_order_of_storage():
    row = torch.randn(DIM, generator=seeded(1))
    for similarity in ("dot", "euclidean", "cosine", "correlation", "manhattan"):
        memory = ModernHopfield(similarity=similarity)
        memory.store(torch.cat([torch.randn(500, DIM, generator=seeded(2)), row.expand(333, -1)]))
        for batch in (1, 2, 33):
            found = memory.nearest(row.expand(batch, -1), 20)
            assert found.index.tolist() == [list(range(500, 520))] * batch, similarity


def test_of_many_equal_patterns_few_are_held_at_a_time(monkeypatch):
    monkeypatch.setattr(ranking, "PENDING", 64)
    monkeypatch.setattr(readout, "block_rows", lambda queries, copied=True: 64)
    sizes, ranked = [], ranking._Leaders._ranked
    monkeypatch.setattr(
        ranking._Leaders,
        "_ranked",
        lambda self, pairs: sizes.append(len(pairs[0])) or ranked(self, pairs),
    )
    memory = ModernHopfield(similarity="euclidean")
    memory.store(torch.ones(5000, 3))
    found = memory.nearest(torch.full((5, 3), 0.3), 4)
    assert found.index.tolist() == [[0, 1, 2, 3]] * 5
    kept, new = 64 // 2 + 2 * 5 * 4, 64 + 5 * 64
    assert max(sizes) <= kept + new, "of 25 000 pairs"


def test_patterns_far_from_zero_are_told_apart():
    rows = 4096 + torch.randn(3000, DIM, generator=seeded(3))
    cues = rows[::100] + 0.1 * torch.randn(30, DIM, generator=seeded(4))
    memory = ModernHopfield(similarity="euclidean")
    memory.store(rows)
    exact = torch.cdist(cues.double(), rows.double()).topk(5, largest=False).indices
    assert torch.equal(memory.nearest(cues, 5).index, exact)


@pytest.mark.parametrize("n", [511, 512, 1000, 5000])
@over_dtypes(*HALF, *FULL)
def test_many_patterns_in_groups(n, dtype):
    rows = torch.randn(n, 8, generator=seeded(5)).to(dtype)
    cues = torch.randn(70, 8, generator=seeded(6)).to(dtype)
    memory = ModernHopfield(similarity="dot")
    memory.store(rows)
    scores = cues.double() @ rows.double().T
    for k in (1, 3, 100, 511):
        order = scores.sort(descending=True, stable=True)
        found = memory.nearest(cues, k)
        ties = order.values[:, :k].diff(dim=-1) > -1e-12
        swapped = found.index != order.indices[:, :k]
        assert int(swapped.sum()) <= 2 * int(ties.sum())
        torch.testing.assert_close(scores.gather(-1, found.index), order.values[:, :k])


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "cosine", "correlation", "manhattan"])
def test_patterns_with_gaps_score_over_common_entries(similarity, masks):
    rows = torch.randn(40, DIM, generator=seeded(7))
    gaps = random_masks(40, DIM, seed=3)
    cues = torch.randn(5, DIM, generator=seeded(8))
    known = {"none": None, "shared": random_masks(DIM), "per query": random_masks(5, DIM)}[masks]
    memory = ModernHopfield(2.0, similarity=similarity)
    memory.store(torch.where(gaps, rows, torch.nan), known=gaps)
    found = memory.nearest(cues, 6, known)
    mask = torch.ones(5, DIM, dtype=torch.bool) if known is None else known.expand(5, DIM)
    common = mask[:, None] & gaps
    scores = torch.stack(
        [
            torch.stack(
                [
                    one_score(similarity, row.double(), cue.double(), both)
                    for row, both in zip(rows, each, strict=True)
                ]
            )
            for cue, each in zip(cues, common, strict=True)
        ]
    )
    if similarity in ("dot", "euclidean", "manhattan"):
        scores = scores * mask.sum(-1, keepdim=True) / common.sum(-1).clamp_min(1)
    assert_best(found, scores, 6)
    torch.testing.assert_close(
        found.weight,
        torch.softmax(2 * scores, -1).float().gather(-1, found.index),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_pattern_without_a_common_entry_comes_last():
    memory = ModernHopfield(similarity="euclidean")
    memory.store(torch.eye(3), known=torch.eye(3).bool())
    found = memory.nearest(torch.ones(3), 3, known=torch.tensor([False, True, True]))
    assert found.index.tolist() == [1, 2, 0]
    assert found.score.tolist() == [0, 0, -torch.inf]
    assert found.weight.tolist() == [0.5, 0.5, 0]


def test_a_similarity_of_your_own():
    def largest_difference(rows, state, known):
        differences = (state[..., None, :] - rows).abs()
        if known is not None:
            differences = torch.where(known.expand(state.shape)[..., None, :], differences, 0.0)
        return -differences.amax(-1)

    rows = torch.randn(2000, DIM, generator=seeded(9))
    cues, known = torch.randn(7, DIM, generator=seeded(10)), random_masks(7, DIM)
    memory = ModernHopfield(similarity=largest_difference)
    memory.store(rows)
    found = memory.nearest(cues, 4, known)
    exact = largest_difference(rows.double(), cues.double(), known)
    assert torch.equal(found.index, exact.sort(descending=True, stable=True).indices[:, :4])


def test_packed_patterns_and_classical_overlaps():
    rows, cues = signs(3000, 100, generator=seeded(11)), signs(9, 100, generator=seeded(12))
    known = random_masks(9, 100)
    exact = torch.where(known, cues, 0.0) @ rows.T
    order = exact.sort(descending=True, stable=True)
    for store in (None, PackedStore()):
        memory = ClassicalHopfield(store=store)
        memory.store(rows)
        found = memory.nearest(cues, 12, known)
        assert torch.equal(found.index, order.indices[:, :12])
        assert torch.equal(found.score, order.values[:, :12])
        torch.testing.assert_close(found.weight, found.score / known.sum(-1, keepdim=True))


def test_shapes_and_cues():
    memory = ModernHopfield(similarity="dot")
    memory.store(torch.eye(4))
    cue = torch.tensor([0.1, 0.4, 0.3, 0.2])
    assert memory.nearest(cue, 4).index.tolist() == [1, 2, 3, 0]
    assert memory.nearest(cue.expand(2, 3, 4), 2).index.shape == (2, 3, 2)
    assert memory.nearest(cue.expand(0, 4), 2).score.shape == (0, 2)
    known = torch.tensor([True, False, True, True])
    masked = memory.nearest(Cue(cue, known), 2)
    assert masked.index.tolist() == [2, 3]
    assert torch.equal(masked.score, memory.nearest(cue, 2, known).score)
    assert repr(memory.nearest(cue, 2)) == "Nearest(1 query, k=2)"
    assert memory.nearest(cue, 4, torch.zeros(4, dtype=torch.bool)).index.tolist() == [0, 1, 2, 3]


def test_names_come_with_the_answer():
    memory = ModernHopfield(similarity="dot")
    memory.store(torch.eye(3), names=["a", "b", "c"])
    found = memory.nearest(torch.tensor([[0.3, 0.1, 0.2], [0.0, 0.2, 0.1]]), 2)
    assert found.name.tolist() == [["a", "c"], ["b", "c"]]
    assert memory.nearest(torch.tensor([0.3, 0.1, 0.2]), 1).name.tolist() == ["a"]


def test_ten_thousand_queries_with_masks_of_their_own():
    rows = torch.randn(150, DIM, generator=seeded(20))
    cues = torch.randn(10_000, DIM, generator=seeded(21))
    known = torch.rand(10_000, DIM, generator=seeded(22)) < 0.5
    for similarity in ("dot", "euclidean"):
        memory = ModernHopfield(similarity=similarity)
        memory.store(rows)
        found = memory.nearest(cues, 10, known)
        for part, mask, index in zip(
            cues.double().split(1000), known.split(1000), found.index.split(1000), strict=True
        ):
            hidden = torch.where(mask, part, 0.0)
            exact = hidden @ rows.double().T
            if similarity == "euclidean":
                exact = exact - mask.double() @ rows.double().square().T / 2
            best = exact.sort(descending=True, stable=True).indices[:, :10]
            assert torch.equal(index, best)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("masks", MASKS)
def test_a_scan_finds_the_same(similarity, masks, monkeypatch):
    rows = torch.randn(4000, DIM, generator=seeded(23))
    rows[77] = rows[2222]
    cues = rows[2222] + 0.3 * torch.randn(40, DIM, generator=seeded(24))
    known = {"none": None, "shared": random_masks(DIM), "per query": random_masks(40, DIM)}[masks]
    full, certified = (
        ModernHopfield(2.0, similarity=similarity, precision=precision)
        for precision in ("full", "certified")
    )
    full.store(rows)
    certified.store(rows)
    monkeypatch.setattr(ranking, "PENDING", 100)
    monkeypatch.setattr(scanning, "SCANNED_SCORES", 1)  # in blocks of 1024 rows
    scanned = []
    monkeypatch.setattr(
        module, "scan_scoring", lambda *all: scanned.append(scan_scoring(*all)) or scanned[-1]
    )
    one, other = full.nearest(cues, 6, known), certified.nearest(cues, 6, known)
    is_scanned = (masks, similarity) != ("per query", "euclidean")
    assert [each is not None for each in scanned] == [is_scanned]
    assert torch.equal(one.index, other.index)
    torch.testing.assert_close(one.score, other.score)
    torch.testing.assert_close(one.weight, other.weight, rtol=1e-4, atol=1e-6)


def test_many_candidates_within_rounding_are_decided_in_float64(monkeypatch):
    monkeypatch.setattr(ranking, "PENDING", 50)
    monkeypatch.setattr(readout, "block_rows", lambda queries, copied=True: 64)
    rows = 10 + 1e-5 * torch.randn(600, DIM, generator=seeded(25))
    cues = 10 + 1e-5 * torch.randn(3, DIM, generator=seeded(26))
    memory = ModernHopfield(similarity="euclidean")
    memory.store(rows)
    exact = (cues.double()[:, None] - rows.double()).square().sum(-1)
    assert torch.equal(memory.nearest(cues, 5).index, exact.sort(stable=True).indices[:, :5])
    monkeypatch.setattr(pairwise, "_is_coarse", lambda *all: False)
    assert torch.equal(memory.nearest(cues, 5).index, exact.sort(stable=True).indices[:, :5])


def test_a_network_and_a_store_of_your_own():
    class Mean(Memory):
        """Every state becomes the mean pattern."""

        def step(self, state, known, held, generator):
            return Reading(
                torch.stack([block.rows for block in self._blocks(1)]).mean((0, 1)).expand_as(state)
            )

        def energy_of(self, state):
            return None

        def config(self):
            return {}

    rows, cues = torch.randn(50, 6, generator=seeded(30)), torch.randn(4, 6, generator=seeded(31))
    memory = Mean()
    memory.store(rows)
    found = memory.nearest(cues, 3)
    order = torch.cdist(cues.double(), rows.double()).sort().indices[:, :3]
    assert torch.equal(found.index, order)
    cosines = torch.cosine_similarity(cues[:, None], rows[order], dim=-1)
    torch.testing.assert_close(found.weight, cosines)
