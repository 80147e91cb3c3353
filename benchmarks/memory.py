"""Peak memory of one contender, in a process of its own.

    python -m benchmarks.memory ENTRY SIZE CONTENDER

builds the case, lets the libraries settle on a tiny one, and prints how far one run rises above
what was there when its inputs existed.
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
    """`extra_mib` (above the inputs, without the result) and `result_mib` of a contender."""
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
    """Memory of one run in MiB."""
    _give_back()
    before = _peak(reset=True)
    result = run()
    rise, own = _peak() - before, _size(result)
    return {"extra_mib": max(0.0, (rise - own) / 2**20), "result_mib": own / 2**20}


def _give_back() -> None:
    """Hand what was freed back to the system, so that using it again counts."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        pass  # no glibc: what was freed may be used again unseen


def _peak(reset: bool = False) -> int:
    """Largest resident memory in bytes since the last reset, where the system can reset it."""
    if not STATUS.exists():  # bytes on macOS, KiB elsewhere; never reset
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
            1 if sys.platform == "darwin" else 1024
        )
    if reset:
        RESET.write_text("5")
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _size(result: Any) -> int:
    """Bytes of the tensors in a result."""
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
