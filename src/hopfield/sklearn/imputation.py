"""The result of `HopfieldImputer.impute`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_integer

INDICES = 5
"""Number of stored rows that `Imputation.index` names per row."""


@dataclass(frozen=True, eq=False, repr=False)
class Imputation:
    """A table with its gaps filled, and how sure each value is.

    Attributes:
        values: the filled table, in the form it came in.
        low, high: bounds of each value; equal to it where it was known, NaN for categories.
        n_effective: 1/Σp² of the weights p of stored rows, per row; 0 for complete rows.
        index: the stored rows of largest weight, per row, the largest first; −1 where none was
            read.
    """

    values: Any
    low: Any
    high: Any
    n_effective: np.ndarray
    index: np.ndarray
    _draw: Callable[[np.random.Generator], Any]

    def __repr__(self) -> str:
        """Describe the table in one line."""
        read, (rows, columns) = self.n_effective[self.n_effective > 0], self.values.shape
        text = f"<Imputation of {rows} rows × {columns} columns: {len(read)} rows filled"
        return text + (f", the median one from {np.median(read):.1f} rows>" if len(read) else ">")

    def sample(self, n: int = 1, random_state: int | np.random.Generator | None = 0) -> list[Any]:
        """Return n completed tables: each row draws one stored row by the weights."""
        draws = np.random.default_rng(random_state)
        return [self._draw(draws) for _ in range(check_integer("n", n))]
