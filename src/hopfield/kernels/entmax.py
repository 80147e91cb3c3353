"""Weights of α-entmax with one α per row, and their gradients, in float32.

Arrays are `(rows, n)`; r = 1/(α − 1). A power is 2^(e log₂ t) with log₂ and 2^y by polynomials,
which compilers turn into vector instructions, as they do not with the powers of their libraries.
Numbers are taken apart by their bits: x = 2^k·m with √½ ≤ m < √2.

Error: log₂ m has a relative error below 2 eps and 2^f one below 1.5 eps, so that a power p has one
below 2 eps·(1 + |log₂ p|). Powers up to 2^−126 count as 0.
"""

import math
from typing import Any

import numpy as np

from .compiling import fusing, kernel, summing

MOST_STEPS = 60
"""Limit of Newton's steps, never reached: the search ends by itself."""

HALVINGS = 32
"""Halvings of an interval of length 1, as in plain torch."""

ZERO, ONE, TWO, EPS = np.float32(0), np.float32(1), np.float32(2), np.finfo(np.float32).eps
FAR, NATURAL = np.float32(-2), np.float32(math.log(2))

# log₂ m = 2/ln 2 (s + s³/3 + …) for s = (m − 1)/(m + 1), |s| < 0.172: the next term is 6e-10.
L9, L7, L5, L3, L1 = (np.float32(2 / math.log(2) / k) for k in (9, 7, 5, 3, 1))
# 2^f = Σ (f ln 2)^k/k! for |f| ≤ ½: the next term is 5e-9.
E7, E6, E5, E4, E3, E2, E1, E0 = (
    np.float32(math.log(2) ** k / math.factorial(k)) for k in range(7, -1, -1)
)
DIGITS = np.int32(23)
SMALLEST, LOWEST_BITS = np.float32(2.0**-126), np.int32(0x00800000)
MANTISSA, ROOT_HALF = np.int32(2**23 - 1), np.int32(0x3F3504F3)  # the bits of √½
LOWEST, HIGHEST = np.float32(-126), np.float32(127)
"""Logarithms between which powers are computed."""
ROUND = np.float32(1.5 * 2**23)
"""Added and subtracted, this rounds a float32 to a whole number."""


@kernel
def _split(x: Any, mantissa: Any, exponent: Any) -> None:
    # x = 2^exponent·mantissa; NaN, negative x and x ≤ 2^−126 count as 2^−126.
    bits, m = x.view(np.int32), mantissa.view(np.int32)
    for i in range(len(x)):
        b = (bits[i] if x[i] > SMALLEST else LOWEST_BITS) - ROOT_HALF
        exponent[i] = np.float32(b >> DIGITS)
        m[i] = (b & MANTISSA) + ROOT_HALF


@fusing
def _log2(mantissa: Any, exponent: Any) -> Any:
    s = (mantissa - ONE) / (mantissa + ONE)
    z = s * s
    return ((((L9 * z + L7) * z + L5) * z + L3) * z + L1) * s + exponent


@fusing
def _logarithms(x: Any, room: Any, out: Any) -> None:
    # log₂ x, at least −126.
    mantissa, exponent = room
    _split(x, mantissa, exponent)
    for i in range(len(x)):
        out[i] = _log2(mantissa[i], exponent[i])


@fusing
def _powers(t: Any, tau: Any, power: Any, room: Any, out: Any) -> None:
    # [t − τ]₊^power, and 0 where t ≤ τ or the power is at most 2^−126.
    mantissa, exponent = room
    for i in range(len(t)):
        out[i] = t[i] - tau
    _split(out, mantissa, exponent)
    for i in range(len(t)):
        logarithm = _log2(mantissa[i], exponent[i])
        y = power * logarithm
        positive = (logarithm > LOWEST) & (y > LOWEST)
        y = min(max(y, LOWEST), HIGHEST)
        whole = (y + ROUND) - ROUND
        f = y - whole
        value = ((((((E7 * f + E6) * f + E5) * f + E4) * f + E3) * f + E2) * f + E1) * f + E0
        out[i] = value if positive else ZERO
        exponent[i] = whole if positive else ZERO
    bits = out.view(np.int32)
    for i in range(len(t)):
        bits[i] += np.int32(exponent[i]) << DIGITS


@kernel
def _room(n: int) -> Any:
    return np.empty(n, np.float32), np.empty(n, np.float32)


@summing
def _sums(t: Any, tau: Any, lowered: Any) -> Any:
    # Σ [t − τ]₊^r and Σ [t − τ]₊^(r − 1), given the terms of the latter.
    total, slope = ZERO, ZERO
    for i in range(len(t)):
        total += lowered[i] * (t[i] - tau)
        slope += lowered[i]
    return total, slope


@summing
def _scaled(scores: Any, top: Any, scale: Any, t: Any) -> Any:
    # Writes (α − 1)β(s − max s) to t, bounded where there is no weight, and returns its sum.
    total = ZERO
    for i in range(len(scores)):
        t[i] = max(scale * (scores[i] - top), FAR)
        total += t[i]
    return total


@kernel
def _newton(t: Any, power: Any, start: Any, room: Any, lowered: Any) -> Any:
    # τ with Σ [t − τ]₊^r = 1 for r ≥ 1, and that sum; writes [t − τ]₊^(r − 1) to `lowered`.
    # Newton's steps on the power-norm, as in plain torch. From the second on all go up, up to
    # rounding.
    tau, total = start, ONE
    for step_number in range(MOST_STEPS):
        _powers(t, tau, power - ONE, room, lowered)
        total, slope = _sums(t, tau, lowered)
        step = (total - total ** (ONE - ONE / power)) / slope
        if not (abs(step) if step_number == 0 else step) > EPS:
            break
        tau += step
    return tau, total


@kernel
def _bisection(t: Any, power: Any, room: Any, lowered: Any) -> Any:
    # `_newton` for any r.
    tau, width = -ONE, ONE
    for _ in range(HALVINGS):
        width /= TWO
        _powers(t, tau + width, power - ONE, room, lowered)
        if _sums(t, tau + width, lowered)[0] >= ONE:
            tau += width
    _powers(t, tau, power - ONE, room, lowered)
    return tau, _sums(t, tau, lowered)[0]


@kernel
def weigh(
    scores: Any, tops: Any, scale: Any, alpha: Any, weights: Any, first: int, last: int
) -> None:
    """Compute the weights of rows first to last.

    Args:
        scores: `(rows, n)`.
        tops: the largest score of each row; where it is not finite, all weights are NaN.
        scale: (α − 1)β, one for each row.
        alpha: α, one for each row.
        weights: takes the answer.
        first, last: the first row, and the one after the last.
    """
    n = scores.shape[1]
    size = np.float32(n)
    room = _room(n)
    t, lowered = np.empty(n, np.float32), np.empty(n, np.float32)
    for b in range(first, last):
        power = ONE / (alpha[b] - ONE)
        mean = _scaled(scores[b], tops[b], scale[b], t) / size
        if power >= ONE:
            # A mean of powers is at least the power of the mean, so that τ is no lower.
            start = max(-ONE, mean - size ** (-ONE / power))
            tau, total = _newton(t, power, start, room, lowered)
        else:
            tau, total = _bisection(t, power, room, lowered)
        share = ONE / total
        for i in range(n):
            weights[b, i] = share * lowered[i] * (t[i] - tau)


@summing
def _mean(scale: Any, above: Any) -> Any:
    # (S·g)/ΣS.
    total, size = ZERO, ZERO
    for i in range(len(above)):
        total += scale[i] * above[i]
        size += scale[i]
    return total / size


@summing
def _entropic(above: Any, mean: Any, p: Any, logarithms: Any) -> Any:
    # Σ ḡ p log p.
    total = ZERO
    for i in range(len(above)):
        total += (above[i] - mean) * (p[i] * logarithms[i])
    return NATURAL * total


@summing
def _along(slopes: Any, scores: Any, top: Any) -> Any:
    # Σ Sḡ(s − max s) where there is weight.
    total = ZERO
    for i in range(len(scores)):
        total += slopes[i] * (scores[i] - top) if slopes[i] != ZERO else ZERO
    return total


@kernel
def vjp(
    weights: Any, above: Any, numbers: Any, learning: Any, slopes: Any, first: int, last: int
) -> None:
    """Compute gradients: by the scores, βSḡ for S = p^(2 − α) and ḡ = g − (S·g)/ΣS; by α and β.

    Args:
        weights: p, `(rows, n)`.
        above: g, the gradient by the weights.
        numbers: α and β, one for each row.
        learning: the scores, the largest of each row, and arrays that take the gradients by α and
            β of each row; no scores are given where neither is learned.
        slopes: takes the gradient by the scores.
        first, last: the first row, and the one after the last.
    """
    alpha, beta = numbers
    scores, tops, by_alpha, by_beta = learning
    n = weights.shape[1]
    room, factors = _room(n), np.empty(n, np.float32)
    for b in range(first, last):
        p, g, out = weights[b], above[b], slopes[b]
        _powers(p, ZERO, TWO - alpha[b], room, factors)
        mean = _mean(factors, g)
        for i in range(n):
            out[i] = factors[i] * (g[i] - mean)
        if len(scores) > 0:
            _logarithms(p, room, factors)
            by_beta[b] = _along(out, scores[b], tops[b])
            entropic = _entropic(g, mean, p, factors)
            by_alpha[b] = (beta[b] * by_beta[b] - entropic) / (alpha[b] - ONE)
        for i in range(n):
            out[i] *= beta[b]
