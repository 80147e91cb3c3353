"""Learning rules of the classical network: from rows x_μ = ±1 to the coupling W.

`hebbian`, `covariance`, `pseudo_inverse` and `storkey` return W itself, and so does a `Perceptron`,
which is called with patterns, as a rule of your own is. `covariance_thresholds` returns the
thresholds of the covariance rule. `coupling` returns the cheapest form of W for a memory of n
patterns.
"""

from .choice import (
    FUNCTIONS,
    GROWING,
    LOW_RANK,
    OBJECTS,
    RULES,
    WEIGHTED,
    Rule,
    coupling,
    grown,
)
from .functions import Function
from .perceptron import Perceptron
from .precision import EXACT_INTEGERS, with_rounding_slack
from .projection import orthonormal, pseudo_inverse
from .storkey import storkey
from .sums import covariance, covariance_thresholds, hebbian

__all__ = [
    "EXACT_INTEGERS", "FUNCTIONS", "GROWING", "LOW_RANK", "OBJECTS", "RULES", "WEIGHTED",
    "Function", "Perceptron", "Rule", "coupling", "covariance", "covariance_thresholds",
    "grown", "hebbian", "orthonormal", "pseudo_inverse", "storkey", "with_rounding_slack",
]  # fmt: skip
