"""Couplings of what a store holds, without asking it for all rows if the rule allows."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..coupling import Coupling, FullCoupling
from ..rules import (
    EXACT_INTEGERS,
    FUNCTIONS,
    WEIGHTED,
    Rule,
    coupling,
    orthonormal,
    storkey,
    with_rounding_slack,
)
from ..rules.functions import Learned, learned_by
from ..rules.precision import exact_dtype
from ..rules.sums import covariance_midpoint, mean_entry
from ..stores import Store

LEARNING_ROWS = 1024
"""Rows added to a coupling together."""

FIELD_WORK = 2**23
"""Products for the fields of patterns per call of `store`; of more patterns a sample counts."""


def learn(rule: Rule, store: Store, diagonal: bool) -> Learned:
    """Return the coupling of all rows, and the thresholds that belong to it."""
    if not isinstance(rule, str) or rule in FUNCTIONS:
        rows = store.rows if store.resident else torch.cat(list(_parts(store)))
        return learned_by(FUNCTIONS[rule] if isinstance(rule, str) else rule, rows, diagonal)
    weights = _coupling(rule, store, diagonal)
    if rule != "covariance":
        return Learned(weights)
    blocks = [block.rows for block in store.blocks(LEARNING_ROWS)]
    midpoint, scale = covariance_midpoint(blocks, store.prior)
    thresholds = torch.full((store.dim,), midpoint, dtype=weights.dtype, device=store.device)
    rounding = 8 * torch.finfo(weights.dtype).eps * abs(scale)  # of the thresholds
    return Learned(replace(weights, slack=weights.slack + rounding), thresholds)


def _coupling(rule: str, store: Store, diagonal: bool) -> Coupling:
    # Rows that are fewer than half the units make a low-rank coupling and are gathered for it, as
    # are rows with priors; of more rows that do not lie in memory, W accumulates block by block.
    if store.resident:
        return coupling(rule, store.rows, diagonal, store.prior)
    if 2 * len(store) < store.dim or store.prior is not None:
        return coupling(rule, torch.cat(list(_parts(store))), diagonal, store.prior)
    if rule == "hebbian":
        return FullCoupling(_gram(_parts(store), diagonal), 1 / store.dim)
    if rule == "covariance":
        mean = mean_entry([block.rows for block in store.blocks(LEARNING_ROWS)])
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
    # Rows in a precision that holds sums of n·N products of ±1 exactly.
    dtype = exact_dtype(store.dtype, len(store) * store.dim)
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


def unstable_shares(
    rule: Rule,
    store: Store,
    new: Tensor | None,
    diagonal: bool,
    thresholds: Tensor | None,
    prior: Tensor | None = None,
) -> Tensor | None:
    """Return the share of units that one update changes in each pattern, stored or new.

    None for rules that are not a sum over patterns. The fields Σ_ν w_ν x_ν (x_ν·x)/N need no
    coupling. `prior` holds w of all patterns, or is None.
    """
    if not isinstance(rule, str) or rule not in WEIGHTED:
        return None
    parts = [block.rows for block in store.blocks(LEARNING_ROWS)] if len(store) else []
    parts += [] if new is None else new.split(LEARNING_ROWS)
    count, dim = sum(map(len, parts)), parts[0].shape[-1]
    step = -(-count * count * dim // max(FIELD_WORK, 4 * dim * (0 if new is None else len(new))))
    if step > count:
        return None
    mean = 0.0
    if rule == "covariance":
        mean, (midpoint, _) = mean_entry(parts, prior), covariance_midpoint(parts, prior)
        if thresholds is None:
            thresholds = parts[0].new_tensor(midpoint, dtype=torch.float64)
    is_whole = rule == "hebbian" and thresholds is None and prior is None
    dtype = torch.float32 if is_whole else torch.float64
    starts = list(itertools.accumulate(map(len, parts), initial=0))
    sample = torch.cat(
        [part[-start % step :: step] for start, part in zip(starts, parts, strict=False)]
    ).to(dtype)
    times = sample.new_ones(count) if prior is None else prior.to(sample)
    field, squares = torch.zeros_like(sample), sample.new_zeros(dim)
    for part, weight in zip(parts, times.split([*map(len, parts)]), strict=True):
        rows = part.to(dtype) - mean
        weighted = rows if prior is None else rows * weight[:, None]
        field.addmm_(sample @ rows.T, weighted)
        squares += (weighted * rows).sum(0)
    field -= 0.0 if diagonal else squares * sample
    field -= 0.0 if thresholds is None else dim * thresholds.to(field)
    # Ties keep their unit, so rounding must not turn a field of 0 against it.
    is_exact = is_whole and count * dim < EXACT_INTEGERS[dtype]
    slack = 0.0 if is_exact else count * torch.finfo(dtype).eps * float(field.abs().max())
    return (field * sample < -slack).double().mean(-1)
