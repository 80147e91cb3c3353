"""Values that take long to make: those used last are kept, up to a total size."""

import ctypes
import sys
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class _Entry(Generic[T]):
    def __init__(self, size: int) -> None:
        self.size, self.lock = size, Lock()
        self.values: list[T] = []


class Recent(Generic[T]):
    """A cache for threads. Each value is made once, while others are made or used.

    Args:
        most: the largest sum of sizes that is kept. The value used last is kept at any size.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, size: int, make: Callable[[], T]) -> T:
        """Return the value of `key`, made by `make` if it is not kept."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(size))
            self._entries.move_to_end(key)
            total = sum(each.size for each in self._entries.values())
            while total > self.most and len(self._entries) > 1:
                total -= self._entries.popitem(last=False)[1].size
        with entry.lock:
            if not entry.values:
                entry.values.append(make())
                return_freed_pages()
            return entry.values[0]


def return_freed_pages() -> None:
    """Return freed memory to the system. Of other C libraries than glibc none keeps as much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
