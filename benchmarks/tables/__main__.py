"""Command line: `python -m benchmarks.tables [quality | times | page] [--full] [--again METHOD]`.

Runs that are recorded are not repeated: a command that was stopped goes on where it was.
"""

import argparse
from pathlib import Path

import torch

from . import page, times
from .methods import METHODS
from .quality import measure, plan


def main(arguments: list[str] | None = None) -> None:
    """Measure the short form or all, measure times, or make the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("quality", "times", "page"), default="quality")
    parser.add_argument("--full", action="store_true", help="all gaps and seeds: an hour or two")
    parser.add_argument("--again", action="append", choices=METHODS, default=[], metavar="METHOD",
                        help="measure a method again")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=float("inf"), help="computing time")
    parser.add_argument("--out", type=Path, default=page.RESULTS, help="folder of the records")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.verb == "page":
        page.write()
    elif options.verb == "times":
        times.measure(options.out / "times.jsonl")
    else:
        measure(options.out / "quality.jsonl", plan(options.full), set(options.again),
                options.seconds)  # fmt: skip


if __name__ == "__main__":
    main()
