"""Standard deviation of stored patterns, the unit in which a change of a state is measured."""

import torch
from torch import Tensor

from .blockwise import BLOCK
from .masks import Mask


def spread(stored: Tensor, mask: Mask | None) -> Tensor:
    """Return the deviation per entry over the visible patterns, `(*batch, m | 1, dim)`."""
    rows = stored.detach().to(torch.promote_types(stored.dtype, torch.float32))
    if mask is None:
        return (rows - rows.mean(-2, keepdim=True)).square().mean(-2, keepdim=True).sqrt()
    visible = (mask.visible & ~mask.empty).expand(*mask.visible.shape[:-1], rows.shape[-2])
    # Centred, or squares of large entries would cancel; without rows that are never visible.
    seen = visible.any(-2, keepdim=True).to(rows.dtype)
    centre = seen @ rows / seen.sum(-1, keepdim=True).clamp_min(1)
    centred = (rows - centre) * seen.mT
    size = max(1, BLOCK // visible[..., :1, :].numel()) if visible.numel() else 1
    parts = [_deviation(centred, part) for part in visible.split(size, dim=-2)]
    return torch.cat(parts, dim=-2)


def _deviation(centred: Tensor, visible: Tensor) -> Tensor:
    weights = visible.to(centred.dtype)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1)
    mean = weights @ centred
    return (weights @ centred.square() - mean.square()).clamp_min(0).sqrt()
