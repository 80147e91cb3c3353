"""The steps of the demo: every experiment of both documents, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hopfield.data import Dataset
from hopfield.errors import DataError
from hopfield.experiments import Record

from . import from_scratch, landscape, numerics, walkthrough

FEWEST_IMAGES = 20
MOST_UNITS = 4096
QUICK = 2
"""Subsets, draws and repeats in the quick form, which shows only that everything runs."""
QUICK_STORED = 100
"""Largest number of patterns stored in the quick form."""


@dataclass(frozen=True)
class Step:
    """One experiment: its title, and the function that makes its records."""

    title: str
    run: Callable[[Dataset], Iterator[Record]]


def plan(seed: int = 0, *, quick: bool = False) -> list[Step]:
    """Return the steps of the demo; `quick` measures on two subsets instead of many."""
    on_images: list[tuple[str, Callable[[Any, Dataset], Iterator[Record]], Any]] = [
        ("the images", walkthrough.images, walkthrough.ImagesConfig()),
        ("classical network", walkthrough.classical, walkthrough.ClassicalConfig()),
        ("negatives", walkthrough.flips, walkthrough.FlipsConfig()),
        ("dense network", walkthrough.dense, walkthrough.DenseConfig()),
        ("continuous network", walkthrough.modern, walkthrough.ModernConfig()),
        ("sweep of β", landscape.beta_sweep, landscape.SweepConfig()),
        ("stationary points", landscape.stationary, landscape.StationaryConfig()),
        ("steps until it settles", landscape.steps, landscape.StepsConfig()),
        ("energies", landscape.energies, landscape.EnergyConfig()),
        ("encodings", numerics.encodings, numerics.EncodingConfig()),
        ("speed", numerics.speed, numerics.SpeedConfig()),
        ("overflow", numerics.overflow, numerics.OverflowConfig()),
    ]
    on_random: list[tuple[str, Callable[[Any], Iterator[Record]], Any]] = [
        ("falling energy", from_scratch.descent, from_scratch.DescentConfig()),
        ("sweeps and load", from_scratch.load, from_scratch.LoadConfig()),
        ("oscillation", from_scratch.oscillation, from_scratch.OscillationConfig()),
        ("noisy Gaussian patterns", from_scratch.gaussian, from_scratch.GaussianConfig()),
        ("attention", from_scratch.attention_equality, from_scratch.AttentionConfig()),
        ("methods", from_scratch.summary, from_scratch.SummaryConfig()),
    ]
    return [
        *(Step(title, partial(run, _sized(config, seed, quick)))
          for title, run, config in on_images),
        *(Step(title, partial(_without_images, run, _sized(config, seed, quick)))
          for title, run, config in on_random),
    ]  # fmt: skip


def _without_images(
    run: Callable[[Any], Iterator[Record]], config: Any, _: Dataset
) -> Iterator[Record]:
    return run(config)


def _sized(config: Any, seed: int, quick: bool) -> Any:
    if not quick:
        return replace(config, seed=seed)
    few = ("subsets", "draws", "trials", "starts", "repeats")
    sized: dict[str, Any] = {
        name: min(QUICK, getattr(config, name)) for name in few if hasattr(config, name)
    }
    if isinstance(getattr(config, "stored", None), tuple):
        sized["stored"] = tuple(n for n in config.stored if n <= QUICK_STORED)
    return replace(config, seed=seed, **sized)


def check(dataset: Dataset) -> Dataset:
    """Raise DataError unless the demo can be run on the data set. Return it."""
    count, units = len(dataset), dataset.patterns.shape[1]
    if count < FEWEST_IMAGES:
        raise DataError(
            f"the demo needs at least {FEWEST_IMAGES} images, but {dataset.name} has {count}. "
            "Add images, or run it on digits."
        )
    if len(dataset.shape) < 2:
        raise DataError(
            f"the demo needs images, but the rows of {dataset.name} are plain vectors of "
            f"{units} entries. Store them as (n, height, width), or run it on digits."
        )
    *channels, height, _ = dataset.shape
    if len(channels) > 1 or (channels and channels[0] not in (1, 3)) or height < 2:
        raise DataError(
            f"the demo needs images of shape (height, width) or (3, height, width), two rows at "
            f"least, but those of {dataset.name} have shape {dataset.shape}. "
            "Move the axes, or run it on digits."
        )
    if units > MOST_UNITS:
        raise DataError(
            f"the demo takes images of at most {MOST_UNITS} pixels, but those of {dataset.name} "
            f"have {units}. Make them smaller, 28 × 28 for instance."
        )
    _check_differences(dataset)
    return dataset


def _check_differences(dataset: Dataset) -> None:
    grey = len(dataset.patterns.unique(dim=0))
    if grey < FEWEST_IMAGES:
        raise DataError(
            f"the demo needs at least {FEWEST_IMAGES} different images, but {dataset.name} has "
            f"{grey} and {len(dataset) - grey} copies. Add images, or run it on digits."
        )
    level = dataset.threshold()
    black = len(dataset.binary(level).unique(dim=0))
    if black < FEWEST_IMAGES:
        raise DataError(
            f"the demo needs at least {FEWEST_IMAGES} different images, but as ±1 (+1 above "
            f"{level:.3g}) those of {dataset.name} are only {black}. Raise their contrast, add "
            "images, or run it on digits."
        )
