"""Priors: pattern μ counts w_μ > 0 times, as if it was stored w_μ times."""

from collections.abc import Iterable

import torch
from torch import Tensor


def prior_of(rows: object) -> Tensor | None:
    """Return the prior w of each row of a block, `(n,)`, or None if every row counts once.

    A block may have an attribute `prior`; it need not.
    """
    prior: Tensor | None = getattr(rows, "prior", None)
    return prior


def prior_of_all(blocks: Iterable[object]) -> Tensor | None:
    """Return the priors of the rows of all blocks, or None if every row counts once."""
    priors = [prior for prior in map(prior_of, blocks) if prior is not None]
    return torch.cat(priors) if priors else None


def arguments(scores: Tensor, prior: Tensor | None) -> tuple[Tensor, ...]:
    """Return the arguments of a separation, without a prior if there is none."""
    return (scores,) if prior is None else (scores, prior)


def whole_multiples(prior: Tensor) -> Tensor:
    """Return w/u, exact in float64, for the largest power of two u that makes all of them whole."""
    mantissa, exponent = torch.frexp(prior.double())
    digits = (mantissa * 2.0**53).long()
    zeros = (digits & -digits).double().log2().long()  # factors of 2 in the digits
    least = int((exponent - 53 + zeros).min())
    return prior.double() * 2.0**-least
