"""Weights of sparsemax (r = 1) and 1.5-entmax (r = 2), and their gradients, row by row.

Arrays are `(rows, n)`, float32 or float64; a row stays in the cache.
"""

from typing import Any

import numpy as np

from .compiling import kernel, summing

MOST_STEPS = 60
"""Limit of Newton's steps, never reached: the search ends by itself."""


@summing
def _linear(t: Any, tau: Any) -> Any:
    # Σ[t − τ]₊, and the number of entries above τ.
    zero = t[0] * 0
    one, total, count = zero + 1, zero, zero
    for i in range(len(t)):
        x = t[i] - tau
        total += max(x, zero)
        count += one * (x > zero)
    return total, count


@summing
def _square(t: Any, tau: Any) -> Any:
    # Σ[t − τ]₊² and Σ[t − τ]₊.
    zero = t[0] * 0
    total, slope = zero, zero
    for i in range(len(t)):
        x = max(t[i] - tau, zero)
        total += x * x
        slope += x
    return total, slope


@kernel
def _threshold(t: Any, linear: bool) -> Any:
    # τ with Σ[t − τ]₊^r = 1, where max t = 0; from τ = −1 all of Newton's steps go up.
    one = t[0] * 0 + 1
    tau, eps = -one, np.finfo(t.dtype).eps
    for _ in range(MOST_STEPS):
        if linear:
            total, slope = _linear(t, tau)
            step = (total - one) / slope
        else:
            total, slope = _square(t, tau)
            step = (total - np.sqrt(total)) / slope
        tau += step
        if not step > eps:
            break
    return tau


@kernel
def _fill(t: Any, tau: Any, linear: bool) -> None:
    # [t − τ]₊^r over its sum.
    zero = t[0] * 0
    total = _linear(t, tau)[0] if linear else _square(t, tau)[0]
    share = (zero + 1) / total
    if linear:
        for i in range(len(t)):
            t[i] = share * max(t[i] - tau, zero)
    else:
        for i in range(len(t)):
            x = max(t[i] - tau, zero)
            t[i] = share * (x * x)


@kernel
def weigh(
    scores: Any, tops: Any, sharp: Any, linear: bool, weights: Any, first: int, last: int
) -> None:
    """Compute the weights of rows first to last.

    Args:
        scores: `(rows, n)`.
        tops: the largest score of each row; where it is not finite, all weights are NaN.
        sharp: (α − 1)β, one for each row.
        linear: True for r = 1.
        weights: takes the answer.
        first: the first row.
        last: the one after the last.
    """
    for b in range(first, last):
        row, own, top, factor = scores[b], weights[b], tops[b], sharp[b]
        if not np.isfinite(top):  # as in plain torch
            own[:] = np.nan
            continue
        for i in range(len(row)):
            own[i] = factor * (row[i] - top)
        _fill(own, _threshold(own, linear), linear)


@summing
def _mean(weights: Any, above: Any, linear: bool) -> Any:
    # (S·g)/ΣS for S = p^(2 − α).
    zero = weights[0] * 0
    one, total, size = zero + 1, zero, zero
    for i in range(len(weights)):
        scale = one * (weights[i] > zero) if linear else np.sqrt(weights[i])
        total += scale * above[i]
        size += scale
    return total / size


@kernel
def vjp(
    weights: Any, above: Any, beta: Any, linear: bool, slopes: Any, first: int, last: int
) -> None:
    """Compute the gradient by the scores, β S (g − (S·g)/ΣS).

    Args:
        weights: p, `(rows, n)`.
        above: g, the gradient by the weights.
        beta: β, one for each row.
        linear: True for r = 1.
        slopes: takes the answer; may be `above`.
        first: the first row.
        last: the one after the last.
    """
    for b in range(first, last):
        p, g, own, sharp = weights[b], above[b], slopes[b], beta[b]
        mean = _mean(p, g, linear)
        zero = p[0] * 0
        one = zero + 1
        for i in range(len(p)):
            scale = one * (p[i] > zero) if linear else np.sqrt(p[i])
            own[i] = sharp * scale * (g[i] - mean)
