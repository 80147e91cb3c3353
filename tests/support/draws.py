"""Random tensors for tests, each from a seed of its own."""

import itertools

import torch
from torch import Tensor


def generator(seed: int = 0) -> torch.Generator:
    """Make a generator with this seed."""
    return torch.Generator().manual_seed(seed)


def signs(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw random ±1."""
    return (torch.randint(0, 2, shape, generator=generator(seed)) * 2 - 1).to(dtype)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw normal numbers."""
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def all_states(dim: int) -> Tensor:
    """Return all vectors of ±1, `(2^dim, dim)`."""
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=dim)))
