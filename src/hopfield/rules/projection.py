"""The pseudo-inverse: the projection on the patterns."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_flag, check_patterns
from ..coupling import LowRankCoupling
from .precision import rounding_of, upcast


def pseudo_inverse(
    patterns: Float[Tensor, "n dim"], diagonal: bool = False
) -> Float[Tensor, "dim dim"]:
    """W = Xᵀ(XXᵀ)⁻¹X, the projection on the patterns (Personnaz et al. 1985).

    Linearly dependent patterns are projected on their span.
    """
    rows = upcast(check_patterns("patterns", patterns))
    return projection(rows, check_flag("diagonal", diagonal)).matrix()


def projection(rows: Tensor, diagonal: bool, basis: Tensor | None = None) -> LowRankCoupling:
    """Return the projection on the rows, given an orthonormal basis of the earlier ones."""
    added = orthonormal(rows, basis)
    whole = added if basis is None else torch.cat([basis, added])
    norms = whole.square().sum(0)  # of W_i, squared: W is a projection
    return LowRankCoupling(
        whole, whole, 1.0, None if diagonal else norms, rounding_of(norms.sqrt(), whole)
    )


def orthonormal(
    rows: Float[Tensor, "n dim"], basis: Float[Tensor, "k dim"] | None = None
) -> Float[Tensor, "r dim"]:
    """Return orthonormal rows Q that span the part of `rows` orthogonal to `basis`; r ≤ n.

    Q comes from the Cholesky factor of the Gram matrix of that part; for dependent rows, from its
    eigenvalues above a cut-off, or from those of XᵀX, which are equal, where n > dim.
    QᵀQ = Xᵀ(XXᵀ)⁻¹X.
    """
    left = check_patterns("rows", rows).double()
    size = left.square().sum(-1).amax()
    if basis is not None:
        known = basis.double()
        for _ in range(2):  # twice, or rounding leaves some of the basis
            left = left - (left @ known.T) @ known
    # Below this, eigenvalues are rounding: that of the rows, and that of the Gram matrix.
    rounding, eps = torch.finfo(rows.dtype).eps * size, torch.finfo(torch.float64).eps
    factors = (max(rows.shape), rounding, eps)
    added = _of_many(left, *factors) if len(left) > left.shape[1] else _of_few(left, *factors)
    if rows.dtype == torch.float64 and len(added):
        # The Gram matrix rounds by its condition number; a second pass leaves the root of that.
        factor, failed = torch.linalg.cholesky_ex(added @ added.T)
        if int(failed):
            added = torch.linalg.qr(added.T).Q.T
        else:
            added = torch.linalg.solve_triangular(factor, added, upper=False)
    return added.to(rows.dtype)


def _of_few(left: Tensor, longest: int, rounding: Tensor, eps: float) -> Tensor:
    gram = left @ left.T
    cutoff = longest * torch.maximum(rounding, eps * gram.abs().sum(-1).amax())
    factor, failed = torch.linalg.cholesky_ex(gram)
    if not int(failed) and bool((factor.diagonal().square() > cutoff).all()):
        return torch.linalg.solve_triangular(factor, left, upper=False)
    values, vectors = torch.linalg.eigh(gram)
    independent = values > longest * torch.maximum(rounding, eps * values[-1])
    return (vectors[:, independent] / values[independent].sqrt()).T @ left


def _of_many(left: Tensor, longest: int, rounding: Tensor, eps: float) -> Tensor:
    values, vectors = torch.linalg.eigh(left.T @ left)
    return vectors[:, values > longest * torch.maximum(rounding, eps * values[-1])].T
