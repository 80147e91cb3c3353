"""Asynchronous sweeps of the dense network: each decision is a sum over n patterns.

Scores are whole numbers, so the summand of a pattern is looked up: `table[shift − level]` for the
level s_μ^{∖i} = s_μ − x_μi x_i. Decisions below rounding are left to the caller.
"""

from typing import Any

import numpy as np

from .compiling import kernel, summing

LANES = 64  # patterns per word


@kernel
def _look_up(scores: Any, table: Any, shift: int, terms: Any) -> None:
    # Writes the summands for x_μi x_i = +1, −1 and 0 to `terms`, `(3 or 2, lanes)`.
    for k in range(len(scores)):
        terms[0, k] = table[np.uint32(shift + 1 - scores[k])]
    for k in range(len(scores)):
        terms[1, k] = table[np.uint32(shift - 1 - scores[k])]
    if len(terms) > 2:
        for k in range(len(scores)):
            terms[2, k] = table[np.uint32(shift - scores[k])]


@kernel
def _best(scores: Any) -> int:
    best = scores[0]
    for k in range(len(scores)):
        best = max(best, scores[k])
    return best


@summing
def _size(terms: Any) -> float:
    # A bound of Σ |terms| for all signs.
    size = 0.0
    for k in range(terms.shape[1]):
        size += max(abs(terms[0, k]), abs(terms[1, k]))
    return size


@summing
def _sums(signs: Any, flipped: Any, same: Any, other: Any) -> tuple[float, float]:
    # Σ same over patterns whose bit is set, and Σ other over the rest; `flipped` inverts the bits.
    one_way, other_way = 0.0, 0.0
    for w in range(len(signs)):
        word = signs[w] ^ flipped
        for k in range(LANES):
            bit = (word >> np.uint64(k)) & np.uint64(1)
            one_way += same[w * LANES + k] if bit else 0.0
            other_way += 0.0 if bit else other[w * LANES + k]
    return one_way, other_way


@kernel
def _follow(scores: Any, signs: Any, by: Any) -> None:
    # Updates the scores after a unit has grown by `by`.
    for w in range(len(signs)):
        word, first = signs[w], w * LANES
        for k in range(min(LANES, len(scores) - first)):
            bit = (word >> np.uint64(k)) & np.uint64(1)
            scores[first + k] += by if bit else -by


@kernel
def sweep(
    order: Any, arrays: Any, columns: Any, table: Any, numbers: Any, first: int, last: int
) -> None:
    """Sweep queries first to last, in place, until one unit of each needs an exact decision.

    Args:
        order: the units to visit.
        arrays: the state, ±1 or 0 `(batch, dim)`; the scores, whole numbers `(batch, n)`; held
            units, without rows for None; the place of each query in the order, `(batch,)`; the
            exact decision of the unit at that place, or NaN, `(batch,)`.
        columns: the signs of the patterns, a row per unit, 64 per word.
        table: the summands, by shift − level.
        numbers: the shift, −1 for one that follows the best score; the rounding of a sum relative
            to the sum of its sizes; and the size below which it is exact.
        first: the first query.
        last: the one after the last.
    """
    state, scores, held, place, verdict = arrays
    given, rounding, exact = numbers
    for b in range(first, last):
        rows = 3 if np.any(state[b] == 0) else 2
        terms = np.zeros((rows, columns.shape[1] * LANES))
        size, stale = 0.0, True
        while place[b] < len(order):
            i = order[place[b]]
            present = state[b, i]
            if len(held) > 0 and held[b, i]:
                place[b] += 1
                continue
            field = verdict[b]
            if np.isnan(field):
                if stale:
                    shift = given if given >= 0 else _best(scores[b]) + 1
                    _look_up(scores[b], table, shift, terms)
                    size = _size(terms) if given >= 0 else 0.0
                    stale = False
                flipped = np.uint64(0) if present >= 0 else ~np.uint64(0)
                above = terms[2] if present == 0 else terms[0]
                below = terms[2] if present == 0 else terms[1]
                one_way, other_way = _sums(columns[i], flipped, above, below)
                field = (one_way - other_way) * (1.0 if present >= 0 else -1.0)
                size = one_way + other_way if given < 0 else size
                if size >= exact and abs(field) <= rounding * size:
                    break
            verdict[b] = np.nan
            new = present if field == 0 else np.sign(field)
            if new != present:
                state[b, i] = new
                _follow(scores[b], columns[i], np.int32(new - present))
                stale = True
            place[b] += 1
