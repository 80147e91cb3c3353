"""Compare tuning with a grid and with dense networks; measure what a diagnosis costs.

    python docs/make_diagnosis.py measure [grid] [dense] [cost]   writes records.jsonl
    python docs/make_diagnosis.py   makes docs/diagnosis/README.md from it, and the pictures

Measuring needs the MNIST files (HOPFIELD_DATA) and some minutes. Kinds not named stay as recorded.
"""

import math
import multiprocessing
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from hopfield import (
    DenseHopfield,
    ModernHopfield,
    RectifiedPolynomial,
    Softmax,
    corruption,
    data,
    diagnose,
    metrics,
    plots,
    synthetic,
    tune,
)
from hopfield.experiments import records

FOLDER = Path(__file__).parent / "diagnosis"
CUES = 512
TURNS = 3


def source(seed: int) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def mnist(n: int) -> Tensor:
    """Return n MNIST images in random order."""
    rows = data.load("mnist", split="test").patterns
    return rows[torch.randperm(len(rows), generator=source(0))[:n]]


def retrieve_by_grid(rows: Tensor, corrupt: Any, amount: float, betas: list[float]) -> list[Tensor]:
    """Retrieve the same damaged patterns with every β, one memory each."""
    patterns = rows[torch.randint(len(rows), (CUES,), generator=source(7))]
    cue = corrupt(patterns, amount, generator=source(8))
    results = []
    for beta in betas:
        memory = ModernHopfield(beta, similarity="euclidean")
        memory.store(rows)
        results.append(metrics.recalled(patterns, memory.retrieve(cue).state).double())
    return results


def difference(best: Tensor, tuned: Tensor) -> dict[str, float]:
    """Both shares, and their paired difference with its standard error."""
    behind = best - tuned
    return {"tuned": float(tuned.mean()), "best": float(best.mean()),
            "behind": float(behind.mean()),
            "behind_se": float(behind.std() / len(behind) ** 0.5)}  # fmt: skip


def against_grid(name: str, rows: Tensor, corrupt: Any, amount: float) -> dict[str, Any]:
    """Compare tuning with separate runs on a grid of β: shares on fresh cues, processor seconds."""
    tuned = tune(rows, corrupt, amount, cues=CUES)
    betas = [p.beta for p in tuned.curve if p.setting == ("euclidean", "softmax")]
    results = retrieve_by_grid(rows, corrupt, amount, betas)
    times: tuple[list[float], list[float]] = [], []
    for _ in range(TURNS):
        for seconds, run in zip(times, (
            lambda: tune(rows, corrupt, amount, cues=CUES),
            lambda: retrieve_by_grid(rows, corrupt, amount, betas),
        ), strict=True):  # fmt: skip
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
    patterns = rows[torch.randint(len(rows), (CUES,), generator=source(7))]
    cue = corrupt(patterns, amount, generator=source(8))
    recalled = metrics.recalled(patterns, tuned.memory().retrieve(cue).state).double()
    seconds, grid_seconds = (median(each) for each in times)
    return {
        "experiment": "tuned against grid", "case": name, "n": len(rows), "dim": rows.shape[-1],
        "cues": CUES, "similarity": tuned.similarity.name, "beta": tuned.beta,
        "points": len(betas), **difference(max(results, key=Tensor.mean), recalled),
        "seconds": seconds, "grid_seconds": grid_seconds, "ratio": seconds / grid_seconds,
    }  # fmt: skip


def half(shape: tuple[int, int], rows: Tensor, amount: float, *, generator: Any) -> Any:
    """Hide the lower half."""
    return corruption.occlude_half(rows, shape)


def noisy_and_missing(rows: Tensor, amount: float, *, generator: Any) -> Any:
    """Add noise of deviation 0.1, and hide a share of the entries."""
    noisy = corruption.gaussian_noise(rows, 0.1, generator=generator).state
    return corruption.occlude_random(noisy, amount, generator=generator)


def grids() -> list[dict[str, Any]]:
    """Compare tuning with grids on eight problems."""
    images = mnist(2000)
    digits = data.load("digits").patterns
    digits = digits[torch.randperm(len(digits), generator=source(0))[:1000]]
    noise, pepper = corruption.gaussian_noise, corruption.salt_and_pepper
    vectors = torch.randn(2000, 64, generator=source(0))
    return [
        against_grid("MNIST, noise 0.5", images[:1000], noise, 0.5),
        against_grid("MNIST, half hidden", images[:1000], partial(half, (28, 28)), 0.0),
        against_grid("MNIST, 30 % pepper", images[:1000], pepper, 0.3),
        against_grid("MNIST, noise 0.8", images, noise, 0.8),
        against_grid("digits, noise 0.3", digits, noise, 0.3),
        against_grid("digits, half hidden", digits, partial(half, (8, 8)), 0.0),
        against_grid("Gaussian, noise 1", torch.randn(1000, 32, generator=source(0)), noise, 1.0),
        against_grid("vectors, noise 0.1, 90 % missing", vectors, noisy_and_missing, 0.9),
    ]


DENSE = [Softmax(beta) for beta in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, math.inf)]
DENSE += [RectifiedPolynomial(degree) for degree in (2, 3, 4, 5, 6, 7, 8, 10, 12)]
"""Separations of the dense networks compared on ±1 patterns."""


def against_dense(n: int, units: int, amount: float) -> dict[str, Any]:
    """Compare tuning on ±1 patterns with every dense network, on the same cues."""
    rows = synthetic.random_binary(n, units, generator=source(n))
    tuned = tune(rows, corruption.flip, amount)
    patterns = rows[torch.randint(n, (2000,), generator=source(7))]
    cue = corruption.flip(patterns, amount, generator=source(8))
    results = {}
    for separation in DENSE:
        memory = DenseHopfield(separation=separation)
        memory.store(rows)
        results[repr(separation)] = metrics.recalled(patterns, memory.retrieve(cue).state).double()
    recalled = metrics.recalled(patterns, tuned.memory().retrieve(cue).state).double()
    best = max(results, key=lambda name: float(results[name].mean()))
    return {
        "experiment": "tuned against dense", "case": f"{n} × {units}", "flipped": amount,
        "cues": len(patterns), "similarity": tuned.similarity.name, "beta": tuned.beta,
        "dense": best, **difference(results[best], recalled),
    }  # fmt: skip


def dense() -> list[dict[str, Any]]:
    """Few and many random ±1 patterns, with damage that some of them do not survive."""
    many = ((50, 100, 0.4), (100, 64, 0.35), (300, 64, 0.3), (500, 100, 0.3), (1000, 100, 0.35))
    return [against_dense(*each) for each in many]


def peak_memory() -> float:
    """Return the peak of this process's memory in MiB, by Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def cost(n: int) -> dict[str, Any]:
    """Measure processor seconds and memory of one diagnosis, in a process of its own."""
    torch.set_num_threads(1)
    memory = ModernHopfield(1.0)
    memory.store(mnist(n))
    Path("/proc/self/clear_refs").write_text("5")  # the peak of loading does not count
    before = peak_memory()
    start = time.process_time()
    report = diagnose(memory)
    seconds = time.process_time() - start
    peak = peak_memory() - before
    return {"experiment": "diagnosis cost", "n": n, "dim": report.dim, "seconds": seconds,
            "megabytes": peak, "attractors": report.counts["attractors"],
            "all_scores_megabytes": 8 * n * n / 2**20}  # fmt: skip


def costs() -> list[dict[str, Any]]:
    """Measure diagnoses of MNIST images."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return pool.map(cost, (1000, 4000, 10_000), chunksize=1)


KINDS = {"grid": ("tuned against grid", grids), "dense": ("tuned against dense", dense),
         "cost": ("diagnosis cost", costs)}  # fmt: skip
"""Kinds of records, and how each is measured."""


def measure(names: list[str]) -> None:
    """Measure some kinds, or all."""
    torch.set_num_threads(1)
    path = FOLDER / "records.jsonl"
    before = records.read(path)[1] if path.is_file() else []
    lines = []
    for name, (kind, run) in KINDS.items():
        old = [line for line in before if line["experiment"] == kind]
        lines += run() if name in names or not names else old
    FOLDER.mkdir(exist_ok=True)
    records.write(path, records.header(), lines)


def table(head: str, rows: list[str]) -> str:
    """Lay out a table from its head and rows."""
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def page(folder: Path = FOLDER) -> str:
    """Write the page from the records."""
    head, lines = records.read(folder / "records.jsonl")
    runs, pairs, sizes = (
        [line for line in lines if line["experiment"] == kind] for kind, _ in KINDS.values()
    )
    parts = [
        "# Tuning and diagnosis, measured",
        "How good are the settings that [`tune`](../diagnosis.md#choose-settings-for-the-damage) "
        "chooses, and what does [`diagnose`](../diagnosis.md) cost?",
        "## Tuning against a grid",
        f"Share recalled of {CUES} fresh cues: by the tuned memory, and by the best of "
        f"{runs[0]['points']} β with the Euclidean distance on these very cues. The difference is "
        "paired. Times are processor seconds: of `tune`, which tries three similarities and tests "
        f"its choice, and of {runs[0]['points']} separate retrievals of as many cues.",
        table("| patterns, damage | n × N | chosen | tuned | best of grid | difference | time |", [
            f"| {e['case']} | {e['n']} × {e['dim']} | {e['similarity']}, β = {e['beta']:g} "
            f"| {e['tuned']:.3f} | {e['best']:.3f} | {e['behind']:.3f} ± {e['behind_se']:.3f} "
            f"| {e['seconds']:.2f} / {e['grid_seconds']:.2f} s |"
            for e in runs
        ]),
        "![Share recalled by tuned settings and by the best of the grid, and the ratio of times]"
        "(../images/diagnosis_grid.png)",
        "## Tuning on ±1 patterns",
        f"Share recalled of {pairs[0]['cues']} fresh cues of random ±1 patterns with flipped "
        "units: by the tuned modern network, and by the best on these very cues of "
        f"{len(DENSE)} dense networks (exponential with β from 0.1 to ∞, rectified polynomials of "
        "degrees 2 to 12). The difference is paired.",
        table("| n × N | flipped | chosen | tuned | best dense network | share | difference |", [
            f"| {e['case']} | {e['flipped']:g} | {e['similarity']}, β = {e['beta']:g} "
            f"| {e['tuned']:.3f} | `{e['dense']}` | {e['best']:.3f} "
            f"| {e['behind']:.3f} ± {e['behind_se']:.3f} |".replace("-", "−")
            for e in pairs
        ]),
        "## Cost of a diagnosis",
        "MNIST images in `ModernHopfield(1.0)`, where most patterns are captured by others and "
        "several remedies are tried. Processor seconds, and the memory that the process took for "
        "the diagnosis; scores of all by all would take the last column.",
        table("| n × N | attractors | seconds | memory | all scores |", [
            f"| {e['n']} × {e['dim']} | {e['attractors']} | {e['seconds']:.1f} "
            f"| {e['megabytes']:.0f} MiB | {e['all_scores_megabytes']:.0f} MiB |"
            for e in sizes
        ]),
        "Made by `python docs/make_diagnosis.py` from records.jsonl in this folder. Measured by "
        f"`python docs/make_diagnosis.py measure` with torch {head['torch']} and one thread.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def grid_chart(lines: list[records.Record]) -> Any:
    """Draw shares recalled by tuned settings and by the best of a grid, on the same cues."""
    lines = records.select(lines, "tuned against grid")
    ax = plots.figure(height=1.1 + 0.36 * len(lines)).add_subplot()
    places = range(len(lines))
    ax.plot([100 * x["best"] for x in lines], places, "s", mfc="none", color=plots.RED, ms=8,
            mew=1.2, label="best of the grid")  # fmt: skip
    ax.errorbar([100 * x["tuned"] for x in lines], places, fmt="o", color=plots.BLUE, ms=4,
                xerr=[100 * x["behind_se"] for x in lines], capsize=2.5, label="tuned")  # fmt: skip
    for place, line in zip(places, lines, strict=True):
        ax.text(1.03, place, f"{line['ratio']:.3f}", va="center", fontsize=8,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.text(1.03, -0.08, "time / grid", fontsize=8, transform=ax.transAxes, va="top")
    ax.set_yticks(places, [line["case"].replace(", ", ",\n", 1) for line in lines], fontsize=8)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xlabel("cues recalled (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", lw=0.6, alpha=0.4)
    return ax


def pictures() -> None:
    """Draw the figures of docs/diagnosis.md, and that of the grid."""
    digits = data.load("digits").patterns[:500]
    memory = ModernHopfield(beta=512.0)
    memory.store(digits)
    tuned = tune(digits, corruption.gaussian_noise, 0.2)
    figures = {
        "margins": plots.margins(diagnose(memory).to_records()),
        "tuning": plots.tuning(tuned.to_records()),
        "grid": grid_chart(records.read(FOLDER / "records.jsonl")[1]),
    }
    for name, axes in figures.items():
        path = FOLDER.parent / "images" / f"diagnosis_{name}.png"
        axes.figure.savefig(path, dpi=200, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2:])
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")
    pictures()
