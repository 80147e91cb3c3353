"""One quick run of the demo, shared by the tests that need its records."""

from functools import cache

import sklearn.datasets  # noqa: F401  what it loads draws from `random` once: not in a test
import torch

from hopfield import data
from hopfield.experiments.records import Record
from hopfield_studies import steps as planned


def run(dataset: data.Dataset, seed: int = 0, titles: tuple[str, ...] = ()) -> list[Record]:
    """Records of the quick form, of all steps or of those named."""
    steps = [step for step in planned.plan(seed, quick=True) if not titles or step.title in titles]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the command line does
    try:
        return [line for step in steps for line in step.run(dataset)]
    finally:
        torch.set_num_threads(threads)


@cache
def lines() -> tuple[Record, ...]:
    """The records on digits; copy one before changing it."""
    return tuple(run(data.load("digits")))
