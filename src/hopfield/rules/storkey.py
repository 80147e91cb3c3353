"""Storkey's rule, one pattern after another."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_device, check_dim, check_flag, check_patterns, dtype_name
from ..coupling import check_square
from ..errors import DomainError
from .precision import upcast

GATHERED = 96
"""Largest number of patterns that Storkey's rule adds to W at once."""


def storkey(
    patterns: Float[Tensor, "n dim"],
    diagonal: bool = False,
    start: Float[Tensor, "dim dim"] | None = None,
) -> Float[Tensor, "dim dim"]:
    """Storkey's rule (Storkey & Valabregue 1999), one pattern after another.

    ΔW_ij = (x_i x_j − x_i h_ji − h_ij x_j)/N with h_ij = Σ_{k≠i,j} W_ik x_k. For i ≠ j this is
    ((1 + 2/N)W + (x(x − a)ᵀ − a xᵀ)/N)_ij, a_i = Σ_{k≠i} W_ik x_k: two outer products per pattern.
    Those of some patterns are added to W by one matrix product.

    Args:
        patterns: `(n, dim)`; the order matters.
        diagonal: keep W_ii, which follows the same formula and never enters another entry.
        start: W of the patterns stored before; None is W = 0.

    Raises:
        DomainError: if W overflows, as of many times more patterns than units.
    """
    rows = upcast(check_patterns("patterns", patterns))
    check_flag("diagonal", diagonal)
    size = rows.shape[-1]
    if start is not None:
        check_dim("start", check_square("start", start), size)
        check_device("start", start, rows.device)
    weights = rows.new_zeros(size, size) if start is None else start.to(rows.dtype).clone()
    gathered = max(1, min(GATHERED, size // 3))  # more, and (1 + 2/N)ⁿ > 2 costs digits
    for part in rows.split(gathered):
        _add_by_storkey(weights, part, diagonal)
    if not bool(weights.norm(dim=-1).isfinite().all()):
        raise DomainError(
            "patterns must have a finite W by Storkey's rule, but each multiplies it by "
            f"1 + 2/{size}, and it overflows in {dtype_name(weights)}. Store fewer than {size} "
            "patterns, or use DenseHopfield, which holds many more."
        )
    return weights


def _add_by_storkey(weights: Tensor, rows: Tensor, diagonal: bool) -> None:
    # Before pattern k, W = cᵏW⁰ + Σ_l c^(k−1−l) (x_l(x_l − a_l)ᵀ − a_l x_lᵀ)/N off the diagonal,
    # with c = 1 + 2/N, so that Wx_k needs only W⁰x_k, the x_l and the a_l.
    count, size = rows.shape
    growth = 1 + 2 / size
    kept = weights.diagonal().clone()
    inner = kept.clone()  # the diagonal of the sum above, which differs from that of W
    first, gram = rows @ weights, rows @ rows.T
    a = torch.zeros_like(rows)
    power = growth ** torch.arange(count, dtype=rows.dtype, device=rows.device)
    for k, x in enumerate(rows):
        share = power[:k].flip(0) / size
        by_x, by_a = share * (gram[:k, k] - a[:k] @ x), share * gram[:k, k]
        a[k] = power[k] * first[k] + by_x @ rows[:k] - by_a @ a[:k] - inner * x
        inner = growth * inner + (x * x - 2 * x * a[k]) / size
        kept += (1 - 2 * x * a[k]) / size
    share = power.flip(0)[:, None] / size
    left, right = torch.cat([rows, a]), torch.cat([share * (rows - a), -share * rows])
    weights.addmm_(left.T, right, beta=growth**count)
    weights.diagonal().copy_(kept if diagonal else torch.zeros_like(kept))
