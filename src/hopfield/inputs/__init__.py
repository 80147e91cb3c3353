"""Numbers as people have them, as tensors: arrays, lists, tables and pictures."""

from .arrays import check_labels
from .rows import (
    Given,
    Target,
    mask_from,
    numbers_from,
    pattern_axes,
    patterns_from,
    states_from,
    values_from,
)

__all__ = [
    "Given", "Target", "check_labels", "mask_from", "numbers_from", "pattern_axes",
    "patterns_from", "states_from", "values_from",
]  # fmt: skip
