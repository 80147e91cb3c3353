"""Measure the peak memory of one contender in a separate process.

`python -m benchmarks.memory ENTRY SIZE CONTENDER` builds the case, runs a tiny one so that the
libraries load, and prints how far one run rises above the memory of its inputs.
"""

import ctypes
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ROOT = Path(__file__).resolve().parents[1]


def measured(entry: str, number: int, contender: str) -> dict[str, float]:
    """Return `extra_mib` (above the inputs, without the result) and `result_mib`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", entry, str(number), contender],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{entry}: memory of {contender!r} failed:\n{done.stderr[-2000:]}")
    line: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return line


def extra(run: Callable[[], Any]) -> dict[str, float]:
    """Measure the memory of one run in MiB."""
    try:
        # Freed memory goes back to the system, so that using it again counts.
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        pass  # without glibc, reuse of freed memory is not seen
    before = _peak(reset=True)
    result = run()
    rise, own = _peak() - before, _size(result)
    return {"extra_mib": max(0.0, (rise - own) / 2**20), "result_mib": own / 2**20}


def _peak(reset: bool = False) -> int:
    """Return the largest resident memory in bytes since the last reset, if the system has one."""
    if not STATUS.exists():  # bytes on macOS, KiB elsewhere; never reset
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
            1 if sys.platform == "darwin" else 1024
        )
    if reset:
        RESET.write_text("5")
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _size(result: Any) -> int:
    """Return the bytes of all tensors in a result."""
    if isinstance(result, Tensor):
        return result.nbytes
    if is_dataclass(result):
        return sum(_size(getattr(result, field.name)) for field in fields(result))
    return sum(map(_size, result)) if isinstance(result, (tuple, list)) else 0


def main(name: str, number: str, contender: str) -> None:
    """Measure, and print one line."""
    from .entries import ENTRIES  # they import the harness, which imports this module

    entry = ENTRIES[name]
    entry.build(**entry.quick).contenders[contender].run()
    run = entry.build(**entry.sizes[int(number)]).contenders[contender].run
    print(json.dumps(extra(run)))


if __name__ == "__main__":
    main(*sys.argv[1:])
