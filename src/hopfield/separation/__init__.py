"""Separations: one potential F on the scores, and its gradient, the weights."""

from .base import Partial, Readout, Rows, Separation
from .polynomial import Polynomial, RectifiedPolynomial
from .softmax import Softmax
from .sparse import Entmax, Sparsemax, TopK

__all__ = [
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
]
