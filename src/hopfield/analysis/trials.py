"""Runs of changed memories: how many patterns are attractors after each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..iteration import PATTERN_WEIGHT
from ..memories import Memory
from ..metrics import recalled
from ..stores import RamStore
from .patterns import Patterns
from .remedies import Remedy, all_of
from .sharper import sharper_separations

QUERIES = 1024
"""Patterns per call of `retrieve`."""
TRIED = 1024
"""Most patterns from which a remedy is tried: of a larger memory, a random sample."""


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
            rows = source.take(all_of(source) if indices is None else indices)
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
