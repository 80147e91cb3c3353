"""Learning rules of the classical network: from rows x_μ = ±1 to the coupling W.

`hebbian`, `covariance`, `pseudo_inverse` and `storkey` return W itself. `coupling` returns its
cheapest form for a memory of n patterns.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from .checks import check_choice, check_device, check_dim, check_flag, check_patterns
from .coupling import Coupling, FullCoupling, LowRankCoupling, check_square

GATHERED = 96
"""Largest number of patterns that Storkey's rule adds to W at once."""

EXACT_INTEGERS = {torch.float32: 2**24, torch.float64: 2**53}
"""Whole numbers up to these are exact."""


def hebbian(patterns: Float[Tensor, "n dim"], diagonal: bool = False) -> Float[Tensor, "dim dim"]:
    """W = XᵀX/N (Hopfield 1982); the diagonal n/N is zeroed unless `diagonal`."""
    rows = _upcast(check_patterns("patterns", patterns))
    return _hebbian(rows, check_flag("diagonal", diagonal)).matrix()


def covariance(
    patterns: Float[Tensor, "n dim"], diagonal: bool = False
) -> Float[Tensor, "dim dim"]:
    """W = (X − a)ᵀ(X − a)/N with a the mean of all entries, for biased patterns (Amit 1987)."""
    rows = _upcast(check_patterns("patterns", patterns))
    return _covariance(rows, check_flag("diagonal", diagonal)).matrix()


def pseudo_inverse(
    patterns: Float[Tensor, "n dim"], diagonal: bool = False
) -> Float[Tensor, "dim dim"]:
    """W = Xᵀ(XXᵀ)⁻¹X, the projection on the patterns (Personnaz et al. 1985).

    Linearly dependent patterns are projected on their span.
    """
    rows = _upcast(check_patterns("patterns", patterns))
    return _pseudo_inverse(rows, check_flag("diagonal", diagonal)).matrix()


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
    """
    rows = _upcast(check_patterns("patterns", patterns))
    check_flag("diagonal", diagonal)
    size = rows.shape[-1]
    if start is not None:
        check_dim("start", check_square("start", start), size)
        check_device("start", start, rows.device)
    weights = rows.new_zeros(size, size) if start is None else start.to(rows.dtype).clone()
    gathered = max(1, min(GATHERED, size // 3))  # more, and (1 + 2/N)ⁿ > 2 costs digits
    for part in rows.split(gathered):
        _add_by_storkey(weights, part, diagonal)
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


def _upcast(patterns: Tensor) -> Tensor:
    # To a precision that holds sums of n·N products of ±1 exactly; float32 at least.
    dtype = torch.promote_types(patterns.dtype, torch.float32)
    if patterns.numel() >= EXACT_INTEGERS[dtype]:
        dtype = torch.float64
    return patterns.to(dtype)


def _hebbian(rows: Tensor, diagonal: bool) -> LowRankCoupling:
    return LowRankCoupling(
        rows, rows, 1 / rows.shape[-1], None if diagonal else rows.square().sum(0)
    )


def _covariance(rows: Tensor, diagonal: bool) -> LowRankCoupling:
    centred = rows - rows.mean()
    coupling = _hebbian(centred, diagonal)
    # ‖W_i‖² = Xᵀ(XXᵀ)X on the diagonal, times scale².
    norms = ((centred @ centred.T) @ centred).mul_(centred).sum(0).clamp_min(0).sqrt()
    return replace(coupling, slack=_rounding(coupling.scale * norms, centred))


def _pseudo_inverse(rows: Tensor, diagonal: bool, basis: Tensor | None = None) -> LowRankCoupling:
    added = orthonormal(rows, basis)
    whole = added if basis is None else torch.cat([basis, added])
    norms = whole.square().sum(0)  # of W_i, squared: W is a projection
    return LowRankCoupling(
        whole, whole, 1.0, None if diagonal else norms, _rounding(norms.sqrt(), whole)
    )


def orthonormal(
    rows: Float[Tensor, "n dim"], basis: Float[Tensor, "k dim"] | None = None
) -> Float[Tensor, "r dim"]:
    """Return orthonormal rows Q that span the part of `rows` orthogonal to `basis`; r ≤ n.

    Q comes from the Cholesky factor of the Gram matrix of that part; for dependent rows, from its
    eigenvalues above a cut-off. QᵀQ = Xᵀ(XXᵀ)⁻¹X.
    """
    left = check_patterns("rows", rows).double()
    size = left.square().sum(-1).amax()
    if basis is not None:
        known = basis.double()
        for _ in range(2):  # twice, or rounding leaves some of the basis
            left = left - (left @ known.T) @ known
    gram = left @ left.T
    # Below this, eigenvalues are rounding: that of the rows, and that of the Gram matrix.
    rounding, eps = torch.finfo(rows.dtype).eps * size, torch.finfo(torch.float64).eps
    cutoff = max(rows.shape) * torch.maximum(rounding, eps * gram.abs().sum(-1).amax())
    factor, failed = torch.linalg.cholesky_ex(gram)
    if not int(failed) and bool((factor.diagonal().square() > cutoff).all()):
        added = torch.linalg.solve_triangular(factor, left, upper=False)
    else:
        values, vectors = torch.linalg.eigh(gram)
        cutoff = max(rows.shape) * torch.maximum(rounding, eps * values[-1])
        independent = values > cutoff
        added = (vectors[:, independent] / values[independent].sqrt()).T @ left
    if rows.dtype == torch.float64 and len(added):
        # The Gram matrix rounds by its condition number; a second pass leaves the root of that.
        factor, failed = torch.linalg.cholesky_ex(added @ added.T)
        if int(failed):
            added = torch.linalg.qr(added.T).Q.T
        else:
            added = torch.linalg.solve_triangular(factor, added, upper=False)
    return added.to(rows.dtype)


LOW_RANK: dict[str, Callable[[Tensor, bool], LowRankCoupling]] = {
    "hebbian": _hebbian,
    "covariance": _covariance,
    "pseudo_inverse": _pseudo_inverse,
}
RULES = (*LOW_RANK, "storkey")
"""Every learning rule by name."""


def coupling(rule: str, patterns: Float[Tensor, "n dim"], diagonal: bool) -> Coupling:
    """Return the coupling of `patterns` by `rule`: low rank below dim/2, else W."""
    check_patterns("patterns", patterns)
    check_flag("diagonal", diagonal)
    if check_choice("rule", rule, RULES) == "storkey":
        return with_rounding_slack(storkey(patterns, diagonal))
    return _cheapest(LOW_RANK[rule](_upcast(patterns), diagonal))


def grown(
    rule: str, old: Coupling, patterns: Float[Tensor, "n dim"], learned: int, diagonal: bool
) -> Coupling:
    """Return the coupling of all `patterns`, from that of the first `learned` if possible."""
    added = _upcast(patterns)[learned:]
    if rule == "storkey" and isinstance(old, FullCoupling):
        return with_rounding_slack(storkey(added, diagonal, start=old.entries))
    if rule == "hebbian" and isinstance(old, FullCoupling) and old.entries.dtype == added.dtype:
        new = _hebbian(added, diagonal)
        return FullCoupling(old.entries + new.unscaled(), old.scale)
    if rule == "pseudo_inverse" and isinstance(old, LowRankCoupling):
        return _cheapest(_pseudo_inverse(added, diagonal, basis=old.right))
    return coupling(rule, patterns, diagonal)


def _cheapest(low_rank: LowRankCoupling) -> Coupling:
    if 2 * len(low_rank.right) < low_rank.right.shape[-1]:
        return low_rank
    return FullCoupling(low_rank.unscaled(), low_rank.scale, low_rank.slack)


def with_rounding_slack(weights: Tensor) -> FullCoupling:
    """Return the coupling of W whose fields count as zero up to their rounding."""
    return FullCoupling(weights, slack=_rounding(weights.norm(dim=-1), weights))


def _rounding(norms: Tensor, of: Tensor) -> float:
    # A bound of the rounding of a zero field, given ‖W_i‖ of each unit: a few ulp of ‖W_i‖‖x‖.
    size = norms.max().item() * len(norms) ** 0.5
    return 8 * torch.finfo(of.dtype).eps * size
