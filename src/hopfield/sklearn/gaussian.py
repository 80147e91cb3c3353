"""Mixtures of Gaussians of rows with gaps.

With the precision Λ = Σ⁻¹ of a component and r = x − μ, the features m that a row lacks have, given
the known ones k,

    expectation μ_m − Λ_mm⁻¹ Λ_mk r_k,   covariance Λ_mm⁻¹,
    log det Σ_kk = log det Λ_mm − log det Λ.

Only matrices of the size of the gaps are inverted.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .row_model import MOST_ROUNDS, Conditional, RowModel, maximise, pairwise_covariance, ridge

SHRINKAGE = 20.0
"""Weight, in rows, of the covariance of all rows in that of each component."""

ROUNDS = 4
"""Most rounds of expectation and maximisation of a mixture: it begins near its end."""

GROWTH = 1.5
"""Ratio of the most to the fewest gaps of rows that are inverted together."""

BITS = 62
"""Most features whose mask is one whole number, so that rows of equal masks are found."""


@dataclass(frozen=True, eq=False)
class GapGroup:
    """Rows with about as many gaps each, and the places of these.

    Attributes:
        rows: indices of the rows.
        gaps: features that each row lacks, `(rows, most)`; beyond them the number of features.
        masks: the same for each distinct mask, `(masks, most)`.
        which: the mask of each row; None if `masks` is `gaps`.
    """

    rows: Tensor
    gaps: Tensor
    masks: Tensor
    which: Tensor | None

    @classmethod
    def of(cls, rows: Tensor, known: Tensor, most: int) -> "GapGroup":
        """Return the group of these rows, of which none has more gaps than `most`."""
        dim = known.shape[1]
        # Known features sort behind the unknown ones.
        gaps = torch.where(known, dim, torch.arange(dim)).sort(-1).values[:, :most]
        if dim > BITS:
            return cls(rows, gaps, gaps, None)
        bits = (known.long() << torch.arange(dim)).sum(-1)
        distinct, which = torch.unique(bits, return_inverse=True)
        if len(distinct) == len(rows):
            return cls(rows, gaps, gaps, None)
        first = torch.empty_like(distinct).scatter_(0, which, torch.arange(len(rows)))
        return cls(rows, gaps, gaps[first], which)

    def by_row(self, by_mask: Tensor) -> Tensor:
        """Return what each row has: of numbers per mask, `(components, masks, …)`."""
        return by_mask if self.which is None else by_mask[:, self.which]

    def by_mask(self, by_row: Tensor) -> Tensor:
        """Sum numbers per row, `(components, rows)`, over the rows of each mask."""
        if self.which is None:
            return by_row
        sums = by_row.new_zeros(len(by_row), len(self.masks))
        return sums.index_add_(1, self.which, by_row)

    def pairs(self, size: int) -> Tensor:
        """Return indices into matrices `(size, size)` of pairs of gaps, `(masks, most, most)`."""
        return self.masks[:, :, None] * size + self.masks[:, None, :]


def gap_groups(known: Tensor) -> list[GapGroup]:
    """Group the rows that have gaps by their number."""
    count = (~known).sum(-1)
    order = count.argsort(stable=True)
    order = order[count[order] > 0]
    groups = []
    while len(order):
        most = int(count[order[-1]])
        is_alike = count[order] * GROWTH >= most
        rows, order = order[is_alike], order[~is_alike]
        groups.append(GapGroup.of(rows, known[rows], most))
    return groups


@dataclass(frozen=True, eq=False)
class GapInverses:
    """Λ_mm⁻¹ of a group of rows, for each component.

    Attributes:
        group: the rows.
        inverse: `(components, masks, most, most)`.
        log_det: log det Λ_mm, `(components, masks)`.
    """

    group: GapGroup
    inverse: Tensor
    log_det: Tensor

    @classmethod
    def of(cls, group: GapGroup, precision: Tensor) -> "GapInverses":
        """Invert parts of precisions that have a row and a column of zeros in addition."""
        size = precision.shape[-1]
        parts = precision.flatten(1)[:, group.pairs(size)]
        # Places beyond the gaps of a row are features of variance 1.
        parts.diagonal(dim1=-2, dim2=-1).add_((group.masks == size - 1).to(parts.dtype))
        factor = torch.linalg.cholesky(parts)
        log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return cls(group, torch.cholesky_inverse(factor), log_det)

    def expected(self, pull: Tensor) -> Tensor:
        """−Λ_mm⁻¹ (Λr)_m, `(components, rows, most)`, from Λr of all rows."""
        pull = pull[:, self.group.rows].gather(2, self.group.gaps.expand(len(pull), -1, -1))
        return -(self.group.by_row(self.inverse) @ pull[..., None])[..., 0]

    def add_spread(self, sums: Tensor, share: Tensor) -> None:
        """Add the covariance of the unknown features, times the share of each row."""
        weight = self.group.by_mask(share[self.group.rows].T)
        pairs, size = self.group.pairs(sums.shape[-1]).flatten(), sums.shape[-1]
        for total, part in zip(sums, self.inverse * weight[..., None, None], strict=True):
            total += torch.bincount(pairs, part.flatten(), size**2).reshape(size, size)


@dataclass(frozen=True, eq=False)
class MixtureConditional(Conditional):
    """Expectations by each component.

    Attributes:
        share: probability of each component for each row, `(rows, components)`.
        filled: the rows, completed in range by each component, `(components, rows, dim)`.
        parts: inverses for the rows with gaps.
    """

    model: "Mixture"
    share: Tensor
    filled: Tensor
    parts: tuple[GapInverses, ...]

    def expected(self, residual: Tensor) -> Tensor:
        """G r, averaged over the components."""
        pull, total = residual @ self.model.padded, self._zeros()
        for part in self.parts:
            at = part.group.rows
            by_gap = (self.share[at].T[..., None] * part.expected(pull)).sum(0)
            total[at] = total[at].scatter(1, part.group.gaps, by_gap)
        return total[:, :-1]

    def complete(self) -> Tensor:
        """Return the rows with expectations where unknown, averaged over the components."""
        return torch.einsum("knd,nk->nd", self.filled, self.share)

    def draw_noise(self, draws: np.random.Generator) -> Tensor:
        """Draw a component of each row, and from N(0, Λ_mm⁻¹) of that."""
        cumulative = self.share.numpy().cumsum(1)[:, :-1]
        chosen = torch.from_numpy((draws.random((len(cumulative), 1)) > cumulative).sum(1))
        noise = self._zeros()
        for part in self.parts:
            at = part.group.rows
            inverse = part.group.by_row(part.inverse)[chosen[at], torch.arange(len(at))]
            root = torch.linalg.cholesky(inverse)
            normal = torch.from_numpy(draws.standard_normal((*root.shape[:2], 1)))
            noise[at] = noise[at].scatter(1, part.group.gaps, (root @ normal)[..., 0])
        return noise[:, :-1]

    def _zeros(self) -> Tensor:
        # One column more than features: what groups write there is dropped.
        return self.rows.new_zeros(len(self.rows), self.rows.shape[1] + 1)


@dataclass(frozen=True, eq=False)
class Mixture(RowModel):
    """A mixture of Gaussians, of one component or more.

    Attributes:
        mean: `(components, dim)`.
        precision: Λ, `(components, dim, dim)`.
        share: probability of each component.
    """

    mean: Tensor
    precision: Tensor
    share: Tensor

    @property
    def padded(self) -> Tensor:
        """Return Λ with a column of zeros in addition."""
        return torch.nn.functional.pad(self.precision, (0, 1))

    @property
    def numbers_per_row(self) -> int:
        """Return the size of the inverses of a row without known features."""
        return self.precision.numel()

    def scaled(self, factor: Tensor, shift: Tensor) -> "Mixture":
        """Return the model of the rows factor·x + shift."""
        low, high, mean = (factor * each + shift for each in (self.low, self.high, self.mean))
        square = factor[:, None] * factor
        covariance, precision = self.covariance * square, self.precision / square
        return Mixture(low, high, covariance, mean, precision, self.share)

    def refitted(self, rows: Tensor, known: Tensor) -> "Mixture":
        """Return the model fitted to rows with gaps, begun at this one; unknown features are 0."""
        return _maximise(replace(self, low=rows.amin(0), high=rows.amax(0)), rows, known)

    def given(self, rows: Tensor, known: Tensor) -> MixtureConditional:
        """Return the expectations for some rows."""
        return self.given_groups(rows, known, gap_groups(known))

    def given_groups(
        self, rows: Tensor, known: Tensor, groups: list[GapGroup]
    ) -> MixtureConditional:
        """Return the expectations for rows whose gaps are grouped already."""
        precision = torch.nn.functional.pad(self.precision, (0, 1, 0, 1))
        parts = tuple(GapInverses.of(group, precision) for group in groups)
        residual = torch.where(known, rows - self.mean[:, None], 0.0)
        pull = residual @ self.padded
        filled = torch.nn.functional.pad(residual, (0, 1))
        log_det = -torch.logdet(self.precision)[:, None].repeat(1, len(rows))
        for part in parts:
            at, gaps = part.group.rows, part.group.gaps.expand(len(pull), -1, -1)
            filled[:, at] = filled[:, at].scatter(2, gaps, part.expected(pull))
            log_det[:, at] += part.group.by_row(part.log_det)
        # r_kᵀ Σ_kk⁻¹ r_k = r_kᵀΛr + (expectation of r_m)ᵀΛr.
        density = -((filled * pull).sum(-1) + log_det).T / 2
        share = torch.softmax(density + self.share.log(), -1)
        completed = self.in_range(self.mean[:, None] + filled[..., :-1])
        completed = torch.where(known, rows, completed)
        return MixtureConditional(self, rows, known, share, completed, parts)


def fit_gaussian(rows: Tensor, known: Tensor) -> Mixture:
    """Return one Gaussian of rows with gaps; unknown features are 0."""
    # Products of pairs that are known may make a matrix with eigenvalues below 0.
    values, vectors = torch.linalg.eigh(pairwise_covariance(rows, known))
    covariance = (vectors * values.clamp_min(0)) @ vectors.T
    low, high, share = rows.amin(0), rows.amax(0), rows.new_ones(1)
    precision = _precision(covariance[None], len(rows))
    first = Mixture(low, high, covariance, rows.mean(0)[None], precision, share)
    return _maximise(first, rows, known)


def fit_mixture(one: RowModel, rows: Tensor, known: Tensor, labels: Tensor) -> Mixture:
    """Return a mixture of Gaussians, begun at the components that completed rows belong to.

    Args:
        one: the Gaussian that completed the rows.
        rows: completed rows.
        known: the mask of the entries that were known.
        labels: the component of each row.
    """
    share = torch.nn.functional.one_hot(labels).to(rows.dtype)
    none = rows.new_zeros(share.shape[1], *one.covariance.shape)
    first = _from_completed(rows.expand(share.shape[1], -1, -1), share, none, one)
    return _maximise(first, rows, known)


def _maximise(mixture: Mixture, rows: Tensor, known: Tensor) -> Mixture:
    """Make some rounds of expectation and maximisation."""
    parts = [(part, gap_groups(known[part])) for part in mixture.blocks(len(rows))]
    rounds = ROUNDS if len(mixture.share) > 1 else MOST_ROUNDS
    return maximise(mixture, lambda last: _next(last, rows, known, parts), rounds)


def _next(
    mixture: Mixture, rows: Tensor, known: Tensor, parts: list[tuple[slice, list[GapGroup]]]
) -> Mixture:
    count, dim = len(mixture.share), rows.shape[1]
    spread = rows.new_zeros(count, dim + 1, dim + 1)
    shares, filled = [], []
    for part, groups in parts:
        conditional = mixture.given_groups(rows[part], known[part], groups)
        shares.append(conditional.share)
        filled.append(conditional.filled)
        for each in conditional.parts:
            each.add_spread(spread, conditional.share)
    return _from_completed(torch.cat(filled, 1), torch.cat(shares), spread[:, :-1, :-1], mixture)


def _from_completed(filled: Tensor, share: Tensor, spread: Tensor, last: RowModel) -> Mixture:
    """Return the mixture of these rows, completed by each component.

    Args:
        filled: `(components, rows, dim)`.
        share: `(rows, components)`.
        spread: covariances of unknown features, summed over rows.
        last: the model whose range is kept.
    """
    count = share.sum(0).clamp_min(1e-9)
    mean = torch.einsum("nk,knd->kd", share, filled) / count[:, None]
    centred = (filled - mean[:, None]) * share.T.sqrt()[..., None]
    squares = centred.mT @ centred + spread
    weight = SHRINKAGE if len(count) > 1 else 0.0
    pooled = squares.sum(0) / count.sum()
    covariance = (squares + weight * pooled) / (count + weight)[:, None, None]
    precision = _precision(covariance, len(share))
    return Mixture(last.low, last.high, pooled, mean, precision, count / count.sum())


def _precision(covariance: Tensor, count: int) -> Tensor:
    noise = ridge(count) * torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    return torch.cholesky_inverse(torch.linalg.cholesky(covariance + noise))
