"""What theory says of these networks: numbers in, numbers out, each with its source.

Nothing here looks at a memory. N is the number of units, n that of patterns, α = n/N their load.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from .checks import check_integer, check_number
from .errors import DomainError

EXPONENT = 700.0
"""Beyond it exp overflows float64."""
NODES = 6000
"""Steps of an integral over a characteristic function."""


def gaussian_tail(x: float) -> float:
    """Q(x) = P(z > x) of a standard normal z."""
    return 0.5 * math.erfc(x / math.sqrt(2))


@cache
def critical_load(count: int = 1) -> float:
    """α_c ≈ 0.137906: the largest load at which Hebb's rule retrieves, N → ∞, T = 0.

    The maximum over y of ½ g(y)², g as for `retrieval_overlap`; Amit, Gutfreund & Sompolinsky
    (1985), Phys. Rev. Lett. 55, 1530.

    Args:
        count: k, for mixtures of so many patterns: 0.0309 for three.
    """
    return 0.5 * _noise(_steepest(count), count) ** 2


def retrieval_overlap(load: float, count: int = 1) -> float:
    """Overlap m = x·x_μ/N of the retrieval state of Hebb's rule at T = 0, N → ∞.

    At the largest root y of √(2α) = g(y),

        g(y) = m/y − (2/√π) ⟨exp(−S²y²)⟩,    m = ⟨(S/k) erf(Sy)⟩,

    S the sum of k random signs: for k = 1, m = erf(y) and g = erf(y)/y − (2/√π) exp(−y²). 0 above
    `critical_load`. Amit, Gutfreund & Sompolinsky (1985, 1987).

    Args:
        load: α = n/N > 0.
        count: k, odd: the state is the symmetric mixture of so many patterns.
    """
    alpha = check_number("load", load, low=1e-12)
    if alpha > critical_load(_odd(count)):
        return 0.0
    target = math.sqrt(2 * alpha)
    low, high = _steepest(count), 1 / target + 1  # g(y) < 1/y
    return _held(_root(lambda y: target - _noise(y, count), low, high), count)


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
    alpha = check_number("load", load, low=0.0)
    heat = check_number("temperature", temperature, low=1e-3)
    z = np.linspace(-8, 8, 4001)  # the integrand is a step at T = 0: too sharp for Gauss's nodes
    weight = np.exp(-(z**2) / 2)
    weight = weight / weight.sum()
    m = q = 1.0
    for _ in range(5000):
        rest = 1 - (1 - q) / heat
        r = q / rest**2 if rest > 0 else math.inf
        if math.isinf(r):
            return 0.0
        held = np.tanh((m + math.sqrt(alpha * r) * z) / heat)
        before, m, q = m, float(weight @ held), float(weight @ held**2)
        if abs(m - before) < 1e-12:
            break
    return m if m > 1e-6 else 0.0


def mixture_overlap(count: int) -> float:
    """Overlap of the sign of a sum of `count` (odd) random patterns with each of them, N → ∞.

    2^{−(k−1)} binom(k − 1, (k − 1)/2): ½ for three. Amit, Gutfreund & Sompolinsky (1985), Phys.
    Rev. A 32, 1007.
    """
    k = _odd(count)
    return math.comb(k - 1, (k - 1) // 2) / 2 ** (k - 1)


def double_factorial(odd: int) -> int:
    """1·3·5·…·odd; 1 for odd ≤ 1."""
    return math.prod(range(1, odd + 1, 2))


def bit_error(degree: int, units: int, patterns: int) -> float:
    """P(a bit of a stored pattern is unstable), dense network of F = s^d, for large N.

    Q(√(N^{d−1} / (n(2d − 3)!!))); Krotov & Hopfield (2016), eq. 5.
    """
    power, size, n = _network(degree, units, patterns)
    spread = n * double_factorial(2 * power - 3) / size ** (power - 1)
    return gaussian_tail(1 / math.sqrt(spread)) if spread else 0.0


def error_free_patterns(degree: int, units: int) -> float:
    """Patterns that are stored without errors as N → ∞: N^{d−1} / (2(2d − 3)!! ln N).

    Krotov & Hopfield (2016), eq. 7.
    """
    power, size, _ = _network(degree, units, 1)
    return size ** (power - 1) / (2 * double_factorial(2 * power - 3) * math.log(size))


def bit_error_exact(degree: int, units: int, patterns: int) -> float:
    """The same probability at finite N and n, to rounding: no normal approximation.

    A bit turns if Σ_{μ>1} ξ_μ g(s_μ) < −g(N − 1), g(u) = (u + 1)^d − (u − 1)^d, ξ_μ a random sign
    and s_μ the sum of N − 1 random signs. The terms are independent, so the tail follows from
    their characteristic function φ(t)^{n−1}, φ(t) = ⟨cos(t g(s))⟩, on a lattice of span h:

        P(S > a) = ½ − (h/2π) ∫_0^{π/h} φ(t)^{n−1} sin(t(a + h/2)) / sin(ht/2) dt.
    """
    degree, units, patterns = _network(degree, units, patterns)
    sums = np.arange(-(units - 1), units, 2)
    chance = np.exp(_log_binomial(units - 1))
    terms = [(int(u) + 1) ** degree - (int(u) - 1) ** degree for u in sums]
    # Values ±g step by the span: 2·gcd if all are odd multiples of the gcd, else the gcd.
    unit = math.gcd(*terms)
    odd = all(term // unit % 2 for term in terms)
    span = 2 * unit if odd else unit
    signal = units**degree - (units - 2) ** degree
    first = _next_on_lattice(signal, span, unit * (patterns - 1) if odd else 0)
    values = np.array(terms, dtype=float)
    width = math.sqrt((patterns - 1) * float(chance @ values**2))
    if width == 0:
        return 0.0
    # The whole period where the sum takes few values: equal steps are exact then. Else φ^{n−1} is
    # normal to all digits before 12 of its widths.
    few = (patterns - 1) * max(map(abs, terms)) < NODES * span
    top = math.pi / span if few else min(math.pi / span, 12 / width)
    t = (np.arange(NODES) + 0.5) * top / NODES
    size, place = np.unique(np.abs(values), return_inverse=True)  # the cosine is even
    weight = np.bincount(place, weights=chance)
    characteristic = np.array([float(weight @ np.cos(size * x)) for x in t])
    kernel = np.sin(t * (first - span / 2)) / np.sin(t * span / 2)
    power = np.sign(characteristic) ** (patterns - 1) * np.abs(characteristic) ** (patterns - 1)
    return max(0.0, 0.5 - span / (2 * math.pi) * float(np.sum(power * kernel)) * top / NODES)


def _network(degree: int, units: int, patterns: int) -> tuple[int, int, int]:
    """Degree, N and n of a dense network, checked."""
    return (
        check_integer("degree", degree, low=2),
        check_integer("units", units, low=2),
        check_integer("patterns", patterns, low=1),
    )


def _next_on_lattice(above: int, span: int, offset: int) -> int:
    """The smallest number > above that is ≡ offset modulo span."""
    return above + span - (above - offset) % span


def exponential_rate(x: float) -> float:
    """I(x) = ½[(1 + x) ln(1 + x) + (1 − x) ln(1 − x)], for −1 ≤ x ≤ 1 (Cramér, random signs)."""
    value = check_number("x", x, low=-1.0, high=1.0)
    return 0.5 * sum((1 + u) * math.log(1 + u) for u in (value, -value) if u > -1)


def exponential_patterns(units: int, flipped: float) -> float:
    """exp(N I(1 − 2ρ)/2): fewer than so many are recalled from ρN flips w.h.p., β = 1.

    Demircigil et al. (2017), J. Stat. Phys. 168, 288, Theorem 3: one synchronous sweep.
    """
    share = check_number("flipped", flipped, low=0.0, high=0.5)
    return math.exp(check_integer("units", units, low=1) * exponential_rate(1 - 2 * share) / 2)


def exponential_failure(units: int, flips: int, patterns: int, beta: float = 1.0) -> float:
    """A bound on P(one synchronous sweep does not recall), for any N, n and number of flips.

    The union over N bits of: another pattern with s ≥ c against the bit (union bound), or those
    with s < c outweighing the signal (Bernstein, or Chebyshev), at the best c. It makes the proof
    of Demircigil et al. (2017) a number.
    """
    check_integer("patterns", patterns, low=1)
    check_integer("flips", flips, low=0, high=check_integer("units", units, low=2))
    sums = np.arange(units - 1, -units, -2)
    chance = np.exp(_log_binomial(units - 1))
    total = 0.0
    for wrong, bits in ((flips, units - flips), (flips - 1, flips)):
        if bits:
            signal = units - 1 - 2 * wrong
            each = (_outweighed(sums, chance, int(c), (signal, patterns - 1), beta) for c in sums)
            total += bits * min(1.0, *each)
    return min(1.0, total)


def _outweighed(
    sums: np.ndarray, chance: np.ndarray, cut: int, signal: tuple[int, int], beta: float
) -> float:
    """The bound for one bit with the scores cut at `cut`; `signal` is (score, others)."""
    score, others = signal
    large = 0.5 * others * chance[sums >= cut].sum()
    below = sums < cut
    if not below.any():
        return large
    power = np.clip(beta * (sums[below] - score), -EXPONENT / 2, EXPONENT / 2)
    variance = others * float(chance[below] @ np.exp(2 * power))
    bernstein = math.exp(-0.5 / (variance + math.exp(power.max()) / 3)) if variance else 0.0
    return large + min(bernstein, 0.5 * variance)


def theorem_3_constant(beta: float, scale: float, dim: int, chance: float) -> float:
    """c of Theorem 3: N ≥ √p c^{(d−1)/4} random patterns of norm K√(d−1) are stored, w. p. 1 − p.

    c = b / W(exp(a + ln b)), a = 2(1 + ln(2βK²p(d − 1)))/(d − 1), b = 2K²β/5, W the upper branch
    of Lambert's function. Ramsauer et al. (2021); c ≥ (2/√p)^{4/(d−1)} is required.

    Args:
        beta: β.
        scale: K.
        dim: d.
        chance: p, the probability of failure.
    """
    a = 2 / (dim - 1) * (1 + math.log(2 * beta * scale**2 * chance * (dim - 1)))
    b = 2 * scale**2 * beta / 5
    return b / _lambert(math.exp(a + math.log(b)))


def theorem_3_patterns(beta: float, scale: float, dim: int, chance: float) -> float:
    """√p c^{(d−1)/4}: how many random patterns Theorem 3 promises."""
    return math.sqrt(chance) * theorem_3_constant(beta, scale, dim, chance) ** ((dim - 1) / 4)


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
    return 2 * (count - 1) * _exp(-beta * (margin - 2 * distance * largest)) * largest


def fixed_point_error(count: int, beta: float, margin: float, largest: float) -> float:
    """Bound on ‖x_i − x_i*‖: 2e(n − 1) M exp(−βΔ_i); Theorem 5, arguments as `update_error`."""
    return 2 * math.e * (count - 1) * largest * _exp(-beta * margin)


def two_patterns_apart(distance: float) -> float:
    """4/d²: the β above which two patterns at distance d, alone, are attractors both.

    On the line between them x' = ½ d tanh(½ β d x), x from the middle; Euclidean scores, or norms
    alike. Below it they share one attractor, the middle.
    """
    return 4 / check_number("distance", distance, low=1e-150) ** 2


def sparse_margin(alpha: float, beta: float) -> float:
    """1/((α − 1)β): a unit-norm pattern is an exact fixed point of α-entmax iff Δ_i is no less.

    Santos et al. (2024), "Sparse and structured Hopfield networks"; sparsemax is α = 2.
    """
    return 1 / ((check_number("alpha", alpha, low=1.0 + 1e-9) - 1) * beta)


def sparse_fixed_share(count: int, dim: int, margin: float) -> float:
    """P(Δ_i ≥ margin) of one of n random unit vectors: P(x·y ≤ 1 − margin)^{n−1}."""
    cut = 1 - margin
    if cut <= -1:
        return 0.0
    return (1 - sphere_tail(dim, min(1.0, cut))) ** (count - 1)


def sphere_tail(dim: int, cosine: float) -> float:
    """P(x·y > c) of two random unit vectors: ∫_θ^{π/2} cos^{d−2} / ∫_{−π/2}^{π/2}, c = sin θ."""
    upper = 0.5 * cosine_tail(dim - 2, math.asin(abs(cosine)))
    return upper if cosine >= 0 else 1 - upper


def cosine_tail(power: int, angle: float) -> float:
    """∫_angle^{π/2} cos^p θ dθ / ∫_0^{π/2} cos^p θ dθ: tails of spheres and of Student's t."""
    nodes, weights = np.polynomial.legendre.leggauss(400)

    def integral(low: float) -> float:
        half = (math.pi / 2 - low) / 2
        return half * float(weights @ np.cos(low + half * (nodes + 1)) ** power)

    return integral(angle) / integral(0.0)


def storkey_patterns(units: int) -> float:
    """N/√(2 ln N): absolute capacity of Storkey's rule (Storkey 1997), N → ∞."""
    return units / math.sqrt(2 * math.log(units))


def _odd(count: int) -> int:
    """The number of patterns in a mixture, checked."""
    k = check_integer("count", count, low=1)
    if k % 2 == 0:
        raise DomainError(f"count must be odd, or the sign of a sum can be 0, but is {count}.")
    return k


def _sums(count: int) -> list[tuple[float, int]]:
    """Probability and value of the sum of `count` random signs."""
    return [(math.comb(count, j) / 2**count, count - 2 * j) for j in range(count + 1)]


def _held(y: float, count: int) -> float:
    """m = ⟨(S/k) erf(Sy)⟩."""
    return sum(p * s / count * math.erf(s * y) for p, s in _sums(count))


def _noise(y: float, count: int) -> float:
    """g(y) of `retrieval_overlap`."""
    spread = sum(p * math.exp(-((s * y) ** 2)) for p, s in _sums(count))
    return _held(y, count) / y - 2 / math.sqrt(math.pi) * spread


def _steepest(count: int) -> float:
    """Where g is largest: a coarse look, since mixtures have lower maxima too; golden section."""
    places = [0.3 + 0.02 * i for i in range(250)]
    top = max(places, key=lambda y: _noise(y, count))
    ratio, low, high = (math.sqrt(5) - 1) / 2, top - 0.02, top + 0.02
    while high - low > 1e-9:
        one, two = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (one, high) if _noise(one, count) < _noise(two, count) else (low, two)
    return (low + high) / 2


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is zero, by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _lambert(x: float) -> float:
    """W(x), x > 0: the solution of W exp(W) = x."""
    return _root(lambda w: w * math.exp(w) - x, 0.0, max(1.0, math.log1p(x)))


def _exp(power: float) -> float:
    """exp, ∞ where it would overflow."""
    return math.inf if power > EXPONENT else math.exp(power)


def _log_binomial(count: int) -> np.ndarray:
    """Log probabilities of 0 … count heads."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    return logs[-1] - logs - logs[::-1] - count * math.log(2)
