"""Errors, coverage and scores of samples: one record per table, gaps, seed and method."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hopfield.errors import DataError
from hopfield.experiments import records

from .gaps import KINDS, hide
from .methods import METHODS, Answer
from .sources import TABLES, Table, load

SHARES = (0.1, 0.3, 0.5)
SEEDS = 5
SHORT_CELLS = (("random", 0.1), ("random", 0.3), ("random", 0.5), ("blocks", 0.3),
               ("dependent", 0.3))  # fmt: skip
"""Gaps of the short form, with one seed."""

IDENTITY = ("case", "gaps", "share", "seed", "method")
"""Fields that distinguish records."""


@dataclass(frozen=True)
class Run:
    """One method on one table with one draw of gaps."""

    case: str
    gaps: str
    share: float
    seed: int
    method: str

    @property
    def identity(self) -> tuple[Any, ...]:
        """Return the values of the fields of IDENTITY."""
        return tuple(getattr(self, name) for name in IDENTITY)


def plan(full: bool) -> Iterator[Run]:
    """Yield the runs of the short form first, then the others of the whole; trees come last."""
    short = [
        Run(case, kind, share, 0, method)
        for method in ("hopfield", "knn", "mean", "ridge")
        for case, (kind, share) in itertools.product(TABLES, SHORT_CELLS)
    ]
    yield from short
    if full:
        done = set(short)
        quick = [method for method in METHODS if method != "trees"]
        axes = (range(SEEDS), KINDS, SHARES, TABLES, quick)
        slow = (range(1), KINDS, SHARES, TABLES, ["trees"])
        for choices in itertools.chain(itertools.product(*axes), itertools.product(*slow)):
            seed, kind, share, case, method = choices
            run = Run(case, kind, share, seed, method)
            if run not in done:
                yield run


def measure(path: Path, runs: Iterator[Run], again: set[str], seconds: float) -> None:
    """Append the records of all runs that the file lacks; stop at a limit of time.

    Args:
        path: file of records.
        runs: the runs, in their order.
        again: methods whose records are dropped and measured again.
        seconds: limit of the computing time of the process.
    """
    done = _read(path, again)
    started = time.process_time()
    for run in runs:
        if run.identity in done:
            continue
        if time.process_time() - started > seconds:
            print("stopped at the time limit; the same command goes on")
            return
        try:
            line = record(run, load(run.case))
        except DataError as error:
            print(f"{run.case}: left out: {error}", flush=True)
            continue
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        print(*run.identity, f"{line['error']:.3f}", flush=True)


def _read(path: Path, again: set[str]) -> set[tuple[Any, ...]]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        records.write(path, records.header(), [])
    head, lines = records.read(path)
    kept = [line for line in lines if line["method"] not in again]
    if len(kept) < len(lines):
        records.write(path, records.header() if "hopfield" in again else head, kept)
    return {tuple(line[name] for name in IDENTITY) for line in kept}


def record(run: Run, table: Table) -> dict[str, Any]:
    """Return the record of one run. Errors are in standard deviations of the column."""
    mask = hide(table.values, run.gaps, run.share, run.seed)
    cells = np.where(mask, np.nan, table.values)
    answer = METHODS[run.method](table, cells, run.seed)
    rows, columns = table.values.shape
    line = {"experiment": "tables", "case": run.case, "rows": rows, "columns": columns,
            "source": table.source, "gaps": run.gaps, "share": run.share, "seed": run.seed,
            "method": run.method}  # fmt: skip
    return line | scores(table, mask, answer)


def scores(table: Table, mask: np.ndarray, answer: Answer) -> dict[str, Any]:
    """Return error, share of wrong categories, coverage of intervals and score of samples."""
    numbers = [j for j in range(mask.shape[1]) if j not in table.categories]
    hidden, truth = mask[:, numbers], table.values[:, numbers]
    scale = truth.std(0)
    error = ((answer.values[:, numbers] - truth) / scale)[hidden]
    line: dict[str, Any] = {
        "error": float(np.sqrt(np.square(error).mean())),
        "seconds": round(answer.seconds, 4),
        **(answer.facts or {}),
    }
    chosen = mask[:, table.categories]
    if chosen.any():
        wrong = answer.values[:, table.categories] != table.values[:, table.categories]
        line["wrong"] = float(wrong[chosen].mean())
    if answer.bounds is not None:
        low, high = (bound[:, numbers] for bound in answer.bounds)
        slack = 1e-9 * scale
        line["coverage"] = float(((low - slack <= truth) & (truth <= high + slack))[hidden].mean())
        widths = ((high - low) / scale)[hidden]
        line["width"] = float(np.median(widths)) if np.isfinite(np.median(widths)) else None
    if answer.samples is not None:
        samples = (answer.samples[..., numbers] / scale)[:, hidden]
        line["crps"] = crps(samples, (truth / scale)[hidden])
    return line


def crps(samples: np.ndarray, truth: np.ndarray) -> float:
    """Return E|s − y| − ½E|s − s'|, averaged over entries: 0 if all samples are the truth."""
    count = len(samples)
    ordered = np.sort(samples, axis=0)
    weights = 2 * np.arange(1, count + 1) - count - 1
    # Σ_i (2i − m − 1) s_(i) = ½ Σ |s_i − s_j| over pairs i, j.
    spread = np.tensordot(weights, ordered, 1) / (count * (count - 1))
    return float((np.abs(samples - truth).mean(0) - spread).mean())
