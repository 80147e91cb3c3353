"""Write a table of many times a memory limit, recall from it, and report the peak.

    python tests/support/memory_limit.py FOLDER [--table-mb 1600]

The peak is that of resident memory above what the imports take, as the kernel counts it. A limit of
the address space would count the code of the libraries and what threads reserve, some gigabytes.
"""

import argparse
import json
import resource
from pathlib import Path

import lance  # noqa: F401  before the peak of the imports is taken
import torch

from hopfield import ModernHopfield
from hopfield.readout import block_rows
from hopfield.stores import DiskStore

DIM, PART = 384, 20_000


def peak() -> float:
    """The most resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the sizes and the peak as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table-mb", type=float, default=1600)
    given = parser.parse_args()
    torch.set_num_threads(1)
    count = int(given.table_mb * 2**20 / DIM / 4)
    memory = ModernHopfield(8.0, store=DiskStore(given.folder / "t.lance"))
    draw, start = torch.Generator().manual_seed(0), peak()
    for at in range(0, count, PART):
        memory.store(torch.randn(min(PART, count - at), DIM, generator=draw))
    cues = memory.storage.take(torch.tensor([0, count // 2, count - 1])) + 0.01
    written = peak()
    found = memory.retrieve(cues)
    block = block_rows(len(cues), True) * DIM * 4 / 2**20
    facts = {
        "table": count * DIM * 4 / 2**20,
        "block": block,
        "imports": start,
        "written": written - start,
        "recalled": peak() - start,
        "right": found.index.tolist() == [0, count // 2, count - 1],
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
