"""Sequences: critical load, overlap and errors, by the degree of the update.

The field on a unit is Σ_μ y_μ s_μ^d / N^d, where y_μ follows x_μ: d is 1 for asymmetric Hebb, and
the potential of that network is F = Σ s^{d+1}. The crosstalk of n random steps at a stored one has
the variance α = n(2d − 1)!!/N^d, the load.
"""

import math
from functools import cache

import scipy  # its modules are loaded when they are first used

from ..checks import check_flag, check_integer, check_number
from .sums import bounded_ratio, excess_chance, sum_of_signs

MOST_DEGREE = 1000
"""Largest degree; the numbers of a higher one have too many digits."""


def sequence_load(degree: int, units: int, steps: int) -> float:
    """α = n(2d − 1)!!/N^d, the variance of the crosstalk: n/N for d = 1.

    Args:
        degree: d, of the update.
        units: N.
        steps: n, the number of stored steps.
    """
    degree, units, steps = _network(degree, units, steps)
    return bounded_ratio(steps * _moment(degree), units**degree)


def sequence_critical_load(degree: int = 1) -> float:
    """α_c: the largest load at which random sequences are recalled, N → ∞, T = 0.

    0.269 for d = 1 (Düring, Coolen & Sherrington 1998, J. Phys. A 31, 8607). It is the maximum
    over y of α(y) in `sequence_overlap`.
    """
    degree = check_integer("degree", degree, low=1, high=MOST_DEGREE)
    return _load_at(_largest(degree), degree)


def sequence_overlap(load: float, degree: int = 1) -> float:
    """Overlap m with the right step while a random sequence is recalled, N → ∞, T = 0.

    It is m = erf(y) at the largest root y of α(y) = α, 0 above `sequence_critical_load`:

        d = 1    α(y) = ½ [m²/y² − (4/π) exp(−2y²)],
        d > 1    α(y) = ½ m^{2d}/y².

    For d = 1, n/N times r = 1/(1 − χ²) is the variance of the crosstalk: the small overlap with
    any other step is carried on to the step that follows, χ = (2y/(m√π)) exp(−y²) times as large.
    For d > 1 it vanishes as N → ∞, and one step is m' = erf(m^d/√(2α)).

    Args:
        load: α > 0, as in `sequence_load`.
        degree: d, of the update.
    """
    alpha = check_number("load", load, low=1e-12)
    if alpha > sequence_critical_load(degree):
        return 0.0
    low = _largest(degree)
    high = 1 / math.sqrt(2 * alpha) + low  # α(y) < 1/(2y²)
    root = scipy.optimize.brentq(lambda y: _load_at(y, degree) - alpha, low, high, xtol=1e-15)
    return math.erf(root)


def sequence_steps(degree: int, units: int, whole: bool = False) -> float:
    """Number of steps that random sequences recall without errors as N → ∞.

    N^d/(2(2d − 1)!! ln N): each step follows with probability → 1. With `whole`, all steps of the
    sequence do: d + 1 times fewer. Chaudhry et al. (2023), "Long sequence Hopfield memory".

    Args:
        degree: d, of the update.
        units: N.
        whole: whether no step may have an error.
    """
    degree, units, _ = _network(degree, check_integer("units", units, low=2), 1)  # ln 1 = 0
    count = bounded_ratio(units**degree, 2 * _moment(degree)) / math.log(units)
    return count / (degree + 1) if check_flag("whole", whole) else count


def sequence_error_exact(degree: int, units: int, steps: int) -> float:
    """P(a bit is wrong after one step from a stored one) at finite N and n, without approximation.

    With σ the right value, a bit is wrong if S = Σ_{μ>1} σ y_μ s_μ^d < −N^d, and with probability ½
    if S = −N^d, where it keeps its value. σ y_μ is a random sign and s_μ the sum of N random signs.
    These are independent for random y_μ, and in random sequences that do not close.

    Args:
        degree: d, of the update.
        units: N.
        steps: n, the number of stored steps.
    """
    degree, units, steps = _network(degree, units, steps)
    sums, chance = sum_of_signs(units)
    terms = [int(s) ** degree for s in sums]
    signal = units**degree
    return sum(excess_chance(terms, chance, steps - 1, signal - tie) for tie in (0, 1)) / 2


def _network(degree: int, units: int, steps: int) -> tuple[int, int, int]:
    return (
        check_integer("degree", degree, low=1, high=MOST_DEGREE),
        check_integer("units", units, low=1),
        check_integer("steps", steps, low=1),
    )


def _moment(degree: int) -> int:
    # (2d − 1)!!, the moment ⟨z^{2d}⟩ of a normal variable.
    return int(scipy.special.factorial2(2 * degree - 1, exact=True))


def _load_at(y: float, degree: int) -> float:
    carried = 4 / math.pi * math.exp(-2 * y * y) if degree == 1 else 0.0
    return 0.5 * (math.erf(y) ** (2 * degree) / y**2 - carried)


@cache
def _largest(degree: int) -> float:
    # The place of the largest α(y), which is the only maximum.
    result = scipy.optimize.minimize_scalar(
        lambda y: -_load_at(y, degree), bounds=(0.2, 4.0), options={"xatol": 1e-9}
    )
    return float(result.x)
