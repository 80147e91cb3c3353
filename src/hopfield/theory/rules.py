"""Learning rules beyond Hebb's: what perceptrons separate, and errors of the covariance rule."""

import math

import numpy as np
import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number

NEGLIGIBLE = 1e-20
"""Probability below which a term of a sum over cases is left out."""


def separable_share(patterns: int, inputs: int) -> float:
    """P(a perceptron separates n random patterns by random signs), n vectors in N dimensions.

        2^{1−n} Σ_{k<N} C(n − 1, k),   ½ at n = 2N;

    exact for vectors in general position, as rows of random ±1 are but for a vanishing share.
    Cover (1965), IEEE Trans. Electron. Comput. 14, 326. A unit of a network of N units has N − 1
    inputs.
    """
    count = check_integer("patterns", patterns, low=1)
    size = check_integer("inputs", inputs, low=1)
    return float(scipy.stats.binom.cdf(size - 1, count - 1, 0.5))


def perceptron_load(margin: float = 0.0) -> float:
    """α_c(κ) = 1/∫_{−κ}^∞ (t + κ)² Dt: the largest load of perceptrons with margin κ, N → ∞.

    D is the normal distribution; α_c(0) = 2. A margin is x_i h_i/‖W_i‖ ≥ κ for patterns of ±1.
    Gardner (1988), J. Phys. A 21, 257.
    """
    kappa = check_number("margin", margin, low=0.0, high=1e100)
    density = math.exp(-(kappa**2) / 2) / math.sqrt(2 * math.pi)
    return 1 / ((1 + kappa**2) * float(scipy.special.ndtr(kappa)) + kappa * density)


def covariance_bit_error(units: int, active: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable) under the covariance rule with its thresholds.

    Exact for n random patterns of N units, each with k entries +1: the field depends on how many
    other patterns have +1 at the unit, and on how many entries +1 these, and the rest, share with
    the pattern. As N → ∞ it is Q(1/√(α(1 − m²))), m = 2k/N − 1: errors are rarer at low activity
    (Amit, Gutfreund & Sompolinsky 1987; Tsodyks & Feigelman 1988).

    Args:
        units: N.
        active: k, between 1 and N − 1.
        patterns: n.
    """
    size = check_integer("units", units, low=2, high=10**4)
    ones = check_integer("active", active, low=1, high=size - 1)
    others = check_integer("patterns", patterns, low=1, high=10**4) - 1
    share = ones / size
    errors = (_error(size, ones, others, sign) for sign in (1, -1))
    return sum(a * error for a, error in zip((share, 1 - share), errors, strict=True))


def _error(size: int, ones: int, others: int, sign: int) -> float:
    # P(the field of a unit of this sign is against it). Times N³, all fields are whole numbers.
    excess = 2 * ones - size  # N·m
    own = (sign * size - excess) * (size * (size - 1) - excess * (excess - sign))
    signal = own - excess * (excess**2 - size**2)
    active = np.arange(others + 1)  # how many of the other patterns have +1 at the unit
    chance = scipy.stats.binom.pmf(active, others, ones / size)
    error = 0.0
    for count in active[chance > NEGLIGIBLE].tolist():
        fields, chances = _crosstalk(size, ones, sign, 1, count)
        rest, rest_chances = _crosstalk(size, ones, sign, -1, others - count)
        order = rest.argsort()
        up_to = np.concatenate([[0.0], rest_chances[order].cumsum()])
        # A field of 0 keeps the unit.
        place = np.searchsorted(rest[order], -signal - fields, side="left" if sign > 0 else "right")
        against = up_to[place] if sign > 0 else up_to[-1] - up_to[place]
        error += float(chance[count] * (chances @ against))
    return error


def _crosstalk(
    size: int, ones: int, sign: int, other: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    # The part of the field from `count` patterns with the entry `other` at the unit, times N³, and
    # its probabilities: it depends on how many entries +1 these share with the pattern in total.
    excess = 2 * ones - size
    own_ones, other_ones = ones - (sign > 0), ones - (other > 0)  # without the unit
    shared = np.arange(min(own_ones, other_ones) + 1)
    chance = scipy.stats.hypergeom.pmf(shared, size - 1, own_ones, other_ones)
    mean = float(chance @ shared)
    deviation = math.sqrt(count * float(chance @ (shared - mean) ** 2))
    # Totals within 12 standard deviations, by a circular convolution of that length.
    length = min(count * (len(shared) - 1) + 1, int(24 * deviation) + len(shared))
    length = scipy.fft.next_fast_len(length)
    first = max(0, round(count * mean) - length // 2)
    totals = first + np.arange(length)
    spectrum = np.fft.rfft(np.bincount(shared % length, chance, length)) ** count
    chances = np.fft.irfft(spectrum, length).clip(0)[totals % length]
    fixed = size * (size - 1 - 2 * (own_ones + other_ones)) - excess * (excess - sign)
    return (other * size - excess) * (count * fixed + 4 * size * totals), chances
