"""Experiments on energies: on a plane through stored patterns, and on a path between two."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import check_float, has_only_signs, short_repr
from ..errors import DomainError, HopfieldError, InputTypeError, ShapeError
from ..metrics import cosine
from ..typed import typed
from .records import Record, record
from .setup import Setup, check_counts, check_methods, draw, generator, load_of, update


@dataclass(frozen=True)
class EnergyPlane:
    """Config of `energy_plane`.

    Args:
        n: number of stored patterns, at least 3; for ±1 patterns, or two units, fewer do.
        grid: number of grid points along each side of the plane.
        starts: number of trajectories, which start at random points of the plane.
        steps: number of updates of each trajectory.
    """

    units: int = 16
    n: int = 3
    grid: int = 61
    starts: int = 12
    steps: int = 10
    seed: int = 0


@dataclass(frozen=True)
class EnergyPath:
    """Config of `energy_path`.

    Args:
        n: number of stored patterns, at least 2.
        points: number of energies along the path; for ±1 patterns at most one per flip.
    """

    units: int = 100
    n: int = 5
    points: int = 101
    seed: int = 0


class View(NamedTuple):
    """A grid of states in a two-dimensional part of the state space."""

    axes: tuple[Tensor, Tensor]  # coordinates of the grid along x and y
    states: Tensor  # of the grid, row by row
    starts: Tensor  # states where trajectories start
    project: Callable[[Tensor], Tensor]  # states → coordinates
    patterns: int  # number of patterns, from the first on, that lie in the view
    labels: tuple[str, str]  # of both axes


@typed
def energy_plane(config: EnergyPlane, setup: Setup) -> Record:
    """Measure energies on a plane through stored patterns, and project trajectories on it.

    For continuous patterns the plane goes through the first three; patterns of two entries are
    points of the plane themselves. For ±1 patterns a square of flips takes its place. Along x, the
    units in which patterns 1 and 2 differ are flipped one after another, in random order; along y,
    all other units are. The corners are both patterns and their inverses.

    Results are `x` and `y`, the coordinates of the grid; `energy`, one row per y; `positions` of
    the patterns in the plane; `trajectories`, the positions after each update; and `labels` of both
    axes.
    """
    check_counts(config, units=1, n=1, grid=2, starts=1, steps=0)
    source = generator(config.seed, config.n)
    drawn = setup.draw_patterns(config.n, config.units, source)
    rows = drawn if has_only_signs(drawn) else drawn.double()
    view = _view(rows, config.grid, config.starts, source)
    memory = setup.build(rows)
    return record("energy_plane", setup, config, **_measured(memory, rows, view, config, source))


@typed
def landscape(memory: Any, patterns: Tensor | None = None, *, seed: int = 0) -> Record:
    """Measure the plane of `energy_plane` for a memory that has stored its patterns.

    Args:
        memory: of the library, or your own with `energy(state)` and `update(state)`.
        patterns: those through which the plane goes, `(n, dim)`. None takes `memory.patterns`.
        seed: of the starts of trajectories and of the order of flips.
    """
    check_methods(memory, "energy", "update")
    rows = patterns
    if rows is None:
        with suppress(HopfieldError):  # a memory on disk, or of a given coupling
            rows = getattr(memory, "patterns", None)
    if not isinstance(rows, Tensor) or rows.ndim != 2:
        raise InputTypeError(
            f"patterns must be a tensor of shape (n, dim), but are {short_repr(rows)}. Give those "
            "through which the plane goes: patterns=rows."
        )
    check_float("patterns", rows)
    config, source = EnergyPlane(rows.shape[1], len(rows), seed=seed), generator(seed, len(rows))
    view = _view(rows, config.grid, config.starts, source)
    return _measured(memory, rows, view, config, source)


def _measured(
    memory: Any, rows: Tensor, view: View, config: EnergyPlane, source: torch.Generator
) -> Record:
    check_methods(memory, "energy", "update")
    states = [view.starts]
    for _ in range(config.steps):
        states.append(update(memory, states[-1], source))
    energy = memory.energy(view.states).reshape(len(view.axes[1]), -1)
    results = {
        "x": view.axes[0], "y": view.axes[1], "energy": energy,
        # Other patterns lie elsewhere: at their projection the energy is not theirs.
        "positions": view.project(rows[: view.patterns]),
        "trajectories": view.project(torch.stack(states, dim=1)),
    }  # fmt: skip
    return {name: _six_digits(values) for name, values in results.items()} | {"labels": view.labels}


def _view(rows: Tensor, grid: int, starts: int, source: torch.Generator) -> View:
    if rows.shape[1] < 2:
        raise ShapeError("patterns must have at least 2 entries, to span a plane, but have 1.")
    if has_only_signs(rows):
        return _square(rows, grid, starts, source)
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return (_entries if rows.shape[1] == 2 else _plane)(rows, grid, starts, source)


def _entries(rows: Tensor, grid: int, starts: int, source: torch.Generator) -> View:
    low, high = rows.amin(0), rows.amax(0)
    reach = 0.75 * (high - low).amax().clamp_min(torch.finfo(rows.dtype).eps)
    axis = torch.linspace(-1, 1, grid, dtype=rows.dtype) * reach
    middle = (low + high) / 2
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).flatten(0, 1)
    begin = (2 * torch.rand(starts, 2, generator=source, dtype=rows.dtype) - 1) * reach
    return View(
        (axis + middle[0], axis + middle[1]), middle + points, middle + begin,
        lambda states: states.double(), len(rows), ("entry 1", "entry 2"),
    )  # fmt: skip


def _plane(rows: Tensor, grid: int, starts: int, source: torch.Generator) -> View:
    if len(rows) < 3:
        raise DomainError(f"n must be at least 3, to span a plane, but is {len(rows)}.")
    wide = rows.double()
    origin = wide[:3].mean(dim=0)
    frame = torch.linalg.qr((wide[1:3] - wide[0]).T).Q.T
    reach = 1.5 * ((wide[:3] - origin) @ frame.T).abs().amax()
    axis = torch.linspace(-1, 1, grid, dtype=torch.float64) * reach
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    begin = (2 * torch.rand(starts, 2, generator=source, dtype=torch.float64) - 1) * reach
    return View(
        (axis, axis), (origin + points.flatten(0, 1) @ frame).to(rows.dtype),
        (origin + begin @ frame).to(rows.dtype),
        lambda states: (states.double() - origin) @ frame.T, 3,
        ("along patterns 1 to 2", "across, in the plane of pattern 3"),
    )  # fmt: skip


def _square(rows: Tensor, grid: int, starts: int, source: torch.Generator) -> View:
    if len(rows) < 2:
        raise DomainError(f"n must be at least 2, to lie between two patterns, but is {len(rows)}.")
    sides = [(rows[0] != rows[1]).nonzero()[:, 0], (rows[0] == rows[1]).nonzero()[:, 0]]
    axis = torch.linspace(0, 1, grid, dtype=torch.float64)
    along, across = (_flips(rows.shape[1], side, axis, source).to(rows.dtype) for side in sides)
    states = (rows[0] * along * across[:, None]).flatten(0, 1)
    begin = states[torch.randint(len(states), (starts,), generator=source)]

    def project(states: Tensor) -> Tensor:
        flipped = (1 - (states * rows[0]).double()) / 2  # a continuous network moves in between
        shares = [flipped[..., units].sum(-1) / max(1, len(units)) for units in sides]
        return torch.stack(shares, dim=-1)

    labels = ("share flipped where 1 and 2 differ", "share flipped elsewhere")
    return View((axis, axis), states, begin, project, 2, labels)


def _flips(units: int, side: Tensor, shares: Tensor, source: torch.Generator) -> Tensor:
    # −1 for the first share of these units in random order, else +1.
    place = torch.full((units,), units)
    place[side[torch.randperm(len(side), generator=source)]] = torch.arange(len(side))
    return torch.where(place < (shares * len(side)).round()[:, None], -1.0, 1.0)


@typed
def energy_path(config: EnergyPath, setup: Setup) -> Record:
    """Measure energies along a path from one stored pattern to another.

    The path is a straight line; between ±1 patterns it goes flip by flip, in random order. Results
    are `position`, from 0 at the first pattern to 1 at the second, and the `energy` there;
    `barrier`, the largest energy minus the higher energy of the two patterns; and `cosine`, that of
    the two patterns.
    """
    check_counts(config, units=1, n=2, points=2)
    rows, memory, source = draw(config, setup)
    position = torch.linspace(0, 1, config.points, dtype=rows.dtype)
    if has_only_signs(rows):
        differ = (rows[0] != rows[1]).nonzero().squeeze(-1)
        position = (position * len(differ)).round().unique() / max(1, len(differ))
        states = rows[0] * _flips(rows.shape[1], differ, position, source).to(rows.dtype)
    else:
        states = rows[0] + position[:, None] * (rows[1] - rows[0])
    check_methods(memory, "energy")
    energy = memory.energy(states).double()
    barrier = energy.max() - torch.maximum(energy[0], energy[-1])
    return record(
        "energy_path", setup, config,
        position=_six_digits(position), energy=_six_digits(energy), barrier=barrier.item(),
        cosine=cosine(rows[0], rows[1]).item(), load=load_of(config.n, config.units),
    )  # fmt: skip


def _six_digits(values: Tensor) -> list[object]:
    rounded = [float(f"{value:.6g}") for value in values.double().flatten().tolist()]
    return torch.tensor(rounded, dtype=torch.float64).reshape(values.shape).tolist()
