"""Hebb's rule: the retrieval curve, its end, and temperature."""

import itertools
import math
from collections.abc import Sequence
from functools import partial

import numpy
from torch import Tensor

from hopfield import ClassicalHopfield, theory
from hopfield.experiments import (
    Recall,
    Record,
    Setup,
    Task,
    Thermal,
    draws,
    means_and_sds,
    plan,
    recall,
    record,
    sweep,
    thermal,
)
from hopfield.metrics import overlap

from .base import (
    CHANCE_IN_WORDS,
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    curve,
    exceeds,
    grid,
    measured_series,
    near,
    of,
    student,
    widened,
)

JUDGED_LOADS = (0.08, 0.10)
SHOWN_LOADS = (0.02, 0.04, 0.06, 0.08, 0.10, 0.12, 0.13)
SCALED_LOADS = (0.12, 0.13)
"""Loads so near to the critical one that finite networks differ: judged as N → ∞."""
SCALED_SIZES = (500, 1000, 2000, 4000)
FEWER_WRONG = 1 / 8
"""Largest share of the wrong bits of AGS that a descent avoids; 9 % at α = 0.13 and N = 8000."""
LEAST_SD = 1e-5
"""Least standard deviation of an overlap over draws, which equal draws would make 0."""
LOADS_BEYOND = (0.16, 0.18)
RETRIEVED = 0.9
"""Overlap above which a pattern counts as retrieved. Lost patterns end near an overlap of 0.35."""
MAX_TEMPERATURE = 0.6
"""Highest temperature that is judged. Above it, finite networks lose the pattern earlier."""
SIZES = (100, 300, 1000, 2000)
THERMAL_LOAD = 0.02


def is_retrieved(originals: Tensor, states: Tensor) -> Tensor:
    """Return True for states that are still near their original."""
    return overlap(originals, states) > RETRIEVED


HEBB = Setup("Hebb", ClassicalHopfield, measure=is_retrieved)
THERMAL = Setup("Hebb", ClassicalHopfield)


def retrieved_overlap(config: Recall, setup: Setup) -> Record:
    """Measure the overlap of the states that are still near their pattern, `retrieved_overlap`.

    Near the critical load, some patterns of a finite network are lost. Their number falls with N,
    but the mean over all states approaches its limit too slowly to extrapolate.
    """
    means = []
    for rows, memory, source in draws(config, setup):
        originals = rows[: config.cues]
        cue = setup.damaged(originals, config.damage, source)
        overlaps = overlap(originals, setup.final_states(memory, cue, source)).double()
        retrieved = overlaps[overlaps > RETRIEVED]
        if len(retrieved):
            means.append({"retrieved_overlap": retrieved.mean().item()})
    results = means_and_sds(means or [{"retrieved_overlap": 0.0}])
    load = round(config.n / config.units, 12)
    return record(
        "retrieved_overlap", setup, config, load=load, samples=len(means), **results,
        inverse_units=1 / config.units,
    )  # fmt: skip


def _curve_tasks(form: Form) -> list[Task]:
    units = form.pick(1000, 2000)
    chosen = sweep(
        Recall(units, damage=0.0, draws=form.pick(20, 40), cues=200, seed=form.seed),
        n=[round(load * units) for load in (SHOWN_LOADS if form.full else JUDGED_LOADS)],
    )
    beyond = [
        Recall(size, round(load * size), 0.0, form.pick(20_000, 60_000) // size, 100, form.seed)
        for load in LOADS_BEYOND
        for size in SIZES[: form.pick(3, 4)]
    ]
    scaled = [
        Recall(size, round(load * size), 0.0, form.pick(50_000, 120_000) // size, seed=form.seed)
        for load in SCALED_LOADS
        for size in SCALED_SIZES[: form.pick(3, 4)]
    ]
    return plan(recall, chosen + beyond, HEBB) + plan(retrieved_overlap, scaled, HEBB)


def _judge_curve(records: Sequence[Record]) -> Finding:
    of_all = of(records, experiment="recall")
    scaled = [of(records, experiment="retrieved_overlap", load=load) for load in SCALED_LOADS]
    below = [line for line in of_all if line["load"] < theory.critical_load()]
    beyond = [of(of_all, load=load) for load in LOADS_BEYOND]
    checks = [_on_the_curve(line) for line in below if line["load"] in JUDGED_LOADS]
    checks += [_at_infinity(lines) for lines in scaled]
    checks += [
        exceeds(f"α = {small['load']}: retrieved fraction at N = {small['units']} less that at "
                f"N = {large['units']}", small, large, "recalled")
        for lines in beyond for small, large in itertools.pairwise(lines)
    ]  # fmt: skip
    return Finding(checks, *_curve_figures(below, scaled, beyond))


def _curve_figures(
    below: list[Record], scaled: list[list[Record]], beyond: list[list[Record]]
) -> tuple[list[Figure], list[Series]]:
    figures = [
        Figure("overlap", "load α = n/N", "overlap m",
               f"Overlap of a stored pattern with the state it settles in, N = {below[0]['units']}."
               " Theory for N → ∞: the state of least energy (AGS), and what one step leaves; "
               "finite networks fall below the first near its end, α = 0.138."),
        Figure("scaling", "1/N", "overlap m, if retrieved",
               "Near the critical load: overlap of the patterns that are retrieved (m > "
               f"{RETRIEVED}), by size, and the limits of theory (AGS)."),
        Figure("beyond", "units N", "share retrieved",
               "Beyond the critical load: patterns that end at an overlap above "
               f"{RETRIEVED}.", "x"),
    ]  # fmt: skip
    end = theory.critical_load()
    loads = sorted({*grid(0.01, end - 1e-6), *(end * (1 - 10**-x) for x in grid(1, 6, 30))})
    series = [
        measured_series("overlap", "measured", below, "load", "overlap"),
        curve("overlap", "theory (AGS)", loads, theory.retrieval_overlap),
        curve("overlap", "theory, one step", loads, theory.first_sweep_overlap),
    ]
    for lines in scaled:
        load, name = lines[0]["load"], f"α = {lines[0]['load']}"
        places = [0.0, *sorted(line["inverse_units"] for line in lines)]
        limits = [theory.retrieval_overlap(load) for _ in places]
        series.append(measured_series("scaling", name, lines, "inverse_units", "retrieved_overlap"))
        series.append(Series("scaling", f"theory, {name}", places, limits))
    for lines in beyond:
        name = f"α = {lines[0]['load']}"
        series.append(measured_series("beyond", name, lines, "units", "recalled"))
    sizes = [line["units"] for line in beyond[0]]
    series.append(curve("beyond", "theory, N → ∞: none", sizes, lambda _: 0.0))
    return figures, series


def _at_infinity(lines: Sequence[Record]) -> Check:
    # m(N) = m + c/N: below the critical load, fluctuations of the fields are of order 1/N.
    means = [line["retrieved_overlap"] for line in lines]
    errors = [max(line["retrieved_overlap_sd"], LEAST_SD) / math.sqrt(line["samples"])
              for line in lines]  # fmt: skip
    places = [line["inverse_units"] for line in lines]
    fit, covariance = numpy.polyfit(places, means, 1, w=1 / numpy.array(errors), cov="unscaled")
    limit, error = float(fit[1]), float(covariance[1, 1]) ** 0.5
    load, sizes = lines[0]["load"], [line["units"] for line in lines]
    factor = student(min(line["samples"] for line in lines) - 1)
    higher_orders = abs(float(fit[0])) / sizes[-1]
    width, expected = factor * error + higher_orders, theory.retrieval_overlap(load)
    check = Check(
        f"overlap at α = {load}, retrieved patterns, N → ∞", limit, expected,
        expected - width, expected + width,
        f"{factor:.1f} times the standard error of a fit in 1/N to N = {sizes[0]} … {sizes[-1]}: a "
        f"chance of {CHANCE_IN_WORDS}; and {higher_orders:.1g}, the term in 1/N at N = "
        f"{sizes[-1]}, which bounds higher orders",
    )  # fmt: skip
    return widened(
        check, expected, expected + FEWER_WRONG * (1 - expected),
        "a descent ends in a local minimum near the pattern, with up to an eighth fewer wrong bits "
        "than the state of least energy (m of AGS)",
    )  # fmt: skip


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
