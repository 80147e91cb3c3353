"""The meaning of the rows in a memory file, saved as metadata: pictures, columns or arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FileFormatError
from ..memories import Memory

KEY = "rows"
"""Key of the meaning of rows in `Memory.metadata`."""

KINDS = ("pictures", "columns", "arrays")


@dataclass(frozen=True)
class RowForm:
    """The meaning of the numbers in a row.

    A column x is stored as (x − centre)/scale, so that its unit does not matter.

    Attributes:
        kind: one of `KINDS`.
        shape: shape of a row: (height, width), or with colours (height, width, 3), for pictures.
        columns: names of columns; empty for other kinds.
        centre, scale: one number per column; empty for other kinds.
    """

    kind: str
    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @property
    def dim(self) -> int:
        """Number of entries in a row."""
        return math.prod(self.shape)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return self.shape[0], self.shape[1]

    @property
    def mode(self) -> str:
        """Colours of a picture, "L" or "RGB"."""
        return "RGB" if len(self.shape) == 3 else "L"

    def write_to(self, memory: Memory) -> None:
        """Keep the form in the metadata of a memory."""
        facts: dict[str, Any] = {"kind": self.kind, "shape": list(self.shape)}
        if self.columns:
            facts |= {name: list(getattr(self, name)) for name in ("columns", "centre", "scale")}
        memory.metadata[KEY] = facts

    def describe(self, count: int = 2) -> str:
        """Say in words what `count` rows are."""
        plural = "s" * (count != 1)
        if self.kind == "pictures":
            height, width = self.size
            colour = "colour" if self.mode == "RGB" else "grey"
            return f"picture{plural} of {width}x{height} pixels, {colour}"
        if self.kind == "columns":
            return f"row{plural} of {len(self.columns)} column{'s' * (len(self.columns) > 1)}"
        return f"array{plural} of shape {' × '.join(map(str, self.shape))}"


def form_of(memory: Memory, file: str) -> RowForm:
    """Return the form of the rows; those of a memory without one are arrays.

    Raises:
        FileFormatError: if the metadata are none that `hopfield store` wrote.
    """
    facts = memory.metadata.get(KEY)
    if facts is None:
        has_units = len(memory) or not memory.storage.holds_patterns
        return RowForm("arrays", (memory.storage.dim if has_units else 0,))
    try:
        form = RowForm(
            facts["kind"],
            tuple(map(int, facts["shape"])),
            *(tuple(facts.get(name, ())) for name in ("columns", "centre", "scale")),
        )
        is_right = form.kind in KINDS and (not len(memory) or form.dim == memory.storage.dim)
    except (KeyError, TypeError, ValueError):
        is_right = False
    if not is_right:
        raise FileFormatError(
            f"{file} must say what its rows are as hopfield store does, but has metadata "
            f"{KEY!r}: {facts!r:.80}. Store the inputs again."
        )
    return form


def fit_columns(columns: Sequence[str], table: Tensor, scaled: bool) -> RowForm:
    """Return the form of a table `(n, columns)` with NaN in gaps; `scaled` evens out the units."""
    centre, scale = np.zeros(table.shape[1]), np.ones(table.shape[1])
    if scaled:
        numbers = table.double().numpy()
        centre, spread = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        scale = np.where(spread > 0, spread, 1.0)
    return RowForm(
        "columns", (len(columns),), tuple(columns), tuple(centre.tolist()), tuple(scale.tolist())
    )


def to_stored(form: RowForm, table: Tensor) -> Tensor:
    """Return columns as they are stored."""
    centre, scale = _units(form)
    return ((table.double() - centre) / scale).float()


def to_units(form: RowForm, rows: Tensor) -> Tensor:
    """Return stored columns in the units of the table."""
    centre, scale = _units(form)
    return rows.double() * scale + centre


def _units(form: RowForm) -> Tensor:
    return torch.tensor([form.centre, form.scale], dtype=torch.float64)
