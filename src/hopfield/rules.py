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
from .separation.prior import check_prior, whole_multiples

GATHERED = 96
"""Largest number of patterns that Storkey's rule adds to W at once."""

EXACT_INTEGERS = {torch.float32: 2**24, torch.float64: 2**53}
"""Whole numbers up to these are exact."""


def hebbian(
    patterns: Float[Tensor, "n dim"],
    diagonal: bool = False,
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "dim dim"]:
    """W = XᵀX/N (Hopfield 1982); the diagonal n/N is zeroed unless `diagonal`.

    With a prior w per pattern, W = Σ w x xᵀ/N.
    """
    rows = check_patterns("patterns", patterns)
    given = None if prior is None else check_prior(prior, len(rows), rows.device)
    return _hebbian(_upcast(rows), check_flag("diagonal", diagonal), given).matrix()


def covariance(
    patterns: Float[Tensor, "n dim"],
    diagonal: bool = False,
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "dim dim"]:
    """W = (X − a)ᵀ(X − a)/N with a the mean of all entries, for biased patterns (Amit 1987).

    With a prior w per pattern, W = Σ w(x − a)(x − a)ᵀ/N, and a is the mean weighted by w.
    """
    rows = check_patterns("patterns", patterns)
    given = None if prior is None else check_prior(prior, len(rows), rows.device)
    return _covariance(_upcast(rows), check_flag("diagonal", diagonal), given).matrix()


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


def _hebbian(rows: Tensor, diagonal: bool, prior: Tensor | None = None) -> LowRankCoupling:
    left = right = rows
    scale, slack = 1 / rows.shape[-1], 0.0
    if prior is not None:
        left, right, scale = _weighted_factors(rows, prior)
        if left is right:  # no whole numbers
            slack = _rounding_of_zero(left, scale)
    return LowRankCoupling(left, right, scale, None if diagonal else (left * right).sum(0), slack)


def _covariance(rows: Tensor, diagonal: bool, prior: Tensor | None = None) -> LowRankCoupling:
    if prior is None:
        factors = rows - rows.mean()
    else:
        times = prior.to(rows)[:, None]
        factors = (rows - (times * rows).sum() / (times.sum() * rows.shape[-1])) * times.sqrt()
    coupling = _hebbian(factors, diagonal)
    return replace(coupling, slack=_rounding_of_zero(factors, coupling.scale))


def _weighted_factors(
    rows: Float[Tensor, "n dim"], prior: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n dim"], float]:
    """Return L, R and a scale with scale·LᵀR = Σ w x xᵀ/N.

    L holds whole multiples of the patterns if sums of them are exact; else L = R = √w x.
    """
    multiples, size = whole_multiples(prior), rows.shape[-1]
    largest = float(multiples.sum()) * size
    if largest >= EXACT_INTEGERS[torch.float64]:
        factors = rows.double() * prior.double().sqrt()[:, None]
        return factors, factors, 1 / size
    exact = rows if largest < EXACT_INTEGERS[rows.dtype] else rows.double()
    return exact * multiples.to(exact)[:, None], exact, float(prior[0] / multiples[0]) / size


def _rounding_of_zero(factors: Tensor, scale: float) -> float:
    # For W = scale·LᵀL. ‖W_i‖² = Lᵀ(LLᵀ)L on the diagonal, times scale².
    norms = ((factors @ factors.T) @ factors).mul_(factors).sum(0).clamp_min(0).sqrt()
    return _rounding(scale * norms, factors)


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
WEIGHTED: dict[str, Callable[[Tensor, bool, Tensor], LowRankCoupling]] = {
    "hebbian": _hebbian,
    "covariance": _covariance,
}
"""The rules that are sums over patterns: these can count a pattern w times."""

RULES = (*LOW_RANK, "storkey")
"""Every learning rule by name."""


def coupling(
    rule: str,
    patterns: Float[Tensor, "n dim"],
    diagonal: bool,
    prior: Float[Tensor, " n"] | None = None,
) -> Coupling:
    """Return the coupling of `patterns` by `rule`: low rank below dim/2, else W.

    Rules that are sums over patterns, `WEIGHTED`, take a prior w > 0 of each.
    """
    check_patterns("patterns", patterns)
    check_flag("diagonal", diagonal)
    if prior is not None:
        check_choice("rule of patterns with priors", rule, WEIGHTED)
        prior = check_prior(prior, len(patterns), patterns.device)
        return _cheapest(WEIGHTED[rule](_upcast(patterns), diagonal, prior))
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


def with_rounding_slack(weights: Tensor, is_symmetric: bool = True) -> FullCoupling:
    """Return the coupling of W whose fields count as zero up to their rounding."""
    slack = _rounding(weights.norm(dim=-1), weights)
    return FullCoupling(weights, slack=slack, is_symmetric=is_symmetric)


def _rounding(norms: Tensor, of: Tensor) -> float:
    # A bound of the rounding of a zero field, given ‖W_i‖ of each unit: a few ulp of ‖W_i‖‖x‖.
    size = norms.max().item() * len(norms) ** 0.5
    return 8 * torch.finfo(of.dtype).eps * size
