"""Sums of random signs, and exponentials that may overflow."""

import math
from functools import cache

import numpy as np

EXPONENT = 700.0
"""Exponents up to which exp stays below the largest float64."""


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
