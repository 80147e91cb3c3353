"""Sums of random signs and their tails, and exponentials that may overflow."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

EXPONENT = 700.0
"""Exponents up to which exp stays below the largest float64."""

NODES = 6000
"""Steps of an integral over a characteristic function."""


def bounded_exp(power: float) -> float:
    """Return exp(power); inf where that exceeds float64."""
    return math.inf if power > EXPONENT else math.exp(power)


@cache
def sum_of_signs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a sum of random signs, and their probabilities."""
    # From whole numbers, which do not round.
    ways = [1]
    for plus in range(count):
        ways.append(ways[-1] * (count - plus) // (plus + 1))
    return np.arange(-count, count + 1, 2), np.array([way / 2**count for way in ways])


def excess_chance(terms: Sequence[int], chance: np.ndarray, count: int, bound: int) -> float:
    """Return P(S > a), where S is a sum of independent terms, each with a random sign.

    It follows from the characteristic function φ(t)^k, φ(t) = ⟨cos(t g)⟩, on a lattice of span h:

        P(S > a) = ½ − (h/2π) ∫_0^{π/h} φ(t)^k sin(t(a + h/2)) / sin(ht/2) dt,    a on the lattice.

    Args:
        terms: the values g of a term.
        chance: their probabilities.
        count: k, the number of terms.
        bound: a.
    """
    # Distance of neighbours on the lattice: 2·gcd if all g are odd multiples of the gcd, else gcd.
    unit = math.gcd(*terms)
    odd = all(term // unit % 2 for term in terms)
    span = 2 * unit if odd else unit
    # The smallest value of the lattice above the bound.
    first = bound + span - (bound - (unit * count if odd else 0)) % span
    values = np.array(terms, dtype=float)
    width = math.sqrt(count * float(chance @ values**2))
    if width == 0:
        return float(bound < 0)
    # If the sum takes few values, integrate over the whole period, where equal steps are exact.
    # Otherwise stop after 12 widths of φᵏ: beyond, it is smaller than rounding errors.
    few = count * max(map(abs, terms)) < NODES * span
    top = math.pi / span if few else min(math.pi / span, 12 / width)
    t = (np.arange(NODES) + 0.5) * top / NODES
    size, place = np.unique(np.abs(values), return_inverse=True)  # the cosine is even
    weight = np.bincount(place, weights=chance)
    characteristic = np.cos(np.outer(t, size)) @ weight
    kernel = np.sin(t * (first - span / 2)) / np.sin(t * span / 2)
    power = np.sign(characteristic) ** count * np.abs(characteristic) ** count
    return max(0.0, 0.5 - span / (2 * math.pi) * float(np.sum(power * kernel)) * top / NODES)
