"""Weights of α-entmax with one α per row, and their gradients, in float32.

The weights are p = [t − τ]₊^r with t = (α − 1)β(s − max s), r = 1/(α − 1), and the threshold τ at
which Σp = 1. Arrays are `(rows, n)`.

A power x^e is computed as 2^(e log₂ x), with polynomials for log₂ and 2^y: compilers turn these
into vector instructions, but not calls of a library's power. The relative error is below 2 eps for
log₂ m, 1.5 eps for 2^f (m near 1, |f| ≤ ½), and 2 eps·(1 + |log₂ p|) for a power p. Powers up to
2^−126 count as 0.
"""

import math
from typing import Any

import numpy as np

from .compiling import fusing, kernel, summing

MOST_STEPS = 60
"""Limit of Newton's steps, never reached: the search ends by itself."""

HALVINGS = 32
"""Steps of the bisection of [−1, 0], which leave an interval of length 2^−32."""

ZERO, ONE, TWO, EPS = np.float32(0), np.float32(1), np.float32(2), np.finfo(np.float32).eps
LN_2 = np.float32(math.log(2))
SCORE_FLOOR = np.float32(-2)
"""Lower bound of t. Scores with t < −1 ≤ τ have no weight anyway; −∞ would give 0·∞ = NaN."""

# log₂ m = 2/ln 2 (s + s³/3 + …) for s = (m − 1)/(m + 1), |s| < 0.172: the next term is 6e-10.
L9, L7, L5, L3, L1 = (np.float32(2 / math.log(2) / k) for k in (9, 7, 5, 3, 1))
# 2^f = Σ (f ln 2)^k/k! for |f| ≤ ½: the next term is 5e-9.
E7, E6, E5, E4, E3, E2, E1, E0 = (
    np.float32(math.log(2) ** k / math.factorial(k)) for k in range(7, -1, -1)
)
MANTISSA_BITS, MANTISSA_MASK = np.int32(23), np.int32(2**23 - 1)
ROOT_HALF_BITS = np.int32(0x3F3504F3)  # the bits of √½
SMALLEST = np.float32(2.0**-126)
LOWEST_LOG2, HIGHEST_LOG2 = np.float32(-126), np.float32(127)
"""Range of log₂ p in which powers p are computed; p is 0 below and 2^127 above."""
ROUND = np.float32(1.5 * 2**23)
"""Added and subtracted, this rounds a float32 to a whole number."""


@fusing
def _log2(x: Any) -> Any:
    # Reads k and m of x = 2^k·m, √½ ≤ m < √2, from the bits of x. Gives −126 for NaN and for
    # x ≤ 2^−126, also below 0.
    bits = np.float32(x if x > SMALLEST else SMALLEST).view(np.int32) - ROOT_HALF_BITS
    m = np.int32((bits & MANTISSA_MASK) + ROOT_HALF_BITS).view(np.float32)
    s = (m - ONE) / (m + ONE)
    z = s * s
    k = np.float32(bits >> MANTISSA_BITS)
    return ((((L9 * z + L7) * z + L5) * z + L3) * z + L1) * s + k


@fusing
def _power(x: Any, exponent: Any) -> Any:
    # x^exponent; 0 where x or the power is at most 2^−126.
    logarithm = _log2(x)
    y = exponent * logarithm
    clamped = min(max(y, LOWEST_LOG2), HIGHEST_LOG2)
    whole = (clamped + ROUND) - ROUND
    f = clamped - whole
    value = ((((((E7 * f + E6) * f + E5) * f + E4) * f + E3) * f + E2) * f + E1) * f + E0
    bits = np.float32(value).view(np.int32) + (np.int32(whole) << MANTISSA_BITS)
    positive = (logarithm > LOWEST_LOG2) & (y > LOWEST_LOG2)
    return np.int32(bits).view(np.float32) if positive else ZERO


@summing
def _sums(t: Any, tau: Any, power: Any, terms: Any) -> Any:
    # Σ [t − τ]₊^r and Σ [t − τ]₊^(r − 1); writes the terms of the latter.
    total, slope = ZERO, ZERO
    for i in range(len(t)):
        x = t[i] - tau
        terms[i] = _power(x, power - ONE)
        total += terms[i] * x
        slope += terms[i]
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
def _newton(t: Any, power: Any, tau: Any, terms: Any) -> Any:
    # Returns τ with Σ [t − τ]₊^r = 1, for r ≥ 1, and that sum; `tau` starts at a lower bound. These
    # are Newton steps on (Σ [t − τ]₊^r)^(1/r), which is convex in τ and close to a line. From the
    # second step on, τ only grows, except for rounding.
    total = ONE
    for step_number in range(MOST_STEPS):
        total, slope = _sums(t, tau, power, terms)
        step = (total - total ** (ONE - ONE / power)) / slope
        if not (abs(step) if step_number == 0 else step) > EPS:
            break
        tau += step
    return tau, total


@kernel
def _bisection(t: Any, power: Any, terms: Any) -> Any:
    # Finds the τ of `_newton` by bisection of [−1, 0], for any r: Newton steps need r ≥ 1.
    tau, width = -ONE, ONE
    for _ in range(HALVINGS):
        width /= TWO
        if _sums(t, tau + width, power, terms)[0] >= ONE:
            tau += width
    return tau, _sums(t, tau, power, terms)[0]


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
    t, terms, size = np.empty(n, np.float32), np.empty(n, np.float32), np.float32(n)
    for b in range(first, stop):
        power = ONE / (alpha[b] - ONE)
        mean = _scale_scores(scores[b], tops[b], scale[b], t) / size
        if power >= ONE:
            # Jensen: the mean of powers is at least the power of the mean. So τ ≥ start.
            start = max(-ONE, mean - size ** (-ONE / power))
            tau, total = _newton(t, power, start, terms)
        else:
            tau, total = _bisection(t, power, terms)
        share = ONE / total
        for i in range(len(t)):
            weights[b, i] = share * terms[i] * (t[i] - tau)


@summing
def _weighted_mean(factors: Any, grad_output: Any) -> Any:
    # (S·g)/ΣS.
    total, size = ZERO, ZERO
    for i in range(len(grad_output)):
        total += factors[i] * grad_output[i]
        size += factors[i]
    return total / size


@summing
def _entropy_term(grad_output: Any, mean: Any, p: Any) -> Any:
    # Σ ḡ p log p.
    total = ZERO
    for i in range(len(grad_output)):
        total += (grad_output[i] - mean) * (p[i] * _log2(p[i]))
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
    """Compute the gradients of the scores, α and β from g, the gradient of the weights.

    The gradient of the scores is βSḡ, where S = p^(2 − α) and ḡ = g − (S·g)/ΣS.

    Args:
        weights: p, `(rows, n)`.
        grad_output: g.
        alpha_beta: α and β, one per row.
        parameters: the scores, the largest score of each row, and two outputs, the gradients of α
            and β per row. Empty scores skip these two.
        grad_scores: output, the gradient of the scores.
        first, stop: the rows to compute, range(first, stop).
    """
    alpha, beta = alpha_beta
    scores, tops, grad_alpha, grad_beta = parameters
    for b in range(first, stop):
        p, g, out = weights[b], grad_output[b], grad_scores[b]
        for i in range(len(p)):
            out[i] = _power(p[i], TWO - alpha[b])
        mean = _weighted_mean(out, g)
        for i in range(len(p)):
            out[i] *= g[i] - mean
        if len(scores) > 0:
            grad_beta[b] = _dot_scores(out, scores[b], tops[b])
            entropy_term = _entropy_term(g, mean, p)
            grad_alpha[b] = (beta[b] * grad_beta[b] - entropy_term) / (alpha[b] - ONE)
        for i in range(len(p)):
            out[i] *= beta[b]
