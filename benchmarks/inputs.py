"""Seeded inputs that several workloads share."""

import torch
from torch import Tensor

from hopfield import corruption, synthetic


def normal(n: int, dim: int, queries: int) -> tuple[Tensor, Tensor]:
    """Return normal patterns, and some of them with noise of half their deviation."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(n, dim, generator=generator)
    chosen = patterns[_choice(n, queries, generator)]
    return patterns, corruption.gaussian_noise(chosen, 0.5, generator=generator).state


def binary(n: int, dim: int, queries: int) -> tuple[Tensor, Tensor]:
    """Return random ±1 patterns, and some of them with a fifth of the entries flipped."""
    generator = torch.Generator().manual_seed(0)
    patterns = synthetic.random_binary(n, dim, generator=generator)
    chosen = patterns[_choice(n, queries, generator)]
    return patterns, corruption.flip(chosen, 0.2, generator=generator).state


def _choice(n: int, queries: int, generator: torch.Generator) -> Tensor:
    return torch.randint(n, (queries,), generator=generator)
