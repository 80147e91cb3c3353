"""Kill processes while they append to a table, and report what is left.

    python tests/support/killed_appends.py FOLDER [--kills 30] [--seed 0]

A process that has opened no table forks a writer, kills it, and forks a reader: all rows that the
writer had acknowledged must be there, in order, and the table must take the next one.
"""

import argparse
import json
import os
import random
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

import lance  # noqa: F401  imported once, before any fork
import torch

from hopfield.stores import DiskStore

torch.set_num_threads(1)
COMPACTED = 2
"""Number of appends after which a writer compacts the table, so that kills meet this too."""


def row(number: int) -> torch.Tensor:
    """The row of this number."""
    return torch.full((1, 4), float(number))


def write(path: Path, start: int, pipe: int) -> None:
    """Append rows from number `start` on, and report each one that is acknowledged."""
    store = DiskStore(path)
    for number in range(start, start + 10_000):
        store.append(row(number))
        os.write(pipe, struct.pack("q", number + 1))
        if number - start == COMPACTED:
            store.compact()


def read(path: Path, acknowledged: int, pipe: int) -> None:
    """Report the number of rows, or −1 if one is lost, after appending one more."""
    store = DiskStore(path)
    rows = torch.cat([block.rows for block in store.blocks(1024)] or [torch.empty(0, 4)])
    is_whole = torch.equal(rows[:, 0], torch.arange(len(rows)).float())
    store.append(row(len(rows)))
    is_right = is_whole and len(rows) >= acknowledged and not len(store.verify())
    os.write(pipe, struct.pack("q", len(rows) + 1 if is_right else -1))


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """Start a process that writes numbers to a pipe; return its id and the pipe."""
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        try:
            work(sink)
        finally:
            os._exit(0)
    os.close(sink)
    return child, source


def last_number(pipe: int, default: int) -> int:
    """Return the last whole number in a pipe that has been closed at the other end."""
    with os.fdopen(pipe, "rb") as file:
        content = file.read()
    count = len(content) // 8
    return struct.unpack(f"{count}q", content[: 8 * count])[-1] if count else default


def main() -> None:
    """Print counts as JSON: kills, rows, and kills after which a row or the table was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    random.seed(given.seed)
    path, counts = given.folder / "t.lance", {"kills": 0, "rows": 0, "lost": 0}
    for _ in range(given.kills):
        start = counts["rows"]
        child, pipe = fork(lambda sink, start=start: write(path, start, sink))
        time.sleep(random.uniform(0.2, 0.6))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acknowledged = last_number(pipe, start)
        child, pipe = fork(lambda sink, count=acknowledged: read(path, count, sink))
        os.waitpid(child, 0)
        count = last_number(pipe, -1)
        counts["kills"] += 1
        counts["lost"] += count < 0
        counts["rows"] = max(count, start)
        if count < 0:
            break
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
