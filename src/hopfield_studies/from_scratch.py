"""The from-scratch document: random patterns, falling energies, sweeps, cycles, attention."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from hopfield import ClassicalHopfield, ModernHopfield, attention
from hopfield.corruption import flip, gaussian_noise
from hopfield.experiments import Record, generator, mean_and_sd, record
from hopfield.metrics import cosine, exact_recall, hamming_accuracy
from hopfield.synthetic import random_binary

from . import baselines
from .images import share, store, summarise, to_pixels

LIMIT = 20
"""Limit of sweeps, as in the document."""
CURVES = 20
"""Number of energy curves in the figure."""


@dataclass(frozen=True)
class DescentConfig:
    """Random ±1 patterns with a share of entries flipped; unit after unit."""

    units: int = 100
    stored: int = 5
    flipped: float = 0.25
    draws: int = 40
    seed: int = 0


@dataclass(frozen=True)
class LoadConfig:
    """Sweeps and accuracy by the number of patterns stored."""

    units: int = 100
    stored: tuple[int, ...] = (5, 9, 13, 15, 20, 25, 30)
    flipped: float = 0.2
    draws: int = 40
    cues: int = 5
    seed: int = 0


@dataclass(frozen=True)
class OscillationConfig:
    """All units at once from random states, with and without the diagonal."""

    units: int = 100
    stored: int = 10
    starts: int = 200
    seed: int = 0


@dataclass(frozen=True)
class GaussianConfig:
    """Noisy Gaussian patterns in the continuous network."""

    dim: int = 64
    stored: int = 20
    noise: float = 0.3
    beta: float = 1.0
    trials: int = 20
    seed: int = 0


@dataclass(frozen=True)
class AttentionConfig:
    """One update compared with scaled dot-product attention."""

    dim: int = 64
    stored: int = 50
    queries: int = 100
    seed: int = 0


@dataclass(frozen=True)
class SummaryConfig:
    """The document's table of methods, each compared with its plain loops."""

    units: int = 100
    stored: int = 5
    flipped: float = 0.2
    cues: int = 20
    beta: float = 1.0
    seed: int = 0


def descent(config: DescentConfig) -> Iterator[Record]:
    """Measure the fall of the energy from flipped patterns, sweep by sweep."""
    traces: list[list[float]] = []
    figures = []
    for draw in range(config.draws):
        memory, patterns = _hebbian(config.units, config.stored, config.seed, draw)
        stream = generator(config.seed, draw, 1)
        cue = flip(patterns, config.flipped, generator=stream)
        retrieval = memory.retrieve(cue, steps=LIMIT, trace=True, generator=stream)
        trace = torch.as_tensor(retrieval.trace).double()
        traces += trace.T.tolist()[: max(0, CURVES - len(traces))]
        figures.append({
            "start": trace[0].mean().item(),
            "end": torch.as_tensor(retrieval.energy).double().mean().item(),
            "accuracy": hamming_accuracy(patterns, retrieval.state).double().mean().item(),
            "rising": share((trace.diff(dim=0) > 1e-6 * trace.abs().max()).any(dim=0)),
        })  # fmt: skip
    yield record("descent", "asynchronous", config, traces=traces, **summarise(figures))


def _hebbian(units: int, n: int, seed: int, draw: int) -> tuple[ClassicalHopfield, Tensor]:
    patterns = random_binary(n, units, generator=generator(seed, n, draw))
    return store(ClassicalHopfield(), patterns), patterns


def load(config: LoadConfig) -> Iterator[Record]:
    """Measure sweeps (the document counts the one that changes nothing) and accuracy."""
    for n in config.stored:
        figures = []
        histogram = torch.zeros(LIMIT, dtype=torch.int64)
        for draw in range(config.draws):
            memory, patterns = _hebbian(config.units, n, config.seed, draw)
            stream = generator(config.seed, n, draw, 1)
            originals = patterns[: config.cues]
            cue = flip(originals, config.flipped, generator=stream)
            retrieval = memory.retrieve(cue, steps=LIMIT, generator=stream)
            sweeps = (retrieval.steps + 1).clamp(max=LIMIT)
            histogram += torch.bincount(sweeps - 1, minlength=LIMIT)
            figures.append({
                "accuracy": hamming_accuracy(originals, retrieval.state).double().mean().item(),
                "exact": share(exact_recall(originals, retrieval.state)),
                "sweeps": sweeps.double().mean().item(),
                "two_or_three": share((sweeps == 2) | (sweeps == 3)),
            })  # fmt: skip
        yield record(
            "load", "asynchronous", config,
            n=n, load=n / config.units, histogram=histogram, **summarise(figures),
        )  # fmt: skip


def oscillation(config: OscillationConfig) -> Iterator[Record]:
    """Count the starts that end in a cycle of two states, for each schedule; record one cycle."""
    patterns = random_binary(config.stored, config.units, generator=generator(config.seed, 3))
    stream = generator(config.seed, 4)
    starts = random_binary(config.starts, config.units, generator=stream)
    for case, schedule, diagonal in (
        ("synchronous", "synchronous", False),
        ("synchronous, diagonal kept", "synchronous", True),
        ("asynchronous", "asynchronous", False),
    ):
        memory = store(ClassicalHopfield(diagonal=diagonal, schedule=schedule), patterns)
        retrieval = memory.retrieve(starts, steps=200, generator=generator(config.seed, 5))
        after = memory.update(retrieval.state)
        flipping = (after != retrieval.state).sum(dim=1)
        cycling = (flipping > 0) & (memory.update(after) == retrieval.state).all(dim=1)
        widest = int((flipping * cycling).argmax())
        yield record(
            "oscillation", case, config,
            cycling=share(cycling), settled=share(retrieval.converged),
            **(_cycle(memory, starts[widest]) if bool(cycling.any()) else {}),
        )  # fmt: skip


def _cycle(memory: ClassicalHopfield, state: Tensor) -> dict[str, object]:
    states = [state, memory.update(state)]
    while len(states) < 4 or not torch.equal(states[-1], states[-3]):
        states.append(memory.update(states[-1]))
    states.append(states[-2])
    height = max(k for k in range(1, math.isqrt(len(state)) + 1) if len(state) % k == 0)
    return {
        "shape": [height, len(state) // height],
        "states": to_pixels(torch.stack(states[-4:]), binary=True),
        "flipped": to_pixels(torch.stack(states[-4:]) != torch.stack(states[-5:-1]), binary=False),
        "cycle_energies": [memory.energy(each).item() for each in states],
        "flipping": int((states[-1] != states[-2]).sum()),
    }


def gaussian(config: GaussianConfig) -> Iterator[Record]:
    """Measure the cosine between stored Gaussian patterns and what noisy cues retrieve."""
    cosines, steps, noisy = [], [], []
    for trial in range(config.trials):
        stream = generator(config.seed, trial, 6)
        patterns = torch.randn(config.stored, config.dim, generator=stream)
        memory = store(ModernHopfield(config.beta), patterns)
        cue = gaussian_noise(patterns, config.noise, generator=stream)
        retrieval = memory.retrieve(cue)
        cosines += cosine(patterns, retrieval.state).tolist()
        noisy += cosine(patterns, cue.state).tolist()
        steps += retrieval.steps.tolist()
    yield record(
        "gaussian", "noisy", config,
        **mean_and_sd("cosine", cosines), **mean_and_sd("cosine_of_cue", noisy),
        **mean_and_sd("steps", steps), lowest_cosine=min(cosines),
    )  # fmt: skip


def attention_equality(config: AttentionConfig) -> Iterator[Record]:
    """Compare one update at β = 1/√d with torch's attention, keys and values being the patterns."""
    for precision in ("float64", "float32"):
        dtype = getattr(torch, precision)
        stream = generator(config.seed, 7)
        shape = (config.stored + config.queries, config.dim)
        rows = torch.randn(shape, generator=stream, dtype=torch.float64).to(dtype)
        patterns, queries = rows[: config.stored], rows[config.stored :]
        beta = 1 / math.sqrt(config.dim)
        memory = store(ModernHopfield(beta), patterns)
        expected = scaled_dot_product_attention(queries[None], patterns[None], patterns[None])[0]
        ours = attention(queries, patterns, beta)
        yield record(
            "attention", precision, config,
            difference=(ours - expected).abs().max().item(),
            update_difference=(memory.update(queries) - expected).abs().max().item(),
            epsilon=torch.finfo(dtype).eps, largest=expected.abs().max().item(),
        )  # fmt: skip


def summary(config: SummaryConfig) -> Iterator[Record]:
    """Compare each method of the document's table with the library: largest differences."""
    stream = generator(config.seed, 8)
    patterns = random_binary(config.stored, config.units, generator=stream).double()
    originals = patterns[torch.arange(config.cues) % config.stored]
    cues = flip(originals, config.flipped, generator=stream).state
    of_classical = _against_classical(patterns, cues, stream)
    of_modern = _against_modern(patterns, cues, config.beta)
    for method in ("store", "retrieve", "energy", "attention_retrieve"):
        yield record(
            "summary", method, config,
            classical=of_classical.get(method), modern=of_modern[method],
        )  # fmt: skip


def _against_classical(patterns: Tensor, cues: Tensor, stream: torch.Generator) -> dict[str, float]:
    # Largest differences; of retrieval, the share of cues that end in another state.
    memory = store(ClassicalHopfield(), patterns)
    plain = baselines.outer_products(patterns).fill_diagonal_(0) / patterns.shape[1]
    ends = torch.stack([baselines.classical_sweeps(plain, cue, stream)[0] for cue in cues])
    energy = -0.5 * ((cues @ plain) * cues).sum(dim=1)
    return {
        "store": _largest(memory.coupling - plain),
        "retrieve": share((memory.retrieve(cues, steps=LIMIT).state != ends).any(dim=1)),
        "energy": _largest(memory.energy(cues) - energy),
    }


def _against_modern(patterns: Tensor, cues: Tensor, beta: float) -> dict[str, float]:
    # Largest differences; energies differ by the constant that the library adds.
    memory = store(ModernHopfield(beta), patterns)
    after_five = torch.stack([baselines.modern_steps(patterns, cue, beta) for cue in cues])
    after_one = torch.stack([baselines.modern_steps(patterns, cue, beta, 1) for cue in cues])
    plain = torch.stack([baselines.modern_energy(patterns, cue, beta) for cue in cues])
    constant = memory.energy(cues) - plain
    return {
        "store": _largest(memory.patterns - patterns),
        "retrieve": _largest(memory.retrieve(cues).state - after_five),
        "energy": _largest(constant - constant.mean()),
        "attention_retrieve": _largest(attention(cues, patterns, beta) - after_one),
    }


def _largest(difference: Tensor) -> float:
    return difference.abs().max().item()
