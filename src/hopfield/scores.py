"""Scores of all patterns, and the strongest pattern."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .ranks import first_best, join, ranks_of
from .similarity import ScoreFunction, Similarity


def strongest(
    blocks: Iterable[Any],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity | ScoreFunction,
) -> tuple[Float[Tensor, "*batch"], Tensor]:
    """Return the largest score and the first pattern with it; memory O(batch·block)."""
    largest: tuple[Tensor, Tensor] | None = None
    ranks = None
    for block in blocks:
        ranks = ranks_of(block)
        top, index = similarity(block, state, None).max(-1)
        index = index + block.start
        if largest is not None:
            index = torch.where(top > largest[0], index, largest[1])
            top = torch.maximum(top, largest[0])
        largest = top, index
    if largest is None:
        raise ValueError("there must be at least one block of rows")
    if ranks is None:
        return largest
    tops, indices = ranks.gather(*largest)
    return tops.amax(0), first_best(indices, tops)


def all_scores(
    blocks: Iterable[Any],
    state: Float[Tensor, "*batch dim"],
    similarity: Similarity | ScoreFunction,
    known: Tensor | None = None,
) -> Float[Tensor, "*batch n"]:
    """Return the scores of every pattern; memory O(batch·n)."""
    return join(blocks, lambda block: similarity(block, state, known))
