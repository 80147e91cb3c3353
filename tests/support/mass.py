"""Random memories at extreme sizes: finite answers or named errors, and energies that descend.

    python tests/support/mass.py [--runs 10000] [--first 0]

Each run draws a memory, its patterns and its cues from its own seed: kind, separation, similarity,
dtype, size of the data from 1e-30 to 1e30, β from 0 to ∞, masks, duplicates, outliers, n and dim.
Prints the seeds of runs that fail with the reason, and exits with status 1 if there are any.
"""

import argparse
import math
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hopfield import (
    CapacityWarning,
    ClassicalHopfield,
    DenseHopfield,
    Entmax,
    HopfieldError,
    Memory,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Retrieval,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)
from hopfield.rules import LOW_RANK
from hopfield.similarity import SIMILARITIES

FIELDS = ("state", "energy", "weight", "entropy", "value", "trace")
DTYPES = (torch.float32, torch.float32, torch.float64, torch.float64, torch.float16, torch.bfloat16)


@dataclass
class Draw:
    """A memory with patterns, cues and a mask.

    Attributes:
        make: makes the empty memory.
        patterns: the rows to store.
        cues: `(batch, dim)`.
        known: a mask or None.
        options: further arguments of `retrieve`.
        beta: what multiplies scores in an exponential; 0 where nothing does.
        descends: whether the energy may not rise.
        text: the draw in words.
    """

    make: Callable[[], Memory]
    patterns: Tensor
    cues: Tensor
    known: Tensor | None
    options: dict[str, object]
    beta: float
    descends: bool
    text: str


def draw(seed: int) -> Draw:
    """Draw everything from one seed."""
    choose, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    n, dim = choose.choice((1, 2, 3, 7, 20, 60)), choose.choice((1, 2, 5, 12, 40))
    dtype, batch = choose.choice(DTYPES), choose.choice((0, 1, 3, 9))
    kind = choose.choice(("modern", "modern", "modern", "dense", "classical"))
    if kind == "modern":
        size = 10 ** choose.uniform(-30, 30)
        numbers = torch.randn(n + batch, dim, generator=generator, dtype=torch.float64)
    else:
        size = 1.0
        numbers = torch.rand(n + batch, dim, generator=generator).double().sub(0.5).sign()
        numbers[numbers == 0] = 1
    patterns, cues = numbers[:n], numbers[n:]
    if n > 1 and choose.random() < 0.3:
        patterns[choose.randrange(n)] = patterns[0]  # a duplicate
    if kind == "modern" and choose.random() < 0.3:
        patterns[choose.randrange(n)] *= 10 ** choose.uniform(-6, 6)  # an outlier
    if kind == "modern" and choose.random() < 0.2:
        patterns[:, choose.randrange(dim)] += 10 ** choose.uniform(0, 6)  # a large column
    if choose.random() < 0.4:
        cues[: min(n, batch)] = patterns[: min(n, batch)]
    patterns, cues = ((size * x).to(dtype) for x in (patterns, cues))
    known, options = _mask(choose, generator, cues)
    make, beta, descends, text = MAKERS[kind](choose, size)
    text = f"{text}, {n} x {dim}, {batch} cues, {dtype}, size {size:.2g}, {options}"
    descends = descends and (known is None or options.get("clamp") is False)
    return Draw(make, patterns, cues, known, options, beta, descends, text)


def _mask(
    choose: random.Random, generator: torch.Generator, cues: Tensor
) -> tuple[Tensor | None, dict[str, object]]:
    if choose.random() < 0.5:
        return None, {}
    shape = choose.choice((cues.shape[-1:], cues.shape))
    known = torch.rand(shape, generator=generator) < choose.choice((0.0, 0.3, 0.7, 1.0))
    return known, {"clamp": False} if choose.random() < 0.4 else {}


def _beta(choose: random.Random, unit: float) -> float:
    near = 10 ** choose.uniform(-3, 3) / unit
    return choose.choice((0.0, 1e-30, near, near, near, near, 1e30, math.inf))


def _separation(choose: random.Random, unit: float) -> tuple[Separation, float]:
    beta, alpha = _beta(choose, unit), choose.choice((1.01, 1.3, 1.5, 2.0, 3.0, 10.0))
    separation = choose.choice(
        (
            Softmax(beta),
            Softmax(beta),
            Sparsemax(beta),
            Entmax(alpha, beta),
            TopK(choose.choice((1, 3, 30)), beta),
        )
    )
    return separation, beta * max(1.0, alpha - 1)


def _modern(choose: random.Random, size: float) -> tuple[Callable[[], Memory], float, bool, str]:
    similarity = choose.choice(list(SIMILARITIES.values()))
    separation, beta = _separation(choose, size ** (similarity.degree or 0))
    certified = similarity.is_affine and isinstance(separation, Softmax) and choose.random() < 0.3
    options = {"precision": "certified"} if certified else {}
    return (
        lambda: ModernHopfield(separation=separation, similarity=similarity, **options),
        beta,
        similarity.descends and not certified,
        f"{separation}, {similarity.name}, {options}",
    )


def _dense(choose: random.Random, size: float) -> tuple[Callable[[], Memory], float, bool, str]:
    separation: Separation = choose.choice(
        (Softmax(_beta(choose, 1.0)), Polynomial(choose.choice((2, 3, 6))), RectifiedPolynomial(4))
    )
    schedule = choose.choice(("synchronous", "asynchronous"))
    beta = separation.beta if isinstance(separation, Softmax) else 0.0
    return (
        lambda: DenseHopfield(separation=separation, schedule=schedule),
        float(beta),
        schedule == "asynchronous",
        f"dense {separation} {schedule}",
    )


def _classical(choose: random.Random, size: float) -> tuple[Callable[[], Memory], float, bool, str]:
    rule = choose.choice([*LOW_RANK, "storkey"])
    schedule = choose.choice(("synchronous", "asynchronous"))
    diagonal = choose.random() < 0.3
    return (
        lambda: ClassicalHopfield(rule, schedule=schedule, diagonal=diagonal),
        0.0,
        schedule == "asynchronous",
        f"classical {rule} {schedule} diagonal={diagonal}",
    )


MAKERS = {"modern": _modern, "dense": _dense, "classical": _classical}


def check(seed: int) -> tuple[str, str]:
    """Return ("answer" | "refused" | "fault", text) of one run."""
    drawn = draw(seed)
    memory = drawn.make()
    try:
        memory.store(drawn.patterns, drawn.patterns[:, :1])
        found = memory.retrieve(drawn.cues, drawn.known, trace=True, steps=20, **drawn.options)
        energy = memory.energy(drawn.cues)
    except HopfieldError as error:
        return "refused", f"{type(error).__name__}: {error}"
    faults = [
        name
        for name in FIELDS
        if (x := getattr(found, name)) is not None and not bool(torch.isfinite(x).all())
    ]
    faults += [] if bool(torch.isfinite(energy).all()) else ["energy()"]
    if drawn.descends and (excess := rise(drawn, found)) > 1:
        faults.append(f"energy rises by {excess:.3g} slacks")
    faults += slopes(drawn, memory)
    return ("fault", f"{', '.join(faults)}: {drawn.text}") if faults else ("answer", "")


def rise(drawn: Draw, found: Retrieval) -> float:
    """Return the largest rise of an energy in units of 8 eps·κ·max(|F|, ½‖x‖², ½M²)."""
    if found.trace is None or len(found.trace) < 2 or not found.trace.numel():
        return 0.0
    trace = found.trace.double()
    limits, cues = torch.finfo(found.trace.dtype), drawn.cues.double()
    cues = cues if drawn.known is None else torch.where(drawn.known, cues, 0.0)
    largest, own = drawn.patterns.double().norm(dim=-1).max(), cues.norm(dim=-1)
    reach = torch.maximum(own, largest)
    kappa = 1 + min(drawn.beta, 1e300) * largest * reach
    size = torch.maximum(trace.abs().amax(0), reach.square())  # |F| ≤ |E| + ½‖x‖² + ½M²
    # Numbers below `tiny` have an absolute rounding error.
    slack = 8 * limits.eps * (kappa * size + limits.tiny * (8 + drawn.cues.shape[-1]))
    return float((trace.diff(dim=0).amax(0) / slack).max())


def slopes(drawn: Draw, memory: Memory) -> list[str]:
    """Return the names of functions whose slopes by the state are not finite."""
    certified = getattr(memory, "precision", "full") != "full"
    if certified or memory.binary or drawn.cues.dtype.itemsize < 4:
        return []
    bad, largest = [], drawn.patterns.double().norm(dim=-1).max()
    # Slopes of the update are as large as β·M², of angles β·M/‖x‖: finite if the dtype holds that.
    least = drawn.cues.double().norm(dim=-1).clamp_min(1e-300).amin() if len(drawn.cues) else 1.0
    reach = float(largest * (largest + 1 + 1 / least))
    has_slope = drawn.beta * reach < torch.finfo(drawn.cues.dtype).max / 1e6
    for name in ("energy", "update")[: 1 + has_slope]:
        state = drawn.cues.clone().requires_grad_()
        (slope,) = torch.autograd.grad(getattr(memory, name)(state).sum(), state)
        bad += [] if bool(torch.isfinite(slope).all()) else [f"slope of {name}"]
    return bad


def main() -> None:
    """Run, and print what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", CapacityWarning)
    counts, reasons = Counter(), Counter()
    for seed in range(options.first, options.first + options.runs):
        result, text = check(seed)
        counts[result] += 1
        reasons[text[:60]] += result == "refused"
        if result == "fault":
            print(f"seed {seed}: {text}", flush=True)
    print(dict(counts))
    for text, number in (+reasons).most_common(4):
        print(f"{number} refused: {text}")
    sys.exit(counts["fault"] > 0)


if __name__ == "__main__":
    main()
