"""Annotations: the data stored with each row apart from its numbers, such as a name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import OptionError
from .growing import Column

T = TypeVar("T")
Name = str | int
Cell = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Annotations:
    """Names, labels, priors and a table of the rows of a store, one entry per row; immutable.

    Attributes:
        count: number of rows.
        names: the name of each row, strings or whole numbers; None without names.
        labels: the value of each row, where values are strings; None elsewhere.
        prior: w of each row, `(n,)`, float64 and above 0, on the device of the rows; None: all 1.
        table: columns by their names.
    """

    count: int
    names: Sequence[Name] | None = None
    labels: Sequence[str] | None = None
    prior: Tensor | None = None
    table: Mapping[str, Sequence[Cell]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Return True if there are no names, labels, priors or columns of a table."""
        return self.names is None and self.labels is None and self.prior is None and not self.table

    def check_extension(self, new: "Annotations") -> None:
        """Raise unless names and labels come with all rows or with none."""
        kinds = [
            ("names", self.names, new.names),
            ("values that are strings", self.labels, new.labels),
        ]
        for kind, before, now in kinds if self.count else ():
            if (before is None) != (now is None):
                came, advice = ("some", "Give them") if now is None else ("none", "Leave them out")
                raise OptionError(
                    f"{kind} must come with every store or with none, but earlier ones brought "
                    f"{came}. {advice} here too, or begin a new memory."
                )

    def extended(self, new: "Annotations") -> "Annotations":
        """Append annotations of further rows; missing priors become 1, missing cells None."""
        prior = self.prior
        if self.prior is not None or new.prior is not None:
            prior = torch.cat([self.full_prior(new.prior), new.full_prior(self.prior)])
        columns = {
            name: [each.table.get(name, [None] * each.count) for each in (self, new)]
            for name in {**self.table, **new.table}
        }
        table = {name: _joined(*parts) or () for name, parts in columns.items()}
        names, labels = _joined(self.names, new.names), _joined(self.labels, new.labels)
        return Annotations(self.count + new.count, names, labels, prior, table)

    def full_prior(self, like: Tensor | None = None) -> Tensor:
        """Return the prior, or ones on the device of `like`."""
        if self.prior is not None:
            return self.prior
        device = None if like is None else like.device
        return torch.ones(self.count, dtype=torch.float64, device=device)

    def at(self, indices: Tensor) -> "Annotations":
        """Return the annotations of the rows at `indices`, `(k,)`, in this order."""
        places = indices.tolist()
        prior = None if self.prior is None else self.prior[indices.to(self.prior.device)]
        names, labels = _at(self.names, places), _at(self.labels, places)
        table = {name: _at(column, places) or () for name, column in self.table.items()}
        return Annotations(len(places), names, labels, prior, table)

    def to(self, device: torch.device) -> "Annotations":
        """Return the annotations with their prior on `device`."""
        return self if self.prior is None else replace(self, prior=self.prior.to(device))


def _joined(old: Sequence[T] | None, new: Sequence[T] | None) -> Sequence[T] | None:
    if new is None:
        return None
    if not old and hasattr(new, "take"):  # a column on disk stays there
        return new
    return (old if isinstance(old, Column) else Column(old or ())).extended(new)


def _at(entries: Sequence[T] | None, places: list[int]) -> Column[T] | None:
    if entries is None:
        return None
    return Column(entries_at(entries, places))


def entries_at(entries: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """Return the entries at these places; a column on disk reads them together."""
    take: Callable[[Sequence[int]], list[T]] | None = getattr(entries, "take", None)
    return [entries[place] for place in places] if take is None else take(places)
