"""Errors at hidden entries, and the bounds that follow from them."""

import math
from dataclasses import dataclass

import numpy as np

FEWEST = 30
"""Errors of a column from which on it has bounds alone; below, standardised errors are pooled."""


@dataclass(frozen=True, eq=False)
class HiddenErrors:
    """Errors of filled entries whose truth was hidden.

    Attributes:
        column: the column of each error.
        error: truth − filled; of categories 1 if wrong, else 0.
        is_category: per column.
        scale: standard deviation of each column of numbers.
    """

    column: np.ndarray
    error: np.ndarray
    is_category: np.ndarray
    scale: np.ndarray

    def by_column(self) -> np.ndarray:
        """Return root mean squares, or shares of wrong categories; NaN for columns without."""
        count = np.bincount(self.column, minlength=len(self.scale))
        squares = np.bincount(self.column, self.error**2, minlength=len(self.scale))
        mean = np.divide(squares, count, out=np.full(len(count), np.nan), where=count > 0)
        return np.where(self.is_category, mean, np.sqrt(mean))

    def half_widths(self, interval: float) -> np.ndarray:
        """Return the conformal quantile of |error| per column; NaN for categories.

        It is the ⌈(n + 1)·interval⌉-th smallest of n errors, and infinite if there are too few.
        """
        numeric = ~self.is_category[self.column]
        pooled = np.abs(self.error / self.scale[self.column])[numeric]
        widths = np.full(len(self.scale), np.nan)
        for j in np.flatnonzero(~self.is_category):
            errors = np.abs(self.error[self.column == j])
            if len(errors) < FEWEST:
                errors = pooled * self.scale[j]
            widths[j] = _conformal(errors, interval)
        return widths


def _conformal(errors: np.ndarray, interval: float) -> float:
    rank = math.ceil((len(errors) + 1) * interval)
    return float(np.sort(errors)[max(rank, 1) - 1]) if rank <= len(errors) else math.inf
