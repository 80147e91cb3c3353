"""Annotations of rows as tensors of a file: names, labels and tables are JSON, as bytes."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..stores.annotations import Annotations
from .columns import check_table
from .naming import check_names
from .priors import set_prior
from .storing import check_labels

if TYPE_CHECKING:
    from .contents import Contents

NAMES, LABELS, PRIOR, TABLE = "rows.names", "rows.labels", "rows.prior", "rows.table"
TENSORS = {NAMES, LABELS, PRIOR, TABLE}
"""Names of these tensors. A point keeps them apart from the arguments of a constructor."""


def annotation_tensors(stored: Annotations | None) -> dict[str, Tensor]:
    """Return the annotations as tensors by their names; none without annotations."""
    if stored is None:
        return {}
    tensors = {} if stored.prior is None else {PRIOR: stored.prior}
    if stored.names is not None:
        tensors[NAMES] = _as_bytes(list(stored.names))
    if stored.labels is not None:
        tensors[LABELS] = _as_bytes(list(stored.labels))
    if stored.table:
        tensors[TABLE] = _as_bytes({name: list(cells) for name, cells in stored.table.items()})
    return tensors


def restore_annotations(memory: "Contents", tensors: dict[str, Tensor]) -> None:
    """Annotate the rows of a memory as the tensors of a file say, after the checks of `store`."""
    if not TENSORS & tensors.keys():
        return
    if LABELS in tensors and memory.storage.empty_values() is not None:
        raise KeyError("values are strings and numbers")
    count = len(memory)
    content = {name: _from_bytes(tensors[name]) for name in TENSORS - {PRIOR} if name in tensors}
    new = Annotations(
        count,
        check_names(content[NAMES], count) if NAMES in content else None,
        check_labels(content[LABELS], count) if LABELS in content else None,
        table=check_table(content[TABLE], count) if TABLE in content else {},
    )
    memory.storage.annotate(Annotations(0).extended(new))
    if PRIOR in tensors:
        set_prior(memory, None, tensors[PRIOR])


def _as_bytes(content: Any) -> Tensor:
    return torch.from_numpy(np.frombuffer(json.dumps(content).encode(), np.uint8).copy())


def _from_bytes(tensor: Tensor) -> Any:
    if tensor.dtype != torch.uint8:
        raise TypeError("JSON must be bytes")
    try:
        return json.loads(tensor.numpy().tobytes())
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error
