"""Test the bounds of certified retrieval: `python -m benchmarks.certified [--queries N]`.

Sends N noisy queries to each of the three memories of `benchmarks/entries/certified.py`, and
compares state and energy with the same formulas in float64. Writes to
benchmarks/results/certified.jsonl: broken bounds, the largest error relative to its bound,
candidates per query, and the share of queries that were read in full.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from hopfield import ModernHopfield, corruption
from hopfield.experiments.records import Record, header, write
from hopfield.memories import certified

from .entries.certified import IMAGE_BETA, IMAGE_NOISE, setting

OUT = Path(__file__).parent / "results" / "certified.jsonl"
KINDS = {"mnist": 10_000, "fashion-mnist": 60_000, "gaussian": 60_000}
BATCH = 512


def bounds(name: str, n: int, queries: int, seed: int = 0) -> Record:
    """Compare answers and bounds with float64."""
    memory, _ = setting(name, n, 1)
    exact = memory.patterns.double()
    generator = torch.Generator().manual_seed(seed)
    batches: list[dict[str, Tensor]] = []
    for start in range(0, queries, BATCH):
        cues = _cues(memory, name, min(BATCH, queries - start), generator)
        batches.append(_errors(memory, exact, cues, 1.0 if name == "gaussian" else IMAGE_BETA))
    every = {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}
    return {
        "experiment": "certified",
        "case": name,
        "n": n,
        "queries": queries,
        "seed": seed,
        "violations": int((every["state"] > 1).sum() + (every["energy"] > 1).sum()),
        "wrong_index": int(every["wrong"].sum()),
        "largest_share_state": every["state"].max().item(),
        "largest_share_energy": every["energy"].max().item(),
        "state_error": every["error"].max().item(),
        "state_bound": every["bound"].max().item(),
        "candidates": every["candidates"].double().mean().item(),
        "fallback": every["crowded"].double().mean().item(),
    }


def _cues(memory: ModernHopfield, name: str, count: int, generator: torch.Generator) -> Tensor:
    rows = memory.patterns
    chosen = rows[torch.randint(len(rows), (count,), generator=generator)]
    if name == "gaussian":
        return corruption.gaussian_noise(chosen, 0.5, generator=generator).state
    return corruption.gaussian_noise(chosen, IMAGE_NOISE, generator=generator).state.clamp(0, 1)


def _errors(memory: ModernHopfield, exact: Tensor, cues: Tensor, beta: float) -> dict[str, Tensor]:
    """Return errors relative to their bounds, and the candidates of the scan."""
    euclidean = memory.similarity == "euclidean"
    store = memory._store
    found, bound = certified.certified(store, cues, None, beta, memory.similarity)
    question = certified.Question(cues, None, beta, euclidean)
    asked, _, crowded = certified.candidates(store, question)
    state, potential, index = _reference(exact, cues.double(), beta, euclidean)
    error = (found.state.double() - state).norm(dim=-1)
    return {
        "state": error / bound.state,
        "energy": (found.potential.double() - potential).abs() / bound.energy,
        "error": error,
        "bound": bound.state,
        "wrong": found.index != index,
        "candidates": torch.bincount(asked, minlength=len(cues)),
        "crowded": crowded,
    }


def _reference(
    rows: Tensor, cues: Tensor, beta: float, euclidean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """State, F and strongest pattern in float64."""
    scores = cues @ rows.T
    if euclidean:
        scores -= (rows.square().sum(-1) + cues.square().sum(-1, keepdim=True)) / 2
    top, index = scores.max(-1)
    power = scores.sub_(top[:, None]).mul_(beta).exp_()
    total = power.sum(-1)
    potential = top + (total / len(rows)).log() / beta
    return power @ rows / total[:, None], potential, index


def main() -> None:
    """Measure, write, and print one line per memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=40_000, help="queries per memory")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    lines = []
    for name, n in KINDS.items():
        lines.append(bounds(name, n, options.queries))
        print({k: v for k, v in lines[-1].items() if k != "experiment"}, flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(options.out, header(), lines)


if __name__ == "__main__":
    main()
