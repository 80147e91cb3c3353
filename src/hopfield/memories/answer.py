"""From the outcome of an iteration to the answer of a memory."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..iteration import Outcome, Reading, Retrieval
from ..readout import read, with_values
from ..scores import strongest
from ..separation import Softmax
from ..similarity import dot, euclidean, scale_rows
from .gaps import scores_of
from .hooks import energies
from .naming import entries_at
from .options import blocks_of
from .query import Query, cast_checked, computing_dtype, with_enough_range

if TYPE_CHECKING:
    from .base import Memory


VALUES_AT = ("cue", "state")
"""Where float values are averaged: by the weights at the cue, or where retrieval ended."""


def _completed(memory: "Memory", outcome: Outcome) -> Outcome:
    # With energy, index and weight, which steps may leave out.
    reading, trace = outcome.reading, outcome.trace
    if reading.energy is None:
        energy = energies(memory, reading.next)
        reading = replace(reading, energy=energy)
        if trace is not None and energy is not None:
            step = torch.arange(len(trace), device=trace.device)[:, None]
            trace = torch.where(step >= outcome.steps, energy, trace)
    if reading.index is None and memory.storage.holds_patterns:
        similarity, state = dot, reading.next
        if not memory.binary:
            similarity = euclidean
            nearest = euclidean, Softmax(math.inf)
            state = with_enough_range(state, None, memory.storage, nearest)
        blocks = blocks_of(memory.storage, len(state))
        top, index = strongest(blocks, state, similarity)
        weight = reading.weight
        if weight is None and memory.binary:
            weight = top / memory.storage.dim
        elif weight is None:
            rows = memory.storage.take(index).to(reading.next.dtype)
            weight = torch.cosine_similarity(scale_rows(rows), scale_rows(reading.next), dim=-1)
        reading = replace(reading, index=index, weight=weight)
    return replace(outcome, reading=reading, trace=trace)


def answer(memory: "Memory", outcome: Outcome, query: Query, values_at: str = "cue") -> Retrieval:
    """Return the outcome in the batch shape and dtype of the cue, with values."""
    if outcome.reading.energy is None or outcome.reading.index is None:
        outcome = _completed(memory, outcome)
    reading, batch, wide = outcome.reading, query.batch, computing_dtype(query.dtype)
    objective, is_updated = "full", memory.binary or memory.bounded
    if query.known is not None and query.evidence == "known" and not is_updated:
        objective = "known"
    fields: dict[str, Any] = {
        "state": reading.next,
        "steps": outcome.steps,
        "converged": outcome.converged,
        "period": outcome.period,
        "energy": reading.energy,
        "index": reading.index,
        "weight": reading.weight,
        "entropy": reading.entropy,
        "value": _value(memory, reading, query, values_at),
    }
    if len(batch) != 1:
        for name, flat in fields.items():
            if flat is not None:
                fields[name] = flat.reshape(batch + flat.shape[1:])
    for name in ("state", "energy", "weight", "entropy"):
        dtype = query.dtype if name == "state" else wide
        if fields[name] is not None and fields[name].dtype != dtype:
            fields[name] = cast_checked("cue", fields[name], dtype)
    trace, states, bound = outcome.trace, outcome.states, reading.bound
    if trace is not None:
        trace = cast_checked("cue", trace.reshape(len(trace), *batch), wide)
    if states is not None:
        states = cast_checked("cue", states.reshape(len(states), *query.shape), query.dtype)
    if bound is not None:
        bound = bound.with_rounding(fields["state"], wide)
    if len(query.shape) != len(batch) + 1:
        fields["state"] = fields["state"].reshape(query.shape)
    fields |= _annotations_at(memory, fields["index"])
    return Retrieval(**fields, objective=objective, trace=trace, bound=bound, states=states)


def _annotations_at(memory: "Memory", index: Tensor) -> dict[str, Any]:
    annotations = memory.storage.annotations
    if annotations is None:
        return {}
    kept = {"name": annotations.names, "value": annotations.labels}
    return {
        field: entries_at(entries, index) for field, entries in kept.items() if entries is not None
    }


def _value(memory: "Memory", reading: Reading, query: Query, at: str) -> Tensor | None:
    if memory.storage.resident and memory.storage.values is None:
        return None
    like = memory.storage.empty_values()
    if like is None or reading.index is None:
        return None
    if memory.value_weights is None or not like.is_floating_point():
        return memory.storage.take_values(reading.index)
    similarity, separation = memory.value_weights
    state, known = query.state, query.known
    if at == "state":  # with evidence="all", every entry counts there
        state, known = reading.next, known if query.evidence == "known" else None
    known = None if memory.binary else known  # unknown units are 0, and decided ones count
    blocks = [with_values(block) for block in blocks_of(memory.storage, len(state))]
    scores = scores_of(memory.storage, similarity, separation)
    result = read(blocks, state, scores, separation, known)
    flat = result.state if result.mean is None else result.mean
    return flat.reshape(len(flat), *like.shape[1:]).to(like.dtype)
