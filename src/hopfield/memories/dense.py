"""Dense binary networks: exponential (Demircigil) and polynomial (Krotov & Hopfield)."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..checks import check_choice
from ..iteration import Reading
from ..readout import potential_only, read
from ..separation import Readout, Separation
from ..similarity import Similarity, dot
from ..stores import Store
from ..units import dense_sweep, exact_dot, sign_columns
from .base import Memory
from .options import (
    SCHEDULES,
    check_degree,
    check_store,
    plain_softmax,
    scalar_separation,
    sweep_order,
)

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
        store: where the patterns live; None is a `RamStore`. A `PackedStore` holds one bit per
            entry, and the answers are the same.
    """

    binary: ClassVar[bool] = True

    def __init__(
        self,
        beta: float | None = None,
        *,
        separation: Separation | None = None,
        schedule: str = "synchronous",
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        self.separation = plain_softmax(scalar_separation(beta, separation))
        self.schedule = check_choice("schedule", schedule, SCHEDULES)
        self.storage = check_store(store)

    @property
    def may_cycle(self) -> bool:
        """True for the synchronous schedule."""
        return self.schedule == "synchronous"

    @property
    def takes_prior(self) -> bool:
        """Return True if the separation takes one."""
        return self.separation.takes_prior

    @property
    def value_weights(self) -> tuple[Similarity, Separation] | None:
        """The separation, if its weights sum to one."""
        return (dot, self.separation) if self.separation.simplex else None

    @property
    def scoring(self) -> tuple[Similarity, Separation]:
        """Scores are dot products; polynomials weigh patterns too."""
        return dot, self.separation

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Make one sweep."""
        order = sweep_order(self.schedule, held, state.shape[-1], generator)
        blocks = self._blocks(len(state))
        readout = read(blocks, state.double(), exact_dot, self.separation)
        following = dense_sweep(
            blocks, self.separation, state, order, held, readout, self._sign_columns
        )
        return _reading(readout, following)

    def describe(self, state: Tensor) -> Reading:
        """Describe states without a sweep."""
        blocks = self._blocks(len(state))
        return _reading(read(blocks, state.double(), exact_dot, self.separation), state)

    def energy_of(self, state: Tensor) -> Tensor:
        """E(x) = −F(Xx)."""
        blocks = [potential_only(block) for block in self._blocks(len(state))]
        readout = read(blocks, state.double(), exact_dot, self.separation)
        return energy.dense(readout.potential)

    def _sign_columns(self) -> Tensor:
        # As a kernel takes them.
        storage = self.storage
        return storage.cached("signs", lambda: sign_columns(storage.blocks(SIGN_ROWS)))

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise if the energy of a polynomial could exceed the largest number."""
        # Energies are reported in float32 or wider, unit rules computed in float64.
        count, dim = before + len(patterns), patterns.shape[-1]
        check_degree(self.separation, count, dim, patterns.dtype, "energies")

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return {"separation": self.separation, "schedule": self.schedule}


def _reading(readout: Readout, following: Tensor) -> Reading:
    value = energy.dense(readout.potential)
    return Reading(following, value, readout.index, readout.weight, readout.entropy)
