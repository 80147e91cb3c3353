"""The β that fits the stored patterns, `beta="auto"`: against loops, and in situations of users."""

import copy
import math
import pickle

import pytest
import torch
from scipy.optimize import brentq

from cases import seeded
from hopfield import (
    Cue,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Softmax,
    Sparsemax,
    TopK,
    corruption,
    data,
    diagnose,
    load,
    synthetic,
)
from hopfield.analysis.patterns import Patterns
from hopfield.analysis.trials import Trials, with_settings
from hopfield.errors import InputTypeError, OptionError
from hopfield.memories import fitting
from hopfield.separation import Separation
from hopfield.similarity import SIMILARITIES


def stored(patterns, **options):
    prior = options.pop("prior", None)
    memory = ModernHopfield("auto", **options)
    memory.store(patterns, prior=prior)
    return memory


def least_betas(patterns, similarity="euclidean", prior=None):
    """β_i of each distinct pattern, by a root finder on the definition."""
    betas = []
    weights = torch.ones(len(patterns)) if prior is None else prior
    for x in patterns.unique(dim=0):
        scores = SIMILARITIES[similarity](patterns, x).tolist()
        best = max(scores)
        own = sum(w for s, w in zip(scores, weights.tolist(), strict=True) if best - s < 1e-9)
        pairs = list(zip(scores, weights.tolist(), strict=True))

        def others(beta, pairs=pairs, best=best):
            return sum(w * math.exp(-beta * (best - s) / 4) for s, w in pairs if best - s > 1e-9)

        betas.append(brentq(lambda beta: others(beta) - 0.01 * own, 0.0, 1e6))  # noqa: B023
    return torch.tensor(betas, dtype=torch.float64)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("case", ["plain", "copies", "prior"])
def test_beta_is_the_quantile_of_the_least_betas(similarity, case):
    patterns = torch.rand(40, 7, generator=seeded(0), dtype=torch.float64)
    prior = None
    if case == "copies":
        patterns = torch.cat([patterns, patterns[:5], patterns[:5]])
    if case == "prior":
        prior = torch.rand(40, generator=seeded(1), dtype=torch.float64) + 0.5
    expected = least_betas(patterns, similarity, prior).quantile(0.95)
    memory = stored(patterns, similarity=similarity, prior=prior)
    assert memory.separation.beta == pytest.approx(float(expected), rel=1e-9)


def test_at_this_beta_the_best_pattern_has_the_weight_that_is_promised():
    """Leads are a quarter: of 95 % of the patterns the weight is at least 1/1.01."""
    patterns = torch.randn(60, 9, generator=seeded(0), dtype=torch.float64)
    scores = SIMILARITIES["euclidean"](patterns, patterns) / 4
    weight = stored(patterns).separation(scores).diagonal()
    assert (weight >= 1 / 1.01 - 1e-12).double().mean() == pytest.approx(0.95, abs=1e-9)


def test_two_patterns():
    """β = 8 log(100)/d²: their scores at each other differ by d²/2."""
    memory = stored(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    assert memory.separation.beta == pytest.approx(8 * math.log(100) / 25)


@pytest.mark.parametrize(("alpha", "separation"), [(2.0, Sparsemax()), (1.5, Entmax(1.5))])
def test_a_sparse_separation_gives_the_best_pattern_all_the_weight(alpha, separation):
    patterns = torch.randn(30, 6, generator=seeded(0), dtype=torch.float64)
    memory = stored(patterns, separation=separation)
    nearest = torch.cdist(patterns, patterns).fill_diagonal_(torch.inf).amin(-1)
    expected = 4 / ((alpha - 1) * nearest.square() / 2)
    assert memory.separation.beta == pytest.approx(float(expected.quantile(0.95)), rel=1e-9)
    weight = memory.separation(SIMILARITIES["euclidean"](patterns, patterns) / 4).diagonal()
    assert (weight == 1).double().mean() >= 0.93


def test_top_k_and_a_separation_of_ones_own_get_the_beta_of_softmax():
    class Sharp(Separation):
        def __init__(self, beta):
            self.beta = beta

        def potential(self, scores):
            return torch.logsumexp(self.beta * scores, -1) / self.beta

        def __call__(self, scores):
            return torch.softmax(self.beta * scores, -1)

    patterns = torch.randn(30, 6, generator=seeded(0))
    beta = stored(patterns).separation.beta
    assert stored(patterns, separation=TopK(3)).separation == TopK(3, beta)
    assert stored(patterns, separation=Sharp(1.0)).separation.beta == beta


# ---- what users rely on


def test_without_arguments_the_digits_are_recalled_from_their_upper_halves():
    digits = data.load("digits")
    memory = ModernHopfield()
    memory.store(digits.patterns, values=digits.labels)
    result = memory.retrieve(corruption.occlude_half(digits.patterns, digits.shape))
    assert bool((result.index == torch.arange(1797)).all())
    assert bool((result.value == digits.labels).all()) and "mixture" not in repr(result)
    assert result.weight.mean() > 0.99


def test_without_arguments_a_noisy_vector_is_found_among_many():
    vectors = synthetic.unit_sphere(20_000, 128)
    memory = ModernHopfield()
    memory.store(vectors)
    result = memory.retrieve(corruption.gaussian_noise(vectors[:100], 0.05))
    assert bool((result.index == torch.arange(100)).all()) and result.weight.min() > 0.99


@pytest.mark.parametrize("similarity", ["euclidean", "dot", "cosine", "correlation", "manhattan"])
@pytest.mark.parametrize("factor", [2.0**-40, 2.0**10, 2.0**40])
def test_beta_scales_with_the_unit_of_the_scores(similarity, factor):
    patterns = torch.randn(400, 5, generator=seeded(0)) + 0.3
    assert len(patterns) > fitting.SAMPLE, "premise: a sample decides"
    one, other = (stored(rows, similarity=similarity) for rows in (patterns, factor * patterns))
    scaled = other.separation.beta * factor ** SIMILARITIES[similarity].degree
    assert scaled == pytest.approx(one.separation.beta, rel=1e-9)
    cues = patterns[:20] + 0.1
    first, second = one.retrieve(cues), other.retrieve(factor * cues)
    torch.testing.assert_close(factor * first.state, second.state, rtol=1e-4, atol=1e-5 * factor)


def test_beta_does_not_depend_on_the_order_of_storage_nor_on_copies():
    patterns = torch.randn(400, 5, generator=seeded(0), dtype=torch.float64)
    order = torch.randperm(400, generator=seeded(1))
    beta = stored(patterns).separation.beta
    assert stored(patterns[order]).separation.beta == pytest.approx(beta, rel=1e-12)
    few = patterns[:100]
    twice = stored(torch.cat([few, few])).separation.beta
    assert twice == pytest.approx(stored(few).separation.beta, rel=1e-12), "all counts double"


def test_few_near_duplicates_do_not_decide():
    patterns = torch.randn(200, 10, generator=seeded(0))
    near = torch.cat([patterns, patterns[:4] + 1e-3])
    assert 1 <= stored(near).separation.beta / stored(patterns).separation.beta < 1.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rows_closer_than_rounding_count_as_copies(dtype):
    rows = torch.tensor([[1000.0, 1.0], [1000.0, 2.0], [500.0, 1.5]], dtype=dtype)
    eps = torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    near = rows.double() + torch.tensor([0.0, 1e-3 * (eps * 1e6) ** 0.5], dtype=torch.float64)
    memory, other = ModernHopfield(), ModernHopfield()
    memory.store(rows)
    other.store(torch.cat([rows, near.to(dtype)]))
    assert other.separation.beta == pytest.approx(memory.separation.beta, rel=1e-3)


@pytest.mark.parametrize(
    ("patterns", "weight"),
    [
        (torch.ones(1, 3), 1.0),
        (torch.ones(2, 3), 0.5),
        (torch.zeros(4, 3), 0.25),
        (torch.full((5, 1), 7e8), 0.2),
        (torch.full((3, 2), 1e-30), 1 / 3),
    ],
)
def test_equal_patterns_have_any_beta(patterns, weight):
    memory = stored(patterns)
    assert memory.separation.beta == 1.0
    result = memory.retrieve(patterns + 1)
    assert bool(result.converged.all()) and torch.equal(result.state, patterns)
    torch.testing.assert_close(result.weight, torch.full((len(patterns),), weight))


@pytest.mark.parametrize(("scale", "dtype"), [
    (1e17, torch.float32), (1e-19, torch.float32), (3e4, torch.float16), (6e-5, torch.float16),
    (1e150, torch.float64), (1e-138, torch.float64),
])  # fmt: skip
def test_huge_and_small_units(scale, dtype):
    patterns = scale * torch.rand(50, 8, generator=seeded(0), dtype=torch.float64)
    memory = stored(patterns.to(dtype))
    assert 0 < memory.separation.beta < math.inf
    result = memory.retrieve(memory.patterns)
    assert torch.equal(result.index, torch.arange(50)) and result.weight.min() > 0.9


def test_patterns_with_gaps_are_compared_over_common_entries():
    rows = torch.randn(30, 6, generator=seeded(0), dtype=torch.float64)
    known = torch.rand(30, 6, generator=seeded(1)) < 0.8
    known[:, 0] = True
    memory = ModernHopfield()
    memory.store(Cue(rows, known))
    betas = []
    for x, k in zip(rows, known, strict=True):
        common = known & k
        scale = k.sum() / common.sum(-1)
        scores = -((rows - x) * common).square().sum(-1) * scale / 2
        lead = (scores.max() - scores).tolist()

        def excess(beta, lead=lead):
            return sum(math.exp(-beta * d / 4) for d in lead if d > 0) - 0.01 * lead.count(0)

        betas.append(brentq(excess, 0.0, 1e6))
    expected = torch.tensor(betas, dtype=torch.float64).quantile(0.95)
    assert memory.separation.beta == pytest.approx(float(expected), rel=1e-9)
    assert memory.retrieve(Cue(rows, known)).weight.mean() > 0.9


@pytest.mark.parametrize("scale", [1.0, 1e-10])
def test_patterns_without_a_common_entry_have_no_weight(scale):
    memory = ModernHopfield()
    rows = torch.eye(3, dtype=torch.float64).repeat(2, 1) * torch.arange(1.0, 7.0)[:, None]
    memory.store(scale * rows, known=rows > 0)
    expected = 8 * math.log(100) / (3 * scale) ** 2  # each pair is 3 apart
    assert memory.separation.beta == pytest.approx(expected, rel=1e-12)


def test_memories_that_share_a_store_have_a_beta_each():
    memory = stored(torch.randn(20, 4, generator=seeded(0)))
    others = [
        with_settings(memory, similarity="cosine"),
        with_settings(memory, beta="auto", separation=Sparsemax()),
    ]
    for other in others * 2:
        fresh = type(other)(**other.config())
        fresh.store(memory.patterns)
        assert memory.separation != other.separation == fresh.separation


def test_beta_is_renewed_when_patterns_change():
    patterns = torch.randn(60, 4, generator=seeded(0))
    memory, fresh = stored(patterns[:30]), stored(patterns[:30])
    assert memory.separation == fresh.separation
    for change, rows in (
        (lambda: memory.store(patterns[30:]), patterns),
        (lambda: memory.remove(range(50)), patterns[50:]),
        (lambda: memory.to(dtype=torch.float16), patterns[50:].half()),
    ):
        before = memory.separation.beta
        change()
        assert memory.separation == stored(rows).separation
        assert memory.separation.beta != before
    memory.remove(range(10))
    assert memory.separation == Softmax(1.0) and "beta='auto', " in repr(memory)


def test_beta_is_computed_once_per_change(monkeypatch):
    calls, real = [], fitting.leads
    monkeypatch.setattr(fitting, "leads", lambda *a: calls.append(1) or real(*a))
    memory = stored(torch.randn(20, 4, generator=seeded(0)))
    for _ in range(3):
        memory.retrieve(memory.patterns)
        memory.energy(memory.patterns)
        repr(memory)
    assert len(calls) == 1


def test_the_word_is_saved_and_not_the_number(tmp_path):
    memory = stored(torch.randn(20, 4, generator=seeded(0)), similarity="cosine")
    memory.save(tmp_path / "memory")
    copies = load(tmp_path / "memory"), copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))
    for again in copies:
        assert repr(again) == repr(memory) and "beta='auto' (" in repr(memory)
        assert again.separation == memory.separation
        again.store(3 * torch.randn(20, 4, generator=seeded(1)))
        assert again.separation.beta != memory.separation.beta


def test_a_beta_that_is_given_stays():
    memory = ModernHopfield(beta=3.0)
    memory.store(torch.randn(20, 4, generator=seeded(0)))
    assert memory.separation == Softmax(3.0) and memory.similarity == "dot"
    sparse = ModernHopfield(separation=Sparsemax(2.0))
    assert sparse.separation == Sparsemax(2.0) and sparse.similarity == "dot"
    assert ModernHopfield().similarity == "euclidean" == ModernHopfield("auto").similarity
    assert ModernHopfield(similarity="dot").similarity == "dot"
    keys = torch.randn(20, 4, generator=seeded(0))
    attention = torch.softmax(3.0 * keys[:5] @ keys.T, -1) @ keys
    torch.testing.assert_close(memory.update(keys[:5]), attention)


def test_certified_reads_have_a_beta_that_fits():
    patterns = torch.randn(30, 6, generator=seeded(0))
    full, certified = stored(patterns), stored(patterns, precision="certified")
    assert full.separation == certified.separation
    assert torch.equal(full.retrieve(patterns).index, certified.retrieve(patterns).index)


class Plain(Separation):
    """A separation without β."""

    def potential(self, scores):
        return torch.logsumexp(scores, -1)

    def __call__(self, scores):
        return torch.softmax(scores, -1)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ModernHopfield("Auto"), InputTypeError, ("'auto'", "'Auto'")),
        (lambda: ModernHopfield("8"), InputTypeError, ("a number or 'auto'", "'8'")),
        (lambda: ModernHopfield("auto", separation=Plain()), OptionError, ("Plain", "beta")),
        (lambda: ModernHopfield(1.0, separation=Softmax()), OptionError, ("both",)),
        (lambda: DenseHopfield("auto"), InputTypeError, ("beta", "'auto'")),
        (lambda: Softmax("auto"), InputTypeError, ("beta", "'auto'")),
        (
            lambda: ModernHopfield("auto", separation=Sparsemax(), precision="certified"),
            OptionError,
            ("Sparsemax",),
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_diagnosis_reports_and_tries_what_the_patterns_decide():
    """A dot product that no β helps: the remedy is Euclidean, with β from the patterns again."""
    patterns = torch.rand(60, 8, generator=seeded(0))
    memory = stored(patterns, similarity="dot")
    report = diagnose(memory)
    assert "beta='auto' (" in repr(report) and report.counts["attractors"] < 60, "premise"
    remedy = report.findings[0].remedy
    assert remedy.effect["attractors"] == 60
    mended = remedy.apply(memory)
    assert mended.similarity == "euclidean" and "beta='auto' (" in repr(mended)
    assert diagnose(mended).counts["attractors"] == 60
    trials = Trials(memory, Patterns(memory), 0.0)
    sharp = next(iter(trials.try_sharper(torch.full((60,), 1e-4))))
    assert (
        sharp.settings["separation"].beta > memory.separation.beta and "beta" not in sharp.settings
    )
