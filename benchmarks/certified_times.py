"""Time certified memories in RAM against full ones: `python -m benchmarks.certified_times`.

Compares the CPU time of `update` and `retrieve` of two memories with the same rows, in turn in one
process: unit vectors, asked for by noisy copies, in at most two reads. `--isa avx2` limits torch
as in `benchmarks`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hopfield import ModernHopfield
from hopfield.experiments.records import Record, write
from hopfield.stores import RamStore

from . import machine

RESULTS = Path(__file__).parent / "results"
NAME = "certified-times.jsonl"
NOISE = 0.3
ROUNDS, LONG_ROUNDS, LEAST_SECONDS = 31, 9, 0.01
"""Rounds of each comparison, those of calls longer than twice the third, and the least seconds of
a round."""


class Case(NamedTuple):
    """A memory and its queries; `mask` is none, one for all queries, or one per query."""

    n: int
    dim: int
    queries: int
    beta: float
    similarity: str = "dot"
    mask: str = "none"


SMALL = [Case(1000, dim, q, beta) for dim in (64, 784) for q in (1, 64, 256) for beta in (10, 200)]
MIDDLE = [
    Case(10_000, 384, queries, beta, similarity)
    for similarity in ("dot", "euclidean")
    for queries in (1, 64, 256)
    for beta in (10, 200)
]
LARGE = [Case(100_000, 64, q, beta) for q in (1, 64, 256) for beta in (10, 40, 200)]
LARGE += [Case(100_000, 384, 1, 200), Case(100_000, 384, 64, 200), Case(100_000, 784, 1, 200)]
MASKED = [
    Case(10_000, 384, 64, 200, similarity, mask)
    for similarity in ("dot", "euclidean")
    for mask in ("one", "per query")
]
USERS = [Case(50_000, 384, 256, beta) for beta in (50, 200, 1000)]
CASES = [*SMALL, *MIDDLE, *LARGE, *MASKED, *USERS]


def measure(case: Case) -> Iterator[Record]:
    """Yield the comparison of `update`, which takes no mask, and that of `retrieve`."""
    draw = torch.Generator().manual_seed(0)
    store = RamStore()
    store.append(_unit(torch.randn(case.n, case.dim, generator=draw)))
    rows = store.rows[torch.randint(case.n, (case.queries,), generator=draw)]
    noise = _unit(torch.randn(rows.shape, generator=draw))
    cues = rows + NOISE * noise
    known = None
    if case.mask != "none":
        shape = cues.shape if case.mask == "per query" else cues.shape[1:]
        known = torch.rand(shape, generator=draw) < 0.5
    full, certified = (
        ModernHopfield(case.beta, similarity=case.similarity, precision=precision, store=store)
        for precision in ("full", "certified")
    )
    bound = certified.retrieve(cues, known, steps=1).bound
    assert bound is not None
    facts = {"experiment": "certified-times", **case._asdict(), "seed": 0}
    facts["scanned"] = round(float((bound.unread_weight > 0).double().mean()), 3)
    if known is None:
        times = _compared(lambda: full.update(cues), lambda: certified.update(cues))
        yield facts | {"case": "update"} | times
    times = _compared(
        lambda: full.retrieve(cues, known, steps=1),
        lambda: certified.retrieve(cues, known, steps=1),
    )
    yield facts | {"case": "retrieve"} | times


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _compared(full: Callable[[], object], certified: Callable[[], object]) -> Record:
    ways = full, certified
    number = max(1, round(LEAST_SECONDS / max(_seconds(full, 1), 1e-5)))
    rounds = LONG_ROUNDS if _seconds(full, 1) > 2 * LEAST_SECONDS else ROUNDS
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for way in (0, 1) if turn % 2 else (1, 0):
            spent[way].append(_seconds(ways[way], number))
    ratios = sorted(one / other for one, other in zip(*spent, strict=True))
    return {
        "full_ms": round(1e3 * statistics.median(spent[0]), 4),
        "certified_ms": round(1e3 * statistics.median(spent[1]), 4),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_low": round(ratios[len(ratios) // 4], 3),
        "ratio_high": round(ratios[-1 - len(ratios) // 4], 3),
    }


def _seconds(run: Callable[[], object], number: int) -> float:
    before = time.process_time()
    for _ in range(number):
        run()
    return (time.process_time() - before) / number


def main() -> None:
    """Measure, write, and print one line per record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", choices=machine.LIMITS, help="use no instructions beyond these")
    parser.add_argument("--only", type=int, nargs=2, metavar=("FROM", "TO"), help="some cases")
    options = parser.parse_args()
    if options.isa and machine.limit() != options.isa:
        command = [sys.executable, "-m", "benchmarks.certified_times", *sys.argv[1:]]
        environment = os.environ | machine.LIMITS[options.isa]
        raise SystemExit(subprocess.run(command, env=environment).returncode)
    lines: list[Record] = []
    for case in CASES[slice(*options.only)] if options.only else CASES:
        for line in measure(case):
            print({k: v for k, v in line.items() if k != "experiment"}, flush=True)
            lines.append(line)
    if not options.only:
        folder = RESULTS if machine.limit() == "native" else RESULTS / machine.limit()
        write(folder / NAME, machine.header(quick=True), lines)


if __name__ == "__main__":
    main()
