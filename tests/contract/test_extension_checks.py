"""Slips in the extensions of a user are refused, by the name of the class that made them."""

import pytest
import torch

from cases import seeded, signs
from hopfield import (
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
        (Changed(lambda s: 2 * s.softmax(-1) - 1 / 6), DomainError, "at least 0 and sum to one"),
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
