"""Dense binary networks: exponential (Demircigil) and polynomial (Krotov & Hopfield)."""

import math
from typing import Any

import torch
from torch import Tensor

from .. import energy
from ..checks import check_binary, check_choice, check_flag, short_repr
from ..errors import DomainError
from ..iteration import Reading, Retrieval, unchanged
from ..readout import Unpulled, read
from ..separation import Readout, Separation
from ..similarity import Similarity, dot
from ..stores import PackedStore, RamStore
from ..units import dense_sweep, sign_columns, whole_dot
from .base import Memory
from .options import SCHEDULES, decided, plain_softmax, scalar_separation, sweep_order
from .query import Query, check_binary_cue

SIGN_ROWS = 4096
"""Rows whose signs are taken at a time."""


class DenseHopfield(Memory):
    """Dense associative memory on ±1: E(x) = −F(Xx), each unit taking the value of lower energy.

        x_i' = sign(F(s | x_i = +1) − F(s | x_i = −1)),   a tie keeps the present value.

    With `Softmax` it is the network of Demircigil et al. (2017), F = β⁻¹ log mean exp(βs): the
    same flips as their Σ exp(βs), finite at every β; with `Polynomial` or `RectifiedPolynomial`
    that of Krotov & Hopfield (2016). Decisions are computed in float64 and, where rounding could
    turn one, in exact arithmetic.

    Args:
        beta: β ≥ 0, shorthand for `separation=Softmax(beta)`; 1 where neither is given.
        separation: `Softmax`, `Polynomial` or `RectifiedPolynomial`; any other is slower, O(nN)
            potentials per sweep, and a decision below rounding counts as a tie.
        schedule: "synchronous" (all units from the same state; may cycle) or "asynchronous" (one
            after another in random order; never raises E between ±1 states).
        bits: hold the patterns as bits, a 32nd of the memory; the answers are the same.
    """

    def __init__(
        self,
        beta: float | None = None,
        *,
        separation: Separation | None = None,
        schedule: str = "synchronous",
        bits: bool = False,
    ) -> None:
        """An empty memory."""
        self.separation = scalar_separation(beta, separation)
        self.separation = plain_softmax(self.separation)
        self.schedule = check_choice("schedule", schedule, SCHEDULES)
        self.bits = check_flag("bits", bits)
        self._store = PackedStore() if bits else RamStore()
        self._columns: tuple[int, Tensor] | None = None

    def _read(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        order = sweep_order(self.schedule, held, state.shape[-1], generator)
        blocks = self._blocks(state)
        found = read(blocks, state.double(), whole_dot, self.separation)
        following = dense_sweep(
            blocks, self.separation, state, order, held, found, self._sign_columns
        )
        return self._described(found, following)

    def _described(self, found: Readout, following: Tensor) -> Reading:
        """What a readout says of the states it was made at, and where they go."""
        value = energy.dense(found.potential)
        return Reading(following, value, found.index, found.weight, found.entropy)

    def _standing(self, state: Tensor) -> Reading:
        """States described without a sweep."""
        found = read(self._blocks(state), state.double(), whole_dot, self.separation)
        return self._described(found, state)

    def _sign_columns(self) -> Tensor:
        """The signs of the patterns as a kernel wants them, kept until they change."""
        if self._columns is None or self._columns[0] != self._store.version:
            self._columns = (self._store.version, sign_columns(self._store.blocks(SIGN_ROWS)))
        return self._columns[1]

    def _next(self, state: Tensor, generator: torch.Generator) -> Tensor:
        return self._read(state, None, None, generator).next

    def _energy(self, state: Tensor) -> Tensor:
        blocks = [Unpulled(block) for block in self._blocks(state)]
        found = read(blocks, state.double(), whole_dot, self.separation)
        return energy.dense(found.potential)

    def _solve(
        self, query: Query, steps: int, tol: float, trace: bool, generator: torch.Generator
    ) -> Retrieval:
        whole = check_binary_cue(query)
        found = self._iterate(
            query,
            generator,
            steps=steps,
            settled=unchanged,
            cycles=self.schedule == "synchronous",
            trace=trace,
        )
        return found if whole else decided(found, self._standing)

    def _check_new(self, patterns: Tensor, before: int) -> str | None:
        check_binary("patterns", patterns)
        power = getattr(self.separation, "degree", None)
        if power is None:
            return None
        count, dim = before + len(patterns), patterns.shape[-1]
        # Energies are reported in float32 or wider, unit rules computed in float64.
        size = math.log10(dim + 2)
        limit = 308 if patterns.dtype == torch.float64 else 38
        most = int((limit - 1 - math.log10(count)) / size)
        if power > most:
            raise DomainError(
                f"degree must be at most {most} for {count} patterns of {dim} entries, or energies "
                f"exceed {'float64' if limit == 308 else 'float32'}, but is {short_repr(power)}. "
                "Use a lower degree, "
                + ("or" if limit == 308 else "float64 patterns, or")
                + " Softmax, which has no such limit."
            )
        return None

    def _check_state(self, name: str, state: Tensor) -> Tensor:
        return check_binary(name, state, zero=True)

    @property
    def _weighing(self) -> tuple[Similarity, Separation] | None:
        return (dot, self.separation) if self.separation.simplex else None

    def _config(self) -> dict[str, Any]:
        return {"separation": self.separation, "schedule": self.schedule, "bits": self.bits}
