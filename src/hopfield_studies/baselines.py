"""The documents' own rules in plain loops. The library is measured against them.

The documents' faults are kept: an activation that returns the negative, scores that overflow
under exp, an energy without its β.
"""

import torch
from torch import Tensor


def activation(field: Tensor) -> Tensor:
    """Return ink (−1) where the field is positive: the walkthrough's activation."""
    return torch.where(field > 0, -1.0, 1.0)


def outer_products(patterns: Tensor) -> Tensor:
    """Sum outer products one after another: Hebb's coupling, not scaled, with its diagonal."""
    coupling = torch.zeros(patterns.shape[1], patterns.shape[1], dtype=patterns.dtype)
    for pattern in patterns:
        coupling += torch.outer(pattern, pattern)
    return coupling


def hebbian_step(patterns: Tensor, state: Tensor) -> Tensor:
    """Return True (ink) where W·z is positive, W being Hebb's coupling with its diagonal."""
    return (state @ patterns.T) @ patterns > 0


def dense_step(patterns: Tensor, state: Tensor, divisor: float) -> Tensor:
    """Update unit after unit by sums of exp at +1 and −1: the walkthrough's dense network."""
    out = torch.empty_like(state)
    for unit in range(len(state)):
        up, down = state.clone(), state.clone()
        up[unit], down[unit] = 1.0, -1.0
        sum_up = sum_down = torch.zeros((), dtype=state.dtype)
        for pattern in patterns:
            sum_up = sum_up + torch.exp(pattern @ up / divisor)
            sum_down = sum_down + torch.exp(pattern @ down / divisor)
        out[unit] = 1.0 if sum_up > sum_down else -1.0
    return out


def plain_exponentials(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """Return Σ exp(β x·z), which overflows where a score exceeds 89/β (float32)."""
    return torch.exp(beta * (state @ patterns.T)).sum(dim=-1)


def plain_softmax_step(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """Update by exp over the sum of exp, without subtracting the largest score."""
    exponentials = torch.exp(beta * (state @ patterns.T))
    return (exponentials / exponentials.sum(dim=-1, keepdim=True)) @ patterns


def continuous_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """Return the walkthrough's energy −log Σ exp(x·z) + z·z + β⁻¹ log N, without β inside exp."""
    lse = torch.logsumexp(state @ patterns.T, dim=-1)
    return -lse + (state * state).sum(dim=-1) + torch.log(torch.tensor(len(patterns))) / beta


def classical_sweeps(
    coupling: Tensor, state: Tensor, generator: torch.Generator, limit: int = 20
) -> tuple[Tensor, int]:
    """Update units in random order until a sweep changes nothing: the from-scratch loop."""
    state = state.clone()
    for sweep in range(1, limit + 1):
        before = state.clone()
        for unit in torch.randperm(len(state), generator=generator):
            state[unit] = 1.0 if coupling[unit] @ state >= 0 else -1.0
        if torch.equal(state, before):
            return state, sweep
    return state, limit


def modern_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """Return the from-scratch energy −β⁻¹ log Σ exp(β x·z) + ½ z·z of one state."""
    lse = torch.logsumexp(beta * (patterns @ state), dim=0)
    return -lse / beta + 0.5 * torch.sum(state**2)


def modern_steps(patterns: Tensor, state: Tensor, beta: float, steps: int = 5) -> Tensor:
    """Update one state by a fixed number of softmax steps: the from-scratch retrieval."""
    for _ in range(steps):
        state = patterns.T @ torch.softmax(beta * (patterns @ state), dim=0)
    return state
