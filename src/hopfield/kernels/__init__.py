"""The choice between torch and kernels, loops that numba compiles (the extra `fast`).

Importing this module does not load numba. For every kernel there is torch code with the same
result, which runs if numba is not installed. A family of kernels is one module here. It is loaded
once it would have saved more time, over the calls so far, than loading takes: a short script never
waits for it. This depends on the amount of work so far, never on a clock.
"""

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..checks import check_choice
from ..errors import missing_extra

BACKENDS = ("torch", "fused")

SAVES = {
    "classical": (3e-5, 1e-10),  # a step is a visit to one unit
    "dense": (8e-5, 5e-9),  # a step is a visit to one unit, an entry a pattern
    "bits": (0.0, 3e-11),  # an entry is one of a packed row
}
"""Seconds that a kernel of each family saves per step, a round of torch calls, and per entry."""

IMPORTING, LOADING, COMPILING = 0.7, 0.3, 4.0
"""Seconds to import numba, to load a compiled family from disk, and to compile it once."""

LARGE = 2**20
"""Smallest number of entries in a call for which kernels that round unlike torch are used."""

THREAD_WORK = 1e-3
"""Least seconds of work per thread: for less, starting a thread takes longer than it saves."""

_forced: ContextVar[str | None] = ContextVar("hopfield_backend", default=None)
_saved: Counter[str] = Counter()


def backend(name: str) -> AbstractContextManager[None]:
    """Force torch or kernels inside a `with` block; results do not depend on it.

    Args:
        name: "torch" (plain tensor operations, the reference) or "fused" (kernels on the CPU).

    Raises:
        OptionError: for another name.
        MissingExtraError: for "fused" without numba.
    """
    if check_choice("backend", name, BACKENDS) == "fused" and not available():
        raise missing_extra("numba", "fast")
    return _force(name)


@contextmanager
def _force(name: str) -> Iterator[None]:
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


@cache
def available() -> bool:
    """Return True if numba is installed."""
    return importlib.util.find_spec("numba") is not None


def fused(family: str, steps: int, entries: float, *tensors: Tensor) -> bool:
    """Return True if this call should use a kernel of `family`.

    Args:
        family: a key of `SAVES`, and the module that holds the kernels.
        steps: the number of rounds of torch calls that the kernel replaces.
        entries: the number of entries that all steps go through.
        tensors: the arguments; kernels run on the CPU and compute no gradients.
    """
    if torch.compiler.is_compiling() or not available():
        return False
    if any(tensor.device.type != "cpu" or tensor.requires_grad for tensor in tensors):
        return False
    if _forced.get() is not None:
        return _forced.get() == "fused"
    per_step, per_entry = SAVES[family]
    _saved[family] += steps * per_step + entries * per_entry  # type: ignore[assignment]
    return f"{__name__}.{family}" in sys.modules or _saved[family] >= _cost(family)


def large(entries: int, *tensors: Tensor) -> bool:
    """Return True if this call should use a kernel that rounds differently from torch.

    Earlier calls must not matter: equal calls give equal bits.

    Args:
        entries: the number of entries of the call.
        tensors: the arguments; kernels run on the CPU.
    """
    if not available() or any(tensor.device.type != "cpu" for tensor in tensors):
        return False
    return entries >= LARGE if _forced.get() is None else _forced.get() == "fused"


def _cost(family: str) -> float:
    # Seconds that the first call of a family takes.
    cost = LOADING if "numba" in sys.modules else LOADING + IMPORTING
    if _saved[family] < cost:  # spares a look at the disk
        return cost
    cached = any((Path(__file__).parent / "__pycache__").glob(f"{family}.*.nbi"))
    return cost if cached else cost + COMPILING


def in_parts(count: int, seconds: float, work: Callable[[int, int], object]) -> None:
    """Call work(start, stop) on parts of range(count), in at most as many threads as torch uses.

    Args:
        count: the number of items, each independent of the others.
        seconds: a rough estimate of the time for all items.
        work: a function that releases the interpreter lock.
    """
    # Plain threads: those of numba may be entered by one thread at a time only.
    parts = max(1, min(torch.get_num_threads(), count, int(seconds / THREAD_WORK)))
    if parts == 1:
        work(0, count)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts - 1) as others:
        results = [others.submit(work, *edges[part : part + 2]) for part in range(1, parts)]
        work(*edges[:2])
    for result in results:
        result.result()
