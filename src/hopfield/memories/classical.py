"""The classical binary network: Hebb, Storkey, pseudo-inverse and covariance couplings."""

import sys
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .. import energy
from ..checks import check_binary, check_choice, check_flag, check_norms, check_number, check_tensor
from ..coupling import Coupling
from ..errors import ShapeError
from ..iteration import Reading, Retrieval, never, unchanged
from ..readout import strongest
from ..rules import RULES, coupling, grown
from ..separation import Separation
from ..similarity import Similarity, dot
from ..stores import PackedStore, RamStore
from ..units import classical_sweep
from .base import Memory
from .options import SCHEDULES, decided, sweep_order
from .query import Query, check_binary_cue

HEBBIAN_CAPACITY = 0.137906
"""Critical load n/N of the Hebbian network at T = 0 (Amit, Gutfreund & Sompolinsky 1985)."""


class ClassicalHopfield(Memory):
    """Binary network of Hopfield (1982): E(x) = −½ xᵀWx + b·x, x_i' = sign(Σ_j W_ij x_j − b_i).

    Asynchronous updates leave out j = i and never raise E between ±1 states. Values of
    hetero-association are those of the pattern with the largest overlap m = x_μ·x/N, which
    `Retrieval.weight` reports.

    Args:
        rule: "hebbian", "covariance", "pseudo_inverse" or "storkey".
        diagonal: keep W_ii in E and in synchronous updates. With it those of Hebb's rule and of the
            pseudo-inverse never cycle; without it (the default) the basins are wider.
        schedule: "asynchronous" (one unit after another, in random order) or "synchronous" (all
            at once; may end in a 2-cycle, which is not converged).
        temperature: T > 0 makes the updates thermal: P(x_i = +1) = sigmoid(2h_i/T).
        thresholds: b, `(dim,)`; None is 0.
        bits: hold the patterns as bits, a 32nd of the memory; the answers are the same.
    """

    def __init__(
        self,
        rule: str = "hebbian",
        *,
        diagonal: bool = False,
        schedule: str = "asynchronous",
        temperature: float = 0.0,
        thresholds: Tensor | None = None,
        bits: bool = False,
    ) -> None:
        """An empty memory."""
        self.rule = check_choice("rule", rule, RULES)
        self.diagonal = check_flag("diagonal", diagonal)
        self.schedule = check_choice("schedule", schedule, SCHEDULES)
        self.temperature = check_number(
            "temperature", temperature, low=0.0, high=sys.float_info.max
        )
        if thresholds is not None and check_tensor("thresholds", thresholds).ndim != 1:
            raise ShapeError(
                "thresholds must have shape (dim,), one a unit, but have shape "
                f"{tuple(thresholds.shape)}. Use thresholds.flatten(), or torch.full((dim,), b)."
            )
        if thresholds is not None:
            check_norms("thresholds", thresholds)
            with torch.inference_mode(False):  # they are used outside as well
                thresholds = thresholds.detach().clone()
        self.thresholds = thresholds
        self.bits = check_flag("bits", bits)
        self._store = PackedStore() if bits else RamStore()
        self._learned: tuple[int, int, Coupling] | None = None

    @property
    def coupling(self) -> Tensor:
        """W, `(dim, dim)`: built when asked for."""
        return self._learn().matrix()

    def _learn(self) -> Coupling:
        """The coupling of what is stored now, grown from an earlier one where the rule allows."""
        self._require()
        epoch, count = self._store.epoch, len(self)
        with torch.inference_mode(False):  # it is used outside as well
            if self._learned is None or self._learned[0] != epoch:
                self._learned = (epoch, count, coupling(self.rule, self._store.rows, self.diagonal))
            elif self._learned[1] < count:
                rows, old = self._store.rows, self._learned
                learned = grown(self.rule, old[2], rows, old[1], self.diagonal)
                self._learned = (epoch, count, learned)
        return self._learned[2]

    def _read(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        order = sweep_order(self.schedule, held, state.shape[-1], generator)
        learned = self._learn()
        exact = state.to(torch.promote_types(state.dtype, learned.dtype))
        thermal = None
        if self.temperature > 0:
            noise = torch.rand(
                state.shape, generator=generator, dtype=torch.float64, device=generator.device
            )
            thermal = (self.temperature, noise.to(state.device))
        following = classical_sweep(
            learned if order is None else learned.without_diagonal,
            state,
            order,
            thresholds=self._bias(exact),
            held=held,
            thermal=thermal,
        )
        return Reading(following, None, None, None, None)

    def _standing(self, state: Tensor) -> Reading:
        """States described without a sweep."""
        return Reading(state, self._energy(state), None, None, None)

    def _next(self, state: Tensor, generator: torch.Generator) -> Tensor:
        return self._read(state, None, None, generator).next

    def _energy(self, state: Tensor) -> Tensor:
        learned = self._learn()
        exact = state.to(torch.promote_types(state.dtype, learned.dtype))
        return energy.classical(exact, learned, self._bias(exact)).to(state.dtype)

    def _bias(self, state: Tensor) -> Tensor | None:
        return None if self.thresholds is None else self.thresholds.to(state)

    def _solve(
        self, query: Query, steps: int, tol: float, trace: bool, generator: torch.Generator
    ) -> Retrieval:
        whole = check_binary_cue(query)
        thermal = self.temperature > 0
        found = self._iterate(
            query,
            generator,
            steps=steps,
            settled=never if thermal else unchanged,
            cycles=self.schedule == "synchronous" and not thermal,
            trace=trace,
            last=self._standing if thermal else None,
        )
        found = found if thermal else self._with_energies(found)
        found = found if whole else decided(found, self._standing)
        top, index = strongest(self._blocks(found.state), found.state, dot)
        return replace(found, index=index, weight=top / found.state.shape[-1])

    def _with_energies(self, found: Retrieval) -> Retrieval:
        """The energies of final states, computed together whether or not there is a trace."""
        energy, trace = self._energy(found.state), found.trace
        if trace is not None:
            step = torch.arange(len(trace), device=trace.device).unsqueeze(-1)
            trace = torch.where(step >= found.steps, energy, trace)
        return replace(found, energy=energy, trace=trace)

    def _check_new(self, patterns: Tensor, before: int) -> str | None:
        check_binary("patterns", patterns)
        dim = patterns.shape[-1]
        if self.thresholds is not None and len(self.thresholds) != dim:
            raise ShapeError(
                f"patterns must have {len(self.thresholds)} entries, one a threshold, "
                f"but have shape {tuple(patterns.shape)}. Give one threshold an entry."
            )
        after, limit = before + len(patterns), max(1.0, HEBBIAN_CAPACITY * dim)
        if self.rule != "hebbian" or not before <= limit < after:
            return None
        return (
            f"{after} patterns of {dim} entries exceed the capacity of Hebb's rule, about "
            f"{int(limit)} random ones (0.138·{dim}). Use rule='pseudo_inverse', which holds up to "
            f"{dim} independent ones, or DenseHopfield, which holds many more."
        )

    def _check_state(self, name: str, state: Tensor) -> Tensor:
        return check_binary(name, state, zero=True)

    @property
    def _weighing(self) -> tuple[Similarity, Separation] | None:
        return None

    def _config(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "diagonal": self.diagonal,
            "schedule": self.schedule,
            "temperature": self.temperature,
            "thresholds": self.thresholds,
            "bits": self.bits,
        }
