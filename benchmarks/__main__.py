"""The command line: `python -m benchmarks [NAME…] [--quick] [--out FILE]`."""

import argparse
from pathlib import Path

from hopfield.experiments import records

from . import machine, page
from .entries import ENTRIES
from .harness import Record, measure


def main(arguments: list[str] | None = None) -> None:
    """Measure the named entries (all by default), or make the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"page, or {', '.join(ENTRIES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded")
    parser.add_argument("--out", type=Path, help="one file for all records, instead of the tree's")
    options = parser.parse_args(arguments)
    if options.names == ["page"]:
        page.write()
        return
    unknown = [name for name in options.names if name not in ENTRIES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from page, {', '.join(ENTRIES)}")
    names = options.names or list(ENTRIES)
    every: list[Record] = []
    first = head = machine.header(options.quick)
    for name in names:
        found = _run(name, options.quick)
        every += found
        if not options.quick and options.out is None:
            page.RESULTS.mkdir(exist_ok=True)
            records.write(page.RESULTS / f"{name}.jsonl", head, found)
            head = machine.header(options.quick)
    if options.out is not None:
        records.write(options.out, first, every)


def _run(name: str, quick: bool) -> list[Record]:
    """Measure one entry, and print what is found."""
    entry, every = ENTRIES[name], []
    print(f"{name}: {entry.workload}", flush=True)
    for number, size in enumerate((entry.quick,) if quick else entry.sizes):
        found = measure(entry, number, quick)
        every += found
        if size:
            print("  " + ", ".join(f"{key} {value}" for key, value in size.items()))
        for line in found:
            print("    " + " · ".join(filter(None, page.cells(line))), flush=True)
    return every


if __name__ == "__main__":
    main()
