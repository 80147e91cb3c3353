"""A lock that many readers or one writer hold."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager


class ReadWriteLock:
    """Use `with lock.reading:` and `with lock.writing:`; a thread may enter either again.

    A waiting writer goes before new readers.
    """

    def __init__(self) -> None:
        """Make an unlocked lock."""
        self._mutex = threading.Lock()
        self._released = threading.Condition(self._mutex)
        self._readers: dict[int, int] = {}  # how often each thread has entered
        self._writer: int | None = None
        self._depth = 0
        self._waiting = 0
        self.reading = _Section(self.start_reading, self.stop_reading)
        self.writing = _Section(self.start_writing, self.stop_writing)

    def start_reading(self) -> None:
        """Wait until no writer holds the lock or waits for it."""
        me, readers = threading.get_ident(), self._readers
        with self._mutex:
            if me not in readers and self._writer != me:
                while self._writer is not None or self._waiting:
                    self._released.wait()
            readers[me] = readers.get(me, 0) + 1

    def stop_reading(self) -> None:
        """Leave, and wake writers if this was the last reader."""
        me = threading.get_ident()
        with self._mutex:
            self._readers[me] -= 1
            if not self._readers[me]:
                del self._readers[me]
                if self._waiting:
                    self._released.notify_all()

    def start_writing(self) -> None:
        """Wait until no other thread holds the lock."""
        me = threading.get_ident()
        with self._mutex:
            if self._writer != me:
                if me in self._readers:
                    raise RuntimeError("a memory cannot be changed by code that reads it")
                self._waiting += 1
                try:
                    while self._writer is not None or self._readers:
                        self._released.wait()
                finally:
                    self._waiting -= 1
                self._writer = me
            self._depth += 1

    def stop_writing(self) -> None:
        """Leave, and wake all who wait."""
        with self._mutex:
            self._depth -= 1
            if not self._depth:
                self._writer = None
                self._released.notify_all()


class _Section(AbstractContextManager[None]):
    # A class: `contextlib.contextmanager` takes several times as long.
    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *error: object) -> None:
        self._leave()
