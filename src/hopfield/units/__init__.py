"""Unit rules of the binary networks: each unit takes the value of lower energy.

    classical    x_i' = sign(Σ_j W_ij x_j − b_i)            (W without its diagonal, by default)
    dense        x_i' = sign(F(s | x_i = +1) − F(s | x_i = −1))

A sweep is asynchronous (one unit after another, never raising the energy) or synchronous (all from
the same state). On a tie the present value stays; an unknown unit, 0, adds nothing to a score.
"""

from .classical import classical_sweep
from .dense import dense_sweep, sign_columns
from .flips import exact_dot, saturated_beta
from .following import field_rounding, following_field
from .signs import glauber, sign_or_keep, thermal_cut

__all__ = [
    "classical_sweep", "dense_sweep", "exact_dot", "field_rounding", "following_field",
    "glauber", "saturated_beta", "sign_columns", "sign_or_keep", "thermal_cut",
]  # fmt: skip
