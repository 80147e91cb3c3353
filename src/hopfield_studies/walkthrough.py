"""The walkthrough on real images: three networks retrieve images whose lower half is hidden.

Each function takes a frozen config and a data set and yields flat records. A rate is measured on
several random subsets of the images and recorded with its standard deviation over them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield
from hopfield.corruption import occlude_half
from hopfield.data import Dataset
from hopfield.experiments import Record, generator, mean_and_sd, record
from hopfield.synthetic import random_binary

from . import baselines
from .images import (
    PICTURES,
    as_signs,
    available_sizes,
    binary_scores,
    drawing_options,
    is_same_pattern,
    known_mask,
    number_of_subsets,
    picture_fields,
    same_picture,
    share,
    store,
    subsets,
    summarise,
    to_pixels,
)

INK = 1.0
MASKINGS = {"ink": INK, "unknown": None}
"""Kinds of masks, and the value of hidden entries."""


@dataclass(frozen=True)
class ImagesConfig:
    """Statistics of the data set."""

    pairs: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class ClassicalConfig:
    """Classical networks by the number of images stored."""

    stored: tuple[int, ...] = (1, 2, 3, 10)
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class DenseConfig:
    """The dense exponential network by the number of images stored; β = scale · 784 / N."""

    stored: tuple[int, ...] = (10, 100)
    scale: float = 0.1
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class ModernConfig:
    """The continuous network: the document's β with the dot product, and a larger β."""

    stored: tuple[int, ...] = (10, 100, 1000)
    beta: float = 8.0
    sharp: float = 512.0
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class FlipsConfig:
    """Negatives among the classical network's reconstructions."""

    stored: int = 3
    subsets: int = 20
    seed: int = 0


def images(config: ImagesConfig, dataset: Dataset) -> Iterator[Record]:
    """Measure statistics of the data set, and record its first images."""
    level = dataset.threshold()
    everything = dataset.binary(level)
    n = min(config.pairs, len(dataset))
    (chosen,) = subsets(torch.arange(len(dataset)), n, 1, config.seed)
    rows = everything[chosen].double()
    overlaps = (rows @ rows.T / rows.shape[1]).abs()
    off = ~torch.eye(len(rows), dtype=torch.bool)
    noise = random_binary(len(rows), rows.shape[1], generator=generator(config.seed)).double()
    halves = occlude_half(everything, shape=dataset.shape)
    different = everything.unique(dim=0)
    _, owners = occlude_half(different, shape=dataset.shape).state.unique(dim=0, return_counts=True)
    first = dataset.patterns[chosen[:PICTURES]]
    yield record(
        "images", "images", config,
        data=dataset.name, images=len(everything), units=rows.shape[1], **drawing_options(dataset),
        threshold=level, ink=share(everything > 0), distinct=len(different),
        distinct_halves=len(owners), unique_halves=int((owners == 1).sum()),
        overlap=overlaps[off].mean().item(),
        overlap_random=(noise @ noise.T / rows.shape[1]).abs()[off].mean().item(),
        grey=to_pixels(first, binary=False), binary=to_pixels(rows[:PICTURES], binary=True),
        grey_cue=to_pixels(occlude_half(first, shape=dataset.shape, fill=0.0).state, binary=False),
        binary_cue=to_pixels(halves.state[chosen[:PICTURES]], binary=True),
        known=known_mask(halves)[chosen[:PICTURES]].int(),
    )  # fmt: skip


def classical(config: ClassicalConfig, dataset: Dataset) -> Iterator[Record]:
    """Measure Hebb's rule as in the document and in the library, and the pseudo-inverse.

    The document: diagonal kept, one synchronous step, the hidden half filled with ink. The library:
    no diagonal, unit after unit until nothing changes, the hidden half unknown.
    """
    most = available_sizes(config.stored, dataset)[-1]
    for n in available_sizes(config.stored, dataset):
        for case in ("document", "library"):
            yield _classical_case(config, dataset, n, case, "images")
    for case, source in (
        ("pseudo_inverse", "images"),
        ("document", "random"),
        ("library", "random"),
    ):
        yield _classical_case(config, dataset, most, case, source)


def _classical_case(
    config: ClassicalConfig, dataset: Dataset, n: int, case: str, source: str
) -> Record:
    everything = as_signs(dataset)
    runs = []
    count = number_of_subsets(n, config.subsets)
    for draw, rows in enumerate(subsets(everything, n, count, config.seed)):
        if source == "random":
            stream = generator(config.seed, n, draw, 1)
            rows = random_binary(n, rows.shape[1], generator=stream).to(rows.dtype)
        cue = occlude_half(rows, shape=dataset.shape, fill=INK if case == "document" else None)
        if case == "document":
            ink = baselines.hebbian_step(rows, cue.state)
            state, steps = torch.where(ink, 1.0, -1.0), 1.0
        else:
            rule = "pseudo_inverse" if case == "pseudo_inverse" else "hebbian"
            retrieval = store(ClassicalHopfield(rule), rows).retrieve(cue)
            state, steps = retrieval.state, retrieval.steps.double().mean().item()
        pictures = picture_fields(rows, cue, state, dataset, binary=True)
        runs.append({**binary_scores(rows, state), "sweeps": steps, **pictures})
    load = n / everything.shape[1]
    return record("classical", case, config, n=n, patterns=source, load=load, **summarise(runs))


def dense(config: DenseConfig, dataset: Dataset) -> Iterator[Record]:
    """Measure the dense exponential network (Demircigil), one sweep, for both masks."""
    everything = as_signs(dataset)
    beta = config.scale * 784 / everything.shape[1]
    for n in available_sizes(config.stored, dataset):
        for masking, fill in MASKINGS.items():
            runs = []
            for rows in subsets(everything, n, config.subsets, config.seed):
                cue = occlude_half(rows, shape=dataset.shape, fill=fill)
                memory = store(DenseHopfield(beta), rows)
                state = memory.retrieve(cue, clamp=False, steps=1).state
                pictures = picture_fields(rows, cue, state, dataset, binary=True)
                ambiguous = _ambiguous(cue)
                runs.append({**binary_scores(rows, state), "ambiguous": ambiguous, **pictures})
            yield record("dense", masking, config, n=n, beta=beta, **summarise(runs))


def _ambiguous(cue: Cue) -> float:
    # No network can tell cues apart that are equal.
    _, inverse, counts = cue.state.unique(dim=0, return_inverse=True, return_counts=True)
    return share(counts[inverse] > 1)


def modern(config: ModernConfig, dataset: Dataset) -> Iterator[Record]:
    """Measure the continuous network: by dot product, and by distance over the known half."""
    cases = (
        ("document", "dot", config.beta),
        ("same beta", "euclidean", config.beta),
        ("sharp", "euclidean", config.sharp),
    )
    for n in available_sizes(config.stored, dataset):
        for case, similarity, beta in cases:
            runs = []
            for rows in subsets(dataset.patterns, n, config.subsets, config.seed):
                memory = store(ModernHopfield(beta, similarity=similarity), rows)
                cue = occlude_half(rows, shape=dataset.shape)
                retrieval = memory.retrieve(cue)
                state = memory.update(cue.state) if case == "document" else retrieval.state
                runs.append({
                    "right": share(is_same_pattern(rows, retrieval.index)),
                    "exact": share(same_picture(rows, state)),
                    "error": (state - rows).abs().mean().item(),
                    **picture_fields(rows, cue, state, dataset, binary=False),
                })  # fmt: skip
            yield record(
                "modern", case, config,
                n=n, similarity=similarity, case_beta=beta, **summarise(runs),
            )  # fmt: skip


def flips(config: FlipsConfig, dataset: Dataset) -> Iterator[Record]:
    """Count negatives among reconstructions: with the document's activation, and with sign."""
    everything = as_signs(dataset)
    negative, positive = [], []
    # The document's ink is −1.
    for rows in subsets(-everything, config.stored, config.subsets, config.seed):
        cue = occlude_half(rows, shape=dataset.shape, fill=-INK).state
        field = cue @ baselines.outer_products(rows)
        negative.append(share((baselines.activation(field) * rows).sum(dim=1) < 0))
        positive.append(share((torch.where(field > 0, 1.0, -1.0) * rows).sum(dim=1) < 0))
    figures = mean_and_sd("document", negative) | mean_and_sd("sign", positive)
    yield record("flips", "flips", config, **figures)
