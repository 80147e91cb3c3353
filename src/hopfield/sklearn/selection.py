"""Choice of β, λ and the number of Gaussians on hidden entries, and errors on others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..separation import Softmax
from .donors import Donors, Questions
from .features import FLOAT32_COLUMNS, Features
from .gaussian import fit_gaussian, fit_mixture
from .table import StoredColumn

BETAS = tuple(2.0**k for k in range(-7, 7))
"""The β to try, for standardised features; each is twice the one before."""

COMPONENTS = 4
"""Number of Gaussians to try after one."""

LEAST_ROWS = 20
"""Least rows per Gaussian for several to be tried."""

LEAST_GAIN = 0.02
"""Share by which the squared error must fall for a setting with more parts to be taken."""

HIDDEN = 0.05
"""Share of known entries that are hidden to choose settings, and again to measure errors."""

ENOUGH, MOST_TRIALS = 700, 6
"""Entries to choose by, for which other ones are hidden again, and most times of hiding."""

MOST_MEASURED = 1000
"""Most rows read per trial to measure errors."""

SCREENED = 500
"""Rows on which several Gaussians are compared with one."""

MOST_REREAD = 1000
"""Most stored rows that are completed again by their own readouts."""

FITTED, FITTED_PER_FEATURE = 1000, 2
"""Most rows that Gaussians are fitted to: a number, or one per feature, the larger."""

REREADS = 2
"""Most times that stored rows are completed again."""


class Setting(NamedTuple):
    """β and λ of one reading."""

    beta: float
    linear: float


@dataclass(frozen=True, eq=False)
class Choice:
    """Settings of least error, and errors of filled entries that did not choose them.

    Attributes:
        components: number of Gaussians.
        readings: settings of each reading of the stored rows; the last one fills gaps.
        column, error: column and signed error (truth − filled) of each entry measured; for a
            category 1 where it is wrong.
    """

    components: int
    readings: tuple[Setting, ...]
    column: np.ndarray
    error: np.ndarray


def completed_donors(rows: Tensor, known: Tensor, group: Tensor, components: int) -> Donors:
    """Return the rows completed by a mixture of Gaussians."""
    few = _evenly(len(rows), max(FITTED, FITTED_PER_FEATURE * rows.shape[1]))
    mixture = fit_gaussian(rows[few], known[few])
    if components > 1:
        completed = mixture.complete(rows[few], known[few])
        mixture = fit_mixture(mixture, completed, known[few], _clusters(completed, components))
    return Donors(mixture.complete(rows, known), group, mixture)


def _evenly(count: int, most: int) -> Tensor:
    """Return `most` of the indices below `count`, evenly spaced."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long()


def _clusters(rows: Tensor, number: int) -> Tensor:
    from sklearn.cluster import KMeans

    number = min(number, len(torch.unique(rows, dim=0)))
    labels = KMeans(number, n_init=1, random_state=0).fit_predict(rows.numpy())
    return torch.from_numpy(np.unique(labels, return_inverse=True)[1])


class Trial:
    """A table with known entries hidden: some choose settings, others measure errors."""

    def __init__(
        self,
        table: np.ndarray,
        columns: Sequence[StoredColumn],
        group: Tensor,
        choosing: np.ndarray,
        measuring: np.ndarray,
    ) -> None:
        remaining = np.where(choosing | measuring, np.nan, table)
        self.table, self.columns, self.measuring = table, columns, measuring
        self.features = Features.of(remaining, columns)
        self.questions = Questions(*self.features.encode(remaining), group)
        self.truth, _ = self.features.encode(table)
        self.hidden = torch.from_numpy(np.repeat(choosing, self.features.sizes, 1))
        self.choosing = self._some(choosing, ENOUGH * len(table) / max(1, choosing.sum()))
        self.measured = self._some(measuring, MOST_MEASURED)

    @staticmethod
    def _some(hidden: np.ndarray, most: float) -> Tensor:
        rows = torch.from_numpy(np.flatnonzero(hidden.any(1)))
        return rows[_evenly(len(rows), math.ceil(most))]

    def donors(self, components: int) -> Donors:
        """Return the stored rows, completed without the hidden entries."""
        questions = self.questions
        return completed_donors(questions.rows, questions.known, questions.group, components)

    def sums(self, donors: Donors, betas: Sequence[float]) -> Tensor:
        """Σ e², Σ e·g and Σ g² over hidden features, `(betas, 3)`.

        e is the error of the readout and g the linear gain: (e − λg)² is the error at λ.
        """
        sums = torch.zeros(len(betas), 3, dtype=torch.float64)
        questions = self.questions[self.choosing]
        truth, hidden = self.truth[self.choosing], self.hidden[self.choosing]
        for part, block in questions.blocks(len(donors.rows)):
            conditional = donors.mixture.given(block.rows, block.known)
            weights = Softmax(betas[0])(donors.scores(block))
            for k in range(len(betas)):
                if k:  # softmax(2β s) is softmax(β s)², normalised
                    weights = weights.square_()
                    weights /= weights.sum(-1, keepdim=True)
                readout = weights @ donors.rows
                error = (truth[part] - readout)[hidden[part]]
                gain = conditional.gain(block.rows, readout)[hidden[part]]
                products = torch.stack([error @ error, error @ gain, gain @ gain])
                sums[k] += products.double()
        return sums

    def errors(self, donors: Donors, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
        """Return column and signed error of each entry that measures."""
        filled = donors.fill(self.questions[self.measured], *setting)
        decoded = self.features.decode(filled, self.columns)
        row, column = np.nonzero(self.measuring[self.measured.numpy()])
        error = self.table[self.measured.numpy()][row, column] - decoded[row, column]
        is_category = np.array([c.levels is not None for c in self.columns])[column]
        return column, np.where(is_category, (error != 0) * 1.0, error)


def choose(
    table: np.ndarray,
    columns: Sequence[StoredColumn],
    group: Tensor,
    given: tuple[float | None, float | None],
    draws: np.random.Generator,
) -> Choice:
    """Return the settings of least error on hidden entries; β or λ that is given is taken."""
    trials = _trials(table, columns, group, draws)
    best = _Search(trials, 1, given)
    dim = sum(trials[0].features.sizes)
    if dim <= FLOAT32_COLUMNS and len(table) >= LEAST_ROWS * COMPONENTS:
        small, one = trials, best
        if len(table) > SCREENED:
            few = _evenly(len(table), SCREENED)
            small = _trials(table[few.numpy()], columns, group[few], draws)
            one = _Search(small, 1, given)
        several = _Search(small, COMPONENTS, given)
        if several.error < (1 - LEAST_GAIN) * one.error:
            best = several if small is trials else _Search(trials, COMPONENTS, given)
    if len(table) <= MOST_REREAD:
        best.reread(REREADS)
    pairs = zip(trials, best.donors, strict=True)
    measured = [trial.errors(donors, best.readings[-1]) for trial, donors in pairs]
    column, error = (np.concatenate(each) for each in zip(*measured, strict=True))
    return Choice(best.components, tuple(best.readings), column, error)


def _trials(
    table: np.ndarray, columns: Sequence[StoredColumn], group: Tensor, draws: np.random.Generator
) -> list[Trial]:
    """Hide entries; none chooses in one trial and measures in another."""
    known = ~np.isnan(table)
    number = math.ceil(ENOUGH / max(1.0, HIDDEN * known.sum()))
    chooses = draws.random(table.shape) < 0.5
    trials = []
    for _ in range(min(number, MOST_TRIALS)):
        hidden = known & (draws.random(table.shape) < 2 * HIDDEN)
        for j in np.flatnonzero(known.any(0)):  # every column keeps a known entry
            hidden[draws.choice(np.flatnonzero(known[:, j])), j] = False
        trials.append(Trial(table, columns, group, hidden & chooses, hidden & ~chooses))
    return trials


class _Search:
    """Settings of least error with a number of Gaussians."""

    def __init__(
        self, trials: list[Trial], components: int, given: tuple[float | None, float | None]
    ) -> None:
        self.trials, self.components, self.given = trials, components, given
        self.donors = [trial.donors(components) for trial in trials]
        setting, self.error = self._least(self.donors)
        self.readings = [setting]

    def _least(self, donors: list[Donors]) -> tuple[Setting, float]:
        """For each β the error is a parabola of λ: one pass over the scores finds both."""
        beta, linear = self.given
        betas = BETAS if beta is None else (beta,)
        pairs = zip(self.trials, donors, strict=True)
        sums = torch.stack([trial.sums(each, betas) for trial, each in pairs]).sum(0)
        square, product, gains = sums.unbind(-1)
        best = (product / gains.clamp_min(1e-30)).clamp(0, 1)
        if linear is not None:
            best = torch.full_like(product, linear)
        errors = square - 2 * best * product + best.square() * gains
        k = int(errors.argmin())
        if not bool(square.any()):  # nothing was hidden
            k = BETAS.index(1.0) if beta is None else 0
        return Setting(betas[k], float(best[k])), float(errors[k])

    def reread(self, times: int) -> None:
        """Complete the stored rows by their own readouts, as long as that lowers the error."""
        for _ in range(times):
            donors = [
                each.completed_by(trial.questions, *self.readings[-1])
                for trial, each in zip(self.trials, self.donors, strict=True)
            ]
            setting, error = self._least(donors)
            if error >= self.error:
                return
            self.donors, self.error = donors, error
            self.readings.append(setting)
