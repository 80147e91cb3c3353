"""Completed rows as a memory: weights of stored rows for rows with gaps."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..separation import Softmax
from ..similarity import TensorRows, euclidean
from .gaussian import Gaussian

BLOCK_SCORES = 2**22
"""Most scores of a block of rows asked: memory stays at a few times this number."""


@dataclass(frozen=True, eq=False)
class Questions:
    """Rows to fill.

    Attributes:
        rows: their features, 0 where unknown.
        known: the mask of known features.
        group: number of the content of each row; a stored row of the same content is not read. −1
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
class Donors:
    """Stored rows, completed, and the Gaussian that completed them.

    Attributes:
        rows: the completed features, `(n, dim)`.
        group: number of the content of each row.
        gaussian: the Gaussian of the rows.
    """

    rows: Tensor
    group: Tensor
    gaussian: Gaussian

    def scores(self, questions: Questions) -> Tensor:
        """−½ Σ_known (x_μ − x)² · features/known, −∞ for the row asked itself; `(asked, n)`."""
        scores = euclidean(TensorRows(self.rows), questions.rows, questions.known)
        count = questions.known.sum(-1, keepdim=True).clamp_min(1)
        scores = scores.mul_(self.rows.shape[1] / count)
        same = questions.group[:, None] == self.group
        has_other = ~same.all(-1, keepdim=True)
        return scores.masked_fill_(same & has_other, -torch.inf)

    def weights(self, scores: Tensor, beta: float) -> Tensor:
        """softmax(β s)."""
        return Softmax(beta)(scores)

    def fill(self, questions: Questions, beta: float, linear: float) -> Tensor:
        """x̂ = x̄ + λ G(x − x̄), with x̄ the readout Σ p_μ x_μ; known features as they are."""
        filled = questions.rows.clone()
        for part, asked in questions.blocks(len(self.rows)):
            readout = self.weights(self.scores(asked), beta) @ self.rows
            if linear:
                readout = readout + linear * self.gain(asked, readout)
            filled[part] = torch.where(asked.known, asked.rows, readout)
        return filled

    def gain(self, asked: Questions, state: Tensor) -> Tensor:
        """G(x − state): linear expectation of what the state leaves over."""
        cholesky = self.gaussian.posterior(asked.known)
        return self.gaussian.gain(asked.rows - state, asked.known, cholesky)
