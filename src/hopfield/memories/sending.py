"""Sending memories to another process."""

from typing import TYPE_CHECKING

from ..separation import Separation
from ..stores.sending import move_tensors

if TYPE_CHECKING:
    from .base import Memory


def move_to_shared_memory(memory: "Memory") -> None:
    """Move all tensors of a memory to shared memory; hold `lock.writing` meanwhile."""
    memory.storage.move_to_shared_memory()
    move_tensors(memory)
    if memory._calibrated is not None:
        move_tensors(memory._calibrated.calibration)
    for part in vars(memory).values():
        if isinstance(part, Separation):  # β may be a tensor
            move_tensors(part)
