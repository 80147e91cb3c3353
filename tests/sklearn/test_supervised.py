"""HopfieldClassifier and HopfieldRegressor against brute force, neighbours and closed forms."""

import pickle

import numpy as np
import pandas
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hopfield import Entmax, Polynomial, Separation, TopK
from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError, ShapeError
from hopfield.separation import NAMED, SEPARATIONS
from hopfield.similarity import SIMILARITIES
from hopfield.sklearn import HopfieldClassifier, HopfieldRegressor


def table(n=40, seed=0):
    """Rows in two units, three classes of unequal size, and two targets."""
    draws = np.random.default_rng(seed)
    rows = draws.normal(size=(n, 4)) * [1.0, 1.0, 30.0, 0.1]
    labels = np.array(["b", "a", "c"])[(rows[:, 0] > 0.8) * 1 + (rows[:, 1] > 0.3) * 1]
    return rows, labels, np.stack([rows[:, 0] + 1e6, rows[:, 1] ** 2], axis=1)


def weights(rows, queries, beta):
    """softmax(−½β‖x_μ − x‖²) in float64, by differences."""
    scores = -beta / 2 * np.square(queries[:, None] - rows).sum(-1)
    power = np.exp(scores - scores.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("beta", [0.0, 0.05, 2.0, 1e4])
def test_predictions_are_sums_of_the_weights(scale, beta):
    rows, labels, targets = table()
    queries = table(12, seed=1)[0]
    scaler = StandardScaler(with_mean=scale, with_std=scale).fit(rows)
    p = weights(scaler.transform(rows), scaler.transform(queries), beta)
    classifier = HopfieldClassifier(beta, scale=scale).fit(rows, labels)
    expected = np.stack([p[:, labels == name].sum(1) for name in "abc"], axis=1)
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(classifier.predict_proba(queries), expected, atol=1e-9)
    assert (classifier.predict(queries) == classifier.classes_[expected.argmax(1)]).all()
    regressor = HopfieldRegressor(beta, scale=scale).fit(rows, targets)
    np.testing.assert_allclose(regressor.predict(queries), p @ targets, rtol=1e-9)
    single = HopfieldRegressor(beta, scale=scale).fit(rows, targets[:, 1])
    np.testing.assert_allclose(single.predict(queries), p @ targets[:, 1], atol=1e-9)
    assert (classifier.scale_, regressor.beta_) == (scale, beta)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("separation", NAMED)
def test_every_similarity_and_separation(similarity, separation):
    rows, labels, targets = table()
    queries = torch.from_numpy(table(12, seed=1)[0])
    options = {"similarity": similarity, "separation": separation, "scale": False}
    scores = SIMILARITIES[similarity](torch.from_numpy(rows), queries)
    p = SEPARATIONS[separation](beta=0.7)(scores).numpy()
    found = HopfieldRegressor(0.7, **options).fit(rows, targets).predict(queries.numpy())
    np.testing.assert_allclose(found, p @ targets, rtol=1e-9)
    found = HopfieldClassifier(0.7, **options).fit(rows, labels).predict_proba(queries.numpy())
    np.testing.assert_allclose(found[:, 0], p[:, labels == "a"].sum(1), atol=1e-9)


@pytest.mark.parametrize("beta", [1e6, np.inf])
def test_a_large_beta_is_the_nearest_neighbour(beta):
    rows, labels, targets = table(200)
    queries = table(50, seed=1)[0]
    classifier = HopfieldClassifier(beta, scale=False).fit(rows, labels)
    expected = KNeighborsClassifier(1).fit(rows, labels)
    assert (classifier.predict(queries) == expected.predict(queries)).all()
    regressor = HopfieldRegressor(beta, scale=False).fit(rows, targets)
    expected = KNeighborsRegressor(1).fit(rows, targets)
    np.testing.assert_allclose(regressor.predict(queries), expected.predict(queries))


def test_top_k_without_beta_is_k_nearest_neighbours():
    rows, labels, targets = table(200)
    queries = table(50, seed=1)[0]
    options = {"separation": TopK(5, beta=0.0), "beta": None, "scale": False}
    classifier = HopfieldClassifier(**options).fit(rows, labels)
    expected = KNeighborsClassifier(5).fit(rows, labels).predict_proba(queries)
    np.testing.assert_allclose(classifier.predict_proba(queries), expected, atol=1e-12)
    regressor = HopfieldRegressor(**options).fit(rows, targets)
    expected = KNeighborsRegressor(5).fit(rows, targets).predict(queries)
    np.testing.assert_allclose(regressor.predict(queries), expected)


def test_beta_0_gives_shares_priors_and_means():
    rows, labels, targets = table()
    shares = np.array([(labels == name).mean() for name in "abc"])
    prior = np.array([0.5, 0.3, 0.2])
    for given, expected in ((None, shares), ("uniform", [1 / 3] * 3), (prior, prior)):
        classifier = HopfieldClassifier(0.0, class_prior=given).fit(rows, labels)
        np.testing.assert_allclose(classifier.predict_proba(rows[:3]), [expected] * 3)
    predicted = HopfieldRegressor(0.0).fit(rows, targets).predict(rows[:3])
    np.testing.assert_allclose(predicted, [targets.mean(0)] * 3)


def test_priors_weigh_the_density_of_each_class():
    rows, labels, _ = table()
    queries, prior = table(9, seed=1)[0], np.array([0.7, 0.2, 0.1])
    kernel = np.exp(-0.5 * np.square(queries[:, None] - rows).sum(-1) / 200)
    density = np.stack([kernel[:, labels == name].mean(1) for name in "abc"], axis=1) * prior
    classifier = HopfieldClassifier(1 / 200, scale=False, class_prior=10 * prior).fit(rows, labels)
    expected = density / density.sum(1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(queries), expected, atol=1e-9)


def standard_table():
    """Rows in one unit."""
    rows, labels, targets = table()
    return rows / rows.std(0), labels, targets


def left_out(rows, beta, predict):
    """Predict something of each row from the others."""
    others = (np.arange(len(rows)) != row for row in range(len(rows)))
    result = []
    for row, other in enumerate(others):
        result.append(predict(weights(rows[other], rows[[row]], beta)[0], other))
    return np.array(result)


@pytest.mark.parametrize("prior", [None, [0.6, 0.3, 0.1]])
def test_beta_has_the_least_log_loss_of_rows_that_are_left_out(prior):
    rows, labels, _ = standard_table()
    classifier = HopfieldClassifier(scale=False, class_prior=prior).fit(rows, labels)

    def loss(beta):
        total = 0.0
        for row, label in enumerate(labels):
            other = np.arange(len(rows)) != row
            p = weights(rows[other], rows[[row]], beta)[0]
            share = [(labels[other] == name).mean() for name in "abc"]
            factor = np.ones(3) if prior is None else np.array(prior) / share
            sums = factor * [p[labels[other] == name].sum() for name in "abc"]
            right = sums["abc".index(label)] / sums.sum()
            weight = 1.0
            if prior is not None:
                weight = prior["abc".index(label)] / (labels == label).mean()
            total -= weight * np.log(max(right, 1 / len(rows)))
        return total / len(rows)

    at = {factor: loss(classifier.beta_ * factor) for factor in (0.25, 0.5, 1, 2, 4)}
    assert classifier._reader().loss == pytest.approx(at[1], rel=1e-9)
    assert at[1] == min(at.values()) < 0.99 * max(at.values())


def test_beta_has_the_least_squared_error_of_rows_that_are_left_out():
    rows, _, targets = standard_table()
    regressor = HopfieldRegressor(scale=False).fit(rows, targets)

    def loss(beta):
        predicted = left_out(rows, beta, lambda p, other: p @ targets[other])
        return (np.square(predicted - targets) / targets.var(0)).mean()

    at = {factor: loss(regressor.beta_ * factor) for factor in (0.25, 0.5, 1, 2, 4)}
    assert regressor._reader().loss == pytest.approx(at[1], rel=1e-6)
    assert at[1] == min(at.values()) < 0.99 * max(at.values())


@pytest.mark.parametrize(("load", "scaled"), [(load_wine, True), (load_digits, False)])
def test_columns_are_scaled_where_that_predicts_better(load, scaled):
    rows, labels = load(return_X_y=True)
    rows, labels = rows[:600:2], labels[:600:2]
    losses = {
        scale: HopfieldClassifier(scale=scale).fit(rows, labels)._reader().loss
        for scale in (True, False)
    }
    classifier = HopfieldClassifier().fit(rows, labels)
    assert classifier.scale_ is scaled
    assert classifier._reader().loss == losses[scaled] < losses[not scaled]


def test_as_good_as_neighbours_and_surer_where_it_may_be():
    rows, labels = load_iris(return_X_y=True)
    scores = [
        cross_val_score(each, rows, labels, cv=5, scoring="neg_log_loss").mean()
        for each in (HopfieldClassifier(), KNeighborsClassifier())
    ]
    assert scores[0] > scores[1] + 0.1
    right = cross_val_score(HopfieldClassifier(), rows, labels, cv=5).mean()
    assert right >= 0.95


def test_the_value_is_read_at_the_cue_not_at_the_fixed_point():
    rows, labels, targets = table()
    queries = table(12, seed=1)[0]
    regressor = HopfieldRegressor(0.5, scale=False).fit(rows, targets[:, 1])
    cue = torch.from_numpy(queries)
    at_cue = regressor.memory_.retrieve(cue, steps=0).value[:, 0]
    np.testing.assert_allclose(regressor.predict(queries), at_cue)
    settled = regressor.memory_.retrieve(cue, values_at="state").value[:, 0]
    assert np.abs(regressor.predict(queries) - settled.numpy()).max() > 0.1, "premise: they differ"
    classifier = HopfieldClassifier(0.5, scale=False).fit(rows, labels)
    at_cue = classifier.memory_.retrieve(cue, steps=0).value
    np.testing.assert_allclose(classifier.predict_proba(queries), at_cue, atol=1e-12)


def test_adding_rows_in_parts_is_fitting_them_together():
    rows, labels, targets = table(60)
    order = np.argsort(labels, kind="stable")  # classes appear one after the other
    rows, labels, targets = rows[order], labels[order], targets[order]
    parts = np.array_split(np.arange(60), 7)
    classifier, regressor = HopfieldClassifier(), HopfieldRegressor()
    for part in parts:
        classifier.partial_fit(rows[part], labels[part])
        regressor.partial_fit(rows[part], targets[part])
        classifier.predict(rows)  # reading in between changes nothing
    whole = HopfieldClassifier().fit(rows, labels)
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    assert np.array_equal(classifier.predict_proba(rows), whole.predict_proba(rows))
    assert (classifier.beta_, classifier.scale_) == (whole.beta_, whole.scale_)
    expected = HopfieldRegressor().fit(rows, targets).predict(rows)
    assert np.array_equal(regressor.predict(rows), expected)
    again = classifier.fit(rows[:20], labels[:20])
    assert len(again.memory_) == 20 and again.classes_.tolist() == sorted(set(labels[:20]))


def test_classes_that_are_named_first():
    rows, labels, _ = table()
    classifier = HopfieldClassifier(class_prior="uniform")
    classifier.partial_fit(rows[:30], labels[:30], classes=["d", "c", "b", "a"])
    assert classifier.classes_.tolist() == ["a", "b", "c", "d"]
    before = classifier.predict_proba(rows)
    assert (before[:, 3] == 0).all() and np.allclose(before.sum(1), 1)
    with pytest.raises(DomainError, match=r"y must hold only .* but holds \['z'\]"):
        classifier.partial_fit(rows[:1], ["z"])
    with pytest.raises(DomainError, match="classes must be those of the first call"):
        classifier.partial_fit(rows[:1], ["a"], classes=["a", "b"])
    assert np.array_equal(classifier.predict_proba(rows), before)
    classifier.partial_fit(rows[30:], labels[30:], classes=["a", "b", "c", "d"])
    assert len(classifier.memory_) == 40


def test_they_fit_into_pipelines_searches_and_frames():
    rows, labels, targets = table(60)
    frame = pandas.DataFrame(rows, columns=list("wxyz"))
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), HopfieldClassifier())
    pipeline.fit(frame, labels)
    assert pipeline[-1].feature_names_in_.tolist() == list("wxyz")
    grid = {"beta": [0.5, "auto"], "separation": ["softmax", "sparsemax"]}
    search = GridSearchCV(HopfieldClassifier(scale=True), grid, cv=3).fit(frame, labels)
    assert search.best_score_ > 0.5
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[list("zyxw")])
    for estimator, truth in ((HopfieldClassifier(), labels), (HopfieldRegressor(), targets)):
        fitted = estimator.fit(frame, truth)
        loaded = pickle.loads(pickle.dumps(fitted))
        assert np.array_equal(loaded.predict(frame), fitted.predict(frame))
        assert clone(fitted).get_params() == estimator.get_params()
        assert not hasattr(clone(fitted), "beta_")
    with pytest.raises(NotFittedError):
        _ = HopfieldRegressor().memory_


def test_scores_of_all_rows_and_queries_never_exist_at_once(monkeypatch):
    rows, labels, _ = table(3000)
    queries, sizes = table(4000, seed=1)[0], []

    def measured(rows, state, known):
        sizes.append(len(rows) * len(state))
        return -torch.cdist(state, rows).square() / 2

    monkeypatch.setattr("hopfield.sklearn.reader.BATCH_SCORES", 2**17)
    monkeypatch.setattr("hopfield.sklearn.reader.SCORES", 2**19)
    classifier = HopfieldClassifier(similarity=measured, scale=False).fit(rows, labels)
    found = classifier.predict_proba(queries)
    assert max(sizes) <= 2**20 < len(rows) * len(queries) / 8
    assert min(sizes) <= 2**17
    expected = HopfieldClassifier(scale=False).fit(rows, labels)
    assert classifier.beta_ == pytest.approx(expected.beta_, rel=1e-6)
    np.testing.assert_allclose(found, expected.predict_proba(queries), atol=1e-6)


def test_of_many_rows_some_choose(monkeypatch):
    rows, labels, _ = table(400)
    monkeypatch.setattr("hopfield.sklearn.reader.SCORES", 1)
    classifier = HopfieldClassifier().fit(rows, labels)
    own = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:256].numpy()
    scaled = StandardScaler().fit_transform(rows)
    assert classifier.scale_
    right = left_out(
        scaled,
        classifier.beta_,
        lambda p, other: [p[labels[other] == name].sum() for name in "abc"],
    )[own, np.searchsorted(["a", "b", "c"], labels[own])]
    expected = -np.log(np.maximum(right, 1 / 400)).mean()
    assert classifier._reader().loss == pytest.approx(expected, rel=1e-9)


class Shifted(Separation):
    """Weights without a parameter called beta."""

    def potential(self, scores):
        return torch.logsumexp(3 * scores, -1) / 3

    def __call__(self, scores):
        return torch.softmax(3 * scores, -1)


def test_a_separation_of_ones_own():
    rows, labels, _ = table()
    own = HopfieldClassifier(None, separation=Shifted(), scale=False).fit(rows, labels)
    expected = HopfieldClassifier(3.0, scale=False).fit(rows, labels)
    np.testing.assert_allclose(own.predict_proba(rows), expected.predict_proba(rows), atol=1e-12)
    assert own.beta_ is None
    chosen = HopfieldClassifier(separation=Entmax(1.3)).fit(rows, labels)
    assert chosen.memory_.separation.alpha == 1.3 and chosen.beta_ > 0


def test_tables_of_few_or_equal_rows():
    one = HopfieldClassifier().fit([[1.0, 2.0]], ["a"])
    assert one.predict([[5.0, 5.0]]) == ["a"] and one.predict_proba([[0.0, 0.0]]).tolist() == [[1]]
    same = HopfieldClassifier().fit(np.ones((4, 2)), [0, 0, 0, 1])
    assert same.predict_proba([[1.0, 1.0]]).tolist() == [[0.75, 0.25]]
    constant = HopfieldRegressor().fit([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]], [7.0, 7.0, 7.0])
    assert constant.predict([[9.0, 1.0]]) == pytest.approx(7)
    far = HopfieldClassifier().fit([[1e9, 0.0], [1e9 + 1, 0.0], [1e9 + 2, 0.0]], [0, 1, 1])
    assert far.predict([[1e9 - 1, 0.0], [1e9 + 3, 0.0]]).tolist() == [0, 1]


BAD = {
    "beta": ({"beta": -1.0}, DomainError, "beta must be at least 0"),
    "beta word": ({"beta": "automatic"}, OptionError, "Did you mean 'auto'"),
    "beta list": ({"beta": [1.0]}, InputTypeError, "beta must be a number"),
    "no beta": ({"separation": Shifted()}, OptionError, "has no attribute beta"),
    "similarity": ({"similarity": "euclid"}, OptionError, "Did you mean 'euclidean'"),
    "separation": ({"separation": "soft"}, OptionError, "Did you mean 'softmax'"),
    "polynomial": ({"separation": Polynomial(2), "beta": None}, OptionError, "sum to one"),
    "scale": ({"scale": 1}, InputTypeError, "scale must be True, False or 'auto'"),
    "scale word": ({"scale": "yes"}, OptionError, "scale"),
    "prior": ({"class_prior": "equal"}, OptionError, "class_prior"),
    "prior short": ({"class_prior": [1.0, 1.0]}, ShapeError, "one number per class, 3"),
    "prior zero": ({"class_prior": [1.0, 1.0, 0.0]}, DomainError, "above 0"),
    "prior NaN": ({"class_prior": [1.0, 1.0, np.nan]}, DomainError, "finite"),
    "prior words": ({"class_prior": ["a", "b", "c"]}, InputTypeError, "numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_refused_by_name(name):
    options, error, message = BAD[name]
    rows, labels, _ = table()
    with pytest.raises(error, match=message) as caught:
        HopfieldClassifier(**options).fit(rows, labels)
    assert isinstance(caught.value, HopfieldError)


def test_tables_that_are_refused():
    rows, labels, targets = table()
    with pytest.raises(HopfieldError, match="squared norms"):
        HopfieldRegressor(scale=False).fit(rows * 1e200, targets)
    regressor = HopfieldRegressor().fit(rows, targets)
    before = regressor.predict(rows)
    with pytest.raises(ShapeError, match=r"y must have shape \(n, 2\)"):
        regressor.partial_fit(rows, targets[:, 0])
    with pytest.raises(ValueError, match="4 features"):
        regressor.partial_fit(rows[:, :3], targets)
    assert np.array_equal(regressor.predict(rows), before)
    with pytest.raises(ValueError, match="NaN"):
        regressor.predict(rows * np.nan)
    with pytest.raises(ValueError, match="Mix of label input types"):
        HopfieldClassifier().partial_fit(rows, labels).partial_fit(rows, targets[:, 1].astype(int))
