"""Kernel for asynchronous sweeps of a dense network: each field is a sum over n patterns.

Scores are whole numbers. The summand of a pattern is thus looked up as `table[shift − level]`, at
its score without unit i, the level s_μ^{∖i} = s_μ − x_μi x_i. The caller decides units whose field
is below its rounding error.
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
def _largest(scores: Any) -> int:
    largest = scores[0]
    for k in range(len(scores)):
        largest = max(largest, scores[k])
    return largest


@summing
def _bound_sum(terms: Any) -> float:
    # An upper bound of Σ |terms|, whichever patterns agree with the unit.
    size = 0.0
    for k in range(terms.shape[1]):
        size += max(abs(terms[0, k]), abs(terms[1, k]))
    return size


@summing
def _sums(signs: Any, flip_mask: Any, set_terms: Any, clear_terms: Any) -> tuple[float, float]:
    # Σ set_terms over patterns whose bit is set, and Σ clear_terms over the rest. The bits are
    # those of `signs`, inverted where `flip_mask` has ones.
    set_sum, clear_sum = 0.0, 0.0
    for w in range(len(signs)):
        word = signs[w] ^ flip_mask
        for k in range(LANES):
            bit = (word >> np.uint64(k)) & np.uint64(1)
            set_sum += set_terms[w * LANES + k] if bit else 0.0
            clear_sum += 0.0 if bit else clear_terms[w * LANES + k]
    return set_sum, clear_sum


@kernel
def _update_scores(scores: Any, signs: Any, delta: Any) -> None:
    # Adds x_μi·delta to s_μ, after unit i has changed by delta.
    for w in range(len(signs)):
        word, first = signs[w], w * LANES
        for k in range(min(LANES, len(scores) - first)):
            bit = (word >> np.uint64(k)) & np.uint64(1)
            scores[first + k] += delta if bit else -delta


@kernel
def sweep(
    order: Any, arrays: Any, columns: Any, table: Any, numbers: Any, first: int, stop: int
) -> None:
    """Sweep queries in place; a query stops at the first unit that needs an exact decision.

    Args:
        order: the units to visit.
        arrays: the state, ±1 or 0, `(batch, dim)`; the scores, whole numbers, `(batch, n)`; a mask
            of units that keep their value, without rows if there are none; the position of each
            query in the order, `(batch,)`; the exact sign for the unit at that position, or NaN,
            `(batch,)`.
        columns: the signs of the patterns, a row per unit, 64 per word.
        table: the summands, at index shift − level.
        numbers: the shift, or −1 for the largest score of the query plus 1; the rounding error of a
            field, relative to the sum of absolute summands; and the sum of absolute summands below
            which fields are exact.
        first, stop: the queries to update, range(first, stop).
    """
    state, scores, held, place, verdict = arrays
    fixed_shift, rounding, exact_size = numbers
    for b in range(first, stop):
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
                    shift = fixed_shift if fixed_shift >= 0 else _largest(scores[b]) + 1
                    _look_up(scores[b], table, shift, terms)
                    size = _bound_sum(terms) if fixed_shift >= 0 else 0.0
                    stale = False
                flip_mask = np.uint64(0) if present >= 0 else ~np.uint64(0)
                agree_terms = terms[2] if present == 0 else terms[0]
                differ_terms = terms[2] if present == 0 else terms[1]
                agree_sum, differ_sum = _sums(columns[i], flip_mask, agree_terms, differ_terms)
                field = (agree_sum - differ_sum) * (1.0 if present >= 0 else -1.0)
                size = agree_sum + differ_sum if fixed_shift < 0 else size
                if size >= exact_size and abs(field) <= rounding * size:
                    break
            verdict[b] = np.nan
            new = present if field == 0 else np.sign(field)
            if new != present:
                state[b, i] = new
                _update_scores(scores[b], columns[i], np.int32(new - present))
                stale = True
            place[b] += 1
