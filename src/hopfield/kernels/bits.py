"""Scores of ±1 rows held as bits: what agrees less what does not, by exclusive or and bit counts.

Words lie one after another for each word place, `(words, n)`, so that a vector unit counts several
rows at a time and nothing is summed across its lanes.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .compiling import kernel

LANES = 16  # rows counted side by side: two lines of the cache
TOGETHER = 4  # states counted while a row's word is at hand
TILE = 256  # rows counted at a time: all their words stay in the first cache
WORD = 64

_WORD = ir.IntType(WORD)
_WORDS = ir.VectorType(_WORD, LANES)


def _load(builder: Any, start: Any, offset: Any, kind: Any = _WORD) -> Any:
    """What lies so many bytes behind an address."""
    address = builder.add(start, offset)
    found = builder.load(builder.inttoptr(address, kind.as_pointer()))
    found.align = 8
    return found


def _lanes(builder: Any, word: Any) -> Any:
    """A word in every lane."""
    lane, empty = ir.IntType(32), ir.Constant(_WORDS, ir.Undefined)
    one = builder.insert_element(empty, word, ir.Constant(lane, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(lane, LANES), [0] * LANES))


def _times(builder: Any, word: Any, factor: int) -> Any:
    return builder.mul(word, ir.Constant(_WORD, factor))


def _counts(builder: Any, states: int, given: Any) -> list[Any]:
    """How many known bits of `LANES` rows differ from those of each state."""
    (rows, stride, words), (signs, known, _) = given
    counting = ir.FunctionType(_WORDS, [_WORDS])
    ones = cgutils.get_or_insert_function(builder.module, counting, f"llvm.ctpop.v{LANES}i64")
    zero = ir.Constant(_WORDS, [0] * LANES)
    counts = [cgutils.alloca_once_value(builder, zero) for _ in range(states)]
    with cgutils.for_range(builder, words) as loop:
        row = _load(builder, rows, builder.mul(loop.index, stride), _WORDS)
        for state, count in enumerate(counts):
            offset = _times(builder, builder.add(_times(builder, words, state), loop.index), 8)
            sign, mask = (_lanes(builder, _load(builder, at, offset)) for at in (signs, known))
            more = builder.call(ones, [builder.and_(builder.xor(row, sign), mask)])
            builder.store(builder.add(builder.load(count), more), count)
    return [builder.load(count) for count in counts]


def _scoring(states: int) -> Any:
    """A function that puts the scores of `LANES` rows at some states where they belong.

    Its instructions are written here, since numba names neither bit counts nor vectors, and those
    that it finds by itself are half as wide. Its arguments hold addresses, and distances in bytes:

        rows: the first word, from one word place to the next, how many words.
        states: the first word of the signs, that of the known bits, and how many those are.
        scores: the first one, and from one state's to the next.
        like: a number of the scores' precision.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        rows, asked, (out, step) = (cgutils.unpack_tuple(builder, each) for each in given[:3])
        double = signature.args[3] == types.float64
        number, size = (ir.DoubleType(), 8) if double else (ir.FloatType(), 4)
        numbers = ir.VectorType(number, LANES)
        for state, count in enumerate(_counts(builder, states, (rows, asked))):
            twice = builder.shl(count, ir.Constant(_WORDS, [1] * LANES))
            entries = _lanes(builder, _load(builder, asked[2], ir.Constant(_WORD, 8 * state)))
            score = builder.sitofp(builder.sub(entries, twice), numbers)
            to = builder.add(out, _times(builder, step, state))
            builder.store(score, builder.inttoptr(to, numbers.as_pointer())).align = size
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
            part = states[b, WORD * k : WORD * (k + 1)]
            for j in range(len(part)):
                plus, some = part[j] == 1, part[j] != 0
                fit &= plus | (part[j] == -1) | (not some)
                sign |= np.uint64(plus) << np.uint64(j)
                mask |= np.uint64(some) << np.uint64(j)
                count += some
            signs[b, k], known[b, k] = sign, mask
        total[b] = count
    return fit
