"""A census of attractors: the fixed points and cycles of a binary network, and their basins."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_binary, check_generator, check_integer, short_repr
from ..cycles import find_ends
from ..errors import InputTypeError, OptionError
from .hooks import energies
from .query import check_state, given_state

if TYPE_CHECKING:
    from .base import Memory

MOST_UNITS = 20
"""Number of units up to which all 2^N states are tried: 10⁶ states, a quarter of a gigabyte."""
STEPS = 100
"""Default limit of steps, as in `retrieve`; maps of all 2^N states need none."""
PART = 2048
"""Number of states that are updated synchronously at a time."""
LISTED = 10
"""Number of attractors that are printed."""
SHOWN_UNITS = 40
"""Number of units up to which states are printed."""


@dataclass(frozen=True, eq=False, repr=False)
class Attractors:
    """Fixed points and cycles that starts lead to, that of the largest basin first.

    Attributes:
        states: the states of each attractor in their order, `(period, dim)`: one of a fixed point.
        energy: the energy of fixed points, and the mean over the states of cycles, `(k,)`; None if
            the network has no energy.
        index: the attractor of each start, `(*starts)`, or −1 if none was found.
        dim: the number of units.
        steps: the limit of steps.
    """

    states: tuple[Float[Tensor, "period dim"], ...]
    energy: Float[Tensor, " k"] | None
    index: Int[Tensor, "*starts"]
    dim: int
    steps: int

    @property
    def period(self) -> Int[Tensor, " k"]:
        """1 for fixed points, the number of states for cycles."""
        return self.index.new_tensor([len(each) for each in self.states])

    @property
    def basin(self) -> Int[Tensor, " k"]:
        """The number of starts that end at each attractor."""
        return torch.bincount(self.index[self.index >= 0], minlength=len(self))

    @property
    def fixed_points(self) -> Float[Tensor, "m dim"]:
        """The states of the fixed points alone."""
        fixed = [each for each in self.states if len(each) == 1]
        return torch.cat(fixed) if fixed else torch.empty(0, self.dim, device=self.index.device)

    @property
    def share(self) -> Float[Tensor, " k"]:
        """The share of the starts that end at each attractor."""
        return self.basin.double() / max(1, self.index.numel())

    @property
    def unsettled(self) -> int:
        """The number of starts that reached no attractor within the limit of steps."""
        return int((self.index < 0).sum())

    def __len__(self) -> int:
        """Return the number of attractors."""
        return len(self.states)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat record per attractor; its states are strings of + and −."""
        energies = [None] * len(self) if self.energy is None else self.energy.tolist()
        return [
            {"attractor": place, "period": len(states), "basin": basin, "share": share,
             "energy": energy, "states": [_text(state) for state in states]}
            for place, (states, basin, share, energy) in enumerate(zip(
                self.states, self.basin.tolist(), self.share.tolist(), energies, strict=True))
        ]  # fmt: skip

    def __repr__(self) -> str:
        """Return counts, and a table of the attractors with the largest basins."""
        fixed, cycles = int((self.period == 1).sum()), int((self.period > 1).sum())
        starts = _count(self.index.numel(), "start")
        found = f"{_count(fixed, 'fixed point')}, {_count(cycles, 'cycle')} of {starts}"
        if self.unsettled:
            found += f"; {self.unsettled} not settled within steps={self.steps}, try more"
        lines = [found, *self._table()]
        more = len(self) - LISTED
        return "\n".join(lines + [f"and {more} more"] * (more > 0))

    def _table(self) -> Iterator[str]:
        if not len(self):
            return
        yield f"{'period':>6}  {'basin':>8}  {'share':>6}  {'energy':>10}  states"
        for record in self.to_records()[:LISTED]:
            energy = "" if record["energy"] is None else f"{record['energy']:.6g}"
            states, few = record["states"], len(record["states"][0]) <= SHOWN_UNITS
            shown = " ".join(states[:4] + ["…"] * (len(states) > 4)) if few else ""
            yield (
                f"{record['period']:>6}  {record['basin']:>8}  {record['share']:>6.3f}  "
                f"{energy:>10}  {shown}"
            ).rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _text(state: Tensor) -> str:
    return "".join("+" if value > 0 else "−" for value in state.tolist())


def find_attractors(
    memory: "Memory", starts: object, steps: object, generator: torch.Generator | None
) -> Attractors:
    """Return the attractors of a binary network; see `ClassicalHopfield.attractors`."""
    if not memory.settles:
        raise OptionError("attractors needs temperature=0, because thermal states never settle.")
    source = check_generator(generator)
    rows, batch = _starts(memory, starts, source)
    if steps is None:  # a map of all states ends, and Brent's algorithm with it
        most = 4 * len(rows) if starts is None and memory.may_cycle else STEPS
    else:
        most = check_integer("steps", steps)

    def step(state: Tensor) -> Tensor:
        # A map may be applied to parts that fit the cache; a random order is one for all states.
        parts = state.split(PART) if memory.may_cycle else [state]
        return torch.cat([memory.step(part, None, None, source).next for part in parts])

    found = find_ends(step, rows, most, memory.may_cycle)
    count = len(found.cycles)
    basin = torch.bincount(found.index[found.index >= 0], minlength=count)
    energy = _mean_energies(memory, found.cycles)
    keys = [-basin] if energy is None else [energy, -basin]
    order = torch.from_numpy(numpy.lexsort([key.cpu().numpy() for key in keys])).to(basin.device)
    index = torch.where(found.index < 0, -1, order.argsort()[found.index]) if count else found.index
    states = tuple(found.cycles[place] for place in order.tolist())
    energy = None if energy is None else energy[order]
    return Attractors(states, energy, index.reshape(batch), rows.shape[-1], most)


def _starts(memory: "Memory", starts: object, source: torch.Generator) -> tuple[Tensor, torch.Size]:
    # The states to start from, `(n, dim)`, and the shape of their batch.
    store = memory.storage
    dtype, device = torch.promote_types(store.dtype, torch.float32), store.device
    if starts is None and store.dim > MOST_UNITS:
        raise OptionError(
            f"attractors needs starts for more than {MOST_UNITS} units, because {store.dim} units "
            f"have 2^{store.dim} states. Use for instance starts=10_000, for random ones."
        )
    if starts is None:
        places = torch.arange(2**store.dim, device=device)[:, None]
        bits = places >> torch.arange(store.dim, device=device).flip(0) & 1
        return 2 * bits.to(dtype) - 1, places.shape[:1]
    if isinstance(starts, (Real, str)):
        _check_count(starts)
        size = check_integer("starts", starts, low=1), store.dim
        drawn = torch.randint(2, size, generator=source, device=source.device)
        return 2 * drawn.to(device, dtype) - 1, torch.Size(size[:1])
    states, _ = given_state("starts", starts, store, memory.binary)
    rows = check_binary("starts", check_state(states, store, memory.binary, name="starts"))
    return rows.detach().reshape(-1, store.dim), rows.shape[:-1]


def _check_count(starts: object) -> None:
    if isinstance(starts, Integral) and not isinstance(starts, bool):
        return
    hint = " For all states leave it out." if isinstance(starts, str) else ""
    if isinstance(starts, float) and starts.is_integer():
        hint = f" Use starts={int(starts)}."
    raise InputTypeError(
        "starts must be states, or a whole number of random ones, but is "
        f"{short_repr(starts)}.{hint}"
    )


def _mean_energies(memory: "Memory", cycles: list[Tensor]) -> Tensor | None:
    energy = energies(memory, torch.cat(cycles)) if cycles else None
    if energy is None:
        return None
    sizes = torch.tensor([len(states) for states in cycles], device=energy.device)
    owner = torch.arange(len(cycles), device=energy.device).repeat_interleave(sizes)
    return energy.new_zeros(len(cycles)).index_add(0, owner, energy) / sizes
