"""Separations: one potential F on the scores, and its gradient, the weights."""

from typing import Any

from ..checks import check_choice
from ..errors import OptionError
from .base import Separation, with_parameters
from .epanechnikov import Epanechnikov
from .normmax import Normmax
from .partial import Partial, Readout, Rows
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

UNNAMED = {
    "topk": "its k has no default that fits most data: use TopK(k, beta)",
    "epanechnikov": "its weights do not sum to one: use ModernHopfield(separation=Epanechnikov(β))",
    "polynomial": "its weights do not sum to one: use DenseHopfield, or a DenseMemoryClassifier",
    "rectified_polynomial": "its weights do not sum to one: use DenseHopfield, or a "
    "DenseMemoryClassifier",
}
"""Separations of the table that are given as objects only, and why."""

NAMED = tuple(name for name in SEPARATIONS if name not in UNNAMED)
"""Names that stand for a separation where layers, `tune` or estimators decide β.

Other parameters have their defaults: α = 1.5 of entmax, α = 2 of normmax, k = 2 of k-subsets.
"""


def separation_named(argument: str, name: object, *, hint: str = "") -> Separation:
    """Return the separation of a name in `NAMED`, with β = 1; `argument` is named in errors."""
    if isinstance(name, str) and name in UNNAMED:
        raise OptionError(f"{argument} must not be the name {name!r}: {UNNAMED[name]}.")
    kind: type[Separation] = SEPARATIONS[check_choice(argument, name, NAMED, hint=hint)]
    return kind()


__all__ = [
    "NAMED", "SEPARATIONS", "Entmax", "Epanechnikov", "KSubsets", "Normmax", "Partial",
    "Polynomial", "Readout", "RectifiedPolynomial", "Rows", "Separation", "Softmax",
    "Sparsemax", "TopK", "separation_named", "with_parameters",
]  # fmt: skip
