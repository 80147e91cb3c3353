"""Command line: `python -m benchmarks [NAME… | page | compare --before DIR [NAME…]]`."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from hopfield.errors import DataError
from hopfield.experiments import records

from . import compare, machine, page
from .entries import ENTRIES
from .harness import QUICK, Effort, Record, WrongAnswerError, measure


def main(arguments: list[str] | None = None) -> None:
    """Measure the named entries (all by default), compare two trees, or make the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = f"page, compare, {', '.join(ENTRIES)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=choices)
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded")
    parser.add_argument("--isa", choices=machine.LIMITS, help="use no instructions beyond these")
    parser.add_argument("--before", type=Path, metavar="DIR", help="compare with this source tree")
    parser.add_argument("--out", type=Path, help="write all records to this file")
    parser.add_argument(
        "--patience", type=float, default=20.0, metavar="SECONDS",
        help="longest wait per size for other processes to become quiet",
    )  # fmt: skip
    options = parser.parse_intermixed_args(arguments)
    if options.isa and machine.limit() != options.isa:
        # Libraries read these variables as they load, so that a new process is needed.
        command = [sys.executable, "-m", "benchmarks", *(arguments or sys.argv[1:])]
        environment = os.environ | machine.LIMITS[options.isa]
        raise SystemExit(subprocess.run(command, env=environment, cwd=page.ROOT).returncode)
    verb = options.names[0] if options.names[:1] in (["page"], ["compare"]) else "measure"
    names = options.names if verb == "measure" else options.names[1:]
    if unknown := [name for name in names if name not in ENTRIES]:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from {choices}")
    if verb == "page":
        page.write()
    elif verb == "compare":
        if options.before is None:
            parser.error("compare needs --before DIR, the root of another source tree")
        compare.run(options.before, names or list(ENTRIES), options.quick, options.out)
    else:
        _measure(names or list(ENTRIES), options)


def _measure(names: list[str], options: argparse.Namespace) -> None:
    folder = page.folder(machine.limit())
    every: list[Record] = []
    wrong: list[str] = []
    first = head = machine.header(options.quick)
    for name in names:
        try:
            lines = _entry(name, options.quick, options.patience)
        except WrongAnswerError as error:
            wrong.append(str(error))
            continue
        except DataError as error:
            print(f"{name}: left out: {error}", flush=True)
            continue
        every += lines
        if not options.quick and options.out is None:
            folder.mkdir(exist_ok=True)
            records.write(folder / f"{name}.jsonl", head, lines)
            head = machine.header(options.quick)
    if options.out is not None:
        records.write(options.out, first, every)
    if wrong:
        raise SystemExit("\n".join(["Not timed, because wrong:", *wrong]))


def _entry(name: str, quick: bool, patience: float) -> list[Record]:
    """Measure one entry and print its records."""
    entry, every = ENTRIES[name], []
    effort = QUICK if quick else Effort(patience=patience)
    print(f"{name}: {entry.workload}", flush=True)
    for number, size in enumerate((entry.quick,) if quick else entry.sizes):
        lines = measure(entry, number, quick, effort)
        every += lines
        sizes = [f"{key} {value}" for key, value in size.items()]
        print("  " + ", ".join([*sizes, f"others used {lines[0]['others']:.1f} cores"]))
        for line in lines:
            print("    " + " · ".join(filter(None, page.cells(line))), flush=True)
    return every


if __name__ == "__main__":
    main()
