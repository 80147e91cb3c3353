"""The rule by which a query has settled."""

from typing import TYPE_CHECKING

import torch

from ..cycles import is_unchanged
from ..iteration import EntrywiseTolerance, StoppingRule, never_settled
from .query import computing_dtype

if TYPE_CHECKING:
    from .base import Memory


def stopping_rule(memory: "Memory", dtype: torch.dtype, tol: float) -> StoppingRule:
    """Return the rule for states of this dtype, with the tolerance `tol`."""
    if not memory.settles:
        return never_settled
    if memory.binary:
        return is_unchanged
    if (rule := memory.stopping_rule(tol)) is not None:
        return rule
    change, weights = memory.storage.spread(), memory.value_weights
    if weights is not None:
        similarity, separation = weights
        beta = separation.inverse_width()
        if beta is not None and similarity.degree:
            change = change.clamp_max(max(beta, 1e-300) ** (-1 / similarity.degree))
    working_dtype = computing_dtype(dtype, memory.storage.dtype)
    rounding = 4 * torch.finfo(working_dtype).eps
    if dtype.itemsize < working_dtype.itemsize:
        rounding += torch.finfo(dtype).eps
    return EntrywiseTolerance((tol * change).to(working_dtype), rounding)
