"""Mixtures of Gaussians of rows with gaps: expectations of unknown features, given known ones."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RIDGE = 0.05
"""Variance added to each standardised feature: keeps regressions of few rows bounded."""

SHRINKAGE = 20.0
"""Weight, in rows, of the covariance of all rows in that of each component."""

ROUNDS = 6
"""Rounds of expectation and maximisation; more change completed rows little."""

MOST_FACTORS = 64
"""Most principal axes of a covariance that are kept; the rest counts as noise."""

BLOCK = 2**22
"""Most numbers of a block of rows × factors² × components."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, L Lᵀ + noise·1).

    Attributes:
        mean: `(dim,)`.
        factors: L, `(dim, q)`; exact for q = dim.
        noise: variance that each feature has alone.
    """

    mean: Tensor
    factors: Tensor
    noise: float

    @classmethod
    def of(cls, mean: Tensor, covariance: Tensor) -> "Gaussian":
        """Return the Gaussian of the largest principal axes, and noise for the others."""
        values, vectors = torch.linalg.eigh(covariance)
        rest = values[:-MOST_FACTORS].clamp_min(0)
        excess = float(rest.mean()) if len(rest) else 0.0
        scale = (values[-MOST_FACTORS:] - excess).clamp_min(0).sqrt()
        return cls(mean, vectors[:, -MOST_FACTORS:] * scale, RIDGE + excess)

    def posterior(self, patterns: Tensor) -> tuple[Tensor, Tensor]:
        """Return A⁻¹ and log det A, A = noise·1 + L_kᵀ L_k, for masks of known features."""
        q = self.factors.shape[1]
        i, j = torch.tril_indices(q, q)
        lower = patterns.to(self.factors.dtype) @ (self.factors[:, i] * self.factors[:, j])
        gram = lower.new_zeros(len(patterns), q, q)
        gram[:, i, j] = lower  # Cholesky reads the lower triangle only
        gram.diagonal(dim1=-2, dim2=-1).add_(self.noise)
        cholesky = torch.linalg.cholesky(gram)
        logdet = 2 * cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return torch.cholesky_inverse(cholesky), logdet

    def gain(self, residual: Tensor, inverse: Tensor) -> Tensor:
        """G r = L A⁻¹ Lᵀ r: expectation of each feature's residual; r is 0 where unknown."""
        projected = (residual @ self.factors)[..., None]
        return (inverse @ projected)[..., 0] @ self.factors.T

    def log_density(
        self, residual: Tensor, known: Tensor, inverse: Tensor, logdet: Tensor
    ) -> Tensor:
        """Log density of the known features, up to a constant of the mask."""
        projected = (residual @ self.factors)[..., None]
        explained = (projected * (inverse @ projected)).sum((-1, -2))
        square = (residual.square().sum(-1) - explained) / self.noise
        alone = (known.sum(-1) - inverse.shape[-1]) * math.log(self.noise)
        return -(square + logdet + alone) / 2


@dataclass(frozen=True, eq=False)
class Conditional:
    """Linear expectations of the features of some rows, given the known ones.

    Attributes:
        known: the mask of the rows.
        mixture: the components, and the range of each feature.
        inverses: A⁻¹ of each row, by each component.
        share: probability of each component for each row, `(rows, k)`.
    """

    known: Tensor
    mixture: "Mixture"
    inverses: tuple[Tensor, ...]
    share: Tensor

    def gain(self, rows: Tensor, state: Tensor) -> Tensor:
        """G(x − state), averaged over the components; half of the way to a bound it would pass."""
        residual = torch.where(self.known, rows - state, 0.0)
        parts = zip(self.share.unbind(-1), self.mixture.gaussians, self.inverses, strict=True)
        gains = [share[:, None] * one.gain(residual, inverse) for share, one, inverse in parts]
        end = state + torch.stack(gains).sum(0)
        limit = self.mixture.in_range(end)
        return torch.where(end == limit, end - state, (limit - state) / 2)

    def draw_noise(self, draws: np.random.Generator) -> Tensor:
        """Return Gaussian noise of the unknown features, given the known ones; 0 where known.

        Each row draws a component, and from its posterior L·N(0, noise·A⁻¹).
        """
        share = self.share.numpy()
        chosen = (draws.random((len(share), 1)) > share.cumsum(1)[:, :-1]).sum(1)
        noise = torch.zeros(self.known.shape, dtype=self.share.dtype)
        for k, one in enumerate(self.mixture.gaussians):
            rows = torch.from_numpy(np.flatnonzero(chosen == k))
            root = torch.linalg.cholesky(one.noise * self.inverses[k][rows])
            normal = torch.from_numpy(draws.standard_normal((*root.shape[:2], 1))).to(root)
            noise[rows] = (root @ normal)[..., 0] @ one.factors.T
        return torch.where(self.known, 0.0, noise)

    def complete(self, rows: Tensor) -> list[Tensor]:
        """Return the rows with expectations where unknown, by each component alone."""
        completed = []
        for one, inverse in zip(self.mixture.gaussians, self.inverses, strict=True):
            gain = one.gain(_residual(rows, one, self.known), inverse)
            completed.append(torch.where(self.known, rows, self.mixture.in_range(one.mean + gain)))
        return completed


def _residual(rows: Tensor, gaussian: Gaussian, known: Tensor) -> Tensor:
    return torch.where(known, rows - gaussian.mean, 0.0)


def _distinct(known: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a row of each mask, and which of these each row has; None if every row is taken."""
    count, dim = known.shape
    if dim > 62:  # masks do not fit into 64 bits, and are rarely equal
        return torch.arange(count), None
    bits = (known.long() << torch.arange(dim)).sum(-1)
    distinct, which = torch.unique(bits, return_inverse=True)
    first = torch.empty_like(distinct).scatter_(0, which, torch.arange(count))
    return first, which


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of Gaussians, of one component or more.

    Attributes:
        gaussians: the components.
        share: probability of each component.
        low, high: range of the known entries of each feature. Without it, few known entries can
            make regressions that grow from round to round.
    """

    gaussians: tuple[Gaussian, ...]
    share: Tensor
    low: Tensor
    high: Tensor

    def in_range(self, rows: Tensor) -> Tensor:
        """Return the rows, clipped to the range of known entries."""
        return torch.minimum(torch.maximum(rows, self.low), self.high)

    def given(self, rows: Tensor, known: Tensor) -> Conditional:
        """Return the expectations for some rows; memory rows × q² × components."""
        first, which = _distinct(known)
        posteriors = [one.posterior(known[first]) for one in self.gaussians]
        if which is not None:
            posteriors = [(inverse[which], logdet[which]) for inverse, logdet in posteriors]
        share = rows.new_ones(len(rows), 1)
        if len(self.gaussians) > 1:
            scores = [
                one.log_density(_residual(rows, one, known), known, *posterior)
                for one, posterior in zip(self.gaussians, posteriors, strict=True)
            ]
            share = torch.softmax(torch.stack(scores, -1) + self.share.log(), -1)
        inverses = tuple(inverse for inverse, _ in posteriors)
        return Conditional(known, self, inverses, share)

    def blocks(self, count: int) -> Iterator[slice]:
        """Yield slices of `count` rows, small enough to condition on at a time."""
        q = max(1, self.gaussians[0].factors.shape[1])
        size = max(1, BLOCK // (q * q * len(self.gaussians)))
        for start in range(0, count, size):
            yield slice(start, start + size)

    def add_noise(self, rows: Tensor, known: Tensor, draws: np.random.Generator) -> Tensor:
        """Return completed rows with Gaussian noise where they were unknown, in range."""
        noisy = rows.clone()
        for part in self.blocks(len(rows)):
            noisy[part] += self.given(rows[part], known[part]).draw_noise(draws)
        return torch.where(known, rows, self.in_range(noisy))

    def complete(self, rows: Tensor, known: Tensor) -> Tensor:
        """Return the rows with expectations where unknown."""
        filled = torch.empty_like(rows)
        for part in self.blocks(len(rows)):
            conditional = self.given(rows[part], known[part])
            each = torch.stack(conditional.complete(rows[part]), -1)
            filled[part] = (each * conditional.share[:, None]).sum(-1)
        return filled


def fit_gaussian(rows: Tensor, known: Tensor) -> Mixture:
    """Return one Gaussian of rows with gaps."""
    # Unknown features are 0, the mean of the known ones: the range is that of the known ones.
    first = _mixture([rows.mean(0)], [rows.T @ rows], rows.new_full((1,), len(rows)))
    low, high = rows.amin(0), rows.amax(0)
    return _maximise(Mixture(*first, low, high), rows, known)


def fit_mixture(one: Mixture, rows: Tensor, known: Tensor, labels: Tensor) -> Mixture:
    """Return a mixture of Gaussians, begun at the components that completed rows belong to.

    Args:
        one: the Gaussian that completed the rows.
        rows: completed rows.
        known: the mask of the entries that were known.
        labels: the component of each row.
    """
    share = torch.nn.functional.one_hot(labels).to(rows.dtype)
    count = share.sum(0)
    means = [(one @ rows) / n for one, n in zip(share.T, count, strict=True)]
    squares = [
        ((rows - mean).T * one) @ (rows - mean) for one, mean in zip(share.T, means, strict=True)
    ]
    first = Mixture(*_mixture(means, squares, count), one.low, one.high)
    return _maximise(first, rows, known)


def _maximise(mixture: Mixture, rows: Tensor, known: Tensor) -> Mixture:
    """Make some rounds of expectation and maximisation."""
    missing = (~known).to(rows.dtype)
    for _ in range(ROUNDS):
        sums = _Sums(len(mixture.gaussians), rows)
        for part in mixture.blocks(len(rows)):
            sums.add(mixture.given(rows[part], known[part]), rows[part])
        mixture = sums.mixture(mixture, missing)
    return mixture


class _Sums:
    """Sums over rows that the next mixture needs."""

    def __init__(self, count: int, rows: Tensor) -> None:
        self.share: list[Tensor] = []
        self.filled: list[list[Tensor]] = [[] for _ in range(count)]
        self.spread: list[Tensor] = [rows.new_zeros(())] * count

    def add(self, conditional: Conditional, rows: Tensor) -> None:
        """Add a block of rows."""
        self.share.append(conditional.share)
        for k, filled in enumerate(conditional.complete(rows)):
            self.filled[k].append(filled)
            inverse, q = conditional.inverses[k], conditional.inverses[k].shape[-1]
            weighted = conditional.share[:, k] @ inverse.reshape(-1, q * q)
            self.spread[k] = self.spread[k] + weighted.reshape(q, q)

    def mixture(self, last: Mixture, missing: Tensor) -> Mixture:
        """Return the mixture of these sums."""
        share = torch.cat(self.share)
        count = share.sum(0).clamp_min(1e-9)
        means, squares = [], []
        for k, one in enumerate(last.gaussians):
            filled, weight = torch.cat(self.filled[k]), share[:, k]
            mean = weight @ filled / count[k]
            centred = filled - mean
            # Covariance of the unknown features, averaged over the rows instead of row by row.
            spread = one.factors @ (self.spread[k] * (one.noise / count[k])) @ one.factors.T
            spread.diagonal().add_(one.noise)
            both_missing = (missing.T * weight) @ missing
            means.append(mean)
            squares.append((centred.T * weight) @ centred + both_missing * spread)
        return Mixture(*_mixture(means, squares, count), last.low, last.high)


def _mixture(
    means: list[Tensor], squares: list[Tensor], count: Tensor
) -> tuple[tuple[Gaussian, ...], Tensor]:
    """Return components whose covariances are shrunk towards that of all of them."""
    pooled = torch.stack(squares).sum(0) / count.sum()
    if len(means) == 1:
        return (Gaussian.of(means[0], pooled),), count / count
    gaussians = tuple(
        Gaussian.of(mean, (square + SHRINKAGE * pooled) / (n + SHRINKAGE))
        for mean, square, n in zip(means, squares, count, strict=True)
    )
    return gaussians, count / count.sum()
