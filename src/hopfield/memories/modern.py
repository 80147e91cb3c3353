"""The modern continuous network: one update is attention."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy, readout
from ..checks import check_choice
from ..errors import OptionError
from ..iteration import Bound, Reading, Retrieval, moved_within
from ..readout import Unpulled, read
from ..separation import Readout, Separation, Softmax
from ..similarity import ScoreFunction, Similarity, as_similarity
from ..stores import RamStore
from .base import Memory
from .certified import certified
from .options import plain_softmax, scalar_separation
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
        similarity: "dot", "euclidean", "cosine", "correlation" or "manhattan", or your own: a
            `Similarity`, or a function (rows, state, known) → scores.
        precision: "full", or "certified": an 8-bit scan names the patterns that can have weight,
            and only those are read, in float64; `Retrieval.bound` says how far that can be from
            the full readout. With Softmax and the dot product or Euclidean distance.
    """

    evidences: ClassVar[tuple[str, ...]] = ("known", "all")

    def __init__(
        self,
        beta: float | None = None,
        *,
        separation: Separation | None = None,
        similarity: str | Similarity | ScoreFunction = "dot",
        precision: str = "full",
    ) -> None:
        """An empty memory."""
        self.separation = scalar_separation(beta, separation)
        if not self.separation.simplex:
            raise OptionError(
                "ModernHopfield needs weights that sum to one: Softmax, Sparsemax, Entmax or "
                f"TopK, not {type(separation).__name__}. Use DenseHopfield for polynomials."
            )
        self.similarity = as_similarity(similarity)
        self.precision = check_choice("precision", precision, ("full", "certified"))
        if precision == "certified" and not (
            isinstance(self.separation, Softmax) and self.similarity.is_affine
        ):
            raise OptionError(
                "precision='certified' needs Softmax and similarity 'dot' or 'euclidean', but has "
                f"{type(self.separation).__name__} and {self.similarity!r}. Use precision='full'."
            )
        if precision == "certified" and isinstance(self.separation, Softmax):
            self.separation = plain_softmax(self.separation)
        self._store: RamStore = RamStore()

    def _read(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        largest = self._store.largest_norm()  # first: blocks then carry the norms
        found, bound = self._readout(state, known)
        value = energy.modern(state, found.potential, largest, self.similarity, known)
        return Reading(found.state, value, found.index, found.weight, found.entropy, bound)

    def _readout(self, state: Tensor, known: Tensor | None) -> tuple[Readout, Bound | None]:
        """The readout, in full or certified."""
        if self.precision == "certified" and isinstance(self.separation, Softmax):
            return certified(
                self._store, state, known, float(self.separation.beta), self.similarity.name
            )
        copied = known is not None or not self._plain(state)
        blocks = self._blocks(state, copied)
        return read(blocks, state, self.similarity, self.separation, known), None

    def _next(self, state: Tensor, generator: torch.Generator) -> Tensor:
        soft = self.separation if isinstance(self.separation, Softmax) else None
        if soft is not None and self.precision == "full" and self._plain(state):
            bias = None
            if not self.similarity.half_squared_norm:
                bias = self._store.norms() / -2
            following = readout.attended(state, self._store.rows, soft.beta, bias=bias)
            if following is not None:
                return following
        return self._read(state, None, None, generator).next

    def _plain(self, state: Tensor) -> bool:
        """Whether scores are products with the rows as they are, and a bias."""
        return self.similarity.is_affine and state.dtype == self._store.like.dtype

    def _energy(self, state: Tensor) -> Tensor:
        largest = self._store.largest_norm()
        blocks = self._blocks(state, copied=not self._plain(state))
        found = read(
            [Unpulled(block) for block in blocks],
            state,
            self.similarity,
            self.separation,
        )
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
        return replace(found, objective="known") if masked else found

    @property
    def _weighing(self) -> tuple[Similarity, Separation] | None:
        return self.similarity, self.separation

    def _check_new(self, patterns: Tensor, before: int) -> str | None:
        """Any finite patterns will do."""
        return None

    def _check_state(self, name: str, state: Tensor) -> Tensor:
        return state

    def _config(self) -> dict[str, Any]:
        return {
            "separation": self.separation,
            "similarity": self.similarity,
            "precision": self.precision,
        }
