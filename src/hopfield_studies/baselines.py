"""The documents' own rules, written again in plain loops, for the library to be measured against.

They keep what the documents do, with its faults: an activation that returns the negative, scores
exponentiated as they are, an energy without its β. Nothing outside the experiments uses them.
"""

import torch
from torch import Tensor


def activation(field: Tensor) -> Tensor:
    """The walkthrough's `binarize`, used as an activation: ink (−1) where the field is positive."""
    return torch.where(field > 0, -1.0, 1.0)


def outer_products(patterns: Tensor) -> Tensor:
    """Hebb's coupling, one outer product after another; not scaled, its diagonal kept."""
    coupling = torch.zeros(patterns.shape[1], patterns.shape[1], dtype=patterns.dtype)
    for pattern in patterns:
        coupling += torch.outer(pattern, pattern)
    return coupling


def hebbian_step(patterns: Tensor, state: Tensor) -> Tensor:
    """One step of all units by Hebb's coupling, diagonal kept: True, ink, where W·z is positive."""
    return (state @ patterns.T) @ patterns > 0


def dense_step(patterns: Tensor, state: Tensor, divisor: float) -> Tensor:
    """The walkthrough's loop for the dense network: each unit tried at +1 and −1, exp summed."""
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
    """Σ exp(β x·z) as it stands: overflows where a score passes 89/β (float32)."""
    return torch.exp(beta * (state @ patterns.T)).sum(dim=-1)


def plain_softmax_step(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """Weights as exp over the sum of exp, nothing subtracted first."""
    exponentials = torch.exp(beta * (state @ patterns.T))
    return (exponentials / exponentials.sum(dim=-1, keepdim=True)) @ patterns


def continuous_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """The walkthrough's energy −log Σ exp(x·z) + z·z + β⁻¹ log N, β missing inside the exp."""
    lse = torch.logsumexp(state @ patterns.T, dim=-1)
    return -lse + (state * state).sum(dim=-1) + torch.log(torch.tensor(len(patterns))) / beta


def classical_sweeps(
    coupling: Tensor, state: Tensor, generator: torch.Generator, limit: int = 20
) -> tuple[Tensor, int]:
    """The from-scratch loop: unit after unit in random order, until a sweep changes nothing."""
    state = state.clone()
    for sweep in range(1, limit + 1):
        before = state.clone()
        for unit in torch.randperm(len(state), generator=generator):
            state[unit] = 1.0 if coupling[unit] @ state >= 0 else -1.0
        if torch.equal(state, before):
            return state, sweep
    return state, limit


def modern_energy(patterns: Tensor, state: Tensor, beta: float) -> Tensor:
    """The from-scratch energy −β⁻¹ log Σ exp(β x·z) + ½ z·z of one state."""
    lse = torch.logsumexp(beta * (patterns @ state), dim=0)
    return -lse / beta + 0.5 * torch.sum(state**2)


def modern_steps(patterns: Tensor, state: Tensor, beta: float, steps: int = 5) -> Tensor:
    """The from-scratch retrieval of one state: a fixed number of softmax steps."""
    for _ in range(steps):
        state = patterns.T @ torch.softmax(beta * (patterns @ state), dim=0)
    return state
