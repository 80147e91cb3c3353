"""Predict labels and numbers from similar rows."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ..checks import check_choice, short_repr
from ..errors import DomainError, InputTypeError, ShapeError
from ..separation import Separation
from ..similarity import ScoreFunction, Similarity
from .reader import Reader, fit_reader
from .row_weights import RowWeights, weighted_rows
from .rows import RowEstimator, all_or_nothing
from .settings import Settings


class HopfieldClassifier(ClassifierMixin, RowEstimator):  # type: ignore[misc]
    """Predict the class of a row from the stored rows most like it.

    P(c | x) = Σ_μ p_μ [y_μ = c],   p = softmax(β s),   s_μ = similarity of x_μ and x

    The weights are those at the row itself: at the fixed point of a retrieval they belong to
    a state that has left the row, and labels are worse. β → ∞ is the nearest row, β = 0 the share
    of each class.

    β and `scale` are chosen by the log loss of rows that are left out in turn; a probability
    below 1/n counts as 1/n. Only the row itself is left out, not others of the same content.

    The energy of a row is not offered as a measure of outliers: it is the logarithm of a kernel
    density, which ranks outliers worse than chance at a wrong β, and only labels tell which β is
    right.

    Args:
        beta: β for scaled rows; "auto" chooses; None leaves the β of a `separation` object.
        similarity: "euclidean", "dot", "cosine", "correlation", "manhattan", or your own.
        separation: "softmax", "sparsemax", "entmax" (α = 1.5), "normmax" (α = 2), "k_subsets"
            (k = 2), or an object such as `TopK(5)`.
        scale: whether to standardise columns; "auto" chooses.
        class_prior: probability of each class where predictions are made, in the order of
            `classes_`; "uniform": all alike; None: as in the rows stored.

    Attributes:
        classes_: the classes, in order.
        memory_: the `ModernHopfield` that holds the scaled rows, and 1 for their class as values.
        beta_, scale_: the choice.
    """

    classes_: np.ndarray
    _fixed: np.ndarray | None

    def __init__(
        self,
        beta: float | str | None = "auto",
        *,
        similarity: str | Similarity | ScoreFunction = "euclidean",
        separation: str | Separation = "softmax",
        scale: bool | str = "auto",
        class_prior: Any = None,
    ) -> None:
        self.beta = beta
        self.similarity = similarity
        self.separation = separation
        self.scale = scale
        self.class_prior = class_prior

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Store rows and their classes.

        Args:
            X: rows.
            y: their classes.
            sample_weight: how often each row counts. Whole numbers count copies, of which one is
                left out to choose β. Other numbers are importances: a row is left out whole.
        """
        self._add(X, y, sample_weight, reset=True)
        self._reader()
        return self

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Add rows; afterwards all is as after `fit` of all rows together.

        Args:
            X: rows.
            y: their classes.
            classes: all classes there will be. Without it, new ones may appear at any time.
            sample_weight: as in `fit`.
        """
        self._add(X, y, sample_weight, reset=not hasattr(self, "_rows"), classes=classes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, in the order of `classes_`."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        reader = self._reader()
        sums = reader.read(rows) * self._factors(reader.memory.storage.values, reader.weights)
        return sums / sums.sum(-1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of the largest probability; the first of those that tie."""
        best = self.predict_proba(X).argmax(-1)
        return self.classes_[best]

    def _add(self, X: Any, y: Any, sample_weight: Any, reset: bool, classes: Any = None) -> None:
        rows, labels = validate_data(self, X, y, reset=reset, dtype=np.float64)
        check_classification_targets(labels)
        rows, labels, weights = weighted_rows(rows, labels, sample_weight)
        fixed = None if reset else self._fixed
        if classes is not None:
            named = unique_labels(classes)
            if fixed is not None and not np.array_equal(fixed, named):
                raise DomainError(
                    f"classes must be those of the first call, {fixed.tolist()}, but are "
                    f"{named.tolist()}."
                )
            fixed = named
        if fixed is not None and not np.isin(labels, fixed).all():
            raise DomainError(
                f"y must hold only the classes given before, {fixed.tolist()}, but holds "
                f"{np.setdiff1d(labels, fixed).tolist()}."
            )
        seen = [labels] if reset else [self.classes_, labels]
        self.classes_ = unique_labels(*seen) if fixed is None else fixed
        self._fixed = fixed
        self._store(rows, labels, weights, reset)

    def _fit_reader(self, rows: np.ndarray, targets: np.ndarray, weights: RowWeights) -> Reader:
        settings = Settings.of(self.beta, self.similarity, self.separation, self.scale)
        codes = torch.from_numpy(np.searchsorted(self.classes_, targets))
        is_class = torch.nn.functional.one_hot(codes, len(self.classes_)).double()
        factors = torch.from_numpy(self._factors(is_class, weights))
        # Without the row, the share of its class is smaller, and prior / share larger.
        counts = weights.total(is_class)
        floor = 1 / counts.sum()
        growth = 1.0 if self.class_prior is None else counts / (counts - 1).clamp_min(1)

        def loss(predicted: Tensor, truth: Tensor) -> Tensor:
            evidence = predicted * factors * torch.where(truth > 0, growth, 1.0)
            right = (evidence * truth).sum(-1) / evidence.sum(-1)
            return (truth @ factors) * -right.clamp_min(floor).log()

        return fit_reader(rows, is_class, settings, loss, lambda scaled: is_class, weights)

    def _factors(self, is_class: Tensor | None, weights: RowWeights) -> np.ndarray:
        """Return prior / share of each class; 1 without priors, 0 for a class without rows."""
        if self.class_prior is None or is_class is None:
            return np.ones(len(self.classes_))
        share = weights.mean(is_class).numpy()
        prior = np.ones(len(share)) if isinstance(self.class_prior, str) else self.class_prior
        if isinstance(self.class_prior, str):
            check_choice("class_prior, if it is a word,", self.class_prior, ("uniform",))
        prior = _check_prior(prior, len(share))
        return np.divide(prior, share, out=np.zeros(len(share)), where=share > 0)


class HopfieldRegressor(MultiOutputMixin, RegressorMixin, RowEstimator):  # type: ignore[misc]
    """Predict numbers from the stored rows most like a row.

    ŷ(x) = Σ_μ p_μ y_μ,   p = softmax(β s),   s_μ = similarity of x_μ and x

    With Euclidean distances this is kernel regression (Nadaraya–Watson). It never leaves the
    range of the targets stored: where targets are linear in the columns, a ridge regression is
    better. β and `scale` are chosen by the squared error of rows that are left out in turn.

    Args:
        beta: β for scaled rows; "auto" chooses; None leaves the β of a `separation` object.
        similarity: "euclidean", "dot", "cosine", "correlation", "manhattan", or your own.
        separation: "softmax", "sparsemax", "entmax" (α = 1.5), "normmax" (α = 2), "k_subsets"
            (k = 2), or an object such as `TopK(5)`.
        scale: whether to standardise columns; "auto" chooses.

    Attributes:
        memory_: the `ModernHopfield` that holds the scaled rows, and targets as values.
        beta_, scale_: the choice.
    """

    _target_shape: tuple[int, ...]

    def __init__(
        self,
        beta: float | str | None = "auto",
        *,
        similarity: str | Similarity | ScoreFunction = "euclidean",
        separation: str | Separation = "softmax",
        scale: bool | str = "auto",
    ) -> None:
        self.beta = beta
        self.similarity = similarity
        self.separation = separation
        self.scale = scale

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Store rows and their targets, `(n,)` or `(n, outputs)`; weights as in the classifier."""
        self._add(X, y, sample_weight, reset=True)
        self._reader()
        return self

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add rows; afterwards all is as after `fit` of all rows together."""
        self._add(X, y, sample_weight, reset=not hasattr(self, "_rows"))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the targets, `(n,)` or `(n, outputs)` as in `fit`."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        return self._reader().read(rows).reshape(-1, *self._target_shape)

    def _add(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> None:
        rows, targets = validate_data(
            self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
        )
        rows, targets, weights = weighted_rows(rows, targets, sample_weight)
        shape = targets.shape[1:]
        if not reset and shape != self._target_shape:
            raise ShapeError(
                f"y must have shape (n{''.join(f', {size}' for size in self._target_shape)}) as "
                f"before, but has shape {targets.shape}."
            )
        self._target_shape = shape
        self._store(rows, targets.astype(np.float64), weights, reset)

    def _fit_reader(self, rows: np.ndarray, targets: np.ndarray, weights: RowWeights) -> Reader:
        settings = Settings.of(self.beta, self.similarity, self.separation, self.scale)
        values = torch.from_numpy(targets.reshape(len(targets), -1))
        variance = weights.mean((values - weights.mean(values)).square())
        scale = torch.where(variance > 0, variance, 1.0)

        def loss(predicted: Tensor, target: Tensor) -> Tensor:
            return ((predicted - target).square() / scale).mean(-1)

        return fit_reader(rows, values, settings, loss, lambda scaled: values, weights)


def _check_prior(given: Any, count: int) -> np.ndarray:
    try:
        prior = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputTypeError(
            f"class_prior must be None, 'uniform' or numbers, but is {short_repr(given)}."
        ) from None
    if prior.shape != (count,):
        raise ShapeError(
            f"class_prior must have one number per class, {count}, but has shape {prior.shape}."
        )
    if not ((prior > 0) & np.isfinite(prior)).all():
        raise DomainError(
            f"class_prior must be above 0 and finite, but is {prior.tolist()}. "
            "Leave out rows of classes that cannot occur."
        )
    return prior / prior.sum()
