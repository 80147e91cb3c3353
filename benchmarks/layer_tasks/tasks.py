"""Tasks: rows of tables, digits, bags of digits, and recall of pairs, with labels."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import Tensor

from benchmarks.training.digits import split, uneven_bags
from hopfield.nn import pad_bags

PAIRS, SYMBOLS, NOISE = 6, 12, 0.4
"""Pairs of one recall, number of keys and of values, and the noise of a key that is asked for."""


class Part(NamedTuple):
    """Inputs of one split: rows `(n, length)`, or bags `(n, size, length)` with their padding."""

    inputs: Tensor
    labels: Tensor
    padding: Tensor | None = None
    query: Tensor | None = None
    """For each bag, the row that is asked for, `(n, length)`."""


class Task(NamedTuple):
    """Training and test parts, and the number of classes."""

    train: Part
    test: Part
    classes: int


def table(name: str, seed: int) -> Task:
    """Split a table of scikit-learn, 70 % to train on, and standardise its columns."""
    data = getattr(datasets, f"load_{name}")()
    rows, other, labels, named = train_test_split(
        data.data, data.target, test_size=0.3, random_state=seed, stratify=data.target
    )
    center, scale = rows.mean(0), rows.std(0)
    return Task(
        _part((rows - center) / scale, labels),
        _part((other - center) / scale, named),
        len(data.target_names),
    )


def _part(rows: numpy.ndarray, labels: numpy.ndarray) -> Part:
    return Part(torch.from_numpy(rows).float(), torch.from_numpy(labels).long())


def digits(seed: int) -> Task:
    """Split the digits: 70 % of each to train on."""
    held = split(seed)
    return Task(Part(held.images, held.labels), Part(held.test_images, held.test_labels), 10)


def digit_bags(seed: int, sizes: tuple[int, int], most: int) -> Task:
    """Make 500 bags to train on and 500 of other digits; positive bags hold a 9."""
    held, parts = split(seed), []
    for images, labels in (held[:2], held[2:]):
        made = uneven_bags(images, labels, 500, sizes, most, seed)
        padded, padding = pad_bags(made.images)
        parts.append(Part(padded, made.positive.long(), padding))
    return Task(parts[0], parts[1], 2)


def recall(seed: int) -> Task:
    """Draw pairs of a key and a value; the label is the value of a key that is seen with noise.

    Keys and values are one-hot; a row holds both, and the query a key without a value.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for count in (3000, 2000):
        keys = torch.rand(count, SYMBOLS, generator=generator).argsort(-1)[:, :PAIRS]
        values = torch.randint(SYMBOLS, (count, PAIRS), generator=generator)
        rows = torch.eye(SYMBOLS)[torch.stack([keys, values], 2)].flatten(2)
        query = rows[:, 0] * (torch.arange(2 * SYMBOLS) < SYMBOLS)
        noise = NOISE * torch.randn(count, SYMBOLS, generator=generator)
        query[:, :SYMBOLS] += noise
        order = torch.rand(count, PAIRS, generator=generator).argsort(-1)
        labels = values[:, 0]
        parts.append(Part(rows.take_along_dim(order[..., None], 1), labels, None, query))
    return Task(parts[0], parts[1], SYMBOLS)


TASKS: dict[str, Callable[[int], Task]] = {
    "iris": partial(table, "iris"),
    "wine": partial(table, "wine"),
    "breast cancer": partial(table, "breast_cancer"),
    "digits": digits,
    "bags of 10": partial(digit_bags, sizes=(10, 10), most=2),
    "bags of 5 to 30": partial(digit_bags, sizes=(5, 30), most=1),
    "recall": recall,
}
"""Tasks of a seed, by name."""
