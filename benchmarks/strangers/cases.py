"""Sets of patterns, and damages in units of their standard deviation."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from hopfield import Cue, corruption, data
from hopfield.errors import DataError


class Rows(NamedTuple):
    """The rows of a set, the shape of one, and the numbers that are stored and that are not."""

    patterns: Tensor
    shape: tuple[int, ...] | None
    stored: int
    strangers: int


STORED, STRANGERS = 500, 400
"""Rows that are stored in each draw, and that are not."""

CLUSTERS, PER_CLUSTER, DIM, SPREAD = 200, 40, 128, 0.8
"""Unit vectors around 200 centres, as embeddings are: a row has cosine .6 with its neighbours."""


def _embeddings() -> Rows:
    source = torch.Generator().manual_seed(0)
    centres = torch.randn(CLUSTERS, 1, DIM, generator=source)
    rows = centres + SPREAD * torch.randn(CLUSTERS, PER_CLUSTER, DIM, generator=source)
    return Rows(torch.nn.functional.normalize(rows.flatten(0, 1), dim=-1), None, STORED, STRANGERS)


def _pictures(name: str) -> Rows:
    split = None if name == "digits" else "test"
    loaded = data.load(name) if split is None else data.load(name, split=split)
    return Rows(loaded.patterns, loaded.shape, STORED, STRANGERS)


SETS: dict[str, Callable[[], Rows]] = {
    "digits": partial(_pictures, "digits"),
    "mnist": partial(_pictures, "mnist"),
    "fashion-mnist": partial(_pictures, "fashion-mnist"),
    "embeddings": _embeddings,
}


@cache
def load(name: str) -> Rows:
    """Return the rows of a set.

    Raises:
        DataError: if it is not on disk.
    """
    if name in ("mnist", "fashion-mnist") and not data.is_on_disk(name, "test"):
        raise DataError(f"{name} must be on disk, but is not. data.load downloads it.")
    return SETS[name]()


Damage = Callable[[Tensor, torch.Generator], Cue]


class Unit(NamedTuple):
    """What a damage needs to know of a set: standard deviation, extremes and shape of a row."""

    deviation: float
    low: float
    high: float
    shape: tuple[int, ...] | None


def unit_of(rows: Rows) -> Unit:
    """Return the units of a set; extremes are those of a thousandth of the entries."""
    entries = rows.patterns[:2000].flatten()
    ends = torch.quantile(entries[:: max(1, len(entries) // 100_000)], torch.tensor([0.001, 0.999]))
    return Unit(float(rows.patterns.std()), float(ends[0]), float(ends[1]), rows.shape)


def _noise(amount: float, unit: Unit) -> Damage:
    return lambda x, g: corruption.gaussian_noise(x, amount * unit.deviation, generator=g)


def _hidden(amount: float, unit: Unit) -> Damage:
    return lambda x, g: corruption.occlude_random(x, amount, generator=g)


def _extremes(amount: float, unit: Unit) -> Damage:
    return lambda x, g: corruption.salt_and_pepper(
        x, amount, low=unit.low, high=unit.high, generator=g
    )


def _half(unit: Unit) -> Damage:
    return lambda x, g: corruption.occlude_half(x, unit.shape)


def _block(amount: float, unit: Unit, fill: float | None = None) -> Damage:
    return lambda x, g: corruption.occlude_block(x, amount, unit.shape, fill=fill, generator=g)


def _then_noise(first: Damage, amount: float, unit: Unit) -> Damage:
    def damage(x: Tensor, generator: torch.Generator) -> Cue:
        cue = first(x, generator)
        return Cue(_noise(amount, unit)(cue.state, generator).state, cue.known)

    return damage


def _dimmed(x: Tensor, generator: torch.Generator) -> Cue:
    # Each by a factor of its own.
    return Cue(x * (0.7 + 0.3 * torch.rand(len(x), 1, generator=generator)))


def damages(unit: Unit) -> dict[str, Damage]:
    """Return all damages by name; s is the standard deviation of the entries of the set."""
    return {
        "noise s/2": _noise(0.5, unit),
        "noise s": _noise(1.0, unit),
        "noise 2s": _noise(2.0, unit),
        "half hidden": _half(unit),
        "half hidden, noise s/2": _then_noise(_half(unit), 0.5, unit),
        "50 % hidden": _hidden(0.5, unit),
        "80 % hidden": _hidden(0.8, unit),
        "90 % hidden": _hidden(0.9, unit),
        "80 % hidden, noise s/2": _then_noise(_hidden(0.8, unit), 0.5, unit),
        "block hidden": _block(0.5, unit),
        "block blackened": _block(0.1, unit, unit.low),
        "20 % extremes": _extremes(0.2, unit),
        "50 % extremes": _extremes(0.5, unit),
        "dimmed": _dimmed,
    }


NAMES = tuple(damages(Unit(1.0, -1.0, 1.0, None)))
