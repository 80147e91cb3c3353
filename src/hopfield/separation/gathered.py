"""The partial readout that works for every separation: it keeps all scores."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import is_traced, short_repr, version_of
from ..errors import DomainError, OptionError, ShapeError
from ..ranks import Ranks, in_order
from .base import Separation
from .partial import Partial, Readout, Rows, check_mergeable, entropy, sum_of_blocks
from .prior import arguments

SUM_TOLERANCE = 1e-3
"""Largest difference from 1 of the sum of weights that should sum to one: more is an error."""


@dataclass(frozen=True, eq=False)
class GatheredPartial(Partial):
    """A partial readout that keeps scores and priors of each block, and sums at the end."""

    separation: Separation
    parts: tuple[tuple[int, Tensor, Tensor | None], ...]
    ranks: Ranks | None = None
    keeps_scores = True

    @property
    def kept_scores(self) -> int:
        """Return the number of all scores."""
        return sum(scores.numel() for _, scores, _ in self.parts)

    def merge(self, other: Partial) -> "GatheredPartial":
        """Return a partial readout with the scores of both, in the order of the rows."""
        parts = self.parts + check_mergeable(self, other).parts
        return GatheredPartial(self.separation, tuple(sorted(parts, key=lambda part: part[0])))

    def merge_ranks(self, ranks: Ranks, separation: Separation) -> "GatheredPartial":
        """Gather the scores of all ranks."""
        starts, scores, priors = zip(*self.parts, strict=True)
        places = [torch.arange(s.shape[-1]) + at for at, s in zip(starts, scores, strict=True)]
        given = [torch.cat(scores, -1), *([torch.cat(priors)] if priors[0] is not None else [])]
        joined, *prior = in_order(ranks, torch.cat(places), *given)
        return GatheredPartial(separation, ((0, joined, prior[0] if prior else None),), ranks)

    def result(self, blocks: Iterable[Rows]) -> Readout:
        """Weigh all patterns at once, then sum block by block."""
        scores = torch.cat([scores for _, scores, _ in self.parts], dim=-1)
        priors = [prior for _, _, prior in self.parts if prior is not None]
        if priors and not self.separation.takes_prior:
            raise OptionError(
                f"separation must take the priors of these patterns, but "
                f"{type(self.separation).__name__} does not. Set takes_prior = True there, and let "
                "both its methods take (scores, prior)."
            )
        given = arguments(scores, torch.cat(priors) if priors else None)
        before = version_of(scores)
        weights, potential = self.separation(*given), self.separation.potential(*given)
        if version_of(scores) != before:
            raise OptionError(
                f"{type(self.separation).__name__} must not modify the scores, but wrote to them. "
                "Work on scores.clone()."
            )
        _check_shapes(self.separation, scores, weights, potential)
        dtype = torch.promote_types(scores.dtype, torch.float32)
        weights, potential = weights.to(dtype), potential.to(dtype)
        size = weights.abs()
        total = size.sum(-1, keepdim=True)
        if not is_traced():
            _check_numbers(self.separation, scores, total, potential)
            if self.separation.simplex:
                _check_simplex(self.separation, weights, total[..., 0])
        shares = size / total.clamp_min(torch.finfo(total.dtype).tiny)
        weight, index = shares.max(-1)
        state = sum_of_blocks(blocks, weights, self.ranks)
        return Readout(
            state=state,
            potential=potential,
            index=index,
            weight=weight,
            entropy=entropy(shares),
            mean=state / total if self.separation.mean_ascends else None,
        )


def _check_shapes(
    separation: Separation, scores: Tensor, weights: object, potential: object
) -> None:
    parts = ("weights", weights, scores.shape), ("a potential", potential, scores.shape[:-1])
    for name, value, shape in parts:
        if not isinstance(value, Tensor) or value.shape != shape:
            raise ShapeError(
                f"{type(separation).__name__} must return {name} of shape {tuple(shape)} for "
                f"scores of shape {tuple(scores.shape)}, but returned {short_repr(value)}."
            )


def _check_numbers(
    separation: Separation, scores: Tensor, total: Tensor, potential: Tensor
) -> None:
    for name, values in (("weights", total), ("a potential", potential)):
        if bool(values.isnan().any()):
            least, largest = scores.aminmax()
            raise DomainError(
                f"{type(separation).__name__} must return {name} without NaN, but returned NaN. "
                f"Its formula must hold for all scores: these lie between {least:.3g} and "
                f"{largest:.3g}."
            )


def _check_simplex(separation: Separation, weights: Tensor, total: Tensor) -> None:
    sums = weights.sum(-1)
    if bool((total - sums > SUM_TOLERANCE).any()):
        found = f"the least is {weights.min():.4g}"
    elif bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
        found = f"a sum is {sums.flatten()[(sums - 1).abs().argmax()]:.4g}"
    else:
        return
    raise DomainError(
        f"{type(separation).__name__} must return weights that are at least 0 and sum to one, as "
        f"simplex = True states, but {found}. Set simplex = False for other weights; those of a "
        "potential sum to one only if F(s + c) = F(s) + c."
    )
