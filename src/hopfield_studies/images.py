"""Helpers of the experiments on images: random subsets, measures, pictures in records."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from hopfield import Cue, Memory
from hopfield.data import Dataset
from hopfield.errors import CapacityWarning
from hopfield.experiments import generator, mean_and_sd
from hopfield.metrics import exact_recall, hamming_accuracy

Stored = TypeVar("Stored", bound=Memory)

PICTURES = 6
"""Number of examples in a picture."""

HALF_LEVEL = 0.5 / 255
"""Half a grey level of an 8-bit image: closer than this, two images are the same picture."""


def subsets(rows: Tensor, n: int, count: int, seed: int) -> Iterator[Tensor]:
    """Yield `count` random subsets of n rows."""
    for draw in range(count):
        yield rows[torch.randperm(len(rows), generator=generator(seed, n, draw))[:n]]


def store(memory: Stored, rows: Tensor) -> Stored:
    """Store the rows and return the memory."""
    with warnings.catch_warnings():
        # Experiments measure loads beyond the capacity too.
        warnings.simplefilter("ignore", CapacityWarning)
        memory.store(rows)
    return memory


def number_of_subsets(n: int, count: int) -> int:
    """Return the number of subsets of n patterns: `count`, and more where n is 1 or 2."""
    return max(count, -(-count * 3 // n))


def available_sizes(wanted: tuple[int, ...], dataset: Dataset) -> list[int]:
    """Return the numbers of patterns that the data set can provide."""
    return [n for n in wanted if n <= len(dataset.patterns)]


def limit_stored(config: Any, dataset: Dataset) -> Any:
    """Return the config with `stored` at most the size of the data set."""
    return replace(config, stored=min(config.stored, len(dataset.patterns)))


def as_signs(dataset: Dataset) -> Tensor:
    """Return the images as ±1, by the threshold of the data set."""
    return dataset.binary(dataset.threshold())


def is_same_pattern(rows: Tensor, index: Tensor) -> Tensor:
    """Return whether the pattern at `index` is the same picture as each row, or a copy of it."""
    return (rows[index] == rows).all(dim=-1)


def share(hits: Tensor) -> float:
    """Return the fraction of true entries."""
    return hits.double().mean().item()


def same_picture(original: Tensor, recovered: Tensor) -> Tensor:
    """Return whether every entry is within half a grey level of an 8-bit image."""
    return (original - recovered).abs().amax(dim=-1) <= HALF_LEVEL


def to_pixels(values: Tensor, *, binary: bool) -> list[list[int]]:
    """Return ±1 or [0, 1] patterns as pixels from 0 to 255 (full ink)."""
    light = (values.float() + 1) / 2 if binary else values.float()
    return (light.clamp(0, 1) * 255).round().to(torch.uint8).flatten(1).tolist()


def known_mask(cue: Cue) -> Tensor:
    """Return the cue's mask; all true where it has none."""
    return torch.ones_like(cue.state, dtype=torch.bool) if cue.known is None else cue.known


def drawing_options(dataset: Dataset) -> dict[str, Any]:
    """Return the shape of images, and whether their values are light instead of ink."""
    light = dataset.shape[0] == 3 if len(dataset.shape) == 3 else False
    return {"shape": list(dataset.shape), "light": light or dataset.threshold() > 0}


def picture_fields(
    original: Tensor, cue: Cue, retrieved: Tensor, dataset: Dataset, *, binary: bool
) -> dict[str, Any]:
    """Return fields of a record for a picture of original, cue and retrieved images."""
    return {
        **drawing_options(dataset),
        "original": to_pixels(original[:PICTURES], binary=binary),
        "cue": to_pixels(cue.state[:PICTURES], binary=binary),
        "known": known_mask(cue)[:PICTURES].int().tolist(),
        "retrieved": to_pixels(retrieved[:PICTURES], binary=binary),
    }


def binary_scores(original: Tensor, recovered: Tensor) -> dict[str, float]:
    """Measure exact recall of ±1 patterns, exact recall up to sign, and accuracy."""
    return {
        "exact": share(exact_recall(original, recovered)),
        "exact_blind": share(exact_recall(original, recovered, sign_blind=True)),
        "accuracy": hamming_accuracy(original, recovered).double().mean().item(),
    }


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over runs of every measure, and the pictures of the first.

    Measures are floats; any other field belongs to a picture.
    """
    summary: dict[str, Any] = {"samples": len(runs)}
    for name, value in runs[0].items():
        is_measure = isinstance(value, float)
        summary |= mean_and_sd(name, [x[name] for x in runs]) if is_measure else {name: value}
    return summary
