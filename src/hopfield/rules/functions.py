"""Rules that are functions of the patterns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_device, check_norms, check_tensor
from ..coupling import Coupling, check_symmetric, check_thresholds
from ..errors import InputTypeError, ShapeError
from .precision import upcast, with_rounding_slack

Function = Callable[[Tensor], Any]
"""A rule of your own: patterns `(n, dim)` → W `(dim, dim)`, or W and thresholds `(dim,)`."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A coupling W, and the thresholds that belong to it; None if the rule has none."""

    coupling: Coupling
    thresholds: Float[Tensor, " dim"] | None = None


def learned_by(rule: Function, patterns: Float[Tensor, "n dim"], diagonal: bool) -> Learned:
    """Call a rule that is a function of the patterns, and check the W and thresholds it returns.

    A function may return W, or W and thresholds b. An attribute `symmetric = False` declares that
    the two directions of W may differ. Without `diagonal`, W_ii is set to 0.
    """
    rows = upcast(patterns.detach()).clone()
    result = rule(rows)
    if isinstance(result, list):
        raise InputTypeError(
            "rule(patterns) must return W, or a tuple (W, thresholds), but returned a list. "
            "Use return W, thresholds."
        )
    is_pair = isinstance(result, tuple) and len(result) == 2
    weights, thresholds = result if is_pair else (result, None)
    name, size = "rule(patterns)", rows.shape[-1]
    weights = check_norms(name, check_tensor(name, weights)).detach()
    if weights.shape != (size, size):
        raise ShapeError(
            f"{name} must have shape {(size, size)}, one coupling for two units each, but has "
            f"shape {tuple(weights.shape)}."
        )
    check_device(name, weights, rows.device)
    is_symmetric = getattr(rule, "symmetric", True)
    if is_symmetric:
        check_symmetric(name, weights, "set rule.symmetric = False")
    if not diagonal:
        weights = weights.clone().fill_diagonal_(0)
    if thresholds is not None:
        thresholds = check_thresholds(thresholds, rows).detach()
    weights = weights.to(torch.promote_types(weights.dtype, torch.float32))
    return Learned(with_rounding_slack(weights, is_symmetric), thresholds)
