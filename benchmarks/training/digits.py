"""Digits for training: stratified parts, bags, patches."""

from typing import NamedTuple

import torch
from torch import Tensor

from hopfield import data

TEST = 0.3
"""Share of the digits in the test set."""


class Split(NamedTuple):
    """Images `(n, pixels)` in [0, 1] and labels, for training and for testing."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def split(seed: int, name: str = "digits") -> Split:
    """Split the digits: 70 % for training, 30 % for testing, the same shares of every digit.

    Args:
        seed: of the parts.
        name: "digits" of scikit-learn, or "mnist": its 10 000 images of the test set.
    """
    digits = data.load(name, split="test" if name == "mnist" else None)
    images, labels = digits.patterns, digits.labels
    if labels is None:
        raise ValueError("the digits have labels")
    generator = torch.Generator().manual_seed(seed)
    train, test = [], []
    for digit in range(10):
        rows = torch.nonzero(labels == digit).squeeze(-1)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        held = round(TEST * len(rows))
        test.append(rows[:held])
        train.append(rows[held:])
    one, other = torch.cat(train), torch.cat(test)
    return Split(images[one], labels[one], images[other], labels[other])


class Bags(NamedTuple):
    """Sets of images `(bags, size, 64)`; `positive` marks those that hold the digit."""

    images: Tensor
    positive: Tensor


def bags(
    images: Tensor, labels: Tensor, count: int, size: int, most: int, seed: int, digit: int = 9
) -> Bags:
    """Make bags of other digits; every second also holds 1 … `most` images of `digit`."""
    generator = torch.Generator().manual_seed(seed)

    def draw(rows: Tensor, number: int) -> Tensor:
        return rows[torch.randint(len(rows), (number,), generator=generator)]

    holds, lacks = (torch.nonzero(labels == digit)[:, 0], torch.nonzero(labels != digit)[:, 0])
    found, positive = [], torch.arange(count) % 2 == 1
    for wanted in positive.tolist():
        rows = draw(lacks, size)
        if wanted:
            number = int(torch.randint(1, most + 1, (), generator=generator))
            at = torch.randperm(size, generator=generator)[:number]
            rows[at] = draw(holds, number)
        found.append(images[rows])
    return Bags(torch.stack(found), positive)


class UnevenBags(NamedTuple):
    """Bags of different lengths, `(n_i, 64)` each, and those that hold the digit.

    Attributes:
        images: of each bag.
        positive: True for bags that hold the digit.
        wanted: for each bag, True for its images of the digit, `(n_i,)`.
    """

    images: list[Tensor]
    positive: Tensor
    wanted: list[Tensor]


def uneven_bags(
    images: Tensor,
    labels: Tensor,
    count: int,
    sizes: tuple[int, int],
    most: int,
    seed: int,
    digit: int = 9,
) -> UnevenBags:
    """Make bags of a size between two; every second holds 1 … `most` images of `digit`."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, shape: tuple[int, ...] = ()) -> Tensor:
        return torch.randint(low, high, shape, generator=generator)

    holds, lacks = images[labels == digit], images[labels != digit]
    found, wanted = [], []
    for bag in range(count):
        size = int(draw(sizes[0], sizes[1] + 1))
        number = int(draw(1, most + 1)) if bag % 2 else 0
        is_wanted = torch.randperm(size, generator=generator) < number
        rows = lacks[draw(0, len(lacks), (size,))]
        rows[is_wanted] = holds[draw(0, len(holds), (number,))]
        found.append(rows)
        wanted.append(is_wanted)
    return UnevenBags(found, torch.arange(count) % 2 == 1, wanted)


def patches(images: Tensor) -> Tensor:
    """Cut images of 8 × 8 into 16 patches of 2 × 2, `(n, 16, 4)`."""
    return images.unflatten(-1, (4, 2, 4, 2)).transpose(-3, -2).flatten(-2).flatten(-3, -2)


def whole(patches: Tensor) -> Tensor:
    """Join patches to images, `(n, 64)`."""
    return patches.unflatten(-1, (2, 2)).unflatten(-3, (4, 4)).transpose(-3, -2).flatten(-4)
