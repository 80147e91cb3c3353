"""Names of rows: strings or whole numbers, one kind per memory."""

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import DomainError, InputTypeError, OptionError
from ..inputs.indices import index_list
from ..stores import Store
from ..stores.annotations import Name
from ..stores.annotations import entries_at as entries_at_places
from .entries import listed

KINDS = {str: "strings", int: "whole numbers"}


def check_names(value: object, count: int | None = None) -> list[Name]:
    """Return names, one per pattern, all strings or all whole numbers."""
    names = listed("names", value, count)
    for row, name in enumerate(names):
        if type(name) not in KINDS:
            hint = ""
            if hasattr(name, "__fspath__"):
                hint = " Use [str(path) for path in paths]."
            elif isinstance(name, float) and name.is_integer():
                hint = " Use whole numbers: [int(name) for name in names]."
            raise InputTypeError(
                f"names must be strings or whole numbers, but entry {row} is "
                f"{short_repr(name)}.{hint}"
            )
        if type(name) is not type(names[0]):
            raise InputTypeError(
                f"names must be all strings or all whole numbers, but entry 0 is "
                f"{short_repr(names[0])} and entry {row} is {short_repr(name)}. "
                "Use [str(name) for name in names]."
            )
    return names


def check_new_names(names: Sequence[Name], before: Sequence[Name], unique: bool) -> None:
    """Raise unless names have the type of those `before`, and, if `unique`, differ from all."""
    if before and type(before[0]) is not type(names[0]):
        raise InputTypeError(
            f"names must be {KINDS[type(before[0])]} like those in the memory, but entry 0 is "
            f"{short_repr(names[0])}."
        )
    places: dict[Name, int] = {}
    for row, name in enumerate(names) if unique else ():
        first = places.setdefault(name, row)
        if first != row or name in before:
            where = "stored already" if name in before else f"at {first} too"
            use = "Use replace(names, patterns), or" if name in before else "Rename one, or"
            raise OptionError(
                f"names must be unique, but {short_repr(name)}, at {row}, is {where}. "
                f"{use} unique=False to allow several patterns of one name."
            )


def names_of(store: Store) -> Sequence[Name]:
    """Return the names of the rows; an empty sequence if they have none."""
    stored = store.annotations
    return () if stored is None or stored.names is None else stored.names


def check_stored_names(value: object, stored: Sequence[Name]) -> list[Name]:
    """Return one name or several as a list, if each is the name of a stored pattern."""
    if not stored:
        raise OptionError("names must be left out: the patterns have none. Use store(…, names=…).")
    is_single = isinstance(value, (str, int)) and not isinstance(value, bool)
    names = check_names([value] if is_single else value)
    for name in names:
        if name not in stored:
            raise _unknown(name, stored)
    return names


def places_of_names(names: Iterable[Name], stored: Sequence[Name]) -> dict[Name, list[int]]:
    """Return the rows of each name, in the order of `names`."""
    places: dict[Name, list[int]] = {name: [] for name in names}
    for row, name in enumerate(stored):
        if name in places:
            places[name].append(row)
    return places


def chosen_rows(store: Store, indices: object, names: object) -> list[int]:
    """Return the indices of the rows that `indices` or `names` select, in the order given."""
    if names is None:
        return index_list(indices, len(store))
    if indices is not None:
        raise OptionError("indices must be left out where names= is given.")
    given = check_stored_names(names, names_of(store))
    places = places_of_names(given, names_of(store))
    return list(chain.from_iterable(places[name] for name in given))


def _unknown(name: Name, stored: Sequence[Name]) -> DomainError:
    hint = ""
    if type(name) is not type(stored[0]):
        hint = f" The names in this memory are {KINDS[type(stored[0])]}."
    elif isinstance(name, str):
        near = difflib.get_close_matches(name, map(str, islice(stored, 10_000)), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
    return DomainError(f"names must be stored ones, but {short_repr(name)} is not stored.{hint}")


def entries_at(entries: Sequence[Any], index: Int[Tensor, "*batch"]) -> Any:
    """Return the entry at one index, or an object array of entries in the shape of `index`."""
    if not index.ndim:
        return entries[int(index)]
    found = np.empty(index.numel(), dtype=object)
    found[:] = entries_at_places(entries, index.flatten().tolist())
    return found.reshape(tuple(index.shape))
