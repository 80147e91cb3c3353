"""Loops that need numba to be fast, and the choice between them and plain torch.

Importing this loads no numba. Every kernel stands behind a torch path that gives the same answer;
a kernel serves a call once what kernels of its family would have saved so far exceeds what loading
them costs, so that a short script never waits for them. The choice depends on what was computed,
not on how long it took.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from torch import Tensor

from ..checks import check_choice

BACKENDS = ("torch", "fused")

# Seconds that a kernel saves: for each step it takes in place of a round of torch calls, and for
# each entry (of units, patterns or words, times queries) that a step goes through.
SAVES = {
    "classical": (3e-5, 1e-10),  # a step is a visit to one unit
    "dense": (8e-5, 5e-9),  # a step is a visit to one unit, an entry a pattern
    "bits": (0.0, 3e-11),  # an entry is one of a packed row
}
# Seconds to load numba, a family of kernels from its cache, and to compile it once a machine.
IMPORTING, LOADING, COMPILING = 0.7, 0.3, 4.0

LARGE = 2**20
"""Entries from which a call is worth a kernel that rounds otherwise than torch."""

THREAD_WORK = 1e-3
"""Seconds of work below which another thread is not worth starting."""

_forced: ContextVar[str | None] = ContextVar("hopfield_backend", default=None)
_saved: Counter[str] = Counter()


def backend(name: str) -> AbstractContextManager[None]:
    """Force one way of computing inside a `with` block; answers do not depend on it.

    Args:
        name: "torch" (plain tensor operations, the reference) or "fused" (kernels, wherever there
            is one: on the CPU).

    Raises:
        OptionError: if there is no backend of this name.
    """
    return _force(check_choice("backend", name, BACKENDS))


@contextmanager
def _force(name: str) -> Iterator[None]:
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def forced() -> str | None:
    """The backend of the enclosing `with hopfield.backend(…)`, or None."""
    return _forced.get()


def fused(family: str, steps: int, entries: float, *tensors: Tensor) -> bool:
    """Whether a kernel of `family` serves this call.

    Args:
        family: a key of `SAVES`, and the module that holds the kernels.
        steps: how many rounds of torch calls it replaces.
        entries: how many entries all steps go through.
        tensors: what it computes with; kernels are for the CPU, and know no gradients.
    """
    if torch.compiler.is_compiling():
        return False
    if any(each.device.type != "cpu" or each.requires_grad for each in tensors):
        return False
    if _forced.get() is not None:
        return _forced.get() == "fused"
    a_step, an_entry = SAVES[family]
    _saved[family] += steps * a_step + entries * an_entry  # type: ignore[assignment]
    return f"{__name__}.{family}" in sys.modules or _saved[family] >= _price(family)


def large(entries: int, *tensors: Tensor) -> bool:
    """Whether a kernel serves this call, by nothing but the call.

    For kernels that round otherwise than torch: the same calls must give the same bits, whatever
    was computed before.

    Args:
        entries: how many entries it goes through.
        tensors: what it computes with; kernels are for the CPU.
    """
    if any(each.device.type != "cpu" for each in tensors):
        return False
    return entries >= LARGE if _forced.get() is None else _forced.get() == "fused"


def _price(family: str) -> float:
    """Seconds that the first call of a family takes."""
    price = LOADING if "numba" in sys.modules else LOADING + IMPORTING
    if _saved[family] < price:  # spare a look at the disk
        return price
    cached = any((Path(__file__).parent / "__pycache__").glob(f"{family}.*.nbi"))
    return price if cached else price + COMPILING


def in_parts(count: int, seconds: float, work: Callable[[int, int], object]) -> None:
    """Call work(start, stop) on parts of range(count), in as many threads as torch uses.

    Threads of their own, not numba's: those may be entered by one thread at a time only. `work`
    must release the interpreter, and each item must stand alone.

    Args:
        count: the number of items.
        seconds: a rough guess of what all of them take.
        work: what to do with the items from start to stop.
    """
    parts = max(1, min(torch.get_num_threads(), count, int(seconds / THREAD_WORK)))
    if parts == 1:
        work(0, count)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    failed: list[BaseException] = []

    def guarded(start: int, stop: int) -> None:
        try:
            work(start, stop)
        except BaseException as error:
            failed.append(error)

    others = [
        threading.Thread(target=guarded, args=edges[part : part + 2]) for part in range(1, parts)
    ]
    for thread in others:
        thread.start()
    guarded(edges[0], edges[1])
    for thread in others:
        thread.join()
    if failed:
        raise failed[0]
