"""Graded units of one stored pattern: the overlap of their fixed point, and the critical gain."""

import math

import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number


def critical_gain(units: int | None = None) -> float:
    """Gain N/(N − 1), 1 for N → ∞, above which one pattern is a fixed point of Hebb's rule.

    There gain·λ_max(W) = leak = 1, with W = xxᵀ/N without its diagonal; Hopfield (1984), PNAS 81,
    3088.

    Args:
        units: N ≥ 2; None is N → ∞.
    """
    if units is None:
        return 1.0
    return check_integer("units", units, low=2) / (units - 1)


def graded_overlap(gain: float, units: int | None = None) -> float:
    """Overlap m = v·x/N of the fixed point of one pattern, m = tanh(gain·m·(1 − 1/N)).

    It is the mean-field equation of a ferromagnet at temperature 1/gain, exact at any N; 0 up to
    `critical_gain`.

    Args:
        gain: the gain, over the leak.
        units: N ≥ 2; None is N → ∞.
    """
    slope = check_number("gain", gain, low=0.0, high=1e12) / critical_gain(units)
    if slope <= 1:
        return 0.0
    low = min(1.0, math.sqrt(3 * (slope - 1) / slope**3)) / 2  # tanh(x) > x − x³/3
    return float(scipy.optimize.brentq(lambda m: math.tanh(slope * m) - m, low, 1.0, xtol=1e-15))
