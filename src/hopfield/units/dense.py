"""Sweeps of a dense network: each unit visited takes the sign of its field."""

import itertools
import math
from collections.abc import Callable, Iterable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .. import kernels
from ..exact import exact_signs
from ..packing import WORD, pack
from ..ranks import count_of, join
from ..readout import Block
from ..scores import all_scores
from ..separation import Readout, Separation
from ..separation.prior import prior_of_all
from .flips import FlipRule, FlipTable, exact_dot, flip_rule
from .signs import sign_or_keep

EXACT_SCORES = 2**20
"""Largest number of scores whose units are decided exactly at a time: 8 MiB in float64."""

SWEEP_SCORES = 2**18
"""Scores of the queries that an asynchronous sweep by torch takes at a time, which copies them."""

KERNEL_SCORES = 2**21
"""Scores of the queries that an asynchronous sweep by a kernel takes at a time."""


def dense_sweep(
    blocks: Iterable[Block],
    separation: Separation,
    state: Float[Tensor, "batch dim"],
    order: Int[Tensor, " visits"] | None,
    held: Bool[Tensor, "batch dim"] | None = None,
    readout: Readout | None = None,
    columns: Callable[[], Tensor] | None = None,
) -> Float[Tensor, "batch dim"]:
    """Make one sweep of a dense network in float64, with exact decisions where rounding matters.

    Args:
        blocks: the patterns, ±1.
        separation: the potential F on the scores.
        state: x, with entries −1, 0 (unknown) or +1.
        order: the units in the order of their visits; None is synchronous.
        held: units that keep their value.
        readout: the readout of the state in float64, if known, for a synchronous sweep; its
            `state` is overwritten.
        columns: a function that returns `sign_columns(blocks)`, if they are cached.
    """
    exact, prior = state.detach().double(), prior_of_all(blocks)
    rule = flip_rule(separation, prior)
    if order is None:
        return _synchronous(blocks, rule, separation, exact, held, readout).to(state.dtype)
    count = count_of(blocks)
    table, entries = rule.table(count, state.shape[-1]), len(state) * len(order) * count
    if table is None or not kernels.fused("dense", len(order), entries, exact):
        sweep, scores = partial(_asynchronous, blocks, rule, separation, order), SWEEP_SCORES
    else:
        signs = sign_columns(blocks) if columns is None else columns()
        sweep = partial(_sweep_by_kernel, blocks, separation, table, order, signs)
        scores = KERNEL_SCORES
    size = max(1, scores // count)
    masks = itertools.repeat(None) if held is None else held.split(size)
    parts = zip(exact.split(size), masks, strict=False)
    return torch.cat([sweep(*part) for part in parts]).to(state.dtype)


def sign_columns(blocks: Iterable[Block]) -> Int[Tensor, "dim words"]:
    """Return the signs of all patterns for each unit, as bits (see `packing`)."""
    words, rest = [], None
    for block in blocks:
        signs = block.rows > 0 if rest is None else torch.cat([rest, block.rows > 0])
        whole = len(signs) // WORD * WORD
        words.append(pack(signs[:whole].T))
        rest = signs[whole:]
    return torch.cat(words if rest is None else [*words, pack(rest.T)], dim=1)


def _synchronous(
    blocks: Iterable[Block],
    rule: FlipRule,
    separation: Separation,
    state: Tensor,
    held: Tensor | None,
    readout: Readout | None,
) -> Tensor:
    field, error = rule.all_units(blocks, state, readout)
    single = field.float()
    # In float32 and in place: at this size, allocating an array costs more than computing it.
    if single.numel() and float(single.abs().amin()) > 1.001 * float(torch.as_tensor(error).amax()):
        new = single.sign_()  # every field exceeds its rounding error
    elif rule.has_exact_signs:
        new = sign_or_keep(field, state)
        doubtful = (field.abs() <= error) if held is None else (field.abs() <= error) & ~held
        _decide_exactly(blocks, separation, state, doubtful, new)
    else:
        new = sign_or_keep(field, state, error)
    return new if held is None else torch.where(held, state, new)


def _decide_exactly(
    blocks: Iterable[Block], separation: Separation, state: Tensor, doubtful: Tensor, new: Tensor
) -> None:
    # Overwrites the doubtful entries of `new` with exact decisions.
    queries, units = doubtful.nonzero(as_tuple=True)
    if not len(queries):
        return
    count, prior = count_of(blocks), prior_of_all(blocks)
    for at in torch.arange(len(queries)).split(max(1, EXACT_SCORES // count)):
        q, i = queries[at], units[at]
        rows, which = q.unique(return_inverse=True)
        signs = _unit_columns(blocks, i)
        levels = all_scores(blocks, state[rows], exact_dot)[which] - signs * state[q, i, None]
        decisions = exact_signs(levels, signs, separation, prior)
        new[q, i] = sign_or_keep(decisions, state[q, i])


def _unit_columns(blocks: Iterable[Block], units: Int[Tensor, " k"]) -> Float[Tensor, "k n"]:
    return join(blocks, lambda block: block.rows[:, units].T.double())


def _asynchronous(
    blocks: Iterable[Block],
    rule: FlipRule,
    separation: Separation,
    order: Tensor,
    state: Tensor,
    held: Tensor | None,
) -> Tensor:
    # One unit after another; the scores follow each flip.
    state, prior = state.clone(), prior_of_all(blocks)
    scores = all_scores(blocks, state, exact_dot)
    for i in order.tolist():
        column = _unit_columns(blocks, order.new_tensor([i]))[0]
        present = state[:, i].clone()
        levels = scores - column * present[:, None]
        field, error = rule.one_unit(levels, column)
        doubtful = (field.abs() <= error).nonzero().squeeze(-1)
        if len(doubtful):
            signs = column.expand(len(doubtful), -1)
            field[doubtful] = (
                exact_signs(levels[doubtful], signs, separation, prior)
                if rule.has_exact_signs
                else 0
            )
        new = sign_or_keep(field, present)
        if held is not None:
            new = torch.where(held[:, i], present, new)
        state[:, i] = new
        scores.addr_(new - present, column)
    return state


def _sweep_by_kernel(
    blocks: Iterable[Block],
    separation: Separation,
    table: FlipTable,
    order: Tensor,
    columns: Tensor,
    state: Tensor,
    held: Tensor | None,
) -> Tensor:
    # The kernel stops at a unit whose field is below its rounding error, and is called again with
    # the exact decision for it.
    from ..kernels.dense import sweep

    state, scores = state.clone(), all_scores(blocks, state, exact_dot).int()
    count, dim = scores.shape[-1], state.shape[-1]
    place, decision = order.new_zeros(len(state)), state.new_full((len(state),), math.nan)
    no_units = torch.empty(0, dim, dtype=torch.bool)
    arrays = (state, scores, no_units if held is None else held.contiguous(), place, decision)
    work = partial(
        sweep,
        order.numpy(),
        tuple(array.numpy() for array in arrays),
        columns.numpy().view("u8"),
        table.values.numpy(),
        (table.shift, table.rounding, table.exact_size),
    )
    while True:
        kernels.in_parts(len(state), len(state) * len(order) * count * 1e-9, work)
        queries = (place < len(order)).nonzero().squeeze(-1)
        if not len(queries):
            return state
        units = order[place[queries]]
        signs = _unit_columns(blocks, units)
        levels = scores[queries] - signs * state[queries, units, None]
        decision[queries] = exact_signs(levels, signs, separation)
