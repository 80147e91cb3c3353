"""The graded network of Hopfield (1984): units between −1 and 1 in continuous time."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..checks import check_positive
from ..coupling import Coupling, LowRankCoupling
from ..errors import OptionError
from ..inputs import Given
from ..iteration import Reading, StoppingRule
from ..rules.choice import Rule, check_rule
from ..stores import Store
from .base import Memory
from .coupled import Coupled, checked_thresholds
from .options import check_store


class GradedHopfield(Coupled, Memory):
    """Graded network of Hopfield (1984): du/dt = Wv − b − leak·u,  v = tanh(gain·u).

        E(v) = −½ vᵀWv + b·v + (leak/gain) Σ ∫₀^v artanh,

    A step is Euler's, u' = u + dt(Wv − b − leak·u), and never raises E for

        dt ≤ 1/(leak + gain·max(0, −λ)),   λ the smallest eigenvalue of W:

    it is then mirror descent, with the integral term as the mirror map. Patterns are ±1, W_ii = 0,
    and cues may lie between −1 and 1; unknown units start at 0. Fixed points solve v =
    tanh(gain(Wv − b)/leak): at high gain, the signs of the stable ones are fixed points of the
    `ClassicalHopfield`. States end at 1 − √eps, also in E.

    Args:
        rule: as in `ClassicalHopfield`.
        gain: slope of the units at 0. Below leak/λ_max every start ends at 0 if b = 0.
        leak: the rate at which u decays; 1/leak is the time constant.
        dt: the integration step; None is the largest with the bound above.
        thresholds: b, `(dim,)`; None is 0, or what the rule learns.
        store: where the patterns live; None is a `RamStore`.
    """

    bounded: ClassVar[bool] = True

    def __init__(
        self,
        rule: Rule = "hebbian",
        *,
        gain: float = 10.0,
        leak: float = 1.0,
        dt: float | None = None,
        thresholds: Given | None = None,
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        self.rule, self.diagonal = check_rule(rule, ""), False
        self.gain, self.leak = check_positive("gain", gain), check_positive("leak", leak)
        self.dt = None if dt is None else check_positive("dt", dt)
        self.thresholds = checked_thresholds(thresholds)
        self.storage = check_store(store)

    @property
    def integration_step(self) -> float:
        """`dt`, or the largest with which a step never raises the energy.

        Raises:
            OptionError: if the given `dt` is larger than that.
        """
        largest = 1 / (self.leak + self.gain * self._curvature())
        if self.dt is None:
            return largest
        if self.dt > largest * (1 + 1e-6):
            raise OptionError(
                f"dt must be at most {largest:.4g} for this coupling, or steps can raise the "
                f"energy, but is {self.dt:.4g}. Use dt=None, the largest step."
            )
        return self.dt

    def stopping_rule(self, tol: float) -> StoppingRule:
        """Return the rule |v − tanh(gain(Wv − b)/leak)| ≤ tol for every unit."""
        # A saturated unit that leaves its corner changes u, and v at first by less than any tol.
        scale = 1 / (self.leak * self.integration_step)

        def has_settled(state: Tensor, following: Tensor) -> Tensor:
            u, later = torch.atanh(_within(state)), torch.atanh(_within(following))
            target = _within(torch.tanh(u + (later - u) * scale))
            return (target - _within(state)).abs().amax(-1) <= tol

        return has_settled

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Make one step of Euler."""
        v = _within(state)
        coupling, bias = self._acting_coupling(), self._bias(v)
        wide = v.to(torch.promote_types(v.dtype, coupling.dtype))
        field = coupling.field_from(coupling.products(wide), wide).to(v.dtype)
        field = field if bias is None else field - bias
        u = torch.atanh(v) / self.gain
        u = u + self.integration_step * (field - self.leak * u)
        following = _within(torch.tanh(self.gain * u))
        return Reading(following if held is None else torch.where(held, state, following))

    def energy_of(self, state: Tensor) -> Tensor | None:
        """E(v) = −½ vᵀWv + b·v + (leak/gain) Σ ∫₀^v artanh; None if W is not symmetric."""
        coupling = self._coupling()
        if not coupling.is_symmetric:
            return None
        exact = _within(state).double()
        value = energy.graded(exact, coupling, self._bias(exact), self.leak / self.gain)
        return value.to(state.dtype)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return self._learning() | {
            "gain": self.gain,
            "leak": self.leak,
            "dt": self.dt,
            "thresholds": self._given_thresholds,
        }

    def _curvature(self) -> float:
        # An upper bound of −λ, the largest curvature of −½vᵀWv, and of ‖W‖ if W is not symmetric.
        coupling = self._coupling()
        kept: tuple[Coupling, float] | None = self._derived.get("curvature")
        if kept is None or kept[0] is not coupling:
            kept = self._derived["curvature"] = coupling, _curvature(coupling)
        return kept[1]


def _within(state: Tensor) -> Tensor:
    # Nearer to 1, rounding of v would stop u, which recovers from artanh v.
    limit = 1 - torch.finfo(state.dtype).eps ** 0.5
    return state.clamp(-limit, limit)


def _curvature(coupling: Coupling) -> float:
    if isinstance(coupling, LowRankCoupling) and coupling.left is coupling.right:
        # LᵀL has no negative eigenvalue; its diagonal d is subtracted.
        if coupling.diagonal is None:
            return 0.0
        return max(0.0, float(coupling.scale * coupling.diagonal.max()))
    weights = coupling.matrix().double()
    if not coupling.is_symmetric:
        return float(torch.linalg.matrix_norm(weights, 2))
    least = float(torch.linalg.eigvalsh(weights)[0])
    return max(0.0, -least) * (1 + math.sqrt(torch.finfo(torch.float64).eps))
