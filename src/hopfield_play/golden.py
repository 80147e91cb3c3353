"""Golden cases: retrievals of the library that the page must repeat.

`python -m hopfield_play.golden cases.json` writes them. A test runs them all in a browser.
"""

import itertools
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hopfield import CapacityWarning, ClassicalHopfield, Cue, Memory, ModernHopfield, similarity

from . import digits
from .networks import RULES, memory_of

Case = dict[str, Any]

SCHEDULES = ("asynchronous", "synchronous")
DAMAGES = ("noise", "half", "free")
"""Flips or noise on all entries; a half unknown; the same with known entries free to change."""
FULL = ("full", "full-free")
"""As the last two, with evidence="all"."""

BINARY_SETS: list[Case] = [
    {"digits": 3}, {"digits": 12}, {"random": 10, "dim": 64, "seed": 3},
    {"random": 30, "dim": 40, "seed": 4},
]  # fmt: skip
REAL_SETS: list[Case] = [
    {"digits": 10}, {"digits": 100}, {"random": 20, "dim": 30, "seed": 5},
]  # fmt: skip
DENSE: list[Case] = [
    *({"name": "softmax", "beta": beta} for beta in (0.05, 0.3, 2.0)),
    *({"name": "polynomial", "degree": degree} for degree in (2, 3, 6)),
    *({"name": "rectified", "degree": degree} for degree in (3, 5, 20)),
]
MODERN: list[Case] = [
    *({"name": name, "beta": beta} for name in ("softmax", "sparsemax", "entmax")
      for beta in (0.5, 2.0, 16.0)),
    *({"name": "topk", "k": k, "beta": 2.0} for k in (1, 3, 50)),
]  # fmt: skip
WITH_AUTO_BETA: list[Case] = [
    *({"name": name, "beta": "auto"} for name in ("softmax", "sparsemax", "entmax")),
    *({"name": "topk", "k": k, "beta": "auto"} for k in (1, 5)),
]  # fmt: skip
LARGE: Case = {"digits": 600}
"""More patterns than the fit of β compares with all others."""


def networks() -> Iterator[tuple[Case, Case]]:
    """Yield the settings of each network, with each of the sets of patterns."""
    classical = itertools.product(RULES, SCHEDULES, (0.0, 0.5), BINARY_SETS)
    for rule, schedule, temperature, patterns in classical:
        options = {"rule": rule, "schedule": schedule, "temperature": temperature}
        yield {"kind": "classical", **options}, patterns
    for separation, schedule, patterns in itertools.product(DENSE, SCHEDULES, BINARY_SETS):
        yield {"kind": "dense", "schedule": schedule, "separation": separation}, patterns
    yield from modern()
    for separation, patterns in itertools.product(WITH_AUTO_BETA, (*REAL_SETS, LARGE)):
        yield {"kind": "modern", "similarity": "euclidean", "separation": separation}, patterns


def modern() -> Iterator[tuple[Case, Case]]:
    """Yield the settings of modern networks, with each of the sets of patterns."""
    for separation, name, patterns in itertools.product(MODERN, ("dot", "euclidean"), REAL_SETS):
        yield {"kind": "modern", "similarity": name, "separation": separation}, patterns


def cases() -> list[Case]:
    """Return all cases, each with the answer of the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CapacityWarning)
        return [
            _case(number, network, patterns, damage)
            for number, ((network, patterns), damage) in enumerate(
                itertools.chain(
                    itertools.product(networks(), DAMAGES), itertools.product(modern(), FULL)
                )
            )
        ]


def rows_of(patterns: Case, is_binary: bool) -> Tensor:
    """Return the patterns of a case: digits, or random numbers below 1; ±1 from one half on."""
    if "digits" in patterns:
        rows = digits.load(patterns["digits"])
    else:
        generator = torch.Generator().manual_seed(patterns["seed"])
        shape = patterns["random"], patterns["dim"]
        rows = torch.rand(shape, dtype=torch.float64, generator=generator)
    return torch.where(rows >= 0.5, 1.0, -1.0).double() if is_binary else rows


def _case(number: int, network: Case, patterns: Case, damage: str) -> Case:
    memory = memory_of(network)
    is_binary = network["kind"] != "modern"
    rows = rows_of(patterns, is_binary)
    memory.store(rows)
    cue = _cue(rows[number % len(rows)], damage, number, is_binary)
    steps = 8 if network.get("temperature") else 100
    clamp = None if cue.known is None else damage in ("half", "full")
    evidence = "all" if damage in FULL else "known"
    source = torch.Generator().manual_seed(number)
    result = memory.retrieve(
        cue, clamp=clamp, evidence=evidence, steps=steps, trace=True, generator=source
    )
    counted = None if is_binary or evidence == "all" else cue.known
    return {
        "network": network, "patterns": patterns, "steps": steps, "seed": number,
        "clamp": clamp, "evidence": evidence,
        "cue": cue.state.tolist(), "known": None if cue.known is None else cue.known.tolist(),
        "state": result.state.tolist(), "index": int(result.index),
        "weight": float(result.weight), "weights": _weights(memory, rows, result.state, counted),
        "energy": _numbers(result.energy), "trace": _numbers(result.trace),
        "count": int(result.steps), "converged": bool(result.converged),
        "period": None if result.period is None else int(result.period),
    }  # fmt: skip


def _cue(pattern: Tensor, damage: str, seed: int, is_binary: bool) -> Cue:
    generator = torch.Generator().manual_seed(1000 + seed)
    noise = torch.rand(pattern.shape, dtype=torch.float64, generator=generator)
    if damage != "noise":
        return Cue(pattern, torch.arange(len(pattern)) < len(pattern) // 2)
    return Cue(torch.where(noise < 0.15, -pattern, pattern) if is_binary else pattern + noise / 4)


def _weights(memory: Memory, rows: Tensor, state: Tensor, known: Tensor | None) -> list[float]:
    if isinstance(memory, ClassicalHopfield):
        return (similarity.dot(rows, state) / len(state)).tolist()
    name = memory.similarity.name if isinstance(memory, ModernHopfield) else "dot"
    weights = memory.separation(getattr(similarity, name)(rows, state, known)).abs()  # type: ignore[attr-defined]
    return (weights / weights.sum().clamp_min(1e-300)).tolist()


def _numbers(tensor: Tensor | None) -> Any:
    # Every network here has an energy.
    return None if tensor is None else tensor.tolist()


def write(path: str | Path) -> int:
    """Write all cases to a file of JSON, and return their number."""
    every = cases()
    Path(path).write_text(json.dumps(every), encoding="utf-8")
    return len(every)


if __name__ == "__main__":
    print(f"{write(sys.argv[1])} cases in {sys.argv[1]}")
