"""Measure the limits of this machine: products per second, bytes read per second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy
import torch
from torch import Tensor

GEMM = 1536
"""Edge of the square matrices that are multiplied."""
READ = 2**26
"""Number of float32 numbers that are read: 256 MiB, more than most caches hold."""


@dataclass(frozen=True)
class Probe:
    """A piece of work that runs at a limit of the machine, timed among the contenders.

    Args:
        run: does it.
        amount: flops or bytes of one run.
        needed: flops or bytes that the workload needs.
    """

    run: Callable[[], Tensor]
    amount: float
    needed: float


def probes(flops: float, size: float) -> dict[str, Probe]:
    """Return the probes that bound a workload of `flops` in float32 and `size` bytes read."""
    bounds = {}
    if flops:
        bounds["limit: product"] = Probe(_product(torch.float32), 2 * GEMM**3, flops)
    if size:
        bounds["limit: read"] = Probe(_read, 4 * READ, size)
    return bounds


def least_seconds(probes: dict[str, Probe], seconds: dict[str, list[float]]) -> list[float] | None:
    """Return the least seconds of the workload in each round; None without probes."""
    bounds = [
        [time * probe.needed / probe.amount for time in seconds[name]]
        for name, probe in probes.items()
    ]
    return [max(times) for times in zip(*bounds, strict=True)] if bounds else None


def rates() -> dict[str, float]:
    """Measure TFLOP/s of a large product and GB/s of one read: the best of 9 runs."""
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
def _operands() -> tuple[Tensor, Tensor]:
    # NumPy's memory gets huge pages where the system has them; torch's may not.
    matrix = torch.from_numpy(numpy.ones((READ // 1024, 1024), dtype=numpy.float32))
    return matrix, torch.ones(1024)


def _read() -> Tensor:
    # A product with a vector reads faster than a sum does.
    matrix, vector = _operands()
    return matrix @ vector


def _seconds(run: Callable[[], Tensor]) -> float:
    run()
    times = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
