"""Changes of a memory that may help, and how many patterns are attractors after each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError
from ..iteration import PATTERN_WEIGHT
from ..memories import Memory
from ..metrics import recalled
from ..stores import RamStore, Store
from .patterns import Patterns
from .sharper import sharper_separations

QUERIES = 1024
"""Patterns per call of `retrieve`."""
TRIED = 1024
"""Most patterns from which a remedy is tried: of a larger memory, a random sample."""


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
        indices = _all_of(source) if self.indices is None else self.indices
        values = None if source.empty_values() is None else source.take_values(indices)
        other.store(source.take(indices).to(self.dtype or source.dtype), values)
        return other

    def __str__(self) -> str:
        tried, count = self.effect["tried"], self.effect["patterns"]
        sample = "all" if tried == count else f"a sample of {tried} of"
        return f"{self.advice} Tried from {sample} {count}: {self.effect['attractors']} hold."


def observe(
    memory: Memory, patterns: Patterns, indices: Tensor, **options: Any
) -> dict[str, Tensor]:
    """Retrieve from the patterns at these indices; the fields of `Report` by name."""
    columns = []
    for part in indices.split(QUERIES):
        start = memory.storage.take(part)
        result = memory.retrieve(start, **options)
        group, strongest = patterns.copy_of[result.index], memory.storage.take(result.index)
        if memory.binary:
            at_pattern = (result.state == strongest).all(-1)
        elif result.entropy is None:  # a network without weights
            at_pattern = recalled(strongest, result.state)
        else:
            at_pattern = result.weight.double() * patterns.copies[group] > PATTERN_WEIGHT
        is_own = group == patterns.copy_of[part]
        captured_by = torch.where(at_pattern & ~is_own, group, -1)
        distance = (result.state.double() - start.double()).norm(dim=-1)
        fixed = (result.steps == 0) & result.converged
        columns.append((fixed, at_pattern & is_own, captured_by, result.converged, distance))
    names = ("fixed", "attractor", "captured_by", "converged", "distance")
    return dict(zip(names, map(torch.cat, zip(*columns, strict=True)), strict=True))


@dataclass(frozen=True, eq=False)
class Trials:
    """Runs of changed memories; `share` is the share of attractors in the unchanged memory."""

    memory: Memory
    patterns: Patterns
    share: float

    def run(
        self,
        advice: str,
        memory_class: type[Memory] | None = None,
        keep: Tensor | None = None,
        dtype: torch.dtype | None = None,
        **settings: Any,
    ) -> Remedy:
        """Change settings (all of them for another class), and count the attractors.

        `keep` is True for the patterns to keep, None for all.
        """
        indices = None if keep is None else keep.nonzero().squeeze(-1)
        other = with_settings(self.memory, memory_class, **settings)
        if indices is not None or dtype is not None:
            source, other.storage = other.storage, RamStore()
            rows = source.take(_all_of(source) if indices is None else indices)
            other.storage.append(rows.to(dtype or source.dtype))
        patterns = Patterns(other)
        order = torch.randperm(patterns.count, generator=torch.Generator().manual_seed(0))
        tried = order[:TRIED].sort().values
        attractors = int(observe(other, patterns, tried.to(patterns.device))["attractor"].sum())
        effect = {"patterns": len(other), "tried": len(tried), "attractors": attractors}
        return Remedy(advice, type(other), other.config(), effect, indices, dtype)

    def best(self, remedies: Iterable[Remedy]) -> Remedy | None:
        """Return the first remedy with which all patterns hold, else the best, or None."""
        best, share = None, self.share
        for remedy in remedies:
            if remedy.share > share:
                best, share = remedy, remedy.share
            if share == 1:
                break
        return best

    def keep_attractors(self, is_attractor: Tensor) -> Remedy | None:
        """Keep only the patterns that are attractors."""
        if not bool(is_attractor.any()):
            return None
        lost = int((~is_attractor).sum())
        advice = f"Leave out the {lost} that do not hold: remedy.apply does."
        return self.best([self.run(advice, keep=is_attractor)])

    def try_sharper(
        self, margins: Tensor, dtype: torch.dtype | None = None, **settings: Any
    ) -> Iterator[Remedy]:
        """Yield remedies with these settings and dtype, first alone, then with sharper separations.

        These separate patterns with these margins: by a larger β, or by k = 1.
        """
        config = self.memory.config()
        if not settings.keys() <= config.keys():
            return
        words = [f"{name}={value!r}" for name, value in settings.items()]
        words += [] if dtype is None else ["patterns in float64"]
        if words:
            yield self.run(f"Use {' with '.join(words)}.", dtype=dtype, **settings)
        present = config.get("separation")
        if present is None:
            return
        learned = any(isinstance(value, Tensor) for value in vars(present).values())
        hint = " (β is learned now: go on from this value.)" * learned
        for separation in sharper_separations(present, margins, self.patterns):
            advice = f"Use {' with '.join([*words, f'separation={separation!r}'])}.{hint}"
            yield self.run(advice, dtype=dtype, **settings, separation=separation)


def with_settings(
    memory: Memory, memory_class: type[Memory] | None = None, **settings: Any
) -> Memory:
    """Return a memory with other settings; for another class, these are all its arguments.

    The patterns are shared: do not store in either.
    """
    old = memory.config() if memory_class is None else {}
    other = (memory_class or type(memory))(**{**old, **settings})
    other.storage = memory.storage
    return other


def _all_of(store: Store) -> Tensor:
    return torch.arange(len(store), device=store.device)
