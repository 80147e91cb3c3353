"""Kernels for the weights of sparsemax and 1.5-entmax, and for their gradients.

The weights are [t − τ]₊^r, with r = 1 for sparsemax and r = 2 for 1.5-entmax. Arrays are
`(rows, n)`, float32 or float64, and are read row by row, so that a row stays in the cache. The
arguments are those of `kernels.entmax`.
"""

from typing import Any

import numpy as np

from .compiling import kernel, summing

MOST_STEPS = 60
"""Largest number of Newton's steps. The search converges long before."""


@summing
def _linear(t: Any, tau: Any) -> Any:
    # Σ[t − τ]₊, and the number of entries above τ.
    zero = t[0] * 0
    one, total, count = zero + 1, zero, zero
    for i in range(len(t)):
        x = t[i] - tau
        total += max(x, zero)
        count += one if x > zero else zero  # a product takes half as long again
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
    for i in range(len(t)):
        x = max(t[i] - tau, zero)
        t[i] = share * (x if linear else x * x)


@kernel
def weigh(
    scores: Any, tops: Any, scale: Any, alpha: Any, weights: Any, first: int, stop: int
) -> None:
    """Compute the weights of rows first to stop − 1, for α = 2 in all rows or 1.5 in all."""
    linear = alpha[0] == 2
    for b in range(first, stop):
        row, out, top, factor = scores[b], weights[b], tops[b], scale[b]
        if not np.isfinite(top):  # as in plain torch
            out[:] = np.nan
            continue
        for i in range(len(row)):
            out[i] = factor * (row[i] - top)
        _fill(out, _threshold(out, linear), linear)


@summing
def _weighted_mean(factors: Any, grad_output: Any) -> Any:
    # (S·g)/ΣS.
    total, size = factors[0] * 0, factors[0] * 0
    for i in range(len(factors)):
        total += factors[i] * grad_output[i]
        size += factors[i]
    return total / size


@kernel
def vjp(
    weights: Any,
    grad_output: Any,
    alpha_beta: Any,
    _parameters: Any,
    grad_scores: Any,
    first: int,
    stop: int,
) -> None:
    """Compute the gradient with respect to the scores, not those with respect to α and β."""
    alpha, beta = alpha_beta
    linear = alpha[0] == 2
    for b in range(first, stop):
        p, g, out = weights[b], grad_output[b], grad_scores[b]
        for i in range(len(p)):  # S = p^(2 − α)
            out[i] = p[i] > 0 if linear else np.sqrt(p[i])
        mean = _weighted_mean(out, g)
        for i in range(len(p)):
            out[i] *= beta[b] * (g[i] - mean)
