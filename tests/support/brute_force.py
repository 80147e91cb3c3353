"""Scores of all patterns in float64, each by its definition."""

import torch
from torch import Tensor


def one_score(name: str, row: Tensor, cue: Tensor, known: Tensor) -> Tensor:
    """Score a pattern at a cue by its definition, over the entries that are known."""
    x, y = row[known], cue[known]
    if name == "dot":
        return (x * y).sum()
    if name == "euclidean":
        return -((x - y) ** 2).sum() / 2
    if name == "manhattan":
        return -(x - y).abs().sum()
    if name == "correlation" and len(x):
        x, y = x - x.mean(), y - y.mean()
    lengths = x.norm() * y.norm()
    return (x * y).sum() / lengths if lengths > 1e-12 else torch.zeros((), dtype=x.dtype)


def brute_force(name: str, patterns: Tensor, cues: Tensor, known: Tensor) -> Tensor:
    """Score every pattern at every cue in float64, `(batch, n)`."""
    rows, states = patterns.double(), cues.double()
    pairs = [
        torch.stack([one_score(name, row, cue, mask) for row in rows])
        for cue, mask in zip(states, known.expand(cues.shape), strict=True)
    ]
    return torch.stack(pairs)
