"""The contents of a memory: patterns with all that they bring."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..cue import Cue
from ..errors import CapacityWarning, EmptyMemoryError, OptionError, warn_caller
from ..inputs import Given
from ..separation.prior import arguments
from ..stores import Store
from .arguments import named_arguments
from .columns import table_rows
from .naming import chosen_rows, names_of
from .network import Network
from .priors import set_prior
from .replacing import replace
from .storing import (
    append,
    check_annotations,
    check_storable,
    given_patterns,
    split_gaps,
    split_labels,
)


class Contents(Network):
    """The half of a memory that keeps patterns: they are stored, removed, converted and listed."""

    @named_arguments
    def store(
        self,
        patterns: Given | Cue,
        values: Given | Sequence[str] | None = None,
        *,
        known: Given | None = None,
        names: Sequence[str] | Sequence[int] | None = None,
        prior: Tensor | Sequence[float] | float | None = None,
        table: Any = None,
        unique: bool = True,
    ) -> None:
        """Add patterns with all that they bring: all of them or, on an error, none.

        Args:
            patterns: `(n, dim)`; a floating point tensor, or an array, list, DataFrame or pictures,
                as `data.from_array` says; ±1 or bools for binary networks. The first call decides
                dim, dtype and device. A `Cue` has a mask.
            values: `(n, *)`, or n strings, returned as `Retrieval.value`; given with every call or
                with none.
            known: bool mask broadcastable to the patterns, False where an entry is missing (NaN
                for instance); it is never read. Modern networks only.
            names: n strings or n whole numbers, returned as `Retrieval.name`; given with every call
                or with none.
            prior: how often each pattern counts, as if it was stored that many times: numbers from
                1e-12 to 1e12, or one number for all; 1 if left out.
            table: columns with one entry per pattern, returned by `rows`: a dict, a DataFrame, an
                Arrow table or a list of dicts. What a call leaves out is None.
            unique: refuse a name that another pattern has.

        Raises:
            ShapeError, InputTypeError, DeviceError, DomainError, OptionError: saying what was
                expected.
        """
        self._refuse_given_coupling("store")
        patterns, known = self._without_gaps(patterns, known)
        with self.storage.lock.writing:
            values = self.implied_values(patterns) if values is None else values
            labels, numbers = split_labels(self.storage, values, patterns)
            rows = self.check_storable(patterns, numbers)
            annotations = check_annotations(self, rows, labels, names, prior, table, unique)
            given = None if annotations is None else annotations.prior
            warning = self.capacity_warning(*arguments(rows, given))
            if warning is not None:  # before storing: if warnings are errors, nothing is stored
                warn_caller(warning, CapacityWarning)
            append(self.storage, rows, numbers, known, annotations)

    @named_arguments
    def replace(
        self,
        names: str | int | Sequence[str] | Sequence[int],
        patterns: Given | Cue,
        values: Given | Sequence[str] | None = None,
        *,
        known: Given | None = None,
        prior: Tensor | Sequence[float] | float | None = None,
        table: Any = None,
    ) -> None:
        """Replace the patterns of these names: all of them or, on an error, none.

        The new patterns follow all others, in the order of `names`. Values, priors and columns that
        are not given stay those of the name.

        Args:
            names: stored names, each of one pattern.
            patterns: as for `store`, one per name, and the same of all that follows.
            values: as for `store`.
            known: as for `store`.
            prior: as for `store`.
            table: as for `store`.
        """
        patterns, known = self._without_gaps(patterns, known)
        with self.storage.lock.writing:
            self._require_patterns("replace")
            replace(self, names, (patterns, known), values, prior, table)

    def check_storable(self, patterns: object, values: object) -> Tensor:
        """Return the patterns if `store` can add them with these values."""
        signs = self.binary or self.bounded or self.storage.signs_only
        rows = check_storable(self.storage, patterns, values, signs)
        self.check_new(rows, len(self.storage))
        self.check_new_values(rows, values if isinstance(values, Tensor) else None)
        return rows

    @named_arguments
    def remove(
        self,
        indices: int | Iterable[int] | Tensor | None = None,
        *,
        names: str | int | Sequence[str] | Sequence[int] | None = None,
    ) -> None:
        """Remove stored patterns by index, or all that have these names; later ones move up."""
        with self.storage.lock.writing:
            self._require_patterns("remove")
            places = chosen_rows(self.storage, indices, names)
            self.storage.remove(torch.tensor(sorted(set(places)), dtype=torch.long))

    @named_arguments
    def rows(
        self,
        indices: int | Iterable[int] | Tensor | None = None,
        *,
        names: str | int | Sequence[str] | Sequence[int] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the table's rows of these patterns, one dict each, in this order; or all rows.

        Args:
            indices: their indices, such as `Retrieval.index`.
            names: their names, instead of indices.
        """
        with self.storage.lock.reading:
            return table_rows(self.storage, indices, names)

    @named_arguments
    def set_prior(
        self,
        names: "str | int | Iterable[str | int] | Tensor | None",
        prior: Tensor | Sequence[float] | float,
    ) -> None:
        """Set how often patterns count: less with age, to balance classes, by confidence.

        Args:
            names: names of patterns; indices if the patterns have no names, or whole numbers if
                their names are strings; None means all patterns. A name means all patterns that
                have it.
            prior: numbers from 1e-12 to 1e12, one for each name or index, or one for all.

        Raises:
            ShapeError, InputTypeError, DomainError, OptionError: saying what was expected.
        """
        with self.storage.lock.writing:
            self._require_patterns("set_prior")
            set_prior(self, names, prior)

    def __len__(self) -> int:
        """Return the number of patterns."""
        return len(self.storage)

    @property
    def patterns(self) -> Float[Tensor, "n dim"]:
        """The stored patterns of a resident store: a view, never write to it; NaN where unknown."""
        with self.storage.lock.reading:
            self._require_patterns("patterns")
            store = self._resident_store()
            if store.known is None:
                return store.rows
            return torch.where(store.known, store.rows, torch.nan)

    @property
    def known(self) -> Tensor | None:
        """The mask of known entries of the patterns, `(n, dim)`, or None if all are known."""
        with self.storage.lock.reading:
            return self._resident_store().known if len(self) else None

    @property
    def prior(self) -> Float[Tensor, " n"] | None:
        """How often each pattern counts, or None if each counts once: never write to it."""
        with self.storage.lock.reading:
            return self.storage.prior

    @property
    def names(self) -> list[str | int] | None:
        """The names of the patterns, or None."""
        with self.storage.lock.reading:
            return list(names_of(self.storage)) or None

    @property
    def values(self) -> Tensor | list[str] | None:
        """The values, or None: a view, never write to it; strings are a list."""
        with self.storage.lock.reading:
            annotations = self.storage.annotations
            if annotations is not None and annotations.labels is not None:
                return list(annotations.labels)
            return self._resident_store().values if len(self) else None

    def _without_gaps(
        self, patterns: Given | Cue, known: Given | None
    ) -> tuple[Tensor, Tensor | None]:
        patterns, known = given_patterns(self, patterns, known)
        if known is None and not isinstance(patterns, Cue):
            return patterns, None
        if self.stores_gaps:
            return split_gaps(patterns, known)
        raise OptionError(
            f"known must be left out: {self!r} stores complete patterns only. Use "
            "ModernHopfield(precision='full') without post=, or fill the gaps before."
        )

    def _require_patterns(self, caller: str = "this") -> None:
        self._refuse_given_coupling(caller)
        if not len(self.storage):
            raise EmptyMemoryError(
                f"{caller} needs at least one pattern, but the memory is empty. "
                "Call store(patterns) first."
            )

    def _require_network(self) -> None:
        if self.storage.holds_patterns:
            self._require_patterns()

    def _refuse_given_coupling(self, caller: str) -> None:
        if not self.storage.holds_patterns:
            raise OptionError(
                f"{caller} needs a memory of patterns, but this one was made of a given coupling. "
                "Use retrieve, update, field or energy, which need no patterns."
            )

    def _resident_store(self) -> Store:
        if not self.storage.resident:
            raise OptionError(
                f"a {type(self.storage).__name__} does not hold all rows in memory. "
                "Use memory.storage.blocks(size) or memory.storage.take(indices)."
            )
        return self.storage
