"""The command line: `python -m benchmarks [NAME…] [--quick] [--out FILE]`."""

import argparse
from pathlib import Path

from hopfield.experiments import records

from . import machine, page
from .entries import ENTRIES
from .harness import QUICK, Effort, Record, WrongAnswerError, measure


def main(arguments: list[str] | None = None) -> None:
    """Measure the named entries (all by default), or make the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"page, or {', '.join(ENTRIES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded")
    parser.add_argument("--out", type=Path, help="one file for all records, instead of the tree's")
    parser.add_argument(
        "--patience",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="what to spend at most, for each size, on waiting for other processes to be quiet",
    )
    options = parser.parse_args(arguments)
    if options.names == ["page"]:
        page.write()
        return
    unknown = [name for name in options.names if name not in ENTRIES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from page, {', '.join(ENTRIES)}")
    every: list[Record] = []
    wrong: list[str] = []
    first = head = machine.header(options.quick)
    for name in options.names or list(ENTRIES):
        try:
            found = _run(name, options.quick, options.patience)
        except WrongAnswerError as error:
            wrong.append(str(error))
            continue
        every += found
        if not options.quick and options.out is None:
            page.RESULTS.mkdir(exist_ok=True)
            records.write(page.RESULTS / f"{name}.jsonl", head, found)
            head = machine.header(options.quick)
    if options.out is not None:
        records.write(options.out, first, every)
    if wrong:
        raise SystemExit("\n".join(["Not timed, because wrong:", *wrong]))


def _run(name: str, quick: bool, patience: float) -> list[Record]:
    """Measure one entry, and print what is found."""
    entry, every = ENTRIES[name], []
    effort = QUICK if quick else Effort(patience=patience)
    print(f"{name}: {entry.workload}", flush=True)
    for number, size in enumerate((entry.quick,) if quick else entry.sizes):
        found = measure(entry, number, quick, effort)
        every += found
        sizes = [f"{key} {value}" for key, value in size.items()]
        print("  " + ", ".join([*sizes, f"others used {found[0]['others']:.1f} cores"]))
        for line in found:
            print("    " + " · ".join(filter(None, page.cells(line))), flush=True)
    return every


if __name__ == "__main__":
    main()
