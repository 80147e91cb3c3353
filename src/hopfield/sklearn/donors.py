"""Completed rows as a memory: weights of stored rows for rows with gaps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from .progress import Report, silent
from .row_model import RowModel

CACHED_SCORES, BLOCK_ROWS = 2**18, 128
"""Scores of a block that stay in the cache of a processor, and fewest rows of a block: products of
fewer rows are slow."""

SMALLEST_BETA, LARGEST_BETA = 1e-30, 1e20
"""β below which all weights are equal, and above which only the largest score has weight. 0·∞ and
∞ − ∞ are no numbers."""


def finite_beta(beta: float) -> float:
    """Return the number nearest to β that scores can be multiplied by."""
    return min(max(beta, SMALLEST_BETA), LARGEST_BETA)


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
        size = max(BLOCK_ROWS, CACHED_SCORES // max(1, stored))
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self[part]


@dataclass(frozen=True, eq=False)
class Donors:
    """Stored rows, completed, and the model that completed them.

    Attributes:
        rows: the completed features, `(n, dim)`.
        group: number of the content of each row.
        model: Gaussians of the rows.
    """

    rows: Tensor
    group: Tensor
    model: RowModel

    def scores(self, questions: Questions) -> Tensor:
        """−½ Σ_known (x_μ − x)² · dim/known, up to a number per question; `(questions, n)`.

        −∞ for the row itself.
        """
        known = questions.known.to(self.rows.dtype)
        scale = self.rows.shape[1] / known.sum(-1, keepdim=True).clamp_min(1)
        # One product, Σ_known (x_μ x − ½ x_μ²): every pass over the scores takes time.
        query = torch.cat([questions.rows * scale, known * (-scale / 2)], dim=-1)
        scores = query @ self._with_squares.T
        scores[self._copies(questions)] = -torch.inf
        return scores

    @cached_property
    def _with_squares(self) -> Tensor:
        return torch.cat([self.rows, self.rows.square()], dim=-1)

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
        return torch.softmax(self.scores(questions).mul_(finite_beta(beta)), dim=-1)

    def read(self, questions: Questions, beta: float, report: Report = silent) -> Tensor:
        """x̄ = Σ p_μ x_μ."""
        state = torch.empty_like(questions.rows)
        for part, block in questions.blocks(len(self.rows)):
            report("filling rows", part.start, len(questions))
            state[part] = self.weights(block, beta) @ self.rows
        report("filling rows", len(questions), len(questions))
        return state

    def fill(
        self, questions: Questions, beta: float, linear: float, report: Report = silent
    ) -> Tensor:
        """x̂ = x̄ + λ G(x − x̄); known features as they are."""
        state = self.read(questions, beta, report)
        if linear:
            state = self.add_gain(questions, state, linear)
        return torch.where(questions.known, questions.rows, state)

    def add_gain(self, questions: Questions, state: Tensor, linear: float) -> Tensor:
        """Return x̄ + λ G(x − x̄) for states x̄."""
        gain = torch.empty_like(state)
        for part in self.model.blocks(len(state)):
            block = questions[part]
            gain[part] = self.model.given(block.rows, block.known).gain(state[part])
        return state + linear * gain

    def completed_by(self, questions: Questions, beta: float, linear: float) -> "Donors":
        """Return the stored rows, completed by their own readouts.

        Args:
            questions: the stored rows with their gaps.
            beta, linear: β and λ.
        """
        return replace(self, rows=self.fill(questions, beta, linear))
