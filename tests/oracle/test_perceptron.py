"""Perceptron learning: by linear programming, by margins, and in every order of the patterns."""

import math
import warnings

import pytest
import torch
from scipy.optimize import linprog

from draws import signs
from hopfield import theory
from hopfield.errors import CapacityWarning, DomainError
from hopfield.rules import Perceptron


def learned(rule, rows):
    """Return W, and whether the rule warned that it had not learned all patterns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        weights = rule(rows)
    assert all(each.category is CapacityWarning for each in caught)
    return weights, bool(caught)


def margins(weights, rows):
    """Return x_i h_i/‖W_i‖ of every unit of every pattern."""
    weights = weights.double()
    return (rows.double() @ weights.T) * rows / weights.norm(dim=-1)


def is_separable(rows, symmetric):
    """Return whether some W with W_ii = 0 has x_i h_i ≥ 1, by linear programming."""
    count, size = rows.shape
    constraints = []
    for i in range(size):
        for row in rows.tolist():
            weights = torch.zeros(size, size, dtype=torch.float64)
            weights[i] = row[i] * torch.tensor(row, dtype=torch.float64)
            weights[i, i] = 0
            weights = weights + weights.T if symmetric else weights
            constraints.append((-weights).flatten().tolist())
    found = linprog(
        [0.0] * size**2, constraints, [-1.0] * (count * size), bounds=(None, None), method="highs"
    )
    assert found.status in (0, 2), "solved, or infeasible"
    return found.status == 0


@pytest.mark.parametrize("symmetric", [False, True])
def test_patterns_are_learned_exactly_if_some_coupling_has_them(symmetric):
    """Five units and two to five patterns: some draws have such a coupling, some have none."""
    rule, solvable = Perceptron(symmetric=symmetric, passes=300), 0
    for seed in range(24):
        rows = signs(2 + seed % 4, 5, seed=seed)
        expected = is_separable(rows, symmetric)
        weights, warned = learned(rule, rows)
        assert warned is not expected
        assert bool((margins(weights, rows).nan_to_num(0.0) > 0).all()) is expected
        solvable += expected
    assert 4 <= solvable <= 20, "premise: both cases occur"


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("margin", "n"), [(0.0, 40), (0.3, 20), (1.5, 8)])
def test_every_unit_of_every_pattern_has_the_margin(margin, n, symmetric):
    rows = signs(n, 60, seed=n)
    weights, warned = learned(Perceptron(margin, symmetric), rows)
    assert not warned and margins(weights, rows).min() > margin
    assert weights.diagonal().abs().max() == 0
    assert torch.equal(weights, weights.T) is symmetric
    mean = float((rows @ weights.T * rows).mean())
    assert 0.7 < mean < 1.42, "fields of about 1"


def test_entries_are_whole_numbers_and_no_order_matters():
    rows = signs(50, 60, seed=1)
    weights = Perceptron()(rows)
    digits = weights.double() * 2.0**20
    assert weights.dtype == torch.float32 and torch.equal(digits, digits.round())
    assert torch.equal(Perceptron()(rows.flip(0)), weights)
    assert torch.equal(Perceptron()(-rows), weights), "a pattern and its negative are alike"
    assert torch.equal(Perceptron()(rows.double()).float(), weights)


def test_the_number_of_steps_is_that_of_the_convergence_theorem():
    """Units add patterns at most n(N − 1)/κ² times, for the largest margin κ that a W has."""
    rows = signs(10, 30, seed=2)
    margin = margins(Perceptron(0.8)(rows), rows).min()
    assert margin > 0.8, "premise: a lower bound of the largest margin"
    bound = math.ceil(10 * 29 / float(margin) ** 2)
    assert not learned(Perceptron(passes=bound), rows)[1]


def test_patterns_that_no_coupling_has_are_warned_of():
    rows = torch.ones(2, 5)
    rows[1, 0] = -1  # the other units cannot tell them apart
    with pytest.warns(CapacityWarning, match=r"1 of 5 units have too small a field in \d of 2 pat"):
        weights = Perceptron(passes=20)(rows)
    assert (margins(weights, rows)[:, 1:] > 0).all(), "other units learn all the same"
    with pytest.warns(CapacityWarning, match=r"1\.3·N"):
        Perceptron(symmetric=True, passes=5)(signs(60, 20, seed=3))
    with pytest.raises(DomainError, match="must be ±1"):
        Perceptron()(2 * rows)


def test_a_load_far_above_that_of_other_rules_is_learned():
    rows = signs(75, 60, seed=4)
    weights, warned = learned(Perceptron(), rows)
    assert not warned and len(rows) > theory.critical_load() * 60 * 9
    assert (margins(weights, rows) > 0).all()
