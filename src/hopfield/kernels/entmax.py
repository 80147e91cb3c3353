"""Weights of α-entmax for an α of each row, and what they hand back, in float32.

Arrays are `(rows, n)`; r = 1/(α − 1). A power is 2^(e log₂ t) by polynomials, in vectors, which
compilers do not make of the powers in their libraries; it is right to |log₂ p| roundings.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from .compiling import kernel, summing
from .vectors import LANES, at, intrinsic, load, spread, store, wide, word

MOST_STEPS = 60
"""More of Newton's steps than the search ever takes: it ends by itself."""

HALVINGS = 32
"""Of an interval of length 1, as in plain torch."""

LOG2 = math.log(2)
# log₂ m = 2/ln 2 (s + s³/3 + …) for s = (m − 1)/(m + 1), |s| < 0.172: the next term is 6e-10.
LOGARITHM = [2 / LOG2 / k for k in (9, 7, 5, 3, 1)]
# 2^f = Σ (f ln 2)^k/k! for |f| ≤ ½: the next term is 5e-9.
EXPONENTIAL = [LOG2**k / math.factorial(k) for k in range(7, -1, -1)]

MANY, BITS = wide(ir.FloatType()), wide(ir.IntType(32))
DIGITS, ROOT_HALF = 23, 0x3F3504F3
"""Digits of a float32 behind the point, and the bits of √½."""

TINY, LOWEST = np.finfo(np.float32).tiny, -126.0
"""The smallest number with all its digits, and its logarithm: what is not above counts as 0."""

HIGHEST = 127.0
"""Where powers end."""

ZERO, ONE, EPS = np.float32(0), np.float32(1), np.finfo(np.float32).eps
TWO, FAR, NATURAL = np.float32(2), np.float32(-2), np.float32(LOG2)


def _all(kind: Any, value: Any) -> Any:
    """One number in every lane."""
    return ir.Constant(kind, [value] * LANES)


def _known(builder: Any, name: str, *given: Any) -> Any:
    """A function of vectors that the compiler knows: fmuladd (a·b + c) or rint."""
    kind = ir.FunctionType(MANY, [MANY] * len(given))
    name = f"llvm.{name}.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)


def _polynomial(builder: Any, x: Any, factors: list[float]) -> Any:
    """By Horner's scheme, the factor of the highest power first."""
    total = _all(MANY, factors[0])
    for factor in factors[1:]:
        total = _known(builder, "fmuladd", total, x, _all(MANY, factor))
    return total


def _above(builder: Any, x: Any, low: float) -> Any:
    """max(x, low)."""
    bound = _all(MANY, low)
    return builder.select(builder.fcmp_ordered(">", x, bound), x, bound)


def _log2(builder: Any, x: Any) -> Any:
    """log₂ x, and log₂ TINY below TINY."""
    bits = builder.bitcast(_above(builder, x, float(TINY)), BITS)
    bits = builder.sub(bits, _all(BITS, ROOT_HALF))
    power = builder.sitofp(builder.ashr(bits, _all(BITS, DIGITS)), MANY)
    rest = builder.and_(bits, _all(BITS, 2**DIGITS - 1))
    m = builder.bitcast(builder.add(rest, _all(BITS, ROOT_HALF)), MANY)  # √½ ≤ m < √2
    one = _all(MANY, 1.0)
    s = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
    series = _polynomial(builder, builder.fmul(s, s), LOGARITHM)
    return _known(builder, "fmuladd", series, s, power)


def _exp2(builder: Any, y: Any) -> Any:
    """2^y, with y kept between LOWEST and HIGHEST."""
    y, high = _above(builder, y, LOWEST), _all(MANY, HIGHEST)
    y = builder.select(builder.fcmp_ordered("<", y, high), y, high)
    whole = _known(builder, "rint", y)
    rest = _polynomial(builder, builder.fsub(y, whole), EXPONENTIAL)
    shift = builder.shl(builder.fptosi(whole, BITS), _all(BITS, DIGITS))
    return builder.bitcast(builder.add(builder.bitcast(rest, BITS), shift), MANY)


def _each(builder: Any, count: Any, start: Any, out: Any, answer: Callable[[Any], Any]) -> None:
    """Put what is answered to `LANES` numbers at a time into `out`; addresses."""
    turns = builder.udiv(count, word(LANES))
    with cgutils.for_range(builder, turns) as loop:
        given = load(builder, at(builder, start, loop.index, MANY), MANY)
        store(builder, answer(given), at(builder, out, loop.index, MANY), MANY)


@intrinsic
def _logarithms(_typing: Any, start: Any, count: Any, out: Any) -> Any:
    """log₂ t of a multiple of `LANES` numbers, no lower than LOWEST; addresses."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        _each(builder, given[1], given[0], given[2], lambda t: _log2(builder, t))
        return context.get_dummy_value()

    return types.void(start, count, out), generate


@intrinsic
def _powers(_typing: Any, start: Any, count: Any, numbers: Any, out: Any) -> Any:
    """[t − τ]₊^e, and 0 where t ≤ τ, for numbers τ and e; as `_logarithms`."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        tau, exponent = (
            spread(builder, each, ir.FloatType())
            for each in cgutils.unpack_tuple(builder, given[2])
        )
        low, zero = _all(MANY, LOWEST), _all(MANY, 0.0)

        def answer(t: Any) -> Any:
            logarithm = _log2(builder, builder.fsub(t, tau))
            y = builder.fmul(exponent, logarithm)
            some = builder.fcmp_ordered(">", logarithm, low)
            some = builder.and_(some, builder.fcmp_ordered(">", y, low))
            return builder.select(some, _exp2(builder, y), zero)

        _each(builder, given[1], given[0], given[3], answer)
        return context.get_dummy_value()

    return types.void(start, count, numbers, out), generate


@kernel
def _lower(t: Any, tau: Any, power: Any, lowered: Any) -> None:
    """[t − τ]₊^(r − 1)."""
    _powers(t.ctypes.data, len(t), (tau, power - ONE), lowered.ctypes.data)


@kernel
def _places(n: int) -> Any:
    """Room for n numbers, up to whole vectors, that have no weight."""
    return np.full(-(-n // LANES) * LANES, FAR)


@summing
def _sums(t: Any, tau: Any, lowered: Any) -> Any:
    """Σ [t − τ]₊^r and Σ [t − τ]₊^(r − 1), given the latter's terms."""
    total, slope = ZERO, ZERO
    for i in range(len(t)):
        total += lowered[i] * (t[i] - tau)
        slope += lowered[i]
    return total, slope


@summing
def _sharpened(scores: Any, top: Any, sharp: Any, t: Any) -> Any:
    """Put (α − 1)β(s − max s) into t, no lower than where there is no weight; its sum."""
    total = ZERO
    for i in range(len(scores)):
        t[i] = max(sharp * (scores[i] - top), FAR)
        total += t[i]
    return total


@kernel
def _risen(t: Any, power: Any, start: Any, lowered: Any) -> Any:
    """τ with Σ [t − τ]₊^r = 1 for r ≥ 1, and Σ [t − τ]₊^r; fills `lowered` by [t − τ]₊^(r − 1).

    Newton's steps on the power-norm, as in plain torch. From the second on all are upwards, up to
    rounding.
    """
    tau, total = start, ONE
    for step_number in range(MOST_STEPS):
        _lower(t, tau, power, lowered)
        total, slope = _sums(t, tau, lowered)
        step = (total - total ** (ONE - ONE / power)) / slope
        if not (abs(step) if step_number == 0 else step) > EPS:
            break
        tau += step
    return tau, total


@kernel
def _halved(t: Any, power: Any, lowered: Any) -> Any:
    """The same for any r, by bisection."""
    tau, width, total = -ONE, ONE, ONE
    for _ in range(HALVINGS):
        width /= TWO
        _lower(t, tau + width, power, lowered)
        if _sums(t, tau + width, lowered)[0] >= ONE:
            tau += width
    _lower(t, tau, power, lowered)
    total = _sums(t, tau, lowered)[0]
    return tau, total


@kernel
def weigh(
    scores: Any, tops: Any, sharp: Any, alpha: Any, weights: Any, first: int, last: int
) -> None:
    """Scores to weights.

    Args:
        scores: `(rows, n)`.
        tops: the largest of each row; where it is not finite, all weights are NaN.
        sharp: (α − 1)β, one for each row.
        alpha: α, one for each row.
        weights: takes the answer.
        first: the first row.
        last: the one after the last.
    """
    n = scores.shape[1]
    size = np.float32(n)
    t, lowered = _places(n), _places(n)
    for b in range(first, last):
        power = ONE / (alpha[b] - ONE)
        mean = _sharpened(scores[b], tops[b], sharp[b], t) / size
        if power >= ONE:
            # A mean of powers is at least the power of the mean, so that τ is no lower.
            start = max(-ONE, mean - size ** (-ONE / power))
            tau, total = _risen(t, power, start, lowered)
        else:
            tau, total = _halved(t, power, lowered)
        share = ONE / total
        for i in range(n):
            weights[b, i] = share * lowered[i] * (t[i] - tau)


@summing
def _mean(scale: Any, above: Any) -> Any:
    """(S·g)/ΣS."""
    total, size = ZERO, ZERO
    for i in range(len(above)):
        total += scale[i] * above[i]
        size += scale[i]
    return total / size


@summing
def _tallied(above: Any, mean: Any, p: Any, logarithms: Any) -> Any:
    """Σ ḡ p log p."""
    total = ZERO
    for i in range(len(above)):
        total += (above[i] - mean) * (p[i] * logarithms[i])
    return NATURAL * total


@summing
def _along(slopes: Any, scores: Any, top: Any) -> Any:
    """Σ Sḡ(s − max s) where there is weight."""
    total = ZERO
    for i in range(len(scores)):
        total += slopes[i] * (scores[i] - top) if slopes[i] != ZERO else ZERO
    return total


@kernel
def pull_back(
    weights: Any, above: Any, numbers: Any, learning: Any, slopes: Any, first: int, last: int
) -> None:
    """The slopes by the scores, βSḡ for S = p^(2 − α) and ḡ = g − (S·g)/ΣS; by β, and by α.

    Args:
        weights: p, `(rows, n)`.
        above: g, the slopes by the weights.
        numbers: α and β, one for each row.
        learning: the scores, the largest of each row, and what takes the slopes by α and by β of
            each row; the scores have no rows where nothing learns.
        slopes: takes the slopes by the scores.
        first: the first row.
        last: the one after the last.
    """
    alpha, beta = numbers
    scores, tops, by_alpha, by_beta = learning
    n = weights.shape[1]
    p, scale = _places(n), _places(n)
    for b in range(first, last):
        p[:n] = weights[b]
        g, own = above[b], slopes[b]
        _powers(p.ctypes.data, len(p), (ZERO, TWO - alpha[b]), scale.ctypes.data)
        mean = _mean(scale, g)
        for i in range(n):
            own[i] = scale[i] * (g[i] - mean)
        if len(scores) > 0:
            _logarithms(p.ctypes.data, len(p), scale.ctypes.data)
            by_beta[b] = _along(own, scores[b], tops[b])
            entropic = _tallied(g, mean, weights[b], scale)
            by_alpha[b] = (beta[b] * by_beta[b] - entropic) / (alpha[b] - ONE)
        for i in range(n):
            own[i] *= beta[b]
