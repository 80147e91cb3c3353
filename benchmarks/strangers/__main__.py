"""Command line: `python -m benchmarks.strangers [measure | page] [--quick]`.

Runs that are recorded are not repeated: a command that was stopped goes on where it was.
"""

import argparse
import math
from pathlib import Path

import torch

from . import page
from .rates import measure, plan


def main(arguments: list[str] | None = None) -> None:
    """Measure all, or the short form, or make the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strangers", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("measure", "page"), default="measure")
    parser.add_argument("--quick", action="store_true", help="two sets and two seeds: a minute")
    parser.add_argument("--seconds", type=float, default=math.inf, help="computing time")
    parser.add_argument("--out", type=Path, default=page.RESULTS, help="folder of the records")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.verb == "page":
        page.write()
    else:
        measure(options.out / "rates.jsonl", plan(options.quick), options.seconds)


if __name__ == "__main__":
    main()
