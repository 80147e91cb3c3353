"""Copies of a separation with other parameters, such as a larger β (a sharper separation)."""

import math
from collections.abc import Iterator

from torch import Tensor

from ..separation import Separation, Softmax, with_parameters
from .patterns import Patterns

QUANTILES = (0.5, 0.1, 0.0)
"""Quantiles of the margins from which β is computed, tried until all patterns are attractors.

The smaller the quantile, the more patterns have at least this margin, and the larger β."""


def sharper_separations(
    separation: Separation, margins: Tensor, patterns: Patterns
) -> Iterator[Separation]:
    """Yield separations under which patterns with these margins are fixed points.

    First k = 1 where there is a k, then a β per quantile of the margins, the smallest first. A
    margin is a pattern's score at itself minus the best score of another pattern there.
    """
    separation = with_float_parameters(separation)
    if hasattr(separation, "k"):
        separation = with_parameters(separation, k=1)
        yield separation
    separation = separation if hasattr(separation, "beta") else Softmax(0.0)
    beta, inverse_width = float(separation.beta), separation.inverse_width()
    # β is computed for softmax. Other separations need β / scale to weigh scores as sharply.
    scale = inverse_width / beta if inverse_width and 0 < beta < math.inf else 1.0
    margins = margins[(margins > 0) & margins.isfinite()]
    for quantile in QUANTILES if len(margins) else ():
        margin = float(margins.quantile(quantile))
        candidate = round_up(well_separated_beta(margin, patterns) / scale)
        if candidate > beta:
            beta = candidate
            yield with_parameters(separation, beta=beta)


def well_separated_beta(margin: float, patterns: Patterns) -> float:
    """Return a β at which a pattern with margin Δ is well separated, as with every larger β.

    It solves the condition of Ramsauer et al. (2021), Δ = 2/(βn) + log(2n²βM²)/β, where M is the
    largest norm of a pattern.
    """
    size = 2 * patterns.count**2 * float(patterns.norms.max()) ** 2
    beta = 1 / margin
    for _ in range(4):  # a fixed point iteration, fast because β enters by its logarithm
        beta = (2 / patterns.count + max(1.0, math.log(max(size * beta, 1.0)))) / margin
    return beta


def with_float_parameters(separation: Separation) -> Separation:
    """Copy a separation, with each tensor parameter as a number of 6 significant digits."""
    learned = {k: float(v) for k, v in vars(separation).items() if isinstance(v, Tensor)}
    return with_parameters(separation, **{k: float(f"{v:.6g}") for k, v in learned.items()})


def round_up(number: float) -> float:
    """Round up to two significant digits."""
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.ceil(number / step - 1e-9) * step:.2g}")
