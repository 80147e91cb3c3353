"""The states that a network of sequences passes through, step by step."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..scores import all_scores, strongest
from ..units import exact_dot
from .naming import entries_at, names_of
from .options import blocks_of
from .query import Query, computing_dtype

if TYPE_CHECKING:
    from .sequence import SequenceHopfield


@dataclass(frozen=True, eq=False)
class Roll:
    """The states that follow a cue, time first.

    Attributes:
        states: `(steps, *batch, dim)`; `states[t]` is the state after t + 1 steps. A unit
            unknown in the cue is 0 until a step decides it.
        index: the stored step with the largest overlap, `(steps, *batch)`; the first of those that
            tie.
        weight: that overlap, x_μ·x/N, `(steps, *batch)`.
        overlaps: overlaps with all stored steps, `(steps, *batch, n)`; None if not requested.
        name: the name of the strongest step, an object array `(steps, *batch)`, or None.
        period: the number of steps after which the last state returns, `(*batch)`: 1 at a fixed
            point, 0 if no state was repeated. None for thermal dynamics.
    """

    states: Tensor
    index: Tensor
    weight: Tensor
    overlaps: Tensor | None = None
    name: np.ndarray | None = None
    period: Tensor | None = None

    def __repr__(self) -> str:
        """Return the counts of steps and sequences, and the periods of those that repeat."""
        steps, count = len(self.states), self.index[0].numel()
        text = f"Roll({steps} step{'s' * (steps != 1)} of {count} cue{'s' * (count != 1)}"
        if self.period is not None and bool(self.period.any()):
            periods = sorted(set(self.period[self.period > 0].flatten().tolist()))
            text += f", periods {periods}" if len(periods) > 1 else f", period {periods[0]}"
        return text + ")"


def roll(
    memory: "SequenceHopfield",
    query: Query,
    steps: int,
    delay: int,
    overlaps: bool,
    generator: torch.Generator,
) -> Roll:
    """Make the steps from a checked query.

    Args:
        memory: the network, with the lock held.
        query: the cues.
        steps: number of steps, at least 1.
        delay: a step leads on to what follows the state `delay` − 1 steps earlier.
        overlaps: whether to keep the overlaps with all stored steps.
        generator: the source of thermal noise.
    """
    state, past, states = query.state, deque[Tensor](maxlen=delay), []
    for _ in range(steps):
        past.append(state)
        earlier = past[0] if len(past) == delay else None
        state = memory.advance(state, earlier, generator)
        states.append(state)
    path = torch.stack(states)
    shape, wide = (steps, *query.batch), computing_dtype(query.dtype)
    blocks, dim = blocks_of(memory.storage, path[..., 0].numel()), path.shape[-1]
    scores = None
    if overlaps:
        scores = all_scores(blocks, path, exact_dot).to(wide) / dim
        weight, index = scores.max(-1)
        scores = scores.reshape(*shape, scores.shape[-1])
    else:
        top, index = strongest(blocks, path, exact_dot)
        weight = top.to(wide) / dim
    index, names = index.reshape(shape), names_of(memory.storage)
    period = _period(path, delay).reshape(query.batch) if memory.settles else None
    return Roll(
        path.to(query.dtype).reshape(steps, *query.shape),
        index,
        weight.reshape(shape),
        scores,
        entries_at(names, index) if names else None,
        period,
    )


def _period(path: Float[Tensor, "steps batch dim"], window: int) -> Int[Tensor, " batch"]:
    # The next state depends on the last `window` states: where these return, all that follow do.
    count = len(path) - window
    if count < 1:
        return path.new_zeros(path.shape[1], dtype=torch.long)
    same = path.new_ones(count, path.shape[1], dtype=torch.bool)
    for back in range(window):
        end = len(path) - 1 - back
        difference = path[end - count : end] - path[end]
        same &= torch.linalg.vector_norm(difference, dim=-1) == 0
    distance = torch.arange(count, 0, -1, device=path.device)[:, None]
    smallest = torch.where(same, distance, count + 1).amin(0)
    return torch.where(smallest > count, 0, smallest)
