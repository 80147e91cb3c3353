"""The checks of `store`: new patterns and values must fit those stored before."""

import torch
from torch import Tensor

from ..checks import (
    check_dense,
    check_device,
    check_finite,
    check_norms,
    check_patterns,
    check_rows,
    check_tensor,
)
from ..cue import Cue, check_known, unpack_cue
from ..errors import DomainError, InputTypeError, OptionError, ShapeError
from ..stores import Store


def split_gaps(patterns: Tensor | Cue, known: object) -> tuple[Tensor, Tensor | None]:
    """Return the patterns, 0 where unknown, and the mask of known entries, None if all are."""
    given, known = unpack_cue("patterns", patterns, known)
    rows = check_rows("patterns", given)
    if known is None:
        return rows, None
    mask = check_known(known, rows, "pattern")
    empty = ~mask.any(-1)
    if bool(empty.any()):
        raise DomainError(
            "patterns must have at least one known entry each, but pattern "
            f"{int(empty.nonzero()[0])} has none. Leave it out."
        )
    rows = check_finite("patterns", torch.where(mask, rows, 0.0))
    check_norms("patterns", rows * rows.shape[-1] ** 0.5)  # scores grow by up to dim
    return rows, None if bool(mask.all()) else mask


def check_storable(store: Store, patterns: object, values: object) -> Tensor:
    """Return the patterns if they and their values fit the stored ones."""
    stored = len(store) > 0
    rows = check_patterns("patterns", patterns, store.dim if stored else None)
    check_norms("patterns", rows)
    if stored:
        check_device("patterns", rows, store.device)
        _check_dtype("patterns", rows, store.dtype)
    check_values(store, rows, values)
    return rows


def append(
    store: Store, patterns: Tensor, values: Tensor | None, known: Tensor | None = None
) -> None:
    """Append checked patterns and values; none if the store drops the values."""
    before = len(store)
    if known is None:
        store.append(patterns, values)
    else:
        store.append_with_gaps(patterns, known, values)
    if values is not None and store.empty_values() is None:
        store.remove(torch.arange(before, len(store)))
        raise OptionError(
            f"values must be left out, because a {type(store).__name__} keeps none. Leave them "
            "out, or use another store."
        )


def check_values(store: Store, patterns: Tensor, values: object) -> None:
    """Raise unless there is one value per pattern, like those stored before."""
    before = store.empty_values() if len(store) else None
    if len(store) and (before is None) != (values is None):
        now, advice = "values, earlier ones brought none", "Leave them out"
        if values is None:
            now, advice = "no values, earlier ones brought some", "Give values= here too"
        raise OptionError(
            f"values must come with every store or with none, but this call brings {now}. "
            f"{advice}, or begin a new memory."
        )
    if values is None:
        return
    values = check_dense("values", values)
    if values.ndim == 0 or len(values) != len(patterns):
        turned = values.ndim == 2 and values.shape[1] == len(patterns)
        raise ShapeError(
            f"values must have one row per pattern, {len(patterns)}, but have shape "
            f"{tuple(values.shape)}." + (" Did you mean values.T?" if turned else "")
        )
    check_device("values", values, patterns.device)
    if values.is_floating_point():
        check_tensor("values", values)
    if before is not None:
        check_device("values", values, before.device)
        _check_dtype("values", values, before.dtype)
        if values.shape[1:] != before.shape[1:]:
            shape = "".join(f", {size}" for size in before.shape[1:]) or ","
            raise ShapeError(
                f"values must have shape (n{shape}) as before, but have shape "
                f"{tuple(values.shape)}."
            )


def _check_dtype(name: str, new: Tensor, dtype: object) -> None:
    if new.dtype != dtype:
        raise InputTypeError(
            f"{name} must be {dtype} like those in the store, but are {new.dtype}. "
            f"Use {name}.to({dtype})."
        )
