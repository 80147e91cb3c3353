"""Binary networks against the documents' loops."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from hopfield import ClassicalHopfield, DenseHopfield, Retrieval, backend
from hopfield_studies import baselines

from .. import plain
from ..ceilings import Probe
from ..harness import Case, Contender, Entry, Target
from ..inputs import binary

DIVISOR = 10.0
"""Divisor of the overlaps in the walkthrough: β = 1/10."""


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
            "update": Contender(lambda: memory.update(probes), library=True),
        },
        partial(_dense_sweep, patterns, probes),
        flops=4.0 * n * dim * queries,
    )


def _dense_sweep(patterns: Tensor, probes: Tensor) -> Tensor:
    """sign(F(s | x_i = +1) − F(s | x_i = −1)) of every unit in float64."""
    rows, states = patterns.double(), probes.double()
    without = (states @ rows.T)[:, :, None] - rows * states[:, None, :]
    up, down = (((without + sign * rows) / DIVISOR).logsumexp(1) for sign in (1, -1))
    return (up - down).sign()


def asynchronous(n: int, dim: int, queries: int) -> Case:
    """Probes iterated until nothing changes; seconds are those of one probe."""
    patterns, probes = binary(n, dim, queries)
    memory = ClassicalHopfield()
    memory.store(patterns)
    coupling = plain.hebbian_coupling(patterns)
    generator = torch.Generator().manual_seed(0)
    ours = partial(Contender, answer=lambda result: result.state, library=True)
    return Case(
        {
            "from-scratch loop": Contender(
                lambda: baselines.classical_sweeps(coupling, probes[0], generator)[0][None], first=1
            ),
            "retrieve, one probe": ours(lambda: _retrieve(memory, probes[:1]), first=1),
            "retrieve, all probes": ours(lambda: _retrieve(memory, probes), units=queries),
        },
        partial(plain.fixed_points, patterns, probes),
    )


def _retrieve(memory: ClassicalHopfield, probes: Tensor) -> Retrieval:
    # A process that has run for a while uses kernels: they load once that would pay.
    with backend("fused"):
        return memory.retrieve(probes)


def packed(n: int, dim: int, queries: int) -> Case:
    """Scores of packed rows, and of the same rows in float32, on one thread."""
    from hopfield.stores.packed import PackedStore

    patterns, probes = binary(n, dim, queries)
    store = PackedStore()
    store.append(patterns)
    (block,) = store.blocks(n)

    def counted() -> Tensor:
        with backend("fused"):
            return block.scores(probes)

    one_thread = partial(partial, _on_one_thread)
    return Case(
        {
            "float32 product": Contender(one_thread(lambda: probes @ patterns.T)),
            "packed": Contender(one_thread(counted), library=True),
        },
        lambda: probes.double() @ patterns.double().T,
        limits={"limit: read": _read(n * dim // 8)},
    )


def _read(size: int) -> Probe:
    """One read of `size` bytes on one thread."""
    numbers = torch.from_numpy(np.ones((max(1, size // 4096), 1024), dtype=np.float32))
    vector = torch.ones(1024)
    return Probe(lambda: _on_one_thread(lambda: numbers @ vector), 4 * numbers.numel(), size)


def _on_one_thread(run: Callable[[], Tensor]) -> Tensor:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run()
    finally:
        torch.set_num_threads(before)


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
        "asynchronously until it settles, kernels loaded; seconds per probe",
        asynchronous,
        ({"n": 40, "dim": 784, "queries": 100},),
        {"n": 2, "dim": 64, "queries": 3},
        (
            Target("retrieve, one probe", 27, "≥ 27× the from-scratch loop"),
            Target("retrieve, all probes", 1000, "≥ 1000× the from-scratch loop"),
        ),
        note="About a third of the time of all probes is the kernel's, 2.5 to 4 ns per visit to a "
        "unit. The rest are calls of torch on arrays of up to 100 × 784: checks of the cue, "
        "overlaps at each sweep, selection of the queries that go on, and the description of "
        "the final states. The kernel takes 16 queries side by side. One thread per half of the "
        "queries, units in blocks, and 32 queries side by side were no faster.",
    ),
    *(
        Entry(
            f"packed-{name}",
            f"scores of 20 000 patterns of 1024 units, one bit per unit, {words}, one thread",
            packed,
            ({"n": 20_000, "dim": 1024, "queries": queries},),
            {"n": 20, "dim": 70, "queries": min(queries, 3)},
            (Target("packed", bound, f"≥ {bound:g}× the float32 product"),),
            measures_memory=False,
            note=note,
        )
        for name, words, queries, bound, note in (
            ("batch", "64 queries", 64, 14.0, ""),
            (
                "one",
                "one query",
                1,
                45.0,
                "One query reads each word once, and the float32 product of one query runs at "
                "the speed of reading. If both read at the same speed, 32× is the limit; the "
                "cache allows more.",
            ),
        )
    ),
)
