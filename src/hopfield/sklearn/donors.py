"""Completed rows as a memory: weights of stored rows for rows with gaps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..separation import Softmax
from ..similarity import euclidean
from .gaussian import Mixture

BLOCK_SCORES = 2**20
"""Most scores of a block of rows: memory stays at a few times this number."""


@dataclass(frozen=True, eq=False)
class Questions:
    """Rows to fill.

    Attributes:
        rows: their features, 0 where unknown.
        known: the mask of known features.
        group: number of the content of each row; stored rows of the same content are not read. −1
            reads all.
    """

    rows: Tensor
    known: Tensor
    group: Tensor

    def __getitem__(self, part: slice | Tensor) -> "Questions":
        """Return some of the rows."""
        return Questions(self.rows[part], self.known[part], self.group[part])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def blocks(self, stored: int) -> Iterator[tuple[slice, "Questions"]]:
        """Yield parts small enough to score against all stored rows."""
        size = max(1, BLOCK_SCORES // max(1, stored))
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self[part]


@dataclass(frozen=True, eq=False)
class SquaredRows:
    """Rows with their squares, which every block of questions needs."""

    rows: Tensor
    squared: Tensor

    def scores(self, state: Tensor) -> Tensor:
        """X·x."""
        return state @ self.rows.T

    def squares(self, mask: Tensor | None) -> Tensor:
        """Σ_i m_i x_μi²."""
        return self.squared.sum(-1) if mask is None else mask @ self.squared.T


@dataclass(frozen=True, eq=False)
class Donors:
    """Stored rows, completed, and the Gaussians that completed them.

    Attributes:
        rows: the completed features, `(n, dim)`.
        group: number of the content of each row.
        mixture: the Gaussians of the rows.
    """

    rows: Tensor
    group: Tensor
    mixture: Mixture

    def scores(self, questions: Questions) -> Tensor:
        """−½ Σ_known (x_μ − x)² · dim/known, −∞ for the row itself; `(questions, n)`."""
        scores = euclidean(self._squared, questions.rows, questions.known)
        count = questions.known.sum(-1, keepdim=True).clamp_min(1)
        scores = scores.mul_(self.rows.shape[1] / count)
        scores[self._copies(questions)] = -torch.inf
        return scores

    @cached_property
    def _squared(self) -> SquaredRows:
        return SquaredRows(self.rows, self.rows.square())

    @cached_property
    def _by_group(self) -> tuple[Tensor, Tensor]:
        order = self.group.argsort()
        return order, self.group[order].contiguous()

    def _copies(self, questions: Questions) -> tuple[Tensor, Tensor]:
        """Pairs of a question and a stored row of the same content."""
        order, ordered = self._by_group
        first = torch.searchsorted(ordered, questions.group)
        count = torch.searchsorted(ordered, questions.group, right=True) - first
        count[count == len(ordered)] = 0  # without other rows, a row reads its own completion
        which = torch.repeat_interleave(count)
        offset = torch.arange(len(which)) - (count.cumsum(0) - count)[which]
        return which, order[first[which] + offset]

    def weights(self, questions: Questions, beta: float) -> Tensor:
        """p = softmax(β s)."""
        return Softmax(beta)(self.scores(questions))

    def fill(self, questions: Questions, beta: float, linear: float) -> Tensor:
        """x̂ = x̄ + λ G(x − x̄), with x̄ = Σ p_μ x_μ; known features as they are."""
        filled = questions.rows.clone()
        for part, block in questions.blocks(len(self.rows)):
            readout = self.weights(block, beta) @ self.rows
            if linear:
                readout = self.add_gain(block, readout, linear)
            filled[part] = torch.where(block.known, block.rows, readout)
        return filled

    def add_gain(self, questions: Questions, state: Tensor, linear: float) -> Tensor:
        """Return x̄ + λ G(x − x̄) for states x̄."""
        conditional = self.mixture.given(questions.rows, questions.known)
        return state + linear * conditional.gain(questions.rows, state)

    def completed_by(self, questions: Questions, beta: float, linear: float) -> "Donors":
        """Return the stored rows, completed by their own readouts.

        Args:
            questions: the stored rows with their gaps.
            beta, linear: β and λ.
        """
        return replace(self, rows=self.fill(questions, beta, linear))
