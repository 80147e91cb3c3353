"""Bounds of certified readouts, where sums are long, products coarse, or rows tie."""

import pytest
import torch

import hopfield
from hopfield.memories import scan_candidates
from hopfield.memories.query_batch import QueryBatch
from hopfield.stores import RamStore


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def memory_of(rows: torch.Tensor, beta: float, similarity: str) -> hopfield.ModernHopfield:
    memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
    memory.store(rows)
    return memory


def step(memory: hopfield.ModernHopfield, cues: torch.Tensor) -> hopfield.iteration.Reading:
    return memory.step(cues, None, None, torch.Generator())


@pytest.fixture
def precision_of_products():
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("queries", [1, 16])
@pytest.mark.parametrize("n", [1000, 20_000])
def test_the_bound_counts_the_terms_of_a_sum(n, queries, similarity):
    """Equal terms, added one by one, round in the same direction each time."""
    row = torch.rand(1, 32, generator=seeded(1)) + 0.5
    rows, cues = row.repeat(n, 1), row.repeat(queries, 1)
    got = step(memory_of(rows, 1e-3, similarity), cues)
    assert (got.bound.unread_weight == 0).all(), "premise: all rows are read"
    assert ((got.next - row).norm(dim=-1) <= got.bound.state).all()


def test_the_bound_counts_the_entries_of_a_product():
    rows = torch.full((400, 130), 3.7)
    got = step(memory_of(rows, 1e-6, "dot"), rows[:40])
    assert (got.bound.unread_weight == 0).all(), "premise: all rows are read"
    assert (got.energy.double().abs() <= got.bound.energy).all()  # that of a pattern alone is 0


def test_terms_without_weight_do_not_count():
    rows = torch.eye(64).repeat(1, 4)
    cues = torch.cat([rows[:2], rows[:2] * 0])  # the second two weigh all rows equally
    bound = step(memory_of(torch.cat([rows, -rows]), 50.0, "dot"), cues).bound
    memory = hopfield.ModernHopfield(50.0, similarity="dot")
    memory.store(torch.cat([rows, -rows]))
    weight = step(memory, cues).weight
    assert (weight[:2] == 1).all() and (weight[2:] < 0.1).all(), "premise"
    eps = torch.finfo(torch.float32).eps
    rounding = 2 * eps * (16 * (1 + 50 * 2 * torch.tensor([2.0, 2.0, 2.0, 2.0])))
    assert (bound.state[:2] <= rounding[:2]).all()
    assert (bound.state[2:] > rounding[2:] + 2 * 60 * eps).all()


def test_the_bound_holds_where_the_energy_underflows():
    rows = 1e-19 * torch.randn(17, 1, generator=seeded(2))
    for similarity in ("dot", "euclidean"):
        got = step(memory_of(rows, 1e-3, similarity), rows)
        full = hopfield.ModernHopfield(1e-3, similarity=similarity)
        full.store(rows.double())
        want = step(full, rows.double())
        assert ((got.energy.double() - want.energy).abs() <= got.bound.energy).all()
        assert (got.bound.energy < 1e-35).all()


def test_coarse_products_widen_the_bound_of_a_full_readout(precision_of_products):
    rows, bounds = torch.randn(40, 16, generator=seeded(3)), {}
    for precision in ("highest", "high", "medium"):
        precision_of_products(precision)
        bounds[precision] = step(memory_of(rows, 0.0, "euclidean"), rows[:3]).bound
    for precision in ("highest", "high", "medium"):  # read under the precision of the last readout
        assert (bounds[precision].unread_weight == 0).all(), "premise"
    energy = [bounds[name].energy for name in ("highest", "high", "medium")]
    assert (1000 * energy[0] < energy[1]).all() and (4 * energy[1] < energy[2]).all()


def test_coarse_products_widen_the_error_of_a_scan(precision_of_products):
    rows = torch.randn(40, 16, generator=seeded(4)) + 3
    store = RamStore()
    store.append(rows)
    batch, errors = QueryBatch(rows[:3], None, 1.0, True), []
    for precision in ("highest", "medium"):
        precision_of_products(precision)
        copy, bias = scan_candidates.scan_copy(store), scan_candidates.scan_bias(store, batch)
        errors.append(scan_candidates.EncodedStates.of(copy, batch, bias[:40]).error)
    assert (errors[1] - errors[0] > 2.0**-8 * bias[:40].abs().max()).all()


@pytest.mark.parametrize("search", ["retrieve", "nearest"])
def test_the_first_of_long_rows_that_tie_is_found(search, monkeypatch):
    """One long row alone is summed by several threads, and rounds differently from several."""
    monkeypatch.setattr("hopfield.memories.pairwise.EXACT_ENTRIES", 3 * 40_000)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for seed in range(4, 8):  # where a single row scores more
            row = torch.randn(1, 40_000, generator=seeded(seed))
            rows = torch.cat([-row.repeat(2, 1), row.repeat(4, 1)])
            memory = memory_of(rows, 1.0, "euclidean")
            cue = row + 0.1 * torch.randn(row.shape, generator=seeded(9))
            if search == "retrieve":
                assert step(memory, cue).index == 2
            else:
                assert memory.nearest(cue[0], 4, weights=False).index.tolist() == [2, 3, 4, 5]
    finally:
        torch.set_num_threads(threads)
