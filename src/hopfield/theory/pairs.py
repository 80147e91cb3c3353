"""Kosko's bidirectional memory of random pairs: its critical load, overlap and first error.

N is the number of units of either side, n the number of pairs, α = n/N the load.
"""

import math

import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number

ROOT_PI = math.sqrt(math.pi)


def bidirectional_load() -> float:
    """α_c ≈ 0.1998: the largest load at which N + N units recall random pairs, N → ∞, T = 0.

    The maximum over y of the α(y) of `bidirectional_overlap`; Kurchan, Peliti & Saber (1994),
    J. Phys. I France 4, 1627; Shouno, Kido & Okada (2004).
    """
    return _load(_steepest())


def bidirectional_overlap(load: float) -> float:
    """Overlap m = x·x_μ/N of the retrieval state of N + N units, N → ∞, T = 0.

    It is m = erf(y) at the largest root y of α = α(y),

        α(y) = ½ (m/y)² (1 − C²)²/(1 + C²),    C = (2/√π) y exp(−y²)/m,

    where C is the response of one side to the crosstalk of the other. Above `bidirectional_load`
    it is 0.

    Args:
        load: α = n/N > 0.
    """
    alpha, low = check_number("load", load, low=1e-12), _steepest()
    if alpha >= _load(low):
        return 0.0 if alpha > _load(low) else math.erf(low)
    high = 1 / math.sqrt(2 * alpha) + 1  # α(y) < ½/y²
    return math.erf(scipy.optimize.brentq(lambda y: _load(y) - alpha, low, high, xtol=1e-15))


def bidirectional_bit_error(width: int, pairs: int) -> float:
    """P(a unit of y differs from y_μ after y' = sign(x_μW)), for n random pairs, exactly.

    Its field is N plus a sum of N(n − 1) random signs; a field of 0 keeps the unit.

    Args:
        width: N, the number of units of x.
        pairs: n ≥ 1.
    """
    width = check_integer("width", width, low=1)
    terms = width * (check_integer("pairs", pairs, low=1) - 1)
    most = (terms - width - 1) // 2  # the largest number of +1 whose sum lies below −N
    return float(scipy.stats.binom.cdf(most, terms, 0.5))


def _load(y: float) -> float:
    overlap = math.erf(y)
    response = 2 / ROOT_PI * y * math.exp(-y * y) / overlap
    return 0.5 * (overlap / y) ** 2 * (1 - response**2) ** 2 / (1 + response**2)


def _steepest() -> float:
    best = scipy.optimize.minimize_scalar(
        lambda y: -_load(y), bounds=(0.5, 3.0), method="bounded", options={"xatol": 1e-12}
    )
    return float(best.x)
