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
        note="`attention` and `update` keep what is allowed, but for the sizes in the table above. "
        "`retrieve` keeps it at five sizes: it checks the cue, describes every state by energy, "
        "strongest pattern, weight and entropy, and finds out who has settled, in 64 calls of "
        "torch a read beside 32 a retrieval, some 3 µs each. Looking at sums in one call instead "
        "of four spared 16 of 112; to be within 100 µs a read would take one kernel for all.",
    ),
)
