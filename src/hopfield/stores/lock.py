"""A lock that either many readers or one writer can hold at a time."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from ..errors import OptionError


class ReadWriteLock:
    """A lock for many readers or one writer, by `with lock.reading:` and `with lock.writing:`.

    A thread that holds the lock may enter the same section again. A waiting writer goes before new
    readers. When a writer leaves, all waiting readers go before the next writer, so that neither
    side can shut out the other.
    """

    def __init__(self) -> None:
        """Make an unlocked lock."""
        self._mutex = threading.Lock()
        self._released = threading.Condition(self._mutex)
        self._readers: dict[int, int] = {}  # how often each thread has entered
        self._writer: int | None = None
        self._depth = 0
        self._waiting_writers = self._waiting_readers = 0
        self._ended = 0  # writers so far
        self._admitted = 0  # waiting readers that go before the next writer
        self.reading = _Section(self.start_reading, self.stop_reading)
        self.writing = _Section(self.start_writing, self.stop_writing)

    def start_reading(self) -> None:
        """Wait until no writer holds the lock; of the writers that wait, one may go first."""
        me, readers = threading.get_ident(), self._readers
        with self._mutex:
            if me not in readers and self._writer != me:
                if self._writer is not None or self._waiting_writers:
                    self._wait_for_a_writer()
            readers[me] = readers.get(me, 0) + 1

    def _wait_for_a_writer(self) -> None:
        ended = self._ended
        self._waiting_readers += 1
        try:
            while self._writer is not None or (self._waiting_writers and self._ended == ended):
                self._released.wait()
        finally:
            self._waiting_readers -= 1
            if self._ended != ended:
                self._admitted -= 1
            self._released.notify_all()  # others may wait for one that an interrupt ended

    def stop_reading(self) -> None:
        """Leave the section; after the outermost one of this thread, wake waiting writers."""
        me = threading.get_ident()
        with self._mutex:
            self._readers[me] -= 1
            if not self._readers[me]:
                del self._readers[me]
                if self._waiting_writers:
                    self._released.notify_all()

    def start_writing(self) -> None:
        """Wait until no other thread holds the lock."""
        me = threading.get_ident()
        with self._mutex:
            if self._writer != me:
                if me in self._readers:
                    raise OptionError(
                        "a memory must stay as it is while it is read, but code that it calls, or "
                        "that holds lock.reading, changes it. Change it afterwards."
                    )
                self._waiting_writers += 1
                try:
                    while self._writer is not None or self._readers or self._admitted:
                        self._released.wait()
                finally:
                    self._waiting_writers -= 1
                    self._released.notify_all()
                self._writer = me
            self._depth += 1

    def stop_writing(self) -> None:
        """Leave the section; after the outermost one, wake all waiting threads."""
        with self._mutex:
            self._depth -= 1
            if not self._depth:
                self._writer = None
                self._ended += 1
                self._admitted = self._waiting_readers
                self._released.notify_all()


class _Section(AbstractContextManager[None]):
    # A class: `contextlib.contextmanager` takes several times as long.
    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *error: object) -> None:
        self._leave()
