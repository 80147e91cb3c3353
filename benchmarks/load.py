"""Measure how many cores other processes use while something is timed."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
QUIET = 0.25
"""Cores that other processes may use in a round that counts as quiet."""
WINDOW = 0.2
"""Seconds over which the load is measured; the system counts in hundredths."""


@dataclass(frozen=True)
class Mark:
    """Readings of the clocks: wall time, processor seconds of all and of this process."""

    at: float
    all: float
    own: float


def mark() -> Mark:
    """Read the clocks."""
    return Mark(time.perf_counter(), _busy(), sum(os.times()[:4]))


def others(since: Mark) -> float:
    """Return the mean number of cores others used since then; 0 where the system has no count."""
    now = mark()
    used = (now.all - since.all) - (now.own - since.own)
    return max(0.0, used / (now.at - since.at))


def wait(seconds: float) -> float:
    """Wait at most `seconds` until others are quiet; return the seconds that are left."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        since = mark()
        time.sleep(WINDOW)
        if others(since) < QUIET:
            break
    return max(0.0, end - time.perf_counter())


def _busy() -> float:
    """Return the processor seconds of all processes, with those the host took away."""
    if not STAT.exists():
        return 0.0
    user, nice, system, _idle, _waiting, irq, soft, stolen = (
        int(ticks) for ticks in STAT.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")
