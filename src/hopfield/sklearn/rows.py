"""The part that estimators of stored rows share: rows are kept, and read when they are needed."""

from abc import abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..memories import ModernHopfield
from .reader import Reader
from .row_weights import RowWeights

E = TypeVar("E", bound=BaseEstimator)
P = ParamSpec("P")


def all_or_nothing(method: Callable[Concatenate[E, P], E]) -> Callable[Concatenate[E, P], E]:
    """Wrap a method that stores rows: a call that fails changes nothing."""

    @wraps(method)
    def call(estimator: E, /, *args: P.args, **kwargs: P.kwargs) -> E:
        before = vars(estimator).copy()
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            vars(estimator).clear()
            vars(estimator).update(before)
            raise

    return call


class RowEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator that stores rows; scaling and β are chosen when rows are first read."""

    _rows: list[np.ndarray]
    _targets: list[np.ndarray]
    _weights: list[np.ndarray]
    _fitted: Reader | None

    @abstractmethod
    def _fit_reader(self, rows: np.ndarray, targets: np.ndarray, weights: RowWeights) -> Reader:
        """Return the reader of all rows."""

    @property
    def memory_(self) -> ModernHopfield:
        """The memory that holds the scaled rows."""
        return self._reader().memory

    @property
    def beta_(self) -> float | None:
        """The β in use, for scaled rows; None if the separation has none."""
        beta = getattr(self.memory_.separation, "beta", None)
        return None if beta is None else float(beta)

    @property
    def scale_(self) -> bool:
        """True if columns are standardised."""
        return bool(self._reader().scaler.with_std)

    def _store(
        self, rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, reset: bool
    ) -> None:
        if reset:
            self._rows, self._targets, self._weights = [], [], []
        # Kept until they are read: adding many small parts then costs no more than one part.
        self._rows.append(rows.astype(np.float64))
        self._targets.append(targets)
        self._weights.append(weights)
        self._fitted = None

    def _reader(self) -> Reader:
        check_is_fitted(self)
        if self._fitted is None:
            rows, targets, weights = map(np.concatenate, (self._rows, self._targets, self._weights))
            self._fitted = self._fit_reader(rows, targets, RowWeights.of(weights))
            self._rows, self._targets, self._weights = [rows], [targets], [weights]
        return self._fitted
