"""Hold what a diagnosis predicts against what the dynamics does, and tuning against a grid.

    python docs/make_diagnosis.py measure    writes docs/diagnosis/records.jsonl (some minutes)
    python docs/make_diagnosis.py            makes docs/diagnosis/README.md from it, and pictures

Needs the MNIST files (HOPFIELD_DATA) to measure. Times are best of three, with the threads and
machine load there were; their ratio is what counts.
"""

import json
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hopfield import (
    ModernHopfield,
    Softmax,
    corruption,
    data,
    diagnose,
    metrics,
    plots,
    synthetic,
    tune,
)
from hopfield.similarity import SIMILARITIES

FOLDER = Path(__file__).parent / "diagnosis"
SHARPNESS = {"euclidean": (3, 4, 6, 10, 1000), "dot": (3, 5, 10, 1000), "cosine": (3, 4, 6, 1000)}
"""β in units of one over the median distance of the best score to the next."""
CUES = 512


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


def predicted(name: str, rows: Tensor, similarity: str, sharpness: float) -> dict[str, Any]:
    """One diagnosis: how many verdicts are right."""
    scores = SIMILARITIES[similarity](rows, rows, None)  # type: ignore[arg-type]
    gap = scores.diagonal().clone() - scores.fill_diagonal_(-math.inf).amax(-1)
    memory = ModernHopfield(sharpness / gap.abs().median().item(), similarity=similarity)
    memory.store(rows)
    start = time.perf_counter()
    report = diagnose(memory)
    seconds = time.perf_counter() - start
    agree = {
        field: int((getattr(report.predicted, field) == getattr(report.observed, field)).sum())
        for field in ("fixed", "attractor", "swallower")
    }
    return {
        "experiment": "prediction", "set": name, "similarity": similarity, "sharpness": sharpness,
        "n": len(rows), "attractors": int(report.observed.attractor.sum()),  # type: ignore[union-attr]
        "proved": int(report.predicted.proved.sum()), "seconds": seconds, **agree,
    }  # fmt: skip


def tuned(name: str, rows: Tensor, corrupt: Any, amount: float) -> dict[str, Any]:
    """Tuning beside twenty separate runs on a grid, and both on fresh draws."""
    tune(rows, corrupt, amount)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = tune(rows, corrupt, amount, cues=CUES)
        times.append(time.perf_counter() - start)
    asked = rows[torch.randperm(len(rows), generator=source(7))[:CUES]]
    cue = corrupt(asked, amount, generator=source(8))
    start, back = time.perf_counter(), []
    betas = [p.beta for p in found.curve if p.setting == ("euclidean", "softmax")]
    for beta in betas:
        memory = ModernHopfield(separation=Softmax(beta), similarity="euclidean")
        memory.store(rows)
        back.append(metrics.recalled(asked, memory.retrieve(cue).state).double())
    seconds = time.perf_counter() - start
    mine = metrics.recalled(asked, found.memory().retrieve(cue).state).double()
    best = max(back, key=lambda each: float(each.mean()))
    behind = best - mine
    return {
        "experiment": "tuning", "set": name, "n": len(rows), "cues": len(asked),
        "similarity": found.similarity, "beta": found.beta, "points": len(betas),
        "tuned": float(mine.mean()), "best": float(best.mean()),
        "behind": float(behind.mean()), "behind_se": float(behind.std() / len(behind) ** 0.5),
        "seconds": min(times), "grid_seconds": seconds, "ratio": min(times) / seconds,
    }  # fmt: skip


def half(shape: tuple[int, int], rows: Tensor, amount: float, *, generator: Any) -> Any:
    """The lower half hidden."""
    return corruption.occlude_half(rows, shape)


def measure() -> None:
    """All of it."""
    torch.set_num_threads(2)
    many = sets(1000)
    lines = [
        predicted(name, rows, similarity, sharpness)
        for name, rows in many.items()
        for similarity, all_of in SHARPNESS.items()
        for sharpness in all_of
    ]
    noise, pepper = corruption.gaussian_noise, corruption.salt_and_pepper
    lines += [
        tuned("MNIST, noise 0.5", many["MNIST"], noise, 0.5),
        tuned("MNIST, half hidden", many["MNIST"], partial(half, (28, 28)), 0.0),
        tuned("MNIST, 30 % pepper", many["MNIST"], pepper, 0.3),
        tuned("digits, noise 0.3", many["digits"], noise, 0.3),
        tuned("digits, half hidden", many["digits"], partial(half, (8, 8)), 0.0),
        tuned("Gaussian, noise 1", many["Gaussian"], noise, 1.0),
    ]
    head = {"experiment": "header", "torch": torch.__version__, "threads": 2}
    FOLDER.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in [head, *lines])
    (FOLDER / "records.jsonl").write_text(text + "\n", encoding="utf-8")


def page(folder: Path = FOLDER) -> str:
    """The tables, as the records have them."""
    text = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in text]
    said = [line for line in lines if line["experiment"] == "prediction"]
    runs = [line for line in lines if line["experiment"] == "tuning"]
    worst = [
        100 * min(min(each[field] for field in fields) / each["n"] for each in said)
        for fields in (("fixed", "attractor"), ("swallower",))
    ]
    slowest = max(each["seconds"] for each in said if each["set"] == "MNIST")
    parts = [
        "# Predicted against observed",
        "What `diagnose` [predicts](../diagnosis.md#how-it-is-predicted) from the scores, held "
        f"against what `retrieve` does from every pattern of five sets, {said[0]['n']} patterns "
        "each. β is given in units of one over the median distance of the best score to the next: "
        "at 3 to 10 some patterns hold and others do not. In every row at least "
        f"{worst[0]:.1f} % of the patterns are rightly said to be fixed points and attractors or "
        f"not, and of at least {worst[1]:.1f} % it is rightly said which pattern swallows them. "
        f"The slowest diagnosis of {said[0]['n']} MNIST images, retrieving included, took "
        f"{slowest:.1f} s.",
        "| set | similarity | β·gap | attractors | proved | fixed right | attractor right | "
        "ends at right |\n|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {e['set']} | {e['similarity']} | {e['sharpness']:g} | {e['attractors']} | {e['proved']}"
        f" | {e['fixed']} | {e['attractor']} | {e['swallower']} |"
        for e in said
    ]
    parts[-1] = "\n".join([parts[-1], *rows])
    table = "| patterns, damage | chosen | tuned | best of grid | behind | time / 20 runs |\n"
    table += "|---|---|---|---|---|---|\n" + "\n".join(
        f"| {e['set']} | {e['similarity']}, β = {e['beta']:g} | {e['tuned']:.3f} | {e['best']:.3f} "
        f"| {e['behind']:.3f} ± {e['behind_se']:.3f} | {e['ratio']:.3f} |"
        for e in runs
    )
    parts += [
        "## Tuning against a grid",
        f"Share recalled of {runs[0]['cues']} fresh cues by the settings that `tune` chose, and by "
        f"the best of {runs[0]['points']} β with the Euclidean distance, each run by itself on as "
        "many cues as `tune` draws; the difference is paired. The last column is the time of "
        "`tune`, all three similarities and the held-back cues included, over that of the "
        f"{runs[0]['points']} runs.",
        table,
        "Made by `python docs/make_diagnosis.py` from records.jsonl in this folder, that by "
        f"`python docs/make_diagnosis.py measure` with torch {lines[0]['torch']} and "
        f"{lines[0]['threads']} threads, on a machine that was not quiet.",
    ]
    return "\n\n".join(parts) + "\n"


def pictures() -> None:
    """Those of docs/diagnosis.md: the memory diagnosed there, and what is tuned there."""
    digits = data.load("digits").patterns[:500]
    memory = ModernHopfield(beta=512.0)
    memory.store(digits)
    found = tune(digits, corruption.gaussian_noise, 0.2)
    drawn = {
        "margins": plots.margins(diagnose(memory).to_records()),
        "tuning": plots.tuning(found.to_records()),
    }
    for name, axes in drawn.items():
        path = FOLDER.parent / "images" / f"diagnosis_{name}.png"
        axes.figure.savefig(path, dpi=200, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")
    pictures()
