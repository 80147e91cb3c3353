"""The checks of `store`: new patterns, and what they bring, must fit those stored before."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import (
    check_binary,
    check_dense,
    check_device,
    check_dim,
    check_finite,
    check_flag,
    check_norms,
    check_rows,
    check_tensor,
    dtype_name,
    short_repr,
)
from ..cue import Cue, check_known, unpack_cue
from ..errors import DomainError, InputTypeError, OptionError, ShapeError
from ..inputs import mask_from, patterns_from, values_from
from ..inputs.rows import NO_GAPS
from ..readout import block_rows
from ..stores import Store
from ..stores.annotations import Annotations
from .columns import check_table
from .entries import has_strings, listed
from .naming import check_names, check_new_names, names_of
from .options import check_convertible
from .priors import new_prior
from .query import target_of

if TYPE_CHECKING:
    from .contents import Contents


def given_patterns(memory: "Contents", patterns: Any, known: Any) -> tuple[Any, Any]:
    """Return patterns and mask as tensors; tensors and cues unchanged."""
    is_tensor = isinstance(patterns, Tensor)
    if isinstance(patterns, Cue) or (is_tensor and (known is None or isinstance(known, Tensor))):
        return patterns, known
    if is_tensor:
        rows = check_rows("patterns", patterns)
        shape = rows.shape
    else:
        with memory.storage.lock.reading:
            signs = memory.binary or memory.bounded or memory.storage.signs_only
            target = target_of(memory.storage, signs)
        rows, shape = patterns_from(patterns, target, known is not None)
        if target.dim is not None:
            rows = rows.to(target.dtype)
    if known is not None:
        known = mask_from(known, shape, rows.shape, rows.device)
    return rows, known


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


def check_storable(store: Store, patterns: object, values: object, signs: bool) -> Tensor:
    """Return the patterns if they and their values fit the stored ones; ±1 if `signs`."""
    stored = len(store) > 0
    rows = check_finite("patterns", check_rows("patterns", patterns), NO_GAPS if signs else "")
    rows = check_dim("patterns", rows, store.dim) if stored else rows
    if signs:
        check_binary("patterns", rows)
    check_norms("patterns", rows)
    if stored:
        check_device("patterns", rows, store.device)
        _check_dtype("patterns", rows, store.dtype)
    check_values(store, rows, values)
    return rows


def check_annotations(
    memory: "Contents",
    rows: Tensor,
    labels: object,
    names: object,
    prior: object,
    table: object,
    unique: object = False,
) -> Annotations | None:
    """Return annotations of new rows that fit those in the memory; None without any."""
    count, stored = len(rows), memory.storage.annotations
    new = Annotations(
        count,
        None if names is None else check_names(names, count),
        None if labels is None else check_labels(labels, count),
        new_prior(memory, prior, rows),
        {} if table is None else check_table(table, count),
    )
    unique = check_flag("unique", unique)
    if stored is not None or not new.is_empty:
        (stored or Annotations(len(memory))).check_extension(new)
    if new.names is not None:
        check_new_names(new.names, names_of(memory.storage), unique)
    return None if new.is_empty else new


def check_labels(values: object, count: int) -> list[str]:
    """Return values that are strings, one per pattern."""
    labels = listed("values", values, count)
    for row, label in enumerate(labels):
        if not isinstance(label, str):
            raise InputTypeError(
                "values must be all strings, or a tensor of numbers, but entry 0 is "
                f"{short_repr(labels[0])} and entry {row} is {short_repr(label)}."
            )
    return labels


def split_labels(store: Store, values: object, patterns: object) -> tuple[object, Tensor | None]:
    """Return values that are strings, and other values; one of both is None."""
    stored = store.annotations
    before = store.empty_values() if len(store) else None
    if not has_strings(values):
        if values is not None and stored is not None and stored.labels is not None:
            raise InputTypeError(
                f"values must be strings like those in the memory, but are {short_repr(values)}."
            )
        values = values_from(values, before, getattr(patterns, "device", None))
        return None, values  # type: ignore[return-value]  # `check_values` comes later
    if before is not None:
        raise InputTypeError(
            f"values must be a {dtype_name(before)} tensor like those in the store, but are "
            "strings. Begin a new memory for strings."
        )
    return values, None


def append(
    store: Store,
    patterns: Tensor,
    values: Tensor | None,
    known: Tensor | None = None,
    annotations: Annotations | None = None,
) -> None:
    """Append checked patterns with all they bring; none if the store drops the values."""
    before = len(store)
    store.add(patterns, values, known=known, annotations=annotations)
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


def check_conversion(memory: "Contents", dtype: torch.dtype) -> None:
    """Raise unless all patterns and floating point values can be converted to `dtype`."""
    for block in memory.storage.blocks(block_rows(1)):  # all rows, whatever rank has them
        rows = check_convertible("patterns", block.rows, dtype)
        memory.check_new(check_norms("patterns", rows), len(memory) - len(rows))
        if block.values is not None and block.values.is_floating_point():
            check_convertible("values", block.values, dtype)
