"""Annotations: what each row brings apart from its numbers, such as a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
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
        """Return True if rows bring nothing but numbers."""
        return self.names is None and self.labels is None and self.prior is None and not self.table

    def texts(self) -> list[str]:
        """Return what rows bring in words."""
        texts = ["with names"] if self.names is not None else []
        texts += ["with priors"] if self.prior is not None else []
        if self.table:
            texts.append(f"a table of {len(self.table)} column{'s' * (len(self.table) > 1)}")
        return texts

    def check_extension(self, new: "Annotations") -> None:
        """Raise unless names and labels come with all rows or with none."""
        for argument, before, now in (
            ("names", self.names, new.names),
            ("values", self.labels, new.labels),
        ):
            if self.count and (before is None) != (now is None):
                come, advice = f"{argument}, earlier ones brought none", "Leave them out"
                if now is None:
                    come, advice = f"no {argument}, earlier ones brought some", "Give them here too"
                text = " that are text" if argument == "values" else ""
                raise OptionError(
                    f"{argument}{text} must come with every store or with none, but this call "
                    f"brings {come}. {advice}, or begin a new memory."
                )

    def extended(self, new: "Annotations") -> "Annotations":
        """Return these annotations followed by others: a prior left out is 1, a cell None."""
        prior = self.prior
        if self.prior is not None or new.prior is not None:
            prior = torch.cat([self.full_prior(new.prior), new.full_prior(self.prior)])
        table = {}
        for name in {**self.table, **new.table}:
            before = _as_column(self.table.get(name, [None] * self.count))
            table[name] = before.extended(new.table.get(name, [None] * new.count))
        names, labels = _joined(self.names, new.names), _joined(self.labels, new.labels)
        return Annotations(self.count + new.count, names, labels, prior, table)

    def full_prior(self, like: Tensor | None = None) -> Tensor:
        """Return the prior, or ones on the device of `like`."""
        if self.prior is not None:
            return self.prior
        device = None if like is None else like.device
        return torch.ones(self.count, dtype=torch.float64, device=device)

    def remaining(self, mask: Tensor) -> "Annotations":
        """Return the annotations of the rows where `mask`, `(n,)`, is True."""
        chosen = mask.tolist()
        return Annotations(
            sum(chosen),
            None if self.names is None else Column(compress(self.names, chosen)),
            None if self.labels is None else Column(compress(self.labels, chosen)),
            None if self.prior is None else self.prior[mask.to(self.prior.device)],
            {name: Column(compress(column, chosen)) for name, column in self.table.items()},
        )

    def at(self, indices: Tensor) -> "Annotations":
        """Return the annotations of the rows at `indices`, `(k,)`, in this order."""
        places = indices.tolist()
        return Annotations(
            len(places),
            None if self.names is None else [self.names[i] for i in places],
            None if self.labels is None else [self.labels[i] for i in places],
            None if self.prior is None else self.prior[indices.to(self.prior.device)],
            {name: [column[i] for i in places] for name, column in self.table.items()},
        )

    def to(self, device: torch.device) -> "Annotations":
        """Return the annotations with their prior on `device`."""
        return self if self.prior is None else replace(self, prior=self.prior.to(device))


def _joined(old: Sequence[T] | None, new: Sequence[T] | None) -> Column[T] | None:
    return None if new is None else _as_column(old or ()).extended(new)


def _as_column(entries: Sequence[T]) -> Column[T]:
    return entries if isinstance(entries, Column) else Column(entries)
