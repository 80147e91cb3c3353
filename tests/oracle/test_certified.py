"""Certified retrieval: the same answer as the full readout, within the bound it returns."""

import mpmath
import pytest
import torch

import hopfield
from hopfield.memories import certified, scan_candidates, taken_rows
from hopfield.stores import RamStore, scan
from hopfield.stores.scan import ScanCopy


@pytest.fixture(params=["codes", "rows"])
def scanned(request, monkeypatch):
    """Scan a copy in 8 bits, or the rows themselves."""
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: request.param == "codes")
    monkeypatch.setattr(scan_candidates, "LEAST_TRIED", 1)
    monkeypatch.setattr(scan_candidates, "TRIED", 1)
    return request.param


KINDS = ("gaussian", "images", "shifted", "binary", "clustered")


def _patterns(kind: str, n: int, dim: int, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(n, dim, generator=generator)
    if kind == "images":
        return torch.rand(n, dim, generator=generator).mul(255).round() / 255
    if kind == "binary":
        return noise.sign()
    if kind == "clustered":
        return noise[: -(-n // 8)].repeat_interleave(8, 0)[:n] + 1e-3 * noise
    return 100 + 5 * noise if kind == "shifted" else noise


def _mask(kind: str, batch: int, dim: int, generator: torch.Generator) -> torch.Tensor | None:
    if kind == "none":
        return None
    shape = (dim,) if kind == "shared" else (batch, dim)
    return torch.rand(shape, generator=generator) < 0.5


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("mask", ["none", "shared", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_holds(kind, mask, similarity, scanned):
    generator = torch.Generator().manual_seed(KINDS.index(kind))
    for n, dim, beta in ((1, 3, 1.0), (40, 64, 30.0), (700, 20, 0.3), (9000, 48, 8.0)):
        patterns = _patterns(kind, n, dim, generator)
        chosen = torch.randint(n, (50,), generator=generator)
        cues = patterns[chosen] + 0.3 * torch.randn(50, dim, generator=generator)
        known = _mask(mask, 50, dim, generator)
        state = cues if known is None else torch.where(known, cues, 0.0)
        quick = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
        exact = hopfield.ModernHopfield(beta, similarity=similarity)
        quick.store(patterns)
        exact.store(patterns.double())
        got = quick.step(state, known, None, torch.Generator())
        want = exact.step(state.double(), known, None, torch.Generator())
        assert bool(((got.next.double() - want.next).norm(dim=-1) <= got.bound.state).all())
        assert bool(((got.energy.double() - want.energy).abs() <= got.bound.energy).all())


def _gone(*_: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("not implemented")


@pytest.mark.parametrize("product", [None, _gone, lambda left, right: (left @ right).int()])
@pytest.mark.parametrize("dim", [64, 1100])
def test_without_the_private_product_the_answer_is_the_same(monkeypatch, product, dim):
    codes = torch.randint(-128, 128, (7, dim), generator=torch.Generator().manual_seed(0))
    codes[:2] = -128  # the largest sums
    small = codes.to(torch.int8)
    exact = codes.double() @ codes.double().T
    assert torch.equal(scan.products(small, small.T), exact.float())
    scan._product_of_codes.cache_clear()
    try:
        monkeypatch.setattr(torch, "_int_mm", product)
        assert torch.equal(scan.products(small, small.T), exact.float())
        assert scan._product_of_codes() is None
    finally:
        scan._product_of_codes.cache_clear()


def test_candidates_answer_and_few_are_read_in_full():
    generator = torch.Generator().manual_seed(1)
    patterns = _patterns("gaussian", 5000, 64, generator)
    store = RamStore()
    store.append(patterns)
    batch = certified.QueryBatch(patterns[:100] + 0.1, None, 8.0, True)
    queries, members, crowded = scan_candidates.candidates(store, batch)
    assert not crowded.any(), "premise: these patterns are far apart"
    found = certified.read_candidates(store, batch, queries, members)
    assert torch.equal(found.index, torch.arange(100))
    crowd = certified.QueryBatch(patterns[:100], None, 1e-6, True)
    assert scan_candidates.candidates(store, crowd)[2].all(), "at this β every pattern has weight"


def test_the_scan_misses_no_pattern_with_weight():
    generator = torch.Generator().manual_seed(2)
    patterns = _patterns("clustered", 2999, 32, generator)
    store = RamStore()
    store.append(patterns)
    copy = scan_candidates.scan_copy(store)
    codes, _ = copy.levels.encode(patterns[:64] + 0.05)
    on_levels = (copy.levels.offset + copy.levels.step * codes).float()
    for state in (patterns[:64] + 0.05, on_levels):  # on levels, only the rows lose something
        batch = certified.QueryBatch(state, None, 1e4, False)
        bias = scan_candidates.scan_bias(store, batch)
        for scanned in (
            scan_candidates.EncodedStates.of(copy, batch, bias[:2999]),
            scan_candidates.PlainStates.of(store, batch, bias[:2999]),
        ):
            queries, rows = scan_candidates.scan(scanned, bias, batch.window(2999))
            weights = torch.softmax(1e4 * state.double() @ patterns.double().T, dim=-1)
            weights[queries[:, None], rows.clamp_max(2998)] = 0.0
            assert float(weights.sum(-1).max()) <= certified.DROPPED_WEIGHT


@pytest.mark.parametrize("kind", ["none", "shared"])
def test_scans_in_several_parts_miss_nothing(kind, monkeypatch):
    """Parts of 64 groups, the last one shorter, and candidates gathered a few at a time."""
    monkeypatch.setattr(scan_candidates, "SCAN_SCORES", 1)
    monkeypatch.setattr(scan_candidates, "LEAST_TRIED", 1000)
    monkeypatch.setattr(taken_rows, "GATHERED_ENTRIES", 7 * scan.GROUP * 16)
    generator = torch.Generator().manual_seed(12)
    n = scan.GROUP * (2 * 64 + 11) - 3
    patterns = torch.randn(n, 16, generator=generator)
    order = torch.randperm(n, generator=generator)  # all parts of the scan are asked for
    known, products, parts = _mask(kind, n, 16, generator), scan.products, []
    monkeypatch.setattr(scan_candidates, "products", lambda *of: parts.append(1) or products(*of))
    memory = hopfield.ModernHopfield(40.0, similarity="euclidean", precision="certified")
    full = hopfield.ModernHopfield(40.0, similarity="euclidean")
    memory.store(patterns)
    full.store(patterns.double())
    for part in order.split(n // 3):
        cues, parts[:] = patterns[part] + 0.05, []
        got = memory.step(cues, known, None, torch.Generator())
        want = full.step(cues.double(), known, None, torch.Generator())
        assert len(parts) == 3 * scan.GROUP, "premise: three parts"
        assert torch.equal(got.index, want.index)
        assert ((got.next.double() - want.next).norm(dim=-1) <= got.bound.state).all()
        torch.testing.assert_close(got.weight.double(), want.weight, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(got.entropy.double(), want.entropy, rtol=1e-5, atol=1e-5)


def test_eight_bit_images_are_encoded_exactly():
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(256, (50, 20), generator=generator) / 255
    images[0, :2] = torch.tensor([0.0, 1.0])
    store = RamStore()
    store.append(images)
    copy = ScanCopy.of(store.blocks(7))
    assert copy.error < 1e-6
    assert torch.equal(copy.codes.T[:50].long() + 128, (images * 255).round().long())


def test_the_copy_follows_the_rows():
    memory = hopfield.ModernHopfield(64.0, similarity="euclidean", precision="certified")
    patterns = torch.eye(40)
    memory.store(patterns[:20])
    assert memory.retrieve(patterns[30]).index < 20
    memory.store(patterns[20:])
    assert memory.retrieve(patterns[30]).index == 30
    memory.remove(0)
    assert memory.retrieve(patterns[30]).index == 29


def test_only_what_can_be_certified():
    for options in (
        {"similarity": "cosine"},
        {"separation": hopfield.Sparsemax(1.0)},
    ):
        with pytest.raises(hopfield.HopfieldError, match="needs Softmax"):
            hopfield.ModernHopfield(precision="certified", **options)
    assert hopfield.ModernHopfield().precision == "full"


def test_a_result_carries_its_bound():
    generator = torch.Generator().manual_seed(4)
    patterns = _patterns("images", 300, 30, generator)
    memory = hopfield.ModernHopfield(50.0, similarity="euclidean", precision="certified")
    memory.store(patterns)
    found = memory.retrieve(patterns[:6].reshape(2, 3, 30))
    assert found.bound.state.shape == found.bound.energy.shape == (2, 3)
    assert 0 < float(found.bound.state.max()) < 1e-5
    plain = hopfield.ModernHopfield(50.0, similarity="euclidean")
    plain.store(patterns)
    assert plain.retrieve(patterns[:6]).bound is None


def test_what_is_small_is_read_in_full(monkeypatch):
    monkeypatch.setattr(scan_candidates, "SCAN_WORK", 40 * 6 * 2)
    store = RamStore()
    store.append(_patterns("gaussian", 40, 6, torch.Generator().manual_seed(2)))
    for batch, expected in ((1, False), (2, True)):
        queries = certified.QueryBatch(store.rows[:batch], None, 8.0, True)
        assert scan_candidates.can_scan(store, queries) is expected


def _bounds_hold(memory: hopfield.ModernHopfield, cues: torch.Tensor) -> None:
    """One readout against a memory of the same numbers in float64."""
    exact = hopfield.ModernHopfield(memory.separation.beta, similarity=memory.similarity)
    exact.store(memory.patterns.double())
    wide = cues.to(torch.promote_types(cues.dtype, memory.patterns.dtype))
    got = memory.step(wide, None, None, torch.Generator())
    want = exact.step(wide.double(), None, None, torch.Generator())
    assert bool(((got.next.double() - want.next).norm(dim=-1) <= got.bound.state).all())
    assert bool(((got.energy.double() - want.energy).abs() <= got.bound.energy).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_update_has_the_gradient_of_the_full_one(dtype):
    generator = torch.Generator().manual_seed(10)
    patterns = torch.randn(300, 12, generator=generator).to(dtype)
    slopes = []
    for precision in ("full", "certified"):
        memory = hopfield.ModernHopfield(0.5, precision=precision)
        memory.store(patterns)
        state = patterns[:5].clone().requires_grad_()
        slopes += torch.autograd.grad(memory.update(state).square().sum(), state)
    assert float(slopes[0].abs().min()) > 1e-6, "premise"
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-3, atol=1e-4)


def test_products_beyond_int32():
    """140 000 black pixels: 140 000·128² does not fit into 32 bits, and is read in full."""
    images = torch.zeros(4, 140_000)
    for k, image in enumerate(images):
        image[k * 10_000 : k * 20_000 + 10] = 1.0
    memory = hopfield.ModernHopfield(0.5, similarity="euclidean", precision="certified")
    memory.store(images)
    assert torch.equal(memory.retrieve(images).index, torch.arange(4))
    codes = torch.full((2, scan.MOST_TERMS), -128, dtype=torch.int8)
    assert float(scan.products(codes, codes.T)[0, 1]) == scan.MOST_TERMS * 2**14


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("scale", [1e20, 1e25, 1e60])
def test_numbers_that_only_float64_holds(scale, similarity):
    patterns = scale * torch.randn(
        99, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64
    )
    memory = hopfield.ModernHopfield(1e3 / scale**2, similarity=similarity, precision="certified")
    memory.store(patterns)
    _bounds_hold(memory, 1.01 * patterns[:9])
    single = hopfield.ModernHopfield(1.0, similarity=similarity, precision="certified")
    single.store(patterns.div(scale).float())
    _bounds_hold(single, patterns[:9])


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("far", [1.0, 30.0, 1e3, 1e5])
def test_the_bound_holds_far_from_all_patterns(far, similarity):
    generator = torch.Generator().manual_seed(6)
    patterns = torch.randn(2000, 16, generator=generator) / 4
    cues = far * torch.randn(50, 16, generator=generator)
    for beta in (0.01 / far, 1 / far, 10 / far):
        memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
        memory.store(patterns)
        _bounds_hold(memory, cues)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("beta", [0.01, 30.0])
def test_the_bound_holds_for_cues_wider_than_the_patterns(beta, dtype, similarity):
    generator = torch.Generator().manual_seed(7)
    patterns = torch.randn(2000, 16, generator=generator).to(dtype)
    memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
    memory.store(patterns)
    _bounds_hold(memory, patterns[:50].double() + 0.1)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_the_bound_holds_where_squares_underflow(similarity):
    generator = torch.Generator().manual_seed(8)
    patterns = 1e-30 * torch.randn(200, 16, generator=generator)
    memory = hopfield.ModernHopfield(8.0, similarity=similarity, precision="certified")
    memory.store(patterns)
    _bounds_hold(memory, patterns[:5])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_bound_counts_the_rounding_of_the_state_returned(dtype):
    generator = torch.Generator().manual_seed(9)
    patterns = torch.randn(500, 16, generator=generator).to(dtype)
    cues = patterns[:20] + 0.2
    memory = hopfield.ModernHopfield(8.0, precision="certified")
    memory.store(patterns)
    found = memory.retrieve(cues, steps=1, tol=0.0)
    weights = torch.softmax(8 * cues.double() @ patterns.double().T, dim=-1)
    missed = (found.state.double() - weights @ patterns.double()).norm(dim=-1)
    assert bool((missed <= found.bound.state).all())


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("beta", [0.0, 8e-36, 8e-34])
def test_the_bound_holds_where_beta_is_below_what_float32_keeps(beta, similarity, monkeypatch):
    monkeypatch.setattr(scan_candidates, "MOST_GROUPS", 0)  # all is read in full
    generator = torch.Generator().manual_seed(11)
    patterns = 1e17 * torch.randn(200, 16, generator=generator)
    memory = hopfield.ModernHopfield(beta, similarity=similarity, precision="certified")
    memory.store(patterns)
    _bounds_hold(memory, patterns[:5])


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_the_bound_counts_the_rounding_of_float64(similarity):
    """Between two patterns of equal length, where large β shows the last digit of their scores."""
    rows = _patterns("gaussian", 40, 200, torch.Generator().manual_seed(5)).double()
    rows *= 14 / rows.norm(dim=-1, keepdim=True)
    cues = rows[:12:2] + rows[1:12:2]
    cues *= 14 / cues.norm(dim=-1, keepdim=True)
    memory = hopfield.ModernHopfield(1e7, similarity=similarity, precision="certified")
    memory.store(rows)
    found = memory.step(cues, None, None, torch.Generator())
    shown = []
    for at, cue in enumerate(cues.tolist()):
        with mpmath.workdps(40):
            near = [[mpmath.mpf(x) for x in row] for row in rows[2 * at : 2 * at + 2].tolist()]
            scores = [mpmath.fdot(row, cue) for row in near]
            if similarity == "euclidean":
                half = [mpmath.fdot(row, row) / 2 for row in near]
                scores = [s - h for s, h in zip(scores, half, strict=True)]
            share = 1 / (1 + mpmath.exp(10**7 * (scores[1] - scores[0])))
            exact = [share * x + (1 - share) * y for x, y in zip(*near, strict=True)]
            error = mpmath.norm(
                [x - y for x, y in zip(exact, found.next[at].tolist(), strict=True)]
            )
            assert error <= found.bound.state[at].item()
        shown.append(float(error))
    assert max(shown) > 14 * 4 * certified.DROPPED_WEIGHT, "premise: more than what is left out"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_full_readout_is_bounded_by_the_slack_of_rounding(dtype, monkeypatch):
    """That of docs/architecture.md, and what sums of n weights and of dim products can lose."""
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: False)
    patterns = _patterns("gaussian", 50, 8, torch.Generator().manual_seed(6)).to(dtype)
    cues = 3 * patterns[:5] + 0.5
    memory = hopfield.ModernHopfield(0.7, similarity="euclidean", precision="certified")
    memory.store(patterns)
    found = memory.step(cues, None, None, torch.Generator())
    longest, length = patterns.double().norm(dim=-1).max(), cues.double().norm(dim=-1)
    reach, eps = length.clamp_min(longest), torch.finfo(dtype).eps
    kappa, size = 1 + 0.7 * longest * reach, found.energy.double().abs().clamp_min(reach**2 / 2)
    summed = (1 - found.weight.double()).clamp_max(50 * eps / 2)
    for bound, slack in (
        (found.bound.state, (16 * eps * kappa + summed) * longest),
        (found.bound.energy, eps * (8 * kappa * size + 8 / 2 * longest * reach)),
    ):
        torch.testing.assert_close(bound.double(), slack, rtol=1e-3, atol=0)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_where_no_scan_pays_the_answer_is_the_full_one(similarity, known, monkeypatch):
    monkeypatch.setattr(scan_candidates, "scan_pays", lambda: False)
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(5000, 20, generator=generator)
    cues = rows[:40] + 0.3
    mask = torch.rand(40, 20, generator=generator) < 0.7 if known else None
    full, bounded = (
        hopfield.ModernHopfield(4.0, similarity=similarity, precision=precision)
        for precision in ("full", "certified")
    )
    for memory in (full, bounded):
        memory.store(rows)
    assert torch.equal(full.update(cues), bounded.update(cues))
    expected, result = (memory.retrieve(cues, mask, steps=3) for memory in (full, bounded))
    for name in ("state", "energy", "index", "weight", "entropy", "steps"):
        assert torch.equal(getattr(expected, name), getattr(result, name)), name
    assert expected.bound is None and (result.bound.state > 0).all()
    assert (result.bound.unread_weight == 0).all()
