"""Rules that are sums over patterns: Hebb's, and the covariance rule with its thresholds."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_binary, check_flag, check_patterns
from ..coupling import LowRankCoupling
from ..packing import pack
from ..separation.prior import check_prior, whole_multiples
from .precision import EXACT_INTEGERS, rounding_of, upcast


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
    return hebbian_coupling(upcast(rows), check_flag("diagonal", diagonal), given).matrix()


def covariance(
    patterns: Float[Tensor, "n dim"],
    diagonal: bool = False,
    prior: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "dim dim"]:
    """W = (X − m)ᵀ(X − m)/N with m the mean of all entries, for biased patterns (Amit 1987).

    With a prior w per pattern, W = Σ w(x − m)(x − m)ᵀ/N, and m is the mean weighted by w.
    `covariance_thresholds` returns the thresholds that belong to it.
    """
    rows = check_patterns("patterns", patterns)
    given = None if prior is None else check_prior(prior, len(rows), rows.device)
    return covariance_coupling(upcast(rows), check_flag("diagonal", diagonal), given).matrix()


def covariance_thresholds(
    patterns: Float[Tensor, "n dim"], prior: Float[Tensor, " n"] | None = None
) -> Float[Tensor, " dim"]:
    """b = −m(1 − m²)w̄, one for all units: the thresholds of the covariance rule.

    At a pattern with mean m, the field is (1 − m²)(x_i − m)w without crosstalk, and b lies midway
    between those of +1 and −1. w̄ averages how often a pattern counts: 1 if all differ and have no
    priors; else Σ w_μ c_μ/Σ w_μ with c_μ the sum of w over all copies of x_μ.
    """
    rows = check_binary("patterns", check_patterns("patterns", patterns))
    given = None if prior is None else check_prior(prior, len(rows), rows.device)
    return upcast(rows).new_full(rows.shape[-1:], covariance_midpoint([rows], given)[0])


def covariance_midpoint(
    parts: Iterable[Tensor], prior: Float[Tensor, " n"] | None = None
) -> tuple[float, float]:
    """Return b of `covariance_thresholds` of patterns in parts, and −mw̄, the scale of b."""
    means, bits = zip(*((_means(part), pack(part)) for part in parts), strict=True)
    times = _times(torch.cat(means), prior)
    copies = torch.cat(bits).unique(dim=0, return_inverse=True)[1]
    count = torch.zeros_like(times).index_add_(0, copies, times)
    mean = _average(torch.cat(means), times)
    scale = -mean * float(times @ count[copies] / times.sum())
    return scale * (1 - mean**2), scale


def mean_entry(parts: Iterable[Tensor], prior: Float[Tensor, " n"] | None = None) -> float:
    """Return the mean m of all entries of patterns in parts, weighted by their priors."""
    means = torch.cat([_means(part) for part in parts])
    return _average(means, _times(means, prior))


def _means(rows: Tensor) -> Tensor:
    return rows.double().sum(-1) / rows.shape[-1]


def _times(means: Tensor, prior: Tensor | None) -> Tensor:
    # How often each pattern counts, in float64.
    return torch.ones_like(means) if prior is None else prior.double()


def _average(means: Tensor, times: Tensor) -> float:
    # Two equal operations, so that patterns of +1 alone have the mean 1 without rounding.
    return float(times @ means / (times @ torch.ones_like(times)))


def hebbian_coupling(rows: Tensor, diagonal: bool, prior: Tensor | None = None) -> LowRankCoupling:
    """Return W = Σ w x xᵀ/N as two factors."""
    left = right = rows
    scale, slack = 1 / rows.shape[-1], 0.0
    if prior is not None:
        left, right, scale = _weighted_factors(rows, prior)
        if left is right:  # no whole numbers
            slack = _rounding_of_zero(left, scale)
    return LowRankCoupling(left, right, scale, None if diagonal else (left * right).sum(0), slack)


def covariance_coupling(
    rows: Tensor, diagonal: bool, prior: Tensor | None = None
) -> LowRankCoupling:
    """Return W = Σ w(x − m)(x − m)ᵀ/N as two factors."""
    factors = rows - mean_entry([rows], prior)
    if prior is not None:
        factors *= prior.to(rows).sqrt()[:, None]
    coupling = hebbian_coupling(factors, diagonal)
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
    if len(factors) > factors.shape[-1]:
        norms = (factors.T @ factors).norm(dim=1)
    else:
        norms = ((factors @ factors.T) @ factors).mul_(factors).sum(0).clamp_min(0).sqrt()
    return rounding_of(scale * norms, factors)
