"""Test the bounds of certified retrieval: `python -m benchmarks.certified [--queries N]`.

Sends N noisy queries to each of the three memories of `benchmarks/entries/certified.py`, and
compares state and energy with the same formulas in float64. Writes to
benchmarks/results/certified.jsonl: broken bounds, and the largest error relative to its bound.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from hopfield import ModernHopfield, corruption
from hopfield.experiments.records import Record, header, write

from .entries.certified import IMAGE_BETA, IMAGE_NOISE, setting

OUT = Path(__file__).parent / "results" / "certified.jsonl"
KINDS = {"mnist": 10_000, "fashion-mnist": 60_000, "gaussian": 60_000}
BATCH = 512


def bounds(name: str, n: int, queries: int, seed: int = 0) -> Record:
    """Compare answers and bounds with float64."""
    memory, _ = setting(name, n, 1)
    exact = memory.patterns.double()
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for start in range(0, queries, BATCH):
        cues = _cues(memory.patterns, name, min(BATCH, queries - start), generator)
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
    }


def _cues(rows: Tensor, name: str, count: int, generator: torch.Generator) -> Tensor:
    chosen = rows[torch.randint(len(rows), (count,), generator=generator)]
    if name == "gaussian":
        return corruption.gaussian_noise(chosen, 0.5, generator=generator).state
    return corruption.gaussian_noise(chosen, IMAGE_NOISE, generator=generator).state.clamp(0, 1)


def _errors(memory: ModernHopfield, exact: Tensor, cues: Tensor, beta: float) -> dict[str, Tensor]:
    """Return errors, and their ratio to the bounds, of one read at the cues."""
    answer = memory.retrieve(cues, steps=0)
    assert answer.bound is not None and answer.energy is not None
    state, energy, index = _reference(exact, cues.double(), beta, str(memory.similarity))
    error = (memory.update(cues).double() - state).norm(dim=-1)
    return {
        "state": error / answer.bound.state,
        "energy": (answer.energy.double() - energy).abs() / answer.bound.energy,
        "error": error,
        "bound": answer.bound.state,
        "wrong": answer.index != index,
    }


def _reference(
    rows: Tensor, cues: Tensor, beta: float, similarity: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Return next state, energy and strongest pattern in float64."""
    scores, squares = cues @ rows.T, rows.square().sum(-1)
    constant = (cues.square().sum(-1) + squares.max()) / 2
    if similarity == "euclidean":
        scores -= (squares + cues.square().sum(-1, keepdim=True)) / 2
        constant = torch.zeros(len(cues), dtype=torch.float64)
    top, index = scores.max(-1)
    power = scores.sub_(top[:, None]).mul_(beta).exp_()
    total = power.sum(-1)
    potential = top + (total / len(rows)).log() / beta
    return power @ rows / total[:, None], constant - potential, index


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
