"""Replace patterns by their names, all of them or none."""

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..errors import CapacityWarning, OptionError, warn_caller
from ..stores import Block, RamStore, Store
from ..stores.annotations import Annotations, Name
from ..stores.growing import remaining_rows
from .naming import check_stored_names, names_of, places_of_names
from .network import Network
from .storing import append, check_annotations, split_labels

if TYPE_CHECKING:
    from .contents import Contents


def replace(
    memory: "Contents",
    names: object,
    rows: tuple[Tensor, Tensor | None],
    values: object,
    prior: object,
    table: object,
) -> None:
    """Store new patterns under stored names, and remove the old ones; keep what is not given.

    Args:
        memory: the memory; hold `lock.writing`.
        names: the names, each of one pattern.
        rows: the new patterns, and the mask of their known entries.
        values, prior, table: what they bring, or None to keep what the old patterns brought.
    """
    store = memory.storage
    given = check_stored_names(names, names_of(store))
    places = _single_places(given, names_of(store))
    old = (store.annotations or Annotations(len(store))).at(places)
    labels, numbers = split_labels(store, values, rows[0])
    if values is None:
        labels = old.labels
        if store.empty_values() is not None:
            numbers = store.take_values(places.to(store.device))
    patterns = memory.check_storable(rows[0], numbers)
    new = check_annotations(memory, patterns, labels, given, prior, table) or old
    new = dataclasses.replace(
        new,
        prior=old.prior if prior is None else new.prior,
        table={**old.table, **new.table},
    )
    warning = _capacity_warning(memory, places, patterns)
    if warning is not None:
        warn_caller(warning, CapacityWarning)
    with store.replacing(places.sort().values):
        append(store, patterns, numbers, rows[1], new)


def _single_places(names: list[Name], stored: Sequence[Name]) -> Int[Tensor, " k"]:
    places = places_of_names(names, stored)
    if len(places) < len(names):
        raise OptionError("names must differ to be replaced, but one is given twice.")
    for name, rows in places.items():
        if len(rows) > 1:
            raise OptionError(
                f"names must stand for one pattern each to be replaced, but {name!r} stands for "
                f"{len(rows)}. Use remove(names=…), then store(…)."
            )
    return torch.tensor([rows[0] for rows in places.values()], dtype=torch.long)


def _capacity_warning(memory: "Contents", places: Tensor, patterns: Tensor) -> str | None:
    # The warning of a memory that holds the other patterns.
    if type(memory).capacity_warning is Network.capacity_warning:
        return None
    other, store = copy.copy(memory), memory.storage
    rest = remaining_rows(len(store), places)
    if store.resident:
        other.storage = RamStore()
        if bool(rest.any()):
            kept = rest.nonzero().squeeze(-1)
            annotations = None if store.annotations is None else store.annotations.at(kept)
            other.storage.add(store.take(kept.to(store.device)), annotations=annotations)
    else:
        other.storage = _OtherRows(store, rest)
    return other.capacity_warning(patterns)


class _OtherRows(Store):
    """The rows of a store that are not replaced, read block by block; with their priors."""

    def __init__(self, store: Store, rest: Bool[Tensor, " n"]) -> None:
        self._store, self._rest = store, rest
        self.dim, self.dtype, self.device = store.dim, store.dtype, store.device
        prior = store.prior
        if prior is not None:
            prior = prior[rest.to(prior.device)]
            self.annotations = Annotations(len(self), prior=prior)

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        raise OptionError("other rows are only read.")

    def remove(self, indices: Tensor) -> None:
        raise OptionError("other rows are only read.")

    def take(self, indices: Tensor) -> Tensor:
        return self._store.take(self._rest.nonzero()[:, 0].to(indices.device)[indices])

    def blocks(self, size: int) -> Iterator[Block]:
        start = 0
        for block in self._store.blocks(size):
            rest = self._rest[block.start : block.start + len(block)]
            rows = block.rows[rest.to(self.device)]
            if len(rows):
                yield Block(start, rows)
            start += len(rows)

    def __len__(self) -> int:
        return int(self._rest.sum())
