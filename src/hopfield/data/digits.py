"""The embedded set: real digits that come with scikit-learn."""

import torch

from ..errors import OptionError, missing_extra
from .dataset import Dataset


def load_digits(split: str | None) -> Dataset:
    """The 1797 digits of 8 × 8 pixels; the 17 grey levels 0 … 16 become 0, 1/16, …, 1."""
    if split is not None:
        raise OptionError(
            f"digits is one set without a split, but split is {split!r}. "
            "Leave split out, and divide the patterns yourself."
        )
    try:
        from sklearn import datasets
    except ImportError:
        raise missing_extra("scikit-learn", "data") from None
    found = datasets.load_digits()
    return Dataset(
        torch.from_numpy(found.images).float() / 16,
        torch.from_numpy(found.target).long(),
        "digits",
        "comes with scikit-learn (test set of the UCI handwritten digits)",
        classes=tuple("0123456789"),
    )
