"""Bidirectional memories of pairs (x, y): each side recalls the other."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..checks import check_number
from ..errors import OptionError
from ..iteration import Reading
from ..readout import potential_only, read
from ..rules.precision import exact_dtype
from ..separation import Readout, Separation
from ..similarity import ScoreFunction, Similarity, dot
from ..stores import Store
from ..units import (
    exact_dot,
    glauber,
    sign_or_keep,
    thermal_cut,
)
from ..units.following import with_sum_of_weights
from ..units.signs import uniform_noise
from .learning import rows_of
from .modern import AttentionMemory
from .options import check_degree, check_store, plain_softmax, scalar_separation
from .pairs import PairedMemory, check_sides


class BidirectionalMemory(PairedMemory):
    """Bidirectional associative memory on pairs of ±1 vectors (Kosko 1988), and its dense form.

    A step updates all units of y, then all units of x; a tie keeps the present value:

        W = Σ_μ x_μᵀy_μ,   E(x, y) = −xWyᵀ,         y' = sign(xW),     x' = sign(y'Wᵀ).

    With a separation, s_μ = x_μ·x + y_μ·y are scores of pairs, and p = ∇F(s) at the present state:

        E(x, y) = −F(s),                            y' = sign(pY),     x' = sign(p'X).

    A step never raises E: Kosko's is linear in either side, and a convex F lies above its tangent.
    A field below the rounding error of its sum counts as a tie.
    Kosko's network recalls up to .2·N random pairs of N + N units with few errors, the dense one
    many more.

    Args:
        separation: `Softmax`, `RectifiedPolynomial` or another; None is Kosko's network.
        split: the number of entries of x; None: the first `store_pairs(x, y)` decides.
        temperature: T > 0 makes the updates of Kosko's network thermal: P(y_j = +1) =
            sigmoid(2h_j/T) with h = xW, and likewise for x; states then follow exp(−E/T).
        store: where the pairs live; None is a `RamStore`.
    """

    binary: ClassVar[bool] = True

    def __init__(
        self,
        separation: Separation | None = None,
        *,
        split: int | None = None,
        temperature: float = 0.0,
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        self.separation = None
        if separation is not None:
            self.separation = plain_softmax(scalar_separation(None, separation))
        self._set_split(split)
        self.temperature = check_number("temperature", temperature, low=0.0)
        if self.separation is not None and self.temperature:
            raise OptionError(
                "temperature must be 0 with a separation, whose updates are not thermal, but is "
                f"{temperature}. Leave one of them out."
            )
        self.storage = check_store(store)

    @property
    def settles(self) -> bool:
        """False for thermal dynamics."""
        return self.temperature == 0

    @property
    def may_cycle(self) -> bool:
        """True with a separation, whose potential need not be convex."""
        return self.separation is not None

    @property
    def takes_prior(self) -> bool:
        """Return True if the separation takes one."""
        return self.separation is not None and self.separation.takes_prior

    @property
    def value_weights(self) -> tuple[Similarity, Separation] | None:
        """The separation, if its weights sum to one."""
        is_mean = self.separation is not None and self.separation.simplex
        return (dot, self.separation) if is_mean else None  # type: ignore[return-value]

    @property
    def scoring(self) -> tuple[Similarity, Separation | None]:
        """Scores are dot products of whole pairs."""
        return dot, self.separation

    @property
    def coupling(self) -> Tensor:
        """W = Σ x_μᵀy_μ of Kosko's network, `(dim_x, dim_y)`."""
        if self.separation is not None:
            raise OptionError(
                f"coupling needs Kosko's network, but this memory has {self.separation}, not W."
            )
        with self.storage.lock.reading:
            self._require_patterns()
            return self._coupling().clone()

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Update y, then x. Unknown units of x take their value from y first."""
        x, y = self._split_rows(state)
        held_x, held_y = (None, None) if held is None else self._split_rows(held)
        cut_x, cut_y = self._cuts(state, generator)
        first = fields = self._fields(state)
        unknown = x == 0
        if bool(unknown.any()):
            x = torch.where(unknown, sign_or_keep(fields.x, x, fields.slack), x)
            fields = self._fields(torch.cat([x, y], dim=-1))
        y = _updated(y, fields.y, fields.slack, held_y, cut_y)
        fields = self._fields(torch.cat([x, y], dim=-1))
        x = _updated(x, fields.x, fields.slack, held_x, cut_x)
        return first.reading(torch.cat([x, y], dim=-1))

    def describe(self, state: Tensor) -> Reading:
        """Describe states without a step."""
        return self._fields(state).reading(state)

    def energy_of(self, state: Tensor) -> Tensor:
        """E = −xWyᵀ, or −F(s) with a separation."""
        if self.separation is None:
            fields = self._fields(state).y.double()
            return -(fields * self._split_rows(state)[1]).sum(-1).to(state.dtype)
        blocks = [potential_only(block) for block in self._blocks(len(state))]
        readout = read(blocks, state.double(), exact_dot, self.separation)
        return energy.dense(readout.potential)

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise unless both sides have entries, and a polynomial stays below the largest number."""
        check_sides(self, patterns)
        if self.separation is not None:
            count, dim = before + len(patterns), patterns.shape[-1]
            check_degree(self.separation, count, dim, patterns.dtype, "energies")

    def capacity_warning(self, patterns: Tensor, prior: Tensor | None = None) -> str | None:
        """Return a warning if pairs would be lost that were not lost before."""
        if self.separation is not None or not self.settles:
            return None
        lost = self._lost(patterns)
        if not lost or (len(self) and self._lost(None)):
            return None
        return (
            f"{lost} of {len(self) + len(patterns)} pairs are no fixed points of Kosko's network. "
            "Use BidirectionalMemory(RectifiedPolynomial(3)), which holds many more."
        )

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return {
            "separation": self.separation,
            "split": self.split,
            "temperature": self.temperature,
        }

    def _fields(self, state: Tensor) -> "_Fields":
        if self.separation is None:
            x, y = (side.to(self._coupling().dtype) for side in self._split_rows(state))
            return _Fields(y @ self._coupling().T, x @ self._coupling())
        blocks = [with_sum_of_weights(block) for block in self._blocks(len(state))]
        readout = read(blocks, state.double(), exact_dot, self.separation)
        x, y = self._split_rows(readout.state[:, :-1])
        # Sums of n weighted signs err by n·eps of their absolute values: less counts as a tie.
        slack = len(self) * torch.finfo(torch.float64).eps * readout.state[:, -1:]
        return _Fields(x, y, slack, readout)

    def _coupling(self) -> Tensor:
        return self.storage.cached("coupling", lambda: self._sum_of_products(None))

    def _sum_of_products(self, new: Tensor | None) -> Tensor:
        # W in a precision in which its products with ±1 are exact.
        added, dim = (0, self.storage.dim) if new is None else new.shape
        dtype = exact_dtype(torch.float32, (len(self) + added) * dim)
        sides = (self._split_rows(part.to(dtype)) for part in rows_of(self.storage, new))
        return functools.reduce(torch.add, (x.T @ y for x, y in sides))

    def _lost(self, new: Tensor | None) -> int:
        # How many pairs are no fixed points, with the new ones stored too.
        coupling = self._coupling() if new is None else self._sum_of_products(new)
        lost = 0
        for part in rows_of(self.storage, new):
            x, y = self._split_rows(part.to(coupling.dtype))
            wrong = ((x @ coupling) * y < 0).any(1) | ((y @ coupling.T) * x < 0).any(1)
            lost += int(wrong.sum())
        return lost

    def _cuts(
        self, state: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        if self.settles:
            return None, None
        return self._split_rows(thermal_cut(self.temperature, uniform_noise(state, generator)))


@dataclass(frozen=True, eq=False)
class _Fields:
    # The fields on the units of x and y; the readout they come from, if there is one.
    x: Tensor
    y: Tensor
    slack: Tensor | float = 0.0
    readout: Readout | None = None

    def reading(self, following: Tensor) -> Reading:
        readout = self.readout
        if readout is None:
            return Reading(following)
        value = energy.dense(readout.potential)
        return Reading(following, value, readout.index, readout.weight, readout.entropy)


def _updated(
    units: Tensor, field: Tensor, slack: Tensor | float, held: Tensor | None, cut: Tensor | None
) -> Tensor:
    # The new values of one side.
    if cut is None:
        value = sign_or_keep(field, units.to(field.dtype), slack)
    else:
        value = glauber(field, cut)
    value = value.to(units.dtype)
    return value if held is None else torch.where(held, units, value)


class ModernBidirectional(PairedMemory, AttentionMemory):
    """Modern network on pairs of vectors: weights p of the pairs give y' = pY and x' = pX.

    The scores of pairs are sums over both sides, of their known entries only:

        E(x, y) = ½‖x‖² + ½‖y‖² − F(s) + ½M²,   s_μ = x_μ·x + y_μ·y,   p = ∇F(s) = softmax(βs),

    which is `ModernHopfield` on rows (x|y), with every option it has. A step never raises E. Scale
    the sides to one unit: the larger numbers decide otherwise.

    Args:
        beta: as in `ModernHopfield`; without β, it is fitted.
        split: the number of entries of x; None: the first `store_pairs(x, y)` decides.
        separation: as in `ModernHopfield`.
        similarity: as in `ModernHopfield`.
        precision: as in `ModernHopfield`.
        store: where the rows (x|y) live; None is a `RamStore`.
    """

    def __init__(
        self,
        beta: float | str | None = None,
        *,
        split: int | None = None,
        separation: Separation | None = None,
        similarity: str | Similarity | ScoreFunction | None = None,
        precision: str = "full",
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        self._configure(beta, separation, similarity, None, precision, store)
        self._set_split(split)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return {"split": self.split} | self._settings()
