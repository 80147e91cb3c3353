"""Estimators in the manner of scikit-learn; they need the extra `sklearn`.

HopfieldImputer fills the gaps of a table; its method `impute` returns an Imputation.
"""

from ..errors import missing_extra

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise missing_extra("scikit-learn", "sklearn") from None

from .imputation import Imputation
from .imputer import HopfieldImputer

__all__ = ["HopfieldImputer", "Imputation"]
