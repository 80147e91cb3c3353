"""Train, write records and draw pictures.

python -m benchmarks.training              all tasks, some minutes
python -m benchmarks.training lookup sets  some of them
python -m benchmarks.training pictures     draw those of the documentation from the records
"""

import sys
from pathlib import Path

import torch

from hopfield.experiments import records

from .pictures import draw
from .tasks import TASKS

RESULTS = Path(__file__).parents[1] / "results" / "training"


def main(names: list[str]) -> None:
    """Run the tasks that are named, or draw."""
    if names == ["pictures"]:
        draw(RESULTS)
        return
    torch.set_num_threads(1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names or TASKS:
        task, seeds = TASKS[name]
        found = []
        for seed in range(seeds):
            found += task(seed)
            print(name, seed, {k: v for k, v in found[-1].items() if isinstance(v, float)})
        records.write(RESULTS / f"{name}.jsonl", records.header(), found)


if __name__ == "__main__":
    main(sys.argv[1:])
