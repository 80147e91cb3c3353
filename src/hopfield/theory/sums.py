"""Sums of random signs and their tails, and exponentials that may overflow."""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np

EXPONENT = 700.0
"""Exponents up to which exp stays below the largest float64."""

NODES, MOST_NODES = 6000, 2**20
"""Least and largest number of steps of an integral over a characteristic function."""

NEGLIGIBLE = 1e-13
"""Size of a characteristic function beyond which its integral ends."""

FEW_CASES = 10**5
"""Number of cases up to which all are counted, without an integral."""

BLUR = 7.0
"""Widths of a normal distribution to which its characteristic function is followed: e^(−49/2)."""


def bounded_exp(power: float) -> float:
    """Return exp(power); inf where that exceeds float64."""
    return math.inf if power > EXPONENT else math.exp(power)


def bounded_ratio(number: int, other: int) -> float:
    """Return number / other of whole numbers of any size; inf where that exceeds float64."""
    return number / other if number < other * 2**1000 else math.inf


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

    Numbers are divided by the largest term, which may exceed float64. If the lattice has more than
    `MOST_NODES` points, sums within about 1e-5 of a, in this unit, may count half.

    Args:
        terms: the values g of a term.
        chance: their probabilities.
        count: k, the number of terms.
        bound: a.
    """
    if (2 * len(terms)) ** count <= FEW_CASES:
        return _excess_of_all_cases(terms, chance, count, bound)
    # Distance of neighbours on the lattice: 2·gcd if all g are odd multiples of the gcd, else gcd.
    unit = math.gcd(*terms)
    odd = all(term // unit % 2 for term in terms)
    span = 2 * unit if odd else unit
    # The smallest value of the lattice above the bound.
    first = bound + span - (bound - (unit * count if odd else 0)) % span
    largest = max(map(abs, terms))
    values = np.array([term / largest for term in terms])
    width = math.sqrt(count * float(chance @ values**2))
    size, place = np.unique(np.abs(values), return_inverse=True)  # the cosine is even
    weight = np.bincount(place, weights=chance)

    def power(t: np.ndarray) -> np.ndarray:
        phi = sum(share * np.cos(t * number) for share, number in zip(weight, size, strict=True))
        return np.sign(phi) ** count * np.abs(phi) ** count

    # The integral ends where φᵏ is smaller than rounding errors, for instance after 12 widths. With
    # terms of very different sizes it decays slowly, and is followed as if S had a little noise.
    step, middle = span / largest, (2 * first - span) / (2 * largest)
    reach = abs(middle) + min(count, 9 * width + 25)  # larger sums have P < 1e-16 (Bernstein)
    blur = BLUR * reach / (math.pi * MOST_NODES)
    last = 1 / max(blur / BLUR, step / math.pi)  # at most a period, after which φ is 1 again
    scan = np.geomspace(12 / width, max(12 / width, last), 1000)
    top = float(scan[np.abs(power(scan)) > NEGLIGIBLE].max(initial=12 / width))
    nodes, period = max(NODES, math.ceil(top * reach / math.pi)), count * largest // span + 1
    if period <= min(nodes, MOST_NODES):  # equal steps over the whole period are exact
        top, nodes = math.pi / step, period
    t = (np.arange(nodes) + 0.5) * top / nodes
    kernel = np.sin(t * middle) / (t * np.sinc(t * step / (2 * math.pi)))
    if nodes > MOST_NODES / 2 and nodes != period:
        kernel *= np.exp(-((t * blur) ** 2) / 2)
    return max(0.0, 0.5 - float(np.sum(power(t) * kernel)) * top / (math.pi * nodes))


def _excess_of_all_cases(terms: Sequence[int], chance: np.ndarray, count: int, bound: int) -> float:
    sums: dict[int, float] = {0: 1.0}
    for _ in range(count):
        following: defaultdict[int, float] = defaultdict(float)
        for value, share in sums.items():
            for term, part in zip(terms, (share * chance / 2).tolist(), strict=True):
                following[value + term] += part
                following[value - term] += part
        sums = following
    return sum(share for value, share in sums.items() if value > bound)
