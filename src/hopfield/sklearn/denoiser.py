"""Restore rows that are damaged in all entries."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ..checks import check_flag, check_integer, check_positive
from ..separation import Separation
from ..similarity import ScoreFunction, Similarity
from .reader import Reader, fit_reader
from .row_weights import RowWeights
from .rows import RowEstimator, all_or_nothing
from .settings import Settings, plain


class HopfieldDenoiser(OneToOneFeatureMixin, TransformerMixin, RowEstimator):  # type: ignore[misc]
    """Restore noisy rows from clean ones: `fit` stores clean rows, `transform` reads noisy ones.

    x̂ = Σ_μ p_μ x_μ,   p = softmax(β s),   s_μ = similarity of x_μ and x

    If a noisy row is a stored one plus Gaussian noise of standard deviation σ per entry, this is
    its expected clean row at β = 1/σ², with Euclidean distances. For noisy copies of rows that are
    not stored the best β is smaller: "auto" adds noise to each stored row, reads it from the
    others, and takes the β of the least squared error.

    Rows with missing entries are the task of `HopfieldImputer`.

    Args:
        beta: β for scaled rows; "auto" chooses; None leaves the β of a `separation` object.
        noise: standard deviation of the noise to expect, for "auto". Its unit is the standard
            deviation of each column or, without `scale`, of all columns together.
        similarity: "euclidean", "dot", "cosine", "correlation", "manhattan", or your own.
        separation: "softmax", "sparsemax", "entmax" (α = 1.5), "normmax" (α = 2), "k_subsets"
            (k = 2), or an object such as `TopK(5)`.
        scale: whether to standardise columns. Pictures need none: all pixels have one unit.
        steps: the most reads. The first gives the expected clean row; further ones move on
            to a fixed point, near one stored row or a mean of similar ones.

    Attributes:
        memory_: the `ModernHopfield` that holds the scaled rows.
        beta_: the choice.
    """

    def __init__(
        self,
        beta: float | str | None = "auto",
        *,
        noise: float = 0.5,
        similarity: str | Similarity | ScoreFunction = "euclidean",
        separation: str | Separation = "softmax",
        scale: bool = True,
        steps: int = 1,
    ) -> None:
        self.beta = beta
        self.noise = noise
        self.similarity = similarity
        self.separation = separation
        self.scale = scale
        self.steps = steps

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Store clean rows."""
        self._add(X, reset=True)
        self._reader()
        return self

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add clean rows; afterwards all is as after `fit` of all rows together."""
        self._add(X, reset=not hasattr(self, "_rows"))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the rows restored, in the dtype they have."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        steps = check_integer("steps", self.steps, low=1)
        reader = self._reader()
        found = [
            reader.memory.retrieve(state, steps=steps).state.numpy()
            for state in reader.states(rows.astype(np.float64))
        ]
        return reader.scaler.inverse_transform(np.concatenate(found)).astype(rows.dtype)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _add(self, X: Any, reset: bool) -> None:
        rows = validate_data(self, X, reset=reset, dtype=np.float64)
        self._store(rows, np.empty(len(rows)), np.ones(len(rows)), reset)

    def _fit_reader(self, rows: np.ndarray, targets: np.ndarray, weights: RowWeights) -> Reader:
        scale = check_flag("scale", plain(self.scale))
        settings = Settings.of(self.beta, self.similarity, self.separation, scale)
        unit = 1.0 if scale else float(np.sqrt(rows.var(0).mean()))
        noise = unit * check_positive("noise", self.noise)

        def loss(predicted: Tensor, clean: Tensor) -> Tensor:
            return (predicted - clean).square().mean(-1)

        def damage(scaled: Tensor) -> Tensor:
            draws = torch.Generator().manual_seed(1)
            normal = torch.randn(scaled.shape, generator=draws, dtype=scaled.dtype)
            return scaled + noise * normal

        return fit_reader(rows, None, settings, loss, lambda scaled: scaled, weights, damage)
