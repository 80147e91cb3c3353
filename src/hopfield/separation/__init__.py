"""Separations: one potential F on the scores, and its gradient, the weights."""

from typing import Any

from .base import Partial, Readout, Rows, Separation, with_parameters
from .epanechnikov import Epanechnikov
from .normmax import Normmax
from .polynomial import Polynomial, RectifiedPolynomial
from .softmax import Softmax
from .sparse import Entmax, Sparsemax, TopK
from .subsets import KSubsets

SEPARATIONS: dict[str, type[Any]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": Entmax,
    "normmax": Normmax,
    "topk": TopK,
    "k_subsets": KSubsets,
    "epanechnikov": Epanechnikov,
    "polynomial": Polynomial,
    "rectified_polynomial": RectifiedPolynomial,
}
"""The library's separations by name."""

__all__ = [
    "SEPARATIONS",
    "Entmax",
    "Epanechnikov",
    "KSubsets",
    "Normmax",
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
