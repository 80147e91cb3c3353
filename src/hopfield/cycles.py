"""Find fixed points and cycles of a map while it is iterated."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def is_unchanged(state: Tensor, following: Tensor) -> Tensor:
    """Return True for queries of which no entry changed."""
    # Entries are −1, 0 or 1, and the norm is many times as fast as (==).all().
    return torch.linalg.vector_norm(following - state, dim=-1) == 0


class CycleFinder:
    """Finds cycles by comparing states with an earlier one, which is replaced at steps 2ᵏ − 1.

    So does Brent's algorithm (1980), which needs two states per query and finds the exact period
    within 3·(steps to the cycle + period) steps. Cycles of period 2 are found at once.
    """

    def __init__(self, state: Float[Tensor, "batch dim"]) -> None:
        """Start from the states at step 0."""
        self.before: Tensor | None = None
        self.anchor, self.anchored_at, self.power = state, 0, 1

    def periods(
        self, step: int, state: Float[Tensor, "batch dim"], following: Float[Tensor, "batch dim"]
    ) -> Int[Tensor, " batch"]:
        """Return the periods of cycles that are closed by the states after this step; else 0."""
        distance = step + 1 - self.anchored_at
        periods = distance * is_unchanged(self.anchor, following).long()
        if self.before is not None:
            periods = torch.where(is_unchanged(self.before, following), 2, periods)
        self.before = state
        if distance == self.power:
            self.anchor, self.anchored_at, self.power = following, step + 1, 2 * self.power
        return periods

    def keep(self, queries: Int[Tensor, " left"]) -> None:
        """Forget all queries but these."""
        self.anchor = self.anchor.index_select(0, queries)
        if self.before is not None:
            self.before = self.before.index_select(0, queries)
