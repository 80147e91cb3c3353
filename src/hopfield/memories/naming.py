"""Names of rows: strings or whole numbers, one kind per memory."""

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import DomainError, InputTypeError, OptionError
from ..stores import Store
from ..stores.annotations import Annotations, Name
from .entries import listed
from .query import check_indices

LARGEST_NAME = 2**63 - 1
"""Largest whole number that can be a name; its negative is the smallest."""

SEARCHED = 10_000
"""Number of names among which one like an unknown name is searched."""

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
        if isinstance(name, int) and abs(name) > LARGEST_NAME:
            raise DomainError(
                f"names that are numbers must be between ±{LARGEST_NAME}, but entry {row} is "
                f"{short_repr(name)}. Use strings."
            )
    return names


def check_new_names(names: list[Name], stored: Annotations | None, unique: bool) -> None:
    """Raise unless the names are of the kind of those stored, and new if they must be unique."""
    before = () if stored is None or stored.names is None else stored.names
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


def check_stored_names(value: object, stored: Annotations | None) -> list[Name]:
    """Return one name or several as a list, if patterns have all of them."""
    if stored is None or stored.names is None:
        raise OptionError(
            "names must be left out: the patterns have none. Use indices, or store(…, names=…)."
        )
    is_single = isinstance(value, (str, int)) and not isinstance(value, bool)
    names = check_names([value] if is_single else value)
    for name in names:
        if name not in stored.names:
            raise _unknown(name, stored.names)
    return names


def places_of_names(names: Iterable[Name], stored: Sequence[Name]) -> dict[Name, list[int]]:
    """Return the rows of each name, in the order of `names`."""
    places: dict[Name, list[int]] = {name: [] for name in names}
    for row, name in enumerate(stored):
        if name in places:
            places[name].append(row)
    return places


def rows_of_names(value: object, stored: Annotations | None) -> Int[Tensor, " k"]:
    """Return the indices of all rows that have these names, in order of the rows."""
    names = check_stored_names(value, stored)
    places = places_of_names(names, stored.names if stored and stored.names else ())
    return torch.tensor(sorted(chain.from_iterable(places.values())), dtype=torch.long)


def removed_rows(store: Store, indices: object, names: object) -> Int[Tensor, " k"]:
    """Return the rows that `remove` removes, by index or by name."""
    if indices is not None and names is not None:
        raise OptionError("remove takes indices or names=, but both are given.")
    if indices is None and names is None:
        raise InputTypeError("remove needs indices or names=, but both are None.")
    if names is None:
        return check_indices(indices, len(store))
    return rows_of_names(names, store.annotations)


def _unknown(name: Name, stored: Sequence[Name]) -> DomainError:
    hint = ""
    if type(name) is not type(stored[0]):
        hint = f" The names in this memory are {KINDS[type(stored[0])]}."
    elif isinstance(name, str):
        near = difflib.get_close_matches(name, map(str, stored[:SEARCHED]), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
    return DomainError(f"names must be stored ones, but {short_repr(name)} is not stored.{hint}")


def entries_at(entries: Sequence[Any], index: Int[Tensor, "*batch"]) -> Any:
    """Return the entries at these rows: one for one row, else an object array of their shape."""
    if not index.ndim:
        return entries[int(index)]
    found = np.empty(index.numel(), dtype=object)
    found[:] = [entries[i] for i in index.flatten().tolist()]
    return found.reshape(tuple(index.shape))
