"""Estimators in the manner of scikit-learn; they need the extra `sklearn`.

HopfieldImputer fills the gaps of a table; its method `impute` returns an Imputation.
HopfieldClassifier and HopfieldRegressor predict labels and numbers from similar rows.
HopfieldDenoiser restores noisy rows.
"""

from ..errors import missing_extra

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise missing_extra("scikit-learn", "sklearn") from None

from .denoiser import HopfieldDenoiser
from .imputation import Imputation
from .imputer import HopfieldImputer
from .supervised import HopfieldClassifier, HopfieldRegressor

__all__ = [
    "HopfieldClassifier",
    "HopfieldDenoiser",
    "HopfieldImputer",
    "HopfieldRegressor",
    "Imputation",
]
