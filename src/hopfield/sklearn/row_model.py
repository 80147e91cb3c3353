"""Models of rows with gaps: what each says of unknown features, given known ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

MOST_RIDGE, RIDGE_ROWS = 0.05, 4.0
"""Variance added to each standardised feature, which keeps regressions of few rows bounded: at most
the first number; the second, divided by the number of rows, if that is less."""

MOST_ROUNDS, TOLERANCE = 6, 0.02
"""Most rounds of expectation and maximisation, and the relative change of the covariance below
which they end: further rounds change completed rows little."""

BLOCK = 2**22
"""Most numbers of a block of rows × numbers per row."""


@dataclass(frozen=True, eq=False)
class Conditional(ABC):
    """Linear expectations of the unknown features of some rows, given the known ones.

    Attributes:
        model: the model of the rows.
        rows: the rows; what they hold where unknown does not matter.
        known: their mask.
    """

    model: "RowModel"
    rows: Tensor
    known: Tensor

    @abstractmethod
    def expected(self, residual: Tensor) -> Tensor:
        """G r: expectation of the residual of unknown features; r is 0 where unknown."""

    @abstractmethod
    def complete(self) -> Tensor:
        """Return the rows with expectations where unknown, in range."""

    @abstractmethod
    def draw_noise(self, draws: np.random.Generator) -> Tensor:
        """Return noise of the unknown features, given the known ones; 0 where known."""

    def gain(self, state: Tensor) -> Tensor:
        """G(x − state) of unknown features; half of the way to a bound that they would pass."""
        end = state + self.expected(torch.where(self.known, self.rows - state, 0.0))
        limit = self.model.in_range(end)
        return torch.where(end == limit, end - state, (limit - state) / 2)


@dataclass(frozen=True, eq=False)
class RowModel(ABC):
    """A distribution of rows, fitted to rows with gaps.

    Attributes:
        low, high: range of the known entries of each feature. Without it, few known entries can
            make regressions that grow from round to round.
        covariance: of the rows, within the components of a mixture, `(dim, dim)`.
    """

    low: Tensor
    high: Tensor
    covariance: Tensor

    @property
    @abstractmethod
    def numbers_per_row(self) -> int:
        """Return how many numbers a conditional holds per row."""

    @abstractmethod
    def given(self, rows: Tensor, known: Tensor) -> Conditional:
        """Return the expectations for some rows."""

    @abstractmethod
    def scaled(self, factor: Tensor, shift: Tensor) -> "RowModel":
        """Return the model of the rows factor·x + shift."""

    @abstractmethod
    def refitted(self, rows: Tensor, known: Tensor) -> "RowModel":
        """Return the model fitted to rows with gaps, begun at this one; unknown features are 0."""

    def in_range(self, rows: Tensor) -> Tensor:
        """Return the rows, clipped to the range of known entries."""
        return torch.minimum(torch.maximum(rows, self.low), self.high)

    def blocks(self, count: int) -> Iterator[slice]:
        """Yield slices of `count` rows, small enough to condition on at a time."""
        size = max(1, BLOCK // self.numbers_per_row)
        for start in range(0, count, size):
            yield slice(start, start + size)

    def complete(self, rows: Tensor, known: Tensor) -> Tensor:
        """Return the rows with expectations where unknown."""
        filled = torch.empty_like(rows)
        for part in self.blocks(len(rows)):
            filled[part] = self.given(rows[part], known[part]).complete()
        return filled

    def add_noise(self, rows: Tensor, known: Tensor, draws: np.random.Generator) -> Tensor:
        """Return completed rows with noise where they were unknown, in range."""
        noisy = rows.clone()
        for part in self.blocks(len(rows)):
            noisy[part] += self.given(rows[part], known[part]).draw_noise(draws)
        return torch.where(known, rows, self.in_range(noisy))


def ridge(count: int) -> float:
    """Return the variance to add to each feature in a model of `count` rows."""
    return min(MOST_RIDGE, RIDGE_ROWS / count)


Model = TypeVar("Model", bound=RowModel)


def maximise(model: Model, step: Callable[[Model], Model], rounds: int = MOST_ROUNDS) -> Model:
    """Make rounds of expectation and maximisation until the covariance hardly changes."""
    for _ in range(rounds):
        last, model = model, step(model)
        if (model.covariance - last.covariance).norm() <= TOLERANCE * last.covariance.norm():
            break
    return model


def pairwise_covariance(rows: Tensor, known: Tensor) -> Tensor:
    """Return the mean product of two features over rows that know both; rows are 0 elsewhere."""
    mask = known.to(rows.dtype)
    return (rows.T @ rows) / (mask.T @ mask).clamp_min(1)
