"""Pairs of stored patterns that are equal or nearly so."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_integer, check_number
from ..errors import OptionError
from ..stores import Store
from .copies import copy_of
from .naming import entries_at

NEAR_DUPLICATE = 0.25
"""Largest distance of near-duplicates, over the median distance to the nearest other pattern.

Patterns farther apart are not reported.
"""
MOST_PAIRS = 1000
"""Number of pairs that are listed; more are counted."""
LISTED = 10
"""Number of pairs that are printed."""
ROWS = 1024
"""Number of patterns that are compared with as many others at a time."""
ENTRIES = 2**20
"""Entries of pairs of rows that are subtracted at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Duplicates:
    """Pairs of equal or nearly equal patterns, the nearest first. Printing lists the first ones.

    Attributes:
        index: the indices of each pair, the smaller first, `(k, 2)`.
        name: their names, a NumPy array of objects, `(k, 2)`; None if the patterns have none.
        distance: the Euclidean distance of each pair, `(k,)`, float64; 0 for equal patterns.
        count: the number of all pairs; at most `most` of them are listed.
        limit: the largest distance of a pair, in the unit of the patterns.
    """

    index: Int[Tensor, "k 2"]
    name: Any
    distance: Float[Tensor, " k"]
    count: int
    limit: float

    def __len__(self) -> int:
        """Return the number of pairs that are listed."""
        return len(self.index)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the pairs: their names, or their indices if the patterns have none."""
        for pair in self.index.tolist() if self.name is None else self.name.tolist():
            yield tuple(pair)

    def lines(self, most: int = LISTED) -> list[str]:
        """Return the first pairs in words, one per line."""
        pairs = zip(self, self.distance.tolist(), strict=True)
        lines = [f"{one!r} and {other!r}, distance {far:.3g}" for (one, other), far in pairs]
        more = self.count - min(most, len(lines))
        return lines[:most] + ([f"and {more} more"] if more else [])

    def __repr__(self) -> str:
        pairs = "pair" if self.count == 1 else "pairs"
        return "\n  ".join([f"{self.count} {pairs} within {self.limit:.3g}", *self.lines()])


def near_duplicate_limit(nearest: Float[Tensor, " n"], threshold: float = NEAR_DUPLICATE) -> float:
    """Return the largest distance of near-duplicates, from each distance to the nearest other one.

    0 if every distance is ∞, as for a single pattern.
    """
    finite = nearest[nearest.isfinite()]
    return threshold * float(finite.median()) if len(finite) else 0.0


def find_duplicates(store: Store, threshold: object, most: object) -> Duplicates:
    """Return the pairs of equal and nearly equal patterns; see `Memory.duplicates`."""
    threshold = check_number("threshold", threshold, low=0.0, high=1e9)
    most = check_integer("most", most, low=1)
    if store.has_gaps:
        raise OptionError(
            "duplicates needs complete patterns, but some have unknown entries. Use a memory of "
            "the others: memory.patterns[memory.known.all(1)]."
        )
    first = copy_of(store)
    place = torch.arange(len(first), device=first.device)
    is_copy = first != place
    distinct = _Distinct(store, place[~is_copy])
    nearest, slack = distinct.nearest()
    limit = near_duplicate_limit(nearest, threshold)
    is_close = nearest <= limit + slack
    index, distance, count = distinct.pairs(is_close.nonzero()[:, 0], limit, most)
    copies = torch.stack([first[is_copy], place[is_copy]], dim=-1)
    index = torch.cat([copies, index])
    distance = torch.cat([distance.new_zeros(len(copies)), distance])
    order = _order(index, distance)[:most]
    index, names = index[order], None if store.annotations is None else store.annotations.names
    return Duplicates(
        index,
        None if names is None else entries_at(names, index),
        distance[order],
        count + len(copies),
        limit,
    )


class _Distinct:
    """The distinct patterns of a store, compared tile by tile."""

    def __init__(self, store: Store, index: Int[Tensor, " n"]) -> None:
        self.store, self.index = store, index
        self.mean = store.summary().mean  # distances of centred rows are not rounded by their place

    def rows(self, places: Tensor) -> Tensor:
        return self.store.take(self.index[places]).double() - self.mean

    def tiles(self, places: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield places of patterns to compare, `(rows,)` each, every pair of parts once."""
        yield from combinations_with_replacement(places.split(ROWS), 2)

    def squares(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared distances by products, ∞ for a pattern and itself, and their rounding."""
        rows, others = self.rows(one), self.rows(other)
        norms, other_norms = rows.norm(dim=-1)[:, None], others.norm(dim=-1)
        squares = norms.square() + other_norms.square() - 2 * (rows @ others.T)
        eps = torch.finfo(squares.dtype).eps * (self.store.dim + 8)
        rounding = 4 * eps * (norms + other_norms).square()
        return squares.masked_fill_(one[:, None] == other, torch.inf), rounding

    def nearest(self) -> tuple[Tensor, Tensor]:
        """Return the distance of each pattern to the nearest other one, and its rounding."""
        places = torch.arange(len(self.index), device=self.index.device)
        nearest = torch.full(places.shape, torch.inf, dtype=torch.float64, device=places.device)
        largest = torch.zeros_like(nearest)
        for one, other in self.tiles(places):
            squares, rounding = self.squares(one, other)
            for part, axis in ((one, 1), (other, 0)):
                nearest[part] = torch.minimum(nearest[part], squares.amin(axis))
                largest[part] = torch.maximum(largest[part], rounding.amax(axis))
        return nearest.clamp_min(0).sqrt(), largest.sqrt()

    def pairs(self, places: Tensor, limit: float, most: int) -> tuple[Tensor, Tensor, int]:
        """Return the nearest pairs within `limit`, their distances, and the number of all pairs."""
        index, count = self.index.new_empty(0, 2), 0
        distance = torch.empty(0, dtype=torch.float64, device=index.device)
        for one, other in self.tiles(places):
            squares, rounding = self.squares(one, other)
            close = (squares <= limit**2 + rounding) & (one[:, None] < other)
            rows, columns = close.nonzero().unbind(-1)
            left, right = one[rows], other[columns]
            exact = self._distances(left, right)
            within = exact <= limit
            count += int(within.sum())
            found = torch.stack([self.index[left[within]], self.index[right[within]]], dim=-1)
            index, distance = torch.cat([index, found]), torch.cat([distance, exact[within]])
            order = _order(index, distance)[:most]
            index, distance = index[order], distance[order]
        return index, distance, count

    def _distances(self, left: Tensor, right: Tensor) -> Tensor:
        size = max(1, ENTRIES // self.store.dim)
        parts = zip(left.split(size), right.split(size), strict=True)
        return torch.cat([(self.rows(a) - self.rows(b)).norm(dim=-1) for a, b in parts])


def _order(index: Int[Tensor, "k 2"], distance: Float[Tensor, " k"]) -> Int[Tensor, " k"]:
    keys = (index[:, 1], index[:, 0], distance)
    order = numpy.lexsort([key.cpu().numpy() for key in keys])
    return torch.from_numpy(order).to(index.device)
