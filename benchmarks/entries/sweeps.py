"""One update at many sizes: growth with n, and the cost of small sizes."""

from itertools import product

from ..harness import Case, Entry, Target
from . import modern

COUNTS = (1_000, 10_000, 100_000, 1_000_000)


def growth(n: int, dim: int, queries: int) -> Case:
    """One update, plainly and by the library."""
    memory, cues = modern.filled(n, dim, queries)
    ways = modern.ways(memory, cues)
    return modern.case(memory, cues, {name: ways[name] for name in ("naive torch", "update")})


def reads(n: int, dim: int, queries: int) -> Case:
    """One read by every call of the library, and plainly; without limits of the machine."""
    memory, cues = modern.filled(n, dim, queries)
    ways = modern.ways(memory, cues)
    del ways["torch attention"]
    case = modern.case(memory, cues, ways)
    return Case(ways, case.reference, case.tolerance)


def _sizes(counts: tuple[int, ...], queries: tuple[int, ...]) -> tuple[dict[str, int], ...]:
    return tuple(
        {"n": n, "dim": dim, "queries": number}
        for n, dim, number in product(counts, (64, 784), queries)
    )


TINY = {"n": 20, "dim": 8, "queries": 2}

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
        "one read by each call, over n, dim and batch, against naive torch",
        reads,
        _sizes((10, 100, 1_000, 10_000, 100_000), (1, 16, 256)),
        TINY,
        tuple(
            Target(
                call,
                1.0,
                "at most 10 % slower than naive torch where that takes 1 ms, else by 100 µs",
                field="allowance",
            )
            for call in ("attention", "update", "retrieve")
        ),
        measures_memory=False,
        note="`retrieve` also checks the cue, and reports energy, strongest pattern, weight and "
        "entropy of every state. At middle sizes its cost is passes over the scores: torch.softmax "
        "makes one, the readout one each for the largest score, its place, exp, sums and entropy. "
        "torch.softmax itself cannot replace them, since long rows in float32 do not sum to one.",
    ),
    Entry(
        "reads",
        "one read of 10 to 256 queries of 1000 to 10 000 rows of 64 or 784 numbers",
        reads,
        _sizes((1_000, 10_000), (10, 64, 256)),
        TINY,
        tuple(
            Target(
                call,
                1 / 1.3,
                "at most 1.3× the time of naive torch, where that takes 1 ms or more",
                strict=True,
                floor=1e-3,
            )
            for call in ("attention", "update", "retrieve")
        ),
        measures_memory=False,
    ),
    Entry(
        "fixed-cost",
        "one query of 10 patterns of 64 numbers: the cost of the call itself",
        modern.smallest,
        ({"n": 10, "dim": 64},),
        {"n": 5, "dim": 8},
        (Target("retrieve(steps=1)", 250e-6, "at most 250 µs", field="seconds"),),
        measures_memory=False,
    ),
)
