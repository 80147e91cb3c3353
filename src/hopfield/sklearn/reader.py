"""Stored rows with values: their scaling, the choice of β, and the readout at new rows."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..errors import OptionError
from ..leave_one_out import Scored, beta_limits, left_out_losses
from ..memories import ModernHopfield
from ..memories.options import blocks_of
from ..readout import read, with_values
from ..separation import Separation, with_parameters
from ..similarity import TensorRows
from .row_weights import RowWeights
from .settings import Settings

FACTOR = 2.0
"""Ratio of one β to the last, of those that are tried."""
LEFT_OUT, SCORES = 256, 2**24
"""Rows that are left out in turn to choose β: all of them if their scores with all rows are fewer
than the second number; otherwise those that it allows, but at least the first number."""
RANGE_ROWS = 64
"""Rows whose scores set the range of β."""
BATCH_SCORES = 2**20
"""Most scores of rows that are left out at a time, if one row has no more."""
QUERIES = 1024
"""Most rows that are read at a time."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""(predicted values, their own values) → one loss per row."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A memory of scaled rows.

    Attributes:
        memory: the scaled rows with their values, and similarity, separation and β.
        scaler: the scaling.
        weights: how often each row counts.
        loss: mean loss of rows that were left out, or None if nothing was chosen.
    """

    memory: ModernHopfield
    scaler: StandardScaler
    weights: RowWeights
    loss: float | None = None

    def states(self, rows: np.ndarray) -> Iterator[Tensor]:
        """Yield scaled rows, some at a time."""
        for start in range(0, len(rows), QUERIES):
            yield torch.from_numpy(self.scaler.transform(rows[start : start + QUERIES]))

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the weighted sums of values at these rows, by weights at the rows themselves."""
        memory, parts = self.memory, []
        memory.storage.summary()  # first: blocks then carry the norms
        for state in self.states(rows):
            blocks = [with_values(block) for block in blocks_of(memory.storage, len(state))]
            result = read(blocks, state, memory.similarity, memory.separation)
            parts.append(result.state if result.mean is None else result.mean)
        return torch.cat(parts).numpy()


def fit_reader(
    rows: np.ndarray,
    values: Tensor | None,
    settings: Settings,
    loss: Loss,
    averaged: Callable[[Tensor], Tensor],
    weights: RowWeights,
    damage: Callable[[Tensor], Tensor] | None = None,
) -> Reader:
    """Store the rows with the scaling and the β that predict rows best if they are left out.

    Args:
        rows: the rows, float64.
        values: stored with the rows.
        settings: settings that are fixed, and those to choose.
        loss: the loss of values that are predicted.
        averaged: scaled rows → the values `(n, out)` that are predicted.
        weights: how often each row counts. Of several copies one is left out at a time.
        damage: scaled rows → damaged rows at which the others are read; None: the rows themselves.
    """
    if weights.prior is not None and not settings.separation.takes_prior:
        raise OptionError(
            f"sample_weight must be None, because {type(settings.separation).__name__} does not "
            "take priors (takes_prior)."
        )
    readers = []
    for scale in settings.scales:
        scaler = StandardScaler(with_mean=scale, with_std=scale).fit(
            rows, sample_weight=None if weights.prior is None else weights.prior.numpy()
        )
        scaled = torch.from_numpy(scaler.transform(rows))
        separation, least = settings.separation, None
        if len(copies := weights.repeated(scaled)) > 1 and settings.has_choice:
            copied = weights.repeated(averaged(scaled))
            separation, least = _choose(copies, settings, loss, copied, damage, weights.importance)
        memory = ModernHopfield(separation=separation, similarity=settings.similarity)
        memory.store(scaled, values, prior=weights.prior)
        readers.append(Reader(memory, scaler, weights, least))
    return min(readers, key=lambda reader: math.inf if reader.loss is None else reader.loss)


def _choose(
    scaled: Tensor,
    settings: Settings,
    loss: Loss,
    values: Tensor,
    damage: Callable[[Tensor], Tensor] | None,
    importance: Tensor | None,
) -> tuple[Separation, float]:
    """Return the separation with the β of the least mean loss, and that loss."""
    count = len(scaled)
    number = min(count, max(LEFT_OUT, SCORES // count))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    own = torch.arange(count) if number == count else order[:number]
    states, block = scaled[own] if damage is None else damage(scaled[own]), TensorRows(scaled)

    def scored(number: int) -> Iterator[Scored]:
        size = max(1, BATCH_SCORES // count)
        for start in range(0, number, size):
            part = slice(start, min(start + size, number))
            yield own[part], settings.similarity(block, states[part], None)

    separations = [settings.separation]
    if settings.chooses_beta:
        low, high = beta_limits(scored(min(RANGE_ROWS, number)))
        steps = math.ceil(math.log(high / low, FACTOR))
        betas = [low * FACTOR**step for step in range(steps + 1)]
        separations = [with_parameters(settings.separation, beta=beta) for beta in betas]
    losses = left_out_losses(
        scored(number), separations, values,
        lambda predicted, place: loss(predicted, values[own[place]]), importance,
    )  # fmt: skip
    losses = (losses if importance is None else losses * importance[own]).mean(-1)
    best = int(losses.argmin())
    return separations[best], float(losses[best])
