"""Kernels for asynchronous sweeps of a classical network, which update all fields after each flip.

The coupling is W = scale·A. Sums are computed with A, whose entries are whole numbers for Hebb's
rule, so that ties are exact. Both sweeps have these arguments, and write to `arrays`:

    order: the units to visit.
    arrays: the state, `(batch, dim)`; Ax of the same shape, or the overlaps Rx, `(batch, n)`, if
        A = LᵀR − diag(d); a mask of units that keep their value; the values that fields must
        exceed for +1 at a temperature. The last two are `(batch, dim)`, or have no rows if unused.
    factors: A, `(dim, dim)`; or Lᵀ and Rᵀ, `(dim, n)`, and d, `(dim,)`.
    bias: the thresholds b, `(dim,)`.
    numbers: 1, the scale and the slack, in the precision of the state. A field of at most the
        slack counts as 0.
    first, stop: the queries to update, range(first, stop).
"""

from typing import Any

import numpy as np

from .compiling import kernel, summing

FEW = 7
"""Largest number of queries that a low-rank sweep updates one by one; more go side by side."""

LANES = 128
"""Number of queries updated side by side: their overlaps with 100 patterns fit into the cache."""


@kernel
def _chosen(field: Any, present: Any, cut: Any, at: Any, numbers: Any) -> Any:
    # sign(field), or the present value where |field| ≤ slack; with cuts, +1 above the unit's cut.
    one, _, slack = numbers
    if len(cut) > 0:
        return one if field > cut[at] else -one
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
    order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any, first: int, stop: int
) -> None:
    """Sweep queries with the full matrix A."""
    state, field, held, cut = arrays
    scale = numbers[1]
    for b in range(first, stop):
        for i in order:
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = scale * field[b, i] - bias[i]
            new = _chosen(h, present, cut, (b, i), numbers)
            if new != present:
                state[b, i] = new
                _add(field[b], new - present, factors[i])


@summing
def _dots(row: Any, columns: Any, out: Any) -> None:
    # out_q = Σ_k row_k columns_kq. Four rows at a time: sums are stored a quarter as often.
    zero = row[0] - row[0]
    for q in range(len(out)):  # faster than a slice
        out[q] = zero
    whole = len(row) - len(row) % 4
    for k in range(0, whole, 4):
        a, b, c, d = row[k], row[k + 1], row[k + 2], row[k + 3]
        for q in range(len(out)):
            out[q] += (a * columns[k, q] + b * columns[k + 1, q]) + (
                c * columns[k + 2, q] + d * columns[k + 3, q]
            )
    for k in range(whole, len(row)):
        for q in range(len(out)):
            out[q] += row[k] * columns[k, q]


@kernel
def _decide(field: Any, state: Any, free: Any, delta: Any, unit: Any, cut: Any) -> bool:
    # Change one unit of all queries where it is free; True if any changed. As `_chosen`, in loops
    # that compilers turn into vector instructions.
    diagonal, bias, one, scale, slack = unit
    for q in range(len(state)):
        field[q] = scale * (field[q] - diagonal * state[q]) - bias
    for q in range(len(cut)):
        delta[q] = ((one if field[q] > cut[q] else -one) - state[q]) * free[q]
    for q in range(len(cut), len(state)):
        new = one if field[q] > slack else (-one if field[q] < -slack else state[q])
        delta[q] = (new - state[q]) * free[q]
    changed = False
    for q in range(len(state)):
        changed |= delta[q] != 0
        state[q] += delta[q]
    return changed


@kernel
def _add_outer(columns: Any, row: Any, delta: Any) -> None:
    # columns_kq += row_k delta_q; not inlined below, where compilers fear that arrays overlap.
    for k in range(len(row)):
        factor = row[k]
        for q in range(len(delta)):
            columns[k, q] += factor * delta[q]


@kernel
def _side_by_side(order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any) -> None:
    # `low_rank_sweep` of at most `LANES` queries: arrays are transposed, a query per column.
    state, overlaps, held, cut = arrays
    left, right, diagonal = factors
    one, scale, slack = numbers
    count = len(state)
    x, m = state.T.copy(), overlaps.T.copy()
    field, free, delta = np.empty_like(x[0]), np.full(count, one), np.empty_like(x[0])
    for i in order:
        _dots(left[i], m, field)
        if len(held) > 0:
            for q in range(count):
                free[q] = not held[q, i]
        unit = diagonal[i], bias[i], one, scale, slack
        if _decide(field, x[i], free, delta, unit, cut[:, i]):
            _add_outer(m, right[i], delta)
    state[:] = x.T
    overlaps[:] = m.T


@kernel
def _one_by_one(order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any) -> None:
    # `low_rank_sweep` of a few queries: vector units go over the patterns.
    state, overlaps, held, cut = arrays
    left, right, diagonal = factors
    scale = numbers[1]
    for i in order:
        for b in range(len(state)):
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = scale * (_dot(left[i], overlaps[b]) - diagonal[i] * present) - bias[i]
            new = _chosen(h, present, cut, (b, i), numbers)
            if new != present:
                state[b, i] = new
                _add(overlaps[b], new - present, right[i])


@kernel
def low_rank_sweep(
    order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any, first: int, stop: int
) -> None:
    """Sweep queries with the factors of A = LᵀR − diag(d)."""
    state, overlaps, held, cut = arrays
    for start in range(first, stop, LANES):
        end = min(start + LANES, stop)
        some = state[start:end], overlaps[start:end], held[start:end], cut[start:end]
        if end - start > FEW:
            _side_by_side(order, some, factors, bias, numbers)
        else:
            _one_by_one(order, some, factors, bias, numbers)
