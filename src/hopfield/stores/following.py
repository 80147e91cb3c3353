"""Annotations follow the rows of a store: they change with `append`, `remove` and `to`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import ShapeError
from .annotations import Annotations
from .growing import remaining_rows

if TYPE_CHECKING:
    from .base import Store


@contextmanager
def following_annotations(store: "Store", change: str, *arguments: object) -> Iterator[None]:
    """Change the annotations as `change`, a method of the store, changes the rows.

    Changes may call each other, for instance `remove` in the `append` of a store that drops its
    oldest rows. The number of rows tells what the inner ones have left to do.
    """
    before = store.annotations
    try:
        if not store._followed:
            store.annotations = before or Annotations(len(store))
            if change.startswith("append"):
                store.annotations.check_extension(store._incoming or Annotations(0))
        mask = None
        if change == "remove":
            mask = remaining_rows(len(store), torch.as_tensor(arguments[0]))
        store._followed += 1
        try:
            yield
        finally:
            store._followed -= 1
        followed = _followed(store, change, mask)
    except BaseException:
        store.annotations = before
        raise
    is_needed = store._followed or (followed.count and not followed.is_empty)
    store.annotations = followed if is_needed else None


def _followed(store: "Store", change: str, mask: Tensor | None) -> Annotations:
    annotations = store.annotations or Annotations(len(store))
    added = len(store) - annotations.count
    if mask is not None and added < 0:
        annotations = annotations.at(mask[: annotations.count].nonzero().squeeze(-1))
    elif change == "to":
        annotations = annotations.to(store.device)
    elif change.startswith("append") and added > 0:
        annotations = annotations.extended(store._incoming or Annotations(added))
    if annotations.count != len(store) and not store._followed:
        raise ShapeError(
            f"{type(store).__name__}.{change} must change as many rows as it is given, but left "
            f"{len(store)} rows, where {annotations.count} are annotated."
        )
    return annotations
