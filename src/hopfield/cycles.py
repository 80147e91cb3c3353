"""Find fixed points and cycles of a map while it is iterated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .packing import pack


def is_unchanged(state: Tensor, following: Tensor) -> Tensor:
    """Return True for queries of which no entry changed."""
    # Entries are −1, 0 or 1, and the norm is many times as fast as (==).all().
    return torch.linalg.vector_norm(following - state, dim=-1) == 0


def are_equal(words: Int[Tensor, "batch k"], other: Int[Tensor, "batch k"]) -> Tensor:
    """Return True for states of which all bits are equal."""
    return (words == other).all(-1)


class CycleFinder:
    """Finds cycles by comparing states with an earlier one, which is replaced at steps 2ᵏ − 1.

    So does Brent's algorithm (1980), which needs two states per query and finds the exact period
    within 3·(steps to the cycle + period) steps. Cycles of period 2 are found at once.
    """

    def __init__(
        self, state: Tensor, is_same: Callable[[Tensor, Tensor], Tensor] = is_unchanged
    ) -> None:
        """Start from the states at step 0, `(batch, k)`, in any form that `is_same` compares."""
        self.is_same, self.before = is_same, cast("Tensor | None", None)
        self.anchor, self.anchored_at, self.power = state, 0, 1

    def periods(self, step: int, state: Tensor, following: Tensor) -> Int[Tensor, " batch"]:
        """Return the periods of cycles that are closed by the states after this step; else 0."""
        distance = step + 1 - self.anchored_at
        periods = distance * self.is_same(self.anchor, following).long()
        if self.before is not None:
            periods = torch.where(self.is_same(self.before, following), 2, periods)
        self.before = state
        if distance == self.power:
            self.anchor, self.anchored_at, self.power = following, step + 1, 2 * self.power
        return periods

    def keep(self, queries: Int[Tensor, " left"]) -> None:
        """Forget all queries but these."""
        self.anchor = self.anchor.index_select(0, queries)
        if self.before is not None:
            self.before = self.before.index_select(0, queries)


Step = Callable[[Tensor], Tensor]
"""A function from states of ±1, `(batch, dim)`, to the next states; it may change at each call."""


@dataclass(frozen=True, eq=False)
class Ends:
    """Fixed points and cycles of a map, and the starts that lead to each.

    Attributes:
        cycles: the states of each, `(period, dim)`, from the same state on wherever it was entered.
        index: the cycle that each start leads to, `(starts,)`; −1 where none was found.
    """

    cycles: list[Float[Tensor, "period dim"]]
    index: Int[Tensor, " starts"]


def find_ends(step: Step, starts: Float[Tensor, "n dim"], steps: int, cycles: bool) -> Ends:
    """Follow states of ±1 to fixed points and, if `cycles`, to cycles, for at most `steps` steps.

    Starts that have met go on as one.
    """
    words = pack(starts)
    first, row = distinct(words)
    state, words = starts[first], words[first]
    label = torch.full_like(row, -1)
    finder = CycleFinder(words, are_equal) if cycles else None
    ends, periods, count = [starts[:0]], [row[:0]], 0
    for number in range(steps + 1):
        following = step(state)
        before, words = words, pack(following)
        period = are_equal(before, words).long()
        if finder is not None:
            period = torch.where(period > 0, period, finder.periods(number, before, words))
        found, left = period.nonzero().squeeze(-1), (period == 0).nonzero().squeeze(-1)
        new = torch.full_like(period, -1)
        if len(found):
            new[found] = torch.arange(count, count + len(found), device=new.device)
            label = torch.where(label < 0, new[row], label)
            ends.append(state[found])
            periods.append(period[found])
            count += len(found)
        if not len(left):
            break
        first, group = distinct(words[left])
        new[left], new[found] = group, 0  # those found have a label, and need no row
        row, state = new[row], following
        if len(first) < len(following):
            left = left[first]
            state, words = following[left], words[left]
            if finder is not None:
                finder.keep(left)
    return _merged(step, torch.cat(ends), torch.cat(periods), label)


def _merged(step: Step, ends: Tensor, periods: Tensor, label: Tensor) -> Ends:
    # Ends that are states of one cycle become one, which begins at its smallest state.
    cycles: list[Tensor] = []
    index = torch.full_like(periods, -1)
    for period in periods.unique().tolist():
        members = (periods == period).nonzero().squeeze(-1)
        smallest = state = ends[members]
        for _ in range(period - 1):
            state = step(state)
            smallest = torch.where(_is_less(state, smallest)[:, None], state, smallest)
        first, group = distinct(pack(smallest))
        index[members] = group + len(cycles)
        walk = [smallest[first]]
        for _ in range(period - 1):
            walk.append(step(walk[-1]))
        cycles += torch.stack(walk, dim=1).unbind()
    index = torch.cat([index, index.new_tensor([-1])])  # the label −1 leads nowhere
    return Ends(cycles, index[label])


def distinct(words: Int[Tensor, "n k"]) -> tuple[Int[Tensor, " m"], Int[Tensor, " n"]]:
    """Return the indices of distinct rows in their order, and the place in them of every row."""
    columns = words.cpu().numpy().T
    order = numpy.lexsort(columns) if len(columns) > 1 else columns[0].argsort()
    is_new = numpy.ones(len(words), dtype=bool)
    is_new[1:] = (columns[:, order[1:]] != columns[:, order[:-1]]).any(0)
    place = numpy.empty_like(order)
    place[order] = is_new.cumsum() - 1
    kept = order[is_new]
    if len(kept) == len(order):  # in the order of the rows, which then need not be copied
        kept = place = numpy.arange(len(order))
    return torch.from_numpy(kept).to(words.device), torch.from_numpy(place).to(words.device)


def _is_less(one: Tensor, other: Tensor) -> Tensor:
    # Whether the first unit in which two states differ is −1 in the first.
    unequal = one != other
    first = unequal.int().argmax(-1, keepdim=True)
    return unequal.any(-1) & (one.gather(-1, first).squeeze(-1) < 0)
