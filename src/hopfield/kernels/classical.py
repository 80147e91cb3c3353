"""Asynchronous sweeps of the classical network: fields follow flips, and nothing else is computed.

W = scale·A. Sums are those of A alone, so that Hebbian fields are whole numbers and ties exact.
Arrays are `(batch, dim)` unless said otherwise; `held` and `cut` have no rows where there are none.
"""

from typing import Any

import numpy as np

from .compiling import kernel, summing

TOGETHER = 16
"""Queries that go through a low-rank sweep side by side."""


@kernel
def _chosen(field: Any, present: Any, one: Any, slack: Any) -> Any:
    """sign(field), or the present value where the field is zero up to rounding."""
    if field > slack:
        return one
    return -one if field < -slack else present


@summing
def _dot(left: Any, right: Any) -> Any:
    total = left[0] * right[0]
    for k in range(1, len(left)):
        total += left[k] * right[k]
    return total


@kernel
def _add(to: Any, factor: Any, row: Any) -> None:
    for k in range(len(to)):
        to[k] += factor * row[k]


@kernel
def full_sweep(
    order: Any, arrays: Any, matrix: Any, bias: Any, numbers: Any, first: Any, last: Any
) -> None:
    """One sweep of queries first to last, in place, by W itself.

    Args:
        order: the units to visit.
        arrays: the state; its field Ax, kept up to date; held units; what a thermal field has to
            exceed.
        matrix: A, `(dim, dim)`, symmetric.
        bias: b, `(dim,)`.
        numbers: 1, the scale and the slack, in the precision of the state.
        first: the first query.
        last: the one after the last.
    """
    state, field, held, cut = arrays
    one, scale, slack = numbers
    for b in range(first, last):
        for i in order:
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = scale * field[b, i] - bias[i]
            if len(cut) > 0:
                new = one if h > cut[b, i] else -one
            else:
                new = _chosen(h, present, one, slack)
            if new != present:
                state[b, i] = new
                _add(field[b], new - present, matrix[i])


@kernel
def low_rank_sweep(
    order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any, first: Any, last: Any
) -> None:
    """One sweep of queries first to last, in place, by A = LᵀR − diag(d).

    Some queries side by side, so that a unit's row of factors is read once for all of them.

    Args:
        order: the units to visit.
        arrays: the state; the overlaps Rx, `(batch, n)`, kept up to date; held units; what a
            thermal field has to exceed; LᵀRx, which serves each query until its first flip.
        factors: Lᵀ and Rᵀ, `(dim, n)`, and d, `(dim,)`.
        bias: b, `(dim,)`.
        numbers: 1, the scale and the slack, in the precision of the state.
        first: the first query.
        last: the one after the last.
    """
    state, overlaps, held, cut, field = arrays
    left, right, dropped = factors
    one, scale, slack = numbers
    flipped = np.zeros(last - first, np.bool_)
    for start in range(first, last, TOGETHER):
        stop = min(start + TOGETHER, last)
        for i in order:
            for b in range(start, stop):
                if len(held) > 0 and held[b, i]:
                    continue
                present = state[b, i]
                h = _dot(left[i], overlaps[b]) if flipped[b - first] else field[b, i]
                h = scale * (h - dropped[i] * present) - bias[i]
                if len(cut) > 0:
                    new = one if h > cut[b, i] else -one
                else:
                    new = _chosen(h, present, one, slack)
                if new != present:
                    state[b, i] = new
                    flipped[b - first] = True
                    _add(overlaps[b], new - present, right[i])
