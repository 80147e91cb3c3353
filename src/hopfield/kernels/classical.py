"""Asynchronous sweeps of the classical network: fields follow flips, and nothing else is computed.

W = scale·A. Sums are those of A alone, so that Hebbian fields are whole numbers and ties exact.
Arrays are `(batch, dim)` unless said otherwise; `held` and `cut` have no rows where there are none.
"""

from typing import Any

from .compiling import kernel, summing


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

    Args:
        order: the units to visit.
        arrays: the state; its field Ax, used until the first flip; held units; what a thermal
            field has to exceed; the overlaps Rx, `(batch, n)`, kept up to date.
        factors: Lᵀ and Rᵀ, `(dim, n)`, and d, `(dim,)`.
        bias: b, `(dim,)`.
        numbers: 1, the scale and the slack, in the precision of the state.
        first: the first query.
        last: the one after the last.
    """
    state, field, held, cut, overlaps = arrays
    left, right, dropped = factors
    one, scale, slack = numbers
    for b in range(first, last):
        flipped = False
        for i in order:
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = field[b, i]
            if flipped:
                h = _dot(left[i], overlaps[b]) - dropped[i] * present
            h = scale * h - bias[i]
            if len(cut) > 0:
                new = one if h > cut[b, i] else -one
            else:
                new = _chosen(h, present, one, slack)
            if new != present:
                state[b, i] = new
                flipped = True
                _add(overlaps[b], new - present, right[i])
