"""Baselines of the library, written plainly, and exact references in float64."""

from collections.abc import Callable

import torch
from torch import Tensor

from hopfield_studies import baselines

CHUNK = 32
"""Queries that a reference answers at once."""


def naive(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """softmax(β x Xᵀ) X, the usual three operations."""
    return torch.softmax(beta * (state @ patterns.T), dim=-1) @ patterns


def torch_attention(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """softmax(β x Xᵀ) X by torch's attention."""
    queries, keys = state[None, None], patterns[None, None]
    return torch.nn.functional.scaled_dot_product_attention(queries, keys, keys, scale=beta)[0, 0]


def from_scratch_steps(
    patterns: Tensor, state: Tensor, beta: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Retrieve a batch as the from-scratch document does: the state, and all energies."""
    energies = [_from_scratch_energy(patterns, state, beta)]
    for _ in range(steps):
        state = naive(patterns, state, beta)
        energies.append(_from_scratch_energy(patterns, state, beta))
    return state, torch.stack(energies)


def _from_scratch_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """−β⁻¹ log Σ exp(β x·z) + ½ z·z."""
    lse = torch.logsumexp(beta * (state @ patterns.T), dim=-1)
    return -lse / beta + 0.5 * torch.sum(state**2, dim=-1)


def hebbian_coupling(patterns: Tensor) -> Tensor:
    """Hebb's rule by the walkthrough's loop, at scale 1/N and without the diagonal."""
    return off_diagonal(baselines.outer_products(patterns)) / patterns.shape[-1]


def fixed_points(patterns: Tensor, probes: Tensor) -> Tensor:
    """Iterate the classical loop in float64; at small load every order of units ends the same."""
    coupling, generator = hebbian_coupling(patterns.double()), torch.Generator().manual_seed(1)
    sweeps = (baselines.classical_sweeps(coupling, x, generator) for x in probes.double())
    return torch.stack([state for state, _ in sweeps])


def svd_projection(patterns: Tensor) -> Tensor:
    """Pseudo-inverse rule by the pseudo-inverse matrix, without the diagonal."""
    return off_diagonal(torch.linalg.pinv(patterns) @ patterns)


def textbook_storkey(patterns: Tensor) -> Tensor:
    """Storkey's rule as printed: the whole matrix h_ij of local fields per pattern."""
    size = patterns.shape[-1]
    weights = patterns.new_zeros(size, size)
    for x in patterns:
        own = (weights.diagonal() * x)[:, None]
        h = (weights @ x)[:, None] - own - weights * x
        weights = weights + (torch.outer(x, x) - x[:, None] * h.T - h * x) / size
        weights.fill_diagonal_(0)
    return weights


def off_diagonal(matrix: Tensor) -> Tensor:
    """Return the matrix with zeros on its diagonal."""
    return matrix - matrix.diagonal().diag()


def side_by_side(result: tuple[Tensor, Tensor]) -> Tensor:
    """Join states `(batch, dim)` and energies `(steps, batch)` into one row per query."""
    state, energies = result
    return torch.cat([state, energies.T], dim=-1)


def in_float64(way: Callable[[Tensor, Tensor], Tensor], patterns: Tensor, state: Tensor) -> Tensor:
    """`way(patterns, state)` in float64, CHUNK queries at a time."""
    rows = patterns.double()
    return torch.cat([way(rows, part.double()) for part in state.split(CHUNK)])


def slack(patterns: Tensor, state: Tensor, beta: float) -> float:
    """Rounding of a state of the modern network: 16 eps κ M (docs/notation.md)."""
    largest = patterns.norm(dim=-1).max().item()
    reach = max(largest, state.norm(dim=-1).max().item())
    slack: float = 16 * torch.finfo(patterns.dtype).eps * (1 + beta * largest * reach) * largest
    return slack
