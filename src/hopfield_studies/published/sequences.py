"""Sequences: overlap while they are recalled, errors of one step, and their numbers by degree."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from hopfield import SequenceHopfield, theory
from hopfield.experiments import Record, Setup, Task, generator, mean_and_sd, plan, record
from hopfield.separation import Polynomial

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    curve,
    deviation_of_share,
    grid,
    measured_series,
    near,
    of,
    widened,
)

UNITS = {1: 1500, 2: 150, 3: 60}
"""Units N of the quick form, by the degree of the update."""
LOADS = {1: (0.10, 0.20, 0.25), 2: (0.10, 0.15), 3: (0.08, 0.12)}
SHOWN = {1: (0.05, 0.15, 0.265), 2: (0.05, 0.20), 3: (0.04, 0.16)}
"""Further loads of the full form; nothing is judged there."""
BEYOND = {1: 0.30, 2: 0.30, 3: 0.25}
"""Loads above the critical ones, 0.269, 0.252 and 0.198."""

STEPS = 40
"""Steps made from each start; the overlap is stationary after fewer."""


@dataclass(frozen=True)
class Rolls:
    """Config of `rolls`.

    Args:
        degree: d, of the update.
        starts: number of stored steps from which each sequence is recalled.
    """

    units: int = 1500
    n: int = 150
    degree: int = 1
    starts: int = 20
    draws: int = 12
    seed: int = 0


def rolls(config: Rolls, setup: Setup) -> Record:
    """Recall closed random sequences from stored steps.

    Results are `overlap` with the right step after all steps, `wrong`, the share of wrong bits
    after one step, and `right`, the share of starts without one.
    """
    results: dict[str, list[float]] = {"overlap": [], "wrong": [], "right": []}
    for index in range(config.draws):
        source = generator(config.seed, config.n, index)
        rows = setup.patterns(config.n, config.units, generator=source)
        memory = setup.build(rows, separation=Polynomial(config.degree + 1))
        start = torch.randperm(config.n, generator=source)[: config.starts]
        states = memory.roll(rows[start], STEPS, overlaps=False).states
        last, first = ((start + t) % config.n for t in (STEPS, 1))
        wrong = (states[0] != rows[first]).double()
        results["overlap"].append(float((states[-1] * rows[last]).mean()))
        results["wrong"].append(float(wrong.mean()))
        results["right"].append(float((wrong.amax(-1) == 0).double().mean()))
    load = theory.sequence_load(config.degree, config.units, config.n)
    measured = {k: v for name, each in results.items() for k, v in mean_and_sd(name, each).items()}
    return record("rolls", setup, config, load=load, samples=config.draws, **measured)


CLOSED = Setup("closed sequence", partial(SequenceHopfield, cyclic=True))


def _tasks(form: Form) -> list[Task]:
    configs = []
    for degree, few in UNITS.items():
        units = form.pick(few, 2000 if degree == 1 else 2 * few)
        shown = SHOWN[degree] if form.full else ()
        counts = [_count(degree, units, load) for load in (*LOADS[degree], BEYOND[degree], *shown)]
        counts.append(round(theory.sequence_steps(degree, units)))
        configs += [
            Rolls(units, n, degree, starts=form.pick(20, 40), draws=form.pick(12, 20),
                  seed=form.seed)
            for n in counts
        ]  # fmt: skip
    return plan(rolls, configs, CLOSED)


def _count(degree: int, units: int, load: float) -> int:
    return round(load / theory.sequence_load(degree, units, 1))


def _judge(records: Sequence[Record]) -> Finding:
    checks: list[Check] = []
    series: list[Series] = []
    for degree in UNITS:
        lines = sorted(of(records, degree=degree), key=lambda line: int(line["n"]))
        units = int(lines[0]["units"])
        by_count = {line["n"]: line for line in lines}
        for load in LOADS[degree]:
            line = by_count[_count(degree, units, load)]
            checks += [_overlap(line), _error(line)]
        checks.append(_lost(by_count[_count(degree, units, BEYOND[degree])]))
        checks.append(_whole(by_count[round(theory.sequence_steps(degree, units))]))
        name = f"degree {degree}, N = {units}"
        critical = theory.sequence_critical_load(degree)
        loads = [*grid(0.02, critical - 1e-6), critical + 1e-6, 0.32]
        series += [
            measured_series("overlap", name, lines, "load", "overlap"),
            curve("overlap", f"theory, {name}", loads,
                  partial(theory.sequence_overlap, degree=degree)),
            measured_series("error", name, lines, "load", "wrong"),
            curve("error", f"theory, {name}", grid(0.05, 0.32, 20), partial(_exact, degree, units)),
        ]  # fmt: skip
    figures = [
        Figure("overlap", "load α = n(2d − 1)!!/Nᵈ", "overlap m",
               f"Overlap with the right step of a closed random sequence, after {STEPS} steps; "
               "lines are theory for N → ∞, by the degree d of the update."),
        Figure("error", "load α = n(2d − 1)!!/Nᵈ", "probability of a wrong bit",
               "Bits that are wrong one step after a stored one; lines are exact at that N."),
    ]  # fmt: skip
    return Finding(checks, figures, series)


def _exact(degree: int, units: int, load: float) -> float:
    return theory.sequence_error_exact(degree, units, max(1, _count(degree, units, load)))


def _place(line: Record) -> str:
    return f"degree {line['degree']}, N = {line['units']}, n = {line['n']}"


def _overlap(line: Record) -> Check:
    m, bias = theory.sequence_overlap(line["load"], line["degree"]), 1 / line["units"]
    check = near(f"{_place(line)}: overlap", line, "overlap", m)
    reason = f"theory is that of N → ∞; finite networks may differ by 1/N = {bias:.2g}"
    return widened(check, m - bias, m + bias, reason)


def _error(line: Record) -> Check:
    exact = theory.sequence_error_exact(line["degree"], line["units"], line["n"])
    floor = (exact / (line["starts"] * line["units"])) ** 0.5
    return near(f"{_place(line)}: wrong bits after one step", line, "wrong", exact, floor=floor)


def _lost(line: Record) -> Check:
    critical = theory.sequence_critical_load(line["degree"])
    return Check(
        f"{_place(line)}: overlap above the critical load", line["overlap"], 0.0, -0.5, 0.5,
        f"above α = {critical:.3f} nothing is recalled as N → ∞, and below it an overlap above 0.8 "
        "is; half lies between",
    )  # fmt: skip


def _whole(line: Record) -> Check:
    exact = theory.sequence_error_exact(line["degree"], line["units"], line["n"])
    right = (1 - exact) ** line["units"]
    floor = deviation_of_share(right, line["starts"], line["draws"])
    return near(f"{_place(line)} = Nᵈ/(2(2d − 1)!! ln N): steps without a wrong bit", line, "right",
                right, floor=floor)  # fmt: skip


SEQUENCES = Result(
    "sequence-capacity",
    "Sequences: critical load, and numbers by degree",
    "With updates sign Σ ξ^{μ+1}(ξ^μ·x)ᵈ random sequences are recalled up to n = α_c Nᵈ/(2d − 1)!! "
    "steps, α_c = 0.269 for d = 1, at an overlap m = erf(y) with 2αy² = m² − (4/π)y² exp(−2y²); "
    "and without errors in a step up to n = Nᵈ/(2(2d − 1)!! ln N).",
    "Düring, Coolen & Sherrington, J. Phys. A 31 (1998) 8607; Chaudhry et al., Long sequence "
    "Hopfield memory, NeurIPS 2023",
    _tasks,
    _judge,
)
