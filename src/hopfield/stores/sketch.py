"""A sketch of each row: a few coordinates that bound its distance from any state.

With orthonormal columns V and a centre μ, the sketch of x is

    σ(x) = (z, r),   z = Vᵀ(x − μ),   r = ‖x − μ − Vz‖.

A sketch is as long as x − μ, and sketches are no further apart than what they stand for:

    ‖σ(x)‖ = ‖x − μ‖,   ‖σ(x) − σ(y)‖ ≤ ‖x − y‖,   σ(x)·σ(y) ≥ (x − μ)·(y − μ).

V and μ stay what they are when rows come and go: any V is right, and principal axes are the
tightest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

MOST_COORDINATES = 128
"""Coordinates of a sketch by default, or a quarter of `dim` if that is less.

With 64 of 784, a noisy image needs ten times as many rows.
"""

FITTED_ROWS, FITTED_BYTES = 8192, 2**27
"""Most rows to which a sketch is fitted, evenly spaced, and their bytes: more move it by little."""

PART_ENTRIES, PART_ROWS = 2**17, 64
"""Entries of rows that are upcast to float64 together; of long rows this number."""

ITERATIONS = 6
"""Products with the covariance that turn random axes into nearly principal ones."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """The map from rows to their sketches.

    Attributes:
        centre: μ, `(dim,)`, float64.
        axes: V, `(dim, size)`, float64: orthonormal to the digits of float64.
    """

    centre: Tensor
    axes: Tensor

    @classmethod
    def fit(cls, rows: Float[Tensor, "n dim"], size: int) -> "Sketch":
        """Fit the centre and the principal axes to some rows, by subspace iteration."""
        parts, zero = _parts(rows), torch.zeros(rows.shape[1], dtype=torch.float64)
        centre = sum((part.double().sum(0) for part in parts), zero) / len(rows)
        scale = max(float((part.double() - centre).abs().amax()) for part in parts) or 1.0
        draw = torch.Generator().manual_seed(0)
        axes = torch.randn(rows.shape[1], size, generator=draw, dtype=torch.float64)
        for _ in range(ITERATIONS):
            basis = torch.linalg.qr(axes).Q
            axes = torch.zeros_like(basis)
            for part in parts:
                deviations = (part.double() - centre) / scale  # so that no product overflows
                axes += deviations.T @ (deviations @ basis)
        # Householder's Q is orthonormal even where rows vary along fewer axes.
        return cls(centre, torch.linalg.qr(axes).Q)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Sketch":
        """Return the sketch that `to_bytes` wrote."""
        tensors = load(content)
        return cls(tensors["centre"], tensors["axes"])

    def to_bytes(self) -> bytes:
        """Return centre and axes as a file of safetensors."""
        return save({"centre": self.centre, "axes": self.axes.contiguous()})

    @property
    def size(self) -> int:
        """The number of coordinates z."""
        return self.axes.shape[1]

    def of(self, rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n coordinates"]:
        """Return σ of each row, float64."""
        deviations = rows.double() - self.centre
        coordinates = deviations @ self.axes
        rest = (deviations - coordinates @ self.axes.T).norm(dim=-1, keepdim=True)
        return torch.cat([coordinates, rest], dim=-1)

    def columns(self, rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n columns"]:
        """Return what a table keeps of each row, float32: σ(x), and μ·(x − μ) for dot products."""
        parts = []
        for part in _parts(rows):
            lift = (part.double() - self.centre) @ self.centre
            parts.append(torch.cat([self.of(part), lift[:, None]], dim=-1).float())
        return torch.cat(parts)


def _parts(rows: Tensor) -> Sequence[Tensor]:
    return rows.split(max(PART_ROWS, PART_ENTRIES // rows.shape[1]))
