"""Command line: `python -m benchmarks.layer_tools [WAY …]`: try the ways, then write the page.

A cell of the table that is recorded is not tried again, unless `--again` is given.
"""

import argparse
import json
import logging
from typing import Any

import torch

from hopfield.experiments import records

from . import page
from .cases import CASES, Case
from .ways import ALLOWED, WAYS


def attempt(case: Case, way: str) -> dict[str, Any]:
    """Return the difference, or the first sentence of the error."""
    try:
        return {"difference": WAYS[way](case)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}


def main(arguments: list[str] | None = None) -> None:
    """Try what is not recorded, append it to the records, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layer_tools", description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--again", action="store_true", help="try what is recorded, too")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    if not page.RECORDS.exists():
        records.write(page.RECORDS, records.header(), [])
    known = {} if options.again else page.cells()
    for name, case in CASES.items():
        for way in options.ways or WAYS:
            if (name, way) in known:
                continue
            result = attempt(case, way)
            line = {"experiment": "layer_tools", "layer": name, "way": way, **result}
            print(f"{name:32} {way:18} {result}", flush=True)
            with page.RECORDS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    page.write()
    wrong = [cell for cell, record in page.cells().items()
             if not record.get("difference", 1.0) < ALLOWED]  # fmt: skip
    print(f"{len(wrong)} of {len(page.cells())} fail")


if __name__ == "__main__":
    main()
