"""Figures of accuracy, with their spread over subsets: `python -m benchmarks.figures`.

Writes benchmarks/results/figures.jsonl, the record behind the numbers in the documentation: half
hidden digits and MNIST images in the three networks, and the overlap of Hebb's rule with theory.
MNIST is left out, and said to be, where `hopfield.data.load("mnist")` does not find it.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from hopfield import ClassicalHopfield, data, metrics, synthetic
from hopfield.errors import DataError
from hopfield.experiments import generator
from hopfield.experiments.records import Record, header, mean_and_sd, record, write
from hopfield_studies import walkthrough

OUT = Path(__file__).parent / "results" / "figures.jsonl"
PICTURES = ("shape", "original", "cue", "known", "retrieved")
SHARP = {"mnist": 32.0, "digits": 512.0}
"""β at which the state itself, not only the strongest pattern, is right to half a grey level."""


@dataclass(frozen=True)
class HebbConfig:
    """Retrieval by Hebb's rule at load n/N, started from the stored patterns."""

    dim: int = 1000
    n: int = 100
    draws: int = 10
    seed: int = 0


def hebb(config: HebbConfig) -> Iterator[Record]:
    """Mean overlap of the states that stored patterns settle in; theory (1985): .99800."""
    overlaps = []
    for draw in range(config.draws):
        rows = synthetic.random_binary(config.n, config.dim, generator=generator(config.seed, draw))
        memory = ClassicalHopfield()
        memory.store(rows)
        overlaps.append(metrics.overlap(rows, memory.retrieve(rows).state).mean().item())
    yield record("hebb", "overlap", config, theory=0.99800, **mean_and_sd("overlap", overlaps))


def images(name: str, subsets: int) -> Iterator[Record]:
    """The walkthrough's networks on one data set, without the pictures."""
    dataset = data.load(name)
    sharp = SHARP[name]
    for line in (
        *walkthrough.classical(walkthrough.ClassicalConfig((3, 10, 100, 1000), subsets), dataset),
        *walkthrough.dense(walkthrough.DenseConfig((10, 100, 1000), subsets=subsets), dataset),
        *walkthrough.modern(
            walkthrough.ModernConfig((10, 100, 1000), sharp=sharp, subsets=subsets), dataset
        ),
    ):
        yield {"data": name} | {key: line[key] for key in line if key not in PICTURES}


def main() -> None:
    """Measure, write, and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subsets", type=int, default=20, help="random subsets a figure covers")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(2)
    lines = list(hebb(HebbConfig()))
    for name in ("digits", "mnist"):
        try:
            lines += list(images(name, options.subsets))
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(options.out, header(), lines)
    for line in lines:
        print(describe(line))


def describe(line: Record) -> str:
    """One record in words."""
    parts = [line.get("data", "random"), line["experiment"], line["case"], f"n={line['n']}"]
    shown = ("overlap", "exact", "exact_blind", "right")
    values = [f"{k} {line[k]:.4f} ± {line[f'{k}_sd']:.4f}" for k in shown if k in line]
    return "  ".join(map(str, parts + values))


if __name__ == "__main__":
    main()
