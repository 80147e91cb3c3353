"""Measure what merges between processes cost: `python -m benchmarks.ranks`.

Two and four processes share 60 000 rows of 784 numbers, and make single steps of 64 and of 256
queries. Writes to benchmarks/results/ranks.jsonl the share of the processor time of a step that
its merges take, with all threads: the median of the steps, on the rank with the largest one. Steps
of two kinds take turns: `merge_share` is that of the library, `plain_share` that of a step without
merges after which `torch.distributed.all_reduce` adds up the same bytes, twice. On busy cores,
threads of gloo wait for each other in loops: `…_no_wait` is the share in the step with least of it.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from hopfield import ModernHopfield
from hopfield.experiments.records import Record, write
from hopfield.stores import ShardedStore
from hopfield.stores.sharded.merging import Merging

from .machine import header

OUT = Path(__file__).parent / "results" / "ranks.jsonl"
ROWS, DIM, ROUNDS = 60_000, 784, 15


def _timed(method: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        begin = time.process_time()
        result = method(*arguments)
        spent[-1] += time.process_time() - begin
        return result

    return call


class Steps:
    """Steps of a memory, and their times on this rank.

    Attributes:
        merges: seconds of processor time in merges, per step.
        totals: seconds of processor time, per step.
        walls: seconds, per step.
    """

    def __init__(self, memory: ModernHopfield, after: Callable[[], None] | None = None) -> None:
        """Make steps of a memory, each with the merges `after` it; None: it merges itself."""
        self.memory = memory
        self.merges, self.totals, self.walls = list[float](), list[float](), list[float]()
        self.after = _timed(after, self.merges) if after else lambda: None
        if after is None:
            for name in ("enter", "gather", "sum"):
                setattr(Merging, name, _timed(getattr(Merging, name), self.merges))

    def make(self, cues: torch.Tensor) -> None:
        """Make one step."""
        self.merges.append(0.0)
        begin, wall = time.process_time(), time.perf_counter()
        with torch.no_grad():
            self.memory.update(cues)
        self.after()
        self.totals.append(time.process_time() - begin)
        self.walls.append(time.perf_counter() - wall)

    def shares(self) -> tuple[float, float]:
        """Return the median and the least share of merges; the first step warms up."""
        shares = [merge / total for merge, total in zip(self.merges, self.totals, strict=True)]
        return statistics.median(shares[1:]), min(shares[1:])


def _plain_merges(queries: int) -> Callable[[], None]:
    # As many bytes as the merges of softmax: three numbers of 8 bytes per query, then the sums.
    first, second = torch.zeros(3 * queries + 1, dtype=torch.long), torch.zeros(queries, DIM + 3)

    def merge() -> None:
        dist.all_reduce(first, dist.ReduceOp.MAX)
        dist.all_reduce(second)

    return merge


def _measure(rank: int, world: int, folder: str, queries: int, out: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    source = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, DIM, generator=source)
    cues = rows[:queries] + 0.3 * torch.randn(queries, DIM, generator=source)
    one, many, own = (
        ModernHopfield(beta=0.01, store=store) for store in (None, ShardedStore(), None)
    )
    one.store(rows)
    many.store(rows)
    own.store(rows[rank::world])
    with torch.no_grad():
        error = float((one.update(cues) - many.update(cues)).abs().max())
    kinds = Steps(many), Steps(own, _plain_merges(queries))
    for _ in range(ROUNDS + 1):
        for steps in kinds:
            steps.make(cues)
    times = statistics.median(kinds[0].totals), min(kinds[0].walls)
    out.put((*kinds[0].shares(), *kinds[1].shares(), *times, error))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)


def share_of_merges(world: int, queries: int) -> Record:
    """Return the share of a step's processor time that merges take, on the rank with most."""
    context = mp.get_context("spawn")
    out = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            context.Process(target=_measure, args=(rank, world, folder, queries, out))
            for rank in range(world)
        ]
        for rank in ranks:
            rank.start()
        found = [out.get() for _ in ranks]
        for rank in ranks:
            rank.join()
    names = "merge_share", "merge_share_no_wait", "plain_share", "plain_share_no_wait"
    *shares, steps, walls, errors = (max(each) for each in zip(*found, strict=True))
    return {
        "experiment": "ranks",
        "ranks": world,
        "rows": ROWS,
        "dim": DIM,
        "queries": queries,
        **dict(zip(names, shares, strict=True)),
        "step_cpu_ms": 1e3 * steps,
        "step_wall_ms": 1e3 * walls,
        "error": errors,
    }


def main() -> None:
    """Measure, write, and print one line per case."""
    records = [share_of_merges(world, queries) for world in (2, 4) for queries in (64, 256)]
    for record in records:
        print(record)
    write(OUT, header(quick=True), records)


if __name__ == "__main__":
    main()
