"""A change of a memory after which it may recall more of its patterns."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError
from ..memories import Memory
from ..stores import Store
from ..stores.annotations import Annotations


@dataclass(frozen=True, eq=False)
class Remedy:
    """A change of a memory, and the number of patterns that are attractors after it.

    Attributes:
        advice: the change in words.
        memory_class: the class of the changed memory.
        settings: the arguments of that class.
        effect: three counts, measured on the changed memory: `patterns` are stored, retrieval was
            `tried` from that many of them, and `attractors` of those were the end of their
            retrieval.
        indices: the patterns that the change keeps; None keeps all.
        dtype: the dtype of the patterns after the change; None leaves it.
    """

    advice: str
    memory_class: type[Memory]
    settings: Mapping[str, Any]
    effect: Mapping[str, int]
    indices: Int[Tensor, " kept"] | None = None
    dtype: torch.dtype | None = None

    @property
    def share(self) -> float:
        """The share of attractors among the patterns from which retrieval was tried."""
        return self.effect["attractors"] / self.effect["tried"]

    def apply(self, memory: Memory, store: Store | None = None) -> Memory:
        """Return a new memory with this change, and copies of all that `memory` holds.

        A class or rule that takes no priors counts every pattern once. The new memory keeps its
        patterns in `store`; None is a new `RamStore`.
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
            annotations = annotations_for(other, source, indices)
        other.store(rows, values=values)
        if annotations is not None:
            other.storage.annotate(annotations)
        return other

    def __str__(self) -> str:
        tried, count = self.effect["tried"], self.effect["patterns"]
        sample = "all" if tried == count else f"a sample of {tried} of"
        result = f"{self.effect['attractors']} are attractors"
        return f"{self.advice} Measured with {sample} {count} patterns: {result}."


def annotations_for(memory: Memory, source: Store, indices: Tensor) -> Annotations | None:
    """Return the annotations of these rows, without priors if the memory takes none."""
    if source.annotations is None:
        return None
    annotations = source.annotations.at(indices)
    return annotations if memory.takes_prior else replace(annotations, prior=None)


def all_of(store: Store) -> Tensor:
    """Return the indices of all patterns in a store."""
    return torch.arange(len(store), device=store.device)
