"""Gradients through `energy`, `update` and `attention`; `retrieve` gives none."""

import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

import draws
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

SEPARATIONS = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax 1.5": lambda beta: Entmax(1.5, beta),
    "entmax 3": lambda beta: Entmax(3.0, beta),
    "top 3": lambda beta: TopK(3, beta),
}
normal = partial(draws.normal, dtype=torch.float64)
signs = partial(draws.signs, dtype=torch.float64)
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def memory_of(separation, similarity="dot", n=5, dim=4):
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(normal(n, dim, seed=1))
    return memory


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_derivatives_by_the_state(name, similarity):
    memory = memory_of(SEPARATIONS[name](0.7), similarity)
    states = normal(2, 4, seed=2).requires_grad_()
    assert gradcheck(memory.update, states)
    assert gradcheck(memory.energy, states)


@pytest.mark.parametrize("name", SEPARATIONS)
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_the_update_is_the_gradient_of_the_energy(similarity, name):
    """∇E = x − x' for the similarities that promise descent, at every sharpness."""
    for beta in (0.0, 1e-30, 0.3, 5.0, 1e30, math.inf):
        memory = memory_of(SEPARATIONS[name](beta), similarity)
        states = normal(3, 4, seed=3).requires_grad_()
        (slope,) = torch.autograd.grad(memory.energy(states).sum(), states)
        with torch.no_grad():
            torch.testing.assert_close(slope, states - memory.update(states), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "start"),
    [
        (Softmax, [0.7]),
        (Sparsemax, [0.7]),
        (lambda beta: TopK(3, beta), [0.7]),
        (Entmax, [1.4, 0.7]),
        (Entmax, [2.5, 0.7]),
    ],
    ids=["softmax", "sparsemax", "top 3", "entmax 1.4", "entmax 2.5"],
)
def test_derivatives_by_the_parameters(make, start):
    """β and α are learnable: they may be tensors that require grad."""
    states = normal(3, 4, seed=4)

    def update(*parameters):
        return memory_of(make(*parameters)).update(states)

    def energy(*parameters):
        return memory_of(make(*parameters)).energy(states)

    parameters = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start]
    assert gradcheck(update, parameters)
    assert gradcheck(energy, parameters)


@pytest.mark.parametrize("beta", [0.0, 1e-30, 1e30, math.inf])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", SEPARATIONS)
def test_slopes_are_finite_at_the_limits(name, similarity, beta):
    memory = memory_of(SEPARATIONS[name](beta), similarity)
    memory.store(torch.zeros(1, 4, dtype=torch.float64))
    states = normal(3, 4, seed=5)
    states[0] = memory.patterns[1]  # at a pattern, where distances are no smooth function
    states = states.requires_grad_()
    for found in (memory.energy(states).sum(), memory.update(states).sum()):
        (slope,) = torch.autograd.grad(found, states)
        assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize("similarity", ["cosine", "correlation"])
def test_slopes_are_finite_at_the_zero_vector(similarity):
    memory = memory_of(Softmax(1.0), similarity)
    states = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    for found in (memory.energy(states).sum(), memory.update(states).sum()):
        (slope,) = torch.autograd.grad(found, states)
        assert bool(torch.isfinite(slope).all())


def test_attention_by_all_its_tensors():
    inputs = [normal(3, 4, seed=6), normal(5, 4, seed=7), normal(5, 2, seed=8)]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def read(state, patterns, values, beta):
        return attention(state, patterns, beta, values)

    assert gradcheck(read, [*inputs, beta])
    assert gradcheck(lambda state, patterns: attention(state, patterns, 0.7), inputs[:2])


def test_the_classical_energy():
    memory = ClassicalHopfield(thresholds=normal(6, seed=9))
    memory.store(signs(3, 6, seed=10))
    states = signs(4, 6, seed=11).requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(states).sum(), states)
    with torch.no_grad():
        wanted = memory.thresholds - states @ memory.coupling
    torch.testing.assert_close(slope, wanted)


@pytest.mark.parametrize(
    "separation", [Softmax(0.3), Polynomial(3), RectifiedPolynomial(4)], ids=str
)
def test_the_dense_energy(separation):
    memory = DenseHopfield(separation=separation)
    memory.store(signs(5, 6, seed=10))
    states = signs(4, 6, seed=11).requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(states).sum(), states)
    with torch.no_grad():
        wanted = -separation(states @ memory.patterns.T) @ memory.patterns
    torch.testing.assert_close(slope, wanted)


MEMORIES = {
    "classical": ClassicalHopfield,
    "pseudo-inverse": lambda: ClassicalHopfield("pseudo_inverse"),
    "dense": DenseHopfield,
    "modern": lambda: ModernHopfield(torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))),
    "sparse": lambda: ModernHopfield(separation=Entmax(torch.nn.Parameter(torch.tensor(1.5)))),
    "certified": lambda: ModernHopfield(precision="certified"),
}


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
def test_retrieval_is_detached(make):
    """Tensors that require grad are stored and retrieved from, and stay what they are."""
    memory = make()
    patterns = torch.nn.Parameter(signs(3, 8, seed=12))
    values = torch.nn.Parameter(normal(3, 2, seed=13))
    memory.store(patterns, values)
    cues = signs(4, 8, seed=14).requires_grad_()
    found = memory.retrieve(cues, torch.arange(8) < 5, trace=True)
    for name in ("state", "energy", "weight", "entropy", "value", "trace"):
        tensor = getattr(found, name)
        assert tensor is None or not tensor.requires_grad, name
    assert not memory.patterns.requires_grad and not memory.values.requires_grad
    assert type(found.state) is torch.Tensor
    assert patterns.grad is None and cues.grad is None and cues.requires_grad


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
def test_what_inference_mode_touched_can_be_used_outside(make):
    """Caches and stored rows made inside are ordinary tensors: they take part in gradients."""
    memory, cues = make(), signs(4, 8, seed=15)
    with torch.inference_mode():
        memory.store(signs(2, 8, seed=16))
        memory.store(signs(1, 8, seed=17))  # room is left: the next rows are written into it
        memory.retrieve(cues)
        memory.energy(cues)
    memory.store(signs(1, 8, seed=18))
    memory.retrieve(cues)
    states = cues.clone().requires_grad_()
    if not isinstance(memory, ModernHopfield) or memory.precision == "full":
        memory.energy(states).sum().backward()
        assert bool(torch.isfinite(states.grad).all())


def test_thresholds_made_in_inference_mode_take_part_in_gradients():
    with torch.inference_mode():
        memory = ClassicalHopfield(thresholds=torch.linspace(-1, 1, 8))
        memory.store(signs(1, 8, seed=16))
    state = signs(8, seed=15).requires_grad_()
    memory.energy(state).backward()
    expected = memory.thresholds - memory.coupling @ state.detach()
    torch.testing.assert_close(state.grad, expected)


def test_an_energy_that_rounds_to_zero_still_has_its_slope():
    """½‖x − x₁‖² near one pattern far from 0: rounding can make it negative, which is cut."""
    rows = torch.randn(400, 16, generator=torch.Generator().manual_seed(3)) + 10
    for row in rows[:40]:
        memory = ModernHopfield(similarity="euclidean")
        memory.store(row[None])
        state = (row + 1e-4).requires_grad_()
        value = memory.energy(state)
        (slope,) = torch.autograd.grad(value, state)
        assert value >= 0
        torch.testing.assert_close(slope, (state - row).detach(), rtol=0, atol=1e-5)
