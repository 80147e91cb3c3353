"""Command line: `python -m benchmarks.layer_tasks [tasks | starts] [--again]`: measure both.

A result of a task that is recorded is not measured again, unless `--again` is given: a command that
was stopped goes on where it was. Tasks take some ten minutes, starts five.
"""

import argparse
import json

import torch

from hopfield.experiments import records
from hopfield.experiments.records import Record

from . import page
from .methods import METHODS, UPDATES
from .starts import lookups, recalls
from .tasks import TASKS

SEEDS = 5
"""Splits of each task, with initial weights of their own."""


def measure(method: str, name: str, seed: int, updates: int = UPDATES) -> Record:
    """Return the share of test labels that are right."""
    task = TASKS[name](seed)
    torch.manual_seed(seed)
    found = METHODS[method][0](task, updates)
    accuracy = (found == task.test.labels).double().mean().item()
    line = {"experiment": "layer_tasks", "task": name, "method": method, "seed": seed}
    return {**line, "accuracy": accuracy}


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layer_tasks", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("tasks", "starts"), default="tasks")
    parser.add_argument("--again", action="store_true", help="measure what is recorded, too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.verb == "starts":
        records.write(page.START_RECORDS, records.header(), [*recalls(), *lookups()])
    else:
        measure_all(options.again)
    page.write()


def measure_all(again: bool) -> None:
    """Measure what is not recorded, and append it to the records."""
    if again or not page.RECORDS.exists():
        records.write(page.RECORDS, records.header(), [])
    known = set(page.results())
    for seed in range(SEEDS):
        for method, (_, names) in METHODS.items():
            for name in names:
                if (name, method, seed) in known:
                    continue
                line = measure(method, name, seed)
                print(f"{name:16} {method:22} {seed} {line['accuracy']:.3f}", flush=True)
                with page.RECORDS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
