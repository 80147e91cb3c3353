"""Published predictions for these networks as functions of plain numbers, each with its source.

N is the number of units, n the number of patterns, α = n/N their load.
"""

from .dense import (
    bit_error,
    bit_error_exact,
    error_free_patterns,
    exponential_failure,
    exponential_patterns,
    exponential_rate,
)
from .graded import critical_gain, graded_overlap
from .hebbian import (
    critical_load,
    first_sweep_overlap,
    retrieval_overlap,
    storkey_patterns,
    thermal_overlap,
)
from .modern import (
    fixed_point_error,
    sparse_fixed_share,
    sparse_margin,
    sphere_tail,
    theorem_3_constant,
    theorem_3_patterns,
    two_patterns_apart,
    update_error,
)
from .pairs import bidirectional_bit_error, bidirectional_load, bidirectional_overlap
from .rules import covariance_bit_error, perceptron_load, separable_share
from .sequences import (
    sequence_critical_load,
    sequence_error_exact,
    sequence_load,
    sequence_overlap,
    sequence_steps,
)

__all__ = [
    "bidirectional_bit_error", "bidirectional_load", "bidirectional_overlap", "bit_error",
    "bit_error_exact", "covariance_bit_error", "critical_gain", "critical_load",
    "error_free_patterns", "exponential_failure", "exponential_patterns", "exponential_rate",
    "first_sweep_overlap", "fixed_point_error", "graded_overlap", "perceptron_load",
    "retrieval_overlap", "separable_share", "sequence_critical_load", "sequence_error_exact",
    "sequence_load", "sequence_overlap", "sequence_steps", "sparse_fixed_share",
    "sparse_margin", "sphere_tail", "storkey_patterns", "theorem_3_constant",
    "theorem_3_patterns", "thermal_overlap", "two_patterns_apart", "update_error",
]  # fmt: skip
