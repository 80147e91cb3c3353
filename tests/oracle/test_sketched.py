"""Certified retrieval from sketches on disk: bounds hold for every row, and for every answer."""

import pytest
import torch
from torch import Tensor

from cases import seeded
from hopfield import ModernHopfield, Softmax
from hopfield.memories import open_query, sketched
from hopfield.memories.open_query import OpenQuery
from hopfield.memories.query_batch import QueryBatch
from hopfield.memories.taken_rows import TakenRows
from hopfield.stores import DiskStore
from hopfield.stores.sketch import Sketch

KINDS = ("gaussian", "clusters", "duplicates", "tight", "outlier")
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def patterns(kind: str, n: int, dim: int) -> Tensor:
    draw = seeded(KINDS.index(kind))
    noise = torch.randn(n, dim, generator=draw) * torch.logspace(0.5, -1.5, dim)
    if kind == "clusters":
        return noise[: n // 50 + 1].repeat_interleave(50, 0)[:n] + 0.05 * noise
    if kind == "duplicates":
        return noise[: n // 4 + 1].repeat(4, 1)[:n]
    if kind == "tight":  # far from the origin, and closer than float32 tells apart in products
        return 30 + noise[0] + 1e-3 * noise
    if kind == "outlier":
        noise[n // 2] *= 1e4 / noise[n // 2].norm()
    return noise


def table(path, rows: Tensor, size: int = 12) -> DiskStore:
    store = DiskStore(path)
    store.append(rows[: len(rows) // 2])
    store.add_sketch(size)
    store.append(rows[len(rows) // 2 :])
    return store


def largest_excess(store: DiskStore, cues: Tensor, euclidean: bool) -> float:
    """How far a score exceeds its bound, at most: never above 0."""
    rows, exact = store.take(torch.arange(len(store))).double(), cues.double()
    batch = QueryBatch(cues, None, 1.0, euclidean)
    states = sketched.SketchedStates.of(store.sketch, batch)
    columns = torch.cat(list(sketched._bounding_columns(store)))
    bounds = (states.columns @ columns.T).double() + (states.shift + states.extra)[:, None]
    few = sketched.coarser(states.columns, 12) @ sketched.coarser(columns, 12).T
    bounds = bounds.minimum(few.double() + (states.shift + states.extra)[:, None])
    scores = exact @ rows.T
    if euclidean:
        scores = torch.stack([(rows - x).square().sum(-1) / -2 for x in exact])
    return (scores - bounds).max().item()


@pytest.fixture(autouse=True)
def small_tables_have_sketches(monkeypatch):
    monkeypatch.setattr(sketched, "COARSE", 5)
    monkeypatch.setattr(sketched, "QUERY_ENTRIES", 1)
    monkeypatch.setattr(sketched, "BOUND_ENTRIES", 0)
    monkeypatch.setattr(sketched, "ROW_ENTRIES", 16)
    monkeypatch.setattr(open_query, "FIRST_BOUNDS", 32)
    monkeypatch.setattr(open_query, "TRIED_BOUNDS", 64)
    monkeypatch.setattr("hopfield.stores.disk.durable.sync", lambda path: None)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_no_score_exceeds_its_bound(kind, dtype, tmp_path):
    rows = patterns(kind, 600, 24).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    some = rows[::7].to(wide)
    noise = torch.randn(some.shape, generator=seeded(9)).to(wide)
    store = table(tmp_path / "t.lance", rows)
    for cues in (some, some + 1e-3 * noise, some + noise, 1e3 * noise):
        for euclidean in (True, False):
            assert largest_excess(store, cues, euclidean) <= 0


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("coarse", [48, 3])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_within_their_bounds(kind, similarity, coarse, prior, tmp_path, monkeypatch):
    monkeypatch.setattr(sketched, "COARSE", coarse)
    rows = patterns(kind, 900, 24)
    weights = 0.1 + torch.rand(900, generator=seeded(8)) * 9 if prior else None
    full = ModernHopfield(1.0, similarity=similarity)
    full.store(rows.double(), prior=weights)
    store, searched = DiskStore(tmp_path / "t.lance"), 0
    memory = ModernHopfield(1.0, similarity=similarity, precision="certified", store=store)
    memory.store(rows, prior=weights)
    store.add_sketch(12)
    for beta in (1e-2, 0.3, 10.0, 1e4):
        for precise in (full, memory):
            precise._separation = Softmax(beta)
        for noise in (0.0, 0.1, 1.0):
            cues = rows[::9] + noise * torch.randn(100, 24, generator=seeded(7))
            got = memory.step(cues, None, None, torch.Generator())
            want = full.step(cues.double(), None, None, torch.Generator())
            assert ((got.next.double() - want.next).norm(dim=-1) <= got.bound.state).all()
            assert ((got.energy.double() - want.energy).abs() <= got.bound.energy).all()
            assert (got.bound.unread_weight <= sketched.UNREAD_WEIGHT).all()
            is_searched = got.bound.unread_weight > 0
            weight = want.weight[is_searched]
            torch.testing.assert_close(
                got.weight[is_searched].double(), weight, rtol=1e-5, atol=1e-5
            )
            searched += int(is_searched.sum())
    assert searched > 100 or kind == "tight", "premise: sketches were of use"


def test_the_dropped_weight_is_that_of_the_rows_not_read(tmp_path):
    rows = patterns("gaussian", 900, 24)
    store = table(tmp_path / "t.lance", rows)
    cues = rows[::9] + 0.3 * torch.randn(100, 24, generator=seeded(7))
    for euclidean in (True, False):
        batch = QueryBatch(cues, None, 4.0, euclidean)
        search = sketched.sketched_candidates(store, batch)
        scores = cues.double() @ rows.double().T
        if euclidean:
            scores -= rows.double().square().sum(-1) / 2
        weights = torch.softmax(4.0 * scores, dim=-1)
        queries, members = search.pairs
        assert 0 < int((~search.crowded).sum()), "premise: sketches were of use"
        weights[queries, members] = 0
        assert (weights.sum(-1) <= search.unread_weight)[~search.crowded].all()
        assert (search.unread_weight[search.crowded] == 0).all()
        assert len(torch.stack(search.pairs).unique(dim=1).T) == len(queries), "none is read twice"


def test_planted_faults_exceed_the_bounds(tmp_path, monkeypatch):
    """Axes in float32 without slack, and sketches of other rows, are caught by `largest_excess`."""
    rows = patterns("tight", 600, 24)
    of = Sketch.of

    def coarse(self: Sketch, some: Tensor) -> Tensor:
        return of(Sketch(self.centre, self.axes.float().double()), some)

    with monkeypatch.context() as patched:
        patched.setattr(Sketch, "of", coarse)
        patched.setattr(sketched, "eps_of_products", lambda: 0.0)
        store = table(tmp_path / "coarse.lance", rows)
        assert largest_excess(store, rows[::7], True) > 0
    with monkeypatch.context() as patched:
        patched.setattr(
            Sketch, "of", lambda self, some: of(self, some.roll(int(len(some) > 100), 0))
        )
        store = table(tmp_path / "other.lance", rows)
        assert largest_excess(store, rows[::7], True) > 0


def test_products_in_fewer_bits_widen_the_bounds(tmp_path):
    rows = patterns("clusters", 600, 24)
    store, before = table(tmp_path / "t.lance", rows), torch.get_float32_matmul_precision()
    slack = {}
    try:
        for precision in ("highest", "high", "medium"):
            torch.set_float32_matmul_precision(precision)
            assert largest_excess(store, rows[::7], True) <= 0
            batch = QueryBatch(rows[:1], None, 1.0, True)
            states = sketched.SketchedStates.of(store.sketch, batch)
            slack[precision] = 1 - states.columns[0, -1].item()
    finally:
        torch.set_float32_matmul_precision(before)
    assert slack["highest"] < slack["high"] < slack["medium"]


@pytest.mark.parametrize("case", ["a mask", "beta = 0", "no sketch", "small", "far away"])
def test_other_queries_are_read_in_full(case, tmp_path, monkeypatch):
    rows = patterns("clusters", 600, 24).double()
    store = DiskStore(tmp_path / "t.lance")
    memory = ModernHopfield(50.0, similarity="euclidean", precision="certified", store=store)
    memory.store(rows)
    if case != "no sketch":
        store.add_sketch()
    cue, known = rows[:3].clone(), None
    if case == "a mask":
        known = torch.arange(24) < 20
    elif case == "beta = 0":
        memory._separation = Softmax(0.0)
    elif case == "small":
        monkeypatch.setattr(sketched, "QUERY_ENTRIES", 2 * 600 * 24)
    elif case == "far away":
        cue *= 1e18
    else:
        assert case == "no sketch"
    found = memory.step(cue, known, None, torch.Generator())
    assert (found.bound.unread_weight == 0).all()


def test_large_batches_of_short_rows_are_read_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr(sketched, "BOUND_ENTRIES", 32)
    rows = patterns("clusters", 600, 24)
    store = table(tmp_path / "t.lance", rows)
    batches = [QueryBatch(rows[:count], None, 50.0, True) for count in (1, 8, 100)]
    assert [sketched.can_sketch(store, batch) for batch in batches] == [True, True, False]


def test_sketches_on_disk_answer_as_those_in_memory(tmp_path, monkeypatch):
    rows = patterns("clusters", 900, 24)
    store = table(tmp_path / "t.lance", rows)
    memory = ModernHopfield(50.0, similarity="euclidean", precision="certified", store=store)
    cues = rows[::100] + 0.01
    held = memory.retrieve(cues)
    monkeypatch.setattr(sketched, "HELD_SKETCHES", 0)
    read = memory.retrieve(cues)
    assert (held.bound.unread_weight > 0).any(), "premise: sketches were of use"
    torch.testing.assert_close(held.state, read.state)
    assert ((read.bound.unread_weight > 0) == (held.bound.unread_weight > 0)).all()
    monkeypatch.setattr(sketched, "BOUNDS", 900)
    found = memory.step(cues, None, None, torch.Generator())
    assert (found.bound.unread_weight == 0).all(), "one pass for each query is too much"


@pytest.mark.parametrize(("limit", "most"), [(10, 100), (100, 10)], ids=["refined", "read"])
def test_a_query_with_too_many_rows_needs_all(limit, most):
    """What is not in order has weight: it once counted as read."""
    bounds = torch.zeros(1000)
    query = OpenQuery(0, bounds, lambda places: bounds[places], 0.0, 1.0)
    assert query.start(1000) and not query.start(999)
    query.add(torch.zeros(len(query.wanted()), dtype=torch.float64), limit, most)
    assert query.needed > 1000 and not query.is_done


def test_rows_are_taken_once_in_any_order(tmp_path):
    rows = patterns("gaussian", 60, 24)
    taken = TakenRows(table(tmp_path / "t.lance", rows))
    for places in ([40, 3, 3], [3, 41, 0], [59, 2, 40], [0]):
        taken.add(torch.tensor(places))
        assert torch.equal(taken.take(torch.tensor(places)), rows[places])
    assert taken.count == 6
    assert torch.equal(taken.take(torch.tensor([41, 3, 40])), rows[[41, 3, 40]])
