"""How much of the machine others use while something is timed."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
QUIET = 0.25
"""Cores that others may use in a round that counts as quiet."""
WINDOW = 0.2
"""Seconds over which a look at the others is taken; the system counts in hundredths."""


@dataclass(frozen=True)
class Mark:
    """Where the clocks stood: seconds, and processor seconds of all and of this process."""

    at: float
    all: float
    own: float


def mark() -> Mark:
    """Where the clocks stand."""
    return Mark(time.perf_counter(), _busy(), sum(os.times()[:4]))


def others(since: Mark) -> float:
    """Cores that others used on average since then; 0 where the system does not say."""
    now = mark()
    used = (now.all - since.all) - (now.own - since.own)
    return max(0.0, used / (now.at - since.at))


def wait(seconds: float) -> float:
    """Wait until the others are quiet, but no longer than that; returns what is left."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        since = mark()
        time.sleep(WINDOW)
        if others(since) < QUIET:
            break
    return max(0.0, end - time.perf_counter())


def _busy() -> float:
    """Processor seconds that all have used, and those the host took away."""
    if not STAT.exists():
        return 0.0
    user, nice, system, _idle, _waiting, irq, soft, stolen = (
        int(ticks) for ticks in STAT.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")
