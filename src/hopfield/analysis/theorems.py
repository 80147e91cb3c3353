"""Theorems that apply to a memory: a capacity for random patterns, and bounds on fixed points."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import theory
from ..memories import Memory
from ..rules import FUNCTIONS, Perceptron
from ..separation import Separation
from .patterns import Patterns, scoring_of

CHANCE = 0.001
"""p of Theorem 3: the probability that random patterns are not stored."""
NO_THEOREM = "no theorem on capacity"
MOST_UNITS = 4096
"""N up to which Demircigil's bound is summed, in O(N²)."""


@dataclass(frozen=True, eq=False)
class Theory:
    """The load of a memory, and theorems about it.

    Attributes:
        load: n/N.
        capacity: the number of random patterns that a theorem grants, or None.
        source: the theorem.
        error: bound on the distance between a pattern and its fixed point (Theorem 5 of Ramsauer
            et al. 2021), `(n,)`; NaN unless the fixed point is within 1/(2βM), None for other
            networks.
    """

    load: float
    capacity: float | None = None
    source: str = NO_THEOREM
    error: Tensor | None = None


def theory_of(memory: Memory, patterns: Patterns, columns: dict[str, Tensor]) -> Theory:
    """Return the theorems that apply to what the memory declares; `columns` describe patterns."""
    load, dim = patterns.count / patterns.dim, patterns.dim
    if memory.storage.prior is not None:
        return Theory(load, source="no theorem for patterns with priors")
    if not memory.updates_by_weighted_sum:
        return Theory(load)
    rule = memory.config().get("rule") if memory.binary else None
    scoring = scoring_of(memory)
    if rule == "pseudo_inverse":
        return Theory(load, float(dim), "linearly independent patterns (Personnaz et al. 1985)")
    if rule == "storkey":
        return Theory(load, theory.storkey_patterns(max(2, dim)), "random patterns (Storkey 1997)")
    rule = FUNCTIONS.get(rule, rule) if isinstance(rule, str) else rule
    if isinstance(rule, Perceptron) and not rule.symmetric:
        capacity = theory.perceptron_load(rule.margin) * dim
        return Theory(load, capacity, f"random patterns at margin {rule.margin:g} (Gardner 1988)")
    if isinstance(rule, str):
        return Theory(load, theory.critical_load() * dim, "random patterns (Amit et al. 1985)")
    if rule is not None or scoring is None:
        return Theory(load)
    similarity, separation = scoring
    beta, window = separation.softmax_beta(), separation.score_window(patterns.count)
    if memory.binary and dim > 1:
        return _dense_theorem(separation, patterns)
    if beta is not None and similarity.half_squared_norm:
        return _modern_theorems(float(beta), patterns, columns)
    if beta is None and window is not None:
        return Theory(load, None, f"no other pattern has weight where Δ ≥ {window:.4g}")
    return Theory(load)


def _dense_theorem(separation: Separation, patterns: Patterns) -> Theory:
    count, dim = patterns.count, patterns.dim
    beta, degree = separation.softmax_beta(), getattr(separation, "degree", 1)
    if beta is not None:
        source = "random patterns at β = 1 (Demircigil et al. 2017)"
        if dim <= MOST_UNITS:
            chance = theory.exponential_failure(dim, 0, count, max(1e-3, min(float(beta), 1e3)))
            source += f"; P(a random pattern is not fixed) ≤ {chance:.2g}"
        return Theory(count / dim, theory.exponential_patterns(dim, 0.0), source)
    if degree < 2:
        return Theory(count / dim)
    capacity = theory.error_free_patterns(degree, dim)
    source = "random patterns without errors, F = Σ s^d (Krotov & Hopfield 2016)"
    return Theory(count / dim, capacity, source)


def _modern_theorems(beta: float, patterns: Patterns, columns: dict[str, Tensor]) -> Theory:
    """Theorems 3 and 5 of Ramsauer et al. (2021)."""
    count, dim, largest = patterns.count, patterns.dim, float(patterns.norms.max())
    error = torch.full_like(columns["margin"], torch.nan)
    capacity, source = None, NO_THEOREM
    if largest > 0 and 0 < beta < math.inf:
        in_sphere = columns["distance"] <= 1 / (2 * beta * largest)
        for index in in_sphere.nonzero().squeeze(-1).tolist():
            margin = float(columns["margin"][index])
            error[index] = theory.fixed_point_error(count, beta, margin, largest)
        if dim > 1:
            # Only βK² matters. Above the range of the formula, more is granted than at its end.
            sharpness = min(max(beta * largest**2 / (dim - 1), 1e-50), 1e50)
            arguments = (sharpness, 1.0, dim, CHANCE)
            granted, least = theory.theorem_3_patterns(*arguments), 2 / math.sqrt(CHANCE)
            is_met = theory.theorem_3_constant(*arguments) >= least ** (4 / (dim - 1))
            # Its spheres of radius 1/(βnM) about the patterns meet unless they are smaller than M.
            if is_met and granted * sharpness * (dim - 1) > 1:
                capacity = granted
                source = f"random patterns, p = {CHANCE:g} (Theorem 3, Ramsauer et al. 2021)"
    return Theory(count / dim, capacity, source, error)
