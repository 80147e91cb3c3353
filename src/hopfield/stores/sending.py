"""Sending objects to another process: torch moves the memory of their tensors."""

from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from torch import Tensor

from .lock import ReadWriteLock

Parts = Callable[[Any], tuple[ReadWriteLock, list[object]]]


def moved_when_unread(kind: type, parts: Parts) -> None:
    """Let `multiprocessing` move the tensors of objects of this class while no thread reads them.

    To share a tensor with another process, torch copies its numbers and frees the memory where they
    were, also while other threads compute with it. Plain pickling moves nothing.

    Args:
        kind: the class.
        parts: a function that returns the lock of an object, and the objects that hold its tensors.
    """

    def reduce(whole: object) -> "str | tuple[Any, ...]":
        lock, owners = parts(whole)
        with lock.writing:
            for owner in owners:
                for value in vars(owner).values():
                    if isinstance(value, Tensor):
                        value.share_memory_()
        return whole.__reduce_ex__(2)

    ForkingPickler.register(kind, reduce)
