"""Compare the speed of this source tree with another: `python -m benchmarks compare --before DIR`.

Two processes, one per tree, run the same entries (those of this tree) in turn. A row is one call
of the library at one size. Its ratio is time here / time there: the median over rounds, or that
of the shortest times if it is smaller, since others can only lengthen a time.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hopfield
from hopfield.experiments import records

from . import machine
from .entries import ENTRIES
from .harness import Contender, Record, check, repeats, seconds_spent

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "results" / "compare.jsonl"
ROUNDS, FEW_ROUNDS = 7, 3
"""Rounds per row; the second if one call takes a second or more."""
SECONDS = 0.02
"""Seconds per round that repeat a short call."""
LIMIT = 1.10
"""Ratio above which a row is measured again with three times the rounds."""


class Worker:
    """A process that builds and times entries with the library of one tree."""

    def __init__(self, tree: Path, checks: bool) -> None:
        """Start the process; `checks` compares each answer with its reference."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare", str(int(checks))],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tree.resolve() / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        source = self.ask("where")
        if not Path(source).is_relative_to(tree.resolve()):
            self.close()
            raise SystemExit(f"expected the library of {tree}, but {source} was imported")

    def ask(self, *request: Any) -> Any:
        """Send a request and wait for its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def run(before: Path, names: list[str], quick: bool = False, out: Path | None = None) -> None:
    """Compare all rows of the named entries; print each, and write them to `out`."""
    head = machine.header(quick) | {"before": _commit(before)}
    lines: list[Record] = []
    workers = [Worker(before, checks=False), Worker(ROOT, checks=True)]
    for name in names:
        entry = ENTRIES[name]
        for number, size in enumerate((entry.quick,) if quick else entry.sizes):
            built = [worker.ask("build", name, -1 if quick else number) for worker in workers]
            line: Record = {"experiment": "compare", "case": name, **size, "seed": 0}
            for way in dict.fromkeys([*built[0]["ways"], *built[1]["ways"]]):
                row = line | {"way": way} | _compared(workers, built, way)
                lines.append(row)
                print(_row(row, size), flush=True)
            if errors := [answer["error"] for answer in built if answer["error"]]:
                print(f"{name}: not compared: {errors[0]}", flush=True)
    for worker in workers:
        worker.close()
    target = out or (None if quick else OUT)
    if target is not None:
        records.write(target, head, lines)
    slow = [line for line in lines if line.get("ratio", 0) > LIMIT]
    print(f"{len(lines)} rows, {len(slow)} slower by more than {LIMIT - 1:.0%}")


def _commit(tree: Path) -> str:
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or tree.name


def _compared(workers: list[Worker], built: list[Any], way: str) -> Record:
    if not all(way in answer["ways"] for answer in built):
        return {}
    times: list[tuple[float, float]] = []
    rounds = ROUNDS
    while len(times) < rounds or (_ratio(times) > LIMIT and len(times) < 3 * rounds):
        order = [0, 1] if len(times) % 2 == 0 else [1, 0]
        seconds = {k: workers[k].ask("time", way) for k in order}
        times.append((seconds[0], seconds[1]))
        rounds = ROUNDS if min(seconds.values()) < 1 else FEW_ROUNDS
    there, here = (statistics.median(column) for column in zip(*times, strict=True))
    return {"before": there, "after": here, "ratio": _ratio(times), "rounds": len(times)}


def _ratio(times: list[tuple[float, float]]) -> float:
    shortest = min(here for _, here in times) / min(there for there, _ in times)
    return min(shortest, statistics.median(here / there for there, here in times))


def _row(row: Record, size: Any) -> str:
    where = ", ".join([row["case"], *(f"{key} {value}" for key, value in size.items())])
    if "ratio" not in row:
        return f"{where}: {row['way']}: in one tree only"
    mark = "  SLOWER" if row["ratio"] > LIMIT else ""
    times = f"{row['before']:.3g} s → {row['after']:.3g} s, {row['ratio']:.2f}×"
    return f"{where}: {row['way']}: {times}{mark}"


def serve(checks: bool) -> None:
    """Answer requests from standard input, one JSON line each."""
    answers, sys.stdout = sys.stdout, sys.stderr
    ways: dict[str, Contender] = {}
    numbers: dict[str, int] = {}

    def build(name: str, number: int) -> dict[str, Any]:
        ways.clear()
        numbers.clear()
        entry = ENTRIES[name]
        try:
            case = entry.build(**(entry.quick if number < 0 else entry.sizes[number]))
            ways.update({key: way for key, way in case.contenders.items() if way.library})
            if checks:
                check(name, case, list(ways))
            for key, way in ways.items():
                numbers[key] = repeats(way, SECONDS)
        except Exception as error:  # a tree without what this entry measures
            ways.clear()
            return {"ways": [], "error": f"{type(error).__name__}: {error}"}
        return {"ways": list(ways), "error": ""}

    def timed(key: str) -> float:
        time.sleep(0.002)  # threads of the other process stop waiting for work
        return seconds_spent(ways[key], numbers[key]) / (numbers[key] * ways[key].units)

    requests: dict[str, Callable[..., Any]] = {
        "where": lambda: hopfield.__file__,
        "build": build,
        "time": timed,
    }
    for line in sys.stdin:
        request, *arguments = json.loads(line)
        print(json.dumps(requests[request](*arguments)), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1] == "1")
