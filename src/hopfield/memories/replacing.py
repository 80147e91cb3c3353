"""Replace patterns by their names, all of them or none."""

import copy
import dataclasses
import warnings
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from ..errors import CapacityWarning, OptionError
from ..stores import RamStore
from ..stores.annotations import Annotations, Name
from ..stores.growing import remaining_rows
from .naming import check_stored_names, places_of_names
from .network import Network
from .storing import Brought, append, split_labels

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
    store, stored = memory.storage, memory.storage.annotations or Annotations(0)
    given = check_stored_names(names, stored)
    places = _single_places(given, stored)
    old = stored.at(places)
    labels, numbers = split_labels(store, values)
    if values is None:
        labels = old.labels
        if store.empty_values() is not None:
            numbers = store.take_values(places.to(store.device))
    patterns = memory.check_storable(rows[0], numbers)
    new = Brought(given, prior, table, unique=False).checked(memory, patterns, labels) or old
    new = dataclasses.replace(
        new,
        prior=old.prior if prior is None else new.prior,
        table={**old.table, **new.table},
    )
    warning = _capacity_warning(memory, places, patterns)
    if warning is not None:
        warnings.warn(warning, CapacityWarning, stacklevel=4)
    before = len(store)
    append(store, patterns, numbers, rows[1], new)
    try:
        store.remove(places.sort().values)
    except BaseException:
        store.remove(torch.arange(before, len(store)))
        raise


def _single_places(names: list[Name], stored: Annotations) -> Int[Tensor, " k"]:
    places = places_of_names(names, stored.names or ())
    if len(places) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"names must differ, but {twice!r} is given twice.")
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
    other.storage = RamStore()
    remaining = remaining_rows(len(store), places)
    if bool(remaining.any()):
        annotations = None if store.annotations is None else store.annotations.remaining(remaining)
        rows = store.take(remaining.nonzero().squeeze(-1).to(store.device))
        other.storage.add(rows, annotations=annotations)
    return other.capacity_warning(patterns)
