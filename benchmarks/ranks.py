"""Measure what merges between processes cost: `python -m benchmarks.ranks`.

Two and four processes share 60 000 rows of 784 numbers, and make single steps of 64 and of 256
queries. Writes to benchmarks/results/ranks.jsonl the share of the processor time of a step that
its merges take, with all threads, and the distance from the step of one process. While a rank waits
for a late one, a thread of gloo polls: `merge_share_no_wait` is that of the step with least of it.
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
ROWS, DIM, ROUNDS = 60_000, 784, 7


def _timed(method: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        begin = time.process_time()
        result = method(*arguments)
        spent[-1] += time.process_time() - begin
        return result

    return call


def _measure(rank: int, world: int, folder: str, queries: int, out: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    source = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, DIM, generator=source)
    cues = rows[:queries] + 0.3 * torch.randn(queries, DIM, generator=source)
    one, many = ModernHopfield(beta=0.01), ModernHopfield(beta=0.01, store=ShardedStore())
    one.store(rows)
    many.store(rows)
    with torch.no_grad():
        error = float((one.update(cues) - many.update(cues)).abs().max())
    merges, steps, walls = [0.0], [], []
    for name in ("enter", "gather", "sum"):
        setattr(Merging, name, _timed(getattr(Merging, name), merges))
    for _ in range(ROUNDS):
        merges.append(0.0)
        begin, wall = time.process_time(), time.perf_counter()
        with torch.no_grad():
            many.update(cues)
        steps.append(time.process_time() - begin)
        walls.append(time.perf_counter() - wall)
    shares = [merge / step for merge, step in zip(merges[1:], steps, strict=True)]
    out.put((statistics.median(shares), min(shares), statistics.median(steps), min(walls), error))
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
    shares, least, steps, walls, errors = zip(*found, strict=True)
    return {
        "experiment": "ranks",
        "ranks": world,
        "rows": ROWS,
        "dim": DIM,
        "queries": queries,
        "merge_share": max(shares),
        "merge_share_no_wait": max(least),
        "step_cpu_ms": 1e3 * max(steps),
        "step_wall_ms": 1e3 * max(walls),
        "error": max(errors),
    }


def main() -> None:
    """Measure, write, and print one line per case."""
    records = [share_of_merges(world, queries) for world in (2, 4) for queries in (64, 256)]
    for record in records:
        print(record)
    write(OUT, header(quick=True), records)


if __name__ == "__main__":
    main()
