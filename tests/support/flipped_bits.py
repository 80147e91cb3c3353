"""Flip single bits in all kinds of files of a table, and count those that `verify` finds.

    python tests/support/flipped_bits.py FOLDER [--flips 500] [--seed 0]

Each kind of file gets as many flips as the rows, which are far more bytes. Each table is opened in
a process of its own: Lance may abort on damage.
"""

import argparse
import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import lance  # noqa: F401  imported once, before any fork
import torch

from hopfield.errors import TableError
from hopfield.stores import DiskStore
from hopfield.stores.annotations import Annotations

torch.set_num_threads(1)
OUTCOMES = ("not found", "rows listed", "error at opening", "files named")


def write(path: Path) -> None:
    """Write two files of rows with names, values and a column, and remove a row of each."""
    rows = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    store = DiskStore(path)
    for part in (range(200), range(200, 300)):
        names, years = [f"row {number}" for number in part], {"year": list(part)}
        some = rows[part.start : part.stop]
        store.add(some, some[:, :2] > 0, annotations=Annotations(len(part), names, table=years))
    store.remove(torch.tensor([7, 250]))


def outcome(path: Path) -> int:
    """Return the number of the outcome of opening and verifying a table."""
    try:
        store = DiskStore(path)
    except TableError:
        return 2
    try:
        return int(len(store.verify()) > 0)
    except TableError:
        return 3


def in_a_process(path: Path) -> str:
    """Return the outcome, or how the process ended."""
    child = os.fork()
    if not child:
        status = 100
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            status = outcome(path)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return OUTCOMES[status] if 0 <= status < len(OUTCOMES) else f"exit {status}"


def main() -> None:
    """Print the number of each outcome as JSON, with the kind of file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, copy = given.folder / "t.lance", given.folder / "copy.lance"
    child = os.fork()
    if not child:
        write(table)
        os._exit(0)
    os.waitpid(child, 0)
    files = sorted(path for path in table.rglob("*") if path.is_file())
    draw, counts = random.Random(given.seed), Counter[str]()
    for turn in range(given.flips):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(table, copy)
        name = files[turn % len(files)].relative_to(table)
        content = bytearray((copy / name).read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (copy / name).write_bytes(content)
        counts[f"{name.parent}: {in_a_process(copy)}"] += 1
    print(json.dumps(dict(sorted(counts.items()))))


if __name__ == "__main__":
    main()
