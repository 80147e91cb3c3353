"""What theory says of a memory as a whole, and the theorems that apply to each of its patterns."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import theory
from ..memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from ..separation import Entmax, Polynomial, Softmax, Sparsemax
from .rows import Rows
from .verdicts import Verdicts

CHANCE = 0.001
"""p of Theorem 3."""
MOST_UNITS = 4096
"""N up to which Demircigil's bound is summed: it takes O(N²)."""


@dataclass(frozen=True, eq=False)
class Theory:
    """Load against capacity, and bounds.

    Attributes:
        load: n/N.
        capacity: how many random patterns theory grants, or None where it says nothing.
        source: which theory.
        error: Theorem 5's bound on the distance from a pattern to its fixed point, one a pattern;
            NaN where its premise is not proved. None where the theorem does not apply.
    """

    load: float
    capacity: float | None
    source: str
    error: Tensor | None = None


def bounds(memory: Memory, rows: Rows, verdicts: Verdicts) -> Theory:
    """The bounds that apply to this memory."""
    load = rows.count / rows.dim
    if isinstance(memory, ClassicalHopfield):
        return Theory(load, *_classical(memory.rule, rows.dim))
    if isinstance(memory, DenseHopfield):
        return Theory(load, *_dense(memory, rows))
    if isinstance(memory, ModernHopfield) and memory.similarity == "dot":
        if isinstance(memory.separation, Softmax):
            return _ramsauer(float(memory.separation.beta), rows, verdicts, load)
    if isinstance(memory, ModernHopfield) and isinstance(memory.separation, (Entmax, Sparsemax)):
        alpha, beta = float(memory.separation.alpha), float(memory.separation.beta)
        least = theory.sparse_margin(alpha, max(beta, 1e-300))
        return Theory(load, None, f"exact where Δ ≥ {least:.4g} (Santos et al. 2024)")
    return Theory(load, None, "no theorem on capacity")


def _classical(rule: str, dim: int) -> tuple[float, str]:
    if rule == "pseudo_inverse":
        return float(dim), "linearly independent ones (Personnaz et al. 1985)"
    if rule == "storkey":
        return theory.storkey_patterns(max(2, dim)), "random ones (Storkey 1997)"
    return theory.critical_load() * dim, "random ones (Amit et al. 1985)"


def _dense(memory: DenseHopfield, rows: Rows) -> tuple[float | None, str]:
    separation = memory.separation
    if isinstance(separation, Softmax):
        if rows.dim < 2:
            return None, "no theorem on capacity"
        capacity = _finite(lambda: theory.exponential_patterns(rows.dim, 0.0))
        words = "random ones at β = 1 (Demircigil et al. 2017)"
        if rows.dim <= MOST_UNITS:
            beta = max(1e-3, min(float(separation.beta), 1e3))
            chance = theory.exponential_failure(rows.dim, 0, rows.count, beta)
            words = f"{words}; P(a random one is not kept) ≤ {chance:.2g}"
        return capacity, words
    degree = getattr(separation, "degree", 1)
    if degree < 2 or rows.dim < 2:
        return None, "no theorem on capacity"
    kind = "" if isinstance(separation, Polynomial) else ", for the unrectified one"
    capacity = _finite(lambda: theory.error_free_patterns(degree, rows.dim))
    return capacity, f"random ones without errors (Krotov & Hopfield 2016{kind})"


def _ramsauer(beta: float, rows: Rows, verdicts: Verdicts, load: float) -> Theory:
    """Theorems 3 and 5; the premise of 5 is proved by how far the fixed point can be."""
    largest = float(rows.norms().max())
    error = torch.full_like(verdicts.margin, torch.nan)
    if largest > 0 and 0 < beta < math.inf:
        near = verdicts.shift <= 1 / (2 * beta * largest)
        for place in near.nonzero().squeeze(-1).tolist():
            margin = float(verdicts.margin[place])
            error[place] = theory.fixed_point_error(rows.count, beta, margin, largest)
    capacity, source = None, "no theorem on capacity at this β and dimension"
    if rows.dim > 1 and 0 < beta < math.inf and largest > 0:
        scale = largest / math.sqrt(rows.dim - 1)
        constant = _finite(lambda: theory.theorem_3_constant(beta, scale, rows.dim, CHANCE))
        if constant >= (2 / math.sqrt(CHANCE)) ** (4 / (rows.dim - 1)):
            capacity = _finite(lambda: theory.theorem_3_patterns(beta, scale, rows.dim, CHANCE))
            source = f"random ones, but for p = {CHANCE:g} (Theorem 3, Ramsauer et al. 2021)"
    return Theory(load, capacity, source, error)


def _finite(number: Callable[[], float]) -> float:
    """The number, ∞ where float64 cannot hold it."""
    try:
        return float(number())
    except OverflowError:
        return math.inf
