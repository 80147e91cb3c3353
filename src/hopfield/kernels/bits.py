"""Kernels for the scores of ±1 rows stored as bits, one bit per entry.

A score is the number of equal entries minus that of unequal ones, which exclusive or and bit counts
find. Bits are in words of 64. The array is `(words, rows)`, so that the same word of many rows lies
in sequence, and vector instructions count several rows at a time.
"""

from typing import Any

import numpy as np

from .compiling import kernel

BITS = 64

STATES = 4
"""Number of states that are compared with a row each time its words are loaded."""

TILE = 512
"""Number of rows per tile: their words stay in the first two levels of the cache."""


@kernel
def _bit_count(word: Any) -> Any:
    # Compilers recognise this sequence, and use the processor's own count where it has one.
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def _count_one(words: Any, rows: Any, sign: Any, known: Any, counts: Any) -> None:
    # Unequal known entries of rows start to stop and one state, straight from the store.
    start, stop = rows
    counts[:] = 0
    for k in range(len(sign)):
        row, bits, mask = words[k, start:stop], sign[k], known[k]
        for j in range(len(counts)):
            counts[j] += _bit_count((row[j] ^ bits) & mask)


@kernel
def _count_some(tile: Any, signs: Any, known: Any, counts: Any) -> None:
    # The same for `STATES` states and a copy of the rows; two words at a time, whose counts are
    # added before they are stored. Tiles have an even number of words and `TILE` rows.
    counts[:] = 0
    count_a, count_b, count_c, count_d = counts[0], counts[1], counts[2], counts[3]
    for k in range(0, len(tile), 2):
        first, second = tile[k], tile[k + 1]
        a, b, c, d = signs[0, k], signs[1, k], signs[2, k], signs[3, k]
        e, f, g, h = signs[0, k + 1], signs[1, k + 1], signs[2, k + 1], signs[3, k + 1]
        p, q, r, s = known[0, k], known[1, k], known[2, k], known[3, k]
        t, u, v, w = known[0, k + 1], known[1, k + 1], known[2, k + 1], known[3, k + 1]
        for j in range(TILE):
            x, y = first[j], second[j]
            count_a[j] += _bit_count((x ^ a) & p) + _bit_count((y ^ e) & t)
            count_b[j] += _bit_count((x ^ b) & q) + _bit_count((y ^ f) & u)
            count_c[j] += _bit_count((x ^ c) & r) + _bit_count((y ^ g) & v)
            count_d[j] += _bit_count((x ^ d) & s) + _bit_count((y ^ h) & w)


@kernel
def scores(words: Any, states: Any, out: Any, first: int, last: int, origin: int) -> None:
    """Compute the scores of the rows in range(first, last).

    Args:
        words: all rows, `(words, rows)`.
        states: bits of the signs and of the known entries, each `(batch, words)`, with one word
            more if their number is odd; and the number of known entries, `(batch,)`. `pack` fills
            all three.
        out: the scores, `(batch, rows)`; column 0 belongs to row `origin`.
        first, last: the first row, and the one after the last.
        origin: the row to which column 0 of `out` belongs.
    """
    signs, known, total = states
    places = len(words)
    counts = np.empty((STATES, TILE), np.uint64)
    tile = np.zeros((signs.shape[1], TILE), np.uint64)
    for start in range(first, last, TILE):
        stop = min(start + TILE, last)
        if len(signs) >= STATES:
            for k in range(places):
                tile[k, : stop - start] = words[k, start:stop]
        for b in range(0, len(signs), STATES):
            some = min(STATES, len(signs) - b)
            if some == STATES:
                _count_some(tile, signs[b : b + STATES], known[b : b + STATES], counts)
            for i in range(some):
                count = counts[i, : stop - start]
                if some < STATES:
                    sign, mask = signs[b + i, :places], known[b + i, :places]
                    _count_one(words, (start, stop), sign, mask, count)
                row = out[b + i, start - origin : stop - origin]
                for j in range(len(row)):
                    row[j] = total[b + i] - 2 * np.int64(count[j])


@kernel
def pack(states: Any, signs: Any, known: Any, total: Any) -> bool:
    """Write states as bits; return False if an entry is not −1, 0 or +1.

    Args:
        states: `(batch, dim)`.
        signs: output, a bit per entry that is +1, `(batch, words)`; surplus words become 0.
        known: output, a bit per entry that is not 0, of the same shape.
        total: output, the number of entries that are not 0, `(batch,)`.
    """
    valid = True
    for b in range(len(states)):
        count = 0
        for k in range(signs.shape[1]):
            sign = mask = np.uint64(0)
            part = states[b, BITS * k : BITS * (k + 1)]
            for j in range(len(part)):
                plus, some = part[j] == 1, part[j] != 0
                valid &= plus | (part[j] == -1) | (not some)
                sign |= np.uint64(plus) << np.uint64(j)
                mask |= np.uint64(some) << np.uint64(j)
                count += some
            signs[b, k], known[b, k] = sign, mask
        total[b] = count
    return valid
