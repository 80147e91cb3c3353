"""Record the peak memory of readouts, advice and filled tables at 10⁵ patterns.

    python -m benchmarks.peaks [NAME…]

Each case runs once in a separate process of one thread; `results/peaks.jsonl` keeps the rise above
the memory of the inputs. Reading many queries must not keep batch × n scores: 1024 queries of 10⁵
rows have 400 MiB of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from hopfield import DenseHopfield, Entmax, ModernHopfield, Sparsemax, TopK, diagnose
from hopfield.experiments import records
from hopfield.separation import Separation
from hopfield.sklearn import HopfieldImputer

from . import machine, memory

N, DIM = 100_000, 16
FILE = memory.ROOT / "benchmarks" / "results" / "peaks.jsonl"


def _retrieval(separation: Separation, queries: int) -> Callable[[int], Callable[[], Any]]:
    def build(n: int) -> Callable[[], Any]:
        rows = torch.randn(n, DIM, generator=torch.Generator().manual_seed(0))
        network = ModernHopfield(separation=separation)
        network.store(rows)
        return lambda: network.retrieve(rows[:queries], steps=1)

    return build


def _sweep(n: int) -> Callable[[], Any]:
    rows = torch.rand(n, 32, generator=torch.Generator().manual_seed(0)).sub(0.5).sign()
    rows[rows == 0] = 1
    network = DenseHopfield(1.0, schedule="asynchronous")
    network.store(rows)
    return lambda: network.retrieve(rows[:256], steps=1)


def _diagnosis(n: int) -> Callable[[], Any]:
    network = ModernHopfield(8.0, similarity="euclidean")
    network.store(torch.randn(n, DIM, generator=torch.Generator().manual_seed(0)))
    return lambda: diagnose(network)


def _table(n: int) -> Callable[[], Any]:
    draws = np.random.default_rng(0)
    cells = draws.standard_normal((n, 6)) @ draws.standard_normal((6, 30))
    cells += 0.3 * draws.standard_normal(cells.shape)
    cells[draws.random(cells.shape) < 0.2] = np.nan
    return lambda: torch.from_numpy(HopfieldImputer().fit_transform(cells))


CASES: dict[str, tuple[Callable[[int], Callable[[], Any]], int]] = {
    "sparsemax, all have weight, 1024 queries": (_retrieval(Sparsemax(1e-6), 1024), N),
    "entmax, all have weight, 256 queries": (_retrieval(Entmax(1.5, 1e-6), 256), N),
    "top 50 000, 256 queries": (_retrieval(TopK(50_000), 256), N),
    "sparsemax, few have weight, 1024 queries": (_retrieval(Sparsemax(1.0), 1024), N),
    "asynchronous dense, 256 queries": (_sweep, N),
    "diagnose, 16 000 patterns": (_diagnosis, 16_000),
    "diagnose, 100 000 patterns": (_diagnosis, N),  # takes six minutes
    "HopfieldImputer, 100 000 × 30, a fifth missing": (_table, N),  # takes four minutes
}
"""What to measure, and the number of patterns."""


def main(names: list[str]) -> None:
    """Measure each case in a process of its own, and write its record beside those of others."""
    lines = {line["case"]: line for line in (records.read(FILE)[1] if FILE.exists() else [])}
    for name in names or CASES:
        command = [sys.executable, "-m", "benchmarks.peaks", "--run", name]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=memory.ROOT, env=environment, capture_output=True, text=True, check=True
        )
        line = {"experiment": "peaks", "case": name, "n": CASES[name][1], "seed": 0}
        lines[name] = line | json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: {lines[name]['extra_mib']:.0f} MiB", flush=True)
        ordered = [lines[case] for case in CASES if case in lines]
        records.write(FILE, machine.header(quick=True), ordered)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        build, count = CASES[sys.argv[2]]
        build(1000)()  # the libraries load
        print(json.dumps(memory.extra(build(count))))
    else:
        main(sys.argv[1:])
