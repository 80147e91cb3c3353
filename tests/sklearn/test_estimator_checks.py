"""scikit-learn's own checks of every estimator."""

import numpy as np
import pytest
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
