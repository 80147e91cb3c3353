"""Published predictions for these networks as functions of plain numbers, each with its source.

N is the number of units, n the number of patterns, α = n/N their load.
"""

import math
from functools import cache

import numpy as np
import scipy  # its modules are loaded when they are first used

from .checks import check_integer, check_number
from .errors import DomainError

EXPONENT = 700.0
"""Exponents up to which exp stays below the largest float64."""
NODES = 6000
"""Steps of an integral over a characteristic function."""


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


def bit_error(degree: int, units: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable), dense network of F = s^d, for large N.

    Q(√(N^{d−1} / (n(2d − 3)!!))); Krotov & Hopfield (2016), eq. 5.
    """
    degree, units, patterns = _network(degree, units, patterns)
    variance = patterns * _double_factorial(degree) / units ** (degree - 1)
    return float(scipy.special.ndtr(-1 / math.sqrt(variance))) if variance else 0.0


def error_free_patterns(degree: int, units: int) -> float:
    """Number of patterns stored without errors as N → ∞: N^{d−1} / (2(2d − 3)!! ln N).

    Krotov & Hopfield (2016), eq. 7.
    """
    degree, units, _ = _network(degree, units, 1)
    return units ** (degree - 1) / (2 * _double_factorial(degree) * math.log(units))


def bit_error_exact(degree: int, units: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable) at finite N and n, without normal approximation.

    A bit turns if Σ_{μ>1} ξ_μ g(s_μ) < −g(N − 1), g(u) = (u + 1)^d − (u − 1)^d, ξ_μ a random sign
    and s_μ the sum of N − 1 random signs. The terms are independent, so the tail follows from
    their characteristic function φ(t)^{n−1}, φ(t) = ⟨cos(t g(s))⟩, on a lattice of span h:

        P(S > a) = ½ − (h/2π) ∫_0^{π/h} φ(t)^{n−1} sin(t(a + h/2)) / sin(ht/2) dt.
    """
    degree, units, patterns = _network(degree, units, patterns)
    sums, chance = _sum_of_signs(units - 1)
    terms = [(int(u) + 1) ** degree - (int(u) - 1) ** degree for u in sums]
    # Distance of neighbours on the lattice: 2·gcd if all g are odd multiples of the gcd, else gcd.
    unit = math.gcd(*terms)
    odd = all(term // unit % 2 for term in terms)
    span = 2 * unit if odd else unit
    signal = units**degree - (units - 2) ** degree
    # The smallest value of the lattice above the signal.
    first = signal + span - (signal - (unit * (patterns - 1) if odd else 0)) % span
    values = np.array(terms, dtype=float)
    width = math.sqrt((patterns - 1) * float(chance @ values**2))
    if width == 0:
        return 0.0
    # If the sum takes few values, integrate over the whole period, where equal steps are exact.
    # Otherwise stop after 12 widths of φ^{n−1}: beyond, it is smaller than rounding errors.
    few = (patterns - 1) * max(map(abs, terms)) < NODES * span
    top = math.pi / span if few else min(math.pi / span, 12 / width)
    t = (np.arange(NODES) + 0.5) * top / NODES
    size, place = np.unique(np.abs(values), return_inverse=True)  # the cosine is even
    weight = np.bincount(place, weights=chance)
    characteristic = np.cos(np.outer(t, size)) @ weight
    kernel = np.sin(t * (first - span / 2)) / np.sin(t * span / 2)
    power = np.sign(characteristic) ** (patterns - 1) * np.abs(characteristic) ** (patterns - 1)
    return max(0.0, 0.5 - span / (2 * math.pi) * float(np.sum(power * kernel)) * top / NODES)


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
    return math.exp(check_integer("units", units, low=1) * exponential_rate(1 - 2 * share) / 2)


def exponential_failure(units: int, flips: int, patterns: int, beta: float = 1.0) -> float:
    """Bound P(one synchronous sweep does not recall), for any N, n and number of flips.

    A bit is wrong only if another pattern with s ≥ c opposes it (union bound), or if the patterns
    with s < c together outweigh the signal (Bernstein's or Chebyshev's bound). The c with the
    smallest sum of both is used. This follows the proof of Demircigil et al. (2017).
    """
    check_integer("patterns", patterns, low=1)
    check_integer("flips", flips, low=0, high=check_integer("units", units, low=2))
    beta = check_number("beta", beta, low=0.0, high=1e50)
    sums, chance = _sum_of_signs(units - 1)
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


def theorem_3_constant(beta: float, scale: float, dim: int, chance: float) -> float:
    """c of Theorem 3: N ≥ √p c^{(d−1)/4} random patterns of norm K√(d−1) are stored, w. p. 1 − p.

    c = b / W(exp(a + ln b)), a = 2(1 + ln(2βK²p(d − 1)))/(d − 1), b = 2K²β/5, W the upper branch
    of Lambert's function: Wright's ω(a + ln b). Ramsauer et al. (2021); c ≥ (2/√p)^{4/(d−1)} is
    required.

    Args:
        beta: β.
        scale: K.
        dim: d.
        chance: p, the probability of failure.
    """
    beta = check_number("beta", beta, low=1e-50, high=1e50)
    scale = check_number("scale", scale, low=1e-50, high=1e50)
    dim, chance = (
        check_integer("dim", dim, low=2),
        check_number("chance", chance, low=1e-300, high=1.0),
    )
    a = 2 / (dim - 1) * (1 + math.log(2 * beta * scale**2 * chance * (dim - 1)))
    b = 2 * scale**2 * beta / 5
    return b / float(scipy.special.wrightomega(a + math.log(b)))


def theorem_3_patterns(beta: float, scale: float, dim: int, chance: float) -> float:
    """√p c^{(d−1)/4}: number of random patterns that Theorem 3 guarantees."""
    constant = theorem_3_constant(beta, scale, dim, chance)
    return math.sqrt(chance) * _exp((dim - 1) / 4 * math.log(constant))


def update_error(count: int, beta: float, margin: float, distance: float, largest: float) -> float:
    """Bound on ‖f(ξ) − x_i‖ after one update: 2(n − 1) exp(−β(Δ_i − 2 d M)) M.

    Theorem 5 of Ramsauer et al. (2021), for ξ and x_i* in the sphere of radius 1/(2βM) about x_i.

    Args:
        count: n.
        beta: β.
        margin: Δ_i = x_i·x_i − max_{j≠i} x_i·x_j.
        distance: d = max(‖ξ − x_i‖, ‖x_i* − x_i‖).
        largest: M = max ‖x_μ‖.
    """
    shift = 2 * check_number("distance", distance) * check_number("largest", largest)
    return fixed_point_error(count, beta, check_number("margin", margin) - shift, largest) / math.e


def fixed_point_error(count: int, beta: float, margin: float, largest: float) -> float:
    """Bound on ‖x_i − x_i*‖: 2e(n − 1) M exp(−βΔ_i); Theorem 5, arguments as `update_error`."""
    others = check_integer("count", count, low=1) - 1
    beta, largest = check_number("beta", beta, low=0.0), check_number("largest", largest, low=0.0)
    return 2 * math.e * others * largest * _exp(-beta * check_number("margin", margin))


def two_patterns_apart(distance: float) -> float:
    """4/d²: the β above which a memory of two patterns at distance d has two attractors.

    On the line between the patterns x' = ½ d tanh(½ β d x), with x measured from their midpoint,
    for Euclidean scores or equal norms. Below that β the midpoint is the only attractor.
    """
    return 4 / check_number("distance", distance, low=1e-150, high=1e150) ** 2


def sparse_margin(alpha: float, beta: float) -> float:
    """1/((α − 1)β): a unit-norm pattern is an exact fixed point of α-entmax iff Δ_i ≥ this.

    Santos et al. (2024), "Sparse and structured Hopfield networks"; sparsemax is α = 2.
    """
    steepness = check_number("alpha", alpha, low=1.0 + 1e-9) - 1
    return 1 / (steepness * check_number("beta", beta, low=1e-150))


def sparse_fixed_share(count: int, dim: int, margin: float) -> float:
    """P(Δ_i ≥ margin) of one of n random unit vectors: P(x·y ≤ 1 − margin)^{n−1}."""
    cut = 1 - check_number("margin", margin)
    return (1 - sphere_tail(dim, min(1.0, cut))) ** (check_integer("count", count, low=1) - 1)


def sphere_tail(dim: int, cosine: float) -> float:
    """P(x·y > c) of two random unit vectors: ½ I_{1−c²}((d − 1)/2, ½) for c ≥ 0 (Li 2011)."""
    half = (check_integer("dim", dim, low=2) - 1) / 2
    cosine = min(max(check_number("cosine", cosine), -1.0), 1.0)
    upper = 0.5 * float(scipy.special.betainc(half, 0.5, 1 - cosine**2))
    return upper if cosine >= 0 else 1 - upper


def storkey_patterns(units: int) -> float:
    """N/√(2 ln N): absolute capacity of Storkey's rule as N → ∞ (Storkey 1997)."""
    return units / math.sqrt(2 * math.log(check_integer("units", units, low=2)))


def _mean_overlap(y: float, count: int) -> float:
    # m = ⟨(S/k) erf(Sy)⟩.
    sums, chance = _sum_of_signs(count)
    return float(chance @ (sums / count * scipy.special.erf(sums * y)))


def _noise(y: float, count: int) -> float:
    # g(y) of `retrieval_overlap`.
    sums, chance = _sum_of_signs(count)
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


def _exp(power: float) -> float:
    return math.inf if power > EXPONENT else math.exp(power)


@cache
def _sum_of_signs(count: int) -> tuple[np.ndarray, np.ndarray]:
    # Values of a sum of random signs, and their probabilities from whole numbers.
    ways = [1]
    for plus in range(count):
        ways.append(ways[-1] * (count - plus) // (plus + 1))
    return np.arange(-count, count + 1, 2), np.array([way / 2**count for way in ways])
