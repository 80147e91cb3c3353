"""From finite input a finite result, at every end of the ranges; and the known limits there."""

import math

import pytest
import torch

from draws import normal, signs
from hopfield import (
    ClassicalHopfield,
    Cue,
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
from hopfield.errors import DomainError
from hopfield.rules import FUNCTIONS, RULES, Perceptron
from hopfield.similarity import SIMILARITIES

INF = math.inf
BETAS = (0.0, 1e-30, 1.0, 1e30, INF)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SEPARATIONS = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax 1.5": lambda beta: Entmax(1.5, beta),
    "entmax 1.01": lambda beta: Entmax(1.01, beta),
    "entmax 10": lambda beta: Entmax(10.0, beta),
    "top 2": lambda beta: TopK(2, beta),
    "top of more than there are": lambda beta: TopK(100, beta),
}
BINARY = {
    **{rule: lambda rule=rule: ClassicalHopfield(rule) for rule in RULES if rule not in FUNCTIONS},
    "perceptron": lambda: ClassicalHopfield(Perceptron(symmetric=True, passes=30)),
    "synchronous": lambda: ClassicalHopfield(schedule="synchronous"),
    "thermal": lambda: ClassicalHopfield(temperature=0.5),
    "coldest": lambda: ClassicalHopfield(temperature=5e-324),
    "hottest": lambda: ClassicalHopfield(temperature=1e300),
    **{f"dense, β = {beta}": lambda beta=beta: DenseHopfield(beta) for beta in BETAS},
    "dense, one by one": lambda: DenseHopfield(schedule="asynchronous"),
    "polynomial": lambda: DenseHopfield(separation=Polynomial(3)),
    "rectified": lambda: DenseHopfield(separation=RectifiedPolynomial(5)),
    "linear": lambda: DenseHopfield(separation=RectifiedPolynomial(1)),
}  # fmt: skip
MODERN = {
    **{name: lambda name=name: ModernHopfield(similarity=name) for name in SIMILARITIES},
    **{name: lambda make=make: ModernHopfield(separation=make(1.0))
       for name, make in SEPARATIONS.items()},
    "certified": lambda: ModernHopfield(precision="certified"),
}  # fmt: skip
EVERY = BINARY | MODERN
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
every_memory = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


def assert_finite(found):
    for name in ("state", "energy", "weight", "entropy", "value", "trace"):
        tensor = getattr(found, name)
        assert tensor is None or bool(torch.isfinite(tensor).all()), name
    assert 0 <= int(found.index.min()) and bool((found.steps >= 0).all())


def assert_all_finite(memory, cues, *masks):
    """Whatever a memory computes of these cues is a number."""
    for known in (None, *masks):
        assert_finite(memory.retrieve(cues, known, trace=True, steps=3))
    if masks and not memory.binary:
        assert_finite(memory.retrieve(cues, masks[0], evidence="all", steps=3))
    assert bool(torch.isfinite(memory.energy(cues)).all())
    assert bool(torch.isfinite(memory.update(cues)).all())


def awkward():
    """Patterns with a duplicate and a zero vector; cues with a zero vector and a pattern."""
    patterns, cues = normal(6, 5, seed=1), normal(4, 5, seed=2)
    patterns[3], patterns[4] = patterns[2], 0
    cues[1], cues[2] = 0, patterns[2]
    return patterns, cues


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_results_are_finite(name, similarity, at):
    patterns, cues = awkward()
    # every dtype, mask and β in turn, not all for each: the combinations are many.
    turn = list(SEPARATIONS).index(name) + list(SIMILARITIES).index(similarity) + at
    beta = (0.0, INF, (1e-30, 1.0, 1e30)[turn % 3])[at]
    dtype, known = DTYPES[turn % len(DTYPES)], torch.arange(5) < 3 * (turn // 2 % 2)
    memory = ModernHopfield(separation=SEPARATIONS[name](beta), similarity=similarity)
    memory.store(patterns.to(dtype), normal(6, 2, seed=3).to(dtype))
    assert_all_finite(memory, cues.to(dtype), known)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_certified_results_are_finite(similarity, beta):
    patterns, cues = awkward()
    memory = ModernHopfield(beta, similarity=similarity, precision="certified")
    memory.store(patterns)
    assert_all_finite(memory, cues, torch.arange(5) < 3, torch.zeros(5, dtype=torch.bool))
    bound = memory.retrieve(cues).bound
    assert bool(torch.isfinite(bound.state).all() & torch.isfinite(bound.energy).all())


@pytest.mark.parametrize("beta", [0.0, 1e-30])
@pytest.mark.parametrize("name", SEPARATIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_without_sharpness_all_patterns_weigh_the_same(similarity, name, beta):
    patterns, cues = normal(5, 4, seed=4), normal(3, 4, seed=5)
    memory = ModernHopfield(separation=SEPARATIONS[name](beta), similarity=similarity)
    memory.store(patterns)
    found = memory.retrieve(cues, steps=1)
    if name == "top 2":
        assert bool(((found.weight - 1 / 2).abs() < 1e-6).all())
        return
    torch.testing.assert_close(memory.update(cues), patterns.mean(0).expand(3, -1))
    torch.testing.assert_close(found.weight, torch.full((3,), 1 / 5))
    torch.testing.assert_close(found.entropy, torch.full((3,), math.log(5)))


def nearest(patterns, cues, similarity):
    """The pattern of largest score for each cue, from the definitions, in float64."""
    rows, states = patterns.double(), cues.double()[:, None]
    if similarity == "correlation":
        rows, states = rows - rows.mean(-1, keepdim=True), states - states.mean(-1, keepdim=True)
    scores = {
        "dot": (rows * states).sum(-1),
        "euclidean": -(rows - states).square().sum(-1),
        "manhattan": -(rows - states).abs().sum(-1),
    }.get(similarity, torch.cosine_similarity(rows, states, dim=-1))
    return scores.argmax(-1)


@pytest.mark.parametrize("beta", [1e30, INF])
@pytest.mark.parametrize("name", SEPARATIONS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_the_sharpest_memory_gives_the_nearest_pattern(similarity, name, beta):
    patterns, cues = normal(7, 4, seed=6), normal(9, 4, seed=7)
    memory = ModernHopfield(separation=SEPARATIONS[name](beta), similarity=similarity)
    memory.store(patterns)
    index = nearest(patterns, cues, similarity)
    assert index.unique().numel() > 2, "premise: different answers"
    torch.testing.assert_close(memory.update(cues), patterns[index])
    found = memory.retrieve(cues, steps=0)
    assert torch.equal(found.index, index)
    torch.testing.assert_close(found.weight, torch.ones(9))
    torch.testing.assert_close(found.entropy, torch.zeros(9))


@pytest.mark.parametrize("beta", [1.0, 1e30, INF])
@pytest.mark.parametrize(
    "name", ["softmax", "sparsemax", "entmax 1.5", "top of more than there are"]
)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_patterns_that_tie_share(similarity, name, beta):
    """Each of three copies has the same weight; the first of them is named."""
    row = torch.tensor([1.0, 2.0, -1.0])
    memory = ModernHopfield(separation=SEPARATIONS[name](beta), similarity=similarity)
    memory.store(torch.stack([row, row, row]))
    found = memory.retrieve(torch.tensor([0.5, 1.0, 0.0]), steps=0)
    torch.testing.assert_close(found.weight, torch.tensor(1 / 3))
    torch.testing.assert_close(found.entropy, torch.tensor(math.log(3)))
    assert int(found.index) == 0
    torch.testing.assert_close(memory.update(row), row)


@pytest.mark.parametrize("name", SEPARATIONS)
def test_energies_at_the_limits(name):
    """β = 0: E = ½‖x‖² − mean s + ½M²; β = ∞: the largest score instead of the mean."""
    patterns, cues = normal(5, 4, seed=8).double(), normal(3, 4, seed=9).double()
    scores, largest = cues @ patterns.T, patterns.square().sum(-1).max()
    rest = cues.square().sum(-1) / 2 + largest / 2
    for beta, potential in ((0.0, scores.mean(-1)), (INF, scores.max(-1).values)):
        if name == "top 2" and beta == 0:
            potential = scores.topk(2, dim=-1).values.mean(-1)
        memory = ModernHopfield(separation=SEPARATIONS[name](beta))
        memory.store(patterns)
        torch.testing.assert_close(memory.energy(cues), rest - potential)


@every_memory
def test_a_single_pattern(make):
    memory = make()
    memory.store(signs(1, 6, seed=1), torch.tensor([7]))
    cues = torch.stack([signs(6, seed=1), -signs(6, seed=1), signs(6, seed=2)])
    assert_all_finite(memory, cues, torch.arange(6) < 3)
    assert bool((memory.retrieve(cues).value == 7).all())


@every_memory
def test_one_entry(make):
    memory = make()
    memory.store(torch.tensor([[1.0], [-1.0], [1.0]]))
    for cue in (torch.tensor([[1.0], [-1.0]]), torch.tensor([-1.0])):
        assert_all_finite(memory, cue, torch.tensor([True]), torch.tensor([False]))
    assert_all_finite(memory, torch.zeros(2, 1), torch.tensor([False]))


@every_memory
def test_duplicates(make):
    memory = make()
    memory.store(signs(2, 8, seed=3).repeat(3, 1))
    assert_all_finite(memory, signs(4, 8, seed=4), torch.arange(8) < 4)


@every_memory
def test_nothing_known(make):
    """A cue without any known entry gets an answer that depends on no entry of it."""
    patterns = signs(4, 8, seed=5)
    memory, nothing = make(), torch.zeros(8, dtype=torch.bool)
    memory.store(patterns)
    found = memory.retrieve(Cue(torch.full((3, 8), torch.nan), nothing), steps=20)
    assert_finite(found)
    other = memory.retrieve(signs(3, 8, seed=6), nothing, steps=20)
    assert torch.equal(found.state, other.state), "what is not known must not count"
    if isinstance(memory, ModernHopfield):
        one = ModernHopfield(separation=Softmax(1.0), similarity=memory.similarity)
        one.store(patterns)
        if isinstance(memory.separation, Softmax):
            torch.testing.assert_close(one.retrieve(found.state, nothing).state, found.state)


@every_memory
def test_everything_known(make):
    memory, cues = make(), signs(3, 8, seed=7)
    memory.store(signs(4, 8, seed=5))
    found = memory.retrieve(cues, torch.ones(8, dtype=torch.bool))
    assert_finite(found)
    assert torch.equal(found.state, cues), "known entries are held"
    thermal = isinstance(memory, ClassicalHopfield) and memory.temperature > 0
    assert bool(found.converged.all()) != thermal


@every_memory
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_no_cues(make, shape):
    memory = make()
    memory.store(signs(4, 8, seed=5), torch.ones(4, 2))
    cues = torch.zeros(*shape, 8)
    for known in (None, torch.arange(8) < 4, torch.zeros(*shape, 8, dtype=torch.bool)):
        found = memory.retrieve(cues, known, trace=True)
        assert found.state.shape == cues.shape and found.value.shape == (*shape, 2)
        assert found.energy.shape == found.steps.shape == found.weight.shape == shape
        assert "0 queries" in repr(found)
    assert memory.energy(cues).shape == shape and memory.update(cues).shape == cues.shape


@every_memory
def test_no_steps(make):
    """steps=0 describes the cue and moves nothing."""
    memory, cues = make(), torch.cat([signs(3, 8, seed=8), signs(1, 8, seed=5)])
    memory.store(signs(4, 8, seed=5))
    found = memory.retrieve(cues, steps=0, tol=0, trace=True)
    assert torch.equal(found.state, cues) and int(found.steps.sum()) == 0
    torch.testing.assert_close(found.energy, memory.energy(cues))
    assert found.trace.shape == (1, 4) and torch.equal(found.trace[0], found.energy)


@pytest.mark.parametrize("name", MODERN)
def test_no_tolerance(name):
    memory = MODERN[name]()
    memory.store(normal(4, 8, seed=9))
    found = memory.retrieve(normal(3, 8, seed=10), tol=0, steps=300)
    assert_finite(found)
    largest = float(memory.patterns.norm(dim=-1).max())
    # One read of a whole batch differs from that of some of it by rounding (architecture.md).
    slack = 16 * torch.finfo(torch.float32).eps * (1 + largest**2) * largest
    moved = (memory.update(found.state) - found.state).abs().amax(-1)
    assert bool((moved[found.converged] <= slack).all())


def test_half_precision_at_its_end():
    """Scores of entries near 65504 are no float16; they are computed in float32."""
    patterns = (signs(5, 16, seed=11) * 6e4).half()
    for similarity in SIMILARITIES:
        memory = ModernHopfield(similarity=similarity)
        memory.store(patterns, patterns)
        assert_all_finite(memory, patterns, torch.arange(16) < 8)
        assert torch.equal(memory.retrieve(patterns, steps=0).index, torch.arange(5))
    read = attention(patterns, patterns, 1.0)
    assert torch.equal(read, patterns) and read.dtype == torch.float16


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e-10, 1e10, 1e17])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_huge_and_tiny_patterns(similarity, scale):
    patterns, cues = normal(6, 5, seed=12) * scale, normal(4, 5, seed=13) * scale
    for beta in (0.0, 1.0, INF):
        memory = ModernHopfield(beta, similarity=similarity)
        memory.store(patterns)
        assert_all_finite(memory, cues, torch.arange(5) < 3)


@pytest.mark.parametrize("scale", [1e-150, 1e-15, 1e-9, 1e9, 1e17, 1e150])
@pytest.mark.parametrize("similarity", ["cosine", "correlation"])
def test_angles_do_not_depend_on_size(similarity, scale):
    dtype = torch.float32 if 1e-16 < scale < 1e18 else torch.float64
    patterns, cues = normal(6, 1000, seed=14).to(dtype) + 1, normal(4, 1000, seed=15).to(dtype)
    one, other = ModernHopfield(similarity=similarity), ModernHopfield(similarity=similarity)
    one.store(patterns)
    other.store(patterns * scale)
    torch.testing.assert_close(other.energy(cues * scale), one.energy(cues))


def test_sizes_at_the_limit_are_finite_or_refused():
    """Just below the largest norm all is finite; just above, the memory says so."""
    row = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    for dtype in (torch.float32, torch.float64):
        edge = math.sqrt(torch.finfo(dtype).max) / 2
        for similarity in SIMILARITIES:
            for beta in (0.0, 1.0, INF):
                memory = ModernHopfield(beta, similarity=similarity)
                memory.store(row.to(dtype) * (edge * 0.999))
                cue = torch.tensor([-1.0, 0.0], dtype=dtype) * (edge * 0.999)
                assert_all_finite(memory, cue, torch.tensor([True, False]))
                with pytest.raises(DomainError, match="Scale"):
                    memory.store(row.to(dtype) * (edge * 1.001))
