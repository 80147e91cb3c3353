"""Sending objects to another process: torch moves the memory of their tensors."""

from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from torch import Tensor

from .lock import ReadWriteLock


def move_when_unread(
    kind: type, lock_of: Callable[[Any], ReadWriteLock], move: Callable[[Any], None]
) -> None:
    """Let `multiprocessing` move the tensors of objects of this class while no thread reads them.

    To share a tensor with another process, torch copies its numbers and frees the memory where they
    were, also while other threads compute with it. Plain pickling moves nothing.

    Args:
        kind: the class.
        lock_of: a function that returns the lock of an object.
        move: a function that moves the tensors of an object to shared memory.
    """

    def reduce(whole: object) -> "str | tuple[Any, ...]":
        with lock_of(whole).writing:
            move(whole)
        return whole.__reduce_ex__(2)

    ForkingPickler.register(kind, reduce)


def move_tensors(owner: object) -> None:
    """Move the tensors among the attributes of an object to shared memory."""
    for value in vars(owner).values():
        if isinstance(value, Tensor):
            value.share_memory_()
