"""Normmax, k-subsets and log-sum-ReLU against enumeration, long arithmetic and densities."""

import math
import re
from itertools import product

import mpmath
import pytest
import torch
from scipy.optimize import minimize

from cases import seeded
from hopfield import (
    Epanechnikov,
    KSubsets,
    ModernHopfield,
    Normmax,
    Separation,
    Sparsemax,
    diagnose,
    explain,
    load,
    nn,
    tune,
)
from hopfield.corruption import gaussian_noise
from hopfield.errors import DomainError, OptionError
from hopfield.separation import NAMED, UNNAMED
from hopfield.sklearn import HopfieldRegressor
from nn_layers import seeded as seeded_layer

EPS = torch.finfo(torch.float64).eps


def scores(n: int = 6, batch: int = 20, seed: int = 0) -> torch.Tensor:
    """Random scores, `(batch, n)`."""
    return 2 * torch.randn(batch, n, generator=seeded(seed), dtype=torch.float64)


# ---- k-subsets: the projection by all sets of weights at their limits


def best_weights(s: list[float], k: int, beta: float, prior: list[float]) -> list[float]:
    """The largest q·s − Σq²/2βw over 0 ≤ q ≤ w/k, Σq = 1, among all stationary points."""
    best = (-math.inf, [])
    for sides in product("lfu", repeat=len(s)):  # at the lower limit, free, at the upper limit
        upper = sum(w / k for w, side in zip(prior, sides, strict=True) if side == "u")
        free = [(w, x) for w, x, side in zip(prior, s, sides, strict=True) if side == "f"]
        tau = 0.0
        if free:
            tau = (sum(w * beta * x for w, x in free) + upper - 1) / sum(w for w, _ in free)
        q = [
            {"l": 0.0, "u": w / k, "f": w * (beta * x - tau)}[side]
            for w, x, side in zip(prior, s, sides, strict=True)
        ]
        pairs = list(zip(q, prior, s, strict=True))
        if abs(sum(q) - 1) < 1e-9 and all(-1e-12 <= x <= w / k + 1e-12 for x, w, _ in pairs):
            value = sum(x * y - x * x / (2 * beta * w) for x, w, y in pairs)
            best = max(best, (value, q))
    return best[1]


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("has_prior", [False, True])
def test_k_subsets_are_the_best_of_all_points(k, has_prior):
    s, beta = scores(batch=6), 0.3
    prior = torch.linspace(0.8, 2.5, 6, dtype=torch.float64)
    prior = prior if has_prior else torch.ones_like(prior)
    separation = KSubsets(k, beta)
    given = (s, prior) if has_prior else (s,)
    best = [best_weights(row, k, beta, prior.tolist()) for row in s.tolist()]
    expected = torch.tensor(best, dtype=torch.float64)
    torch.testing.assert_close(separation(*given), expected, rtol=1e-7, atol=1e-7)
    gain = (expected * s).sum(-1) - (expected.square() / prior).sum(-1) / (2 * beta)
    gain = gain + 1 / (2 * beta * prior.sum())
    torch.testing.assert_close(separation.potential(*given), gain, rtol=1e-9, atol=1e-9)


def test_weights_of_scores_that_tie_within_rounding_are_the_gradient():
    s = torch.tensor([0.6711 + 1e-16, 0.6711, -0.05, 0.108, -0.45], dtype=torch.float64)
    assert s[0] > s[1], "premise: no exact tie"
    gradient = torch.func.grad(KSubsets(2, 1.0).potential)(s)
    torch.testing.assert_close(gradient, KSubsets(2, 1.0)(s))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("visible", [1, 2, 4])
def test_masked_patterns_of_a_layer_are_no_part_of_a_subset(dtype, visible):
    patterns, state = scores(6, 5).to(dtype), scores(6, 3, seed=1).to(dtype)
    mask = torch.arange(5) >= visible
    separation = KSubsets(3, 0.4)
    found = nn.functional.association(state, patterns, separation=separation, mask=mask[None])
    expected = nn.functional.association(state, patterns[:visible], separation=separation)
    torch.testing.assert_close(found, expected)
    layer = seeded_layer(lambda: nn.HopfieldAssociation(6, 2, "k_subsets")).to(dtype)
    hidden = layer(state[None], patterns[None], padding_mask=mask[None])
    torch.testing.assert_close(hidden, layer(state[None], patterns[None, :visible]))


def test_patterns_without_a_common_entry_are_no_part_of_a_subset():
    patterns = scores(6, 4).nan_to_num()
    known = torch.ones(4, 6, dtype=torch.bool)
    known[1:, :2] = False
    memory = ModernHopfield(separation=KSubsets(3, 0.4), similarity="euclidean")
    memory.store(patterns, known=known)
    found = memory.retrieve(patterns[0] + 0.1, torch.arange(6) < 2)
    assert found.index == 0 and found.weight == 1


def test_the_alpha_of_normmax_is_learnable():
    s = scores(5, 3)
    alpha = torch.tensor([1.2, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
    beta = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    prior = torch.tensor([0.5, 1.0, 2.0, 1.0, 1.5], dtype=torch.float64)
    for function in (
        lambda a, b: Normmax(a, b)(s),
        lambda a, b: Normmax(a, b)(s, prior),
        lambda a, b: Normmax(a, b).potential(s),
        lambda a, b: Normmax(a, b).potential(s, prior),
    ):
        assert torch.autograd.gradcheck(function, (alpha, beta))
    for row, number in enumerate(alpha.tolist()):
        torch.testing.assert_close(Normmax(alpha, 0.4)(s)[row], Normmax(number, 0.4)(s[row]))
    learned = Normmax(torch.tensor([1.5, 3.0], requires_grad=True))
    layer = seeded_layer(lambda: nn.HopfieldAssociation(6, 2, learned))
    layer(scores(6, 4)[None].float()).square().sum().backward()
    (raw,) = layer.separation.alpha.parameters()
    assert bool((raw.grad != 0).all())
    with pytest.raises(DomainError, match="every entry of alpha must be"):
        Normmax(torch.tensor([2.0, 20.0]))


def test_one_subset_is_sparsemax_and_a_large_lead_gives_exact_means():
    s = scores()
    torch.testing.assert_close(KSubsets(1, 0.7)(s), Sparsemax(0.7)(s))
    torch.testing.assert_close(KSubsets(1, 0.7).potential(s), Sparsemax(0.7).potential(s))
    ordered = s.sort(dim=-1, descending=True).values
    for k, beta in ((2, 0.4), (3, 2.0)):
        leads = ordered[:, k - 1] - ordered[:, k] >= 1 / (k * beta)
        weights = KSubsets(k, beta)(s)
        is_mean = ((weights - 1 / k).abs() < 4 * EPS).sum(-1) == k
        assert torch.equal(is_mean, leads)
        assert leads.any() and not leads.all(), "premise: some lead, and others do not"
    assert KSubsets(9, 3.0)(s).eq(1 / 6).all(), "fewer than k patterns"


# ---- normmax


def norm_objective(p: torch.Tensor, s: torch.Tensor, alpha: float, beta: float) -> torch.Tensor:
    """p·s + (‖1/n‖ − ‖p‖)/β."""
    n = s.shape[-1]
    return (p * s).sum(-1) + (n ** (1 / alpha - 1) - p.norm(p=alpha, dim=-1)) / beta


@pytest.mark.parametrize("alpha", [1.2, 2.0, 5.0])
def test_normmax_is_the_maximum_over_the_simplex(alpha):
    s, beta = scores(n=4, batch=4), 0.4
    separation = Normmax(alpha, beta)
    attained = norm_objective(separation(s), s, alpha, beta)
    torch.testing.assert_close(separation.potential(s), attained, rtol=1e-12, atol=1e-12)
    for row, value in zip(s, attained.tolist(), strict=True):
        found = minimize(
            lambda p, row=row: -norm_objective(torch.tensor(p), row, alpha, beta).item(),
            [0.25] * 4,
            method="SLSQP",
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            options={"ftol": 1e-12, "maxiter": 300},
        )
        assert -found.fun == pytest.approx(value, abs=1e-6)
        assert -found.fun <= value + 1e-9


@pytest.mark.parametrize("exponent", [-18, -9, -6, -3, 0, 3])
@pytest.mark.parametrize("separation", [Normmax(1.1), Normmax(2.0), Normmax(8.0), KSubsets(3)])
def test_potentials_for_every_beta(separation: Separation, exponent):
    """Norms cancel as β → 0: their difference must not be taken of two rounded numbers."""
    beta, s = 10.0**exponent, scores(n=9, batch=1)[0]
    (sharp,) = (type(separation)(*list(vars(separation).values())[:1], beta),)
    with mpmath.workdps(60):
        z = [mpmath.mpf(x) * beta for x in s.tolist()]
        if isinstance(separation, Normmax):
            alpha = mpmath.mpf(separation.alpha)
            r = alpha / (alpha - 1)
            low, high = max(z) - 1, max(z)
            for _ in range(220):
                tau = (low + high) / 2
                above = mpmath.fsum(max(x - tau, 0) ** r for x in z) >= 1
                low, high = (tau, high) if above else (low, tau)
            exact = (low + mpmath.mpf(9) ** (1 / alpha - 1)) / beta
        else:
            low, high = min(z) - 1, max(z)
            for _ in range(220):
                tau = (low + high) / 2
                above = mpmath.fsum(min(max(x - tau, 0), mpmath.mpf(1) / 3) for x in z) >= 1
                low, high = (tau, high) if above else (low, tau)
            q = [min(max(x - low, 0), mpmath.mpf(1) / 3) for x in z]
            exact = mpmath.fsum(a * b for a, b in zip(q, z, strict=True)) / beta
            exact += (mpmath.mpf(1) / 9 - mpmath.fsum(x * x for x in q)) / (2 * mpmath.mpf(beta))
        error = abs(mpmath.mpf(sharp.potential(s).item()) - exact)
    assert error <= 16 * EPS * float(s.abs().max())


def test_derivatives_by_beta():
    s = scores(batch=3)
    beta = torch.tensor([0.1, 0.6, 4.0], dtype=torch.float64, requires_grad=True)
    for make in (lambda b: Normmax(2.0, b), lambda b: Normmax(4.0, b), lambda b: KSubsets(2, b)):
        assert torch.autograd.gradcheck(lambda b, make=make: make(b).potential(s), beta)
        assert torch.autograd.gradcheck(lambda b, make=make: make(b)(s), beta)


@pytest.mark.parametrize("separation", [Normmax(2.0, 0.6), Normmax(5.0, 0.6), KSubsets(2, 0.6),
                                        KSubsets(4, 0.2), Epanechnikov(0.6)], ids=str)  # fmt: skip
def test_a_prior_counts_copies(separation):
    s, times = scores(n=5, batch=8), [1, 3, 2, 1, 4]
    copies = torch.repeat_interleave(s, torch.tensor(times), dim=-1)
    prior = torch.tensor(times, dtype=torch.float64)
    torch.testing.assert_close(separation.potential(s, prior), separation.potential(copies))
    split = separation(copies).split(times, dim=-1)
    added = torch.stack([part.sum(-1) for part in split], dim=-1)
    torch.testing.assert_close(separation(s, prior), added)


@pytest.mark.parametrize("separation", [Normmax(2.0, 0.6), KSubsets(2, 0.6)], ids=str)
def test_layers_take_them(separation):
    with torch.random.fork_rng():
        layer = nn.HopfieldLookup(nn.HopfieldAssociation(4, separation=separation), 6)
    states = torch.randn(2, 3, 4, generator=seeded(1))
    layer(states).sum().backward()
    slopes = [p.grad for p in layer.parameters() if p.grad is not None]
    assert slopes and all(slope.isfinite().all() for slope in slopes)


# ---- log-sum-ReLU


def pair(distance: float, beta: float) -> ModernHopfield:
    """A memory of two patterns at this distance, and a third one far away."""
    memory = ModernHopfield(separation=Epanechnikov(beta))
    memory.store(torch.tensor([[0.0, 0.0], [distance, 0.0], [0.0, 50.0]], dtype=torch.float64))
    return memory


@pytest.mark.parametrize(
    ("factor", "keeps_patterns", "emerges"),
    [(1.9, False, True), (2.0, True, True), (4.0, True, True), (7.9, True, True),
     (8.1, True, False)],
)  # fmt: skip
def test_patterns_are_exact_from_two_on_and_midpoints_emerge_below_eight(
    factor, keeps_patterns, emerges
):
    """β = factor/r². The paper: 2/r² ≤ β for exact patterns, β < 8/r² for emergent midpoints."""
    r = 3.0
    memory = pair(r, factor / r**2)
    start = memory.patterns[:1]
    assert torch.equal(memory.update(start), start) == keeps_patterns
    middle = torch.tensor([[r / 2, 0.0]], dtype=torch.float64)
    found = memory.retrieve(middle)
    assert torch.equal(found.state, middle) and found.converged.all()
    assert (found.weight == (0.5 if emerges else 0.0)).all()
    around = middle + 1e-3 * torch.eye(2, dtype=torch.float64)
    is_minimum = bool((memory.energy(around) > memory.energy(middle)).all())
    assert is_minimum == emerges


def test_without_an_active_pattern_the_state_stays_and_the_energy_is_the_largest():
    memory = ModernHopfield(separation=Epanechnikov(2.0))
    rows = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    memory.store(rows, values=torch.tensor([1.0, 2.0]))
    far = torch.tensor([1.5, 1.5], dtype=torch.float64)
    found = memory.retrieve(far)
    assert torch.equal(found.state, far) and found.converged and found.steps == 0
    assert found.weight == 0 and found.entropy == 0 and found.value.isnan()
    assert found.energy.item() == pytest.approx(100 * math.log(2) / 2.0)
    edge = torch.tensor([1.0 - 1e-9, 0.0], dtype=torch.float64)
    assert memory.energy(far) > memory.energy(edge) > memory.energy(rows[0])
    state = far.clone().requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(state), state)
    assert torch.equal(slope, torch.zeros_like(far))


def test_the_energy_is_the_logarithm_of_a_kernel_density():
    rows = torch.randn(40, 3, generator=seeded(2), dtype=torch.float64)
    states = torch.randn(25, 3, generator=seeded(3), dtype=torch.float64)
    beta = 0.8
    memory = ModernHopfield(separation=Epanechnikov(beta))
    memory.store(rows)
    kernels = (1 - beta / 2 * torch.cdist(states, rows).square()).clamp_min(0)
    assert (kernels.sum(-1) > 0).all(), "premise: every state has an active pattern"
    torch.testing.assert_close(memory.energy(states), -kernels.mean(-1).log() / beta)
    active = (kernels > 0).double()
    torch.testing.assert_close(memory.update(states), active @ rows / active.sum(-1, keepdim=True))


def test_the_mean_descends_where_the_sum_would_not():
    rows = torch.randn(60, 5, generator=seeded(4), dtype=torch.float64)
    states = rows[:30] + 0.8 * torch.randn(30, 5, generator=seeded(5), dtype=torch.float64)
    memory = ModernHopfield(separation=Epanechnikov(0.4))
    memory.store(rows)
    trace = memory.retrieve(states, trace=True).trace
    assert (trace.diff(dim=0) <= 1e-12).all()
    assert (trace[-1] < trace[0]).any()
    s = -torch.cdist(states, rows).square() / 2
    assert (memory.separation(s).sum(-1) > 1).any(), "premise: weights do not sum to one"


class Cubic(Separation):
    """F(s) = log mean [1 + s/4]₊³: another kernel, written by a user."""

    simplex = False
    mean_ascends = True

    def potential(self, scores: torch.Tensor) -> torch.Tensor:
        """F(s)."""
        return ((1 + scores / 4).clamp_min(0) ** 3).mean(-1).log()

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        """∇F(s)."""
        base = (1 + scores / 4).clamp_min(0)
        return 0.75 * base**2 / (base**3).sum(-1, keepdim=True)


def test_a_kernel_of_a_user_is_read_and_descends():
    rows = torch.randn(30, 2, generator=seeded(6), dtype=torch.float64)
    states = torch.randn(20, 2, generator=seeded(7), dtype=torch.float64)
    memory = ModernHopfield(separation=Cubic())
    memory.store(rows)
    trace = memory.retrieve(states, trace=True).trace
    assert memory.similarity == "euclidean"
    assert (trace.diff(dim=0) <= 1e-12).all() and (trace[-1] < trace[0]).any()
    weights = (1 - torch.cdist(states, rows).square() / 8).clamp_min(0) ** 2
    expected = weights @ rows / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(memory.update(states), expected)


def test_options_that_do_not_fit_are_refused_by_name():
    with pytest.raises(OptionError, match="similarity must be 'euclidean' with Epanechnikov"):
        ModernHopfield(separation=Epanechnikov(1.0), similarity="dot")
    with pytest.raises(OptionError, match="beta='auto' needs"):
        ModernHopfield("auto", separation=Epanechnikov(1.0))
    with pytest.raises(OptionError, match="Epanechnikov does not"):
        nn.HopfieldAssociation(4, separation=Epanechnikov(1.0))


@pytest.mark.parametrize("separation", [Normmax(3.0, 2.0), KSubsets(2, 2.0), Epanechnikov(2.0)],
                         ids=str)  # fmt: skip
def test_they_are_saved_and_diagnosed(separation, tmp_path):
    memory = ModernHopfield(separation=separation, similarity="euclidean")
    memory.store(torch.randn(12, 4, generator=seeded(8), dtype=torch.float64))
    memory.save(tmp_path / "memory.hop")
    again = load(tmp_path / "memory.hop")
    assert again.separation == separation
    states = torch.randn(5, 4, generator=seeded(9), dtype=torch.float64)
    assert torch.equal(again.update(states), memory.update(states))
    report = diagnose(memory)
    fixed = (memory.update(memory.patterns) - memory.patterns).abs().amax(-1) < 1e-4
    assert torch.equal(report.fixed, fixed)
    assert fixed.any() != isinstance(separation, KSubsets)
    assert str(explain(memory, states[0]))


@pytest.mark.parametrize("separation", [Normmax(2.0), KSubsets(2), Normmax(4.0)], ids=str)
def test_beta_from_the_patterns(separation):
    memory = ModernHopfield("auto", separation=separation)
    memory.store(torch.randn(20, 16, generator=seeded(10)))
    assert 0 < memory.separation.beta < math.inf
    if isinstance(separation, Normmax):
        assert memory.retrieve(memory.patterns).index.tolist() == list(range(20))


# ---- names


def test_names_are_those_of_one_table_or_refused_with_a_reason():
    patterns = scores(4, 8)
    assert "softmax" in NAMED and not {*NAMED} & {*UNNAMED}
    for name in ("Softmax", *UNNAMED):
        reason = UNNAMED.get(name, "Did you mean 'softmax'?").split(":")[0]
        for call in (
            lambda name=name: tune(patterns, gaussian_noise, 0.1, separations=[name]),
            lambda name=name: HopfieldRegressor(separation=name).fit(patterns, patterns[:, 0]),
            lambda name=name: seeded_layer(lambda: nn.HopfieldAssociation(6, 2, name)),
            lambda name=name: seeded_layer(lambda: nn.MultiheadHopfield(6, 2, separation=name)),
        ):
            with pytest.raises(OptionError, match=re.escape(reason)):
                call()


def test_tuning_names_objects_as_the_table_does():
    patterns, separations = scores(4, 8), ["k_subsets", KSubsets(3)]
    with pytest.raises(OptionError, match="name one twice"):
        tune(patterns, gaussian_noise, 0.1, separations=separations)
