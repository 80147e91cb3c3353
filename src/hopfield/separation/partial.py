"""Partial readouts, which merge, also those of several ranks, and end in a readout."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ..errors import OptionError
from ..ranks import Ranks


@runtime_checkable
class Rows(Protocol):
    """Consecutive patterns and their weighted sum: all that a separation needs of a block."""

    @property
    def start(self) -> int:
        """Return the index of the first row."""

    def __len__(self) -> int: ...

    def weighted_sum(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """Return weights @ rows[at], for all rows if `at` is None."""


@dataclass(frozen=True, eq=False)
class Readout:
    """The result of reading a memory at a batch of states, one entry per state.

    Attributes:
        state: the sum of patterns by their weights, Xᵀ∇F(s), `(*batch, dim)`.
        potential: F(s), `(*batch)`.
        index: the pattern with the largest weight, `(*batch)`; the first of those that tie. Weights
            include the prior.
        weight: the weight of that pattern, `(*batch)`.
        entropy: entropy of the weights, −Σ p log p in nats, `(*batch)`.
        mean: the mean of patterns by their weights, Xᵀ∇F(s)/Σ∇F(s), where the separation says
            `mean_ascends`, NaN if all weights are 0; None elsewhere.
    """

    state: Tensor
    potential: Tensor
    index: Tensor
    weight: Tensor
    entropy: Tensor
    mean: Tensor | None = None


class Partial(ABC):
    """A readout of some of the rows; `merge` adds other rows, and `result` finishes it."""

    keeps_scores: ClassVar[bool] = False
    """True if scores are kept until the end: `kept_scores` then grows with the rows."""

    @property
    def kept_scores(self) -> int:
        """Return how many scores are kept until the end; none by default."""
        return 0

    def merge_ranks(self, ranks: Ranks, separation: Any) -> "Partial":
        """Return the partial readout of the rows of all ranks; the default refuses.

        The parameters of `separation` are for use after the merge.
        """
        raise OptionError(
            f"{type(self).__name__} must define merge_ranks, or the rows of other ranks are left "
            "out. Do so, or leave `partial` to the base class."
        )

    @abstractmethod
    def merge(self, other: "Partial") -> "Partial":
        """Return the partial readout of both sets of rows."""

    @abstractmethod
    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Return the readout; a partial readout without sums of rows reads them from `blocks`."""


def sum_of_blocks(blocks: Iterable[Rows], weights: Tensor, ranks: Ranks | None) -> Tensor:
    """Return the weighted sum of all rows, also of those that other ranks have."""
    weights = weights if ranks is None else ranks.enter(weights)
    parts = (
        rows.weighted_sum(weights[..., rows.start : rows.start + len(rows)]) for rows in blocks
    )
    state = reduce(torch.add, parts)
    return state if ranks is None else ranks.sum(state)[0]


P = TypeVar("P", bound=Partial)


def check_mergeable(partial: P, other: Partial) -> P:
    """Return `other` if it has the same class as `partial`."""
    if not isinstance(other, type(partial)):
        raise TypeError(f"{type(partial).__name__} does not merge with {type(other).__name__}")
    return other


def entropy(weights: Tensor) -> Tensor:
    """Return the entropy of weights over the last axis, −Σ p log p in nats."""
    return torch.special.entr(weights).sum(-1) + 0.0  # no −0
