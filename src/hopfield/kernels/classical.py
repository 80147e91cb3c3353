"""Asynchronous sweeps of the classical network: fields follow flips, and nothing else is computed.

W = scale·A. Sums are those of A alone, so that Hebbian fields are whole numbers and ties exact.
Arrays are `(batch, dim)` unless said otherwise; `held` and `cut` have no rows where there are none.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from .compiling import kernel, summing
from .vectors import LANES, at, intrinsic, load, number, spread, store, turned, wide, word

FEW = 3
"""Queries that go through a low-rank sweep one by one; more go side by side."""

LINE = 64  # bytes

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


def _summed(builder: Any, count: Any, kind: Any, term: Callable[[Any], Any]) -> Any:
    """Σ_k term(k) of `LANES` columns, for any number of them."""
    many = wide(kind)
    zero = ir.Constant(many, [0.0] * LANES)
    sums = [cgutils.alloca_once_value(builder, zero) for _ in range(SUMS)]

    def add(k: Any, to: Any) -> None:
        builder.store(builder.fadd(builder.load(to), term(k)), to)

    turns = builder.udiv(count, word(SUMS))
    with cgutils.for_range(builder, turns) as loop:
        for place, each in enumerate(sums):
            add(builder.add(builder.mul(loop.index, word(SUMS)), word(place)), each)
    with cgutils.for_range(builder, count, start=builder.mul(turns, word(SUMS))) as loop:
        add(loop.index, sums[0])
    one, two, three, four = (builder.load(each) for each in sums)
    return builder.fadd(builder.fadd(one, two), builder.fadd(three, four))


def _entry(builder: Any, row: Any, k: Any, kind: Any) -> Any:
    """Entry k of a row, in every lane."""
    return spread(builder, load(builder, at(builder, row, k, kind), kind), kind)


@intrinsic
def _dots(_typing: Any, row: Any, columns: Any, out: Any, like: Any) -> Any:
    """Σ_k row_k columns_k of `LANES` columns; addresses, row's with its length; any number."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (start, count), kind = cgutils.unpack_tuple(builder, given[0]), number(signature.args[3])
        many = wide(kind)

        def term(k: Any) -> Any:
            column = load(builder, at(builder, given[1], k, many), many)
            return builder.fmul(_entry(builder, start, k, kind), column)

        total = _summed(builder, count, kind, term)
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
def _follow(_typing: Any, rows: Any, columns: Any, by: Any, out: Any, like: Any) -> Any:
    """columns_k += changed_k·by of `LANES` columns, and at once what `_dots` says of the next row.

    Addresses: of the changed unit's row, the next one's, and their length.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        changed, following, count = cgutils.unpack_tuple(builder, given[0])
        kind = number(signature.args[4])
        many = wide(kind)
        change = load(builder, at(builder, given[2], word(0), many), many)

        def term(k: Any) -> Any:
            place = at(builder, given[1], k, many)
            more = builder.fmul(_entry(builder, changed, k, kind), change)
            column = builder.fadd(load(builder, place, many), more)
            store(builder, column, place, many)
            return builder.fmul(_entry(builder, following, k, kind), column)

        total = _summed(builder, count, kind, term)
        store(builder, total, at(builder, given[3], word(0), many), many)
        return context.get_dummy_value()

    return types.void(rows, columns, by, out, like), generate


@intrinsic
def _turn(_typing: Any, tile: Any, step: Any, out: Any, out_step: Any, like: Any) -> Any:
    """A square of `LANES` rows turned: addresses, and bytes from one row to the next."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        many = wide(number(signature.args[4]))

        def place(start: Any, row: int, step: Any) -> Any:
            begin = builder.add(start, builder.mul(step, word(row)))
            return at(builder, begin, word(0), many)

        rows = [load(builder, place(given[0], row, given[1]), many) for row in range(LANES)]
        for row, lanes in enumerate(turned(builder, rows)):
            store(builder, lanes, place(given[2], row, given[3]), many)
        return context.get_dummy_value()

    return types.void(tile, step, out, out_step, like), generate


@kernel
def _columns(size: Any, one: Any) -> Any:
    """Zeros, `(size, LANES)`, that begin with a line of the cache: half as dear to go through."""
    line = np.full((size + 1) * LANES, one - one)
    skip = -line.ctypes.data % LINE // line.itemsize
    return line[skip : skip + size * LANES].reshape(size, LANES)


@kernel
def _turn_into(out: Any, given: Any, like: Any) -> None:
    """out = givenᵀ, as far as both go."""
    size, count = min(out.shape[0], given.shape[1]), min(out.shape[1], given.shape[0])
    whole, tiled = size - size % LANES, count - count % LANES
    start, step = given.ctypes.data, given.strides[0]
    to, to_step = out.ctypes.data, out.strides[0]
    for i in range(0, whole, LANES):
        for q in range(0, tiled, LANES):
            tile = start + q * step + i * given.itemsize
            _turn(tile, step, to + i * to_step + q * given.itemsize, to_step, like)
    for i in range(size):
        for q in range(tiled if i < whole else 0, count):
            out[i, q] = given[q, i]


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
    x, m = _columns(len(left), one), _columns(n, one)
    _turn_into(x, state, one)
    _turn_into(m, overlaps, one)
    field, free, by = _columns(3, one)
    free[:count] = one
    # Addresses are worked out here: a view of a row costs as much as what is done with it.
    all_x, all_m, sums, may = x.ctypes.data, m.ctypes.data, field.ctypes.data, free.ctypes.data
    change, rows, columns = by.ctypes.data, left.ctypes.data, right.ctypes.data
    step, x_step = left.strides[0], x.strides[0]
    changed, last = False, order[0]
    for i in order:
        if changed:
            _follow((columns + last * step, rows + i * step, n), all_m, change, sums, one)
        else:
            _dots((rows + i * step, n), all_m, sums, one)
        if len(held) > 0:
            for q in range(count):
                free[q] = not held[q, i]
        unit = dropped[i], bias[i], one, scale, slack
        if len(cut) > 0:
            changed = _heat((field, x[i], free, by), unit, cut[:, i])
        else:
            changed = _decide((sums, all_x + i * x_step, may, change), unit)
        last = i
    if changed:
        _follow((columns + last * step, rows, n), all_m, change, sums, one)
    _turn_into(state, x, one)
    _turn_into(overlaps, m, one)


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
    if len(order) == 0:
        return
    for start in range(first, last, LANES):
        stop = min(start + LANES, last)
        some = state[start:stop], overlaps[start:stop], held[start:stop], cut[start:stop]
        if stop - start > FEW:
            _side_by_side(order, some, factors, bias, numbers)
        else:
            _one_by_one(order, some, factors, bias, numbers)
