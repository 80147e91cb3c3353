"""The classical binary network: Hebb, Storkey, pseudo-inverse and covariance couplings."""

import sys
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..checks import check_choice, check_flag, check_number
from ..coupling import Coupling
from ..inputs import Given
from ..iteration import Reading
from ..rules import Rule
from ..rules.choice import check_rule
from ..stores import Store
from ..stores.annotations import Annotations
from ..units import classical_sweep
from ..units.signs import uniform_noise
from .arguments import SIZE_HINT, named_arguments
from .attractors import Attractors, find_attractors
from .base import Memory
from .coupled import Coupled, checked_thresholds
from .learning import unstable_shares
from .options import SCHEDULES, check_store, sweep_order

HEBBIAN_CAPACITY = 0.137906
"""Critical load n/N of the Hebbian network at T = 0 (Amit, Gutfreund & Sompolinsky 1985)."""


TOLERATED_ERRORS = 0.01
"""Share of units that one update may change in a pattern before `store` warns; above the critical
load none, because further updates increase it."""


class ClassicalHopfield(Coupled, Memory):
    """Binary network of Hopfield (1982): E(x) = −½ xᵀWx + b·x, x_i' = sign(Σ_j W_ij x_j − b_i).

    Asynchronous updates leave out j = i and never raise E between ±1 states. Values of
    hetero-association are those of the pattern with the largest overlap m = x_μ·x/N, which
    `Retrieval.weight` reports.

    Args:
        rule: "hebbian", "covariance", "pseudo_inverse", "storkey" or "perceptron"; an object such
            as `rules.Perceptron(margin=0.5)`; or a function of the patterns `(n, dim)` that returns
            W, `(dim, dim)`, or W and thresholds. Its attribute `symmetric = False` declares that W
            is not symmetric, and the network has no energy then.
        diagonal: keep W_ii in E and in synchronous updates, and in asynchronous ones if W is not
            symmetric. With it synchronous updates of Hebb's rule and of the pseudo-inverse never
            cycle; without it (the default) the basins are wider.
        schedule: "asynchronous" (one unit after another, in random order) or "synchronous" (all
            at once; may end in a cycle, which is not converged: `Retrieval.period` is its length).
        temperature: T > 0 makes the updates thermal: P(x_i = +1) = sigmoid(2h_i/T).
        thresholds: b, `(dim,)`; None is 0, or what the rule learns: the covariance rule does.
        store: where the patterns live; None is a `RamStore`. A `PackedStore` holds one bit per
            entry, and the answers are the same.
    """

    binary: ClassVar[bool] = True

    def __init__(
        self,
        rule: Rule = "hebbian",
        *,
        diagonal: bool = False,
        schedule: str = "asynchronous",
        temperature: float = 0.0,
        thresholds: Given | None = None,
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        hint = f" {SIZE_HINT}" if isinstance(rule, int) else ""
        self.rule = check_rule(rule, hint)
        self.diagonal = check_flag("diagonal", diagonal)
        self.schedule = check_choice("schedule", schedule, SCHEDULES)
        self.temperature = check_number(
            "temperature", temperature, low=0.0, high=sys.float_info.max
        )
        self.thresholds = checked_thresholds(thresholds)
        self.storage = check_store(store)

    @property
    def settles(self) -> bool:
        """False for thermal dynamics."""
        return self.temperature == 0

    @property
    def may_cycle(self) -> bool:
        """True for the synchronous schedule."""
        return self.schedule == "synchronous" and self.settles

    @named_arguments
    def attractors(
        self,
        starts: Given | int | None = None,
        *,
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Attractors:
        """Find the fixed points and cycles that starts lead to, and count the starts of each.

        Fixed points are exact with both schedules. Synchronous updates are a map, so that cycles
        and basins are exact too. With asynchronous updates a start may lead to one or another
        fixed point: a basin counts the starts that ended there in one run, with one random order
        of units per sweep for all starts. Cycles are sought in synchronous updates only.

        Args:
            starts: `(*batch, dim)` of ±1, in the forms of a cue; a number of random states; None
                for all 2^N states, if N is at most 20.
            steps: the most sweeps; starts that have reached nothing by then count as unsettled.
                None is 100, and no limit for synchronous updates of all states.
            generator: source of random states and orders; None is a fresh one, seed 0.

        Returns:
            An `Attractors`: states, period, basin and energy of each, the largest basin first.
        """
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_network()
            return find_attractors(self, starts, steps, generator)

    def _acting_coupling(self) -> Coupling:
        # One unit at a time, a unit has no part in its own field: W_ii would not change E.
        coupling = self._coupling()
        if self.schedule == "asynchronous" and coupling.is_symmetric:
            return coupling.without_diagonal
        return coupling

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Make one sweep."""
        order = sweep_order(self.schedule, held, state.shape[-1], generator)
        coupling, thermal = self._acting_coupling(), None
        if self.temperature > 0:
            thermal = (self.temperature, uniform_noise(state, generator))
        following = classical_sweep(
            coupling,
            state,
            order,
            thresholds=self._bias(state.to(torch.promote_types(state.dtype, coupling.dtype))),
            held=held,
            thermal=thermal,
        )
        return Reading(following)

    def energy_of(self, state: Tensor) -> Tensor | None:
        """E(x) = −½ xᵀWx + b·x; None if W is not symmetric."""
        coupling = self._coupling()
        if not coupling.is_symmetric:
            return None
        exact = state.to(torch.promote_types(state.dtype, coupling.dtype))
        return energy.classical(exact, coupling, self._bias(exact)).to(state.dtype)

    def capacity_warning(self, patterns: Tensor, prior: Tensor | None = None) -> str | None:
        """Return a warning if patterns would be lost that were not lost before."""
        lost = self._lost(patterns, prior)
        if lost is None or (len(self) and self._lost(None) is not None):
            return None
        count, dim = len(self) + len(patterns), patterns.shape[-1]
        use = "DenseHopfield, which holds many more"
        if count < dim and self._given_thresholds is None:
            use = f"rule='pseudo_inverse', which holds up to {dim} independent ones, or {use}"
        return f"{lost}. Use {use}; hopfield.diagnose(memory) finds the cause."

    def _lost(self, new: Tensor | None, new_prior: Tensor | None = None) -> str | None:
        # A sentence on the patterns that are lost, with the new ones stored too; None if none are.
        store, prior = self.storage, self.storage.prior
        if new is not None and (prior is not None or new_prior is not None):
            stored = store.annotations or Annotations(len(store))
            added = Annotations(len(new), prior=new_prior)
            prior = torch.cat([stored.full_prior(added.prior), added.full_prior(prior)])
        thresholds, dim = self._given_thresholds, self.storage.dim if new is None else new.shape[-1]
        count = len(self) + (0 if new is None else len(new))
        if self.rule == "storkey" and count > dim:
            return (
                f"{count} patterns exceed {dim}, the units: Storkey's rule loses most random ones"
            )
        shares = unstable_shares(self.rule, store, new, self.diagonal, thresholds, prior)
        if shares is None:
            return None
        limit = int(HEBBIAN_CAPACITY * dim)
        is_overloaded, largest = self.rule == "hebbian" and count > limit, shares.max().item()
        if largest <= (0.0 if is_overloaded else TOLERATED_ERRORS):
            return None
        sample = "" if len(shares) == count else f" of {count} that were measured"
        load = f", and {count} exceed 0.138·N, its capacity for random ones" * is_overloaded
        return (
            f"{int((shares > 0).sum())} of {len(shares)} patterns{sample} are no fixed points of "
            f"rule={self.rule!r}: one update changes up to {largest:.1%} of their units{load}"
        )

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return self._learning() | {
            "diagonal": self.diagonal,
            "schedule": self.schedule,
            "temperature": self.temperature,
            "thresholds": self._given_thresholds,
        }
