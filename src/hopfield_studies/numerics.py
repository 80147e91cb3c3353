"""The walkthrough's statements about encodings, speed and overflow, measured."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hopfield import DenseHopfield, ModernHopfield
from hopfield.corruption import occlude_half
from hopfield.data import Dataset
from hopfield.experiments import Record, record

from . import baselines
from .images import (
    as_signs,
    available_sizes,
    is_same_pattern,
    limit_stored,
    number_of_subsets,
    same_picture,
    share,
    store,
    subsets,
    summarise,
)

Measure = Callable[[tuple[int, ...], Tensor, float], dict[str, float]]


@dataclass(frozen=True)
class EncodingConfig:
    """Classical and continuous networks with images as ±1 and as 0 … 1."""

    stored: tuple[int, ...] = (1, 2, 3, 10, 100)
    beta: float = 8.0
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class SpeedConfig:
    """The loop rule and the closed form, one cue each."""

    stored: int = 10
    scale: float = 0.1
    repeats: int = 5
    seed: int = 0


@dataclass(frozen=True)
class OverflowConfig:
    """Plain exponentials in float32 and the library's, by β."""

    betas: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0)
    stored: int = 100
    seed: int = 0


def encodings(config: EncodingConfig, dataset: Dataset) -> Iterator[Record]:
    """Measure the recall of half-hidden images by both kinds of network in both encodings."""
    sources = (
        ("binary", _BINARY, as_signs(dataset)),
        ("continuous", _CONTINUOUS, dataset.patterns),
    )
    for n in available_sizes(config.stored, dataset):
        for network, cases, everything in sources:
            for case, measure in cases.items():
                count = number_of_subsets(n, config.subsets)
                runs = [
                    measure(dataset.shape, rows, config.beta)
                    for rows in subsets(everything, n, count, config.seed)
                ]
                yield record("encodings", case, config, network=network, n=n, **summarise(runs))


def _hebbian(
    shape: tuple[int, ...], rows: Tensor, _: float, *, low: float, centred: bool = False
) -> dict[str, float]:
    is_ink = rows > 0
    images = torch.where(is_ink, 1.0, low)
    # Subtracting the mean ink from patterns and cue is the covariance rule.
    mean = images.mean() if centred else 0.0
    # The document's rule: the hidden half counts as ink.
    cue = occlude_half(images, shape=shape, fill=1.0).state
    agrees = baselines.hebbian_step(images - mean, cue - mean) == is_ink
    return {"right": share(agrees.all(dim=1) | (~agrees).all(dim=1))}


def _modern(
    shape: tuple[int, ...], rows: Tensor, beta: float, *, low: float, hidden: float
) -> dict[str, float]:
    images = low + (1 - low) * rows
    memory = store(ModernHopfield(beta), images)
    cue = occlude_half(images, shape=shape, fill=hidden)
    strongest = memory.retrieve(cue, steps=0).index
    state = (memory.update(cue.state) - low) / (1 - low)
    return {
        "right": share(is_same_pattern(rows, strongest)),
        "exact": share(same_picture(rows, state)),
    }


_BINARY: dict[str, Measure] = {
    "±1": partial(_hebbian, low=-1.0),
    "0/1": partial(_hebbian, low=0.0),
    "0/1, mean subtracted": partial(_hebbian, low=0.0, centred=True),
}
_CONTINUOUS: dict[str, Measure] = {
    "[0, 1]": partial(_modern, low=0.0, hidden=0.0),
    "[−1, 1], hidden 0": partial(_modern, low=-1.0, hidden=0.0),
    "[−1, 1], hidden −1": partial(_modern, low=-1.0, hidden=-1.0),
}


def speed(config: SpeedConfig, dataset: Dataset) -> Iterator[Record]:
    """Time one cue in milliseconds: the loop, its closed form, the continuous update."""
    config = limit_stored(config, dataset)
    (index,) = subsets(torch.arange(len(dataset)), config.stored, 1, config.seed)
    inked, grey = as_signs(dataset)[index], dataset.patterns[index]
    beta = config.scale * 784 / inked.shape[1]
    dense, modern = store(DenseHopfield(beta), inked), store(ModernHopfield(8.0), grey)
    cue = occlude_half(inked, shape=dataset.shape, fill=1.0).state[0]
    dark = occlude_half(grey, shape=dataset.shape, fill=0.0).state[0]
    loop = baselines.dense_step(inked, cue, 1 / beta)
    yield record(
        "speed", "one cue", config,
        units=inked.shape[1], beta=beta,
        units_agreeing=share(loop == dense.update(cue)),
        loop_ms=_milliseconds(lambda: baselines.dense_step(inked, cue, 1 / beta), 1),
        closed_ms=_milliseconds(lambda: dense.update(cue), config.repeats),
        modern_ms=_milliseconds(lambda: modern.update(dark), config.repeats),
    )  # fmt: skip


def _milliseconds(call: Callable[[], object], repeats: int) -> float:
    # The fastest call is the one least disturbed by other programs.
    fastest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return 1000 * fastest


def overflow(config: OverflowConfig, dataset: Dataset) -> Iterator[Record]:
    """Count the cues with infinite or NaN results in float32, at each β."""
    config = limit_stored(config, dataset)
    (index,) = subsets(torch.arange(len(dataset)), config.stored, 1, config.seed)
    inked, grey = as_signs(dataset)[index], dataset.patterns[index]
    for beta in config.betas:
        dense, modern = store(DenseHopfield(beta), inked), store(ModernHopfield(beta), grey)
        halves = occlude_half(inked, shape=dataset.shape, fill=1.0).state
        dark = occlude_half(grey, shape=dataset.shape, fill=0.0).state
        yield record(
            "overflow", "float32", config,
            beta=beta, largest_score=(halves @ inked.T).max().item() * beta,
            dense_plain=_spoilt(baselines.plain_exponentials(inked, halves, beta)[:, None]),
            dense_library=_spoilt(dense.energy(halves)[:, None]),
            modern_plain=_spoilt(baselines.plain_softmax_step(grey, dark, beta)),
            modern_library=_spoilt(modern.update(dark)),
        )  # fmt: skip


def _spoilt(values: Tensor) -> float:
    return share(~torch.isfinite(values).all(dim=1))
