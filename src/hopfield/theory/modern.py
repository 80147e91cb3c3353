"""Modern networks: what Ramsauer et al. guarantee, and when sparse weights retrieve exactly."""

import math

import scipy  # its modules are loaded when they are first used

from ..checks import check_integer, check_number
from .sums import bounded_exp


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
    return math.sqrt(chance) * bounded_exp((dim - 1) / 4 * math.log(constant))


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
    return 2 * math.e * others * largest * bounded_exp(-beta * check_number("margin", margin))


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
