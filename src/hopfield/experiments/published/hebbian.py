"""Hebb's rule: the retrieval curve, its end, and temperature."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from ... import theory
from ...memories import ClassicalHopfield
from ...metrics import overlap
from ..recall import Recall, Thermal, recall, thermal
from ..records import Record
from ..runner import Task, plan, sweep
from ..setup import Setup
from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    above_zero,
    curve,
    grid,
    measured_series,
    near,
    of,
    widened,
)

JUDGED = (0.08, 0.10)
SHOWN = (0.02, 0.04, 0.06, 0.08, 0.10, 0.12, 0.13)
BEYOND = 0.18
SIZES = (100, 200, 500, 1000)
THERMAL_LOAD = 0.02


def retrieved(originals: Tensor, states: Tensor) -> Tensor:
    """Whether a state is still near the pattern it started from: overlap above 0.9."""
    return overlap(originals, states) > 0.9


HEBB = Setup("Hebb", ClassicalHopfield, measure=retrieved)
THERMAL = Setup("Hebb", ClassicalHopfield)


def _curve_tasks(form: Form) -> list[Task]:
    units, draws = form.pick(1000, 2000), form.pick(20, 40)
    loads = SHOWN if form.full else JUDGED
    chosen = sweep(
        Recall(units, damage=0.0, draws=draws, cues=200, seed=form.seed),
        n=[round(load * units) for load in loads],
    )
    beyond = [
        Recall(size, round(BEYOND * size), 0.0, form.pick(20, 60), 100, form.seed)
        for size in (SIZES if form.full else (SIZES[0], SIZES[-1]))
    ]
    return plan(recall, chosen + beyond, HEBB)


def _judge_curve(records: Sequence[Record]) -> Finding:
    below = [line for line in records if line["load"] < theory.critical_load()]
    checks = [_on_the_curve(line) for line in below if line["load"] in JUDGED]
    beyond = of(records, load=BEYOND)
    small, large = beyond[0], beyond[-1]
    error = sum(line["recalled_sd"] ** 2 / line["samples"] for line in (small, large)) ** 0.5
    checks.append(
        above_zero(
            f"α = {BEYOND}: retrieved fraction at N = {small['units']} less that at "
            f"N = {large['units']}",
            small["recalled"] - large["recalled"], error, small["samples"],
        )
    )  # fmt: skip
    units = below[0]["units"]
    figures = [
        Figure("overlap", "load α = n/N", "overlap m",
               f"Overlap of the state that a pattern settles in, N = {units}, with its standard "
               "error, and the theory for N → ∞."),
        Figure("beyond", "units N", "retrieved fraction",
               f"Beyond the critical load, at α = {BEYOND}, less is retrieved the larger N is.",
               "x"),
    ]  # fmt: skip
    loads = grid(0.01, theory.critical_load() - 1e-6, 80)
    series = [
        measured_series("overlap", "measured", below, "load", "overlap"),
        curve("overlap", "theory (AGS)", loads, theory.retrieval_overlap),
        curve("overlap", "theory, one step", loads, theory.first_sweep_overlap),
        measured_series("beyond", f"α = {BEYOND}", beyond, "units", "recalled"),
    ]
    return Finding(checks, figures, series)


def _on_the_curve(line: Record) -> Check:
    """Between the state of least energy and what the first step leaves."""
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
    checks = [
        near(f"overlap at T = {line['temperature']}", line, "overlap", at(line["temperature"]))
        for line in records
    ]
    figure = Figure("overlap", "temperature T", "overlap m",
                    f"Thermal dynamics from a stored pattern, N = {records[0]['units']}, "
                    f"α = {THERMAL_LOAD}.")  # fmt: skip
    series = [
        measured_series("overlap", "measured", records, "temperature", "overlap"),
        curve("overlap", "theory (AGS)", grid(0.02, 1.0), at),
    ]
    return Finding(checks, [figure], series)


CURVE = Result(
    "hebbian-curve",
    "Retrieval curve of the Hebbian network at T = 0",
    "Amit, Gutfreund & Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530",
    _curve_tasks,
    _judge_curve,
)
TEMPERATURE = Result(
    "temperature",
    "Overlap of the Hebbian network by temperature",
    "Amit, Gutfreund & Sompolinsky, Ann. Phys. 173 (1987) 30",
    _thermal_tasks,
    _judge_thermal,
)
