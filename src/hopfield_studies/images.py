"""Draws that the experiments share: subsets of a data set, and what is measured on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hopfield import Cue
from hopfield.data import Dataset
from hopfield.experiments import generator
from hopfield.experiments.records import mean_and_sd
from hopfield.metrics import exact_recall, hamming_accuracy

PICTURES = 6
"""How many examples a picture shows."""

HALF_LEVEL = 0.5 / 255
"""Half a grey level of an 8-bit image: closer than this, two images are the same picture."""


def subsets(total: int, n: int, count: int, seed: int) -> Iterator[Tensor]:
    """`count` random subsets of n indices below `total`."""
    for draw in range(count):
        yield torch.randperm(total, generator=generator(seed, n, draw))[:n]


def draws(n: int, count: int) -> int:
    """How many subsets of n patterns: at least `count`, more where a subset holds only a few."""
    return max(count, -(-count * 3 // n))


def sizes(wanted: tuple[int, ...], dataset: Dataset) -> list[int]:
    """The wanted numbers of patterns that the data set can provide."""
    return [n for n in wanted if n <= len(dataset.patterns)]


def fitted(config: Any, dataset: Dataset) -> Any:
    """The config with `stored` no larger than the data set, so that records say what was stored."""
    return replace(config, stored=min(config.stored, len(dataset.patterns)))


def binary(dataset: Dataset) -> Tensor:
    """The images as ±1, by the threshold that tells them apart."""
    return dataset.binary(dataset.threshold())


def returned(rows: Tensor, index: Tensor) -> Tensor:
    """For every row: is the pattern at `index` this picture? A second copy of it is as right."""
    return (rows[index] == rows).all(dim=-1)


def share(hits: Tensor) -> float:
    """Fraction of true entries."""
    return hits.double().mean().item()


def same_picture(original: Tensor, recovered: Tensor) -> Tensor:
    """Whether every entry is within half a grey level of an 8-bit image."""
    return (original - recovered).abs().amax(dim=-1) <= HALF_LEVEL


def image(values: Tensor, *, binary: bool) -> list[list[int]]:
    """±1 or [0, 1] patterns as pixels, ink dark: 255 is full ink."""
    light = (values.float() + 1) / 2 if binary else values.float()
    return (light.clamp(0, 1) * 255).round().to(torch.uint8).flatten(1).tolist()


def known_entries(cue: Cue) -> Tensor:
    """The cue's mask; all true where it has none."""
    return torch.ones_like(cue.state, dtype=torch.bool) if cue.known is None else cue.known


def drawn(dataset: Dataset) -> dict[str, Any]:
    """How its images are drawn: their shape, and whether their values are light instead of ink."""
    light = dataset.shape[0] == 3 if len(dataset.shape) == 3 else False
    return {"shape": list(dataset.shape), "light": light or dataset.threshold() > 0}


def picture(
    original: Tensor, cue: Cue, retrieved: Tensor, dataset: Dataset, *, binary: bool
) -> dict[str, Any]:
    """Fields of a record that let a figure show original, cue and retrieved side by side."""
    return {
        **drawn(dataset),
        "original": image(original[:PICTURES], binary=binary),
        "cue": image(cue.state[:PICTURES], binary=binary),
        "known": known_entries(cue)[:PICTURES].int().tolist(),
        "retrieved": image(retrieved[:PICTURES], binary=binary),
    }


def binary_figures(original: Tensor, recovered: Tensor) -> dict[str, float]:
    """What is reported of ±1 patterns: exact recall, the same up to sign, entries right."""
    return {
        "exact": share(exact_recall(original, recovered)),
        "exact_blind": share(exact_recall(original, recovered, sign_blind=True)),
        "accuracy": hamming_accuracy(original, recovered).double().mean().item(),
    }


def summarise(figures: list[dict[str, float]]) -> dict[str, float]:
    """Mean and standard deviation over subsets of every figure measured on each of them."""
    summary: dict[str, float] = {"samples": len(figures)}
    for name in figures[0]:
        summary |= mean_and_sd(name, [each[name] for each in figures])
    return summary
