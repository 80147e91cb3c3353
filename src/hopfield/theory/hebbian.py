"""Hebb's rule: its critical load, and overlaps with and without temperature."""

import math
from functools import cache

import numpy as np
import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number
from ..errors import DomainError
from .sums import sum_of_signs


def critical_load(count: int = 1) -> float:
    """α_c ≈ 0.137906: the largest load at which Hebb's rule retrieves, N → ∞, T = 0.

    The maximum over y of ½ g(y)², with g of `retrieval_overlap`; Amit, Gutfreund & Sompolinsky
    (1985), Phys. Rev. Lett. 55, 1530.

    Args:
        count: k, the number of patterns in a mixture: 0.0309 for three.
    """
    return 0.5 * _noise(_steepest(check_integer("count", count, low=1)), count) ** 2


def retrieval_overlap(load: float, count: int = 1) -> float:
    """Overlap m = x·x_μ/N of the retrieval state of Hebb's rule at T = 0, N → ∞.

    It is m at the largest root y of √(2α) = g(y),

        g(y) = m/y − (2/√π) ⟨exp(−S²y²)⟩,    m = ⟨(S/k) erf(Sy)⟩,

    with S the sum of k random signs: for k = 1, m = erf(y) and g = erf(y)/y − (2/√π) exp(−y²).
    Above `critical_load` it is 0. As α → 0, m is the overlap of the sign of a sum of k patterns
    with each of them: ½ for three. Amit, Gutfreund & Sompolinsky (1985, 1987).

    Args:
        load: α = n/N > 0.
        count: k, odd: the number of patterns whose symmetric mixture is retrieved.
    """
    alpha = check_number("load", load, low=1e-12)
    if check_integer("count", count, low=1) % 2 == 0:
        raise DomainError(f"count must be odd: else the sign of a sum can be 0. It is {count}.")
    if alpha > critical_load(count):
        return 0.0
    target = math.sqrt(2 * alpha)
    low, high = _steepest(count), 1 / target + 1  # g(y) < 1/y
    if _noise(low, count) <= target:
        return _mean_overlap(low, count)
    root = scipy.optimize.brentq(lambda y: _noise(y, count) - target, low, high, xtol=1e-15)
    return _mean_overlap(root, count)


def first_sweep_overlap(load: float) -> float:
    """Overlap after the first synchronous step from a pattern, Hebb's rule: m = erf(1/√(2α)).

    The crosstalk of n patterns is normal with variance α as N → ∞ (Hopfield 1982; Kinzel 1985).
    """
    return math.erf(1 / math.sqrt(2 * check_number("load", load, low=1e-12)))


def thermal_overlap(load: float, temperature: float) -> float:
    """Overlap of the retrieval state of Hebb's rule at temperature T, N → ∞.

    The fixed point reached from m = q = 1 of

        m = ⟨tanh((m + √(αr) z)/T)⟩,  q = ⟨tanh²(…)⟩,  r = q/(1 − C)²,  C = (1 − q)/T,

    z normal; 0 where that flows to m = 0. Amit, Gutfreund & Sompolinsky (1987), Ann. Phys. 173, 30.

    Args:
        load: α = n/N ≥ 0.
        temperature: T > 0.
    """
    alpha = check_number("load", load, low=0.0, high=1e12)
    check_number("temperature", temperature, low=1e-3)
    z = np.linspace(-8, 8, 4001)  # near T = 0 the integrand is almost a step
    weight = np.exp(-(z**2) / 2)
    weight = weight / weight.sum()
    m = q = 1.0
    for _ in range(5000):
        rest = 1 - (1 - q) / temperature
        r = q / rest**2 if rest > 0 else math.inf
        if math.isinf(r):
            return 0.0
        mean = np.tanh((m + math.sqrt(alpha * r) * z) / temperature)
        before, m, q = m, float(weight @ mean), float(weight @ mean**2)
        if abs(m - before) < 1e-12:
            break
    return m if m > 1e-6 else 0.0


def storkey_patterns(units: int) -> float:
    """N/√(2 ln N): absolute capacity of Storkey's rule as N → ∞ (Storkey 1997)."""
    return units / math.sqrt(2 * math.log(check_integer("units", units, low=2)))


def _mean_overlap(y: float, count: int) -> float:
    # m = ⟨(S/k) erf(Sy)⟩.
    sums, chance = sum_of_signs(count)
    return float(chance @ (sums / count * scipy.special.erf(sums * y)))


def _noise(y: float, count: int) -> float:
    # g(y) of `retrieval_overlap`.
    sums, chance = sum_of_signs(count)
    density = float(chance @ np.exp(-((sums * y) ** 2)))
    return _mean_overlap(y, count) / y - 2 / math.sqrt(math.pi) * density


@cache
def _steepest(count: int) -> float:
    # The place of the largest g; a coarse scan first, since mixtures have lower maxima too.
    places = [0.3 + 0.02 * i for i in range(250)]
    top = max(places, key=lambda y: _noise(y, count))
    result = scipy.optimize.minimize_scalar(
        lambda y: -_noise(y, count), bounds=(top - 0.02, top + 0.02), options={"xatol": 1e-9}
    )
    return float(result.x)
