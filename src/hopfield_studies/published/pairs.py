"""Kosko's bidirectional memory: fixed pairs from every start, errors of one step, overlap, end."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hopfield import BidirectionalMemory, theory
from hopfield.experiments import Record, Setup, Task, draws, means_and_sds, plan, record
from hopfield.metrics import overlap
from hopfield.synthetic import random_binary

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    curve,
    exactly,
    exceeds,
    grid,
    measured_series,
    near,
    of,
    widened,
)

LOADS = (0.08, 0.12, 0.16)
BEYOND = 0.26
"""A load above the critical one, 0.1998."""


@dataclass(frozen=True)
class Pairs:
    """Config of `pairs`.

    Args:
        units: units of both sides together, 2N.
        n: number of random pairs.
        cues: number of stored pairs, and of random starts, per draw.
    """

    units: int = 1000
    n: int = 50
    cues: int = 100
    draws: int = 12
    seed: int = 0


def pairs(config: Pairs, setup: Setup) -> Record:
    """Retrieve from stored pairs and from random starts.

    Results are `wrong`, the share of units of y that one update of a stored pair changes; `overlap`
    and `recalled` of the states reached from stored pairs, `load` n/N; and over all starts
    `restless`, the states that a further step changes, and `rises` of the energy.
    """
    lines, restless, rises = [], 0, 0
    width = config.units // 2
    for rows, memory, source in draws(config, setup, split=width):
        cues = rows[: config.cues]
        wrong = memory.update(cues)[:, width:] != cues[:, width:]
        random = random_binary(config.cues, config.units, generator=source)
        result = memory.retrieve(torch.cat([cues, random]), steps=1000, trace=True)
        restless += int((memory.update(result.state) != result.state).any(-1).sum())
        rises += int((result.trace.diff(dim=0) > 0).sum())
        reached = overlap(cues, result.state[: len(cues)])
        line = {"wrong": wrong, "overlap": reached, "recalled": reached > 0.9}
        lines.append({name: float(value.double().mean()) for name, value in line.items()})
    return record("pairs", setup, config, load=round(config.n / width, 12), samples=config.draws,
                  restless=restless, rises=rises, **means_and_sds(lines))  # fmt: skip


KOSKO = Setup("Kosko", BidirectionalMemory)


def _tasks(form: Form) -> list[Task]:
    width, small = form.pick(500, 1500), 100
    count = form.pick(12, 30)
    configs = [Pairs(2 * width, round(load * width), draws=count, seed=form.seed)
               for load in (*LOADS, BEYOND)]  # fmt: skip
    configs.append(Pairs(2 * small, round(BEYOND * small), 26, draws=4 * count, seed=form.seed))
    return plan(pairs, configs, KOSKO)


def _judge(records: Sequence[Record]) -> Finding:
    judged = [of(records, load=load)[0] for load in LOADS]
    small, large = sorted(of(records, load=BEYOND), key=lambda line: int(line["units"]))
    checks = [check for line in judged for check in (_error(line), _overlap(line))]
    checks += [
        exceeds(f"α = {BEYOND}: recalled share at N = {small['units'] // 2} less that at "
                f"N = {large['units'] // 2}", small, large, "recalled"),
        exactly("starts that end at no fixed pair", sum(line["restless"] for line in records), 0,
                "every W leads from every start to a fixed pair (Kosko 1988)"),
        exactly("steps that raise E", sum(line["rises"] for line in records), 0,
                "a half-step takes the least E for the other side held fixed"),
    ]  # fmt: skip
    width = judged[0]["units"] // 2
    end = theory.bidirectional_load()
    figures = [
        Figure("overlap", "load α = n/N", "overlap m",
               f"Overlap of a stored pair with the pair it settles in, N + N units, N = {width}; "
               "theory for N → ∞."),
        Figure("error", "load α = n/N", "probability of a wrong unit",
               f"Units of y that one update of a stored pair changes, N = {width}."),
    ]  # fmt: skip
    series = [
        measured_series("overlap", "measured", judged, "load", "overlap"),
        curve("overlap", "theory", [*grid(0.01, end - 1e-6), end + 1e-6, 0.26],
              theory.bidirectional_overlap),
        measured_series("error", "measured", judged, "load", "wrong"),
        curve("error", "theory, exact", grid(0.04, 0.2, 30), lambda load:
              theory.bidirectional_bit_error(width, round(load * width))),
    ]  # fmt: skip
    return Finding(checks, figures, series)


def _place(line: Record) -> str:
    return f"N = {line['units'] // 2}, n = {line['n']}"


def _error(line: Record) -> Check:
    width, cues = line["units"] // 2, min(line["cues"], line["n"])
    exact = theory.bidirectional_bit_error(width, line["n"])
    floor = (exact / (cues * width)) ** 0.5
    return near(f"{_place(line)}: wrong units of y after one update", line, "wrong", exact,
                floor=floor)  # fmt: skip


def _overlap(line: Record) -> Check:
    width = line["units"] // 2
    settled = theory.bidirectional_overlap(line["load"])
    first = 1 - 2 * theory.bidirectional_bit_error(width, line["n"])
    check = near(f"{_place(line)}: overlap of the fixed pair", line, "overlap", settled)
    return widened(
        check, settled - 1 / width, first + 1 / width,
        "a descent ends between the state of theory for N → ∞ and what the first update leaves, "
        f"within 1/N = {1 / width:.2g}",
    )  # fmt: skip


BIDIRECTIONAL = Result(
    "bidirectional",
    "Pairs: fixed points, errors and critical load",
    "With W = Σ xᵀy every start ends at a pair that recalls itself, E = −xWyᵀ never rises, and "
    "random pairs of N + N units are recalled up to n = 0.1998·N, at the overlap of mean-field "
    "theory.",
    "Kosko, IEEE Trans. Syst. Man Cybern. 18 (1988) 49; Kurchan, Peliti & Saber, J. Phys. I "
    "France 4 (1994) 1627",
    _tasks,
    _judge,
)
