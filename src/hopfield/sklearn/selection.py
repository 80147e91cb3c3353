"""Choice of β and λ on hidden entries, and errors on others, hidden before completion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .donors import Donors, Questions
from .features import Features
from .gaussian import fit_gaussian
from .table import Column

BETAS = tuple(2.0**k for k in range(-7, 7))
"""The β to try, for standardised features."""

HIDDEN = 0.1
"""Share of known entries that are hidden to choose β and λ, and again to measure errors."""

MOST_ASKED = 2048
"""Most rows asked to choose β and λ."""


@dataclass(frozen=True, eq=False)
class Choice:
    """β and λ, and errors of filled entries that did not choose them.

    Attributes:
        beta, linear: β and λ.
        column, error: column and signed error (truth − filled) of each entry measured; for a
            category 1 where it is wrong.
    """

    beta: float
    linear: float
    column: np.ndarray
    error: np.ndarray


def hide(table: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two disjoint masks of known entries to hide.

    No column loses its last known entry.
    """
    draw = draws.random(table.shape)
    draw[np.isnan(table)] = 1.0
    for j in range(table.shape[1]):
        known = np.flatnonzero(~np.isnan(table[:, j]))
        if len(known):
            draw[known[draws.integers(len(known))], j] = 1.0
    return draw < HIDDEN, (draw >= HIDDEN) & (draw < 2 * HIDDEN)


def choose(
    table: np.ndarray,
    columns: Sequence[Column],
    group: Tensor,
    beta: float | None,
    linear: float | None,
    draws: np.random.Generator,
) -> Choice:
    """Return β and λ of least error on hidden entries; a number given is taken."""
    choosing, measuring = hide(table, draws)
    remaining = np.where(choosing | measuring, np.nan, table)
    features = Features.of(remaining, columns)
    rows, known = features.encode(remaining)
    truth, _ = features.encode(table)
    gaussian, completed = fit_gaussian(rows, known)
    donors = Donors(completed, group, gaussian)
    questions = Questions(rows, known, group)
    asked = _some((choosing | measuring).any(1), draws)
    wide = [torch.from_numpy(np.repeat(mask, features.sizes, 1)) for mask in (choosing, measuring)]
    beta, linear = _least(donors, questions[asked], truth[asked], wide[0][asked], beta, linear)
    filled = features.decode(donors.fill(questions[asked], beta, linear), columns)
    chosen = asked.numpy()
    row, column = np.nonzero(measuring[chosen])
    error = table[chosen][row, column] - filled[row, column]
    is_category = np.array([c.levels is not None for c in columns])[column]
    return Choice(beta, linear, column, np.where(is_category, (error != 0) * 1.0, error))


def _some(eligible: np.ndarray, draws: np.random.Generator) -> Tensor:
    indices = np.flatnonzero(eligible)
    if len(indices) > MOST_ASKED:
        indices = np.sort(draws.choice(indices, MOST_ASKED, replace=False))
    return torch.from_numpy(indices)


def _least(
    donors: Donors,
    questions: Questions,
    truth: Tensor,
    hidden: Tensor,
    beta: float | None,
    linear: float | None,
) -> tuple[float, float]:
    """The error of λ is a parabola for each β, so that one pass over the scores finds both."""
    betas = BETAS if beta is None else (beta,)
    sums = torch.zeros(len(betas), 3, dtype=torch.float64)
    for part, asked in questions.blocks(len(donors.rows)):
        scores, mask = donors.scores(asked), hidden[part]
        for k, each in enumerate(betas):
            readout = donors.weights(scores, each) @ donors.rows
            left = (truth[part] - readout)[mask]
            gain = donors.gain(asked, readout)[mask]
            sums[k] += torch.stack([left @ left, left @ gain, gain @ gain])
    square, product, gains = sums.unbind(-1)
    best = (
        (product / gains.clamp_min(1e-30)).clamp(0, 1)
        if linear is None
        else torch.full_like(product, linear)
    )
    error = square - 2 * best * product + best.square() * gains
    k = int(error.argmin())
    return betas[k], float(best[k])
