"""A Gaussian of few factors, for rows of many features with gaps."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .row_model import Conditional, RowModel, maximise, pairwise_covariance, ridge

ROUNDS = 3
"""Most rounds of expectation and maximisation; more change completed rows little."""

MOST_FACTORS = 64
"""Most principal axes of a covariance that are kept; the rest counts as noise."""


@dataclass(frozen=True, eq=False)
class FactorConditional(Conditional):
    """Expectations by A⁻¹, A = noise·1 + L_kᵀ L_k, with the factors L_k of the known features.

    Attributes:
        factor: the Cholesky factor of A for each row, `(rows, q, q)`.
    """

    model: "FactorModel"
    factor: Tensor

    def expected(self, residual: Tensor) -> Tensor:
        """G r = L A⁻¹ Lᵀ r."""
        projected = (residual @ self.model.factors)[..., None]
        return torch.cholesky_solve(projected, self.factor)[..., 0] @ self.model.factors.T

    def complete(self) -> Tensor:
        """Return the rows with expectations where unknown, in range."""
        mean = self.model.mean
        expected = mean + self.expected(torch.where(self.known, self.rows - mean, 0.0))
        return torch.where(self.known, self.rows, self.model.in_range(expected))

    def draw_noise(self, draws: np.random.Generator) -> Tensor:
        """Draw from the posterior of the factors, N(0, noise·A⁻¹), and add noise per feature."""
        shape = (*self.factor.shape[:2], 1)
        normal = torch.from_numpy(draws.standard_normal(shape)).to(self.factor)
        root = torch.linalg.solve_triangular(self.factor.mT, normal, upper=True)
        noise = (root * self.model.noise**0.5)[..., 0] @ self.model.factors.T
        return torch.where(self.known, 0.0, noise)


@dataclass(frozen=True, eq=False)
class FactorModel(RowModel):
    """N(mean, L Lᵀ + noise·1).

    Attributes:
        mean: `(dim,)`.
        factors: L, `(dim, q)`; exact for q = dim.
        noise: variance that each feature has alone.
    """

    mean: Tensor
    factors: Tensor
    noise: float

    @property
    def numbers_per_row(self) -> int:
        """Return q², the size of A."""
        return max(1, self.factors.shape[1] ** 2)

    def scaled(self, factor: Tensor, shift: Tensor) -> "FactorModel":
        """Return the model of the rows factor·x + shift; their noise is that of x."""
        low, high, mean = (factor * each + shift for each in (self.low, self.high, self.mean))
        covariance = self.covariance * (factor[:, None] * factor)
        factors = factor[:, None] * self.factors
        return FactorModel(low, high, covariance, mean, factors, self.noise)

    def refitted(self, rows: Tensor, known: Tensor) -> "FactorModel":
        """Return the model fitted to rows with gaps, begun at this one; unknown features are 0."""
        return _maximise(replace(self, low=rows.amin(0), high=rows.amax(0)), rows, known)

    def given(self, rows: Tensor, known: Tensor) -> FactorConditional:
        """Return the expectations for some rows."""
        q = self.factors.shape[1]
        i, j = torch.tril_indices(q, q)
        pairs = self.factors[:, i] * self.factors[:, j]
        lower = known.to(pairs.dtype) @ pairs
        gram = lower.new_zeros(len(rows), q, q)
        for row in range(q):  # Cholesky reads the lower triangle only
            start = row * (row + 1) // 2
            gram[:, row, : row + 1] = lower[:, start : start + row + 1]
        gram.diagonal(dim1=-2, dim2=-1).add_(self.noise)
        return FactorConditional(self, rows, known, torch.linalg.cholesky(gram))


def fit_factors(rows: Tensor, known: Tensor) -> FactorModel:
    """Return a Gaussian of few factors of rows with gaps; unknown features are 0."""
    covariance = pairwise_covariance(rows, known)
    first = _principal(rows.mean(0), covariance, len(rows), rows.amin(0), rows.amax(0))
    return _maximise(first, rows, known)


def _maximise(model: FactorModel, rows: Tensor, known: Tensor) -> FactorModel:
    """Make some rounds of expectation and maximisation."""
    missing = (~known).to(rows.dtype)
    both_missing = missing.T @ missing
    return maximise(model, lambda last: _next(last, rows, known, both_missing), ROUNDS)


def _next(model: FactorModel, rows: Tensor, known: Tensor, both_missing: Tensor) -> FactorModel:
    q = model.factors.shape[1]
    filled, posterior = torch.empty_like(rows), rows.new_zeros(q, q)
    for part in model.blocks(len(rows)):
        conditional = model.given(rows[part], known[part])
        filled[part] = conditional.complete()
        posterior += torch.cholesky_inverse(conditional.factor).sum(0)
    mean = filled.mean(0)
    centred = filled - mean
    # Covariance of the unknown features, averaged over the rows instead of row by row.
    spread = model.factors @ (posterior * (model.noise / len(rows))) @ model.factors.T
    spread.diagonal().add_(model.noise)
    covariance = (centred.T @ centred + both_missing * spread) / len(rows)
    return _principal(mean, covariance, len(rows), model.low, model.high)


def _principal(
    mean: Tensor, covariance: Tensor, count: int, low: Tensor, high: Tensor
) -> FactorModel:
    """Return the model of the largest principal axes, and noise for the others."""
    values, vectors = torch.linalg.eigh(covariance)
    rest = values[:-MOST_FACTORS].clamp_min(0)
    excess = float(rest.mean()) if len(rest) else 0.0
    scale = (values[-MOST_FACTORS:] - excess).clamp_min(0).sqrt()
    factors = vectors[:, -MOST_FACTORS:] * scale
    return FactorModel(low, high, covariance, mean, factors, ridge(count) + excess)
