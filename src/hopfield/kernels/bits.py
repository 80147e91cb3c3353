"""Scores of ±1 rows held as bits: what agrees less what does not, by exclusive or and bit counts.

Words lie one after another for each word place, `(words, n)`, so that a vector unit counts several
rows at a time and nothing is summed across its lanes.
"""

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .compiling import kernel

TILE = 256  # rows counted at a time: all their words stay in the first cache


def _population(context: Any, word: Any) -> Any:
    """How many bits of a word are set: one instruction, which numba does not name."""

    def count(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.ctpop(given[0])

    return types.uint64(types.uint64), count


_ones: Any = intrinsic(_population)


@kernel
def _count(words: Any, start: Any, state: Any, counts: Any) -> None:
    """Put how many bits differ from the state's into `counts`, of the rows from `start`."""
    stop = start + len(counts)
    counts[:] = 0
    k = 0
    while k + 4 <= len(state):
        s0, s1, s2, s3 = state[k], state[k + 1], state[k + 2], state[k + 3]
        x0, x1 = words[k, start:stop], words[k + 1, start:stop]
        x2, x3 = words[k + 2, start:stop], words[k + 3, start:stop]
        for j in range(len(counts)):
            two = _ones(x0[j] ^ s0) + _ones(x1[j] ^ s1)
            counts[j] += two + (_ones(x2[j] ^ s2) + _ones(x3[j] ^ s3))
        k += 4
    while k < len(state):
        s0, x0 = state[k], words[k, start:stop]
        for j in range(len(counts)):
            counts[j] += _ones(x0[j] ^ s0)
        k += 1


@kernel
def _count_known(words: Any, start: Any, state: Any, known: Any, counts: Any) -> None:
    """The same of the bits set in `known`."""
    stop = start + len(counts)
    counts[:] = 0
    for k in range(len(state)):
        s0, m0, x0 = state[k], known[k], words[k, start:stop]
        for j in range(len(counts)):
            counts[j] += _ones((x0[j] ^ s0) & m0)


@kernel
def scores(
    words: Any, states: Any, known: Any, total: Any, out: Any, first: Any, last: Any, origin: Any
) -> None:
    """Scores of rows first to last.

    Args:
        words: all rows, `(words, rows)`.
        states: the states, `(batch, words)`.
        known: which entries are not 0, `(batch, words)`; without rows where all are.
        total: how many entries that is, `(batch,)`.
        out: the scores, `(batch, rows)`, from row `origin` on.
        first: the first row.
        last: the one after the last.
        origin: the row of the first score.
    """
    whole = np.empty(TILE, np.uint64)
    for start in range(first, last, TILE):
        counts = whole[: min(TILE, last - start)]
        for b in range(len(states)):
            if len(known) > 0:
                _count_known(words, start, states[b], known[b], counts)
            else:
                _count(words, start, states[b], counts)
            for j in range(len(counts)):
                out[b, start - origin + j] = total[b] - 2 * np.int64(counts[j])
