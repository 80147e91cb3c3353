"""Asynchronous sweeps of the classical network: fields follow flips, and nothing else is computed.

W = scale·A. Sums are those of A alone, so that Hebbian fields are whole numbers and ties exact.
Arrays are `(batch, dim)` unless said otherwise; `held` and `cut` have no rows where there are none.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from .compiling import kernel, summing
from .vectors import LANES, at, intrinsic, load, number, spread, store, wide, word

FEW = 3
"""Queries that go through a low-rank sweep one by one; more go side by side."""

SUMS = 4  # kept side by side, since one would wait for itself


@kernel
def _chosen(field: Any, present: Any, cut: Any, at: Any, numbers: Any) -> Any:
    """sign(field), or the present value where the field is zero up to rounding.

    Where there are cuts, whether the field exceeds that of this query and unit.
    """
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
    scale = numbers[1]
    for b in range(first, last):
        for i in order:
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = scale * field[b, i] - bias[i]
            new = _chosen(h, present, cut, (b, i), numbers)
            if new != present:
                state[b, i] = new
                _add(field[b], new - present, matrix[i])


@intrinsic
def _dots(_typing: Any, row: Any, columns: Any, out: Any, like: Any) -> Any:
    """Σ_k row_k columns_k of `LANES` columns; addresses, row's with its length; any number."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (start, count), kind = cgutils.unpack_tuple(builder, given[0]), number(signature.args[3])
        many = wide(kind)
        zero = ir.Constant(many, [0.0] * LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(SUMS)]

        def add(k: Any, to: Any) -> None:
            factor = spread(builder, load(builder, at(builder, start, k, kind), kind), kind)
            column = load(builder, at(builder, given[1], k, many), many)
            builder.store(builder.fadd(builder.load(to), builder.fmul(factor, column)), to)

        turns = builder.udiv(count, word(SUMS))
        with cgutils.for_range(builder, turns) as loop:
            for place, each in enumerate(sums):
                add(builder.add(builder.mul(loop.index, word(SUMS)), word(place)), each)
        with cgutils.for_range(builder, count, start=builder.mul(turns, word(SUMS))) as loop:
            add(loop.index, sums[0])
        one, two, three, four = (builder.load(each) for each in sums)
        total = builder.fadd(builder.fadd(one, two), builder.fadd(three, four))
        store(builder, total, at(builder, given[2], word(0), many), many)
        return context.get_dummy_value()

    return types.void(row, columns, out, like), generate


@intrinsic
def _decide(_typing: Any, lanes: Any, unit: Any) -> Any:
    """Let one unit of `LANES` queries follow its field where it is free; whether any changed.

    Addresses of LᵀRx, of the state, of 1 where it is free, and of what it changes by; then d, b, 1,
    scale and slack.
    """

    def generate(_context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = number(signature.args[1].dtype)
        many = wide(kind)
        places = [
            at(builder, each, word(0), many) for each in cgutils.unpack_tuple(builder, given[0])
        ]
        h, x, free = (load(builder, place, many) for place in places[:3])
        dropped, bias, one, scale, slack = (
            spread(builder, each, kind) for each in cgutils.unpack_tuple(builder, given[1])
        )
        h = builder.fsub(builder.fmul(scale, builder.fsub(h, builder.fmul(dropped, x))), bias)
        low = builder.fcmp_ordered("<", h, builder.fneg(slack))
        new = builder.select(low, builder.fneg(one), x)
        new = builder.select(builder.fcmp_ordered(">", h, slack), one, new)
        change = builder.fmul(builder.fsub(new, x), free)
        store(builder, change, places[3], many)
        store(builder, builder.fadd(x, change), places[1], many)
        zero, bits = ir.Constant(many, [0.0] * LANES), ir.IntType(LANES)
        changed = builder.bitcast(builder.fcmp_unordered("!=", change, zero), bits)
        return builder.icmp_unsigned("!=", changed, ir.Constant(bits, 0))

    return types.boolean(lanes, unit), generate


@intrinsic
def _follow(_typing: Any, row: Any, columns: Any, by: Any, like: Any) -> Any:
    """columns_k += row_k·by of `LANES` columns; arguments as for `_dots`."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (start, count), kind = cgutils.unpack_tuple(builder, given[0]), number(signature.args[3])
        many = wide(kind)
        by = load(builder, at(builder, given[2], word(0), many), many)
        with cgutils.for_range(builder, count) as loop:
            factor = spread(
                builder, load(builder, at(builder, start, loop.index, kind), kind), kind
            )
            place = at(builder, given[1], loop.index, many)
            more = builder.fmul(factor, by)
            store(builder, builder.fadd(load(builder, place, many), more), place, many)
        return context.get_dummy_value()

    return types.void(row, columns, by, like), generate


@kernel
def _turned(rows: Any) -> Any:
    """Rows of some queries as columns, the others 0."""
    columns = np.zeros((rows.shape[1], LANES), rows.dtype)
    for i in range(rows.shape[1]):
        for q in range(rows.shape[0]):
            columns[i, q] = rows[q, i]
    return columns


@kernel
def _heat(lanes: Any, unit: Any, cut: Any) -> Any:
    """As `_decide`, where a field must exceed `cut`; with arrays."""
    field, state, free, by = lanes
    dropped, bias, one, scale, _ = unit
    changed = False
    for q in range(len(cut)):
        h = scale * (field[q] - dropped * state[q]) - bias
        by[q] = free[q] * ((one if h > cut[q] else -one) - state[q])
        state[q] += by[q]
        changed |= by[q] != 0
    return changed


@kernel
def _side_by_side(order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any) -> None:
    """`low_rank_sweep` of at most `LANES` queries, a query a lane."""
    state, overlaps, held, cut = arrays
    left, right, dropped = factors
    one, scale, slack = numbers
    count, n = len(state), left.shape[1]
    x, m = _turned(state), _turned(overlaps)
    field, free, by = np.zeros((3, LANES), state.dtype)
    free[:count] = one
    sums, may, change = field.ctypes.data, free.ctypes.data, by.ctypes.data
    for i in order:
        _dots((left[i].ctypes.data, n), m.ctypes.data, sums, one)
        if len(held) > 0:
            for q in range(count):
                free[q] = not held[q, i]
        unit = dropped[i], bias[i], one, scale, slack
        if len(cut) > 0:
            changed = _heat((field, x[i], free, by), unit, cut[:, i])
        else:
            changed = _decide((sums, x[i].ctypes.data, may, change), unit)
        if changed:
            _follow((right[i].ctypes.data, n), m.ctypes.data, change, one)
    state[:] = x[:, :count].T
    overlaps[:] = m[:, :count].T


@kernel
def _one_by_one(order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any) -> None:
    """`low_rank_sweep` of a few queries, patterns side by side."""
    state, overlaps, held, cut = arrays
    left, right, dropped = factors
    scale = numbers[1]
    for i in order:
        for b in range(len(state)):
            if len(held) > 0 and held[b, i]:
                continue
            present = state[b, i]
            h = scale * (_dot(left[i], overlaps[b]) - dropped[i] * present) - bias[i]
            new = _chosen(h, present, cut, (b, i), numbers)
            if new != present:
                state[b, i] = new
                _add(overlaps[b], new - present, right[i])


@kernel
def low_rank_sweep(
    order: Any, arrays: Any, factors: Any, bias: Any, numbers: Any, first: Any, last: Any
) -> None:
    """One sweep of queries first to last, in place, by A = LᵀR − diag(d).

    Args:
        order: the units to visit.
        arrays: the state; the overlaps Rx, `(batch, n)`, kept up to date; held units; what a
            thermal field has to exceed.
        factors: Lᵀ and Rᵀ, `(dim, n)`, and d, `(dim,)`.
        bias: b, `(dim,)`.
        numbers: 1, the scale and the slack, in the precision of the state.
        first: the first query.
        last: the one after the last.
    """
    state, overlaps, held, cut = arrays
    for start in range(first, last, LANES):
        stop = min(start + LANES, last)
        some = state[start:stop], overlaps[start:stop], held[start:stop], cut[start:stop]
        if stop - start > FEW:
            _side_by_side(order, some, factors, bias, numbers)
        else:
            _one_by_one(order, some, factors, bias, numbers)
