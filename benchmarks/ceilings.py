"""What this machine can do at most: products per second, bytes read per second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy
import torch
from torch import Tensor

GEMM = 1536
READ = 2**26
"""Edge of the matrices that are multiplied; numbers that are read, 256 MiB, past most caches."""


@dataclass(frozen=True)
class Probe:
    """A piece of work that nothing can do faster, timed among the contenders.

    Args:
        run: does it.
        amount: what one run does, in flops or bytes.
        needed: what the workload needs of the same.
    """

    run: Callable[[], Tensor]
    amount: float
    needed: float


def probes(flops: float, size: float) -> dict[str, Probe]:
    """The probes that bound a workload of so many float32 flops and bytes read."""
    found = {}
    if flops:
        found["limit: product"] = Probe(_product(torch.float32), 2 * GEMM**3, flops)
    if size:
        found["limit: read"] = Probe(_read, 4 * READ, size)
    return found


def least_seconds(probes: dict[str, Probe], seconds: dict[str, list[float]]) -> list[float] | None:
    """The seconds the workload takes at least, round by round; None without probes."""
    bounds = [
        [taken * probe.needed / probe.amount for taken in seconds[name]]
        for name, probe in probes.items()
    ]
    return [max(each) for each in zip(*bounds, strict=True)] if bounds else None


def rates() -> dict[str, float]:
    """Float32 and bfloat16 TFLOP/s of a large product, GB/s of one read: the best of 9."""
    return {
        "float32_tflops": 2e-12 * GEMM**3 / _seconds(_product(torch.float32)),
        "bfloat16_tflops": 2e-12 * GEMM**3 / _seconds(_product(torch.bfloat16)),
        "read_gb_s": 4e-9 * READ / _seconds(_read),
    }


@cache
def _product(dtype: torch.dtype) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(GEMM, GEMM, generator=generator).to(dtype)
    return lambda: matrix @ matrix


@cache
def _numbers() -> Tensor:
    # Memory of NumPy gets huge pages where the system has them, which torch's own may not.
    return torch.from_numpy(numpy.ones((READ // 1024, 1024), dtype=numpy.float32))


@cache
def _vector() -> Tensor:
    return torch.ones(1024)


def _read() -> Tensor:
    """One read of many numbers; a product with a vector reads faster than a sum does."""
    return _numbers() @ _vector()


def _seconds(run: Callable[[], Tensor]) -> float:
    run()
    times = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
