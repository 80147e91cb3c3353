"""A change of a memory that may help."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError
from ..memories import Memory
from ..stores import Store


@dataclass(frozen=True, eq=False)
class Remedy:
    """A change of the memory, and its effect as measured.

    Attributes:
        advice: the change in words.
        memory_class: the class of the changed memory.
        settings: its constructor's arguments.
        effect: counts from a run of the changed memory: the `patterns` it holds, from how many it
            was `tried`, and how many of these are `attractors`.
        indices: the patterns to keep; None keeps all.
        dtype: the dtype to store them in; None leaves it.
    """

    advice: str
    memory_class: type[Memory]
    settings: Mapping[str, Any]
    effect: Mapping[str, int]
    indices: Int[Tensor, " kept"] | None = None
    dtype: torch.dtype | None = None

    @property
    def share(self) -> float:
        """The share of attractors among the patterns tried."""
        return self.effect["attractors"] / self.effect["tried"]

    def apply(self, memory: Memory, store: Store | None = None) -> Memory:
        """Return a new memory with this change, and copies of the patterns and values of `memory`.

        `store` takes them; None is a new `RamStore`.
        """
        if not isinstance(memory, Memory):
            raise InputTypeError(
                f"memory must be the memory that was diagnosed, but is {short_repr(memory)}."
            )
        other, source = self.memory_class(**self.settings), memory.storage
        if store is not None:
            other.storage = store
        with source.lock.reading:
            indices = all_of(source) if self.indices is None else self.indices
            values = None if source.empty_values() is None else source.take_values(indices)
            rows = source.take(indices).to(self.dtype or source.dtype)
        other.store(rows, values)
        return other

    def __str__(self) -> str:
        tried, count = self.effect["tried"], self.effect["patterns"]
        sample = "all" if tried == count else f"a sample of {tried} of"
        return f"{self.advice} Tried from {sample} {count}: {self.effect['attractors']} hold."


def all_of(store: Store) -> Tensor:
    """Return the indices of all patterns."""
    return torch.arange(len(store), device=store.device)
