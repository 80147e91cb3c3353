"""Slips in the extensions of a user are refused, by the name of the class that made them."""

import pytest
import torch

from cases import seeded, signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Memory,
    ModernHopfield,
    Separation,
    corruption,
    diagnose,
    tune,
)
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError
from hopfield.iteration import Reading
from hopfield.stores import Block, Store


class Still(Memory):
    """A network whose states stay where they are."""

    def __init__(self, unit: float = 1.0) -> None:
        self.unit = unit

    def step(self, state, known, held, generator):
        return Reading(state)

    def energy_of(self, state):
        return state.sum(-1)

    def config(self):
        return {"unit": self.unit}


class NoReading(Still):
    def step(self, state, known, held, generator):
        return state


class ShortState(Still):
    def step(self, state, known, held, generator):
        return Reading(state[:, :2])


class ShortWeight(Still):
    def step(self, state, known, held, generator):
        return Reading(state, weight=torch.ones(3))


class OneEnergy(Still):
    def energy_of(self, state):
        return state.sum()


class Halved(Still):
    def step(self, state, known, held, generator):
        return Reading(state.mul_(0.5))


@pytest.mark.parametrize(
    ("network", "error", "match"),
    [
        (Halved, OptionError, r"Halved.step must not modify its states"),
        (NoReading, InputTypeError, r"NoReading.step must return a Reading"),
        (ShortState, ShapeError, r"ShortState.step must return a next state of shape \(4, 6\)"),
        (ShortWeight, ShapeError, r"ShortWeight.step must return .* weight .* of shape \(4,\)"),
        (OneEnergy, ShapeError, r"OneEnergy.energy_of must return energies of shape \(4,\)"),
    ],
)
def test_what_a_network_returns_is_checked_by_name(network, error, match):
    memory, rows = network(), torch.randn(4, 6, generator=seeded(12))
    memory.store(rows)
    known = torch.arange(6) < 3
    calls = [lambda: memory.retrieve(rows), lambda: memory.retrieve(rows, known, trace=True)]
    calls.append(lambda: (memory.energy if network is OneEnergy else memory.update)(rows))
    for call in calls:
        with pytest.raises(error, match=match):
            call()


class OtherArguments(Still):
    def config(self):
        return {"size": self.unit}


def test_a_network_that_could_not_be_loaded_is_not_saved(tmp_path):
    memory = OtherArguments()
    memory.store(torch.ones(1, 3))
    with pytest.raises(OptionError, match="arguments of the constructor, but returned size"):
        memory.save(tmp_path / "lost")
    assert not (tmp_path / "lost").exists()


class WithoutValues(Store):
    """Rows in a tensor; values are dropped, and blocks stop after `limit` rows."""

    def __init__(self, limit=None):
        self.all, self.dim, self.dtype, self.limit = torch.empty(0, 8), 8, torch.float32, limit

    def append(self, rows, values=None):
        self.all = torch.cat([self.all, rows])

    def remove(self, indices):
        left = torch.ones(len(self.all), dtype=torch.bool).index_fill(0, indices, False)
        self.all = self.all[left]

    def take(self, indices):
        return self.all[indices]

    def blocks(self, size):
        yield Block(0, self.all[: self.limit])

    def __len__(self):
        return len(self.all)


def test_a_store_that_drops_values_takes_patterns_alone():
    memory = ModernHopfield(store=WithoutValues())
    with pytest.raises(OptionError, match="a WithoutValues keeps none"):
        memory.store(torch.ones(3, 8), torch.arange(3))
    assert len(memory) == 0
    memory.store(torch.ones(3, 8))
    assert memory.retrieve(torch.ones(2, 8)).value is None


def test_a_store_that_drops_rows_is_named():
    memory = ModernHopfield(store=WithoutValues(limit=2))
    memory.store(torch.ones(3, 8))
    with pytest.raises(ShapeError, match=r"WithoutValues.blocks .* 3 rows, but returned 2"):
        memory.retrieve(torch.ones(8))


class Changed(Separation):
    """Softmax at β = 2, with other weights or another potential."""

    def __init__(self, weights=None, potential=None):
        self.weights = weights or (lambda scores: torch.softmax(2 * scores, -1))
        self.changed = potential or (lambda scores: torch.logsumexp(2 * scores, -1) / 2)

    def potential(self, scores):
        return self.changed(scores)

    def __call__(self, scores):
        return self.weights(scores)


@pytest.mark.parametrize(
    ("separation", "error", "match"),
    [
        (Changed(lambda s: s.exp()), DomainError, "at least 0 and sum to one"),
        (Changed(lambda s: 2 * s.softmax(-1) - 1 / 6), DomainError, r"the least is -0\.1"),
        (Changed(None, lambda s: s.sum(-1) * torch.nan), DomainError, "a potential without NaN"),
        (Changed(lambda s: (s - 100).log()), DomainError, "but returned NaN"),
        (Changed(lambda s: s.softmax(-1).sum(-1)), ShapeError, r"weights of shape \(2, 6\)"),
        (Changed(None, lambda s: s.logsumexp(-1, True)), ShapeError, r"a potential of shape"),
    ],
)
@pytest.mark.parametrize("network", [ModernHopfield, DenseHopfield])
def test_what_a_separation_returns_is_checked_by_name(network, separation, error, match):
    memory, rows = network(separation=separation), signs(6, 24, generator=seeded(11))
    memory.store(rows)
    for call in (memory.retrieve, memory.update, memory.energy):
        with pytest.raises(error, match=f"Changed must return .*{match}"):
            call(rows[:2])


def test_weights_in_half_precision_are_converted():
    memory = ModernHopfield(separation=Changed(lambda s: (2 * s).softmax(-1).half()))
    memory.store(torch.eye(4))
    assert memory.update(torch.eye(4)).dtype == torch.float32


def agreeing(rows, state, known):
    """Number of equal entries."""
    return (rows == state[..., None, :]).sum(-1)


def undefined(rows, state, known):
    """No number at all."""
    return agreeing(rows, state, known) * torch.nan


def test_scores_may_be_whole_numbers_but_not_nan():
    rows = signs(9, 40, generator=seeded(15))
    memory = ModernHopfield(4.0, similarity=agreeing)
    memory.store(rows)
    assert torch.equal(memory.retrieve(rows).index, torch.arange(9))
    memory = ModernHopfield(4.0, similarity=undefined)
    memory.store(rows)
    with pytest.raises(DomainError, match="undefined returned NaN"):
        memory.retrieve(rows)


def test_scores_of_another_shape_are_refused_by_the_name_of_their_function():
    memory = ModernHopfield(similarity=lambda rows, state, known: rows @ state.T)
    memory.store(torch.eye(4))
    with pytest.raises(ShapeError, match=r"\(2, 4\), .* but <lambda> returned a tensor of shape"):
        memory.update(torch.eye(4)[:2])


class Weighted:
    """−Σ_i w_i |x_μi − x_i|."""

    def __init__(self, weights, name=None):
        self.weights = weights
        if name is not None:
            self.__name__ = name

    def __call__(self, rows, state, known):
        difference = (state[..., None, :] - rows).abs()
        mask = 1.0 if known is None else known[..., None, :]
        return -(mask * self.weights.to(rows) * difference).sum(-1)


def test_tune_compares_two_similarities_of_one_class_by_their_names():
    rows = torch.randn(20, 6, generator=seeded(16))
    first, second = torch.ones(6), torch.arange(6.0)
    damage = corruption.gaussian_noise, 0.1
    with pytest.raises(OptionError, match=r"twice, .* The name of a function"):
        tune(rows, *damage, similarities=[Weighted(first), Weighted(second)], betas=3)
    named = [Weighted(first, "even"), Weighted(second, "uneven")]
    tuned = tune(rows, *damage, similarities=named, betas=3)
    assert {point.setting[0] for point in tuned.curve} == {"even", "uneven"}
    memory = tuned.memory()
    assert torch.equal(memory.retrieve(rows).index, torch.arange(20))
    assert diagnose(memory).attractor.all()


def test_tune_says_what_a_separation_lacks():
    with pytest.raises(OptionError, match="Changed does not have an attribute beta"):
        tune(torch.eye(4), corruption.gaussian_noise, 0.1, separations=[Changed()])


def test_weights_and_potentials_in_double_precision_are_converted():
    rows = torch.randn(6, 24, generator=seeded(20))
    plain, precise = (
        ModernHopfield(separation=separation)
        for separation in (
            Changed(),
            Changed(
                lambda s: (2 * s.double()).softmax(-1),
                lambda s: (2 * s.double()).logsumexp(-1) / 2,
            ),
        )
    )
    for memory in (plain, precise):
        memory.store(rows)
    for trace in (False, True):
        results = [memory.retrieve(rows, trace=trace) for memory in (plain, precise)]
        assert results[1].state.dtype == results[1].energy.dtype == torch.float32
        torch.testing.assert_close(results[1].state, results[0].state)


class FlipGain(Changed):
    def flip_gain(self, scores):
        return scores.sum(-1)


class WidthInWords(Changed):
    def inverse_width(self):
        return "2"


class WidthAttribute(Changed):
    inverse_width = 2.0


def test_optional_members_of_a_separation_are_checked_by_name():
    memory, rows = DenseHopfield(separation=FlipGain()), signs(6, 24, generator=seeded(21))
    memory.store(rows)
    with pytest.raises(ShapeError, match=r"FlipGain.flip_gain must return .* of shape \(2, 3\)"):
        memory.retrieve(rows)
    with pytest.raises(InputTypeError, match=r"WidthInWords.inverse_width must return a number"):
        ModernHopfield(separation=WidthInWords())
    with pytest.raises(InputTypeError, match=r"WidthAttribute.inverse_width must be a method"):
        ModernHopfield(separation=WidthAttribute())


def test_a_separation_must_not_write_to_the_scores():
    memory = ModernHopfield(separation=Changed(lambda s: s.mul_(2).softmax(-1)))
    memory.store(torch.eye(4))
    with pytest.raises(OptionError, match="Changed must not modify the scores"):
        memory.retrieve(torch.eye(4))


@pytest.mark.parametrize("written", [0, 1])
def test_a_similarity_must_not_write_to_rows_or_state(written):
    def halved(*given):
        given[written].mul_(0.5)
        return given[1] @ given[0].T

    memory, rows = ModernHopfield(similarity=halved), torch.eye(4)
    memory.store(rows)
    with pytest.raises(OptionError, match="halved wrote to them"):
        memory.update(rows.clone())


def inverse_distance(rows, state, known):
    return 1 / (state[..., None, :] - rows).norm(dim=-1)


def test_scores_may_be_minus_infinity_but_not_infinity():
    memory = ModernHopfield(similarity=inverse_distance)
    memory.store(torch.eye(4))
    for call in (memory.retrieve, memory.update, memory.energy):
        with pytest.raises(DomainError, match="inverse_distance returned inf"):
            call(torch.eye(4))
    memory = ModernHopfield(similarity=lambda *given: agreeing(*given).float().log())
    memory.store(torch.eye(4) * 2 - 1)
    assert memory.update(torch.eye(4) * 2 - 1).isfinite().all()


def test_a_class_in_place_of_a_similarity_is_named():
    with pytest.raises(OptionError, match=r"Use Weighted\(…\)"):
        ModernHopfield(similarity=Weighted)


def test_tune_says_that_it_takes_separations_of_your_own():
    with pytest.raises(OptionError, match="a separation of your own with an attribute beta"):
        tune(torch.eye(4), corruption.gaussian_noise, 0.1, separations=[Changed])


class ArrayState(Still):
    def step(self, state, known, held, generator):
        return Reading(state.numpy())


class FloatEnergy(Still):
    def energy_of(self, state):
        return 1.0


class FloatIndex(Still):
    def step(self, state, known, held, generator):
        return Reading(state, index=state[:, 0])


@pytest.mark.parametrize(
    ("network", "error", "match"),
    [
        (ArrayState, ShapeError, "ArrayState.step must return a next state"),
        (FloatEnergy, ShapeError, r"FloatEnergy.energy_of must return energies .* returned 1\.0"),
        (FloatIndex, InputTypeError, "FloatIndex.step must return whole numbers as index"),
    ],
)
def test_what_a_network_returns_must_be_tensors(network, error, match):
    memory, rows = network(), torch.randn(4, 6, generator=seeded(22))
    memory.store(rows, values=torch.arange(4))
    with pytest.raises(error, match=match):
        memory.retrieve(rows, trace=True)


class Forgetful(Still):
    def config(self):
        return {}


def test_a_network_that_would_lose_an_argument_is_not_saved(tmp_path):
    for unit, is_lost in ((1.0, False), (2.0, True)):
        memory = Forgetful(unit)
        memory.store(torch.ones(1, 3))
        if not is_lost:
            memory.save(tmp_path / "kept")
            continue
        with pytest.raises(OptionError, match=r"Forgetful.config must return all .* lacks unit"):
            memory.save(tmp_path / "lost")


class Oja:
    def __call__(self, patterns):
        return patterns.T @ patterns


def test_a_rule_is_shown_by_its_name_and_returns_a_tuple():
    assert repr(ClassicalHopfield(rule=Oja())).startswith("ClassicalHopfield(rule=Oja, ")
    memory = ClassicalHopfield(rule=lambda rows: [rows.T @ rows, rows[0]])
    with pytest.raises(InputTypeError, match=r"a tuple \(W, thresholds\), but returned a list"):
        memory.store(signs(3, 12, generator=seeded(23)))
        memory.retrieve(signs(3, 12, generator=seeded(23)))
