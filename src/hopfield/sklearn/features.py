"""Rows of a table as vectors: standardised numbers, one unit vector per category."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .table import StoredColumn

FLOAT32_COLUMNS = 64
"""Number of features above which they are float32, and of one Gaussian: products take the time."""


@dataclass(frozen=True, eq=False)
class Features:
    """A map from the columns of a table to features of zero mean.

    A number becomes (x − mean)/std. A category becomes its indicators minus their means, divided by
    the root of the sum of their variances: every column of a table has variance 1 in all.

    Attributes:
        sizes: number of features of each column.
        centre, scale: mean and divisor of each feature.
    """

    sizes: list[int]
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, table: np.ndarray, columns: Sequence[StoredColumn]) -> "Features":
        """Return the features of the columns, by the entries that are known (not NaN)."""
        sizes = [1 if c.levels is None else max(1, len(c.levels)) for c in columns]
        centre: list[np.ndarray] = []
        scale: list[np.ndarray] = []
        for j, column in enumerate(columns):
            known = table[~np.isnan(table[:, j]), j]
            if column.levels is None:
                mean = known.mean() if len(known) else 0.0
                deviation = known.std() if len(known) else 0.0
                # A constant column has a deviation of rounding.
                is_constant = deviation <= 1e-12 * abs(mean)
                centre.append(np.array([mean]))
                scale.append(np.array([1.0 if is_constant else deviation]))
            else:
                share = np.bincount(known.astype(int), minlength=sizes[j]) / max(1, len(known))
                spread = np.sqrt((share * (1 - share)).sum())
                centre.append(share)
                scale.append(np.full(sizes[j], spread if spread > 0 else 1.0))
        return cls(sizes, np.concatenate(centre), np.concatenate(scale))

    @property
    def starts(self) -> np.ndarray:
        """Return the first feature of each column."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(int)

    def map_from(self, other: "Features") -> tuple[Tensor, Tensor]:
        """Return factor and shift that turn features of the same columns into these."""
        factor, shift = other.scale / self.scale, (other.centre - self.centre) / self.scale
        return self._tensor(factor), self._tensor(shift)

    def _tensor(self, values: np.ndarray) -> Tensor:
        dtype = np.float32 if len(self.centre) > FLOAT32_COLUMNS else np.float64
        return torch.from_numpy(values.astype(dtype))

    def encode(self, table: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return features, 0 where unknown, and the mask of the known ones."""
        wide, known = (np.repeat(each, self.sizes, axis=1) for each in (table, ~np.isnan(table)))
        is_indicator = np.repeat(np.array(self.sizes) > 1, self.sizes)
        code = np.arange(len(self.centre)) - np.repeat(self.starts, self.sizes)
        features = np.where(is_indicator, wide == code, wide) if is_indicator.any() else wide
        features = (features - self.centre) / self.scale
        return self._tensor(np.where(known, features, 0.0)), torch.from_numpy(known)

    def decode(self, features: Tensor, columns: Sequence[StoredColumn]) -> np.ndarray:
        """Return numbers, and the most likely category of columns with levels."""
        values = features.double().numpy() * self.scale + self.centre
        table = values[:, self.starts]
        for j, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            if columns[j].levels is not None:
                table[:, j] = values[:, start : start + size].argmax(axis=1)
        return table
