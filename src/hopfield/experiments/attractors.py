"""Building blocks that measure fixed points: metastable states, and attractors by kind."""

from dataclasses import dataclass

import torch

from ..analysis.states import MASS as MASS
from ..analysis.states import kinds_of_states, n_effective
from ..cue import Cue
from ..typed import typed
from .records import Record, mean_and_sd, means_and_sds, record
from .setup import Setup, check_counts, draws, load_of, pattern_weights

SAME_STATE = 1e-4
"""States that agree when rounded to multiples of this count as one."""


@dataclass(frozen=True)
class Metastable:
    """Weights at the fixed points. Sweep `beta` for a β sweep.

    Args:
        beta: β, passed to the setup's `make`.
    """

    units: int = 64
    n: int = 50
    beta: float = 1.0
    damage: float = 0.1
    draws: int = 10
    seed: int = 0


@dataclass(frozen=True)
class AttractorCensus:
    """Attractors by kind, from random starts.

    Args:
        starts: random starts in each draw, from the setup's `patterns`.
        threshold: overlap (cosine, where patterns are not ±1) from which a state is of a kind.
    """

    units: int = 100
    n: int = 5
    starts: int = 200
    threshold: float = 0.95
    draws: int = 10
    seed: int = 0


@typed
def metastable(config: Metastable, setup: Setup) -> Record:
    """Count the patterns that share the weight at the fixed points.

    Results: `k` and `k_sd` over draws, the mean of the fewest weights that sum to 0.9; `single`,
    the share of fixed points with k = 1; `k_max`, the largest k; `counts`, the number of fixed
    points with k = 1, 2, … n.
    """
    check_counts(config, units=1, n=1, draws=1)
    means, singles = [], []
    counts = torch.zeros(config.n + 1, dtype=torch.int64)
    for rows, memory, source in draws(config, setup, beta=config.beta):
        cue = setup.damaged(rows, config.damage, source)
        k = n_effective(pattern_weights(memory, setup.final_states(memory, cue, source)))
        means.append(k.double().mean().item())
        singles.append((k == 1).double().mean().item())
        counts += torch.bincount(k, minlength=config.n + 1)
    return record(
        "metastable", setup, config,
        samples=len(means), k_max=int(counts.nonzero().max()), counts=counts[1:],
        **mean_and_sd("k", means), **mean_and_sd("single", singles),
    )  # fmt: skip


@typed
def attractor_census(config: AttractorCensus, setup: Setup) -> Record:
    """Sort the states that random starts settle in, as shares with `_sd` over draws.

    `stored`, `inverse` (the negative of a stored pattern), `mixture` (of ±1: the sign of a sum of
    3, 5 or 7 signed patterns; else the mean of 2 … 7), `spurious` (any other state); they sum to
    one. `distinct` is the number of different states.
    """
    check_counts(config, units=1, n=1, starts=1, draws=1)
    shares: list[dict[str, float]] = []
    for rows, memory, source in draws(config, setup):
        starts = setup.draw_patterns(config.starts, config.units, source)
        states = setup.final_states(memory, Cue(starts), source)
        kinds = kinds_of_states(rows, states, config.threshold)
        distinct = len(states.div(SAME_STATE).round().unique(dim=0))
        of_kind = {name: is_kind.double().mean().item() for name, is_kind in kinds.items()}
        shares.append({**of_kind, "distinct": float(distinct)})
    load = load_of(config.n, config.units)
    results = means_and_sds(shares)
    return record("attractor_census", setup, config, load=load, samples=len(shares), **results)
