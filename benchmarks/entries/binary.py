"""Binary networks against the documents' loops."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from hopfield import ClassicalHopfield, DenseHopfield, Retrieval, backend, rules
from hopfield.packing import WORD, pack
from hopfield.stores.packed import PackedBlock, PackedStore
from hopfield_studies import baselines

from ..ceilings import Probe
from ..harness import Case, Contender, Entry, Target
from ..inputs import binary

COUNTED = 256
"""Rows, and states, whose words lie in the first cache."""

DIVISOR = 10.0
"""What the walkthrough divides overlaps by: β = 1/10."""


def demircigil(n: int, dim: int, queries: int) -> Case:
    """One synchronous sweep; the loop runs on the first probe only."""
    patterns, probes = binary(n, dim, queries)
    memory = DenseHopfield(1 / DIVISOR)
    memory.store(patterns)
    return Case(
        {
            "walkthrough's loop": Contender(
                lambda: baselines.dense_step(patterns, probes[0], DIVISOR)[None],
                first=1,
                units=1 / queries,
            ),
            "update": Contender(lambda: memory.update(probes)),
        },
        partial(_dense_sweep, patterns, probes),
        flops=4.0 * n * dim * queries,
    )


def _dense_sweep(patterns: Tensor, probes: Tensor) -> Tensor:
    """Both energies of every unit in float64, β⁻¹ log Σ exp(βs) with the unit at +1 and at −1."""
    rows, states = patterns.double(), probes.double()
    without = (states @ rows.T)[:, :, None] - rows * states[:, None, :]
    up, down = (((without + sign * rows) / DIVISOR).logsumexp(1) for sign in (1, -1))
    return (up - down).sign()


def asynchronous(n: int, dim: int, queries: int) -> Case:
    """Probes iterated until nothing changes; seconds are those of one probe."""
    patterns, probes = binary(n, dim, queries)
    memory = ClassicalHopfield()
    memory.store(patterns)
    coupling = rules.hebbian(patterns)
    generator = torch.Generator().manual_seed(0)
    return Case(
        {
            "from-scratch loop": Contender(
                lambda: baselines.classical_sweeps(coupling, probes[0], generator)[0][None],
                first=1,
            ),
            "retrieve, one probe": Contender(
                lambda: _fused(memory, probes[:1]), answer=lambda found: found.state, first=1
            ),
            "retrieve, all probes": Contender(
                lambda: _fused(memory, probes), answer=lambda found: found.state, units=queries
            ),
        },
        partial(fixed_points, patterns, probes),
    )


def _fused(memory: ClassicalHopfield, probes: Tensor) -> Retrieval:
    """As a process retrieves that has run for a while: kernels load once they would pay."""
    with backend("fused"):
        return memory.retrieve(probes)


def packed(n: int, dim: int, queries: int) -> Case:
    """Scores of packed rows, and of the same rows as numbers, on one thread."""
    patterns, probes = binary(n, dim, queries)
    store = PackedStore()
    store.append(patterns)
    (block,) = store.blocks(n)
    return Case(
        {
            "float32 product": Contender(lambda: _on_one_thread(lambda: probes @ patterns.T)),
            "packed": Contender(lambda: _on_one_thread(lambda: _counted(block, probes))),
        },
        lambda: probes.double() @ patterns.double().T,
        limits=_limits(n * dim * queries, store),
    )


def _limits(entries: int, store: PackedStore) -> dict[str, Probe]:
    """Counting rows that lie in the first cache, and one read of so much memory: on one thread."""
    rows, states = binary(COUNTED, WORD * 16, 1)[0], binary(1, WORD * 16, COUNTED)[1]
    words, signs = (pack(each).numpy().view("u8") for each in (rows.clone(), states))
    asked = signs, ~np.zeros_like(signs), np.full(COUNTED, WORD * 16)
    out, numbers = torch.empty(COUNTED, COUNTED), torch.ones(store.words.nbytes // 4096, 1024)

    columns = words.T.copy()

    def count() -> Tensor:
        from hopfield.kernels.bits import scores

        scores(columns, asked, out.numpy(), 0, COUNTED, 0)
        return out

    read = partial(_on_one_thread, lambda: numbers @ torch.ones(1024))
    return {
        "limit: counting": Probe(count, COUNTED**2 * WORD * 16, entries),
        "limit: read": Probe(read, 4 * numbers.numel(), store.words.nbytes),
    }


def _counted(block: PackedBlock, probes: Tensor) -> Tensor:
    with backend("fused"):
        return block.scores(probes)


def _on_one_thread(run: Callable[[], Tensor]) -> Tensor:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run()
    finally:
        torch.set_num_threads(before)


def fixed_points(patterns: Tensor, probes: Tensor) -> Tensor:
    """Where the loop leads in float64; at this load every order of units leads there."""
    coupling, generator = rules.hebbian(patterns.double()), torch.Generator().manual_seed(1)
    return torch.stack(
        [baselines.classical_sweeps(coupling, probe, generator)[0] for probe in probes.double()]
    )


ENTRIES = (
    Entry(
        "demircigil",
        "dense exponential network, 100 patterns of 784 units, 64 probes, one synchronous sweep; "
        "the loop is timed on one probe and scaled",
        demircigil,
        ({"n": 100, "dim": 784, "queries": 64},),
        {"n": 5, "dim": 24, "queries": 3},
        (Target("update", 1e5, "≥ 100 000× the walkthrough's loop"),),
    ),
    Entry(
        "asynchronous",
        "classical network, 40 patterns of 784 units, 20 % of a probe flipped, iterated "
        "asynchronously until it settles, kernels loaded; seconds a probe",
        asynchronous,
        ({"n": 40, "dim": 784, "queries": 100},),
        {"n": 2, "dim": 64, "queries": 3},
        (
            Target("retrieve, one probe", 27, "≥ 27× the from-scratch loop"),
            Target("retrieve, all probes", 1000, "≥ 1000× the from-scratch loop"),
        ),
        note="The target of all probes is missed. About a third of their time is the kernel's, "
        "2.5 to 4 ns a visit to a unit; the rest are 110 calls of torch, most on arrays of up to "
        "100 × 784: the cue is checked, overlaps are read at each of three sweeps, who has settled "
        "leaves, and final states are described. What helped: 16 queries side by side in the "
        "kernel (15 to 4 ns a visit), turned into its lanes by squares (from a fifth of its time "
        "to a twentieth), a flip followed in the pass that reads the next unit's field, energies "
        "of final states only, checks in one pass, rows picked by number, no search for unknown "
        "units where the cue has none. What did not: a thread for each half of the queries "
        "(torch's own still wait on the cores after their last call), units in blocks with the "
        "couplings between them, fused multiply-add; a product to find who is settled costs what "
        "the sweep does that it spares; 32 queries side by side are a tenth faster in the kernel, "
        "and slower for a batch of 16.",
    ),
    Entry(
        "packed-batch",
        "scores of 20 000 patterns of 1024 units, a bit a unit, 64 queries, one thread",
        packed,
        ({"n": 20_000, "dim": 1024, "queries": 64},),
        {"n": 20, "dim": 70, "queries": 3},
        (Target("packed", 14.0, "≥ 14× the float32 product"),),
        measures_memory=False,
    ),
    Entry(
        "packed-one",
        "scores of 20 000 patterns of 1024 units, a bit a unit, one query, one thread",
        packed,
        ({"n": 20_000, "dim": 1024, "queries": 1},),
        {"n": 20, "dim": 70, "queries": 1},
        (Target("packed", 45.0, "≥ 45× the float32 product"),),
        measures_memory=False,
        note="The target is missed. One query reads each word once, and the float32 product of one "
        "query runs at the speed of reading; so no more than about 32× is to be had where both "
        "read at the same speed, and what is above comes of the cache. Counting takes 65 µs "
        "where the words lie in the second cache, the call around it 20, fresh memory for the "
        "scores 10. Neither prefetching the words ahead nor laying them out in the order of the "
        "counting changed anything.",
    ),
)
