"""Graded units: Euler's step and the energy by their formulas, all states of small networks."""

import math
from itertools import product
from pathlib import Path

import pytest
import torch

import hopfield
from draws import signs
from hopfield import ClassicalHopfield, Cue, GradedHopfield, energy, theory
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError

N = 8
CORNERS = torch.tensor(list(product([1.0, -1.0], repeat=N)), dtype=torch.float64)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(seed=0):
    weights = random(N, N, seed=seed)
    return (weights + weights.T).fill_diagonal_(0)


def inside(count, seed=0, dim=N):
    uniform = torch.rand(count, dim, generator=torch.Generator().manual_seed(seed))
    return 2 * uniform.double() - 1


def test_a_step_is_eulers_and_the_energy_is_hopfields():
    weights, bias, v = symmetric(), random(N, seed=1), 0.9 * inside(20)
    gain, leak, dt = 3.0, 0.5, 0.01
    memory = GradedHopfield.from_coupling(weights, bias, gain=gain, leak=leak, dt=dt)
    u = torch.atanh(v) / gain
    after = u + dt * (v @ weights - bias - leak * u)
    torch.testing.assert_close(memory.update(v), torch.tanh(gain * after))
    grid = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:, None]
    for state, value in zip(v[:3], memory.energy(v[:3]), strict=True):
        points = grid * state
        integral = torch.trapezoid(torch.atanh(points) / gain, points, dim=0).sum()
        expected = -state @ weights @ state / 2 + bias @ state + leak * integral
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)


def test_the_gradient_of_the_energy_is_minus_the_velocity_and_0_at_fixed_points():
    weights, bias = symmetric(2), random(N, seed=3) / 2
    memory = GradedHopfield.from_coupling(weights, bias, gain=0.8, leak=2.0)
    v = (0.9 * inside(10)).requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(v).sum(), v)
    velocity = v @ weights - bias - 2.0 * torch.atanh(v) / 0.8
    torch.testing.assert_close(slope, -velocity.detach())
    settled = memory.retrieve(v.detach(), steps=5000, tol=1e-10)
    assert settled.converged.all()
    state = settled.state.clone().requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(state).sum(), state)
    assert state.abs().max() < 0.999, "premise: inside the cube"
    assert slope.abs().max() < 1e-6
    h = memory.field(settled.state)
    torch.testing.assert_close(settled.state, torch.tanh(0.8 * h / 2), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("gain", [0.3, 2.0, 50.0, 1e4])
@pytest.mark.parametrize("rule", ["hebbian", "pseudo_inverse", "storkey", None])
def test_the_energy_never_rises(rule, gain):
    if rule is None:
        memory, dim = GradedHopfield.from_coupling(symmetric(4), gain=gain), N
    else:
        memory, dim = GradedHopfield(rule, gain=gain), 30
        memory.store(signs(6, dim, seed=5).double())
    starts = torch.cat([inside(40, dim=dim), signs(5, dim, seed=6).double()])
    trace = memory.retrieve(starts, steps=300, tol=0.0, trace=True).trace
    rounding = 1e-13 * trace.abs().max() + 1e-12
    assert (trace.diff(dim=0) <= rounding).all() and (trace[-1] < trace[0] - 1e-3).any()


def test_the_bound_of_the_step_is_that_of_the_spectrum_and_larger_steps_are_refused():
    weights = symmetric(7)
    least = torch.linalg.eigvalsh(weights)[0].item()
    memory = GradedHopfield.from_coupling(weights, gain=3.0, leak=0.5)
    assert math.isclose(memory.integration_step, 1 / (0.5 - 3.0 * least), rel_tol=1e-6)
    large = GradedHopfield.from_coupling(weights, gain=3.0, leak=0.5, dt=1.0)
    with pytest.raises(OptionError, match=r"dt must be at most 0\.\d+ .*raise the energy.* is 1"):
        large.retrieve(inside(2))
    stored = GradedHopfield(gain=3.0)
    stored.store(signs(5, 40, seed=0).double())
    least = torch.linalg.eigvalsh(stored.coupling)[0].item()
    assert 1 / stored.integration_step >= 1 - 3.0 * least - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_at_high_gain_the_fixed_points_are_those_of_signs(seed):
    """From all 2^N corners: exactly the stable states of the ±1 network."""
    weights, bias = symmetric(seed), random(N, seed=seed + 10) / 4
    graded = GradedHopfield.from_coupling(weights, bias, gain=100.0)
    result = graded.retrieve(0.9 * CORNERS, steps=20_000)
    assert result.converged.all()
    binary = ClassicalHopfield.from_coupling(weights, bias)
    fixed = CORNERS[(binary.update(CORNERS) == CORNERS).all(1)]
    found = {tuple(state) for state in result.state.sign().tolist()}
    assert found == {tuple(state) for state in fixed.tolist()} and len(fixed) > 1


def test_patterns_are_recalled_from_starts_between_minus_1_and_1():
    patterns = signs(4, 100, seed=1)
    memory = GradedHopfield()
    memory.store(patterns, values=torch.arange(4), names=list("abcd"))
    result = memory.retrieve(0.3 * patterns + 0.2 * inside(4, dim=100).float())
    assert result.converged.all() and torch.equal(result.state.sign(), patterns)
    assert list(result.name) == list("abcd") and result.value.tolist() == [0, 1, 2, 3]
    assert (result.weight > 0.99).all() and (result.state.abs() < 1).all()
    known = torch.arange(100) < 40
    result = memory.retrieve(Cue(patterns, known))
    assert torch.equal(result.state.sign(), patterns) and result.objective == "full"
    assert torch.equal(result.state[:, :40], patterns[:, :40]), "known units are held"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_queries_stand_alone_in_every_dtype(dtype):
    memory = GradedHopfield(gain=2.0)
    memory.store(signs(3, 30, seed=2).to(dtype))
    cues = inside(6, dim=30).to(dtype).view(2, 3, 30)
    before = cues.clone()
    together = memory.retrieve(cues)
    assert together.state.dtype == dtype and together.state.shape == cues.shape
    assert together.energy.shape == (2, 3) and torch.equal(cues, before)
    slack = 64 * torch.finfo(dtype).eps ** (0.5 if dtype.itemsize < 4 else 1.0)
    for at in product(range(2), range(3)):
        alone = memory.retrieve(cues[at])
        assert (alone.state - together.state[at]).abs().max() <= max(slack, 1e-4)
        assert alone.index == together.index[at]


@pytest.mark.parametrize("units", [2, 3, 50])
@pytest.mark.parametrize("gain", [0.5, 1.2, 1.7, 4.0])
def test_the_overlap_of_one_pattern_is_that_of_the_mean_field(units, gain):
    pattern = signs(1, units, seed=units).double()
    memory = GradedHopfield(gain=gain)
    memory.store(pattern)
    result = memory.retrieve(0.9 * pattern, steps=20_000, tol=1e-12)
    overlap = (result.state @ pattern[0]).item() / units
    assert math.isclose(overlap, theory.graded_overlap(gain, units), abs_tol=1e-8)
    largest = torch.linalg.eigvalsh(memory.coupling)[-1].item()
    assert math.isclose(theory.critical_gain(units), 1 / largest, rel_tol=1e-9)
    assert (overlap > 1e-6) == (gain > theory.critical_gain(units))


def test_files_hold_the_network(tmp_path: Path):
    stored = GradedHopfield("pseudo_inverse", gain=4.0, leak=0.5)
    stored.store(signs(3, N, seed=3).double())
    given = GradedHopfield.from_coupling(symmetric(), random(N), gain=4.0, dt=1e-3)
    for memory in (stored, given):
        memory.save(tmp_path / "graded.hop")
        again = hopfield.load(tmp_path / "graded.hop")
        assert repr(again) == repr(memory)
        assert torch.equal(again.retrieve(inside(5)).state, memory.retrieve(inside(5)).state)


def test_a_coupling_that_is_not_symmetric_has_no_energy():
    memory = GradedHopfield.from_coupling(random(N, N), symmetric=False, gain=0.1)
    result = memory.retrieve(inside(3), steps=500)
    assert result.energy is None and result.converged.all()
    assert result.state.abs().max() < 1e-3, "at low gain every start ends at 0"


BAD = {
    "cue beyond 1": (lambda memory: memory.retrieve(1.5 * signs(1, N, seed=0)), DomainError,
                     "cue must lie between .* 1.5"),
    "state beyond 1": (lambda memory: memory.energy(2 * signs(1, N, seed=0)), DomainError,
                       "state must lie between"),
    "patterns inside": (lambda memory: memory.store(inside(2).float()), DomainError,
                        "patterns must be −1 or"),
    "gain 0": (lambda _: GradedHopfield(gain=0.0), DomainError, "gain must be above 0"),
    "leak text": (lambda _: GradedHopfield(leak="1"), InputTypeError, "leak must"),
    "dt negative": (lambda _: GradedHopfield(dt=-0.1), DomainError, "dt must be above 0"),
    "thresholds of two axes": (lambda _: GradedHopfield(thresholds=torch.ones(2, 2)), ShapeError,
                               "thresholds must have shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_by_name(name):
    call, error, message = BAD[name]
    memory = GradedHopfield()
    memory.store(signs(2, N, seed=0))
    with pytest.raises(error, match=message):
        call(memory)
    assert len(memory) == 2


def test_the_energy_as_a_function_of_a_matrix():
    weights, v = symmetric(), inside(3)
    expected = GradedHopfield.from_coupling(weights, gain=4.0).energy(v)
    torch.testing.assert_close(energy.graded(v, weights, width=0.25), expected)
    with pytest.raises(DomainError, match="between −1 and 1"):
        energy.graded(2 * v.sign(), weights)
    with pytest.raises(DomainError, match="width must"):
        energy.graded(v, weights, width=-1.0)
    assert torch.equal(energy.graded(v, weights, width=0.0), energy.classical(v, weights))
