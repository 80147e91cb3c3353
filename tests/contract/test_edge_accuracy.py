"""Results in low precision against float64, within the bounds the design promises.

float32 ≤ 1e-5·κ', float16 ≤ 2e-3·κ', bfloat16 ≤ 1.6e-2·κ', relative; κ' = max(1, κ/100) and
κ = 1 + β·M·max(M, ‖x‖), by which the rounding of scores grows.
"""

from functools import partial

import pytest
import torch

import draws
from draws import signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    TopK,
    attention,
)
from hopfield.similarity import SIMILARITIES

BOUNDS = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
SEPARATIONS = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": lambda beta: Entmax(1.5, beta),
    "top 3": lambda beta: TopK(3, beta),
}
BETAS = (1e-6, 1.0, 32.0)
normal = partial(draws.normal, dtype=torch.float64)
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
in_every_dtype = pytest.mark.parametrize(
    "dtype", BOUNDS, ids=lambda dtype: str(dtype).removeprefix("torch.")
)


def kappas(patterns, states, beta):
    """κ, and the M it is made of."""
    largest = patterns.double().norm(dim=-1).max()
    own = states.double().norm(dim=-1)
    return 1 + beta * largest * torch.maximum(largest, own), largest


def assert_close(found, wanted, scale, dtype, kappa):
    """|found − wanted| ≤ bound · κ' · scale, for the largest entry of every query."""
    error = (found.double() - wanted).reshape(*kappa.shape, -1).abs().amax(-1)
    allowed = BOUNDS[dtype] * (kappa / 100).clamp_min(1) * scale
    assert bool((error <= allowed).all()), f"{float((error / allowed).max()):.3g} of the bound"


def pair(dtype, **options):
    """A memory in `dtype`, one of the same numbers in float64, and cues."""
    patterns, cues = normal(50, 24, seed=1).to(dtype), normal(12, 24, seed=2).to(dtype)
    low, exact = ModernHopfield(**options), ModernHopfield(**options)
    low.store(patterns, patterns[:, :3])
    exact.store(patterns.double(), patterns[:, :3].double())
    return low, exact, cues


@in_every_dtype
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_states_and_energies(name, similarity, beta, dtype):
    separation = SEPARATIONS[name](beta)
    low, exact, cues = pair(dtype, separation=separation, similarity=similarity)
    kappa, largest = kappas(exact.patterns, cues, beta)
    wanted = exact.update(cues.double())
    assert_close(low.update(cues), wanted, largest, dtype, kappa)
    energies = exact.energy(cues.double())
    size = torch.maximum(cues.double().square().sum(-1), largest**2) / 2
    size = torch.maximum(size, energies.abs())
    assert_close(low.energy(cues), energies, size, torch.float32, kappa)


@in_every_dtype
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_one_retrieval(name, similarity, beta, dtype):
    """Weights, values and the strongest pattern of a masked cue, read once."""
    separation = SEPARATIONS[name](beta)
    low, exact, cues = pair(dtype, separation=separation, similarity=similarity)
    known = torch.arange(24) < 14
    found = low.retrieve(cues, known, steps=1)
    wanted = exact.retrieve(cues.double(), known, steps=1)
    kappa, largest = kappas(exact.patterns, cues, beta)
    for part, scale in (("state", largest), ("value", largest), ("weight", 1.0)):
        assert_close(getattr(found, part), getattr(wanted, part), scale, dtype, kappa)
    size = 1.0 if similarity in ("cosine", "correlation") else (kappa - 1) / beta
    clear = _margin(exact, similarity, cues.double(), known) > _rounding(size)
    assert float(clear.double().mean()) > 0.9, "premise: most winners are clear"
    assert torch.equal(found.index[clear], wanted.index[clear])


def _margin(memory, similarity, cues, known):
    """Margin of the best score over the second best, by the definitions in float64."""
    rows, states = memory.patterns[:, known], cues[:, None, known]
    if similarity == "correlation":
        rows, states = rows - rows.mean(-1, keepdim=True), states - states.mean(-1, keepdim=True)
    scores = {
        "dot": (rows * states).sum(-1),
        "euclidean": -(rows - states).square().sum(-1) / 2,
        "manhattan": -(rows - states).abs().sum(-1),
    }.get(similarity, torch.cosine_similarity(rows, states, dim=-1))
    best = scores.topk(2, dim=-1).values
    return best[:, 0] - best[:, 1]


def _rounding(size: float | torch.Tensor) -> float | torch.Tensor:
    """Rounding of scores as large as `size` in float32."""
    return 64 * torch.finfo(torch.float32).eps * size


@in_every_dtype
@pytest.mark.parametrize("beta", BETAS)
def test_softmax_by_brute_force(beta, dtype):
    """The float64 these are compared with is right: softmax(βs) as it is written."""
    low, exact, cues = pair(dtype, beta=beta)
    rows, states = exact.patterns, cues.double()
    wanted = torch.softmax(beta * states @ rows.T, dim=-1) @ rows
    kappa, largest = kappas(rows, cues, beta)
    torch.testing.assert_close(exact.update(states), wanted)
    assert_close(attention(cues, low.patterns, beta), wanted, largest, dtype, kappa)
    assert_close(low.update(cues), wanted, largest, dtype, kappa)


@in_every_dtype
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_certified_readouts(similarity, dtype):
    low, exact, cues = pair(dtype, beta=1.0, similarity=similarity, precision="certified")
    kappa, largest = kappas(exact.patterns, cues, 1.0)
    assert_close(low.update(cues), exact.update(cues.double()), largest, dtype, kappa)


@pytest.mark.parametrize("rule", ["hebbian", "covariance", "pseudo_inverse", "storkey"])
@in_every_dtype
def test_classical_energies_and_fields(rule, dtype):
    """Energies of ±1 states; W itself is compared where `test_rules.py` has its definition."""
    patterns, states = signs(12, 40, seed=3), signs(9, 40, seed=4)
    low, exact = ClassicalHopfield(rule), ClassicalHopfield(rule)
    low.store(patterns.to(dtype))
    exact.store(patterns.double())
    size = float(exact.coupling.abs().sum()) / 2
    error = (low.energy(states.to(dtype)).double() - exact.energy(states.double())).abs().max()
    assert float(error) <= 1e-5 * size
    difference = (low.coupling.double() - exact.coupling).abs().max()
    assert float(difference) <= 1e-5 * float(exact.coupling.abs().max())


@pytest.mark.parametrize(
    "separation",
    [Softmax(0.1), Softmax(30.0), Polynomial(4), RectifiedPolynomial(7)],
    ids=lambda separation: str(separation),
)
@in_every_dtype
def test_dense_memories_decide_alike_in_every_dtype(separation, dtype):
    """Decisions are computed in float64 whatever the dtype of ±1: not one of them may differ."""
    patterns, states = signs(20, 33, seed=5), signs(15, 33, seed=6)
    low, exact = DenseHopfield(separation=separation), DenseHopfield(separation=separation)
    low.store(patterns.to(dtype))
    exact.store(patterns.double())
    found, wanted = low.update(states.to(dtype)), exact.update(states.double())
    assert torch.equal(found.double(), wanted) and not torch.equal(wanted, states.double())
    energies, right = low.energy(states.to(dtype)), exact.energy(states.double())
    torch.testing.assert_close(energies.double(), right, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", SEPARATIONS)
def test_a_million_numbers(name):
    """100 000 patterns of two entries: the blocks lose no more than one product would."""
    patterns, cues = normal(100_000, 2, seed=7), normal(3, 2, seed=8)
    sparse = name in ("sparsemax", "entmax")  # slow where all 100 000 have weight
    for beta in (1.0, 1e4) if sparse else (0.0, 1.0, 1e4):
        low, exact = (ModernHopfield(separation=SEPARATIONS[name](beta)) for _ in range(2))
        low.store(patterns.float())
        exact.store(patterns.float().double())
        kappa, largest = kappas(patterns, cues, beta)
        wanted = exact.update(cues)
        assert_close(low.update(cues.float()), wanted, largest, torch.float32, kappa)
        assert bool(torch.isfinite(low.energy(cues.float())).all())


def test_values_wider_than_patterns_keep_their_digits():
    """Times in seconds since 1970 have ten digits, of which float32 keeps seven."""
    times = 1.7e9 + torch.arange(4, dtype=torch.float64) / 8
    for memory in (ModernHopfield(1e6, similarity="euclidean"), DenseHopfield(50.0)):
        memory.store(signs(4, 16, seed=9), times)
        found = memory.retrieve(signs(4, 16, seed=9))
        assert torch.equal(found.value, times)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_cue_wider_than_the_patterns_is_computed_with_in_its_own_precision(similarity, dtype):
    low, exact, cues = pair(dtype, beta=8.0, similarity=similarity)
    cues = cues.double() + 1e-9  # no half precision has these
    kappa, largest = kappas(exact.patterns, cues, 8.0)
    slack = 16 * torch.finfo(torch.float64).eps * kappa * largest
    for read in (
        lambda memory: memory.update(cues),
        lambda memory: memory.retrieve(cues, steps=1, tol=0.0).state,
    ):
        assert bool(((read(low) - read(exact)).norm(dim=-1) <= slack).all())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax"])
def test_distances_from_afar_tell_patterns_apart(name, masked):
    """−½‖x‖², which all patterns share, would drown their differences in its rounding."""
    patterns, cues = normal(200, 16, seed=10) / 4, 1e3 * normal(20, 16, seed=11)
    known = torch.arange(16) < 12 if masked else None
    low, exact = (
        ModernHopfield(separation=SEPARATIONS[name](0.01), similarity="euclidean") for _ in range(2)
    )
    low.store(patterns.float(), patterns.float())
    exact.store(patterns.float().double(), patterns.float().double())
    wanted = exact.retrieve(cues.float().double(), known, clamp=False, steps=1, tol=0.0)
    found = low.retrieve(cues.float(), known, clamp=False, steps=1, tol=0.0)
    kappa, largest = kappas(patterns, cues, 0.01)
    assert_close(found.state, wanted.state, largest, torch.float32, kappa)
    assert_close(found.value, wanted.value, largest, torch.float32, kappa)
    assert wanted.state.std(0).min() > 1e-2, "premise: cues differ"
    assert torch.equal(low.energy(patterns.float()) >= 0, torch.ones(200, dtype=torch.bool))


@pytest.mark.parametrize("exponent", [43, 50, 57])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("name", SEPARATIONS)
def test_a_small_beta_makes_up_for_long_patterns(name, similarity, exponent, monkeypatch):
    """β/c² for c times the patterns: β·score is the same, though float32 has no such β to keep."""
    monkeypatch.setattr("hopfield.readout.block_rows", lambda queries, copied=True: 7)
    low, exact, cues = pair(torch.float32, separation=SEPARATIONS[name](0.3), similarity=similarity)
    size = 2.0**exponent
    products, wanted = cues @ low.patterns.T, exact.separation
    for beta in (0.3 / size**2, torch.tensor(0.3 / size**2)):
        long = SEPARATIONS[name](beta)
        weights = long(products * size**2).double()
        torch.testing.assert_close(weights, wanted(products.double()), rtol=1e-4, atol=1e-6)
        potential = long.potential(products * size**2).double() / size**2
        right = wanted.potential(products.double())
        torch.testing.assert_close(potential, right, rtol=1e-4, atol=1e-4)
    long = ModernHopfield(separation=SEPARATIONS[name](0.3 / size**2), similarity=similarity)
    long.store(low.patterns * size, low.patterns[:, :3])
    found = long.retrieve(cues * size, steps=1, tol=0.0)
    wanted = exact.retrieve(cues.double(), steps=1, tol=0.0)
    kappa, largest = kappas(exact.patterns, cues, 0.3)
    assert_close(found.state / size, wanted.state, largest, torch.float32, kappa)
    assert_close(found.value, wanted.value, largest, torch.float32, kappa)
    assert_close(found.weight, wanted.weight, 1.0, torch.float32, kappa)
    assert_close(found.energy / size**2, wanted.energy, largest**2, torch.float32, kappa)
    assert found.energy.dtype == found.weight.dtype == found.entropy.dtype == torch.float32
