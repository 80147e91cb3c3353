"""SequenceHopfield along a sequence: order, periods, delays, temperature, cues and contents.

Single updates are in test_sequence.py.
"""

import copy
import itertools
import pickle
import warnings

import pytest
import torch
from scipy import stats
from scipy.linalg import hadamard

import hopfield
from draws import all_states, generator, signs
from hopfield import (
    PackedStore,
    Polynomial,
    SequenceHopfield,
    Softmax,
    TopK,
    corruption,
    diagnose,
    explain,
    readout,
    theory,
)
from hopfield.errors import CapacityWarning, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def filled(rows, values=None, separation=None, **options):
    memory = SequenceHopfield(separation, **options)
    memory.store(rows, values)
    return memory


def orthogonal(count, dim=16, seed=0):
    """Rows of a Hadamard matrix in random order, with random signs of the units."""
    rows = torch.tensor(hadamard(dim), dtype=torch.float32) * signs(dim, seed=seed)
    return rows[torch.randperm(dim, generator=generator(seed))[:count]]


# ---- along a sequence


@pytest.mark.parametrize("separation", [None, Polynomial(4), Softmax(0.2), Softmax(3.0), TopK(2)])
def test_orthogonal_steps_follow_exactly_and_the_last_stays(separation):
    rows = orthogonal(7)
    memory = filled(rows, None, separation)
    roll = memory.roll(rows, 9)
    for start in range(7):
        expected = [min(start + t + 1, 6) for t in range(9)]
        assert roll.index[:, start].tolist() == expected
        assert torch.equal(roll.states[:, start], rows[expected])
    assert roll.period.tolist() == [1] * 7
    result = memory.retrieve(rows)
    assert result.converged.all() and result.steps.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert (result.index == 6).all() and torch.equal(result.value[0], rows[6])


@pytest.mark.parametrize("length", range(1, 9))
def test_cycles_have_the_period_of_their_length(length):
    rows = orthogonal(length)
    memory = filled(rows, cyclic=True)
    roll = memory.roll(rows, 2 * length + 1)
    assert roll.period.tolist() == [length] * length
    assert torch.equal(roll.states[length - 1], rows)
    result = memory.retrieve(rows)
    assert result.period.tolist() == [length] * length
    assert bool(result.converged.all()) == (length == 1)


def test_several_sequences_in_one_memory():
    first, loop, other = orthogonal(10).split([4, 3, 3])
    memory = SequenceHopfield()
    memory.store(first, names=["a0", "a1", "a2", "a3"])
    memory.store(loop, loop.roll(-1, 0), names=["b0", "b1", "b2"])
    memory.store(other, other.roll(1, 0), names=["c0", "c1", "c2"])
    roll = memory.roll(torch.stack([first[0], loop[1], other[2]]), 5)
    assert [" ".join(row) for row in roll.name.T] == [
        "a1 a2 a3 a3 a3", "b2 b0 b1 b2 b0", "c1 c0 c2 c1 c0"]  # fmt: skip
    assert roll.period.tolist() == [1, 3, 3]


def brute_force_period(update, state, steps):
    seen = [state]
    for _ in range(steps):
        seen.append(update(seen[-1]))
    return next((p for p in range(1, steps) if torch.equal(seen[-1], seen[-1 - p])), 0)


def test_periods_of_all_states_are_those_of_single_steps():
    rows = signs(6, 9, seed=3)
    memory = filled(rows, rows[[1, 2, 0, 4, 3, 5]], Softmax(1.0))
    states = all_states(9)
    periods = memory.roll(states, 12).period
    expected = [brute_force_period(memory.update, state, 12) for state in states]
    assert len(set(expected)) > 2, "premise: several periods"
    assert periods.tolist() == expected


# ---- delay


@pytest.mark.parametrize("delay", [1, 2, 3, 5])
@pytest.mark.parametrize("separation", [None, Polynomial(3), Softmax(0.5)])
def test_the_network_stays_at_each_step_for_the_delay(delay, separation):
    rows = orthogonal(4)
    memory = filled(rows, None, separation, cyclic=True, stability=0.5)
    roll = memory.roll(rows[0], 12 * delay, delay=delay)
    assert roll.index.tolist() == [(t + 1) // delay % 4 for t in range(12 * delay)]
    assert roll.weight.min() == 1 and roll.period == 4 * delay


def test_a_step_more_stable_than_its_transition_stays():
    rows = orthogonal(4)
    assert filled(rows, stability=1.5).roll(rows[0], 9, delay=3).index.tolist() == [0] * 9


def test_the_delay_cleans_a_damaged_cue_before_it_moves_on():
    rows = signs(5, 200, seed=1)
    cue = corruption.flip(rows[:1], 0.1).state[0]
    roll = filled(rows, cyclic=True, stability=0.5).roll(cue, 4, delay=4)
    assert torch.equal(roll.states[0], rows[0]) and roll.index.tolist() == [0, 0, 0, 1]


def test_delayed_steps_by_their_definition():
    rows, values, state = signs(5, 12, seed=1), signs(5, 12, seed=2), signs(12, seed=3)
    memory = filled(rows, values, Polynomial(3), stability=0.6)
    past = [state.double()]
    for t in range(15):
        field = 0.6 * ((rows.double() @ past[t]) ** 2) @ rows.double()
        if t >= 2:
            field = field + ((rows.double() @ past[t - 2]) ** 2) @ values.double()
        assert (field.abs() > 1e-6).all(), "premise: no ties"
        past.append(field.sign())
    roll = memory.roll(state, 15, delay=3)
    assert torch.equal(roll.states.double(), torch.stack(past[1:]))


def test_the_period_of_a_delayed_roll_counts_all_that_decides_the_next_state():
    rows = orthogonal(3)
    roll = filled(rows, cyclic=True, stability=0.5).roll(rows[0], 9, delay=4)
    assert roll.index.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert roll.period == 0, "the last two states are equal, but it will move on"


# ---- temperature


@pytest.mark.parametrize("separation", [None, Polynomial(3), Softmax(0.4), Softmax(2.0)])
def test_one_thermal_step_has_the_probabilities_of_its_field(separation):
    rows, values, heat, draws = signs(5, 9, seed=1), signs(5, 9, seed=2), 0.7, 20_000
    memory = filled(rows, values, separation, temperature=heat)
    state = signs(9, seed=3)
    weights = {
        None: lambda s: s / 9, Polynomial(3): lambda s: (s / 9) ** 2,
        Softmax(0.4): lambda s: torch.softmax(0.4 * s, -1),
        Softmax(2.0): lambda s: torch.softmax(2.0 * s, -1),
    }[separation]  # fmt: skip
    field = weights(rows @ state) @ values
    assert torch.allclose(memory.field(state), field)
    ups = (memory.update(state.expand(draws, -1), generator=generator(5)) > 0).sum(0)
    chance = torch.sigmoid(2 * field / heat)
    for count, p in zip(ups.tolist(), chance.tolist(), strict=True):
        assert stats.binomtest(count, draws, p).pvalue > 1e-5
    # Units are independent, as in the product of their probabilities.
    again = memory.roll(state.expand(draws, -1), 1, generator=generator(6)).states[0]
    first, second = (again[:, :2] > 0).T
    assert (
        stats.binomtest(int((first & second).sum()), draws, float(chance[0] * chance[1])).pvalue
        > 1e-5
    )


def test_thermal_rolls_make_all_steps_and_have_no_period():
    rows = orthogonal(4)
    memory = filled(rows, cyclic=True, temperature=0.1)
    roll = memory.roll(rows[0], 9)
    assert roll.period is None and roll.index.tolist() == [1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert not memory.retrieve(rows, steps=3).converged.any()
    assert not torch.equal(
        filled(rows, temperature=1.0).roll(rows, 5, generator=generator(1)).states,
        filled(rows, temperature=1.0).roll(rows, 5, generator=generator(2)).states,
    )


# ---- cues, masks, batches


def test_only_known_units_of_the_cue_count_at_the_first_step():
    rows, known = signs(6, 100, seed=1), torch.arange(100) < 40
    memory = filled(rows)
    wrong = torch.where(known, rows, -rows)
    assert (memory.roll(wrong, 1).index[0] != torch.arange(6).add(1).clamp(max=5)).any(), "premise"
    for roll in (
        memory.roll(wrong, 6, known=known),
        memory.roll(hopfield.Cue(wrong, known), 6),
        memory.roll(torch.where(known, rows, torch.nan), 6, known=known),
    ):
        assert roll.index[0].tolist() == [1, 2, 3, 4, 5, 5] and (roll.index[-1] == 5).all()
        assert torch.equal(roll.states[-1], rows[[5]].expand(6, -1))
    result = memory.retrieve(wrong, known)
    assert result.converged.all() and (result.index == 5).all(), "known units are not held"
    held = memory.retrieve(wrong, known, clamp=True, steps=3)
    assert torch.equal(held.state[:, known], rows[:, known])


def test_units_that_no_step_decides_stay_unknown():
    rows = orthogonal(3)
    memory = filled(rows, torch.cat([rows[1:], -rows[1:2]]))
    cue, known = rows[0] + rows[2], rows[0] == rows[2]
    roll = memory.roll(cue.clamp(-1, 1), 1, known=known)
    assert (memory.field(cue.clamp(-1, 1)) == 0).all(), "premise: two steps contradict each other"
    assert torch.equal(roll.states[0], cue.clamp(-1, 1)) and (roll.states == 0).any()


def test_shapes_and_dtypes_are_those_of_the_cue():
    rows = orthogonal(4)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        memory = filled(rows.to(dtype))
        for batch in ((), (3,), (2, 1), (0,)):
            cue = rows[0].to(dtype).expand(*batch, 16)
            roll = memory.roll(cue, 5)
            assert roll.states.shape == (5, *batch, 16) and roll.states.dtype == dtype
            assert roll.index.shape == roll.weight.shape == (5, *batch)
            assert roll.overlaps.shape == (5, *batch, 4) and roll.period.shape == batch
    pictures = filled(rows).roll(rows[:3].reshape(3, 4, 4).numpy(), 5)
    assert pictures.states.shape == (5, 3, 4, 4) and pictures.index.shape == (5, 3)


def test_overlaps_are_those_with_all_steps():
    rows = signs(5, 30, seed=1)
    memory, cues = filled(rows), signs(4, 30, seed=2)
    roll, short = memory.roll(cues, 6), memory.roll(cues, 6, overlaps=False)
    expected = roll.states @ rows.T / 30
    assert torch.allclose(roll.overlaps, expected)
    assert torch.equal(roll.weight, expected.amax(-1)) and short.overlaps is None
    assert torch.equal(short.index, roll.index) and torch.equal(short.weight, roll.weight)


def test_a_cue_stands_alone_and_order_and_blocks_do_not_matter(monkeypatch):
    rows, values, cues = signs(9, 24, seed=1), signs(9, 24, seed=2), signs(20, 24, seed=3)
    order = torch.randperm(9, generator=generator(4))
    for separation, rule in itertools.product((None, Softmax(0.3)), ("hebbian", "pseudo_inverse")):
        memory = filled(rows, values, separation, rule=rule)
        states = memory.roll(cues, 8).states
        for i, cue in enumerate(cues):
            assert torch.equal(memory.roll(cue, 8).states, states[:, i])
        mixed = filled(rows[order], values[order], separation, rule=rule)
        assert torch.equal(mixed.roll(cues, 8).states, states)
        with monkeypatch.context() as patch:
            patch.setattr(readout, "block_rows", lambda queries, copied=True: 2)
            assert torch.equal(memory.roll(cues, 8).states, states)
    assert torch.equal(cues, signs(20, 24, seed=3)), "cues are left alone"


# ---- contents


def test_a_prior_counts_steps_as_copies():
    rows, values, cues = signs(5, 20, seed=1), signs(5, 20, seed=2), signs(50, 20, seed=3)
    for separation in (None, Polynomial(3), Softmax(0.2)):
        memory = SequenceHopfield(separation)
        memory.store(rows, values, prior=[3, 1, 1, 2, 1])
        copies = filled(
            rows[[0, 0, 0, 1, 2, 3, 3, 4]], values[[0, 0, 0, 1, 2, 3, 3, 4]], separation
        )
        assert torch.equal(memory.update(cues), copies.update(cues))


def test_files_keep_steps_transitions_and_options(tmp_path):
    rows = signs(6, 40, seed=1)
    for options in ({"cyclic": True, "rule": "pseudo_inverse"}, {"stability": 0.5},
                    {"temperature": 0.3}, {"store": PackedStore()}):  # fmt: skip
        memory = filled(rows, None, Polynomial(3), **options)
        memory.save(tmp_path / "sequence.hop")
        loaded = hopfield.load(tmp_path / "sequence.hop")
        assert repr(loaded) == repr(memory)
        assert torch.equal(loaded.values, memory.values)
        assert torch.equal(loaded.roll(rows, 7).states, memory.roll(rows, 7).states)


def test_copies_pickles_and_conversions_roll_alike():
    rows = signs(6, 40, seed=1)
    memory = filled(rows, None, Softmax(0.4), rule="pseudo_inverse", cyclic=True, stability=0.3)
    states = memory.roll(rows, 9).states
    with torch.inference_mode():
        assert torch.equal(memory.roll(rows, 9).states, states)
    for other in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        other.store(signs(2, 40, seed=2))  # a memory of its own
        assert len(memory) == 6 and torch.equal(memory.roll(rows, 9).states, states)
        other.remove([6, 7])
        assert torch.equal(other.roll(rows, 9).states, states)
    double = memory.to(dtype=torch.float64)
    assert double.values.dtype == torch.float64
    assert torch.equal(double.roll(rows, 9).states, states)
    memory.remove(range(6))
    memory.store(signs(3, 7, seed=5))
    assert memory.roll(signs(7), 2).states.shape == (2, 7)


def test_whole_sequences_are_removed_by_name():
    first, second = orthogonal(8).split(4)
    memory = SequenceHopfield()
    memory.store(first, names=["a"] * 4, unique=False)
    memory.store(second, names=["b"] * 4, unique=False)
    memory.remove(names="a")
    assert memory.roll(second[0], 4).index.tolist() == [1, 2, 3, 3]
    assert torch.equal(memory.roll(first[0], 1).states[0], first[0]), "nothing is known of it"


def test_there_is_no_energy_and_no_diagnosis():
    memory = filled(orthogonal(4))
    with pytest.raises(OptionError, match="SequenceHopfield has no energy"):
        memory.energy(memory.patterns)
    result = memory.retrieve(memory.patterns, trace=True)
    assert result.energy is None and result.trace is None
    with pytest.raises(OptionError, match="each leads to another one"):
        diagnose(memory)


def test_an_explanation_names_the_cycle():
    rows = orthogonal(3)
    text = str(explain(filled(rows, cyclic=True), rows[0]))
    assert "a cycle of 3 states repeats." in text
    assert "It settled after 2 steps." in str(explain(filled(rows), rows[0]))


@pytest.mark.parametrize("degree", [1, 2])
def test_a_warning_comes_at_the_critical_load_of_random_sequences(degree):
    dim = 30
    limit = int(theory.sequence_critical_load(degree) / theory.sequence_load(degree, dim, 1))
    memory = SequenceHopfield(Polynomial(degree + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        memory.store(signs(limit, dim))
    with pytest.warns(CapacityWarning, match=f"^{limit + 1} steps exceed {limit}, "):
        memory.store(signs(1, dim, seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once
        memory.store(signs(1, dim, seed=2))
        filled(signs(3 * limit, dim), None, Softmax(0.5))
        filled(signs(dim, dim), rule="pseudo_inverse")


def test_texts():
    memory = filled(orthogonal(4), cyclic=True)
    assert str(memory.roll(orthogonal(1), 5)) == "Roll(5 steps of 1 cue, period 4)"
    assert str(memory.roll(orthogonal(2), 1)) == "Roll(1 step of 2 cues)"
    assert "cyclic=True" in repr(memory)
