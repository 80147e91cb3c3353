"""Weights of rows: how often each counts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

MOST_COPIES = 2**20
"""Largest sum of whole weights that count copies; of a larger sum they are importances."""


def weighted_rows(
    rows: np.ndarray, targets: np.ndarray, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows with a weight above 0, their targets, and their weights."""
    if sample_weight is None:
        return rows, targets, np.ones(len(rows))
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    counts = weights > 0
    return rows[counts], targets[counts], weights[counts]


@dataclass(frozen=True, eq=False)
class RowWeights:
    """Weights of stored rows.

    Attributes:
        prior: the weight of each row, with mean 1 unless it counts copies; None if all are 1.
        copies: the row of each copy; None if rows count once, or weights are importances.
    """

    prior: Tensor | None
    copies: Tensor | None

    @classmethod
    def of(cls, weights: np.ndarray) -> "RowWeights":
        """Return whole weights as numbers of copies, others as importances."""
        if (weights == 1).all():
            return cls(None, None)
        if (weights == weights.round()).all() and weights.sum() <= MOST_COPIES:
            copies = np.repeat(np.arange(len(weights)), weights.astype(int))
            return cls(torch.from_numpy(weights), torch.from_numpy(copies))
        return cls(torch.from_numpy(weights / weights.mean()), None)

    def repeated(self, rows: Tensor) -> Tensor:
        """Return the rows, each as often as it has copies."""
        return rows if self.copies is None else rows[self.copies]

    @property
    def importance(self) -> Tensor | None:
        """Return the weights, if they do not count copies."""
        return self.prior if self.copies is None else None

    def total(self, values: Tensor) -> Tensor:
        """Return Σ w v over the rows."""
        return values.sum(0) if self.prior is None else self.prior @ values

    def mean(self, values: Tensor) -> Tensor:
        """Return Σ w v / Σ w."""
        return values.mean(0) if self.prior is None else self.total(values) / self.prior.sum()
