"""One Gaussian of rows with gaps: expectations of what is missing, given what is known."""

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-2
"""Variance added to each standardised feature: keeps regressions of few rows bounded."""

ROUNDS = 6
"""Rounds of expectation and maximisation; more change completed rows little."""

MOST_FACTORS = 64
"""Most principal axes of the covariance that are kept; the rest counts as noise."""

BLOCK = 2**22
"""Most numbers of a block of rows × factors²."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, L Lᵀ + noise·1), with L of few columns.

    Attributes:
        mean: `(dim,)`.
        factors: L, `(dim, q)`.
        noise: variance that each feature has alone.
    """

    mean: Tensor
    factors: Tensor
    noise: float

    def precision(self, known: Tensor) -> Tensor:
        """Return noise·1 + L_kᵀ L_k for the known features of each row, `(rows, q, q)`."""
        dim, q = self.factors.shape
        outer = (self.factors[:, :, None] * self.factors[:, None, :]).reshape(dim, q * q)
        gram = (known.to(outer.dtype) @ outer).reshape(-1, q, q)
        return gram + self.noise * torch.eye(q, dtype=outer.dtype)

    def posterior(self, known: Tensor) -> Tensor:
        """Return the Cholesky factors of `precision`."""
        return torch.linalg.cholesky(self.precision(known))

    def gain(self, residual: Tensor, known: Tensor, cholesky: Tensor) -> Tensor:
        """G r: expectation of the residual of every feature, given that of the known ones."""
        projected = torch.where(known, residual, 0.0) @ self.factors
        return torch.cholesky_solve(projected[..., None], cholesky)[..., 0] @ self.factors.T

    def block_rows(self) -> int:
        """Return how many rows to work on at a time."""
        return max(1, BLOCK // max(1, self.factors.shape[1] ** 2))

    def complete(self, rows: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows with expectations where unknown, and the mean posterior covariance.

        The covariance is that of the factors, averaged over rows.
        """
        filled = torch.empty_like(rows)
        q = self.factors.shape[1]
        spread = rows.new_zeros(q, q)
        for start in range(0, len(rows), self.block_rows()):
            part = slice(start, start + self.block_rows())
            cholesky = self.posterior(known[part])
            gain = self.gain(rows[part] - self.mean, known[part], cholesky)
            filled[part] = torch.where(known[part], rows[part], self.mean + gain)
            spread += torch.cholesky_inverse(cholesky).sum(0)
        return filled, spread * (self.noise / max(1, len(rows)))


def fit_gaussian(rows: Tensor, known: Tensor, rounds: int = ROUNDS) -> tuple[Gaussian, Tensor]:
    """Return the Gaussian of rows with gaps, and the rows completed by it."""
    both_missing = (~known).to(rows.dtype)
    both_missing = both_missing.T @ both_missing
    filled = rows
    extra: Tensor | float = 0.0
    for _ in range(rounds):
        mean = filled.mean(0)
        centred = filled - mean
        gaussian = _factorise(mean, (centred.T @ centred + extra) / len(rows))
        filled, spread = gaussian.complete(rows, known)
        conditional = gaussian.factors @ spread @ gaussian.factors.T
        conditional.diagonal().add_(gaussian.noise)
        extra = both_missing * conditional
    return gaussian, filled


def _factorise(mean: Tensor, covariance: Tensor) -> Gaussian:
    values, vectors = torch.linalg.eigh(covariance)
    rest = values[:-MOST_FACTORS].clamp_min(0)
    noise = RIDGE + float(rest.mean()) if len(rest) else RIDGE
    kept = values[-MOST_FACTORS:].clamp_min(0)
    kept = (kept - (noise - RIDGE)).clamp_min(0)
    return Gaussian(mean, vectors[:, -MOST_FACTORS:] * kept.sqrt(), noise)
