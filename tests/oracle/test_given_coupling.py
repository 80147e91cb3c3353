"""Networks of a given coupling: truth by brute force over all 2^N states, in float64 NumPy."""

import numpy
import pytest
import torch

import hopfield
from draws import generator, signs
from given_couplings import SIZES, all_states, fields, following, given, next_states, periods
from hopfield import ClassicalHopfield, units
from hopfield.errors import DomainError, OptionError


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_energies_fields_and_synchronous_steps_of_all_states(n, dtype):
    weights, bias = given(n, 0)
    states = all_states(n)
    memory = ClassicalHopfield.from_coupling(
        weights.astype(dtype), bias.astype(dtype), schedule="synchronous"
    )
    energy = -0.5 * numpy.einsum("si,ij,sj->s", states, weights, states) + states @ bias
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype is numpy.float32 else {"atol": 1e-12}
    assert numpy.allclose(memory.energy(states.astype(dtype)).numpy(), energy, **close)
    assert numpy.allclose(memory.field(states).numpy(), fields(weights, bias, states), **close)
    assert (memory.update(states).numpy() == next_states(weights, bias, states)).all()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("backend", ["torch", "fused"])
def test_retrieval_ends_in_the_stable_states_and_the_energy_never_rises(n, backend):
    weights, bias = given(n, 1)
    states = all_states(n)
    stable = states[(next_states(weights, bias, states) == states).all(1)]
    memory = ClassicalHopfield.from_coupling(weights, bias)
    with hopfield.backend(backend):
        result = memory.retrieve(states, trace=True)
        assert result.converged.all() and memory.retrieve(stable).steps.eq(0).all()
    assert numpy.unique(result.state.numpy(), axis=0).tolist() == stable.tolist()
    assert (result.trace.diff(dim=0) <= 1e-12).all()
    assert result.index is None and result.weight is None and result.value is None


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("backend", ["torch", "fused"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_one_sweep_of_an_asynchronous_network_is_the_loop(n, backend, symmetric):
    weights, bias = given(n, 2, symmetric)
    weights += numpy.diag(numpy.arange(n) - 2)
    states = all_states(n)
    memory = ClassicalHopfield.from_coupling(weights, bias, symmetric=symmetric, diagonal=True)
    acting = weights - numpy.diag(weights.diagonal()) if symmetric else weights
    with hopfield.backend(backend):
        swept = memory.update(states, generator=generator(n))
    for i in torch.randperm(n, generator=generator(n)).tolist():
        states[:, i] = next_states(acting, bias, states)[:, i]
    assert (swept.numpy() == states).all()


def test_known_units_are_held():
    weights, bias = given(8, 3)
    states = signs(20, 8, seed=1).double()
    known = torch.arange(8) < 4
    result = ClassicalHopfield.from_coupling(weights, bias).retrieve(states, known=known)
    assert torch.equal(result.state[:, :4], states[:, :4]) and result.converged.all()
    field = torch.from_numpy(fields(weights, bias, result.state.numpy()))
    assert (field * result.state >= 0)[:, 4:].all(), "the free units agree with their fields"


@pytest.mark.parametrize("n", [2, 4])
def test_thermal_states_have_the_distribution_of_boltzmann(n):
    weights, bias = given(n, 4)
    states, temperature, chains = all_states(n), 2.5, 40_000
    energy = -0.5 * numpy.einsum("si,ij,sj->s", states, weights, states) + states @ bias
    boltzmann = numpy.exp(-energy / temperature)
    boltzmann /= boltzmann.sum()
    assert boltzmann.max() > 5 * boltzmann.min(), "premise: far from uniform"
    memory = ClassicalHopfield.from_coupling(weights, bias, temperature=temperature)
    result = memory.retrieve(torch.ones(chains, n), steps=40, generator=generator(1))
    assert not result.converged.any() and result.steps.eq(40).all()
    place = ((result.state.numpy() + 1) / 2) @ 2 ** numpy.arange(n)[::-1]
    share = numpy.bincount(place.astype(int), minlength=2**n) / chains
    error = (boltzmann * (1 - boltzmann) / chains) ** 0.5
    assert (abs(share - boltzmann) < 4.5 * error).all()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("diagonal", [True, False])
def test_a_file_brings_the_network_back(tmp_path, symmetric, diagonal):
    weights, bias = given(5, 5, symmetric)
    weights += numpy.eye(5)
    memory = ClassicalHopfield.from_coupling(
        weights, bias, symmetric=symmetric, diagonal=diagonal, schedule="synchronous"
    )
    memory.metadata["source"] = "an exercise"
    memory.save(tmp_path / "network")
    loaded = hopfield.load(tmp_path / "network")
    assert repr(loaded) == repr(memory) and loaded.metadata == memory.metadata
    assert torch.equal(loaded.coupling, memory.coupling) and loaded.coupling.dtype == torch.float64
    assert bool(memory.coupling.diagonal().any()) == diagonal
    states = all_states(5)
    assert torch.equal(loaded.update(states), memory.update(states))
    if symmetric:
        assert torch.equal(loaded.energy(states), memory.energy(states))


def test_a_network_moves_to_another_dtype():
    memory = ClassicalHopfield.from_coupling([[0, 0.1], [0.1, 0]], [0.1, -0.1])
    assert memory.coupling.dtype == torch.float32
    assert memory.to(dtype=torch.float64) is memory and memory.coupling.dtype == torch.float64
    with pytest.raises(DomainError, match="coupling must fit into float16"):
        ClassicalHopfield.from_coupling([[0, 1e6], [1e6, 0]]).to(dtype=torch.float16)


def test_rounding_decides_no_tie():
    """The fields .1 + .2 − .3 and −.1 − .2 + .3 are 0, though not in floating point."""
    weights = [[0, 0.1, 0.2], [0.1, 0, 0], [0.2, 0, 0]]
    for dtype in (numpy.float32, numpy.float64):
        for state in ([1, 1, 1], [-1, 1, 1]):
            memory = ClassicalHopfield.from_coupling(numpy.array(weights, dtype), [0.3, -1, -1])
            assert memory.retrieve(state).state.tolist() == state


def test_a_network_without_symmetry_has_no_energy():
    weights, _ = given(6, 6, symmetric=False)
    memory = ClassicalHopfield.from_coupling(weights, symmetric=False)
    with pytest.raises(OptionError, match="has no energy: its coupling was declared not symmetric"):
        memory.energy(numpy.ones(6))
    result = memory.retrieve(numpy.ones(6), trace=True)
    assert result.energy is None and result.trace is None


def test_differences_up_to_rounding_are_symmetric():
    weights, _ = given(6, 7, decimals=3)
    noisy = weights * (1 + 1e-7 * numpy.random.default_rng(0).normal(size=(6, 6)))
    assert (noisy != noisy.T).any(), "premise"
    coupling = ClassicalHopfield.from_coupling(noisy).coupling
    assert torch.equal(coupling, coupling.T)
    for scale in (1e-12, 1e12):
        ClassicalHopfield.from_coupling(scale * noisy)
        with pytest.raises(DomainError, match="symmetric=False"):
            ClassicalHopfield.from_coupling(scale * (weights + 1e-3 * numpy.eye(6, k=1)))


def test_whole_numbers_are_not_scaled_as_pixels_are():
    weights = numpy.array([[0, 200], [200, 0]], numpy.uint8)
    assert ClassicalHopfield.from_coupling(weights).coupling.tolist() == weights.tolist()
    large = [[0, 2**24 + 1], [2**24 + 1, 0]]
    assert ClassicalHopfield.from_coupling(large).coupling.tolist() == large


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_cycles_of_any_length_are_found_with_their_period(n, symmetric):
    weights, bias = given(n, 8, symmetric)
    states = all_states(n)
    successor = following(weights, bias, states)
    expected = periods(successor)
    memory = ClassicalHopfield.from_coupling(
        weights, bias, symmetric=symmetric, schedule="synchronous"
    )
    result = memory.retrieve(states, steps=1000)
    assert result.period.tolist() == expected.tolist()
    assert result.converged.tolist() == (expected == 1).tolist()
    one_by_one = [memory.retrieve(state, steps=1000) for state in states[:32]]
    assert [int(each.period) for each in one_by_one] == expected[:32].tolist()
    assert [each.state.tolist() for each in one_by_one] == result.state[:32].tolist()
    if n == 12:
        assert symmetric or max(expected) > 2, "premise: longer cycles"
        assert not symmetric or max(expected) <= 2


@pytest.mark.parametrize("n", [3, 7, 16, 33])
def test_a_ring_of_units_passes_one_pulse_around(n):
    """W_{i+1,i} = 1 moves every unit's value to the next: a state of n units has period n."""
    ring = numpy.roll(numpy.eye(n), 1, axis=0)
    memory = ClassicalHopfield.from_coupling(ring, symmetric=False, schedule="synchronous")
    pulse = 2 * numpy.eye(n)[0] - 1
    result = memory.retrieve(pulse, steps=5 * n)
    assert result.period == n and not result.converged and "in cycles of" in repr(result)
    assert memory.update(pulse).tolist() == (2 * numpy.eye(n)[1] - 1).tolist()
    assert memory.retrieve(pulse, steps=n - 2).period == 0, "the limit of steps came first"
    assert memory.retrieve(numpy.ones(n)).period == 1
    asynchronous = ClassicalHopfield.from_coupling(ring, symmetric=False)
    assert asynchronous.retrieve(pulse).period is None


def test_a_unit_that_nothing_decides_is_in_no_cycle():
    memory = ClassicalHopfield.from_coupling([[0, 0], [0, 0]], schedule="synchronous")
    result = memory.retrieve([1, 0], known=[True, False])
    assert result.state.tolist() == [1, 1] and not result.converged and result.period == 0


@pytest.mark.parametrize("backend", ["torch", "fused"])
def test_a_sweep_of_any_matrix_is_the_loop_with_its_diagonal(backend):
    weights, bias = given(7, 9, symmetric=False)
    weights += numpy.diag(numpy.arange(7) - 3)
    states = all_states(7)
    expected = next_states(weights, bias, states)
    options = {"thresholds": torch.from_numpy(bias), "symmetric": False}
    start, order = torch.from_numpy(states), torch.tensor([3, 1, 6, 1, 0])
    with hopfield.backend(backend):
        all_at_once = units.classical_sweep(torch.from_numpy(weights), start, **options)
        swept = units.classical_sweep(torch.from_numpy(weights), start, order, **options)
    assert (all_at_once.numpy() == expected).all()
    for i in order.tolist():
        states[:, i] = next_states(weights, bias, states)[:, i]
    assert (swept.numpy() == states).all()


@pytest.mark.parametrize("rule", ["hebbian", "pseudo_inverse", "storkey"])
@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("diagonal", [True, False])
def test_a_learned_coupling_that_is_given_makes_the_same_network(rule, schedule, diagonal):
    patterns = signs(4, 24, seed=2).double()
    learned = ClassicalHopfield(rule, schedule=schedule, diagonal=diagonal)
    learned.store(patterns)
    given_again = ClassicalHopfield.from_coupling(
        learned.coupling, schedule=schedule, diagonal=diagonal
    )
    cues = signs(50, 24, seed=3).double()
    known = torch.rand(50, 24, generator=generator(4)) < 0.7
    for options in ({}, {"known": known}, {"known": known, "clamp": False}):
        one, two = (m.retrieve(cues, trace=True, **options) for m in (learned, given_again))
        assert torch.equal(one.state, two.state) and torch.equal(one.steps, two.steps)
        assert torch.equal(one.converged, two.converged)
        assert torch.allclose(one.trace, two.trace, atol=1e-12)
        assert schedule == "asynchronous" or torch.equal(one.period, two.period)


def test_a_retrieval_is_explained_without_patterns():
    triangle = ClassicalHopfield.from_coupling(numpy.eye(3) - 1)
    told = hopfield.explain(triangle, torch.ones(3))
    assert told.kind == "fixed point" and "The energy went from 3 to -1." in repr(told)
    assert "It settled after 1 step." in repr(told) and "its way" in repr(told)
    record = told.to_records()[0]
    assert record["pattern"] is None and record["weight"] is None and record["energy"] == -1
    ring = ClassicalHopfield.from_coupling(
        numpy.roll(numpy.eye(3), 1, axis=0), symmetric=False, schedule="synchronous"
    )
    told = hopfield.explain(ring, torch.tensor([1.0, -1, -1]))
    assert told.kind == "cycle" and "cycle of 3 states" in repr(told)
    assert "2 of 3 units are against their fields" in repr(told) and len(told.to_records()) == 1
    warm = ClassicalHopfield.from_coupling(numpy.eye(3) - 1, temperature=1.0)
    told = hopfield.explain(warm, torch.ones(3))
    assert told.kind == "unsettled" and "at temperature 1 units flip" in repr(told)
    uncoupled = ClassicalHopfield.from_coupling(numpy.zeros((3, 3)))
    told = hopfield.explain(uncoupled, torch.tensor([1.0, 0, -1]))
    assert told.kind == "unsettled" and "Make more entries known" in repr(told)
    with pytest.raises(OptionError, match=r"coupling was given.*attractors"):
        hopfield.diagnose(triangle)
