"""What the library is measured against, written plainly, and exact references in float64."""

from collections.abc import Callable

import torch
from torch import Tensor

CHUNK = 32
"""Queries a reference answers at once."""


def naive(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """softmax(β x Xᵀ) X, as everyone writes it."""
    return torch.softmax(beta * (state @ patterns.T), dim=-1) @ patterns


def torch_attention(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """The same by torch's attention."""
    queries, keys = state[None, None], patterns[None, None]
    return torch.nn.functional.scaled_dot_product_attention(queries, keys, keys, scale=beta)[0, 0]


def from_scratch_steps(
    patterns: Tensor, state: Tensor, beta: float, steps: int
) -> tuple[Tensor, Tensor]:
    """The from-scratch document's retrieve, on a batch: the state, and the energies on the way."""
    energies = [_from_scratch_energy(patterns, state, beta)]
    for _ in range(steps):
        state = naive(patterns, state, beta)
        energies.append(_from_scratch_energy(patterns, state, beta))
    return state, torch.stack(energies)


def _from_scratch_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """−β⁻¹ log Σ exp(β x·z) + ½ z·z."""
    lse = torch.logsumexp(beta * (state @ patterns.T), dim=-1)
    return -lse / beta + 0.5 * torch.sum(state**2, dim=-1)


def svd_projection(patterns: Tensor) -> Tensor:
    """The pseudo-inverse rule by way of the pseudo-inverse, its diagonal dropped."""
    return off_diagonal(torch.linalg.pinv(patterns) @ patterns)


def textbook_storkey(patterns: Tensor) -> Tensor:
    """Storkey's rule as printed: the whole matrix h_ij of local fields for each pattern."""
    size = patterns.shape[-1]
    weights = patterns.new_zeros(size, size)
    for x in patterns:
        own = (weights.diagonal() * x)[:, None]
        h = (weights @ x)[:, None] - own - weights * x
        weights = weights + (torch.outer(x, x) - x[:, None] * h.T - h * x) / size
        weights.fill_diagonal_(0)
    return weights


def off_diagonal(matrix: Tensor) -> Tensor:
    """The matrix with zeros on its diagonal."""
    return matrix - matrix.diagonal().diag()


def joined(found: tuple[Tensor, Tensor]) -> Tensor:
    """States `(batch, dim)` and energies `(steps, batch)` side by side, one row a query."""
    state, energies = found
    return torch.cat([state, energies.T], dim=-1)


def exactly(way: Callable[[Tensor, Tensor], Tensor], patterns: Tensor, state: Tensor) -> Tensor:
    """`way(patterns, state)` in float64, some queries at a time."""
    rows = patterns.double()
    return torch.cat([way(rows, part.double()) for part in state.split(CHUNK)])


def slack(patterns: Tensor, state: Tensor, beta: float) -> float:
    """How far rounding may move a state of the modern network: 16 eps κ M (docs/notation.md)."""
    largest = patterns.norm(dim=-1).max().item()
    reach = max(largest, state.norm(dim=-1).max().item())
    slack: float = 16 * torch.finfo(patterns.dtype).eps * (1 + beta * largest * reach) * largest
    return slack
