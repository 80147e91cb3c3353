"""Couplings of what a store holds, without asking it for all rows if the rule allows."""

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
from ..separation.prior import whole_multiples
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
    midpoint, scale = covariance_midpoint(rows_of(store), store.prior)
    thresholds = torch.full((store.dim,), midpoint, dtype=weights.dtype, device=store.device)
    rounding = 8 * torch.finfo(weights.dtype).eps * abs(scale)  # of the thresholds
    return Learned(replace(weights, slack=weights.slack + rounding), thresholds)


def _coupling(rule: str, store: Store, diagonal: bool) -> Coupling:
    # Rows that are fewer than half the units make a low-rank coupling and are gathered for it; of
    # more rows that do not lie in memory, W accumulates block by block.
    if store.resident:
        return coupling(rule, store.rows, diagonal, store.prior)
    prior, dim = store.prior, store.dim
    if 2 * len(store) < dim or (prior is not None and rule not in WEIGHTED):  # which is refused
        return coupling(rule, torch.cat(list(_parts(store))), diagonal, prior)
    largest = None
    if rule == "hebbian":
        times = None if prior is None else whole_multiples(prior)
        largest = dim * (len(store) if times is None else int(times.sum()))
        if largest < EXACT_INTEGERS[torch.float64]:
            scale = 1.0 if prior is None or times is None else float(prior[0] / times[0])
            return FullCoupling(_gram(_parts(store, largest), diagonal, times), scale / dim)
    if rule in WEIGHTED:
        mean = mean_entry(rows_of(store), prior) if rule == "covariance" else 0.0
        centred = (rows - mean for rows in _parts(store, largest))
        return _with_rounding_slack(_gram(centred, True, prior).div_(dim), diagonal)
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
    return _with_rounding_slack(_gram([basis], True), diagonal)


def _with_rounding_slack(weights: Tensor, diagonal: bool) -> Coupling:
    # Fields without the diagonal still round as the products behind it.
    coupling = with_rounding_slack(weights)
    return coupling if diagonal else replace(coupling, entries=weights.fill_diagonal_(0))


def rows_of(store: Store, new: Tensor | None = None) -> Iterator[Tensor]:
    """Yield stored rows, then new ones, in parts."""
    for block in store.blocks(LEARNING_ROWS) if len(store) else ():
        yield block.rows
    yield from () if new is None else new.split(LEARNING_ROWS)


def _parts(store: Store, largest: int | None = None) -> Iterator[Tensor]:
    # Rows in a precision that holds sums up to `largest` exactly, by default n·N products of ±1.
    dtype = exact_dtype(store.dtype, len(store) * store.dim if largest is None else largest)
    return (rows.to(dtype) for rows in rows_of(store))


def _gram(parts: Iterable[Tensor], diagonal: bool, times: Tensor | None = None) -> Tensor:
    # Σ w rowsᵀ rows over the parts, with w from `times`.
    total: Tensor | None = None
    start = 0
    for rows in parts:
        left, start = rows, start + len(rows)
        if times is not None:
            left = rows * times[start - len(rows) : start, None].to(rows)
        total = left.T @ rows if total is None else total.addmm_(left.T, rows)
    if total is None:
        raise ValueError("a coupling needs at least one pattern")
    if times is not None:
        total = (total + total.T) / 2
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
    added = 0 if new is None else len(new)
    count, dim = len(store) + added, store.dim if new is None else new.shape[-1]
    step = -(-count * count * dim // max(FIELD_WORK, 4 * dim * added))
    if step > count:
        return None
    is_whole = rule == "hebbian" and thresholds is None and prior is None
    dtype = torch.float32 if is_whole else torch.float64
    sample, mean = _sample(rows_of(store, new), step, dtype), 0.0
    if rule == "covariance":
        mean = mean_entry(rows_of(store, new), prior)
        if thresholds is None:
            thresholds = sample.new_tensor(covariance_midpoint(rows_of(store, new), prior)[0])
    field, squares, start = torch.zeros_like(sample), sample.new_zeros(dim), 0
    for part in rows_of(store, new):
        rows = part.to(dtype) - mean
        weighted, stop = rows, start + len(part)
        if prior is not None:
            weighted = rows * prior[start:stop, None].to(rows)
        field.addmm_(sample @ rows.T, weighted)
        squares += (weighted * rows).sum(0)
        start = stop
    field -= 0.0 if diagonal else squares * sample
    field -= 0.0 if thresholds is None else dim * thresholds.to(field)
    # Ties keep their unit, so rounding must not turn a field of 0 against it.
    is_exact = is_whole and count * dim < EXACT_INTEGERS[dtype]
    slack = 0.0 if is_exact else count * torch.finfo(dtype).eps * float(field.abs().max())
    return (field * sample < -slack).double().mean(-1)


def _sample(parts: Iterable[Tensor], step: int, dtype: torch.dtype) -> Tensor:
    # Every `step`-th of all rows.
    sample, start = [], 0
    for part in parts:
        sample.append(part[-start % step :: step].to(dtype, copy=True))  # frees the other rows
        start += len(part)
    return torch.cat(sample)
