"""Choice of β, λ and the number of Gaussians on hidden entries, and errors on others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .donors import Donors, Questions, finite_beta
from .factors import fit_factors
from .features import FLOAT32_COLUMNS, Features
from .gaussian import fit_gaussian, fit_mixture
from .progress import Report, silent
from .row_model import RowModel
from .table import StoredColumn

BETAS = tuple(2.0**k for k in range(-7, 7))
"""The β to try, for standardised features; each is twice the one before."""

COMPONENTS = 4
"""Number of Gaussians to try after one."""

LEAST_ROWS = 20
"""Least rows per Gaussian for several to be tried."""

LEAST_GAIN = 0.02
"""Share by which the squared error must fall for a setting with more parts to be taken."""

FAR = 3.0
"""Standard deviations from the mean beyond which the error of a hidden feature counts less: a few
far entries would choose the settings of all."""

HIDDEN = 0.05
"""Share of known entries that are hidden to choose settings, and again to measure errors."""

ENOUGH, MOST_TRIALS = 700, 6
"""Entries to choose by, for which other ones are hidden again, and most times of hiding."""

MOST_MEASURED = 1000
"""Most rows read per trial to measure errors."""

SCREENED = 2000
"""Most rows on which several Gaussians are compared with one."""

NEARBY = 4.0
"""Largest ratio of β for several Gaussians to the best one for one Gaussian, and the reverse."""

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
        features, model: the features of the first table with hidden entries, and the Gaussians.
        components: number of Gaussians.
        readings: settings of each reading of the stored rows; the last one fills gaps.
        column, error: column and signed error (truth − filled) of each entry measured; for a
            category 1 where it is wrong.
    """

    features: Features
    model: RowModel
    components: int
    readings: tuple[Setting, ...]
    column: np.ndarray
    error: np.ndarray


def completed_by_one(rows: Tensor, known: Tensor, group: Tensor) -> Donors:
    """Return the rows completed by one Gaussian, of few factors if there are many features."""
    few = _fitted(rows)
    fit = fit_factors if rows.shape[1] > FLOAT32_COLUMNS else fit_gaussian
    model = fit(rows[few], known[few])
    return Donors(model.complete(rows, known), group, model)


def completed_by_several(one: Donors, rows: Tensor, known: Tensor, components: int) -> Donors:
    """Return the rows completed by a mixture, begun at the clusters that one Gaussian completes."""
    few = _fitted(rows)
    completed = one.model.complete(rows[few], known[few])
    model = fit_mixture(one.model, completed, known[few], _clusters(completed, components))
    return Donors(model.complete(rows, known), one.group, model)


def refitted_donors(rows: Tensor, known: Tensor, group: Tensor, model: RowModel) -> Donors:
    """Return the rows completed by Gaussians, begun at those of a table almost the same."""
    few = _fitted(rows)
    model = model.refitted(rows[few], known[few])
    return Donors(model.complete(rows, known), group, model)


def _fitted(rows: Tensor) -> Tensor:
    return _evenly(len(rows), max(FITTED, FITTED_PER_FEATURE * rows.shape[1]))


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
        per_row = choosing.sum() / max(1, choosing.any(1).sum())
        self.choosing = self._some(choosing, ENOUGH / max(1.0, per_row))
        self.measured = self._some(measuring, MOST_MEASURED)

    @staticmethod
    def _some(hidden: np.ndarray, most: float) -> Tensor:
        rows = torch.from_numpy(np.flatnonzero(hidden.any(1)))
        return rows[_evenly(len(rows), math.ceil(most))]

    @cached_property
    def _one(self) -> Donors:
        return completed_by_one(self.questions.rows, self.questions.known, self.questions.group)

    def donors(self, components: int) -> Donors:
        """Return the stored rows, completed without the hidden entries."""
        if components == 1:
            return self._one
        return completed_by_several(
            self._one, self.questions.rows, self.questions.known, components
        )

    def sums(self, donors: Donors, betas: Sequence[float]) -> Tensor:
        """Σ e², Σ e·g and Σ g² over hidden features, `(betas, 3)`.

        e is the error of the readout and g the linear gain: (e − λg)² is the error at λ. Both count
        less where the truth is far out.
        """
        sums = torch.zeros(len(betas), 3, dtype=torch.float64)
        questions = self.questions[self.choosing]
        truth, hidden = self.truth[self.choosing], self.hidden[self.choosing]
        readouts = _readouts(donors, questions, betas)
        for part in donors.model.blocks(len(questions)):
            conditional = donors.model.given(questions.rows[part], questions.known[part])
            weight = (FAR / truth[part][hidden[part]].abs()).clamp_max(1)
            for k, readout in enumerate(readouts[:, part]):
                error = weight * (truth[part] - readout)[hidden[part]]
                gain = weight * conditional.gain(readout)[hidden[part]]
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


def _readouts(donors: Donors, questions: Questions, betas: Sequence[float]) -> Tensor:
    """Return x̄ for each β, each twice the one before; `(betas, questions, dim)`."""
    readouts = donors.rows.new_empty(len(betas), *questions.rows.shape)
    # A column of ones: the sum of the weights. Float32 is enough to choose by.
    rows = torch.nn.functional.pad(donors.rows.float(), (0, 1), value=1.0)
    for part, block in questions.blocks(len(rows)):
        scores = donors.scores(block)
        scores -= scores.amax(-1, keepdim=True)
        weights = scores.float().mul_(finite_beta(betas[0])).exp_()
        for k in range(len(betas)):
            if k:  # exp(2β s) = exp(β s)²
                weights.square_()
            sums = weights @ rows
            readouts[k, part] = sums[:, :-1] / sums[:, -1:]
    return readouts


def choose(
    table: np.ndarray,
    columns: Sequence[StoredColumn],
    group: Tensor,
    given: tuple[float | None, float | None],
    draws: np.random.Generator,
    report: Report = silent,
) -> Choice:
    """Return the settings of least error on hidden entries; β or λ that is given is taken."""
    best = _search(table, columns, group, given, draws, report)
    if len(table) <= MOST_REREAD:
        best.reread(REREADS)
    pairs = zip(best.trials, best.donors, strict=True)
    measured = [trial.errors(donors, best.readings[-1]) for trial, donors in pairs]
    column, error = (np.concatenate(each) for each in zip(*measured, strict=True))
    first, model = best.trials[0].features, best.donors[0].model
    return Choice(first, model, best.components, tuple(best.readings), column, error)


def _trials(
    table: np.ndarray, columns: Sequence[StoredColumn], group: Tensor, draws: np.random.Generator
) -> list[Trial]:
    """Hide entries; none chooses in one trial and measures in another."""
    known = ~np.isnan(table)
    number = math.ceil(ENOUGH / max(1.0, HIDDEN * known.sum()))
    # In many rows, all entries of a row choose or all measure: half of the rows are read then.
    by_row = len(table) > MOST_REREAD
    chooses = draws.random((len(table), 1) if by_row else table.shape) < 0.5
    trials = []
    for _ in range(min(number, MOST_TRIALS)):
        hidden = known & (draws.random(table.shape) < 2 * HIDDEN)
        for j in np.flatnonzero(known.any(0)):  # every column keeps a known entry
            hidden[draws.choice(np.flatnonzero(known[:, j])), j] = False
        trials.append(Trial(table, columns, group, hidden & chooses, hidden & ~chooses))
    return trials


def _search(
    table: np.ndarray,
    columns: Sequence[StoredColumn],
    group: Tensor,
    given: tuple[float | None, float | None],
    draws: np.random.Generator,
    report: Report,
) -> "_Search":
    """Return the settings with one Gaussian or several; some of many rows decide which."""
    trials = _trials(table, columns, group, draws)
    dim = sum(trials[0].features.sizes)
    if dim > FLOAT32_COLUMNS or len(table) < LEAST_ROWS * COMPONENTS:
        return _Search(trials, 1, given, report)
    few, small = _evenly(len(table), SCREENED), trials
    if len(few) < len(table):
        small = _trials(table[few.numpy()], columns, group[few], draws)
    best = _Search(small, 1, given, report)
    several = _Search(small, COMPONENTS, given, report, near=best.readings[0].beta)
    if several.error < (1 - LEAST_GAIN) * best.error:
        best = several
    return best if small is trials else _Search(trials, best.components, given, report)


def _gaussians(count: int) -> str:
    return "one Gaussian" if count == 1 else f"{count} Gaussians"


class _Search:
    """Settings of least error with a number of Gaussians."""

    def __init__(
        self,
        trials: list[Trial],
        components: int,
        given: tuple[float | None, float | None],
        report: Report,
        near: float | None = None,
    ) -> None:
        self.trials, self.components, self.linear = trials, components, given[1]
        self.betas = BETAS if given[0] is None else (given[0],)
        if near is not None:
            self.betas = tuple(b for b in self.betas if near / NEARBY <= b <= near * NEARBY)
        self.donors: list[Donors] = []
        for trial in trials:
            report(f"fitting {_gaussians(components)}", len(self.donors), len(trials))
            self.donors.append(trial.donors(components))
        setting, self.error = self._least(self.donors)
        self.readings = [setting]

    def _least(self, donors: list[Donors]) -> tuple[Setting, float]:
        """For each β the error is a parabola of λ: one pass over the scores finds both."""
        pairs = zip(self.trials, donors, strict=True)
        sums = torch.stack([trial.sums(each, self.betas) for trial, each in pairs]).sum(0)
        square, product, gains = sums.unbind(-1)
        best = (product / gains.clamp_min(1e-30)).clamp(0, 1)
        if self.linear is not None:
            best = torch.full_like(product, self.linear)
        errors = square - 2 * best * product + best.square() * gains
        k = int(errors.argmin())
        if not bool(square.any()):  # nothing was hidden
            k = len(self.betas) // 2
        return Setting(self.betas[k], float(best[k])), float(errors[k])

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
