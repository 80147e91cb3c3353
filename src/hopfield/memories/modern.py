"""The modern continuous network: one update is attention."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..dynamics import Reading, Retrieval, moved_within
from ..errors import OptionError, check_choice
from ..readout import read
from ..separation import Separation
from ..similarity import SIMILARITIES, Similarity
from ..stores import RamStore
from .base import Memory
from .options import scalar_separation
from .query import Query


class ModernHopfield(Memory):
    """Continuous network of Ramsauer (2021), and the sparse ones of Hu (2023) and Santos (2024).

    E(x) = ½‖x‖² − F(Xx) + ½M²,   x' = Xᵀ∇F(Xx);   F = β⁻¹ log mean exp(βs), ∇F = softmax(βs).

    With `similarity="euclidean"`, s_μ = −½‖x_μ − x‖² and E = −F(s): same cost, same descent, and
    every distinct pattern is an attractor at large β, which the dot product does not grant. Dot
    and Euclidean never raise E; cosine, correlation and Manhattan promise no descent.

    Args:
        beta: β ≥ 0, shorthand for `separation=Softmax(beta)`; 1 where neither is given.
        separation: `Softmax`, `Sparsemax`, `Entmax`, `TopK`, or your own with simplex weights.
        similarity: "dot", "euclidean", "cosine", "correlation" or "manhattan".
    """

    evidences: ClassVar[tuple[str, ...]] = ("known", "all")

    def __init__(
        self,
        beta: float | None = None,
        *,
        separation: Separation | None = None,
        similarity: str = "dot",
    ) -> None:
        """An empty memory."""
        self.separation = scalar_separation(beta, separation)
        if not self.separation.simplex:
            raise OptionError(
                "ModernHopfield needs weights that sum to one: Softmax, Sparsemax, Entmax or "
                f"TopK, not {type(separation).__name__}. Use DenseHopfield for polynomials."
            )
        self.similarity = check_choice("similarity", similarity, SIMILARITIES)
        self._store = RamStore()

    def _read(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        largest = self._largest_norm()  # first: blocks then carry the norms
        found = read(self._blocks(), state, SIMILARITIES[self.similarity], self.separation, known)
        value = energy.modern(state, found.potential, largest, self.similarity, known)
        return Reading(found.state, value, found.index, found.weight, found.entropy)

    def _energy(self, state: Tensor) -> Tensor:
        largest = self._largest_norm()
        found = read(self._blocks(), state, SIMILARITIES[self.similarity], self.separation)
        return energy.modern(state, found.potential, largest, self.similarity)

    def _solve(
        self, query: Query, steps: int, tol: float, trace: bool, generator: torch.Generator
    ) -> Retrieval:
        masked = query.known is not None and query.evidence == "known"
        found = self._iterate(
            query,
            generator,
            once=masked and query.clamp,  # held entries alone decide the weights
            steps=steps,
            settled=moved_within(tol),
            trace=trace,
        )
        return replace(found, objective="known" if masked else "full")

    @property
    def _weighing(self) -> tuple[Similarity, Separation] | None:
        return SIMILARITIES[self.similarity], self.separation

    def _check_new(self, patterns: Tensor) -> None:
        """Any finite patterns will do."""

    def _check_state(self, name: str, state: Tensor) -> Tensor:
        return state

    def _config(self) -> dict[str, Any]:
        return {"separation": self.separation, "similarity": self.similarity}

    def _largest_norm(self) -> Tensor:
        """M = max ‖x_μ‖."""
        return self._store.norms().amax().sqrt()
