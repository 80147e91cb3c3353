"""scikit-learn's own checks of every estimator, and calls that fail."""

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from hopfield.sklearn import (
    HopfieldClassifier,
    HopfieldDenoiser,
    HopfieldImputer,
    HopfieldRegressor,
)

ESTIMATORS = [HopfieldClassifier(), HopfieldDenoiser(), HopfieldImputer(), HopfieldRegressor()]


@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    state = np.random.get_state()  # some of these checks seed the global generator
    try:
        check(estimator)
    except Exception as error:
        if type(error).__name__ != "SkipTest":
            raise
        pytest.skip(str(error))
    finally:
        np.random.set_state(state)


ROWS = pandas.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])
WEIGHTS = {"X": ROWS[["a"]], "y": ROWS["a"] > 0, "sample_weight": -np.ones(30)}
INFINITE = pandas.DataFrame({"a": [np.inf]})
WRONG = {
    "classifier": (HopfieldClassifier(), "fit", WEIGHTS),
    "classifier, a part": (HopfieldClassifier(), "partial_fit", WEIGHTS),
    "regressor": (HopfieldRegressor(), "fit", WEIGHTS),
    "regressor, a part": (HopfieldRegressor(), "partial_fit", WEIGHTS),
    "denoiser": (HopfieldDenoiser(), "fit", {"X": INFINITE}),
    "denoiser, a part": (HopfieldDenoiser(), "partial_fit", {"X": INFINITE}),
    "imputer": (HopfieldImputer(), "fit", {"X": INFINITE}),
}


@pytest.mark.parametrize(("estimator", "method", "wrong"), WRONG.values(), ids=WRONG)
def test_a_call_that_fails_changes_nothing(estimator, method, wrong):
    estimator = clone(estimator)
    answer = "predict" if "y" in wrong else "transform"
    unfitted = dict(vars(estimator))
    with pytest.raises(ValueError, match=r"\w"):
        getattr(estimator, method)(**wrong)
    assert vars(estimator) == unfitted
    estimator.fit(ROWS, ROWS["a"] > 0)
    before = getattr(estimator, answer)(ROWS)
    with pytest.raises(ValueError, match=r"\w"):
        getattr(estimator, method)(**wrong)
    assert np.array_equal(getattr(estimator, answer)(ROWS), before)


def test_categories_of_rows_that_are_refused_stay_unknown():
    imputer = HopfieldImputer().fit(pandas.DataFrame({"a": ["x", "y", "x"], "b": [1.0, 2.0, 1.0]}))
    with pytest.raises(ValueError, match="'b' must hold numbers"):
        imputer.partial_fit(pandas.DataFrame({"a": ["new"], "b": ["text"]}))
    assert list(imputer.columns_[0].levels) == ["x", "y"]
