"""Test and time certified retrieval by sketches: `python -m benchmarks.sketched bounds|times`.

`bounds` sends N noisy cues to each of 12 tables (six kinds of patterns, float32 and float16) at
several β, by distance and by dot product, and compares every row's score with its bound, and every
answer with float64. `times` compares the CPU time of one step with that of a full readout. Both
write to benchmarks/results/, and take a temporary folder for the tables.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from hopfield import ModernHopfield, data
from hopfield.experiments.records import Record, write
from hopfield.iteration import Reading
from hopfield.memories import open_query, sketched
from hopfield.memories.query_batch import QueryBatch
from hopfield.stores import DiskStore

from . import machine

RESULTS = Path(__file__).parent / "results"
KINDS = ("mnist", "fashion-mnist", "clusters", "gaussian", "duplicates", "outlier")
DTYPES = (torch.float32, torch.float16)
BETAS = (1e-2, 1.0, 1e2, 1e4)
NOISE = (0.1, 0.3, 1.0)
BATCH = 250
SHIFTS = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1), (0, 2))
"""Shifts by which 10 000 images become 100 000."""

CHEAP: dict[str, Any] = {"QUERY_ENTRIES": 1, "BOUND_ENTRIES": 0, "ROW_ENTRIES": 2**6}
"""Replaces costs for `bounds`: small tables are searched too, and more rows may be read."""


def patterns(kind: str, n: int, dim: int = 64) -> Tensor:
    """Return n patterns of a kind: images of 784 pixels, or `dim` numbers."""
    draw = torch.Generator().manual_seed(KINDS.index(kind))
    if "mnist" in kind:
        rows = data.load(kind, split="test").patterns
        if n <= len(rows):
            return rows[:n]
        pixels = rows.unflatten(1, (28, 28))
        shifted = [torch.roll(pixels, shift, (1, 2)).flatten(1) for shift in SHIFTS]
        return torch.cat(shifted)[:n]
    rows = torch.randn(n, dim, generator=draw)
    if kind == "clusters":
        return rows.mul_(0.1) + torch.randn(500, dim, generator=draw).repeat(-(-n // 500), 1)[:n]
    if kind == "duplicates":
        return rows[: -(-n // 4)].repeat(4, 1)[:n]
    if kind == "outlier":
        rows[n // 2] *= 1e4 / rows[n // 2].norm()
    return rows


def table(folder: str, rows: Tensor) -> DiskStore:
    """Return a table of rows with sketches, the last quarter of them stored afterwards."""
    store = DiskStore(Path(folder) / "t.lance")
    store.append(rows[: len(rows) // 4 * 3])
    store.add_sketch()
    store.append(rows[len(rows) // 4 * 3 :])
    return store


def cues_of(rows: Tensor, noise: float, count: int, seed: int) -> Tensor:
    """Return noisy copies of some rows, float32."""
    draw = torch.Generator().manual_seed(seed)
    chosen = rows[torch.randint(len(rows), (count,), generator=draw)].float()
    return chosen.add_(torch.randn(chosen.shape, generator=draw), alpha=noise)


def bounds(kind: str, dtype: torch.dtype, n: int, queries: int) -> Iterator[Record]:
    """Yield counts of broken bounds of one table, per similarity and β."""
    with tempfile.TemporaryDirectory() as folder:
        store = table(folder, patterns(kind, n).to(dtype))
        rows = store.take(torch.arange(n)).double()
        for similarity in ("euclidean", "dot"):
            counts: dict[float, Record] = {}
            for start in range(0, queries, BATCH):
                cues = cues_of(rows, NOISE[start // BATCH % 3], min(BATCH, queries - start), start)
                scores = _scores(rows, cues.double(), similarity)
                scores_above = _scores_above_bounds(store, cues, scores, similarity)
                for beta in BETAS:
                    new = _compare(store, rows, cues, scores, similarity, beta)
                    new["scores"] = scores_above
                    old = counts.setdefault(beta, dict.fromkeys(new, 0))
                    for name, value in new.items():
                        old[name] = max(old[name], value) if "share" in name else old[name] + value
            for beta, found in counts.items():
                facts = {"experiment": "sketch-bounds", "case": kind, "dtype": str(dtype)[6:]}
                yield facts | {"n": n, "similarity": similarity, "beta": beta} | found


def _scores(rows: Tensor, cues: Tensor, similarity: str) -> Tensor:
    if similarity == "dot":
        return cues @ rows.T
    centre = rows.mean(0)  # products of what is left lose fewer digits
    rows, cues = rows - centre, cues - centre
    squares = rows.square().sum(-1) + cues.square().sum(-1, keepdim=True)
    return (cues @ rows.T).sub_(squares, alpha=0.5)


def _scores_above_bounds(store: DiskStore, cues: Tensor, scores: Tensor, similarity: str) -> int:
    sketch = store.sketch
    if sketch is None:
        raise ValueError("the table must have sketches")
    batch = QueryBatch(cues, None, 1.0, similarity == "euclidean")
    states = sketched.SketchedStates.of(sketch, batch)
    columns = torch.cat(list(sketched._bounding_columns(store)))
    above = (states.columns @ columns.T).double() + (states.shift + states.extra)[:, None]
    return int((scores > above).sum())


def _compare(
    store: DiskStore, rows: Tensor, cues: Tensor, scores: Tensor, similarity: str, beta: float
) -> Record:
    """Count broken bounds of answers, and queries whose candidates were found by sketches."""
    memory = ModernHopfield(beta, similarity=similarity, precision="certified", store=store)
    answer = memory.step(cues, None, None, torch.Generator())
    top = scores.amax(-1)
    power = (scores - top[:, None]).mul_(beta).exp_()
    total = power.sum(-1)
    energy = -(top + (total / len(rows)).log() / beta)
    if similarity == "dot":
        energy += (cues.double().square().sum(-1) + rows.square().sum(-1).max()) / 2
    bound = answer.bound
    if bound is None or answer.energy is None or answer.index is None:
        raise ValueError("a certified memory must answer with bounds and energies")
    state = (answer.next.double() - power @ rows / total[:, None]).norm(dim=-1) / bound.state
    energies = (answer.energy.double() - energy).abs() / bound.energy
    return {
        "queries": len(cues),
        "searched": int((bound.unread_weight > 0).sum()),
        "violations": int((state > 1).sum() + (energies > 1).sum()),
        "wrong_index": int((scores.gather(1, answer.index[:, None])[:, 0] < top - 1e-9).sum()),
        "largest_share_state": state.max().item(),
        "largest_share_energy": energies.max().item(),
    }


def times(kind: str, n: int, dim: int, rounds: int) -> Iterator[Record]:
    """Yield CPU times of one step of a table, in full and certified, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        rows = patterns(kind, n, dim)
        store, dim = table(folder, rows), rows.shape[1]
        del rows
        store.compact()
        _step_times(store, 64.0, 0.1, 1, 1)  # reads the norms, and the sketches into memory
        for beta in (0.1, 1.0, 4.0, 16.0, 64.0):
            for noise in (0.1, 0.3):
                for queries in (1, 16, 64):
                    found = _step_times(store, beta, noise, queries, rounds)
                    facts = {"experiment": "sketch-times", "case": kind, "n": n, "dim": dim}
                    yield facts | {"beta": beta, "noise": noise, "queries": queries} | found


def _step_times(store: DiskStore, beta: float, noise: float, queries: int, rounds: int) -> Record:
    memories = [
        ModernHopfield(beta, similarity="euclidean", precision=precision, store=store)
        for precision in ("full", "certified")
    ]
    seconds: tuple[list[float], list[float]] = ([], [])
    searched = 0.0
    for seed in range(rounds):
        chosen = torch.randint(
            len(store), (queries,), generator=torch.Generator().manual_seed(seed)
        )
        cues = cues_of(store.take(chosen), noise, queries, seed)
        for memory, kept in zip(memories, seconds, strict=True):
            answer, spent = _timed(memory, cues)
            kept.append(spent)
            if answer.bound is not None:
                searched += float((answer.bound.unread_weight > 0).double().mean()) / rounds
    ratios = [full / certified for full, certified in zip(*seconds, strict=True)]
    return {
        "full_ms": round(1e3 * statistics.median(seconds[0]), 2),
        "certified_ms": round(1e3 * statistics.median(seconds[1]), 2),
        "searched": round(searched, 3),
        "ratio": round(statistics.median(ratios), 3),
    }


def _timed(memory: ModernHopfield, cues: Tensor) -> tuple[Reading, float]:
    before = time.process_time()
    reading = memory.step(cues, None, None, torch.Generator())
    return reading, time.process_time() - before


def main() -> None:
    """Measure, write, and print one line per record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["bounds", "times"])
    parser.add_argument("--queries", type=int, default=10_000, help="cues per table, for `bounds`")
    parser.add_argument("--rows", type=int, help="patterns per table")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, for `times`")
    options = parser.parse_args()
    lines: list[Record] = []
    out = RESULTS / f"sketch-{options.what}.jsonl"
    if options.what == "bounds":
        with (
            patch.multiple(sketched, **CHEAP),
            patch.multiple(open_query, FIRST_BOUNDS=32, TRIED_BOUNDS=64),
        ):
            for kind in KINDS:
                for dtype in DTYPES:
                    for line in bounds(kind, dtype, options.rows or 4000, options.queries):
                        lines.append(_shown(line))
                    write(out, machine.header(quick=True), lines)
    else:
        for kind, dim in (("mnist", 784), ("clusters", 784), ("gaussian", 784), ("clusters", 64)):
            for line in times(kind, options.rows or 100_000, dim, options.rounds):
                lines.append(_shown(line))
            write(out, machine.header(quick=True), lines)


def _shown(line: Record) -> Record:
    print({k: v for k, v in line.items() if k != "experiment"}, flush=True)
    return line


if __name__ == "__main__":
    main()
