"""Couplings of what a store holds, without asking it for all rows."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ..coupling import Coupling, FullCoupling
from ..rules import EXACT_INTEGERS, coupling, orthonormal, storkey, with_rounding_slack
from ..stores import Store

LEARNING_ROWS = 1024
"""Rows added to a coupling together."""


def learn(rule: str, store: Store, diagonal: bool) -> Coupling:
    """Return the coupling of all rows.

    Rows that are fewer than half the units make a low-rank coupling and are gathered for it; of
    more rows that do not lie in memory, W accumulates block by block.
    """
    if store.resident:
        return coupling(rule, store.rows, diagonal)
    if 2 * len(store) < store.dim:
        return coupling(rule, torch.cat(list(_parts(store))), diagonal)
    if rule == "hebbian":
        return FullCoupling(_gram(_parts(store), diagonal), 1 / store.dim)
    if rule == "covariance":
        total = sum(float(rows.double().sum()) for rows in _parts(store))
        mean = total / (len(store) * store.dim)
        centred = (rows - mean for rows in _parts(store))
        return with_rounding_slack(_gram(centred, diagonal).div_(store.dim))
    others = _parts(store)
    first = next(others)
    if rule == "storkey":
        weights = storkey(first, diagonal)
        for rows in others:
            weights = storkey(rows, diagonal, start=weights)
        return with_rounding_slack(weights)
    basis = orthonormal(first)
    for rows in others:
        basis = torch.cat([basis, orthonormal(rows, basis)])
    return with_rounding_slack(_gram([basis], diagonal))


def _parts(store: Store) -> Iterator[Tensor]:
    # Rows in a precision that holds sums of n·N products of ±1 exactly; float32 at least.
    dtype = torch.promote_types(store.dtype, torch.float32)
    if len(store) * store.dim >= EXACT_INTEGERS[dtype]:
        dtype = torch.float64
    for block in store.blocks(LEARNING_ROWS):
        yield block.rows.to(dtype)


def _gram(parts: Iterable[Tensor], diagonal: bool) -> Tensor:
    # Σ rowsᵀ rows over the parts.
    total: Tensor | None = None
    for rows in parts:
        total = rows.T @ rows if total is None else total.addmm_(rows.T, rows)
    if total is None:
        raise ValueError("a coupling needs at least one pattern")
    return total if diagonal else total.fill_diagonal_(0)
