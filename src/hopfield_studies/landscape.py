"""The landscape of the continuous network: the effect of β, fixed points, number of steps.

The documents claim one step, a global minimum, and stored patterns alone at large β. Here the
dynamics runs from many cues until it settles, and the final states are compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hopfield import Cue, ModernHopfield
from hopfield.corruption import occlude_half
from hopfield.data import Dataset
from hopfield.experiments import Record, generator, record

from . import baselines
from .images import (
    HALF_LEVEL,
    available_sizes,
    drawing_options,
    is_same_pattern,
    limit_stored,
    same_picture,
    share,
    store,
    subsets,
    summarise,
    to_pixels,
)

BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Values of β in the walkthrough."""
TOLERANCE = 1e-9
PATIENCE = 1000


@dataclass(frozen=True)
class SweepConfig:
    """One step from a half-hidden image at each β."""

    betas: tuple[float, ...] = BETAS
    stored: int = 10
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class StationaryConfig:
    """Fixed points at each β, from stored, half-hidden, mixed and random images."""

    betas: tuple[float, ...] = (*BETAS, 32.0, 128.0, 512.0)
    stored: int = 10
    starts: int = 40
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class StepsConfig:
    """Steps until nothing changes, and the change after the first."""

    stored: tuple[int, ...] = (10, 100, 1000)
    beta: float = 8.0
    sharp: float = 512.0
    subsets: int = 20
    seed: int = 0


@dataclass(frozen=True)
class EnergyConfig:
    """Energies along trajectories, the library's and the document's."""

    stored: int = 100
    betas: tuple[float, ...] = (0.5, 2.0, 8.0)
    shown: int = 12
    seed: int = 0


def beta_sweep(config: SweepConfig, dataset: Dataset) -> Iterator[Record]:
    """Sweep β as the walkthrough does: one step from a half-hidden image."""
    for similarity in ("dot", "euclidean"):
        for beta in config.betas:
            runs = []
            for rows in subsets(dataset.patterns, config.stored, config.subsets, config.seed):
                memory = store(ModernHopfield(beta, similarity=similarity), rows)
                cue = occlude_half(rows, shape=dataset.shape)
                retrieval = memory.retrieve(cue)
                entropy = torch.as_tensor(retrieval.entropy).double()
                first = memory.retrieve(cue[:1], clamp=False, steps=1).state
                runs.append({
                    "weight": retrieval.weight.double().mean().item(),
                    "patterns_in_mixture": entropy.exp().mean().item(),
                    "right": share(is_same_pattern(rows, retrieval.index)),
                    "original": to_pixels(rows[:1], binary=False),
                    "retrieved": to_pixels(first, binary=False),
                    **drawing_options(dataset),
                })  # fmt: skip
            yield record(
                "beta_sweep", similarity, config,
                similarity=similarity, beta=beta, **summarise(runs),
            )  # fmt: skip


def stationary(config: StationaryConfig, dataset: Dataset) -> Iterator[Record]:
    """Count fixed points: different ones, stored patterns, those of lowest energy."""
    indices = torch.arange(len(dataset))
    for similarity in ("dot", "euclidean"):
        for beta in config.betas:
            runs = [
                _stationary_points(similarity, beta, dataset, index, config)
                for index in subsets(indices, config.stored, config.subsets, config.seed)
            ]
            yield record(
                "stationary", similarity, config,
                similarity=similarity, beta=beta, patience=PATIENCE, **summarise(runs),
            )  # fmt: skip


def _stationary_points(
    similarity: str, beta: float, dataset: Dataset, index: Tensor, config: StationaryConfig
) -> dict[str, float]:
    # The first starts are half-hidden images, the next are whole ones.
    rows = dataset.patterns[index].double()
    memory = store(ModernHopfield(beta, similarity=similarity), rows)
    halves = occlude_half(rows, shape=dataset.shape).state
    starts = torch.cat([halves, rows, *_strange_starts(rows, config, int(index[0]))])
    retrieval = memory.retrieve(starts, steps=PATIENCE, tol=TOLERANCE)
    points, energies = retrieval.state, torch.as_tensor(retrieval.energy)
    stored = torch.cdist(points, rows, p=torch.inf).amin(dim=1) <= HALF_LEVEL
    first = _first_of_each(points)
    n = len(rows)
    lowest = energies.min()
    near = (energies - lowest) <= 1e-6 * lowest.abs().clamp(min=1.0)
    unchanged = same_picture(rows, points[n : 2 * n])
    return {
        "distinct": float(first.sum()),
        "mixtures": float((first & ~stored).sum()),
        "stored_share": share(stored[first]),
        "stored_kept": share(unchanged),
        "lowest_share": share(near[:n]),
        "energy_gap": (energies[:n].max() - lowest).item(),
        "settled": share(retrieval.converged),
    }


def _strange_starts(rows: Tensor, config: StationaryConfig, draw: int) -> tuple[Tensor, Tensor]:
    stream = generator(config.seed, draw, 2)
    shares = torch.rand(config.starts, len(rows), generator=stream, dtype=torch.float64)
    shares = -shares.clamp(min=1e-12).log()  # exponential: uniform on the simplex once normalised
    mixtures = (shares / shares.sum(dim=1, keepdim=True)) @ rows
    noise = torch.rand(config.starts, rows.shape[1], generator=stream, dtype=torch.float64)
    return mixtures, noise


def _first_of_each(points: Tensor) -> Tensor:
    # Points within half a grey level of each other are one.
    same = torch.cdist(points, points, p=torch.inf) <= HALF_LEVEL
    earlier = same & torch.ones_like(same).tril(diagonal=-1)
    return ~earlier.any(dim=1)


def steps(config: StepsConfig, dataset: Dataset) -> Iterator[Record]:
    """Count steps from half-hidden images until nothing changes, and the change after the first."""
    for n in available_sizes(config.stored, dataset):
        for similarity, beta in (("dot", config.beta), ("euclidean", config.sharp)):
            runs = []
            counts: list[int] = []
            for images in subsets(dataset.patterns, n, config.subsets, config.seed):
                rows = images.double()
                memory = store(ModernHopfield(beta, similarity=similarity), rows)
                cue = occlude_half(rows, shape=dataset.shape)
                if similarity == "dot":  # as in the document: what is hidden is simply 0
                    cue = Cue(cue.state)
                retrieval = memory.retrieve(cue, clamp=False, steps=PATIENCE)
                first = memory.retrieve(cue, clamp=False, steps=1).state
                left = (first - retrieval.state).abs().amax(dim=1)
                runs.append({
                    "one_is_enough": share(left <= HALF_LEVEL),
                    "left_after_one": left.mean().item(),
                    "steps": retrieval.steps.double().mean().item(),
                })  # fmt: skip
                counts += retrieval.steps.tolist()
            yield record(
                "steps", similarity, config,
                n=n, similarity=similarity, case_beta=beta, most=max(counts),
                **summarise(runs),
            )  # fmt: skip


def energies(config: EnergyConfig, dataset: Dataset) -> Iterator[Record]:
    """Compare the library's energy with the document's along the same trajectories."""
    config = limit_stored(config, dataset)
    (images,) = subsets(dataset.patterns, config.stored, 1, config.seed)
    rows = images.double()
    cues = occlude_half(rows, shape=dataset.shape).state
    for beta in config.betas:
        memory = store(ModernHopfield(beta), rows)
        states = _trajectory(memory, cues)
        library = torch.stack([memory.energy(state) for state in states])
        document = torch.stack([baselines.continuous_energy(rows, state, beta) for state in states])
        yield record(
            "energies", "modern", config,
            beta=beta, length=len(states) - 1,
            library=library[:, : config.shown].T, document=document[:, : config.shown].T,
            library_rises=share(_rises(library)), document_rises=share(_rises(document)),
        )  # fmt: skip


def _trajectory(memory: ModernHopfield, cues: Tensor, limit: int = 30) -> list[Tensor]:
    states = [cues]
    for _ in range(limit):
        states.append(memory.update(states[-1]))
        if (states[-1] - states[-2]).abs().max() <= 1e-6:
            break
    return states


def _rises(energy: Tensor) -> Tensor:
    return (energy.diff(dim=0) > 1e-9 * energy.abs().amax(dim=0).clamp(min=1.0)).any(dim=0)
