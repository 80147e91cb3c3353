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
LN_2 = np.float32(math.log(2))
SCORE_FLOOR = np.float32(-2)
"""Lower bound of scaled scores: below −1 ≤ τ none has weight, and −∞ would give 0·∞ = NaN."""

# log₂ m = 2/ln 2 (s + s³/3 + …) for s = (m − 1)/(m + 1), |s| < 0.172: the next term is 6e-10.
L9, L7, L5, L3, L1 = (np.float32(2 / math.log(2) / k) for k in (9, 7, 5, 3, 1))
# 2^f = Σ (f ln 2)^k/k! for |f| ≤ ½: the next term is 5e-9.
E7, E6, E5, E4, E3, E2, E1, E0 = (
    np.float32(math.log(2) ** k / math.factorial(k)) for k in range(7, -1, -1)
)
MANTISSA_BITS = np.int32(23)
SMALLEST, SMALLEST_BITS = np.float32(2.0**-126), np.int32(0x00800000)
MANTISSA_MASK, ROOT_HALF_BITS = np.int32(2**23 - 1), np.int32(0x3F3504F3)  # √½ by its bits
LOWEST_LOG2, HIGHEST_LOG2 = np.float32(-126), np.float32(127)
"""Logarithms between which powers are computed."""
ROUND = np.float32(1.5 * 2**23)
"""Added and subtracted, this rounds a float32 to a whole number."""


@kernel
def _split(x: Any, mantissa: Any, exponent: Any) -> None:
    # x = 2^exponent·mantissa; NaN, negative x and x ≤ 2^−126 count as 2^−126.
    bits, m = x.view(np.int32), mantissa.view(np.int32)
    for i in range(len(x)):
        b = (bits[i] if x[i] > SMALLEST else SMALLEST_BITS) - ROOT_HALF_BITS
        exponent[i] = np.float32(b >> MANTISSA_BITS)
        m[i] = (b & MANTISSA_MASK) + ROOT_HALF_BITS


@fusing
def _log2(mantissa: Any, exponent: Any) -> Any:
    s = (mantissa - ONE) / (mantissa + ONE)
    z = s * s
    return ((((L9 * z + L7) * z + L5) * z + L3) * z + L1) * s + exponent


@fusing
def _logarithms(x: Any, scratch: Any, out: Any) -> None:
    # log₂ x, at least −126.
    mantissa, exponent = scratch
    _split(x, mantissa, exponent)
    for i in range(len(x)):
        out[i] = _log2(mantissa[i], exponent[i])


@fusing
def _powers(t: Any, tau: Any, power: Any, scratch: Any, out: Any) -> None:
    # [t − τ]₊^power, and 0 where t ≤ τ or the power is at most 2^−126.
    mantissa, exponent = scratch
    for i in range(len(t)):
        out[i] = t[i] - tau
    _split(out, mantissa, exponent)
    for i in range(len(t)):
        logarithm = _log2(mantissa[i], exponent[i])
        y = power * logarithm
        positive = (logarithm > LOWEST_LOG2) & (y > LOWEST_LOG2)
        y = min(max(y, LOWEST_LOG2), HIGHEST_LOG2)
        whole = (y + ROUND) - ROUND
        f = y - whole
        value = ((((((E7 * f + E6) * f + E5) * f + E4) * f + E3) * f + E2) * f + E1) * f + E0
        out[i] = value if positive else ZERO
        exponent[i] = whole if positive else ZERO
    bits = out.view(np.int32)
    for i in range(len(t)):
        bits[i] += np.int32(exponent[i]) << MANTISSA_BITS


@kernel
def _scratch(n: int) -> Any:
    # Memory for the mantissas and exponents of a row.
    return np.empty(n, np.float32), np.empty(n, np.float32)


@summing
def _sums(t: Any, tau: Any, slope_terms: Any) -> Any:
    # Σ [t − τ]₊^r and Σ [t − τ]₊^(r − 1), given the terms [t − τ]₊^(r − 1) of the latter.
    total, slope = ZERO, ZERO
    for i in range(len(t)):
        total += slope_terms[i] * (t[i] - tau)
        slope += slope_terms[i]
    return total, slope


@summing
def _scale_scores(scores: Any, top: Any, scale: Any, t: Any) -> Any:
    # Writes (α − 1)β(s − max s) to t, at least `SCORE_FLOOR`, and returns its sum.
    total = ZERO
    for i in range(len(scores)):
        t[i] = max(scale * (scores[i] - top), SCORE_FLOOR)
        total += t[i]
    return total


@kernel
def _newton(t: Any, power: Any, start: Any, scratch: Any, slope_terms: Any) -> Any:
    # τ with Σ [t − τ]₊^r = 1 for r ≥ 1, and that sum; writes [t − τ]₊^(r − 1) to `slope_terms`.
    # Newton's steps on the power-norm, as in plain torch. From the second on, all steps go up,
    # except for rounding.
    tau, total = start, ONE
    for step_number in range(MOST_STEPS):
        _powers(t, tau, power - ONE, scratch, slope_terms)
        total, slope = _sums(t, tau, slope_terms)
        step = (total - total ** (ONE - ONE / power)) / slope
        if not (abs(step) if step_number == 0 else step) > EPS:
            break
        tau += step
    return tau, total


@kernel
def _bisection(t: Any, power: Any, scratch: Any, slope_terms: Any) -> Any:
    # As `_newton`, by halving [−1, 0], for any r: Newton's steps need r ≥ 1.
    tau, width = -ONE, ONE
    for _ in range(HALVINGS):
        width /= TWO
        _powers(t, tau + width, power - ONE, scratch, slope_terms)
        if _sums(t, tau + width, slope_terms)[0] >= ONE:
            tau += width
    _powers(t, tau, power - ONE, scratch, slope_terms)
    return tau, _sums(t, tau, slope_terms)[0]


@kernel
def weigh(
    scores: Any, tops: Any, scale: Any, alpha: Any, weights: Any, first: int, stop: int
) -> None:
    """Compute the weights of rows first to stop − 1.

    Args:
        scores: `(rows, n)`.
        tops: the largest score of each row; where it is not finite, all weights are NaN.
        scale: (α − 1)β, one per row.
        alpha: α, one per row.
        weights: output, `(rows, n)`.
        first, stop: the rows to compute, range(first, stop).
    """
    n = scores.shape[1]
    size = np.float32(n)
    scratch = _scratch(n)
    t, slope_terms = np.empty(n, np.float32), np.empty(n, np.float32)
    for b in range(first, stop):
        power = ONE / (alpha[b] - ONE)
        mean = _scale_scores(scores[b], tops[b], scale[b], t) / size
        if power >= ONE:
            # A mean of powers is at least the power of the mean, so that τ is no lower.
            start = max(-ONE, mean - size ** (-ONE / power))
            tau, total = _newton(t, power, start, scratch, slope_terms)
        else:
            tau, total = _bisection(t, power, scratch, slope_terms)
        share = ONE / total
        for i in range(n):
            weights[b, i] = share * slope_terms[i] * (t[i] - tau)


@summing
def _weighted_mean(factors: Any, grad_output: Any) -> Any:
    # (S·g)/ΣS.
    total, size = ZERO, ZERO
    for i in range(len(grad_output)):
        total += factors[i] * grad_output[i]
        size += factors[i]
    return total / size


@summing
def _entropy_term(grad_output: Any, mean: Any, p: Any, logarithms: Any) -> Any:
    # Σ ḡ p log p, from log₂ p.
    total = ZERO
    for i in range(len(grad_output)):
        total += (grad_output[i] - mean) * (p[i] * logarithms[i])
    return LN_2 * total


@summing
def _dot_scores(gradients: Any, scores: Any, top: Any) -> Any:
    # Σ Sḡ(s − max s). Scores without weight may be −∞, and 0·∞ is NaN.
    total = ZERO
    for i in range(len(scores)):
        total += gradients[i] * (scores[i] - top) if gradients[i] != ZERO else ZERO
    return total


@kernel
def vjp(
    weights: Any,
    grad_output: Any,
    alpha_beta: Any,
    parameters: Any,
    grad_scores: Any,
    first: int,
    stop: int,
) -> None:
    """Compute the gradients by the scores, α and β.

    By the scores it is βSḡ, where S = p^(2 − α) and ḡ = g − (S·g)/ΣS.

    Args:
        weights: p, `(rows, n)`.
        grad_output: g, the gradient by the weights.
        alpha_beta: α and β, one per row.
        parameters: the scores, the largest score of each row, and outputs for the gradients by α
            and by β of each row. Without scores these two are not computed.
        grad_scores: output, the gradient by the scores.
        first, stop: the rows to compute, range(first, stop).
    """
    alpha, beta = alpha_beta
    scores, tops, grad_alpha, grad_beta = parameters
    n = weights.shape[1]
    scratch, factors = _scratch(n), np.empty(n, np.float32)
    for b in range(first, stop):
        p, g, out = weights[b], grad_output[b], grad_scores[b]
        _powers(p, ZERO, TWO - alpha[b], scratch, factors)
        mean = _weighted_mean(factors, g)
        for i in range(n):
            out[i] = factors[i] * (g[i] - mean)
        if len(scores) > 0:
            _logarithms(p, scratch, factors)
            grad_beta[b] = _dot_scores(out, scores[b], tops[b])
            entropy_term = _entropy_term(g, mean, p, factors)
            grad_alpha[b] = (beta[b] * grad_beta[b] - entropy_term) / (alpha[b] - ONE)
        for i in range(n):
            out[i] *= beta[b]
