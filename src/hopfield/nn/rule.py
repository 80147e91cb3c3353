"""How scores become weights in a layer: a separation at β = 1, with β apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_choice, check_float, check_positive, say
from ..errors import OptionError, ShapeError
from ..separation import Entmax, Separation, Softmax, Sparsemax
from ..separation.base import at_least_float32, with_score_axis
from ..separation.tsallis import ALPHA_RANGE, tsallis_potential, tsallis_weights

NAMES: dict[str, Callable[[], Separation]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax": Entmax,
}
"""Separations that a name gives, at β = 1/√d."""


@dataclass(frozen=True, eq=False)
class LearnedEntmax:
    """α-entmax at β = 1 for an α that is a function of parameters, and so cannot be looked at."""

    alpha: Tensor

    def __call__(self, scores: Tensor) -> Tensor:
        """∇F(s)."""
        exact = at_least_float32(scores)
        one = exact.new_ones(())
        return tsallis_weights(exact, with_score_axis(self.alpha, exact), one).to(scores.dtype)

    def potential(self, scores: Tensor) -> Tensor:
        """F(s)."""
        exact = at_least_float32(scores).double()
        one, count = exact.new_ones(()), scores.shape[-1]
        value = tsallis_potential(exact, with_score_axis(self.alpha, exact), one, count)
        return value.to(scores.dtype)


@dataclass(frozen=True, eq=False)
class Rule:
    """A separation at β = 1, and β: F_β(s) = F(βs)/β and ∇F_β(s) = ∇F(βs) for each of them.

    Attributes:
        separation: F and ∇F at β = 1.
        beta: broadcastable to the states `(*batch, m)`; None is 1/√d.
    """

    separation: Separation | LearnedEntmax
    beta: float | Tensor | None

    @classmethod
    def of(cls, separation: Separation | None) -> "Rule":
        """The rule of a separation of the core; None is softmax at β = 1/√d."""
        return cls(Softmax(), None) if separation is None else cls(*apart(separation))

    @property
    def dense(self) -> bool:
        """Whether this is softmax, for which torch has a faster way."""
        return isinstance(self.separation, Softmax)

    @property
    def numbers(self) -> dict[str, Tensor]:
        """Those of its numbers that are tensors, by name."""
        named = {**vars(self.separation), "beta": self.beta}
        return {name: number for name, number in named.items() if isinstance(number, Tensor)}

    def with_numbers(self, numbers: dict[str, Tensor]) -> "Rule":
        """The same with other tensors for them."""
        own: dict[str, Any] = {name: value for name, value in numbers.items() if name != "beta"}
        separation = replace(self.separation, **own) if own else self.separation
        return Rule(separation, numbers.get("beta", self.beta))

    def scale(self, state: Tensor) -> float | Tensor:
        """β for states `(*batch, m, dim)`."""
        if isinstance(self.beta, Tensor):
            return self.beta.to(state.dtype)[..., None]
        return state.shape[-1] ** -0.5 if self.beta is None else self.beta


def apart(separation: Separation) -> tuple[Separation, float | Tensor]:
    """The separation at β = 1, and its β."""
    if not isinstance(separation, Separation):
        raise OptionError(
            f"separation must be one of hopfield's, but is {say(separation)}. "
            "Use for instance hopfield.Softmax(0.5)."
        )
    if not separation.simplex:
        raise OptionError(
            "separation must give weights that sum to one, which "
            f"{type(separation).__name__} does not. Use Softmax, Sparsemax, Entmax or TopK, "
            "or a DenseMemoryClassifier."
        )
    if not any(field.name == "beta" for field in fields(separation)):
        return separation, 1.0
    beta: float | Tensor = separation.beta  # type: ignore[attr-defined]
    for number in torch.as_tensor(beta).flatten().tolist():
        check_positive("beta of a layer", number)
    return replace(separation, beta=1.0), beta  # type: ignore[call-arg]


class Number(nn.Module):
    """A number of a formula: fixed, or learned where it is a tensor that requires grad.

    A learned one stays between `low` and `high` by construction: low + exp(raw), or
    low + (high − low)·sigmoid(raw) where `high` is finite.

    Args:
        name: what errors call it.
        value: a number, or a tensor of one entry or one for each head.
        heads: how many.
        low: below it.
        high: above it.
    """

    def __init__(
        self, name: str, value: float | Tensor, heads: int, low: float, high: float
    ) -> None:
        """Find the parameter that gives `value`."""
        super().__init__()
        self.name, self.low, self.high = name, low, high
        self.number: float | None = None if isinstance(value, Tensor) else value
        self.raw: nn.Parameter | None = None
        self.register_buffer("fixed", None)
        if not isinstance(value, Tensor):
            return
        if check_float(name, value).shape not in ((), (1,), (heads,)):
            raise ShapeError(
                f"{name} must be one number, or one for each of the heads={heads}, "
                f"but has shape {tuple(value.shape)}. Use a tensor of shape ({heads},)."
            )
        if value.requires_grad:
            self.raw = nn.Parameter(self._inverse(value.detach()))
        else:
            self.fixed = value.clone()

    def forward(self) -> float | Tensor:
        """The number; as a tensor it broadcasts to `(batch, heads, m)`."""
        if self.number is not None:
            return self.number
        value = self.fixed
        if self.raw is not None:
            value = self.raw.exp() if math.isinf(self.high) else self._span() * self.raw.sigmoid()
            value = self.low + value
        return value[..., None] if value.ndim else value

    def _inverse(self, value: Tensor) -> Tensor:
        if math.isinf(self.high):
            return (value - self.low).log()
        return ((value - self.low) / self._span()).logit(eps=1e-6)

    def _span(self) -> float:
        return self.high - self.low

    def extra_repr(self) -> str:
        """Its value, and whether it is learned."""
        with torch.no_grad():
            values = torch.as_tensor(self()).flatten().tolist()
        shown = ", ".join(f"{v:.4g}" for v in values[:4]) + (", …" if len(values) > 4 else "")
        shown = shown if len(values) == 1 else f"[{shown}]"
        return f"{self.name}={shown}{', learned' if self.raw is not None else ''}"


class Separator(nn.Module):
    """A separation as a module, whose numbers may be parameters.

    Args:
        separation: a name, whose β is 1/√d, or a `Separation`; a tensor that requires grad, as β
            or as α of Entmax, becomes a parameter.
        heads: how many.
    """

    def __init__(self, separation: Separation | str, heads: int) -> None:
        """Take the numbers out of the formula."""
        super().__init__()
        self.beta: Number | None = None
        self.alpha: Number | None = None
        if isinstance(separation, str):
            self.unit = NAMES[check_choice("separation", separation, NAMES)]()
            return
        self.unit, beta = apart(separation)
        self.beta = Number("beta", beta, heads, 0.0, math.inf)
        if isinstance(self.unit, Entmax) and isinstance(self.unit.alpha, Tensor):
            self.alpha = Number("alpha", self.unit.alpha, heads, *ALPHA_RANGE)
            self.unit = Entmax()  # a copy of its α here would be no parameter

    def forward(self) -> Rule:
        """The rule at the present parameters, for scores `(batch, heads, m, n)`."""
        beta = None if self.beta is None else self.beta()
        if self.alpha is None:
            return Rule(self.unit, beta)
        return Rule(LearnedEntmax(torch.as_tensor(self.alpha())), beta)

    def extra_repr(self) -> str:
        """The separation at β = 1."""
        shown = repr(self.unit).replace("beta=1.0", "").replace(", )", ")")
        return shown + (", beta=1/√d" if self.beta is None else "")
