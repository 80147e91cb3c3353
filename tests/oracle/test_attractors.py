"""The census of attractors: fixed points, cycles and basins by walking all 2^N states."""

import numpy
import pytest
import torch

from draws import generator, signs
from given_couplings import SIZES, all_states, following, given, next_states, periods
from hopfield import ClassicalHopfield
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError


def cycles_of(successor, states) -> dict[frozenset, int]:
    """Each cycle as the set of its states, and the number of states that lead to it."""
    basins: dict[frozenset, int] = {}
    for state in range(len(states)):
        seen: list[int] = []
        while state not in seen:
            seen.append(state)
            state = successor[state]
        cycle = frozenset(seen[seen.index(state) :])
        basins[cycle] = basins.get(cycle, 0) + 1
    return basins


def place(states) -> numpy.ndarray:
    states = numpy.asarray(states)
    return ((states > 0) @ 2 ** numpy.arange(states.shape[-1])[::-1]).astype(int)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_all_cycles_and_basins_of_a_map(n, symmetric):
    weights, bias = given(n, 10, symmetric)
    states = all_states(n)
    successor = following(weights, bias, states)
    expected = cycles_of(successor, states)
    memory = ClassicalHopfield.from_coupling(
        weights, bias, symmetric=symmetric, schedule="synchronous"
    )
    found = memory.attractors()
    assert len(found) == len(expected) and found.unsettled == 0
    for cycle, basin in zip(found.states, found.basin.tolist(), strict=True):
        places = place(cycle)
        assert expected[frozenset(places.tolist())] == basin
        assert (successor[places] == numpy.roll(places, -1)).all(), "in their order"
    assert found.basin.tolist() == sorted(found.basin.tolist(), reverse=True)
    assert found.basin.sum() == 2**n and found.share.sum() == pytest.approx(1)
    assert found.period[found.index].tolist() == periods(successor).tolist()
    if symmetric:
        energy = memory.energy(torch.cat(found.states))
        means = [part.mean() for part in energy.split(found.period.tolist())]
        assert torch.allclose(found.energy, torch.stack(means))
    else:
        assert found.energy is None


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_all_fixed_points_of_asynchronous_updates(n, symmetric):
    weights, bias = given(n, 11, symmetric)
    states = all_states(n)
    stable = states[(next_states(weights, bias, states) == states).all(1)]
    memory = ClassicalHopfield.from_coupling(weights, bias, symmetric=symmetric)
    found = memory.attractors()
    if len(found):
        assert sorted(place(found.fixed_points)) == sorted(place(stable))
        assert (found.period == 1).all()
    assert len(found) == len(stable)
    assert not symmetric or found.unsettled == 0
    again = memory.attractors(states)
    assert torch.equal(again.index, found.index), "all states are the starts"


def test_starts_keep_their_shape_and_their_order():
    weights, bias = given(9, 12, symmetric=False)
    memory = ClassicalHopfield.from_coupling(weights, bias, symmetric=False, schedule="synchronous")
    starts = signs(4, 5, 9, seed=3).double()
    found = memory.attractors(starts, steps=10_000)
    assert found.index.shape == (4, 5) and found.basin.sum() == 20
    for start, index in zip(starts.flatten(0, 1), found.index.flatten().tolist(), strict=True):
        state = start
        for _ in range(600):
            state = memory.update(state)
        assert place(state) in place(found.states[index]), "a later state lies in the cycle"


def test_long_cycles_merge_into_one_whatever_state_they_are_entered_at():
    n = 31
    ring = numpy.roll(numpy.eye(n), 1, axis=0)
    memory = ClassicalHopfield.from_coupling(ring, symmetric=False, schedule="synchronous")
    pulses = 2 * numpy.eye(n) - 1
    found = memory.attractors(pulses, steps=3 * n)
    assert len(found) == 1 and found.period.tolist() == [n] and found.basin.tolist() == [n]
    steps = place(found.states[0])
    assert sorted(steps) == sorted(place(pulses))
    too_few = memory.attractors(pulses, steps=n - 2)
    assert len(too_few) == 0 and too_few.unsettled == n and too_few.fixed_points.shape == (0, n)
    assert repr(too_few) == (
        "0 fixed points, 0 cycles of 31 starts; 31 not settled within steps=29, try more"
    )
    one = ClassicalHopfield.from_coupling(ring + ring.T).attractors(1)
    assert repr(one).startswith("1 fixed point, 0 cycles of 1 start\n")


def test_more_units_than_bits_of_a_word():
    n = 130
    weights = torch.zeros(n, n)
    weights[:65, :65] = weights[65:, 65:] = 1  # two blocks of units that agree
    memory = ClassicalHopfield.from_coupling(weights, schedule="synchronous")
    found = memory.attractors(500, generator=generator(1))
    blocks = {(a, b) for a in (-1.0, 1.0) for b in (-1.0, 1.0)}
    assert {(float(s[0]), float(s[-1])) for s in found.fixed_points} == blocks
    assert (found.fixed_points[:, :65] == found.fixed_points[:, :1]).all()
    assert found.basin.sum() == 500 and found.basin.min() > 80


def test_a_learned_network_has_a_census_too():
    patterns = signs(2, 16, seed=0)
    memory = ClassicalHopfield()
    memory.store(patterns)
    found = memory.attractors()
    assert set(place(patterns)) <= set(place(found.fixed_points))
    assert set(place(-patterns)) <= set(place(found.fixed_points))


def test_the_table_and_the_records():
    ring = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    memory = ClassicalHopfield.from_coupling(ring, symmetric=False, schedule="synchronous")
    found = memory.attractors()
    assert repr(found).splitlines() == [
        "2 fixed points, 2 cycles of 8 starts",
        "period     basin   share      energy  states",
        "     3         3   0.375              −−+ +−− −+−",
        "     3         3   0.375              −++ +−+ ++−",
        "     1         1   0.125              −−−",
        "     1         1   0.125              +++",
    ]
    first = found.to_records()[0]
    assert first == {
        "attractor": 0, "period": 3, "basin": 3, "share": 0.375, "energy": None,
        "states": ["−−+", "+−−", "−+−"],
    }  # fmt: skip


def test_the_same_generator_gives_the_same_census():
    weights, _ = given(12, 13)
    memory = ClassicalHopfield.from_coupling(weights)
    one, two = (memory.attractors(200, generator=generator(5)) for _ in range(2))
    assert torch.equal(one.index, two.index)
    assert not torch.equal(one.index, memory.attractors(200, generator=generator(6)).index)


def test_starts_may_be_a_whole_number_of_numpy():
    memory = ClassicalHopfield.from_coupling(given(12, 13)[0])
    assert torch.equal(memory.attractors(numpy.int64(50)).index, memory.attractors(50).index)


def test_bad_arguments_are_refused():
    small = ClassicalHopfield.from_coupling([[0, 1], [1, 0]])
    large = ClassicalHopfield.from_coupling(numpy.zeros((21, 21)))
    warm = ClassicalHopfield.from_coupling([[0, 1], [1, 0]], temperature=1.0)
    for call, error, shown in [
        (lambda: large.attractors(), OptionError, "starts"),
        (lambda: warm.attractors(), OptionError, "temperature=0"),
        (lambda: small.attractors(0), DomainError, "starts"),
        (lambda: small.attractors(True), InputTypeError, "starts"),
        (lambda: small.attractors([1, 0]), DomainError, "starts"),
        (lambda: small.attractors([1, 1, 1]), ShapeError, "starts"),
        (lambda: small.attractors(torch.ones(2, 3)), ShapeError, "starts"),
        (lambda: small.attractors(torch.zeros(3, 2)), DomainError, "starts"),
        (lambda: small.attractors("all"), InputTypeError, "starts.*leave it out"),
        (lambda: small.attractors(1e4), InputTypeError, "starts=10000"),
        (lambda: small.attractors(0.5), InputTypeError, "whole number.*0.5"),
        (lambda: small.attractors(5, steps=-1), DomainError, "steps"),
        (lambda: small.attractors(5, max_steps=3), OptionError, "steps="),
    ]:
        with pytest.raises(error, match=shown):
            call()
