"""The embedded set: real digits that come with scikit-learn."""

import torch

from ..errors import missing_extra
from .dataset import Dataset


def load_digits() -> Dataset:
    """Load the 1797 digits of 8 × 8 pixels; the grey levels 0 … 16 become 0, 1/16, …, 1."""
    try:
        from sklearn import datasets
    except ImportError:
        raise missing_extra("scikit-learn", "data") from None
    digits = datasets.load_digits()
    return Dataset(
        torch.from_numpy(digits.images).float() / 16,
        torch.from_numpy(digits.target).long(),
        "digits",
        "comes with scikit-learn (test set of the UCI handwritten digits)",
        classes=tuple("0123456789"),
    )
