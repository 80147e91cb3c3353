"""The same work at many sizes: how it grows, and what small sizes cost."""

from itertools import product

from ..harness import Case, Entry, Target
from . import modern

COUNTS = (1_000, 10_000, 100_000, 1_000_000)


def growth(n: int, dim: int, queries: int) -> Case:
    """One update, plainly and by the library."""
    memory, cues = modern.filled(n, dim, queries)
    every = modern.ways(memory, cues)
    return modern.case(memory, cues, {name: every[name] for name in ("naive torch", "update")})


def overhead(n: int, dim: int, queries: int) -> Case:
    """One read by every path of the library, and plainly; no limits, which small sizes miss."""
    memory, cues = modern.filled(n, dim, queries)
    every = modern.ways(memory, cues)
    del every["torch attention"]
    whole = modern.case(memory, cues, every)
    return Case(every, whole.reference, whole.tolerance)


ENTRIES = (
    Entry(
        "growth",
        "one update as the number of patterns grows from 1000 to 1 000 000, 64 numbers each, of "
        "one query and of 64",
        growth,
        tuple({"n": n, "dim": 64, "queries": queries} for queries in (1, 64) for n in COUNTS),
        {"n": 300, "dim": 16, "queries": 3},
    ),
    Entry(
        "overhead",
        "one read by each path, over n, dim and batch, against naive torch",
        overhead,
        tuple(
            {"n": n, "dim": dim, "queries": queries}
            for n, dim, queries in product(
                (10, 100, 1_000, 10_000, 100_000), (64, 784), (1, 16, 256)
            )
        ),
        {"n": 20, "dim": 8, "queries": 2},
        tuple(
            Target(
                path,
                1.0,
                "at most 10 % slower than naive torch where that takes 1 ms, else by 100 µs",
                field="allowance",
            )
            for path in ("attention", "update", "retrieve")
        ),
        measures_memory=False,
        note="`attention` and `update` keep what is allowed at most sizes, `retrieve` at few. A "
        "read of `retrieve` is 30 calls of torch, 1 to 4 µs each (dearest are those with a plain "
        "number), and a retrieval 21 besides: the cue is checked, every state described by energy, "
        "strongest pattern, weight and entropy, and who has settled leaves. Here two reads share "
        "those 21; where the cue is settled at once, its one read bears them. Before, there were "
        "61 to 64 and 36; in turn with that code a retrieval took 0.33 to 0.96 of its time, 0.65 "
        "in the median of 22 sizes. What spared them: one look at a cue for "
        "infinities and size, no tensors of one number, no copies and masks where all settle "
        "together, sums only where they say something. What remains at middle sizes are passes: "
        "torch.softmax makes one over the scores where largest, its place, exp, sums and entropy "
        "take nine, and for 256 × 784 numbers each fresh array costs more than what is done with "
        "it. No way out: torch.softmax itself (long rows do not sum to one), the place of the "
        "largest by groups below 2000 rows, torch.cdist for the largest move (twice as slow). One "
        "kernel for all would round otherwise than torch and make a short script wait for numba.",
    ),
)
