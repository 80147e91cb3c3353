"""Try changes of a memory, and count how many patterns are attractors with each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import has_only_signs
from ..iteration import PATTERN_WEIGHT
from ..memories import Memory
from ..memories.fitting import AUTO
from ..metrics import recalled
from ..stores import RamStore
from .patterns import Patterns
from .remedies import Remedy, all_of, annotations_for
from .sharper import sharper_separations

QUERIES = 1024
"""Patterns per call of `retrieve`."""
MOST_TRIED = 1024
"""Number of patterns from which a changed memory is tried; of more, a random sample."""


def observe(
    memory: Memory, patterns: Patterns, indices: Tensor, **options: Any
) -> dict[str, Tensor]:
    """Retrieve from the patterns at these indices, and return fields of a `Report` by name."""
    columns = []
    for part in indices.split(QUERIES):
        start = memory.storage.take(part)
        result = memory.retrieve(start, **options)
        group, strongest = patterns.copy_of[result.index], memory.storage.take(result.index)
        if memory.binary:
            at_pattern = (result.state == strongest).all(-1)
        elif result.entropy is None:  # a network without weights, of graded units for instance
            ends = result.state.sign() if has_only_signs(strongest) else result.state
            at_pattern = recalled(strongest, ends)
        else:
            share = result.weight.double() * patterns.copies[result.index]
            at_pattern = share > PATTERN_WEIGHT
        is_own = group == patterns.copy_of[part]
        captured_by = torch.where(at_pattern & ~is_own, group, -1)
        distance = (result.state.double() - start.double()).norm(dim=-1)
        fixed = (result.steps == 0) & result.converged
        columns.append((fixed, at_pattern & is_own, captured_by, result.converged, distance))
    names = ("fixed", "attractor", "captured_by", "converged", "distance")
    return dict(zip(names, map(torch.cat, zip(*columns, strict=True)), strict=True))


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials of changes to one memory.

    Attributes:
        memory: the memory to change; it stays as it is.
        patterns: its patterns.
        share: the share of its patterns that are attractors before any change.
    """

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
        """Try one change: count the attractors of a memory with it.

        Args:
            advice: the change in words.
            memory_class: the class of the changed memory; None keeps the class.
            keep: mask of the patterns to keep; None keeps all.
            dtype: the dtype of its patterns; None keeps theirs.
            settings: constructor arguments that change; all of them for another class.
        """
        indices = None if keep is None else keep.nonzero().squeeze(-1)
        other = with_settings(self.memory, memory_class, **settings)
        drops_prior = self.memory.storage.prior is not None and not other.takes_prior
        if indices is not None or dtype is not None or drops_prior:
            source, other.storage = other.storage, RamStore()
            places = all_of(source) if indices is None else indices
            rows = source.take(places).to(dtype or source.dtype)
            other.storage.add(rows, annotations=annotations_for(other, source, places))
        advice += " It counts every pattern once." * drops_prior
        patterns = Patterns(other)
        order = torch.randperm(patterns.count, generator=torch.Generator().manual_seed(0))
        tried = order[:MOST_TRIED].sort().values
        attractors = int(observe(other, patterns, tried.to(patterns.device))["attractor"].sum())
        effect = {"patterns": len(other), "tried": len(tried), "attractors": attractors}
        return Remedy(advice, type(other), other.config(), effect, indices, dtype)

    def best(self, remedies: Iterable[Remedy]) -> Remedy | None:
        """Return the remedy with the largest share of attractors; None if none beats no change.

        Later remedies are not tried once all patterns are attractors.
        """
        best, share = None, self.share
        for remedy in remedies:
            if remedy.share > share:
                best, share = remedy, remedy.share
            if share == 1:
                break
        return best

    def keep_attractors(self, is_attractor: Tensor) -> Remedy | None:
        """Try the memory with only those patterns that are attractors now."""
        if not bool(is_attractor.any()):
            return None
        lost = int((~is_attractor).sum())
        advice = f"Leave out the {lost} that are not attractors, with remedy.apply."
        return self.best([self.run(advice, keep=is_attractor)])

    def try_sharper(
        self, margins: Tensor, dtype: torch.dtype | None = None, **settings: Any
    ) -> Iterator[Remedy]:
        """Try these settings and dtype, alone and then together with sharper separations.

        A sharper separation has a larger β, or k = 1. `margins` says how sharp it must be: how
        much higher each pattern scores at itself than any other does. Yields one remedy per trial.
        """
        config = self.memory.config()
        if not settings.keys() <= config.keys():
            return
        words = [f"{name}={value!r}" for name, value in settings.items()]
        words += [] if dtype is None else ["patterns in float64"]
        if words:
            yield self.run(f"Use {' with '.join(words)}.", dtype=dtype, **settings)
        present = config.get("separation")
        if config.get("beta") == AUTO:
            present = self.memory.separation  # type: ignore[attr-defined]
        if present is None:
            return
        learned = any(isinstance(value, Tensor) for value in vars(present).values())
        hint = " (β is learned now: continue from this value.)" * learned
        for separation in sharper_separations(present, margins, self.patterns):
            advice = f"Use {' with '.join([*words, f'separation={separation!r}'])}.{hint}"
            yield self.run(advice, dtype=dtype, **settings, separation=separation)


def with_settings(
    memory: Memory, memory_class: type[Memory] | None = None, **settings: Any
) -> Memory:
    """Return a memory with changed settings; another class takes no settings of the old one.

    The two memories share one store: do not store or remove patterns.
    """
    old = memory.config() if memory_class is None else {}
    if "separation" in settings and old.get("beta") == AUTO:
        del old["beta"]  # the separation has the β to try
    other = (memory_class or type(memory))(**{**old, **settings})
    other.storage = memory.storage
    return other
