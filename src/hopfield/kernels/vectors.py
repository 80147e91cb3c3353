"""Words for kernels that say in the compiler's own instructions what several lanes do at once.

numba names no vectors, and those that it finds by itself are half as wide as they could be. As a
cache does not notice that this file has changed, delete `__pycache__` here when it has.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic as _intrinsic

intrinsic: Callable[[Callable[..., Any]], Any] = _intrinsic
"""A function that is written in instructions: given types, its signature and what writes them."""

LANES = 16
"""Rows, or queries, side by side: two vectors of words, or one of float32."""

WORD = ir.IntType(64)


def wide(kind: Any) -> Any:
    """The type of `LANES` such numbers."""
    return ir.VectorType(kind, LANES)


def number(like: Any) -> Any:
    """The type of a float32 or float64 of numba."""
    return ir.DoubleType() if like == types.float64 else ir.FloatType()


def word(value: int) -> Any:
    """A whole number."""
    return ir.Constant(WORD, value)


def size(kind: Any) -> int:
    """Bytes of a number, or of one of many."""
    return 4 if getattr(kind, "element", kind) == ir.FloatType() else 8


def at(builder: Any, start: Any, index: Any, kind: Any) -> Any:
    """A pointer to the element of that index behind an address."""
    distance = size(kind) * (LANES if isinstance(kind, ir.VectorType) else 1)
    address = builder.add(start, builder.mul(index, word(distance)))
    return builder.inttoptr(address, kind.as_pointer())


def load(builder: Any, pointer: Any, kind: Any) -> Any:
    """What lies there."""
    found = builder.load(pointer)
    found.align = size(kind)
    return found


def store(builder: Any, value: Any, pointer: Any, kind: Any) -> None:
    """Put a value there."""
    builder.store(value, pointer).align = size(kind)


def spread(builder: Any, value: Any, kind: Any) -> Any:
    """One number in every lane."""
    lane, empty = ir.IntType(32), ir.Constant(wide(kind), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(lane, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(wide(lane), [0] * LANES))


def turned(builder: Any, rows: list[Any]) -> list[Any]:
    """`LANES` vectors whose k-th holds what the k-th lane of each held: blocks change places."""
    block = LANES // 2
    while block:
        keep = [lane if not lane & block else LANES + lane - block for lane in range(LANES)]
        pass_on = [lane + block if not lane & block else LANES + lane for lane in range(LANES)]
        masks = [ir.Constant(wide(ir.IntType(32)), places) for places in (keep, pass_on)]
        for low in (each for each in range(LANES) if not each & block):
            pair = rows[low], rows[low + block]
            rows[low], rows[low + block] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        block //= 2
    return rows
