"""Several softmaxes in the way of ml-jku's hflayers, written again from its known behaviour.

The state between softmaxes is the weights, an array of batch·heads × n × n. Each further step
selects the active heads out of weights, keys and new scores, and scatters the results into copies
of queries and weights; autograd keeps all of them. A head stops when the change of its weights has
a norm of at most eps, the largest in the batch.
"""

import torch
from torch import Tensor

Active = Tensor
"""Mask of the heads that go on, `(batch·heads, 1, 1)`."""


def associate(
    query: Tensor, key: Tensor, value: Tensor, scale: float, softmaxes: int, eps: float
) -> Tensor:
    """`(batch, heads, n, d)` → `(batch, heads, n, d)`, after at most `softmaxes` softmaxes."""
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
    """Return the heads whose largest change in the batch exceeds eps."""
    with torch.no_grad():
        change = (weights - before).unflatten(0, shape).norm(dim=(-2, -1)).amax(0)
        return (change > eps).repeat(shape[0])[:, None, None]


def _selected(tensor: Tensor, active: Active) -> Tensor:
    return tensor.masked_select(active).view(-1, *tensor.shape[1:])
