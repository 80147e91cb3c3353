"""Seconds of computing time to fill a table, by its number of rows, and of MNIST."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hopfield import data
from hopfield.errors import DataError
from hopfield.experiments import records
from hopfield.sklearn import HopfieldImputer

from .. import machine

SIZES = (1000, 2000, 3000, 5000, 10_000)
COLUMNS, SHARE = 20, 0.25
PICTURES, ASKED = 9000, 100
"""Rows of MNIST, and those of them that KNNImputer fills; its time is then multiplied."""

ROUNDS = 3
"""Times that each table of numbers is filled; the least time counts."""

Fill = Callable[[np.ndarray], Any]


def measure(path: Path, sizes: tuple[int, ...] = SIZES, pictures: int = PICTURES) -> None:
    """Write one record per size and method."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _hopfield(_with_gaps(_generated(100)))  # loads what a first call loads
    lines = []
    for rows in sizes:
        cells = _with_gaps(_generated(rows))
        for method, fill in {"hopfield": _hopfield, "knn": _knn, "ridge": _ridge}.items():
            lines.append(_line("generated", cells, method, _least(fill, cells)))
            print(lines[-1], flush=True)
    try:
        cells = _with_gaps(data.load("mnist").patterns[:pictures].double().flatten(1).numpy())
    except DataError as error:
        print(f"mnist: left out: {error}")
    else:
        lines.append(_line("mnist", cells, "hopfield", _seconds(_hopfield, cells)))
        print(lines[-1], flush=True)
        lines.append(_line("mnist", cells, "knn", _knn_by_part(cells)) | {"asked": ASKED})
        print(lines[-1], flush=True)
    records.write(path, machine.header(quick=True), lines)


def _generated(rows: int) -> np.ndarray:
    """Return rows near 20 centres with a linear part of rank 4."""
    draws = np.random.default_rng(0)
    centres = 2 * draws.standard_normal((20, COLUMNS))
    linear = draws.standard_normal((rows, 4)) @ draws.standard_normal((4, COLUMNS))
    noise = 0.5 * draws.standard_normal((rows, COLUMNS))
    return centres[draws.integers(20, size=rows)] + linear + noise


def _with_gaps(values: np.ndarray) -> np.ndarray:
    return np.where(np.random.default_rng(1).random(values.shape) < SHARE, np.nan, values)


def _seconds(fill: Fill, cells: np.ndarray) -> float:
    # Computing time, of one thread: other processes of the machine do not count.
    start = time.process_time()
    fill(cells)
    return time.process_time() - start


def _least(fill: Fill, cells: np.ndarray) -> float:
    return min(_seconds(fill, cells) for _ in range(ROUNDS))


def _line(case: str, cells: np.ndarray, method: str, seconds: float) -> records.Record:
    rows, columns = cells.shape
    return {"experiment": "times", "case": case, "rows": rows, "columns": columns,
            "share": SHARE, "method": method, "seconds": seconds}  # fmt: skip


def _hopfield(cells: np.ndarray) -> Any:
    return HopfieldImputer().fit_transform(cells)


def _knn(cells: np.ndarray) -> Any:
    from sklearn.impute import KNNImputer

    return KNNImputer(n_neighbors=5, weights="distance").fit_transform(cells)


def _ridge(cells: np.ndarray) -> Any:
    import warnings

    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 30 rounds did not converge
        return IterativeImputer(max_iter=30, random_state=0).fit_transform(cells)


def _knn_by_part(cells: np.ndarray) -> float:
    """Return the time of KNNImputer for all rows, from that of some of them."""
    from sklearn.impute import KNNImputer

    imputer = KNNImputer(n_neighbors=5, weights="distance").fit(cells)
    return _seconds(imputer.transform, cells[:ASKED]) * len(cells) / ASKED
