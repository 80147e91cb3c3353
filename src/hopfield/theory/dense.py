"""Dense networks: errors of bits by degree, and exponentially many patterns."""

import math

import numpy as np
import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number
from .sums import EXPONENT, bounded_exp, bounded_ratio, excess_chance, sum_of_signs


def bit_error(degree: int, units: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable), dense network of F = s^d, for large N.

    Q(√(N^{d−1} / (n(2d − 3)!!))); Krotov & Hopfield (2016), eq. 5.
    """
    degree, units, patterns = _network(degree, units, patterns)
    variance = bounded_ratio(patterns * _double_factorial(degree), units ** (degree - 1))
    return float(scipy.special.ndtr(-1 / math.sqrt(variance))) if variance else 0.0


def error_free_patterns(degree: int, units: int) -> float:
    """Number of patterns stored without errors as N → ∞: N^{d−1} / (2(2d − 3)!! ln N).

    Krotov & Hopfield (2016), eq. 7.
    """
    degree, units, _ = _network(degree, units, 1)
    ratio = bounded_ratio(units ** (degree - 1), _double_factorial(degree))
    return ratio / (2 * math.log(units))


def bit_error_exact(degree: int, units: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable) at finite N and n, without normal approximation.

    A bit turns if Σ_{μ>1} ξ_μ g(s_μ) < −g(N − 1), g(u) = (u + 1)^d − (u − 1)^d, ξ_μ a random sign
    and s_μ the sum of N − 1 random signs. The terms are independent, so the tail follows from
    their characteristic function, as in `sequence_error_exact`.
    """
    degree, units, patterns = _network(degree, units, patterns)
    sums, chance = sum_of_signs(units - 1)
    terms = [(int(u) + 1) ** degree - (int(u) - 1) ** degree for u in sums]
    signal = units**degree - (units - 2) ** degree
    return excess_chance(terms, chance, patterns - 1, signal)


def _network(degree: int, units: int, patterns: int) -> tuple[int, int, int]:
    return (
        check_integer("degree", degree, low=2),
        check_integer("units", units, low=2),
        check_integer("patterns", patterns, low=1),
    )


def _double_factorial(degree: int) -> int:
    return int(scipy.special.factorial2(2 * degree - 3, exact=True))


def exponential_rate(x: float) -> float:
    """I(x) = ½[(1 + x) ln(1 + x) + (1 − x) ln(1 − x)], for −1 ≤ x ≤ 1 (Cramér, random signs)."""
    value = check_number("x", x, low=-1.0, high=1.0)
    return 0.5 * sum((1 + u) * math.log(1 + u) for u in (value, -value) if u > -1)


def exponential_patterns(units: int, flipped: float) -> float:
    """exp(N I(1 − 2ρ)/2): the number of patterns up to which a sweep corrects ρN flipped units.

    Holds at β = 1 for one synchronous sweep, with probability → 1 as N → ∞. Demircigil et al.
    (2017), J. Stat. Phys. 168, 288, Theorem 3.
    """
    share = check_number("flipped", flipped, low=0.0, high=0.5)
    rate = exponential_rate(1 - 2 * share)
    return bounded_exp(check_integer("units", units, low=1) * rate / 2)


def exponential_failure(units: int, flips: int, patterns: int, beta: float = 1.0) -> float:
    """Bound P(one synchronous sweep does not recall), for any N, n and number of flips.

    A bit is wrong only if another pattern with s ≥ c opposes it (union bound), or if the patterns
    with s < c together outweigh the signal (Bernstein's or Chebyshev's bound). The c with the
    smallest sum of both is used. This follows the proof of Demircigil et al. (2017).
    """
    check_integer("patterns", patterns, low=1)
    check_integer("flips", flips, low=0, high=check_integer("units", units, low=2))
    beta = check_number("beta", beta, low=0.0, high=1e50)
    sums, chance = sum_of_signs(units - 1)
    others, total = patterns - 1, 0.0
    for wrong, bits in ((flips, units - flips), (flips - 1, flips)):
        if bits:
            signal = units - 1 - 2 * wrong
            power = np.clip(beta * (sums - signal), -EXPONENT / 4, EXPONENT / 4)
            # Each cut lies between two scores; the last one lies below all of them.
            variance = others * np.cumsum(chance * np.exp(2 * power))[:-1]
            bernstein = np.exp(-0.5 / (variance + np.exp(power[:-1]) / 3))
            large = 0.5 * others * np.cumsum(chance[::-1])[::-1]
            bounds = large[1:] + np.minimum(bernstein, 0.5 * variance)
            total += bits * min(1.0, large[0], *bounds)
    return float(min(1.0, total))
