"""How ml-jku's hflayers goes through several softmaxes, written again from what it is known to do.

Its state between softmaxes is the weights themselves, an array of batch·heads × n × n. At each
further step what belongs to heads that are still active is selected out of weights, keys and new
scores, computed with, and scattered back into copies of queries and weights; autograd keeps all of
them. A head stops when the norm of the change of its weights, the largest in the batch, is at
most eps.
"""

import torch
from torch import Tensor

Active = Tensor
"""Which heads go on, `(batch·heads, 1, 1)`."""


def associate(
    query: Tensor, key: Tensor, value: Tensor, scale: float, softmaxes: int, eps: float
) -> Tensor:
    """`(batch, heads, n, d)` → `(batch, heads, n, d)`, after so many softmaxes at most."""
    batch, heads = query.shape[:2]
    q, k, v = (rows.flatten(0, 1) for rows in (query, key, value))
    weights = torch.softmax(scale * q @ k.mT, dim=-1)
    active = torch.ones(batch * heads, 1, 1, dtype=torch.bool)
    for _ in range(1, softmaxes):
        if not bool(active.any()):
            break
        before = weights.detach()
        q = q.masked_scatter(active, _selected(weights, active) @ _selected(k, active))
        chosen = torch.softmax(_selected(scale * q @ k.mT, active), dim=-1)
        weights = weights.masked_scatter(active, chosen)
        active = _active(weights, before, (batch, heads), eps)
    return (weights @ v).unflatten(0, (batch, heads))


def _active(weights: Tensor, before: Tensor, shape: tuple[int, int], eps: float) -> Active:
    """The heads that moved more than eps, by the largest move in the batch."""
    with torch.no_grad():
        change = (weights - before).unflatten(0, shape).norm(dim=(-2, -1)).amax(0)
        return (change > eps).repeat(shape[0])[:, None, None]


def _selected(tensor: Tensor, active: Active) -> Tensor:
    return tensor.masked_select(active).view(-1, *tensor.shape[1:])
