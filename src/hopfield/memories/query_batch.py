"""A batch of queries of a certified readout."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..separation import Separation
from ..similarity import Similarity, masked_state
from ..stores import Store, Summary

DROPPED_WEIGHT = 1e-9
"""ε: the largest total weight of the rows that a certified readout leaves out."""


def beta_of(separation: Separation) -> float:
    """Return β as a finite number."""
    return min(separation.inverse_width() or 0.0, 1e30)


@dataclass(frozen=True, eq=False)
class QueryBatch:
    """A batch of states x with their mask m, and how rows are scored against them.

    Attributes:
        masked: m⊙x, `(batch, dim)`, float32 or float64.
        known: m, `(dim,)` or `(batch, dim)`, or None; always None if scores are dot products.
        beta: β.
        euclidean: True if scores are −½‖m⊙(x_μ − x)‖²; False if they are (m⊙x)·x_μ.
        prior: w of each row, `(n,)`, or None.
    """

    masked: Tensor
    known: Tensor | None
    beta: float
    euclidean: bool
    prior: Tensor | None = None

    @classmethod
    def of(
        cls,
        store: Store,
        state: Tensor,
        known: Tensor | None,
        similarity: Similarity,
        separation: Separation,
    ) -> "QueryBatch":
        """Return the batch for a readout."""
        euclidean = not similarity.half_squared_norm
        masked, known = masked_state(state, known), known if euclidean else None
        return cls(masked, known, beta_of(separation), euclidean, store.prior)

    def at(self, queries: Tensor) -> "QueryBatch":
        """Return the batch of some of the queries."""
        known = self.known if self.known is None or self.known.ndim == 1 else self.known[queries]
        return replace(self, masked=self.masked[queries], known=known)

    def window(self, count: int) -> float:
        """log(n/ε)/β for n = `count`: rows further below the best score are left out.

        With priors n is Σw/min w: the row of the best score may have the smallest prior.
        """
        total: float = count
        if self.prior is not None:
            total = float(self.prior.sum() / self.prior.min())
        return math.log(total / DROPPED_WEIGHT) / self.beta

    def mean_gap(self, summary: Summary) -> Tensor:
        """Bound the distance from the mean score of all rows up to the best score, `(batch,)`."""
        mean, std = summary.mean.to(self.masked), summary.std.to(self.masked)
        if not self.euclidean:
            return self.masked.norm(dim=-1) * summary.largest_norm - self.masked @ mean
        mask = torch.ones_like(mean) if self.known is None else self.known.to(mean)
        return ((self.masked - mask * mean).square() + mask * std.square()).sum(-1) / 2

    def near_best(self, rows: Tensor, largest_norm: float, window: float) -> Tensor:
        """Count rows within `window` of a bound of the best score, which holds for all rows."""
        rows = rows.to(self.masked)
        products, lengths = self.masked @ rows.T, self.masked.norm(dim=-1)
        if not self.euclidean:
            return (products >= (lengths * largest_norm - window)[:, None]).sum(-1)
        squares = rows.square()
        squares = squares.sum(-1) if self.known is None else squares @ self.known.to(rows)
        return (products - squares / 2 >= (lengths.square() / 2 - window)[:, None]).sum(-1)

    def scores(self, rows: Tensor, queries: Tensor) -> Tensor:
        """Return the scores of rows, `(k, dim)`, each for one of the queries, in float64."""
        rows, x = rows.double(), self.masked[queries].double()
        if not self.euclidean:
            return torch.linalg.vecdot(rows, x)
        visible = rows if self.known is None else torch.where(self.known, rows, 0.0)
        return (visible - x).square().sum(-1) / -2
