"""Priors: pattern μ counts w_μ > 0 times, as if it was stored w_μ times."""

from collections.abc import Iterable
from typing import Any, cast

import numpy
import torch
from torch import Tensor

from ..checks import (
    check_dense,
    check_device,
    check_float,
    check_number,
    dtype_name,
    is_broadcastable,
    is_traced,
    short_repr,
)
from ..errors import DomainError, InputTypeError, ShapeError
from ..ranks import join

SMALLEST_PRIOR, LARGEST_PRIOR = 1e-12, 1e12
"""Range of priors. Within it, weights and sums keep their digits in float32."""

RANGE_HINT = (
    "A prior is how often a pattern counts. To count it 0 times, remove it; limit small numbers "
    "by prior.clamp_min(1e-12)."
)


def prior_of(rows: object) -> Tensor | None:
    """Return the prior w of each row of a block, `(n,)`, or None if every row counts once.

    A block may have an attribute `prior`; it need not.
    """
    prior: Tensor | None = getattr(rows, "prior", None)
    return prior


def prior_of_all(blocks: Iterable[Any]) -> Tensor | None:
    """Return the priors of the rows of all blocks, or None if every row counts once."""
    parts = list(blocks)
    if prior_of(parts[0]) is None:
        return None
    return join(parts, lambda block: cast(Tensor, prior_of(block)))


def arguments(scores: Tensor, prior: Tensor | None) -> tuple[Tensor, ...]:
    """Return the arguments of a separation, without a prior if there is none."""
    return (scores,) if prior is None else (scores, prior)


def check_factors(prior: Tensor | None, scores: Tensor) -> Tensor | None:
    """Return `prior` if it is None or holds numbers above 0 that broadcast to the scores."""
    if prior is None or is_traced():
        return prior
    check_device("prior", check_float("prior", prior), scores.device)
    if prior.ndim == 0 or not is_broadcastable(prior.shape, scores.shape):
        raise ShapeError(
            f"prior must have one number per pattern, as scores of shape {tuple(scores.shape)} "
            f"have, but has shape {tuple(prior.shape)}."
        )
    if not bool(((prior > 0) & (prior < torch.inf)).all()):
        raise DomainError(
            f"prior must hold finite numbers above 0, but contains "
            f"{prior[~((prior > 0) & (prior < torch.inf))][0].item():.4g}. {RANGE_HINT}"
        )
    return prior


def whole_multiples(prior: Tensor) -> Tensor:
    """Return w/u, exact in float64, for the largest power of two u that makes all of them whole."""
    mantissa, exponent = torch.frexp(prior.double())
    digits = (mantissa * 2.0**53).long()
    zeros = (digits & -digits).double().log2().long()  # factors of 2 in the digits
    least = int((exponent - 53 + zeros).min())
    return prior.double() * 2.0**-least


def check_prior(prior: object, count: int, device: torch.device | None = None) -> Tensor:
    """Return the prior of `count` patterns, `(n,)`, in float64, from a number or one per pattern.

    Raises:
        InputTypeError, ShapeError, DomainError: saying what was expected.
    """
    if isinstance(prior, Tensor) and device is not None:
        check_device("prior", check_dense("prior", prior), device)
    numbers = _numbers(prior)
    if numbers.ndim == 0:
        numbers = numbers.expand(count)
    if numbers.shape != (count,):
        turned = numbers.numel() == count
        raise ShapeError(
            f"prior must be one number, or one for each of the {count} patterns, but has shape "
            f"{tuple(numbers.shape)}." + (" Use prior.flatten()." if turned else "")
        )
    # The limits in float32, as clamp_min gives them, may be smaller or larger by rounding.
    rounding = torch.finfo(torch.float32).eps
    inside = numbers >= SMALLEST_PRIOR * (1 - rounding)
    inside = inside & (numbers <= LARGEST_PRIOR * (1 + rounding))
    if not bool(inside.all()):
        raise DomainError(
            f"prior must be between {SMALLEST_PRIOR:g} and {LARGEST_PRIOR:g}, but entry "
            f"{int((~inside).nonzero()[0])} is {numbers[~inside][0].item():.4g}. {RANGE_HINT}"
        )
    return numbers.to(device, copy=True).contiguous()


def _numbers(prior: object) -> Tensor:
    if not isinstance(prior, Tensor) and hasattr(prior, "__array__"):
        prior = _as_tensor(prior)
    if isinstance(prior, Tensor):
        numbers = check_dense("prior", prior).detach()
        if numbers.dtype == torch.bool or numbers.is_complex():
            raise InputTypeError(
                f"prior must hold real numbers, but is {dtype_name(numbers)}. "
                "Use for instance 1.0 + prior, which counts True twice."
            )
        return numbers.double()
    if isinstance(prior, Iterable) and not isinstance(prior, (str, bytes, dict, set, frozenset)):
        entries = [_number("an entry of prior", entry) for entry in prior]
        return torch.tensor(entries, dtype=torch.float64)
    return torch.tensor(_number("prior", prior), dtype=torch.float64)


def multiplicities(
    scores: Tensor, prior: Tensor | None, total: float | None
) -> tuple[Tensor, Tensor]:
    """Return w of each pattern, and n = Σw over all patterns, those left out too.

    Args:
        scores: the scores that are left, `(*batch, k)`.
        prior: w of these patterns; None is 1.
        total: n; None if no pattern is left out.
    """
    times = torch.ones_like(scores) if prior is None else prior.to(scores).expand(scores.shape)
    if total is None and prior is not None:
        return times, times.sum(-1, keepdim=True)
    # A tensor of the number of scores would fix it in torch.export.
    return times, scores.new_full((1,), scores.shape[-1] if total is None else total)


def _number(name: str, value: object) -> float:
    value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    return check_number(name, value, low=SMALLEST_PRIOR, high=LARGEST_PRIOR, hint=RANGE_HINT)


def _as_tensor(array: object) -> Tensor:
    try:
        return torch.as_tensor(numpy.asarray(array))
    except (TypeError, ValueError, RuntimeError):
        raise InputTypeError(
            f"prior must be numbers, one per pattern, but is {short_repr(array)}."
        ) from None
