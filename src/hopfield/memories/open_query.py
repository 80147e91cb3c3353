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

FIRST_BOUNDS = 128
"""Rows with the largest coarse bounds, among which the whole sketches find the first ones."""

TRIED_BOUNDS = 2048
"""Rows with large coarse bounds, of which at least so many are refined first as a sample."""


class OpenQuery:
    """A query whose candidates are being read, in the order of their bounds.

    Attributes:
        at: its place among the states.
        order: rows by their bounds, the largest first: all that may have to be read.
        count: rows read so far, the first of `order`.
        unread_weight: a bound of the weight of all other rows.
        needed: rows to read in all, as far as is known.
        refined: rows bound by whole sketches after the first ones were read.
        is_done: True if the weight is small enough.
    """

    def __init__(
        self,
        at: int,
        bounds: Tensor,
        refine: Callable[[Tensor], Tensor],
        extra: float,
        beta: float,
    ) -> None:
        """Begin with bounds of all rows, and a function that returns closer ones of some rows."""
        self.at, self._all, self._refine = at, bounds, refine
        self._extra, self._beta = extra, beta
        self._scores = torch.empty(0, dtype=torch.float64)
        self.order, self._bounds = torch.empty(0, dtype=torch.long), bounds[:0]
        self.count, self.needed, self.refined, self._dropped = 0, FIRST_ROWS, 0, 0.0
        self.unread_weight, self.is_done = 1.0, False

    def start(self, most: int) -> bool:
        """Put the first rows into order; return whether it may do with `most` rows."""
        window = math.log(1 / UNREAD_WEIGHT) / self._beta
        best = self._all.topk(min(FIRST_BOUNDS, len(self._all)))
        floor = best.values[0] - window
        if best.values[-1] >= floor and int((self._all >= floor).count_nonzero()) > most:
            return False
        self._append(best.indices, self._refine(best.indices))
        return True

    def wanted(self) -> Tensor:
        """Return the rows to read next: those needed as far as is known, at most 4 times more."""
        stop = min(self.needed, max(FIRST_ROWS, 4 * self.count))
        return self.order[self.count : stop]

    def add(self, scores: Tensor, limit: int, most: int) -> None:
        """Add the exact scores of rows just read, and see how many more are needed.

        A query with more than `limit` rows to refine, or `most` to read, needs all.
        """
        first = not self.count
        self.count += len(scores)
        self._scores = torch.cat([self._scores, self._beta * scores])
        total = self._scores.logsumexp(0).item()
        if first and not self._close_in(total, limit, most):
            self.needed = sys.maxsize
            return
        rest = self._weights(self._bounds[self.count :], total)
        rest = rest.flip(0).cumsum(0).flip(0) + self._dropped
        self.needed = self.count + int((rest > UNREAD_WEIGHT).sum())
        self.unread_weight = rest[0].item() if len(rest) else self._dropped
        self.is_done = self.unread_weight <= UNREAD_WEIGHT

    def _close_in(self, total: float, limit: int, most: int) -> bool:
        # Put all rows into order that may have to be read; return False if they are too many.
        read, share = self.order[: self.count], 1e-3 * UNREAD_WEIGHT
        self._all[read] = -torch.inf
        self.order, self._bounds = read, self._bounds[: self.count]
        # Rows below the floor weigh less than `share` together; the more is read, the less.
        floor = (total - math.log(len(self._all) / share)) / self._beta - self._extra
        places = (self._all >= floor).nonzero()[:, 0]
        if (step := len(places) // TRIED_BOUNDS) > 1:
            some = self._weights(self._refine(places[::step]), total).sort().values
            if step * int((step * some.cumsum(0) > UNREAD_WEIGHT).sum()) > most:
                return False
        self._dropped = share
        places, _ = self._kept(places, self._all[places], total)
        if len(places) > limit:
            return False
        self.refined = len(places)
        self._append(*self._kept(places, self._refine(places), total))
        return True

    def _kept(self, places: Tensor, bounds: Tensor, total: float) -> tuple[Tensor, Tensor]:
        # Without rows that weigh a quarter of ε together.
        weights = self._weights(bounds, total)
        is_light = weights <= UNREAD_WEIGHT / 4 / max(1, len(places))
        self._dropped += weights[is_light].sum().item()
        return places[~is_light], bounds[~is_light]

    def _weights(self, bounds: Tensor, total: float) -> Tensor:
        return (bounds.double().add_(self._extra).mul_(self._beta).sub_(total)).exp_()

    def _append(self, places: Tensor, bounds: Tensor) -> None:
        bounds, order = bounds.sort(descending=True, stable=True)
        self.order = torch.cat([self.order, places[order]])
        self._bounds = torch.cat([self._bounds, bounds])
