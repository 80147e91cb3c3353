"""Sequences of ±1 patterns: the network moves from each stored step to the one that follows."""

import sys
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor

from .. import theory
from ..checks import (
    check_binary,
    check_choice,
    check_flag,
    check_generator,
    check_integer,
    check_number,
    check_patterns,
    check_rows,
)
from ..cue import Cue
from ..errors import CapacityWarning, InputTypeError, ShapeError, warn_caller
from ..inputs import Given
from ..iteration import Reading
from ..readout import ValuedBlock
from ..separation import Polynomial, Separation, Softmax
from ..similarity import ScoreFunction, Similarity, dot
from ..stores import Store
from ..units import (
    exact_dot,
    field_rounding,
    following_field,
    glauber,
    saturated_beta,
    sign_or_keep,
    thermal_cut,
)
from ..units.signs import uniform_noise
from .arguments import named_arguments
from .base import Memory
from .copies import copy_of
from .naming import names_of
from .options import check_degree, check_store, plain_softmax, scalar_separation
from .query import check_binary_cue, check_state, given_state, make_query
from .rolling import Roll, roll

RULES = ("hebbian", "pseudo_inverse")
"""Scores of the steps: overlaps, or coordinates in the basis of all steps."""

ROWS = 1024
"""Rows gathered at a time."""

RESOLUTION = 2.0**-30
"""Scores of the pseudo-inverse are multiples of it: finer differences would be rounding errors."""

TELL_APART = "Add units that tell such steps apart, for instance the number of the sequence."


class SequenceHopfield(Memory):
    """Binary network that recalls sequences: each step x_μ leads to the step y_μ that follows.

        x(t + 1) = sign h,    h = Σ_μ (y_μ + r x_μ) ∇F(s)_μ / c,    s = Xx(t),

    with c = ∇F(N), so that one step alone gives a field of size 1. All units are updated at once,
    and a tie keeps the present value. `Polynomial(2)`, the default, is asymmetric Hebb, W = Σ yxᵀ/N
    (Amari 1972); `Polynomial(d + 1)` has updates of degree d, and `Softmax(β)` exponential ones
    (Chaudhry et al. 2023). The network has no energy.

    Args:
        separation: F; its gradient weighs the steps.
        rule: "hebbian", or "pseudo_inverse": s = N(XXᵀ)⁻¹Xx is N at a stored step and 0 at all
            others, so that correlated steps follow each other exactly. With `Polynomial(2)` that is
            W = YX⁺ (Personnaz et al. 1986).
        cyclic: the last of the rows that one call of `store` gets leads to the first. If False, it
            leads to itself, and the sequence ends there.
        stability: r ≥ 0, the weight with which a step holds itself. Below 1 the network moves on.
            With `roll(…, delay=τ)` it is the network of Sompolinsky & Kanter (1986) and Kleinfeld
            (1986), which stays at each step for a time τ.
        temperature: T > 0 makes the updates thermal: P(x_i = +1) = sigmoid(2h_i/T).
        store: where the steps live; None is a `RamStore`.
    """

    binary: ClassVar[bool] = True
    moves_on: ClassVar[bool] = True

    def __init__(
        self,
        separation: Separation | None = None,
        *,
        rule: str = "hebbian",
        cyclic: bool = False,
        stability: float = 0.0,
        temperature: float = 0.0,
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        given = Polynomial(2) if separation is None else separation
        self.separation = plain_softmax(scalar_separation(None, given))
        self.rule = check_choice("rule", rule, RULES)
        self.cyclic = check_flag("cyclic", cyclic)
        largest = sys.float_info.max
        self.stability = check_number("stability", stability, low=0.0, high=1e6)
        self.temperature = check_number("temperature", temperature, low=0.0, high=largest)
        self.storage = check_store(store)

    @property
    def settles(self) -> bool:
        """False for thermal dynamics."""
        return self.temperature == 0

    @property
    def may_cycle(self) -> bool:
        """True without temperature: a cyclic sequence returns."""
        return self.settles

    @property
    def takes_prior(self) -> bool:
        """Return True if the separation takes one."""
        return self.separation.takes_prior

    @property
    def scoring(self) -> tuple[Similarity, Separation]:
        """Scores are dot products, and the separation weighs the steps."""
        return dot, self.separation

    @property
    def why_no_energy(self) -> str:
        """Return the reason: the network moves on."""
        return ": each step leads to another one"

    @named_arguments
    def roll(
        self,
        cue: Given | Cue,
        steps: int,
        known: Given | None = None,
        *,
        delay: int = 1,
        overlaps: bool = True,
        generator: torch.Generator | None = None,
    ) -> Roll:
        """Make `steps` steps from a damaged or partial cue, and return all states.

        Args:
            cue: as in `retrieve`, `(*batch, dim)`.
            steps: the number of steps, at least 1.
            known: bool mask broadcastable to the cue: at the first step only known units count.
            delay: τ. With `stability`, and τ > 1, the field is Σ y_μ ∇F(s(t − τ + 1))_μ/c +
                r Σ x_μ ∇F(s(t))_μ/c, and the network stays at each step for a time τ.
            overlaps: whether to keep the overlaps with all stored steps, `(steps, *batch, n)`.
            generator: source of thermal noise; None is a fresh one, seed 0.
        """
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_patterns()
            query = make_query(cue, known, False, "known", self.storage, self.binary)
            check_binary_cue(query)
            steps = check_integer("steps", steps, low=1)
            delay = check_integer("delay", delay, low=1)
            check_flag("overlaps", overlaps)
            return roll(self, query, steps, delay, overlaps, check_generator(generator))

    @named_arguments
    def field(self, state: Given) -> Tensor:
        """h, the field on each unit: 1 in size where a single step is recognised."""
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_patterns()
            state, shape = given_state("state", state, self.storage, self.binary)
            states = check_state(state, self.storage, self.binary)
            flat = states.reshape(-1, states.shape[-1])
            field = self._field(flat, flat, self.separation)[0] / self._scale()
        return field.to(states.dtype).reshape(shape or states.shape)

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Move on by one step."""
        return Reading(self.advance(state, state, generator))

    def advance(
        self,
        state: Float[Tensor, "batch dim"],
        earlier: Float[Tensor, "batch dim"] | None,
        generator: torch.Generator,
    ) -> Float[Tensor, "batch dim"]:
        """Return the next states, where the step that follows is that of `earlier` states.

        Args:
            state: x(t), held by `stability`.
            earlier: x(t − τ + 1), or None if that is before the cue.
            generator: the source of thermal noise.
        """
        if self.settles:
            field, error = self._field(state, earlier, self._with_equal_signs())
            return sign_or_keep(field, state.double(), error).to(state.dtype)
        cut = thermal_cut(self.temperature, uniform_noise(state, generator))
        field, _ = self._field(state, earlier, self.separation)
        return glauber(field / self._scale(), cut).to(state.dtype)

    def _field(
        self, state: Tensor, earlier: Tensor | None, separation: Separation
    ) -> tuple[Tensor, Tensor]:
        # c·h, `(batch, dim)`, and a bound of its rounding error, `(batch, 1)`.
        blocks, held = self._blocks(len(state)), self.stability
        terms = [(state, 1.0, held)] if earlier is state else [(earlier, 1.0, 0.0)]
        terms += [(state, 0.0, held)] if held and earlier is not state else []
        field = size = torch.zeros((), dtype=torch.float64, device=state.device)
        for at, ahead, stay in terms:
            if at is not None:
                total, most = following_field(
                    blocks, at.double(), self._score(), separation, ahead, stay
                )
                field, size = field + total, size + most
        is_exact = self.rule == "hebbian"
        is_whole = is_exact and held in (0.0, 1.0) and self.storage.prior is None
        resolution, shape = 0.0 if is_exact else RESOLUTION, (len(self), state.shape[-1])
        error = field_rounding(size, separation, shape, is_whole, resolution)
        return field.expand(state.shape), error

    def _with_equal_signs(self) -> Separation:
        # A separation that decides alike, whose weights do not underflow.
        beta = self.separation.softmax_beta()
        if (
            beta is None
            or self.stability
            or self.rule != "hebbian"
            or self.storage.prior is not None
        ):
            return self.separation
        return Softmax(saturated_beta(beta, len(self)))

    def _score(self) -> ScoreFunction:
        # The score function of a block, state and mask.
        if self.rule == "hebbian":
            self.storage.cached("forks", self._warn_of_forks)
            return exact_dot
        duals = self.storage.cached("duals", self._duals)

        def score(block: ValuedBlock, state: Tensor, known: Tensor | None) -> Tensor:
            scores = state @ duals[block.start : block.start + len(block)].T
            return (scores / RESOLUTION).round() * RESOLUTION  # equal ones must not differ

        return score

    def _warn_of_forks(self) -> None:
        first, differ = copy_of(self.storage), []
        for block in self.storage.blocks(ROWS):
            other = self.storage.take_values(first[block.start : block.start + len(block)])
            differ.append((cast(Tensor, block.values) != other).any(-1))
        forks = torch.isin(first, first[torch.cat(differ)]).nonzero().squeeze(-1)
        if len(forks):
            warn_caller(
                f"steps {self._listed(forks)} are equal to others, but different ones follow: the "
                f"network cannot lead to all of them. {TELL_APART}",
                CapacityWarning,
            )

    def _listed(self, places: Tensor) -> str:
        names = names_of(self.storage)
        listed = [repr(names[place]) if names else str(place) for place in places[:5].tolist()]
        return ", ".join(listed) + ", …" * (len(places) > 5)

    def _duals(self) -> Tensor:
        # N(XXᵀ)⁺X.
        rows = torch.cat([block.rows for block in self.storage.blocks(ROWS)]).double()
        duals = rows.shape[-1] * torch.linalg.pinv(rows).T
        lost = self._lost_steps(rows, duals)
        if lost:
            warn_caller(lost, CapacityWarning)
        return duals

    def _lost_steps(self, rows: Tensor, duals: Tensor) -> str:
        # A warning if dependent steps do not lead to the steps that follow them, else "".
        dim = rows.shape[-1]
        dependent = ((rows * duals).sum(-1) < dim * (1 - 1e-6)).nonzero().squeeze(-1)
        if not len(dependent):
            return ""
        blocks = self.storage.blocks(ROWS)
        following = torch.cat([cast(Tensor, block.values) for block in blocks]).double()
        scores = (rows[dependent] @ duals.T / RESOLUTION).round() * RESOLUTION
        field = self.separation(scores) @ following / self._scale()
        lost = dependent[(field * following[dependent] < 1e-6).any(-1)]
        if not len(lost):
            return ""
        equal = (rows[lost[0]] == rows[lost]).all(-1)
        differ = (following[lost[0]] != following[lost]).any(-1)
        reason = "are equal, but different ones follow" if bool((equal & differ).any()) else ""
        return (
            f"steps {self._listed(lost)} {reason or 'depend linearly'}: rule='pseudo_inverse' "
            f"cannot lead {len(lost)} of {len(rows)} steps to those that follow. {TELL_APART}"
        )

    def _scale(self) -> float:
        # c, the weight of a single step with the largest score.
        alone = torch.full((1, 1), float(self.storage.dim), dtype=torch.float64)
        return float(self.separation(alone))

    def energy_of(self, state: Tensor) -> None:
        """Return None: a network that moves on has no energy."""
        return

    def implied_values(self, patterns: Tensor) -> Tensor:
        """Return the rows that follow: the next one each; after the last, the first or itself."""
        rows = check_rows("patterns", patterns)
        return torch.cat([rows[1:], rows[:1] if self.cyclic else rows[-1:]])

    def check_new_values(self, patterns: Tensor, values: Tensor | None) -> None:
        """Raise unless the values are rows of ±1 like the patterns."""
        if values is None:
            raise InputTypeError(
                "values must be the rows that follow the patterns, but are strings. Leave them out "
                "to store a sequence, and name its steps with names=."
            )
        if values.shape != patterns.shape:
            raise ShapeError(
                "values must be the rows that follow the patterns, of shape "
                f"{tuple(patterns.shape)}, but have shape {tuple(values.shape)}. Leave them out to "
                "store a sequence."
            )
        check_binary("values", check_patterns("values", values))

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise if the weights of a polynomial could exceed the largest number."""
        count, dim = before + len(patterns), patterns.shape[-1]
        check_degree(self.separation, count, dim, torch.float64, "fields")

    def capacity_warning(self, patterns: Tensor, prior: Tensor | None = None) -> str | None:
        """Return a warning if the steps exceed the critical load of random ones."""
        degree = getattr(self.separation, "degree", 1) - 1
        count, dim = len(self) + len(patterns), patterns.shape[-1]
        is_rectified = getattr(self.separation, "is_rectified", False)
        # Above √N, the moments of N signs are far below those of normal crosstalk.
        if not 0 < degree <= dim**0.5 or is_rectified or self.rule != "hebbian":
            return None
        limit = theory.sequence_critical_load(degree) / theory.sequence_load(degree, dim, 1)
        if not len(self) <= limit < count:
            return None
        return (
            f"{count} steps exceed {int(limit)}, the capacity of updates of degree {degree} for "
            f"random sequences of {dim} units. Use a Polynomial of higher degree, Softmax, or, for "
            f"up to {dim} independent steps, rule='pseudo_inverse'."
        )

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return {
            "separation": self.separation,
            "rule": self.rule,
            "cyclic": self.cyclic,
            "stability": self.stability,
            "temperature": self.temperature,
        }
