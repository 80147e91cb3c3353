"""A memory on disk against one in RAM, in seconds of all threads together."""

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from hopfield import ModernHopfield
from hopfield.stores import DiskStore

from .. import plain
from ..harness import Case, Contender, Entry, Target
from ..inputs import normal
from .certified import nearness

BETA = 0.4


def _timed(memory: ModernHopfield, cues: Tensor) -> Callable[[], tuple[Tensor, float]]:
    def run() -> tuple[Tensor, float]:
        start = time.process_time()
        state = memory.update(cues)
        return state, time.process_time() - start

    return run


def build(n: int, dim: int, queries: int) -> Case:
    """One update of a memory in RAM, and of one in a table that the system has cached."""
    rows, cues = normal(n, dim, queries)
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    stores = {"RamStore": None, "DiskStore": DiskStore(Path(folder) / "t.lance")}
    contenders = {}
    for name, store in stores.items():
        memory = ModernHopfield(BETA, similarity="euclidean", store=store)
        memory.store(rows)
        contenders[name] = Contender(
            _timed(memory, cues), lambda result: result[0], clock=lambda result: result[1]
        )
    way = partial(nearness, beta=BETA)
    return Case(
        contenders,
        lambda: plain.in_float64(way, rows, cues),
        plain.slack(rows, cues, BETA),
    )


def _entry(name: str, queries: str, number: int, most: float) -> Entry:
    return Entry(
        name,
        f"one update of {queries}, 200 000 patterns of 384 numbers in a table on disk that the "
        "system has cached, seconds of all threads together",
        build,
        ({"n": 200_000, "dim": 384, "queries": number},),
        {"n": 300, "dim": 16, "queries": 3},
        (Target("DiskStore", 1 / most, f"at most {most}× the processor time of RamStore"),),
    )


ENTRIES = (_entry("disk-batch", "64 queries", 64, 1.3), _entry("disk-one", "one query", 1, 3.0))
