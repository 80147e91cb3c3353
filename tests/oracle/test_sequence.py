"""SequenceHopfield: single updates of all states, against exact arithmetic.

Sequences of updates are in test_sequence_rolls.py.
"""

import math
import warnings
from collections import Counter
from decimal import Decimal, localcontext

import pytest
import torch

from draws import all_states, generator, signs
from hopfield import (
    CapacityWarning,
    Entmax,
    PackedStore,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    SequenceHopfield,
    Softmax,
)

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def filled(rows, values=None, separation=None, **options):
    memory = SequenceHopfield(separation, **options)
    memory.store(rows, values)
    return memory


# ---- one update, by its definition in exact arithmetic


def power(score, degree, rectified=False):
    return degree * (max(0, score) if rectified else score) ** (degree - 1)


WEIGHTS = {
    "linear": (None, lambda s: power(s, 2)),
    "cubic": (Polynomial(3), lambda s: power(s, 3)),
    "quartic": (Polynomial(4), lambda s: power(s, 4)),
    "degree 30": (Polynomial(30), lambda s: power(s, 30)),
    "rectified": (RectifiedPolynomial(3), lambda s: power(s, 3, True)),
    "softmax": (Softmax(0.3), lambda s: (Decimal("0.3") * s).exp()),
    "softmax, sharp": (Softmax(4.0), lambda s: (Decimal(4) * s).exp()),
    "softmax, infinite": (Softmax(math.inf), lambda s: (Decimal(9) * s).exp()),
}


def exact_update(rows, values, weight, state, stability=0):
    """Signs of Σ (y + r x) weight(s), summed by score so that equal terms cancel; a tie keeps."""
    scores = (rows.long() @ state.long()).tolist()
    following = []
    for i in range(rows.shape[1]):
        counts = Counter()
        for mu, score in enumerate(scores):
            counts[score] += int(values[mu, i]) + stability * int(rows[mu, i])
        field = sum(count * weight(score) for score, count in counts.items())
        following.append((field > 0) - (field < 0) or int(state[i]))
    return following


@pytest.mark.parametrize("store", [None, PackedStore], ids=["ram", "packed"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_updates_of_all_states_are_exact(name, store):
    separation, weight = WEIGHTS[name]
    rows, values, states = signs(6, 8, seed=1), signs(6, 8, seed=2), all_states(8)
    memory = filled(rows, values, separation, store=store() if store else None)
    ties = 0
    with localcontext() as context:
        context.prec = 60
        expected = [exact_update(rows, values, weight, state) for state in states]
        for state in states:
            scores = (rows @ state).tolist()
            ties += any(not sum(v for v, s in zip(values[:, i], scores, strict=True) if s == top)
                        for i in range(8) for top in [max(scores)])  # fmt: skip
    assert ties > 10, "premise: often the best steps contradict each other in a unit"
    assert memory.update(states).tolist() == expected
    assert memory.retrieve(states, steps=1).state.tolist() == expected


@pytest.mark.parametrize("stability", [1, 3])
def test_stability_adds_the_step_itself(stability):
    rows, values, states = signs(5, 8, seed=3), signs(5, 8, seed=4), all_states(8)
    memory = filled(rows, values, Polynomial(3), stability=float(stability))
    expected = [exact_update(rows, values, lambda s: power(s, 3), x, stability) for x in states]
    assert memory.update(states).tolist() == expected


def test_the_linear_update_is_that_of_its_matrix():
    rows, values, states = signs(4, 10, seed=1), signs(4, 10, seed=2), all_states(10)
    memory = filled(rows, values)
    fields = states @ (values.T @ rows / 10).T
    assert torch.allclose(memory.field(states), fields)
    assert torch.equal(
        memory.update(states), torch.where(fields.abs() < 1e-5, states, fields.sign())
    )


def test_the_field_of_a_step_alone_is_the_step_that_follows():
    x, y = signs(1, 9, seed=1), signs(1, 9, seed=2)
    for separation in (None, Polynomial(5), RectifiedPolynomial(3), Softmax(0.2), Entmax(1.5)):
        assert torch.allclose(filled(x, y, separation).field(x), y)
        assert torch.allclose(filled(x, y, separation, rule="pseudo_inverse").field(x), y)


class Cosh(Separation):
    """F(s) = Σ cosh(s/4), a separation of a user's own."""

    simplex = False

    def potential(self, scores):
        return (scores / 4).cosh().sum(-1)

    def __call__(self, scores):
        return (scores / 4).sinh() / 4


def test_a_separation_of_ones_own():
    rows, values, states = signs(5, 8, seed=5), signs(5, 8, seed=6), all_states(8)
    fields = ((states @ rows.T) / 4).double().sinh() @ values.double()
    assert (fields.abs() > 1e-6).any() and (fields.abs() < 1e-9).any(), "premise: ties and others"
    expected = torch.where(fields.abs() < 1e-9, states.double(), fields.sign()).float()
    assert torch.equal(filled(rows, values, Cosh()).update(states), expected)


# ---- the pseudo-inverse


def correlated(count, dim, seed=0):
    """Rows that differ from one another in about a fifth of their entries."""
    flips = torch.rand(count, dim, generator=generator(seed)) < 0.1
    return torch.where(flips, -1.0, 1.0) * signs(1, dim, seed=seed)


def test_the_pseudo_inverse_is_the_matrix_that_maps_each_step_to_the_next():
    rows, states = correlated(5, 9, seed=2), all_states(9)
    assert torch.linalg.matrix_rank(rows) == 5, "premise"
    memory = filled(rows, rule="pseudo_inverse", cyclic=True)
    matrix = rows.roll(-1, 0).double().T @ torch.linalg.pinv(rows.double()).T
    assert torch.allclose(memory.field(states.double()), states.double() @ matrix.T, atol=1e-12)


@pytest.mark.parametrize("separation", [None, Polynomial(3), Softmax(0.5)])
def test_correlated_sequences_follow_by_the_pseudo_inverse(separation):
    rows = correlated(30, 100)
    linear = filled(rows, cyclic=True).roll(rows, 1).states[0]
    assert not torch.equal(linear, rows.roll(-1, 0)), "premise: overlaps alone do not suffice"
    roll = filled(rows, None, separation, rule="pseudo_inverse", cyclic=True).roll(rows, 30)
    assert torch.equal(roll.states[0], rows.roll(-1, 0)) and torch.equal(roll.states[-1], rows)
    assert (roll.weight == 1).all()


def test_dependent_steps_share_their_weight():
    rows = signs(4, 32, seed=1)[[0, 1, 0, 3]]  # the first step returns, and then leads elsewhere
    memory = filled(rows, signs(4, 32, seed=7), rule="pseudo_inverse")
    field = memory.field(rows[0])
    assert torch.allclose(field, memory.values[[0, 2]].mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "names", "shown"),
    [(signs(4, 32, seed=1)[[0, 1, 0, 3]], list("abcd"), "steps 'a', 'c' are equal.* 2 of 4"),
     (signs(30, 20), None, "steps 0, .*, … depend linearly: .* of 30 steps")],
)  # fmt: skip
@pytest.mark.filterwarnings("default::hopfield.CapacityWarning")
def test_steps_that_the_pseudo_inverse_cannot_tell_apart_are_named(rows, names, shown):
    memory = SequenceHopfield(rule="pseudo_inverse")
    memory.store(rows, names=names)
    with pytest.warns(CapacityWarning, match=shown) as caught:
        following = memory.update(rows)
        memory.update(rows)
    assert len(caught) == 1
    wrong = (following != torch.cat([rows[1:], rows[-1:]])).any(-1)
    assert wrong.any(), "premise"


@pytest.mark.filterwarnings("default::hopfield.CapacityWarning")
@pytest.mark.parametrize("separation", [None, Softmax(1.0)])
def test_equal_steps_with_different_followers_are_named(separation):
    rows = signs(6, 40, seed=1)
    memory = SequenceHopfield(separation)
    memory.store(rows[:3], names=list("abc"))
    memory.store(rows[[0, 1]], names=list("AB"))
    with pytest.warns(CapacityWarning, match="steps 'b', 'B' are equal to others, but") as caught:
        following = memory.update(rows[:3])
        memory.roll(rows, 3)
    assert len(caught) == 1
    assert not torch.equal(following[1], rows[2]), "premise: the network cannot lead on"
    memory.remove(names=["B"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        memory.store(rows[:3], names=list("xyz"))  # the same ones follow
        assert torch.equal(memory.update(rows[:2]), rows[1:3])


@pytest.mark.filterwarnings("error::hopfield.CapacityWarning")
def test_dependent_steps_that_lead_on_rightly_are_no_reason_to_warn():
    once = signs(3, 20, seed=5)
    memory = SequenceHopfield(rule="pseudo_inverse", cyclic=True)
    memory.store(torch.cat([once, once]))
    assert torch.equal(memory.update(once), once.roll(-1, 0))


@pytest.mark.parametrize("beta", [0.3, 2.0, 5.0])
def test_softmax_weighs_the_scores_of_the_pseudo_inverse(beta):
    rows, values, states = signs(6, 9, seed=2), signs(6, 9, seed=3), all_states(9).double()
    memory = filled(rows, values, Softmax(beta), rule="pseudo_inverse")
    scores = 9 * states @ torch.linalg.pinv(rows.double())
    field = torch.softmax(beta * scores, -1) @ values.double()
    torch.testing.assert_close(memory.field(states), field)
    decided = field.abs() > 1e-7  # the resolution of the scores is 1e-9
    assert torch.equal(memory.update(states)[decided], field.sign()[decided])


@pytest.mark.parametrize("rule", ["hebbian", "pseudo_inverse"])
@pytest.mark.parametrize(
    "separation", [None, Softmax(0.3), Softmax(math.inf), Entmax(1.5, 0.1), Polynomial(40), Cosh()]
)
def test_contradictions_are_ties_whatever_the_order_of_summation(separation, rule):
    rows, values, states = signs(7, 8, seed=1), signs(7, 8, seed=2), all_states(8)
    order = torch.randperm(14, generator=generator(3))
    twice, opposite = torch.cat([rows, rows])[order], torch.cat([values, -values])[order]
    memory = filled(twice, opposite, separation, rule=rule)
    assert torch.equal(memory.update(states), states)


def test_ties_of_the_pseudo_inverse_are_found():
    rows, values, states = signs(6, 9, seed=8), signs(6, 9, seed=58), all_states(9).double()
    gram = rows.double() @ rows.double().T
    determinant = torch.linalg.det(gram).round()
    adjugate = (torch.linalg.inv(gram) * determinant).round()  # all whole numbers
    assert torch.equal(adjugate @ gram, determinant * torch.eye(6)) and determinant > 0, "premise"
    fields = states @ rows.double().T @ adjugate @ values.double()
    scores = states @ torch.linalg.pinv(rows.double())
    assert ((fields == 0) & (scores.abs().amin(-1, keepdim=True) > 0.01)).any(), "premise: ties"
    expected = torch.where(fields == 0, states, fields.sign())
    assert torch.equal(filled(rows, values, rule="pseudo_inverse").update(states), expected)
