"""Write a small memory into a table, as the version of Lance that is installed writes it.

    python tests/support/golden_table.py tests/golden/lance_14.lance

Tests read the table of every major version: run this once for a new one, and keep the folder.
"""

import shutil
import sys
from pathlib import Path

import torch

from hopfield import ModernHopfield
from hopfield.stores import DiskStore

DIM, COUNT = 6, 12


def rows() -> torch.Tensor:
    """The patterns, which any version of torch makes alike."""
    return (torch.arange(COUNT * DIM).view(COUNT, DIM) * 7 % 23).float() / 23


def write(path: Path) -> ModernHopfield:
    """Write two files, marks of removed rows, priors and a calibration."""
    memory = ModernHopfield(4.0, similarity="euclidean", store=DiskStore(path))
    for part in (slice(0, 8), slice(8, COUNT)):
        count = len(rows()[part])
        known = torch.ones(count, DIM, dtype=torch.bool)
        known[0, 1] = False
        memory.store(
            rows()[part],
            values=[f"value {number}" for number in range(count)],
            known=known,
            names=[f"row {number}" for number in range(COUNT)[part]],
            table={"year": range(1990, 1990 + count), "mixed": [1, "x", None, 2.5] * (count // 4)},
        )
    memory.set_prior(["row 3"], 2.0)
    memory.remove(names=["row 1"])
    memory.metadata["unit"] = "cm"
    memory.calibrate(None, 0.3)
    memory.save(path)
    return memory


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    write(target)
