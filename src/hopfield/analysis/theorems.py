"""Theorems that apply to a memory: a capacity for random patterns, and bounds on fixed points."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import theory
from ..memories import Memory
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
    load, rule = patterns.count / patterns.dim, memory.config().get("rule")
    scoring = scoring_of(memory)
    if rule is not None:
        return Theory(load, *_classical(rule, patterns.dim))
    if scoring is None:
        return Theory(load)
    similarity, separation = scoring
    beta = separation.softmax_beta()
    if memory.binary and patterns.dim > 1:
        return Theory(load, *_dense(separation, patterns))
    if beta is not None and similarity.half_squared_norm:
        return _modern(float(beta), patterns, columns)
    window = separation.score_window(patterns.count)
    if beta is None and window is not None:
        return Theory(load, None, f"no other pattern has weight where Δ ≥ {window:.4g}")
    return Theory(load)


def _classical(rule: str, dim: int) -> tuple[float, str]:
    if rule == "pseudo_inverse":
        return float(dim), "linearly independent patterns (Personnaz et al. 1985)"
    if rule == "storkey":
        return theory.storkey_patterns(max(2, dim)), "random patterns (Storkey 1997)"
    return theory.critical_load() * dim, "random patterns (Amit et al. 1985)"


def _dense(separation: Separation, patterns: Patterns) -> tuple[Any, ...]:
    beta, degree = separation.softmax_beta(), getattr(separation, "degree", 1)
    if beta is not None:
        source = "random patterns at β = 1 (Demircigil et al. 2017)"
        if patterns.dim <= MOST_UNITS:
            bounded = max(1e-3, min(float(beta), 1e3))
            chance = theory.exponential_failure(patterns.dim, 0, patterns.count, bounded)
            source += f"; P(a random pattern is not fixed) ≤ {chance:.2g}"
        return _finite(lambda: theory.exponential_patterns(patterns.dim, 0.0)), source
    if degree < 2:
        return ()
    capacity = _finite(lambda: theory.error_free_patterns(degree, patterns.dim))
    return capacity, "random patterns without errors, F = Σ s^d (Krotov & Hopfield 2016)"


def _modern(beta: float, patterns: Patterns, columns: dict[str, Tensor]) -> Theory:
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
            scale = largest / math.sqrt(dim - 1)
            arguments = (beta, scale, dim, CHANCE)
            constant = _finite(lambda: theory.theorem_3_constant(*arguments))
            if constant >= (2 / math.sqrt(CHANCE)) ** (4 / (dim - 1)):
                capacity = _finite(lambda: theory.theorem_3_patterns(*arguments))
                source = f"random patterns, p = {CHANCE:g} (Theorem 3, Ramsauer et al. 2021)"
    return Theory(count / dim, capacity, source, error)


def _finite(number: Callable[[], float]) -> float:
    """Return the number, or ∞ if float64 cannot hold it."""
    try:
        return float(number())
    except OverflowError:
        return math.inf
