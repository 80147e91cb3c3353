"""Memories to diagnose: five kinds of patterns, and settings at which only some of them hold."""

import warnings

import torch
from torch import Tensor

from hopfield import Entmax, Memory, ModernHopfield, Softmax, TopK, data, synthetic
from hopfield.errors import CapacityWarning
from hopfield.similarity import SIMILARITIES


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(rows: Tensor, n: int, seed: int = 0) -> Tensor:
    """Random rows of a set."""
    return rows[torch.randperm(len(rows), generator=source(seed))[:n]]


def gaussian(n: int, dim: int = 32, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=source(seed))


def clustered(n: int, dim: int = 32, seed: int = 0) -> Tensor:
    """Families of ten about random centres."""
    centres = gaussian(n // 10, dim, seed)
    return centres.repeat_interleave(10, 0) + 0.3 * gaussian(n, dim, seed + 1)


SETS = {
    "digits": lambda n: some(data.load("digits").patterns, n),
    "Gaussian": gaussian,
    "unit sphere": lambda n: synthetic.unit_sphere(n, 32),
    "clustered": clustered,
}
"""Patterns by name; MNIST is among them where HOPFIELD_DATA holds it."""

SETTINGS = {
    "euclidean": ("euclidean", lambda gap: Softmax(4.5 / gap)),
    "euclidean, sharp": ("euclidean", lambda gap: Softmax(10 / gap)),
    "dot": ("dot", lambda gap: Softmax(5 / gap)),
    "cosine": ("cosine", lambda gap: Softmax(3.5 / gap)),
    "correlation": ("correlation", lambda gap: Softmax(5 / gap)),
    "entmax": ("dot", lambda gap: Entmax(1.5, 8 / gap)),
    "top-k": ("euclidean", lambda gap: TopK(5, 5 / gap)),
}
"""Similarity, and separation by the median distance of the best score to the next."""


def memory_of(patterns: Tensor, setting: str, sharper: float = 1.0) -> Memory:
    """A memory whose β lets some patterns hold and others not, or one with a larger β."""
    similarity, separation = SETTINGS[setting]
    scores = SIMILARITIES[similarity](patterns, patterns, None)
    own = scores.diagonal().clone()
    gap = (own - scores.fill_diagonal_(-torch.inf).amax(-1)).abs().median().item()
    memory = ModernHopfield(separation=separation(gap / sharper), similarity=similarity)
    memory.store(patterns)
    return memory


def stored(memory, patterns, values=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CapacityWarning)
        memory.store(patterns, values)
    return memory
