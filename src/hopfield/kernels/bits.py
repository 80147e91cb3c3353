"""Scores of ±1 rows held as bits: what agrees less what does not, by exclusive or and bit counts.

Words lie one after another for each word place, `(words, n)`, so that a vector unit counts several
rows at a time and nothing is summed across its lanes.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from .compiling import kernel
from .vectors import LANES, WORD, at, intrinsic, load, number, spread, store, wide, word

TOGETHER = 4  # states counted while a row's word is at hand
TILE = 256  # rows counted at a time: all their words stay in the first cache

BITS = WORD.width


def _counts(builder: Any, states: int, given: Any) -> list[Any]:
    """How many known bits of `LANES` rows differ from those of each state."""
    (rows, stride, words), (signs, known, _) = given
    many = wide(WORD)
    counting = ir.FunctionType(many, [many])
    ones = cgutils.get_or_insert_function(builder.module, counting, f"llvm.ctpop.v{LANES}i64")
    zero = ir.Constant(many, [0] * LANES)
    counts = [cgutils.alloca_once_value(builder, zero) for _ in range(states)]
    with cgutils.for_range(builder, words) as loop:
        place = builder.add(rows, builder.mul(loop.index, stride))
        row = load(builder, at(builder, place, word(0), many), many)
        for state, count in enumerate(counts):
            index = builder.add(builder.mul(words, word(state)), loop.index)
            sign, mask = (
                spread(builder, load(builder, at(builder, each, index, WORD), WORD), WORD)
                for each in (signs, known)
            )
            more = builder.call(ones, [builder.and_(builder.xor(row, sign), mask)])
            builder.store(builder.add(builder.load(count), more), count)
    return [builder.load(count) for count in counts]


def _scoring(states: int) -> Any:
    """A function that puts the scores of `LANES` rows at some states where they belong.

    Its arguments hold addresses, and distances in bytes:

        rows: the first word, from one word place to the next, how many words.
        states: the first word of the signs, that of the known bits, and how many those are.
        scores: the first one, and from one state's to the next.
        like: a number of the scores' precision.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        rows, asked, (out, step) = (cgutils.unpack_tuple(builder, each) for each in given[:3])
        kind = wide(number(signature.args[3]))
        for state, count in enumerate(_counts(builder, states, (rows, asked))):
            twice = builder.shl(count, ir.Constant(wide(WORD), [1] * LANES))
            total = load(builder, at(builder, asked[2], word(state), WORD), WORD)
            score = builder.sitofp(builder.sub(spread(builder, total, WORD), twice), kind)
            row = builder.add(out, builder.mul(step, word(state)))
            store(builder, score, at(builder, row, word(0), kind), kind)
        return context.get_dummy_value()

    @intrinsic
    def scoring(_typing: Any, rows: Any, states: Any, scores: Any, like: Any) -> Any:
        return types.void(rows, states, scores, like), generate

    return scoring


_score_one: Any = _scoring(1)
_score_some: Any = _scoring(TOGETHER)


@kernel
def _score(words: Any, row: Any, signs: Any, known: Any, total: Any) -> Any:
    """The score of a row that fills no vector."""
    differing = 0
    for k in range(len(signs)):
        rest = (words[k, row] ^ signs[k]) & known[k]
        while rest:
            rest &= rest - np.uint64(1)
            differing += 1
    return total - 2 * differing


@kernel
def scores(words: Any, states: Any, out: Any, first: Any, last: Any, origin: Any) -> None:
    """Scores of rows first to last.

    Args:
        words: all rows, `(words, rows)`.
        states: bits, known bits and how many those are, as `pack` puts them.
        out: the scores, `(batch, rows)`, from row `origin` on.
        first: the first row.
        last: the one after the last.
        origin: the row of the first score.
    """
    signs, known, total = states
    places, one = signs.shape[1], out.dtype.type(1)
    for start in range(first, last, TILE):
        stop = min(start + TILE, last)
        whole = start + (stop - start) // LANES * LANES
        b = 0
        while b < len(signs):
            some = TOGETHER if b + TOGETHER <= len(signs) else 1
            asked = signs[b].ctypes.data, known[b].ctypes.data, total[b:].ctypes.data
            for j in range(start, whole, LANES):
                rows = words[0, j:].ctypes.data, words.strides[0], places
                to = out[b, j - origin :].ctypes.data, out.strides[0]
                if some == TOGETHER:
                    _score_some(rows, asked, to, one)
                else:
                    _score_one(rows, asked, to, one)
            b += some
        for b in range(len(signs)):
            for j in range(whole, stop):
                out[b, j - origin] = _score(words, j, signs[b], known[b], total[b])


@kernel
def pack(states: Any, signs: Any, known: Any, total: Any) -> Any:
    """Put states into bits; whether all their entries are −1, 0 or +1, else they do not fit.

    Args:
        states: `(batch, dim)`.
        signs: which entries are +1, `(batch, words)`.
        known: which are not 0, `(batch, words)`.
        total: how many are not 0, `(batch,)`.
    """
    fit = True
    for b in range(len(states)):
        count = 0
        for k in range(signs.shape[1]):
            sign = mask = np.uint64(0)
            part = states[b, BITS * k : BITS * (k + 1)]
            for j in range(len(part)):
                plus, some = part[j] == 1, part[j] != 0
                fit &= plus | (part[j] == -1) | (not some)
                sign |= np.uint64(plus) << np.uint64(j)
                mask |= np.uint64(some) << np.uint64(j)
                count += some
            signs[b, k], known[b, k] = sign, mask
        total[b] = count
    return fit
