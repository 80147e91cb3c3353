"""Statistics of the rows of a store: norms, means and standard deviations."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..readout import ValuedBlock
from .growing import GrowingTensor

SUMMARY_ROWS = 1024
"""Number of rows whose statistics are computed at a time: more do not stay in the cache."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of all rows of a store.

    Attributes:
        squared_norms: Σ_i x_μi² of each row, `(n,)`, in float32 at least.
        largest_norm: M = max ‖x_μ‖.
        mean: the mean row, `(dim,)`, float64.
        std: the standard deviation of each entry over the rows, `(dim,)`, float64.
        counts: rows that know each entry, `(dim,)`, float64; None if all do. Only known entries
            take part in the other fields; an entry that no row knows has mean and deviation 0.
    """

    squared_norms: Tensor
    largest_norm: float
    mean: Tensor
    std: Tensor
    counts: Tensor | None = None


def merge_summaries(parts: "list[Summary]") -> Summary:
    """Return the statistics of all rows from those of consecutive parts (Chan et al. 1983)."""
    if len(parts) == 1:
        return parts[0]
    means, deviations = (torch.stack([getattr(p, name) for p in parts]) for name in ("mean", "std"))
    sizes, counts = means.new_tensor([len(part.squared_norms) for part in parts])[:, None], None
    if any(part.counts is not None for part in parts):
        rows = zip(parts, sizes, strict=True)
        sizes = torch.stack(
            [n.expand_as(p.mean) if p.counts is None else p.counts for p, n in rows]
        )
        counts = sizes.sum(0)
    mean, std = merge_moments(means, deviations, sizes)
    norms = torch.cat([part.squared_norms for part in parts])
    return Summary(norms, max(part.largest_norm for part in parts), mean, std, counts)


def merge_moments(means: Tensor, stds: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of all rows from those of parts, `(parts, dim)` each."""
    shares = sizes / sizes.sum(0).clamp_min(1)
    mean = (shares * means).sum(0)
    return mean, (shares * (stds.square() + (means - mean).square())).sum(0).sqrt()


def summarise(blocks: Iterable[ValuedBlock]) -> Summary:
    """Return the statistics of the rows in `blocks`."""
    # Results lie in two tensors: many small ones, made between the large temporary ones of the
    # parts, would spread these over as much memory as all rows take.
    norms, vectors, largest, has_gaps = GrowingTensor(), GrowingTensor(), [], False
    lengths = []
    for block in blocks:
        part = _summary_of(block)
        counts = torch.full_like(part.mean, len(block)) if part.counts is None else part.counts
        norms.append(part.squared_norms)
        vectors.append(torch.stack([part.mean, part.std, counts])[None])
        lengths.append(len(block))
        largest.append(part.largest_norm)
        has_gaps |= part.counts is not None
    columns = norms.filled.split(lengths), largest, vectors.filled
    return merge_summaries(
        [
            Summary(squares, longest, mean, std, counts if has_gaps else None)
            for squares, longest, (mean, std, counts) in zip(*columns, strict=True)
        ]
    )


def _summary_of_known(block: ValuedBlock, known: Tensor) -> Summary:
    norms, rows = block.squares(None), block.rows.double()
    counts = known.sum(0).double()
    mean = rows.sum(0) / counts.clamp_min(1)
    deviations = torch.where(known, rows - mean, 0.0)
    scale = float(deviations.abs().amax()) or 1.0  # squares neither overflow nor vanish
    variance = (deviations / scale).square_().sum(0) / counts.clamp_min(1)
    return Summary(norms, math.sqrt(norms.max().item()), mean, scale * variance.sqrt(), counts)


def _summary_of(block: ValuedBlock) -> Summary:
    known: Tensor | None = getattr(block, "known", None)
    if known is not None:
        return _summary_of_known(block, known)
    norms = block.squares(None)
    rows = block.rows.to(norms.dtype)
    mean = rows.mean(0)
    deviations = rows - mean
    scale = float(deviations.abs().amax()) or 1.0  # squares neither overflow nor vanish
    deviations /= scale
    rest = deviations.double().mean(0) if rows.dtype == torch.float64 else deviations.mean(0)
    variance = deviations.square_().mean(0).sub_(rest.square()).clamp_min_(0)
    mean = mean.double() + scale * rest.double()
    return Summary(norms, math.sqrt(norms.max().item()), mean, scale * variance.double().sqrt())
