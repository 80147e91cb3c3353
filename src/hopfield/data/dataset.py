"""A data set: images or vectors with their labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_dense, check_number, check_tensor, short_repr
from ..errors import InputTypeError, ShapeError

BACKGROUND = 0.25
"""Share of zeros from which they count as the paper below the ink, in `Dataset.threshold`."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images or vectors of one shape, with values in [0, 1]. Printing lists its contents.

    Args:
        images: `(n, *shape)`, float32, ink bright: 1 is full ink.
        labels: `(n,)`, int64, or None.
        name: the name or file it was loaded from.
        source: the place it came from.
        split: "train", "test", or None if the set has no splits.
        classes: names of the labels, `classes[label]`; empty if labels are only numbers.
        names: one name per image, such as its path within the folder, or None.
        skipped: the files that were left out, each with the reason.

    Raises:
        ShapeError: if `images` hold no image, or `labels` or `names` do not fit them.
    """

    images: Float[Tensor, " n *shape"]
    labels: Int[Tensor, " n"] | None
    name: str
    source: str
    split: str | None = None
    classes: tuple[str, ...] = ()
    names: Sequence[str] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that images and labels fit."""
        images = check_tensor("images", self.images)
        if images.ndim < 2 or 0 in images.shape:
            raise ShapeError(
                f"images must have shape (n, *shape) with n ≥ 1, but have {tuple(images.shape)}."
            )
        if self.labels is not None and check_dense("labels", self.labels).shape != images.shape[:1]:
            raise ShapeError(
                f"labels must have shape ({len(images)},), one per image, but have "
                f"{tuple(self.labels.shape)}."
            )
        if self.names is not None:
            object.__setattr__(self, "names", _checked_names(self.names, len(images)))

    @property
    def patterns(self) -> Float[Tensor, "n dim"]:
        """The images as rows `(n, dim)` for a memory to store. They share storage with `images`."""
        return self.images.flatten(1)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image, such as (8, 8); `(dim,)` for plain vectors."""
        return tuple(self.images.shape[1:])

    def binary(self, threshold: float = 0.0) -> Float[Tensor, "n dim"]:
        """The patterns as ±1, `(n, dim)` float32: ink, a value above the threshold, is +1.

        Args:
            threshold: between 0 and 1; 0 makes every trace of ink +1. Photographs, with
                hardly a pixel at 0, would be +1 throughout: use `threshold()` for these.

        Raises:
            DomainError: if `threshold` is not between 0 and 1.
        """
        level = check_number("threshold", threshold, low=0.0, high=1.0)
        return torch.where(self.patterns > level, 1.0, -1.0).float()

    def threshold(self) -> float:
        """Propose a threshold for `binary`.

        It is 0 if a quarter of all values are 0: these are the background, all others ink.
        Otherwise it is the mean of all values, so that some lie on either side.
        """
        if (self.patterns == 0).double().mean() >= BACKGROUND:
            return 0.0
        return self.patterns.double().mean().item()

    def __len__(self) -> int:
        """Number of patterns."""
        return len(self.images)

    def __repr__(self) -> str:
        """Describe contents and origin, one fact per line."""
        size = " × ".join(map(str, self.shape))
        total = f" = {math.prod(self.shape)}" if len(self.shape) > 1 else ""
        return (
            f"Dataset {self.name}\n    Number of patterns: {len(self)}\n"
            f"    Shape: {size}{total}\n    Split: {self.split or 'none'}\n"
            f"    Classes: {self._describe_classes()}\n    Source: {self.source}"
        )

    def _describe_classes(self) -> str:
        if self.labels is None:
            return "none"
        if not self.classes:
            return str(len(set(self.labels.tolist())))
        names = ", ".join(self.classes)
        if len(names) > 80:
            names = f"{names[:80].rsplit(', ', 1)[0]}, …"
        return f"{len(self.classes)} ({names})"


def _checked_names(names: object, count: int) -> tuple[str, ...]:
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise InputTypeError(f"names must be a list of strings, but is {short_repr(names)}.")
    if len(names) != count:
        raise ShapeError(f"names must be {count}, one per image, but are {len(names)}.")
    return tuple(names)
