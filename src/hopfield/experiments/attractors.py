"""Building blocks that ask where the dynamics goes: metastable states, attractors, landscapes.

Each takes a frozen config and a `Setup`, and returns one flat record.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..analysis.ends import MASS as MASS
from ..analysis.ends import carrying, is_binary, kind
from ..errors import DomainError
from ..metrics import cosine
from .records import Record, spread
from .setup import Setup, check_whole, generator, measured, per_unit, step, weights

CYCLES = 1000
"""Steps allowed until the dynamics settles."""


@dataclass(frozen=True)
class Metastable:
    """Weights at the fixed points. Sweep `beta` for a β sweep.

    Args:
        units: N.
        n: patterns stored.
        beta: β, given to the setup's `make`.
        damage: what the setup's `corrupt` gets.
        draws: fresh sets of patterns.
        seed: of all randomness.
    """

    units: int = 64
    n: int = 50
    beta: float = 1.0
    damage: float = 0.1
    draws: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Census:
    """Attractors by kind, from random starts.

    Args:
        units: N.
        n: patterns stored.
        starts: random starts in each draw, from the setup's `patterns`.
        near: overlap (cosine, where patterns are not ±1) from which a state is a thing.
        draws: fresh sets of patterns.
        seed: of all randomness.
    """

    units: int = 100
    n: int = 5
    starts: int = 200
    near: float = 0.95
    draws: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Plane:
    """Energies on a plane through stored patterns, and trajectories seen on it.

    Args:
        units: N.
        n: patterns stored, at least 3; of ±1, 2.
        grid: energies along each side.
        starts: trajectories, from random points of the plane.
        steps: length of each.
        seed: of all randomness.
    """

    units: int = 16
    n: int = 3
    grid: int = 61
    starts: int = 12
    steps: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Way:
    """Energies along the way from one stored pattern to another.

    Args:
        units: N.
        n: patterns stored, at least 2.
        points: energies along it; of ±1 patterns, one a flip at most.
        seed: of all randomness.
    """

    units: int = 100
    n: int = 5
    points: int = 101
    seed: int = 0


def metastable(config: Metastable, setup: Setup) -> Record:
    """How many patterns share the weight where the dynamics has settled.

    Results: `k` and `k_sd` over draws, the fewest weights that sum to .9, on average; `single`, the
    share of fixed points with k = 1; `most`, the largest k; `counts`, how often k = 1, 2, … n.
    """
    check_whole(config, units=1, n=1, draws=1)
    means, singles = [], []
    counts = torch.zeros(config.n + 1, dtype=torch.int64)
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.units, generator=source)
        memory = setup.filled(rows, beta=config.beta)
        cue = setup.corrupt(rows, config.damage, generator=source)
        k = carrying(weights(memory, setup.ends(memory, cue, source)))
        means.append(k.double().mean().item())
        singles.append((k == 1).double().mean().item())
        counts += torch.bincount(k, minlength=config.n + 1)
    return measured(
        "metastable", config, setup,
        samples=len(means), most=int(counts.nonzero().max()), counts=counts[1:],
        **spread("k", means), **spread("single", singles),
    )  # fmt: skip


def census(config: Census, setup: Setup) -> Record:
    """What random starts end on, as shares with `_sd` over draws.

    `stored`, `inverse` (the negative of a stored pattern), `mixture` (of ±1: the sign of a sum of
    3, 5 or 7 signed patterns; else the mean of 2 … 7), `spurious` (anything else); they sum to
    one. `distinct` is the number of different ends.
    """
    check_whole(config, units=1, n=1, starts=1, draws=1)
    figures: list[dict[str, float]] = []
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.units, generator=source)
        memory = setup.filled(rows)
        starts = setup.patterns(config.starts, config.units, generator=source)
        ends = setup.ends(memory, starts, source)
        kinds = kind(rows, ends, config.near)
        figures.append({name: hits.double().mean().item() for name, hits in kinds.items()})
        figures[-1]["distinct"] = float(len(ends.mul(1e4).round().unique(dim=0)))
    results: Record = {}
    for name in figures[0]:
        results |= spread(name, [each[name] for each in figures])
    load = per_unit(config.n, config.units)
    return measured("census", config, setup, load=load, samples=len(figures), **results)


def plane(config: Plane, setup: Setup) -> Record:
    """Energies on a plane through stored patterns, and trajectories projected on it.

    Of continuous patterns it is the plane through three. Of ±1 there is none, but a square: along x
    the units in which patterns 1 and 2 differ are turned, from 1 to 2, along y all others, each in
    random order; its corners are both patterns and their inverses.

    Results: `x`, `y` (coordinates of the grid), `energy` (rows of the grid, one a y), `places` (of
    the patterns), `ways` (of each start, its places), and `labels` of both axes.
    """
    check_whole(config, units=1, n=1, grid=2, starts=1, steps=0)
    source = generator(config.seed, config.n)
    rows = setup.patterns(config.n, config.units, generator=source)
    view = (_square if is_binary(rows) else _flat)(config, rows, source)
    memory = setup.filled(rows if is_binary(rows) else rows.double())
    energy = memory.energy(view.states).reshape(len(view.axis), -1)
    ways = [view.starts]
    for _ in range(config.steps):
        ways.append(step(memory, ways[-1], source))
    return measured(
        "plane", config, setup,
        x=_short(view.axis), y=_short(view.axis), energy=_short(energy), labels=view.labels,
        places=_short(view.places(rows)), ways=_short(view.places(torch.stack(ways, dim=1))),
    )  # fmt: skip


class View(NamedTuple):
    """What of a space is seen: states of a grid, rows along x, and where any state lies."""

    axis: Tensor
    states: Tensor
    starts: Tensor
    places: Callable[[Tensor], Tensor]
    labels: tuple[str, str]


def _flat(config: Plane, given: Tensor, source: torch.Generator) -> View:
    """The plane through three patterns."""
    if config.n < 3:
        raise DomainError(f"n must be at least 3, to span a plane, but is {config.n}.")
    rows = given.double()
    origin = rows[:3].mean(dim=0)
    frame = torch.linalg.qr((rows[1:3] - rows[0]).T).Q.T
    reach = 1.5 * ((rows[:3] - origin) @ frame.T).abs().amax()
    axis = torch.linspace(-1, 1, config.grid, dtype=torch.float64) * reach
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    begin = (2 * torch.rand(config.starts, 2, generator=source, dtype=torch.float64) - 1) * reach
    return View(
        axis, origin + points.flatten(0, 1) @ frame, origin + begin @ frame,
        lambda states: (states.double() - origin) @ frame.T,
        ("along patterns 1 to 2", "across, in the plane of pattern 3"),
    )  # fmt: skip


def _square(config: Plane, rows: Tensor, source: torch.Generator) -> View:
    """States of ±1 between two patterns and their inverses."""
    if config.n < 2:
        raise DomainError(f"n must be at least 2, to lie between two patterns, but is {config.n}.")
    parts = [(rows[0] != rows[1]).nonzero()[:, 0], (rows[0] == rows[1]).nonzero()[:, 0]]
    orders = [part[torch.randperm(len(part), generator=source)] for part in parts]
    axis = torch.linspace(0, 1, config.grid, dtype=torch.float64)
    counts = [(axis * len(part)).round().int().tolist() for part in parts]
    states = rows[0].repeat(config.grid, config.grid, 1)
    for i in range(config.grid):
        states[:, i, orders[0][: counts[0][i]]] *= -1
        states[i, :, orders[1][: counts[1][i]]] *= -1
    flat = states.flatten(0, 1)
    starts = flat[torch.randint(len(flat), (config.starts,), generator=source)]

    def places(seen: Tensor) -> Tensor:
        turned = (1 - (seen * rows[0]).double()) / 2  # between, too, for a memory that goes there
        shares = [turned[..., part].sum(-1) / max(1, len(part)) for part in parts]
        return torch.stack(shares, dim=-1)

    labels = ("share turned where 1 and 2 differ", "share turned elsewhere")
    return View(axis, flat, starts, places, labels)


def way(config: Way, setup: Setup) -> Record:
    """Energies from one stored pattern to another: of ±1, one flip after another, in random order.

    Results: `position` (0 at the first, 1 at the second) and `energy`; `barrier`, how far the
    highest lies above the higher end.
    """
    check_whole(config, units=1, n=2, points=2)
    source = generator(config.seed, config.n)
    rows = setup.patterns(config.n, config.units, generator=source)
    memory = setup.filled(rows)
    share = torch.linspace(0, 1, config.points, dtype=rows.dtype)
    if is_binary(rows):
        differ = (rows[0] != rows[1]).nonzero().squeeze(-1)
        order = differ[torch.randperm(len(differ), generator=source)]
        flips = (share * len(differ)).round().unique()
        states = rows[0].repeat(len(flips), 1)
        for line, count in enumerate(flips.int().tolist()):
            states[line, order[:count]] = rows[1, order[:count]]
        share = flips / max(1, len(differ))
    else:
        states = rows[0] + share[:, None] * (rows[1] - rows[0])
    energy = memory.energy(states).double()
    barrier = energy.max() - torch.maximum(energy[0], energy[-1])
    return measured(
        "way", config, setup,
        position=_short(share), energy=_short(energy), barrier=barrier.item(),
        alike=cosine(rows[0], rows[1]).item(), load=per_unit(config.n, config.units),
    )  # fmt: skip


def _short(values: Tensor) -> list[object]:
    """Numbers for a picture, to six digits."""
    flat = [float(f"{value:.6g}") for value in values.double().flatten().tolist()]
    return torch.tensor(flat, dtype=torch.float64).reshape(values.shape).tolist()
