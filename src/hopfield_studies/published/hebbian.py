"""Hebb's rule: the retrieval curve, its end, and temperature."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from hopfield import ClassicalHopfield, theory
from hopfield.experiments import Recall, Record, Setup, Task, Thermal, plan, recall, sweep, thermal
from hopfield.metrics import overlap

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    curve,
    exceeds,
    grid,
    measured_series,
    near,
    of,
    widened,
)

JUDGED_LOADS = (0.08, 0.10)
SHOWN_LOADS = (0.02, 0.04, 0.06, 0.08, 0.10, 0.12, 0.13)
LOAD_BEYOND = 0.18
MAX_TEMPERATURE = 0.6
"""Highest temperature that is judged. Above it, finite networks lose the pattern earlier."""
SIZES = (100, 200, 500, 1000)
THERMAL_LOAD = 0.02


def is_retrieved(originals: Tensor, states: Tensor) -> Tensor:
    """Return whether each state still has an overlap above 0.9 with its original."""
    return overlap(originals, states) > 0.9


HEBB = Setup("Hebb", ClassicalHopfield, measure=is_retrieved)
THERMAL = Setup("Hebb", ClassicalHopfield)


def _curve_tasks(form: Form) -> list[Task]:
    units, draws = form.pick(1000, 2000), form.pick(20, 40)
    loads = SHOWN_LOADS if form.full else JUDGED_LOADS
    chosen = sweep(
        Recall(units, damage=0.0, draws=draws, cues=200, seed=form.seed),
        n=[round(load * units) for load in loads],
    )
    beyond = [
        Recall(size, round(LOAD_BEYOND * size), 0.0, form.pick(20, 60), 100, form.seed)
        for size in (SIZES if form.full else (SIZES[0], SIZES[-1]))
    ]
    return plan(recall, chosen + beyond, HEBB)


def _judge_curve(records: Sequence[Record]) -> Finding:
    below = [line for line in records if line["load"] < theory.critical_load()]
    checks = [_on_the_curve(line) for line in below if line["load"] in JUDGED_LOADS]
    beyond = of(records, load=LOAD_BEYOND)
    small, large = beyond[0], beyond[-1]
    checks.append(exceeds(f"α = {LOAD_BEYOND}: retrieved fraction at N = {small['units']} less "
                          f"that at N = {large['units']}", small, large, "recalled"))  # fmt: skip
    units = below[0]["units"]
    figures = [
        Figure("overlap", "load α = n/N", "overlap m",
               f"Overlap of a stored pattern with the state it settles in, N = {units}. Theory for "
               "N → ∞: the state of least energy (AGS), and what one step leaves; finite networks "
               "fall below the first near its end, α = 0.138, where nothing is judged."),
        Figure("beyond", "units N", "share retrieved",
               f"Beyond the critical load, at α = {LOAD_BEYOND}: patterns that end at an overlap "
               "above 0.9.", "x"),
    ]  # fmt: skip
    end = theory.critical_load()
    loads = sorted({*grid(0.01, end - 1e-6), *(end * (1 - 10**-x) for x in grid(1, 6, 30))})
    sizes = [line["units"] for line in beyond]
    series = [
        measured_series("overlap", "measured", below, "load", "overlap"),
        curve("overlap", "theory (AGS)", loads, theory.retrieval_overlap),
        curve("overlap", "theory, one step", loads, theory.first_sweep_overlap),
        measured_series("beyond", "measured", beyond, "units", "recalled"),
        curve("beyond", "theory, N → ∞: none", sizes, lambda _: 0.0),
    ]
    return Finding(checks, figures, series)


def _on_the_curve(line: Record) -> Check:
    load = line["load"]
    settled, first = theory.retrieval_overlap(load), theory.first_sweep_overlap(load)
    check = near(f"overlap at α = {load}, N = {line['units']}", line, "overlap", settled)
    return widened(
        check, settled, first,
        "a descent ends between the state of least energy (m of AGS) and what the first step "
        "leaves (erf(1/√(2α)))",
    )  # fmt: skip


def _thermal_tasks(form: Form) -> list[Task]:
    temperatures = (0.2, 0.4, 0.6) if not form.full else (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    units = form.pick(1000, 3000)
    base = Thermal(units, round(THERMAL_LOAD * units), sweeps=form.pick(60, 100),
                   draws=form.pick(10, 16), seed=form.seed)  # fmt: skip
    return plan(thermal, sweep(base, temperature=temperatures), THERMAL)


def _judge_thermal(records: Sequence[Record]) -> Finding:
    at = partial(theory.thermal_overlap, THERMAL_LOAD)
    checks = [_warm(line) for line in records if line["temperature"] <= MAX_TEMPERATURE]
    figure = Figure("overlap", "temperature T", "overlap m",
                    "Overlap that thermal dynamics keeps with the pattern it started from, N = "
                    f"{records[0]['units']}, α = {THERMAL_LOAD}. Near the end of the curve finite "
                    "networks lose the pattern earlier; nothing is judged there.")  # fmt: skip
    series = [
        measured_series("overlap", "measured", records, "temperature", "overlap"),
        curve("overlap", "theory (AGS)", grid(0.02, 0.9, 353), at),
    ]
    return Finding(checks, [figure], series)


def _warm(line: Record) -> Check:
    temperature = line["temperature"]
    all_of_them = theory.thermal_overlap(line["load"], temperature)
    others = theory.thermal_overlap((line["n"] - 1) / line["units"], temperature)
    check = near(f"overlap at T = {temperature}", line, "overlap", all_of_them)
    return widened(
        check, all_of_them, others,
        "of n patterns n − 1 disturb the one retrieved; as N → ∞ that is the same load",
    )  # fmt: skip


CURVE = Result(
    "hebbian-curve",
    "Retrieval curve of the Hebbian network at T = 0",
    "Below the critical load α = n/N = 0.138 a stored pattern has a fixed point near it, at an "
    "overlap m = erf(y) with √(2α) = erf(y)/y − (2/√π)e^(−y²); above it, as N → ∞, it has none. "
    "Each pattern is the start of an asynchronous descent, without self-coupling.",
    "Amit, Gutfreund & Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530",
    _curve_tasks,
    _judge_curve,
)
TEMPERATURE = Result(
    "temperature",
    "Overlap of the Hebbian network by temperature",
    "With temperature T the network keeps, on average over time, the overlap m with a stored "
    "pattern that solves the mean-field equations in m, the noise of the other patterns and the "
    "susceptibility; above some T it keeps none.",
    "Amit, Gutfreund & Sompolinsky, Ann. Phys. 173 (1987) 30",
    _thermal_tasks,
    _judge_thermal,
)
