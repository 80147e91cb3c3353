"""Methods that fill a table: HopfieldImputer, and three or four of scikit-learn."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hopfield.sklearn import HopfieldImputer

from .sources import Table

DRAWS = 20
"""Completed tables per sample."""

HIDDEN = 0.1
"""Share of known entries that are hidden for the residuals of KNNImputer."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A filled table.

    Attributes:
        values: `(rows, columns)`.
        seconds: time to fit and to fill.
        bounds: lower and upper bounds of 90 % intervals, or None.
        samples: `(DRAWS, rows, columns)`, or None.
        facts: further fields of the record.
    """

    values: np.ndarray
    seconds: float
    bounds: tuple[np.ndarray, np.ndarray] | None = None
    samples: np.ndarray | None = None
    facts: dict[str, float] | None = None


def hopfield(table: Table, cells: np.ndarray, seed: int) -> Answer:
    """Fill by HopfieldImputer with its defaults."""
    start = time.perf_counter()
    imputer = HopfieldImputer(categories=list(table.categories)).fit(cells)
    values = np.asarray(imputer.transform(cells), dtype=float)
    seconds = time.perf_counter() - start
    imputation = imputer.impute(cells, interval=0.9)
    samples = np.stack([np.asarray(t, dtype=float) for t in imputation.sample(DRAWS, seed)])
    bounds = np.asarray(imputation.low, dtype=float), np.asarray(imputation.high, dtype=float)
    facts = {"beta": float(imputer.beta_), "linear": float(imputer.linear_)}
    return Answer(values, seconds, bounds, samples, facts)


def knn(table: Table, cells: np.ndarray, seed: int) -> Answer:
    """Fill by KNNImputer(5, distance); samples add errors at hidden entries of the column."""
    from sklearn.impute import KNNImputer

    answer = _numeric(lambda: KNNImputer(n_neighbors=5, weights="distance"), table, cells)
    draws = np.random.default_rng(seed)
    hidden = ~np.isnan(cells) & (draws.random(cells.shape) < HIDDEN)
    for column in range(cells.shape[1]):
        known = np.flatnonzero(~np.isnan(cells[:, column]))
        hidden[known[:2], column] = [True, False]
    again = _numeric(
        lambda: KNNImputer(n_neighbors=5, weights="distance"),
        table,
        np.where(hidden, np.nan, cells),
    )
    samples = np.repeat(answer.values[None], DRAWS, axis=0)
    for column in range(cells.shape[1]):
        residuals = (cells - again.values)[hidden[:, column], column]
        samples[..., column] += draws.choice(residuals, samples.shape[:2])
    return Answer(answer.values, answer.seconds, samples=samples)


def ridge(table: Table, cells: np.ndarray, seed: int) -> Answer:
    """Fill by IterativeImputer(BayesianRidge), 30 rounds."""
    return _numeric(lambda: _iterative(None, 30, seed), table, cells)


def mean(table: Table, cells: np.ndarray, seed: int) -> Answer:
    """Fill by the mean of the column."""
    from sklearn.impute import SimpleImputer

    return _numeric(SimpleImputer, table, cells)


def trees(table: Table, cells: np.ndarray, seed: int) -> Answer:
    """Fill as missForest does: IterativeImputer with 100 extremely randomised trees, 5 rounds.

    As there, each split chooses among √columns of them.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(100, max_features="sqrt", random_state=seed)
    return _numeric(lambda: _iterative(forest, 5, seed), table, cells)


METHODS: dict[str, Callable[[Table, np.ndarray, int], Answer]] = {
    "hopfield": hopfield, "knn": knn, "ridge": ridge, "mean": mean, "trees": trees,
}  # fmt: skip
"""The methods; records carry their names."""


def _iterative(estimator: Any, rounds: int, seed: int) -> Any:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(estimator, max_iter=rounds, random_state=seed)


def _numeric(make: Callable[[], Any], table: Table, cells: np.ndarray) -> Answer:
    """Fill standardised numbers and indicators of categories; return the likeliest category."""
    numbers = [j for j in range(cells.shape[1]) if j not in table.categories]
    centre, scale = np.nanmean(cells[:, numbers], axis=0), np.nanstd(cells[:, numbers], axis=0)
    scale[scale == 0] = 1
    parts = [(cells[:, numbers] - centre) / scale]
    for j in table.categories:
        count = int(np.nanmax(cells[:, j])) + 1
        indicators = (cells[:, j, None] == np.arange(count)).astype(float)
        parts.append(np.where(np.isnan(cells[:, j, None]), np.nan, indicators))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 30 rounds did not converge
        filled = make().fit_transform(np.concatenate(parts, axis=1))
    seconds = time.perf_counter() - start
    values = cells.copy()
    values[:, numbers] = filled[:, : len(numbers)] * scale + centre
    place = len(numbers)
    for j, part in zip(table.categories, parts[1:], strict=True):
        values[:, j] = filled[:, place : place + part.shape[1]].argmax(axis=1)
        place += part.shape[1]
    return Answer(np.where(np.isnan(cells), values, cells), seconds)
