"""Graded units: descent of the Lyapunov energy, overlap by gain, stable states at high gain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch

from hopfield import ClassicalHopfield, GradedHopfield, theory
from hopfield.experiments import Record, Setup, Task, draws, plan, record

from .base import Figure, Finding, Form, Result, Series, at_most, curve, exactly, grid, of

GAINS = (0.9, 1.2, 1.5, 2.0, 4.0)
HIGH = 300.0
"""A gain at which a field of 1/N, the smallest of the small network, saturates a unit."""


@dataclass(frozen=True)
class Units:
    """Config of `overlaps` and `stable_states`: n patterns of `units` at a gain."""

    units: int = 100
    n: int = 1
    gain: float = 2.0
    draws: int = 4
    seed: int = 0


def overlaps(config: Units, setup: Setup) -> Record:
    """Settle from states around a pattern: `overlap` of the first draw, `error` of all; `rises`."""
    found, rises = [], 0
    for rows, memory, source in draws(config, setup, gain=config.gain):
        pattern = rows[0].double()
        noise = torch.rand(20, config.units, generator=source, dtype=torch.float64)
        starts = (0.3 * pattern + 1.2 * noise - 0.6).clamp(-1, 1)
        result = memory.retrieve(starts, steps=3000, tol=1e-9, trace=True)
        slack = 1e-12 * (1 + result.trace.abs().max())
        rises += int((result.trace.diff(dim=0) > slack).sum())
        found.append((result.state @ pattern).abs().amax() / config.units)
    expected = theory.graded_overlap(config.gain, config.units)
    error = max(abs(float(value) - expected) for value in found)
    return record("overlaps", setup, config, overlap=float(found[0]), error=error, rises=rises)


def stable_states(config: Units, setup: Setup) -> Record:
    """Compare the signs reached from all corners with the fixed points of the ±1 network."""
    corners = torch.tensor(list(product((1.0, -1.0), repeat=config.units)), dtype=torch.float64)
    differing = count = rises = 0
    for _, memory, source in draws(config, setup, gain=config.gain):
        binary = ClassicalHopfield.from_coupling(memory.coupling)
        fixed = corners[(binary.update(corners) == corners).all(-1)]
        # Starts of one size have symmetries of W, and symmetric descents end at saddles.
        sizes = torch.rand(corners.shape, generator=source, dtype=torch.float64)
        result = memory.retrieve((0.8 + 0.2 * sizes) * corners, steps=5000, trace=True)
        slack = 1e-12 * (1 + result.trace.abs().max())
        rises += int((result.trace.diff(dim=0) > slack).sum())
        found = {tuple(state) for state in result.state.sign().tolist()}
        differing += len(found ^ {tuple(state) for state in fixed.tolist()})
        count += len(fixed)
    return record("stable_states", setup, config, differing=differing, fixed=count, rises=rises)


GRADED = Setup("graded", GradedHopfield)


def _tasks(form: Form) -> list[Task]:
    one = [Units(form.pick(100, 1000), 1, gain, form.pick(2, 6), form.seed) for gain in GAINS]
    # n odd and N even: no field of a corner is 0.
    small = [Units(form.pick(8, 10), 3, HIGH, form.pick(4, 20), form.seed)]
    return [*plan(overlaps, one, GRADED), *plan(stable_states, small, GRADED)]


def _judge(records: Sequence[Record]) -> Finding:
    lines, (small,) = of(records, experiment="overlaps"), of(records, experiment="stable_states")
    units = lines[0]["units"]
    checks = [
        at_most(f"gain {line['gain']:g}, N = {units}: |m − theory|", line["error"], 1e-6,
                "m = tanh(gain·m(1 − 1/N)) is exact; a query stops within 1e-9 of its equation, "
                "which near the critical gain, N/(N − 1), leaves a hundred times that")
        for line in lines
    ]  # fmt: skip
    checks += [
        exactly(f"states reached by only one network of 2^{small['units']} corners, of "
                f"{small['fixed']} fixed points", small["differing"], 0,
                "at high gain the stable states are those of ±1 units (Hopfield 1984)"),
        exactly("steps that raise the energy", sum(line["rises"] for line in records), 0,
                "Euler's steps are below 1/(leak − gain·λ_min): a proof, up to rounding"),
    ]  # fmt: skip
    caption = f"Overlap of the state reached with one stored pattern, N = {units}."
    figure = Figure("overlap", "gain", "overlap m", caption)
    gains = [line["gain"] for line in lines]
    series = [
        Series("overlap", "measured", gains, [line["overlap"] for line in lines]),
        curve("overlap", "theory", grid(0.8, 4.0), partial(theory.graded_overlap, units=units)),
    ]
    return Finding(checks, [figure], series)


GRADED_UNITS = Result(
    "graded",
    "Graded units: Lyapunov energy and gain",
    "Units in continuous time descend E = −½vᵀWv + (leak/gain)Σ∫artanh. At high gain their stable "
    "states are those of ±1 units; one pattern of N is kept above the gain N/(N − 1), at m = "
    "tanh(gain·m(1 − 1/N)).",
    "Hopfield, Proc. Natl. Acad. Sci. 81 (1984) 3088",
    _tasks,
    _judge,
)
