"""Heartbeats, which tell which of several processes has ended or stopped."""

import threading
import time
from datetime import timedelta
from typing import Any

import torch.distributed as dist

PERIOD = 0.2
"""Seconds between two beats."""

SILENCE = 1.0
"""Seconds without a beat after which a rank counts as lost, if others wait for it in vain."""

PATIENCE = 1.5
"""Seconds within which a lost rank is found, after an operation has failed."""

FAREWELL = 0.7
"""Seconds for which rank 0, whose process has the keys, lets others read them before it ends."""


class Heartbeat:
    """A thread that writes a key of its rank to a `TCPStore`, and reads the keys of the others.

    The keys lie in the process of rank 0: if they do not answer, it is lost.
    """

    def __init__(self, keys: Any, rank: int, size: int) -> None:
        """Begin to beat; all ranks must have written their keys before."""
        self.calls = 0  # operations that this rank has begun
        self._keys, self._rank, self._names = keys, rank, [f"rank {r}" for r in range(size)]
        now = time.monotonic()
        self._texts, self._changed, self._answered = [""] * size, [now] * size, now
        self._is_closed, self._lost = threading.Event(), ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    @property
    def has_news(self) -> bool:
        """Return True if another rank has found a lost one, or rank 0 does not answer at all."""
        return bool(self._lost) or not self._thread.is_alive()

    def find_lost(self) -> tuple[list[int], list[int]]:
        """Return the ranks that are lost; else those that have begun fewer operations."""
        end, lost = time.monotonic() + PATIENCE, self._silent()
        while not lost and time.monotonic() < end:
            time.sleep(PERIOD / 4)
            lost = self._silent()
        if lost:
            self._announce(lost)
            return lost, []
        counts = [int(text.partition(":")[2] or 0) for text in self._texts]
        counts[self._rank] = self.calls
        return [], [rank for rank, count in enumerate(counts) if count < max(counts)]

    def close(self) -> None:
        """Say that this rank ends; rank 0 waits until the others know."""
        self._is_closed.set()
        if self._rank == 0 and len(self._names) > 1 and not self._lost:
            end = time.monotonic() + FAREWELL
            while time.monotonic() < end and not self._all_ended():
                time.sleep(PERIOD / 4)
        self._thread.join(PERIOD)

    def _all_ended(self) -> bool:
        try:
            return self._keys.add("ended", 0) >= len(self._names) - 1
        except RuntimeError:
            return True

    def _silent(self) -> list[int]:
        now = time.monotonic()
        if self._lost:
            return [int(rank) for rank in self._lost.split()]
        if not self._thread.is_alive() or now - self._answered > SILENCE:
            return [0] if self._rank else []
        silences = [now - changed for changed in self._changed]
        silences[self._rank] = 0.0
        least = max(SILENCE, max(silences) / 2)  # a busy rank is late, but not by as much
        return [rank for rank, silence in enumerate(silences) if silence > least]

    def _announce(self, lost: list[int]) -> None:
        if self._rank and 0 in lost:
            return
        self._lost = " ".join(map(str, lost))
        try:
            self._keys.set("lost", self._lost)
            if self._rank == 0:
                time.sleep(2 * PERIOD)  # the keys end with this process: let the others read
        except RuntimeError:
            pass

    def _run(self) -> None:
        names, beats = ["lost", *self._names], 0
        try:
            while not self._is_closed.wait(PERIOD):
                beats += 1
                self._keys.set(self._names[self._rank], f"{beats}:{self.calls}")
                lost, *texts = [text.decode() for text in self._keys.multi_get(names)]
                now = self._answered = time.monotonic()
                for rank, text in enumerate(texts):
                    if text != self._texts[rank]:
                        self._texts[rank], self._changed[rank] = text, now
                self._lost = self._lost or lost
            if self._rank:
                self._keys.add("ended", 1)
        except RuntimeError:  # rank 0 and its keys are gone: this thread ends, see `_silent`
            return


def connect(host: str, port: int, rank: int, size: int, timeout: float) -> Any:
    """Return the keys: a server on rank 0 at a free port, where `port` is 0, or its client."""
    keys: Any = vars(dist)["TCPStore"](
        host,
        port,
        size,
        is_master=rank == 0,
        timeout=timedelta(seconds=timeout),
        wait_for_workers=False,
    )
    keys.set(f"rank {rank}", "0:0")
    if rank == 0:
        keys.set("lost", "")
        keys.add("ended", 0)
    return keys
