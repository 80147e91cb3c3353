"""A query of a search whose candidates are being read, in the order of their bounds."""

import math
import sys
from collections.abc import Callable

import torch
from torch import Tensor

UNREAD_WEIGHT = 1e-6
"""ε: the largest total weight of the rows that are not read."""

FIRST_ROWS = 16
"""Rows of a query that are read first, those with the largest bounds."""


class OpenQuery:
    """A query whose candidates are being read, in the order of their bounds.

    Attributes:
        at: its place among the states.
        order: rows by their bounds, the largest first: all that may have to be read.
        count: rows read so far, the first of `order`.
        unread_weight: a bound of the weight of all other rows.
        needed: rows to read in all, as far as is known.
        is_done: True if the weight is small enough.
    """

    def __init__(
        self,
        at: int,
        bounds: Tensor,
        refine: Callable[[Tensor], Tensor],
        extra: float,
        limit: int,
    ) -> None:
        """Begin with bounds of all rows, and a function that returns closer ones of some rows."""
        self.at, self._all, self._refine = at, bounds, refine
        self._extra, self._limit = extra, limit
        self._scores = torch.empty(0, dtype=torch.float64)
        self.order = torch.empty(0, dtype=torch.long)
        self.count, self.needed = 0, FIRST_ROWS
        self.unread_weight, self.is_done = 1.0, False

    def start(self, places: Tensor, window: float) -> int:
        """Put the first rows into order; return how many are in a window below the best bound."""
        self._sort(places)
        return int((self._bounds >= self._bounds[0] - window).sum())

    def wanted(self) -> Tensor:
        """Return the rows to read next: those needed as far as is known, at most 4 times more."""
        stop = min(self.needed, max(FIRST_ROWS, 4 * self.count))
        return self.order[self.count : stop]

    def add(self, places: Tensor, scores: Tensor, beta: float) -> None:
        """Add the exact scores of rows just read, and see how many more are needed."""
        first = not self.count
        self.count += len(places)
        self._scores = torch.cat([self._scores, beta * scores])
        total, share = self._scores.logsumexp(0).item(), 1e-3 * UNREAD_WEIGHT
        if first:  # the others weigh less than `share` together; the more is read, the less
            floor = (total - math.log(len(self._all) / share)) / beta - self._extra
            near = (self._all >= floor).nonzero()[:, 0]
            if len(near) > self._limit:  # `order` lacks some of them: read in full
                self.needed = sys.maxsize
                return
            self._sort(near)
        weights = (beta * (self._bounds + self._extra) - total).exp()
        rest = weights.flip(0).cumsum(0).flip(0) + share
        enough = int((rest > UNREAD_WEIGHT).sum())
        self.needed = max(self.count, enough)
        self.unread_weight = rest[self.count].item() if self.count < len(rest) else share
        self.is_done = self.unread_weight <= UNREAD_WEIGHT

    def _sort(self, places: Tensor) -> None:
        # The rows that were read stay the first ones; nothing is left of their weight.
        read = self.order[: self.count]
        places = places[~torch.isin(places, read)] if len(read) else places
        bounds, order = self._refine(places).double().sort(descending=True, stable=True)
        self.order = torch.cat([read, places[order]])
        self._bounds = torch.cat([bounds.new_full((len(read),), -torch.inf), bounds])
