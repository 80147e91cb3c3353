"""Separations: one potential F on the scores, and its gradient, the weights."""

from typing import Any

from .base import Partial, Readout, Rows, Separation, with_parameters
from .polynomial import Polynomial, RectifiedPolynomial
from .softmax import Softmax
from .sparse import Entmax, Sparsemax, TopK

SEPARATIONS: dict[str, type[Any]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": Entmax,
    "topk": TopK,
    "polynomial": Polynomial,
    "rectified_polynomial": RectifiedPolynomial,
}
"""The library's separations by name."""

__all__ = [
    "SEPARATIONS",
    "Entmax",
    "Partial",
    "Polynomial",
    "Readout",
    "RectifiedPolynomial",
    "Rows",
    "Separation",
    "Softmax",
    "Sparsemax",
    "TopK",
    "with_parameters",
]
