"""Fill the gaps of a table from its similar rows."""

import copy
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_array,
    check_is_fitted,
    validate_data,
)
from torch import Tensor

from ..checks import check_integer, check_number
from ..errors import InputTypeError, OptionError
from .donors import Questions
from .features import Features
from .imputation import INDICES, Imputation
from .intervals import HiddenErrors
from .progress import Report, as_report
from .rows import all_or_nothing
from .selection import choose, refitted_donors
from .table import RawTable, StoredColumn, is_frame, is_missing, read_table, rebuild, unmasked

HIDING = 0x48
"""Second seed of the choice of hidden entries. A user who hides entries by `default_rng(0)` to test
the imputer must not draw the same numbers: no known entry would be hidden."""


class HopfieldImputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fill missing entries from similar rows, and from linear relations of the columns.

    x̂ = x̄ + λ G(x − x̄),   x̄ = Σ_μ p_μ x_μ,   p = softmax(−½β‖x_μ − x‖²)

    The stored rows x_μ are standardised and completed first, by a Gaussian; distances count the
    known entries, and G is the regression of missing on known entries. λ = 1, β → 0 is a ridge
    regression; λ = 0, β → ∞ the nearest row. β and λ are those of least error on known entries,
    hidden for that. If hidden entries prefer it, a mixture of four Gaussians takes the place of
    one, and stored rows are completed again by their own readouts. A stored row never reads
    itself, nor rows of the same content.

        imputer = HopfieldImputer().set_output(transform="pandas")
        filled = imputer.fit_transform(table)
        result = imputer.impute(table, interval=0.9)   # result.low, result.high, result.sample(5)

    Args:
        beta: β for standardised entries, or "auto".
        linear: λ from 0 to 1, or "auto".
        categories: names or indices of columns of numbers to treat as categories. Columns of text,
            bools and dtype `category` are categories in any case.
        round: "auto" gives whole numbers in columns whose known entries are whole numbers, and no
            number outside the range of the known ones; None leaves values as computed; a list
            names columns to round.
        missing_values: a further mark of missing entries. NaN, None and pandas.NA are always.
        add_indicator: whether to append a column of 0 and 1 per column with gaps in `fit`.
        keep_empty_features: whether to keep columns without known entries, filled with 0.
        random_state: seed of the choice of hidden entries.
        verbose: 1 prints the progress; a function is called with (stage, done, total).

    Attributes:
        beta_, linear_: β and λ in use.
        components_: number of Gaussians.
        n_features_in_, feature_names_in_: number and names of the columns of `fit`.
        error_: error of each column at hidden entries: root mean square, or share of wrong
            categories. NaN where none was hidden.
    """

    def __init__(  # noqa: PLR0913 names of the imputers of scikit-learn
        self,
        *,
        beta: float | str = "auto",
        linear: float | str = "auto",
        categories: Sequence[Hashable] | None = None,
        round: str | Sequence[Hashable] | None = "auto",
        missing_values: Any = np.nan,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        random_state: int | None = 0,
        verbose: int | Report = 0,
    ) -> None:
        self.beta = beta
        self.linear = linear
        self.categories = categories
        self.round = round
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Store the rows of a table."""
        raw = self._read(X, reset=True)
        self.columns_ = self._columns(raw)
        return self._store(self._encode(raw, extend=True), is_missing(raw))

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add rows; afterwards all is as after `fit` of all rows together."""
        if not hasattr(self, "columns_"):
            return self.fit(X)
        raw = self._read(X, reset=False)
        self.columns_ = copy.deepcopy(self.columns_)  # to which encoding adds categories
        new, gaps = self._encode(raw, extend=True), is_missing(raw)
        return self._store(np.concatenate([self.rows_, new]), np.concatenate([self.gaps_, gaps]))

    def transform(self, X: Any) -> Any:
        """Return the table with its gaps filled."""
        raw = self._read(X, reset=False)
        gaps = is_missing(raw)
        filled = self._round(self._fill(self._encode(raw)))
        table = self._rebuild(raw, filled, gaps)
        if is_frame(table) and _get_output_config("transform", self)["dense"] == "default":
            numeric = all(self.columns_[j].levels is None for j in self.kept_)
            table = table.to_numpy(dtype=np.float64 if numeric else object)
        return self._with_indicator(table, gaps)

    def impute(self, X: Any, interval: float = 0.9) -> Imputation:
        """Return the table with its gaps filled, and how sure each value is.

        Bounds are estimate ± the conformal quantile of errors at known entries that were hidden.
        Where entries are missing at random, a share `interval` of them lies within. Measured on 23
        tables with 30 % missing and `interval=0.9`: .91. It was .91, and .80 in one table, where
        entries were the more likely missing the larger another column was; .82 where it was the
        missing value itself; and .20 where just the largest values were missing: hidden entries
        are then no sample of the missing ones.

        Args:
            X: a table with the columns of `fit`.
            interval: share of missing entries that their bounds are to contain.
        """
        check_number("interval", interval, low=0.0, high=1.0)
        raw = self._read(X, reset=False)
        gaps, table = is_missing(raw), self._encode(raw)
        estimate = self._fill(table)
        filled = self._round(estimate)
        half = self.hidden_errors_.half_widths(interval)
        low, high = (
            self._bounds(raw, np.where(gaps, estimate + sign * half, table)) for sign in (-1, 1)
        )
        n_effective, index = self._describe(table, gaps)

        def draw(draws: np.random.Generator) -> Any:
            return self._rebuild(raw, self._round(self._drawn(table, draws)), gaps)

        values = self._rebuild(raw, filled, gaps)
        return Imputation(values, low, high, n_effective, index, draw)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of `transform`."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        indicators = [f"missingindicator_{names[j]}" for j in self.indicated_]
        return np.array([*(names[j] for j in self.kept_), *indicators], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _read(self, X: Any, reset: bool) -> RawTable:
        if not reset:
            check_is_fitted(self)
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X) or not X.shape[1]:
                check_array(np.empty(X.shape))
            return read_table(X, self.missing_values)
        validated = validate_data(
            self, unmasked(X), reset=reset, dtype=None, ensure_all_finite=False, accept_sparse=False
        )
        return read_table(validated, self.missing_values)

    def _columns(self, raw: RawTable) -> list[StoredColumn]:
        names = list(_check_feature_names_in(self))
        named = self._indices("categories", self.categories)
        return [
            StoredColumn(name, {} if values.dtype == object or j in named else None)
            for j, (name, values) in enumerate(zip(names, raw.columns, strict=True))
        ]

    def _indices(self, argument: str, given: Any) -> set[int]:
        if given is None or (isinstance(given, str) and given == "auto"):
            return set()
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            raise InputTypeError(f"{argument} must be a list of columns, but is {given!r}.")
        indices, names = set(), list(_check_feature_names_in(self))
        for item in given:
            if item in names:
                indices.add(names.index(item))
            elif isinstance(item, (int, np.integer)) and 0 <= item < len(names):
                indices.add(int(item))
            else:
                raise OptionError(f"{argument} must name columns of the table, but has {item!r}.")
        return indices

    def _encode(self, raw: RawTable, extend: bool = False) -> np.ndarray:
        columns = zip(self.columns_, raw.columns, strict=True)
        return np.stack([column.encode(values, extend) for column, values in columns], axis=1)

    def _store(self, table: np.ndarray, gaps: np.ndarray) -> Self:
        settings = self._given("beta", 1e30), self._given("linear", 1.0)
        self.rows_, self.gaps_ = table, gaps
        for j, column in enumerate(self.columns_):
            column.note_range(table[:, j])
        empty = np.isnan(table).all(0)
        self.kept_ = [j for j in range(table.shape[1]) if self.keep_empty_features or not empty[j]]
        self.indicated_ = list(np.flatnonzero(gaps.any(0))) if self.add_indicator else []
        self.groups_: dict[bytes, int] = {}
        group = self._groups(table, extend=True)
        seed = self.random_state
        hiding = None if seed is None else [check_integer("random_state", seed), HIDING]
        draws = np.random.default_rng(hiding)
        choice = choose(table, self.columns_, group, settings, draws, as_report(self.verbose))
        self.beta_, self.linear_ = choice.readings[-1]
        self.components_ = choice.components
        self.features_ = Features.of(table, self.columns_)
        questions = Questions(*self.features_.encode(table), group)
        model = choice.model.scaled(*self.features_.map_from(choice.features))
        self.donors_ = refitted_donors(questions.rows, questions.known, group, model)
        for setting in choice.readings[:-1]:
            self.donors_ = self.donors_.completed_by(questions, *setting)
        is_category = np.array([column.levels is not None for column in self.columns_])
        scale = self.features_.scale[self.features_.starts]
        self.hidden_errors_ = HiddenErrors(choice.column, choice.error, is_category, scale)
        self.error_ = self.hidden_errors_.by_column()
        return self

    def _given(self, name: str, high: float) -> float | None:
        """Return the number that an argument gives, None for "auto"."""
        value = getattr(self, name)
        if isinstance(value, str):
            if value != "auto":
                raise OptionError(f"{name} must be a number or 'auto', but is {value!r}.")
            return None
        return check_number(name, value, low=0.0, high=high)

    def _groups(self, table: np.ndarray, extend: bool = False) -> Tensor:
        """Number the contents of rows: equal where known, and known in the same columns."""
        content = np.where(np.isnan(table), np.nan, table + 0.0)
        numbers = [
            self.groups_.setdefault(row.tobytes(), len(self.groups_))
            if extend
            else self.groups_.get(row.tobytes(), -1)
            for row in content
        ]
        return torch.tensor(numbers)

    def _questions(self, table: np.ndarray) -> Questions:
        rows, known = self.features_.encode(table)
        return Questions(rows, known, self._groups(table))

    def _fill(self, table: np.ndarray) -> np.ndarray:
        incomplete = np.isnan(table).any(1)
        if not incomplete.any():
            return table.copy()
        questions = self._questions(table[incomplete])
        report = as_report(self.verbose)
        features = self.donors_.fill(questions, self.beta_, self.linear_, report)
        return self._with_gaps_from(features, table, incomplete)

    def _with_gaps_from(
        self, features: Tensor, table: np.ndarray, incomplete: np.ndarray
    ) -> np.ndarray:
        """Return the table; the features of its incomplete rows give the entries of their gaps."""
        filled, rows = table.copy(), table[incomplete]
        decoded = self.features_.decode(features, self.columns_)
        filled[incomplete] = np.where(np.isnan(rows), decoded, rows)
        return filled

    def _round(self, table: np.ndarray) -> np.ndarray:
        if self.round is None:
            return table
        named = self._indices("round", self.round)
        result = table.copy()
        for j, column in enumerate(self.columns_):
            if column.levels is None and not np.isnan(column.low):
                automatic = isinstance(self.round, str) and column.is_whole
                values = np.round(table[:, j]) if automatic or j in named else table[:, j]
                result[:, j] = np.clip(values, column.low, column.high)
        return result

    def _rebuild(self, raw: RawTable, table: np.ndarray, gaps: np.ndarray) -> Any:
        filled = [column.decode(table[:, j]) for j, column in enumerate(self.columns_)]
        return rebuild(raw, filled, gaps, self.kept_)

    def _bounds(self, raw: RawTable, bounds: np.ndarray) -> Any:
        is_category = [column.levels is not None for column in self.columns_]
        kept = np.where(is_category, np.nan, bounds)[:, self.kept_]
        if raw.source is None:
            return kept
        import pandas

        names = [raw.source.columns[j] for j in self.kept_]
        return pandas.DataFrame(kept, index=raw.source.index, columns=names)

    def _describe(self, table: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_effective, index = np.zeros(len(table)), np.full((len(table), INDICES), -1)
        asked = np.flatnonzero(gaps.any(1))
        questions, count = self._questions(table[asked]), min(INDICES, len(self.rows_))
        for part, block in questions.blocks(len(self.rows_)):
            weights = self.donors_.weights(block, self.beta_)
            n_effective[asked[part]] = 1 / weights.square().sum(-1).numpy()
            top = weights.topk(count)
            index[asked[part], :count] = torch.where(top.values > 0, top.indices, -1).numpy()
        return n_effective, index

    def _drawn(self, table: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        incomplete = np.isnan(table).any(1)
        questions = self._questions(table[incomplete])
        stored = torch.from_numpy(np.repeat(~np.isnan(self.rows_), self.features_.sizes, 1))
        donors = self.donors_.model.add_noise(self.donors_.rows, stored, draws)
        drawn = torch.empty_like(questions.rows)
        for part, block in questions.blocks(len(self.rows_)):
            weights = self.donors_.weights(block, self.beta_)
            uniform = torch.from_numpy(draws.random((len(weights), 1)))
            cumulative = weights.cumsum(-1)
            row = torch.searchsorted(cumulative, uniform * cumulative[:, -1:])
            drawn[part] = donors[row[:, 0].clamp_max(weights.shape[1] - 1)]
        features = self.donors_.add_gain(questions, drawn, self.linear_)
        return self._with_gaps_from(features, table, incomplete)

    def _with_indicator(self, table: Any, gaps: np.ndarray) -> Any:
        if not self.indicated_:
            return table
        indicators = gaps[:, self.indicated_]
        if is_frame(table):
            names = self.get_feature_names_out()[len(self.kept_) :]
            return table.assign(**dict(zip(names, indicators.T, strict=True)))
        return np.concatenate([table, indicators.astype(table.dtype)], axis=1)
