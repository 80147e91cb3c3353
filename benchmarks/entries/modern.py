"""The modern network against plain torch, torch's attention and the limits of the machine."""

import math
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from hopfield import ModernHopfield, Retrieval, attention

from .. import plain
from ..harness import Case, Contender, Entry, Target
from ..inputs import normal

STEPS = 5


def beta_for(n: int, dim: int) -> float:
    """Return β = log(n)/dim: the nearest pattern weighs about as much as all the others together.

    A wrong weight anywhere then shows in the answer.
    """
    return math.log(n) / dim


def filled(
    n: int, dim: int, queries: int, beta: float | None = None
) -> tuple[ModernHopfield, Tensor]:
    """Return a memory of n patterns, and queries for it."""
    patterns, cues = normal(n, dim, queries)
    memory = ModernHopfield(beta_for(n, dim) if beta is None else beta)
    memory.store(patterns)
    return memory, cues


def ways(memory: ModernHopfield, cues: Tensor) -> dict[str, Contender]:
    """One update by every call, all on the memory's own rows. Seconds are those of one read."""
    rows = memory.patterns
    beta = beta_for(*rows.shape)
    return {
        # torch.softmax of long rows in float32 does not sum to one: 1e-4 off at n = 3e5.
        "naive torch": Contender(lambda: plain.naive(rows, cues, beta), slack=4.0),
        "torch attention": Contender(lambda: plain.torch_attention(rows, cues, beta)),
        "attention": Contender(lambda: attention(cues, rows, beta), library=True),
        "update": Contender(lambda: memory.update(cues), library=True),
        # One step from a noisy cue, then a read that describes the new state: two reads.
        "retrieve": Contender(
            lambda: memory.retrieve(cues, steps=1, tol=0.0),
            answer=lambda result: result.state,
            units=2,
            library=True,
        ),
    }


def case(memory: ModernHopfield, cues: Tensor, contenders: dict[str, Contender]) -> Case:
    """Contenders for one update, against float64 and the limits of the machine."""
    rows = memory.patterns
    beta = beta_for(*rows.shape)
    return Case(
        contenders,
        lambda: plain.in_float64(partial(plain.naive, beta=beta), rows, cues),
        plain.slack(rows, cues, beta),
        flops=4.0 * len(cues) * rows.numel(),
        bytes=rows.nbytes,
    )


def update(n: int, dim: int, queries: int) -> Case:
    """One update, by every call."""
    memory, cues = filled(n, dim, queries)
    return case(memory, cues, ways(memory, cues))


def one_query(n: int, dim: int) -> Case:
    """One update of one query, and one read of X: a product with a vector."""
    memory, cues = filled(n, dim, queries=1)
    rows, cue = memory.patterns, cues[0]
    return case(
        memory, cues, {**ways(memory, cues), "one read of X": Contender(lambda: rows @ cue, None)}
    )


def smallest(n: int, dim: int) -> Case:
    """One call on so little data that its time is the cost of the call."""
    memory, cues = filled(n, dim, queries=1)
    every = ways(memory, cues)
    every["retrieve(steps=1)"] = replace(every.pop("retrieve"), units=1)
    del every["torch attention"]
    whole = case(memory, cues, every)
    return Case(every, whole.reference, whole.tolerance)


def five_steps(n: int, dim: int, queries: int) -> Case:
    """Five steps and the energies of all six states."""
    beta = 1.0
    memory, cues = filled(n, dim, queries, beta)
    rows = memory.patterns
    steps = partial(plain.from_scratch_steps, beta=beta, steps=STEPS)
    # The document's energy lacks the constant β⁻¹ log n + ½M².
    largest = rows.double().norm(dim=-1).max()
    constant = (torch.tensor(float(n)).double().log() / beta + largest.square() / 2).item()
    tolerance = 1e-4  # the default of `retrieve`
    return Case(
        {
            "from-scratch way, batched": Contender(lambda: steps(rows, cues), plain.side_by_side),
            "retrieve": Contender(
                lambda: memory.retrieve(cues, steps=STEPS, tol=tolerance, trace=True),
                partial(_without_constant, constant=constant),
                facts=_saved,
                library=True,
            ),
        },
        lambda: plain.in_float64(lambda X, x: plain.side_by_side(steps(X, x)), rows, cues),
        plain.slack(rows, cues, beta) + tolerance * rows.abs().max().item(),
        flops=2.0 * len(cues) * rows.numel() * (2 * STEPS + 1),
        bytes=rows.nbytes,
    )


def _without_constant(result: Retrieval, constant: float) -> Tensor:
    """Join states and energies; the energies of settled queries are repeated."""
    assert result.trace is not None
    trace = result.trace.double()
    settled = trace[-1:].expand(STEPS + 1 - len(trace), -1)
    return plain.side_by_side((result.state.double(), torch.cat([trace, settled]) - constant))


def _saved(result: Retrieval) -> dict[str, float]:
    """Return the share of reads that convergence saved."""
    reads = (result.steps + 1).double().mean().item()
    return {"saved": 1 - reads / (STEPS + 1)}


ENTRIES = (
    Entry(
        "one-query",
        "one update of one query, 100 000 patterns of 784 numbers",
        one_query,
        ({"n": 100_000, "dim": 784},),
        {"n": 300, "dim": 16},
        (Target("update", 0.70, "≥ 0.70 of the speed of one read of X", over="one read of X"),),
    ),
    Entry(
        "batch",
        "one update of 256 queries, 20 000 patterns of 784 numbers; `retrieve` by read",
        update,
        ({"n": 20_000, "dim": 784, "queries": 256},),
        {"n": 300, "dim": 16, "queries": 5},
        (
            Target("attention", 1.3, "≥ 1.3× naive torch"),
            Target("update", 1.0, "≥ 1.0× naive torch"),
            Target("retrieve", 1.0, "≥ 1.0× naive torch"),
        ),
    ),
    Entry(
        "narrow",
        "one update of 256 queries, 300 000 patterns of 64 numbers",
        update,
        ({"n": 300_000, "dim": 64, "queries": 256},),
        {"n": 500, "dim": 8, "queries": 5},
        (Target("attention", 4.0, "≥ 4× naive torch"),),
    ),
    Entry(
        "five-steps",
        "five steps and their energies, 256 queries, 20 000 patterns of 784 numbers, β = 1",
        five_steps,
        ({"n": 20_000, "dim": 784, "queries": 256},),
        {"n": 300, "dim": 16, "queries": 5},
        (Target("retrieve", 5.0, "≥ 5× the from-scratch way, batched"),),
    ),
    Entry(
        "memory",
        "memory of one update of 1024 queries, 60 000 patterns of 784 numbers, beyond its result",
        update,
        ({"n": 60_000, "dim": 784, "queries": 1024},),
        {"n": 300, "dim": 16, "queries": 5},
        (Target("update", 24.0, "at most 24 MiB", field="extra_mib"),),
    ),
)
