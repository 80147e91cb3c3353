"""Hold what a diagnosis predicts against what the dynamics does, and tuning against a grid.

    python docs/make_diagnosis.py measure [prediction] [grid] [dense]   writes records.jsonl
    python docs/make_diagnosis.py   makes docs/diagnosis/README.md from it, and the pictures

Needs the MNIST files (HOPFIELD_DATA) to measure, some minutes, and for the times of `grid` a
machine that does nothing else. What is not measured again keeps its records.
"""

import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from hopfield import (
    DenseHopfield,
    Entmax,
    ModernHopfield,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    corruption,
    data,
    diagnose,
    metrics,
    plots,
    synthetic,
    tune,
)
from hopfield.experiments import records
from hopfield.similarity import SIMILARITIES

FOLDER = Path(__file__).parent / "diagnosis"
SHARPNESS = {"euclidean": (3, 4, 6, 10, 1000), "dot": (3, 5, 10, 1000), "cosine": (3, 4, 6, 1000)}
"""β in units of one over the median distance of the best score to the next."""
SPARSE: dict[str, tuple[Callable[[float], Separation], tuple[int, ...]]] = {
    "1.5-entmax": (partial(Entmax, 1.5), (2, 4)),
    "sparsemax": (Sparsemax, (1, 2)),
}
"""The same about where some patterns hold and others do not: α-entmax reads a pattern alone once
β·gap is 1/(α − 1)."""
CUES = 512
TURNS = 9


def source(seed: int) -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def sets(n: int) -> dict[str, Tensor]:
    """Five kinds of patterns."""
    digits, mnist = data.load("digits").patterns, data.load("mnist", split="test").patterns
    centres = torch.randn(n // 10, 32, generator=source(1))
    near = 0.3 * torch.randn(n, 32, generator=source(2))
    return {
        "digits": digits[torch.randperm(len(digits), generator=source(0))[:n]],
        "MNIST": mnist[torch.randperm(len(mnist), generator=source(0))[:n]],
        "Gaussian": torch.randn(n, 32, generator=source(0)),
        "unit sphere": synthetic.unit_sphere(n, 32),
        "clustered": centres.repeat_interleave(10, 0) + near,
    }


def predicted(
    name: str,
    rows: Tensor,
    similarity: str,
    sharpness: float,
    separation: str = "softmax",
    make: Callable[[float], Separation] = Softmax,
) -> dict[str, Any]:
    """One diagnosis: how many verdicts are right."""
    scores = SIMILARITIES[similarity](rows, rows, None)  # type: ignore[arg-type]
    gap = scores.diagonal().clone() - scores.fill_diagonal_(-math.inf).amax(-1)
    beta = sharpness / gap.abs().median().item()
    memory = ModernHopfield(separation=make(beta), similarity=similarity)
    memory.store(rows)
    start = time.perf_counter()
    report = diagnose(memory)
    seconds = time.perf_counter() - start
    agree = {
        field: int((getattr(report.predicted, field) == getattr(report.observed, field)).sum())
        for field in ("fixed", "attractor", "swallower")
    }
    return {
        "experiment": "prediction", "set": name, "similarity": similarity, "separation": separation,
        "sharpness": sharpness, "n": len(rows), "attractors": int(report.observed.attractor.sum()),  # type: ignore[union-attr]
        "proved": int(report.predicted.proved.sum()), "seconds": seconds, **agree,
    }  # fmt: skip


def by_grid(rows: Tensor, corrupt: Any, amount: float, betas: list[float]) -> list[Tensor]:
    """What one does without `tune`: a memory for each β, asked and scored."""
    asked = rows[torch.randint(len(rows), (CUES,), generator=source(7))]
    cue = corrupt(asked, amount, generator=source(8))
    back = []
    for beta in betas:
        memory = ModernHopfield(beta, similarity="euclidean")
        memory.store(rows)
        back.append(metrics.recalled(asked, memory.retrieve(cue).state).double())
    return back


def against_grid(name: str, rows: Tensor, corrupt: Any, amount: float) -> dict[str, Any]:
    """Tuning and twenty separate runs on a grid: timed in turn, and both on fresh draws."""
    found = tune(rows, corrupt, amount, cues=CUES)
    betas = [p.beta for p in found.curve if p.setting == ("euclidean", "softmax")]
    back = by_grid(rows, corrupt, amount, betas)
    times: tuple[list[float], list[float]] = [], []
    for _ in range(TURNS):
        for each, run in zip(times, (
            lambda: tune(rows, corrupt, amount, cues=CUES),
            lambda: by_grid(rows, corrupt, amount, betas),
        ), strict=True):  # fmt: skip
            start = time.perf_counter()
            run()
            each.append(time.perf_counter() - start)
    asked = rows[torch.randint(len(rows), (CUES,), generator=source(7))]
    cue = corrupt(asked, amount, generator=source(8))
    mine = metrics.recalled(asked, found.memory().retrieve(cue).state).double()
    best = max(back, key=lambda each: float(each.mean()))
    behind = best - mine
    seconds, grid_seconds = (median(each) for each in times)
    return {
        "experiment": "tuned against grid", "case": name, "n": len(rows), "dim": rows.shape[-1],
        "cues": len(asked), "similarity": found.similarity, "beta": found.beta,
        "points": len(betas), "tuned": float(mine.mean()), "best": float(best.mean()),
        "behind": float(behind.mean()), "behind_se": float(behind.std() / len(behind) ** 0.5),
        "turns": TURNS, "seconds": seconds, "grid_seconds": grid_seconds,
        "ratio": seconds / grid_seconds,
    }  # fmt: skip


def half(shape: tuple[int, int], rows: Tensor, amount: float, *, generator: Any) -> Any:
    """The lower half hidden."""
    return corruption.occlude_half(rows, shape)


def noisy_and_missing(rows: Tensor, amount: float, *, generator: Any) -> Any:
    """Noise of deviation 0.1, and a share of the entries missing."""
    noisy = corruption.gaussian_noise(rows, 0.1, generator=generator).state
    return corruption.occlude_random(noisy, amount, generator=generator)


def predictions() -> list[dict[str, Any]]:
    """Every diagnosis."""
    return [
        predicted(name, rows, similarity, sharpness)
        for name, rows in sets(1000).items()
        for similarity, all_of in SHARPNESS.items()
        for sharpness in all_of
    ] + [
        predicted(name, rows, similarity, sharpness, separation, make)
        for name, rows in sets(1000).items()
        for similarity in ("euclidean", "dot")
        for separation, (make, all_of) in SPARSE.items()
        for sharpness in all_of
    ]


def grids() -> list[dict[str, Any]]:
    """Every problem to tune for."""
    many = sets(1000)
    more = data.load("mnist", split="test").patterns[:2000]
    noise, pepper = corruption.gaussian_noise, corruption.salt_and_pepper
    embeddings = torch.randn(2000, 64, generator=source(0))
    return [
        against_grid("MNIST, noise 0.5", many["MNIST"], noise, 0.5),
        against_grid("MNIST, half hidden", many["MNIST"], partial(half, (28, 28)), 0.0),
        against_grid("MNIST, 30 % pepper", many["MNIST"], pepper, 0.3),
        against_grid("digits, noise 0.3", many["digits"], noise, 0.3),
        against_grid("digits, half hidden", many["digits"], partial(half, (8, 8)), 0.0),
        against_grid("Gaussian, noise 1", many["Gaussian"], noise, 1.0),
        against_grid("MNIST, noise 0.8", more, noise, 0.8),
        against_grid("embeddings, noise 0.1, 90 % missing", embeddings, noisy_and_missing, 0.9),
    ]


DENSE = [Softmax(beta) for beta in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, math.inf)]
DENSE += [RectifiedPolynomial(degree) for degree in (2, 3, 4, 5, 6, 7, 8, 10, 12)]
"""What a dense network of ±1 patterns is swept over."""


def against_dense(n: int, units: int, amount: float) -> dict[str, Any]:
    """Tuning on ±1 patterns beside every β and degree of the dense network, on the same cues."""
    rows = synthetic.random_binary(n, units, generator=source(n))
    found = tune(rows, corruption.flip, amount)
    asked = rows[torch.randint(n, (2000,), generator=source(7))]
    cue = corruption.flip(asked, amount, generator=source(8))
    back = {}
    for separation in DENSE:
        memory = DenseHopfield(separation=separation)
        memory.store(rows)
        back[repr(separation)] = metrics.recalled(asked, memory.retrieve(cue).state).double()
    mine = metrics.recalled(asked, found.memory().retrieve(cue).state).double()
    best = max(back, key=lambda each: float(back[each].mean()))
    behind = back[best] - mine
    return {
        "experiment": "tuned against dense", "case": f"{n} × {units}", "flipped": amount,
        "cues": len(asked), "similarity": found.similarity, "beta": found.beta,
        "tuned": float(mine.mean()), "dense": best, "best": float(back[best].mean()),
        "behind": float(behind.mean()), "behind_se": float(behind.std() / len(behind) ** 0.5),
    }  # fmt: skip


def dense() -> list[dict[str, Any]]:
    """Few and many random ±1 patterns, with so much damage that not all come back."""
    many = ((50, 100, 0.4), (100, 64, 0.35), (300, 64, 0.3), (500, 100, 0.3), (1000, 100, 0.35))
    return [against_dense(*each) for each in many]


KINDS = {"prediction": ("prediction", predictions), "grid": ("tuned against grid", grids),
         "dense": ("tuned against dense", dense)}  # fmt: skip
"""What is measured: its records, and how."""


def measure(asked: list[str]) -> None:
    """Some of it, or all."""
    torch.set_num_threads(2)
    path = FOLDER / "records.jsonl"
    before = records.read(path)[1] if path.is_file() else []
    lines = []
    for name, (kind, make) in KINDS.items():
        kept = [line for line in before if line["experiment"] == kind]
        lines += make() if name in asked or not asked else kept
    FOLDER.mkdir(exist_ok=True)
    records.write(path, records.header(), lines)


def page(folder: Path = FOLDER) -> str:
    """The tables, as the records have them."""
    head, lines = records.read(folder / "records.jsonl")
    said = [line for line in lines if line["experiment"] == "prediction"]
    runs = [line for line in lines if line["experiment"] == "tuned against grid"]
    worst = [
        100 * min(min(each[field] for field in fields) / each["n"] for each in said)
        for fields in (("fixed", "attractor"), ("swallower",))
    ]
    slowest, patient = (
        max(
            each["seconds"]
            for each in said
            if each["set"] == "MNIST" and (each["separation"] == "softmax") is soft
        )
        for soft in (True, False)
    )
    parts = [
        "# Predicted against observed",
        "What `diagnose` [predicts](../diagnosis.md#how-it-is-predicted) from the scores, held "
        f"against what `retrieve` does from every pattern of five sets, {said[0]['n']} patterns "
        "each. β is given in units of one over the median distance of the best score to the next: "
        "at 3 to 10 (sparse: 1 to 4) some patterns hold and others do not. In every row at least "
        f"{worst[0]:.1f} % of the patterns are rightly said to be fixed points and attractors or "
        f"not, and of at least {worst[1]:.1f} % it is rightly said which pattern swallows them. "
        f"The slowest diagnosis of {said[0]['n']} MNIST images, retrieving included, took "
        f"{slowest:.1f} s with softmax, and {patient:.1f} s with a sparse separation close to the "
        "β at which patterns are lost, where states settle slowly and are given the time.",
        "| set | similarity | separation | β·gap | attractors | proved | fixed right "
        "| attractor right | ends at right |\n|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {e['set']} | {e['similarity']} | {e['separation']} | {e['sharpness']:g} "
        f"| {e['attractors']} | {e['proved']} "
        f"| {e['fixed']} | {e['attractor']} | {e['swallower']} |"
        for e in said
    ]
    parts[-1] = "\n".join([parts[-1], *rows])
    table = "| patterns, damage | n × N | chosen | tuned | best of grid | behind | time / 20 runs |"
    table += "\n|---|---|---|---|---|---|---|\n" + "\n".join(
        f"| {e['case']} | {e['n']} × {e['dim']} | {e['similarity']}, β = {e['beta']:g} "
        f"| {e['tuned']:.3f} | {e['best']:.3f} | {e['behind']:.3f} ± {e['behind_se']:.3f} "
        f"| {1e3 * e['seconds']:.1f} ms / {1e3 * e['grid_seconds']:.0f} ms = {e['ratio']:.3f} |"
        for e in runs
    )
    pairs = [line for line in lines if line["experiment"] == "tuned against dense"]
    binary = "| n × N | flipped | chosen | tuned | best dense network | its share | behind |\n"
    binary += "|---|---|---|---|---|---|---|\n" + "\n".join(
        f"| {e['case']} | {e['flipped']:g} | {e['similarity']}, β = {e['beta']:g} "
        f"| {e['tuned']:.3f} | `{e['dense']}` | {e['best']:.3f} "
        f"| {e['behind']:.3f} ± {e['behind_se']:.3f} |".replace("-", "−")
        for e in pairs
    )
    parts += [
        "![Share of patterns of which it is rightly said whether they are attractors, by set: 99 % "
        "and more](../images/diagnosis_predictions.png)",
        "## Tuning against a grid",
        f"Share recalled of {runs[0]['cues']} fresh cues by the settings that `tune` chose, and by "
        f"the best on these very cues of {runs[0]['points']} β with the Euclidean distance; the "
        "difference is paired. Times are of all of `tune`, which tries three similarities and asks "
        "the memory it chose with held-back cues, and of what it stands for: drawing as many cues, "
        f"and for each of the {runs[0]['points']} β a memory, its answers and how many are right. "
        f"Medians of {runs[0]['turns']} turns, in which one was run after the other.",
        table,
        "![Share recalled by what was tuned and by the best of the grid, and the time it took]"
        "(../images/diagnosis_grid.png)",
        "## Tuning on ±1 patterns",
        f"Share recalled of {pairs[0]['cues']} fresh cues, random ±1 patterns with flipped units, "
        "by the modern network that `tune` chose, and by the best, on these very cues, of "
        f"{len(DENSE)} dense networks: exponential with β from 0.1 to ∞, rectified polynomials of "
        "degrees 2 to 12. The difference is paired.",
        binary,
        "Made by `python docs/make_diagnosis.py` from records.jsonl in this folder, that by "
        f"`python docs/make_diagnosis.py measure` with torch {head['torch']} and "
        f"{head['threads']} threads. `hopfield plot` draws the records.",
    ]
    return "\n\n".join(parts) + "\n"


def pictures() -> None:
    """Those of docs/diagnosis.md: the memory diagnosed there, and what is tuned there."""
    digits = data.load("digits").patterns[:500]
    memory = ModernHopfield(beta=512.0)
    memory.store(digits)
    found = tune(digits, corruption.gaussian_noise, 0.2)
    _, measured = records.read(FOLDER / "records.jsonl")
    drawn = {
        "margins": plots.margins(diagnose(memory).to_records()),
        "tuning": plots.tuning(found.to_records()),
        "predictions": plots.predictions(measured),
        "grid": plots.against_grid(measured),
    }
    for name, axes in drawn.items():
        path = FOLDER.parent / "images" / f"diagnosis_{name}.png"
        axes.figure.savefig(path, dpi=200, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2:])
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")
    pictures()
