"""A copy of the rows with 8 bits per entry, for approximate scores with a known error."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..readout import ValuedBlock

GROUP = 8
"""Number of rows that a scan keeps or rejects together; copies are padded to whole groups."""

SMALLEST_STEP = 1e-12
"""Smallest distance between levels.

The reciprocal of a product of two is then a float32. Vectors that vary less are read in full.
"""


@dataclass(frozen=True, eq=False)
class Levels:
    """A scale of 256 equally spaced values from `low` to `high`: value = offset + step·code.

    Args:
        low: least value, float64: `()`, the same for all vectors, or `(n, 1)`, one for each.
        high: largest value, of the same shape.
    """

    low: Tensor
    high: Tensor

    @property
    def step(self) -> Tensor:
        """Distance between neighbouring levels."""
        return ((self.high - self.low) / 255).clamp_min(SMALLEST_STEP)

    @property
    def offset(self) -> Tensor:
        """The value of code 0."""
        return self.low + 128 * self.step

    def encode(self, vectors: Float[Tensor, "n dim"]) -> tuple[Tensor, Tensor]:
        """Return the nearest codes, int8, and their errors ‖x − offset − step·code‖, `(n,)`.

        8-bit images lose nothing on levels from 0 to 1.
        """
        exact, step, offset = vectors.double(), self.step, self.offset
        codes = ((exact - offset) / step).round_().clamp_(-128, 127)
        error = (exact - offset).addcmul_(step, codes, value=-1).norm(dim=-1)
        return codes.to(torch.int8), error


@dataclass(frozen=True, eq=False)
class ScanCopy:
    """A copy of all rows of a store, with one byte per entry.

    Attributes:
        codes: the codes, `(dim, n)`, a transpose of contiguous rows; n is a multiple of `GROUP`.
        sums: Σ_i code_i of each row, `(n,)`, float32.
        levels: the scale of the codes, x ≈ offset + step·code.
        norm: an upper bound of the norms ‖offset + step·code‖.
        error: the largest error ‖x − offset − step·code‖ of a row.
    """

    codes: Int[Tensor, "dim n"]
    sums: Float[Tensor, " n"]
    levels: Levels
    norm: float
    error: float

    @classmethod
    def of(cls, blocks: Iterable[ValuedBlock]) -> "ScanCopy":
        """Encode the rows of a store block by block."""
        parts = list(blocks)
        low = torch.stack([part.rows.min() for part in parts]).min().double()
        high = torch.stack([part.rows.max() for part in parts]).max().double()
        levels = Levels(low, high)
        encoded = [levels.encode(part.rows) for part in parts]
        codes = torch.cat([codes for codes, _ in encoded])
        codes = torch.nn.functional.pad(codes, (0, 0, 0, -len(codes) % GROUP))
        error = max(float(error.max()) for _, error in encoded)
        norm = max(float(part.squares(None).double().max().sqrt()) for part in parts)
        sums = codes.sum(-1, dtype=torch.int32).float()
        return cls(codes.T, sums, levels, 1.0001 * norm + error, error)


MOST_TERMS = 2**16
"""Largest number of entries per row: products of codes are then at most 2³⁰, and fit into int32."""


def products(left: Int[Tensor, "k dim"], right: Int[Tensor, "dim n"]) -> Float[Tensor, "k n"]:
    """Return the matrix product of codes, exact whole numbers rounded to float32."""
    whole = _product_of_codes()
    if whole is not None:
        return whole(left, right).float()
    dtype = torch.float32 if left.shape[-1] * 2**14 <= 2**24 else torch.float64
    return (left.to(dtype) @ right.to(dtype)).float()


@cache
def _product_of_codes() -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return torch's private product of int8 matrices, or None where it is missing or inexact."""
    product: Callable[[Tensor, Tensor], Tensor] | None = getattr(torch, "_int_mm", None)
    try:
        # Without VNNI instructions the sums of two products saturate at 16 bits: large codes of
        # one sign show it, all codes -128 do not.
        codes = torch.arange(-128, 128, dtype=torch.int8).repeat(4).reshape(32, 32)
        exact = codes.double() @ codes.double().T
        works = product is not None and torch.equal(product(codes, codes.T).double(), exact)
    except RuntimeError:
        works = False
    return product if works else None
