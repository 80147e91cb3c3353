"""sample_weight: copies and importances, against repeated rows and brute force in float64."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from hopfield import Separation
from hopfield.errors import OptionError
from hopfield.separation import NAMED
from hopfield.sklearn import HopfieldClassifier, HopfieldRegressor, row_weights


def table(n=40, seed=0):
    """Rows, three classes, targets, and whole weights of which some are 0."""
    draws = np.random.default_rng(seed)
    rows = draws.normal(size=(n, 3))
    labels = np.array(["b", "a", "c"])[(rows[:, 0] > 0.8) * 1 + (rows[:, 1] > 0.3) * 1]
    targets = rows[:, 0] + rows[:, 1] ** 2 + 0.3 * draws.normal(size=n)
    return rows, labels, targets, draws.integers(0, 4, size=n)


def kernel(rows, queries, beta):
    return np.exp(-beta / 2 * np.square(queries[:, None] - rows).sum(-1))


@pytest.mark.parametrize("separation", NAMED)
@pytest.mark.parametrize("prior", [None, "uniform", [0.5, 0.3, 0.2]])
def test_whole_weights_are_copies(prior, separation):
    rows, labels, targets, count = table()
    options = {"separation": separation}
    pairs = (HopfieldClassifier(class_prior=prior, **options), labels), (
        HopfieldRegressor(**options), targets,
    )  # fmt: skip
    for estimator, y in pairs:
        method = "predict_proba" if y is labels else "predict"
        repeated = estimator.fit(rows.repeat(count, 0), y.repeat(count))
        expected, settings = getattr(repeated, method)(rows), (repeated.beta_, repeated.scale_)
        weighted = estimator.fit(rows, y, sample_weight=count)
        np.testing.assert_allclose(getattr(weighted, method)(rows), expected, atol=1e-9)
        assert weighted.beta_ == pytest.approx(settings[0]) and weighted.scale_ is settings[1]
        assert len(weighted.memory_) == (count > 0).sum()
        parts = [slice(0, 15), slice(15, None)]
        added = type(estimator)(**estimator.get_params())
        for part in parts:
            added.partial_fit(rows[part], y[part], sample_weight=count[part])
        np.testing.assert_allclose(getattr(added, method)(rows), expected, atol=1e-9)


def test_classes_of_weight_0_are_not_there():
    rows, labels, _, _ = table()
    classifier = HopfieldClassifier().fit(rows, labels, sample_weight=labels != "c")
    assert classifier.classes_.tolist() == ["a", "b"]


def test_importances_have_no_unit():
    rows, labels, targets, count = table()
    weight = count + 0.25
    queries = table(9, seed=1)[0]
    for estimator, y in ((HopfieldClassifier(2.0, scale=False), labels),
                         (HopfieldRegressor(2.0, scale=False), targets)):  # fmt: skip
        w = kernel(rows, queries, 2.0) * weight
        if y is labels:
            sums = np.stack([w[:, labels == name].sum(1) for name in "abc"], axis=1)
            expected, method = sums / sums.sum(1, keepdims=True), "predict_proba"
        else:
            expected, method = (w @ y) / w.sum(1), "predict"
        for factor in (1.0, 1e-3 / 7, 1e9 / 7):
            estimator.fit(rows, y, sample_weight=factor * weight)
            np.testing.assert_allclose(getattr(estimator, method)(queries), expected, rtol=1e-9)
    chosen = [HopfieldClassifier().fit(rows, labels, f * weight) for f in (1.0, 1 / 7)]
    assert chosen[0].beta_ == pytest.approx(chosen[1].beta_)


def test_beta_has_the_least_weighted_error_of_rows_that_are_left_out_whole():
    rows, _, targets, count = table()
    weight = count + 0.25
    regressor = HopfieldRegressor(scale=True).fit(rows, targets, sample_weight=weight)
    scaled = StandardScaler().fit(rows, sample_weight=weight).transform(rows)

    def error(beta):
        w = kernel(scaled, scaled, beta) * weight
        np.fill_diagonal(w, 0)
        return np.average(np.square((w @ targets) / w.sum(1) - targets), weights=weight)

    at = {factor: error(regressor.beta_ * factor) for factor in (0.25, 0.5, 1, 2, 4)}
    assert at[1] == min(at.values()) < 0.99 * max(at.values())
    variance = np.average(np.square(targets - np.average(targets, weights=weight)), weights=weight)
    loss = regressor._reader().loss
    assert loss == pytest.approx(at[1] / variance, rel=1e-6)


def test_many_copies_are_importances(monkeypatch):
    rows, labels, _, count = table()
    small = HopfieldClassifier().fit(rows, labels, sample_weight=count)
    monkeypatch.setattr(row_weights, "MOST_COPIES", 30)
    many = HopfieldClassifier().fit(rows, labels, sample_weight=count)
    fixed = HopfieldClassifier(small.beta_, scale=small.scale_)
    expected = fixed.fit(rows, labels, sample_weight=count).predict_proba(rows)
    np.testing.assert_allclose(small.predict_proba(rows), expected, atol=1e-9)
    assert small.beta_ > 2 * many.beta_, "copies of a row predict it"


class Uncounted(Separation):
    """Equal weights, whatever the scores; it takes no priors."""

    def potential(self, scores):
        return scores.mean(-1)

    def __call__(self, scores):
        return (scores * 0 + 1) / scores.shape[-1]


def test_separations_without_priors_are_named():
    rows, labels, _, count = table()
    classifier = HopfieldClassifier(None, separation=Uncounted(), scale=False)
    with pytest.raises(OptionError, match="sample_weight must be None, because Uncounted"):
        classifier.fit(rows, labels, sample_weight=count)


@pytest.mark.parametrize("weight", [[-1.0] + [1.0] * 39, [1.0] * 39, [np.nan] * 40, ["a"] * 40])
def test_wrong_weights_are_refused(weight):
    rows, labels, _, _ = table()
    with pytest.raises(ValueError):
        HopfieldClassifier().fit(rows, labels, sample_weight=weight)
