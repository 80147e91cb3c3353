"""The example of hierarchical memory: energies fall on any hypergraph; known networks rebuilt."""

import importlib.util
import random

import pytest
import torch

from cases import seeded
from hopfield import ModernHopfield, Polynomial, RectifiedPolynomial, Softmax
from hopfield.nn import EnergyTransformerBlock
from source_tree import ROOT


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("hierarchical", ROOT / "examples/hierarchical.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def random_hypergraph(example, seed):
    """Up to five layers of any Lagrangian, and edges between one to four of them."""
    choose = random.Random(seed)
    sizes = {f"layer {i}": choose.randint(2, 6) for i in range(choose.randint(1, 5))}
    kinds = [example.linear, example.rectified, example.sigmoidal, example.softmax(2.0)]
    layers = {name: choose.choice(kinds) for name in sizes}
    first = next(iter(sizes))
    layers[first] = example.layer_norm(torch.tensor(1.5), normal(sizes[first], seed=seed))
    synapses = []
    for edge in range(choose.randint(1, 6)):
        names = choose.sample(sorted(sizes), choose.randint(1, min(4, len(sizes))))
        weights = {name: 0.5 * normal(3, sizes[name], seed=10 * edge + seed) for name in names}
        separation = choose.choice([Softmax(2.0), RectifiedPolynomial(2), Polynomial(1)])
        synapses.append(example.memory(separation, **weights))
    states = {name: normal(4, size, seed=seed + 1) for name, size in sizes.items()}
    return example.HierarchicalMemory(layers, synapses), states


@pytest.mark.parametrize("seed", range(20))
def test_energy_falls_on_random_hypergraphs(seed, example):
    network, states = random_hypergraph(example, seed)
    before = start = network.energy(states)
    for _ in range(30):
        states = network.step(states, rate=1e-3)
        after = network.energy(states)
        assert (after <= before + 1e-12 * (1 + before.abs())).all()
        before = after
    assert (after < start).all(), "premise: it moves"


@pytest.mark.parametrize("seed", range(5))
def test_the_fall_is_the_hessian_form_of_the_velocity(seed, example):
    """dE/dt = −Σ (dx/dt)ᵀ H (dx/dt), with H of the Lagrangians by automatic differentiation."""
    network, states = random_hypergraph(example, seed)
    moved = network.step(states, rate=1.0)
    velocity = {name: moved[name] - x for name, x in states.items()}
    slopes = torch.func.grad(lambda x: network.energy(x).sum())(states)
    fall = sum((slopes[name] * velocity[name]).sum(-1) for name in states)
    expected = torch.zeros(4, dtype=torch.float64)
    for name, x in states.items():
        of_one = torch.func.jacrev(torch.func.jacrev(network.layers[name]))
        hessians = torch.stack([of_one(row) for row in x])
        expected -= torch.einsum("bi,bij,bj->b", velocity[name], hessians, velocity[name])
    torch.testing.assert_close(fall, expected, rtol=1e-9, atol=1e-9)
    assert (fall < 0).all()


def test_a_held_layer_keeps_its_state_and_energy_still_falls(example):
    network, states = random_hypergraph(example, 3)
    first = next(iter(states))
    moved = network.step(states, rate=1e-3, held=[first])
    assert torch.equal(moved[first], states[first])
    assert (network.energy(moved) < network.energy(states)).all()


def test_a_layer_of_memories_makes_the_modern_network(example):
    """With memory neurons at Ξx, a step of rate 1 is Ξᵀ softmax(βΞx), and E is the same energy."""
    rows, x = normal(7, 5, seed=0), normal(4, 5, seed=1)
    modern = ModernHopfield(3.0)
    modern.store(rows)
    network = example.HierarchicalMemory(
        {"visible": example.linear, "memories": example.softmax(3.0)},
        [example.memory(Polynomial(1), visible=rows, memories=torch.eye(7).double())],
    )
    states = {"visible": x, "memories": x @ rows.T}
    torch.testing.assert_close(network.step(states, 1.0)["visible"], modern.update(x))
    constant = modern.energy(x) - network.energy(states)
    torch.testing.assert_close(constant, constant[:1].expand(4))


@pytest.mark.parametrize("heads", [1, 4])
def test_the_energy_transformer_is_rebuilt(heads, example):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block = EnergyTransformerBlock(16, heads, memories=12, steps=3, rate=0.05).double()
    with torch.no_grad():
        block.log_gamma.fill_(0.3)
        block.delta.copy_(normal(16, seed=2))
    network, tokens = example.energy_transformer(block), normal(3, 6, 16, seed=3)
    states = {"tokens": tokens}
    torch.testing.assert_close(network.energy(states), block.energy(tokens))
    for _ in range(3):
        states = network.step(states, block.rate)
    torch.testing.assert_close(states["tokens"], block(tokens))
