"""What every separation is: a convex potential F on the scores, its gradient, and its partials."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_float, check_number, traced
from ..errors import ShapeError

Pull = Callable[[Tensor], Tensor]
"""weights `(*batch, n)` → weights @ rows, `(*batch, dim)`."""


@runtime_checkable
class Rows(Protocol):
    """Consecutive patterns, as the readout meets them: where they start, how many, how to pull."""

    @property
    def start(self) -> int:
        """Index of the first row."""

    def __len__(self) -> int:
        """Number of rows."""

    def pull(self, weights: Tensor, at: Tensor | None = None) -> Tensor:
        """weights @ rows[at], of all rows for None."""


FEW_ROWS = 4096
"""Rows that may be gathered, and so copied, to be pulled alone."""


def few_rows(count: int) -> int:
    """How many rows of `count` are so few that gathering them beats reading all."""
    return min(FEW_ROWS, count // 4)


@dataclass(frozen=True, eq=False)
class Readout:
    """What reading a memory at a state gives, one entry per state of the batch.

    Attributes:
        state: Xᵀ∇F(s), `(*batch, dim)`.
        potential: F(s), `(*batch)`.
        index: the strongest pattern, `(*batch)`; the first of those that tie.
        weight: its weight, `(*batch)`.
        entropy: −Σ p log p of the weights in nats, `(*batch)`.
    """

    state: Tensor
    potential: Tensor
    index: Tensor
    weight: Tensor
    entropy: Tensor


class Partial(ABC):
    """What some of the rows say about a batch of states; two of them merge into one."""

    @abstractmethod
    def merge(self, other: "Partial") -> "Partial":
        """The partial of both sets of rows together."""

    @abstractmethod
    def result(self, blocks: Iterable[Rows]) -> Readout:
        """The readout; `blocks` are the rows again, for partials that pull at the end."""


@dataclass(frozen=True, eq=False)
class Separation(ABC):
    """A potential F on the scores s and its gradient ∇F, the weights.

    F is normalised to F(0) = 0, so that energies need no further constant. Parameters are floats
    or tensors broadcastable to the batch of the scores.
    """

    simplex: ClassVar[bool] = True
    """Whether the weights are non-negative and sum to one."""

    def __eq__(self, other: object) -> bool:
        """The same class with the same parameters."""
        if type(other) is not type(self):
            return False
        mine, theirs = ([getattr(x, f.name) for f in fields(self)] for x in (self, other))
        return all(
            torch.equal(torch.as_tensor(a), torch.as_tensor(b))
            for a, b in zip(mine, theirs, strict=True)
        )

    def __hash__(self) -> int:
        """Equal separations are of one class."""
        return hash(type(self))

    @abstractmethod
    def potential(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """F(s)."""

    @abstractmethod
    def __call__(self, scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """∇F(s), the weights."""

    @abstractmethod
    def partial(self, scores: Float[Tensor, "*batch n"], rows: Rows) -> Partial:
        """What these rows contribute to a readout; `scores` may be overwritten."""


def check_parameter(
    name: str,
    value: object,
    low: float,
    high: float = torch.inf,
    way: str = "Choose one in this range.",
) -> float | Tensor:
    """Return `value` if it is a number, or a floating tensor of them, in range."""
    if not isinstance(value, Tensor):
        return check_number(name, value, low=low, high=high, way=way)
    check_float(name, value)
    if traced():
        return value
    inside = (value >= low) & (value <= high)
    if not bool(inside.all()):
        wrong = value[~inside][0].item()
        check_number(f"every entry of {name}", wrong, low=low, high=high, way=way)
    return value


def wide(scores: Tensor) -> Tensor:
    """Scores in the precision sums over them need: float32 at least."""
    check_float("scores", scores)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ShapeError(
            "scores must have shape (*batch, n) with n ≥ 1, one score a pattern, but have shape "
            f"{tuple(scores.shape)}. Score at least one pattern."
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def broadcast(value: "float | Tensor", scores: Tensor) -> Tensor:
    """A parameter as a tensor of the scores' dtype and device, with a trailing axis for n."""
    return torch.as_tensor(value, dtype=scores.dtype, device=scores.device)[..., None]


def sharpness(beta: "float | Tensor", scores: Tensor) -> "float | Tensor":
    """β kept where β·score neither vanishes nor becomes NaN; a tensor with a trailing axis for n.

    At the upper end of this range the formulas agree with β = ∞ to rounding; at the lower with
    β = 0, unless scores are as large as 1/β: see `fine`.
    """
    low, high = _lowest(scores.dtype), torch.finfo(scores.dtype).max
    if isinstance(beta, Tensor):
        return broadcast(beta, scores).clamp(low, high)
    return min(max(beta, low), high)


def fine(scores: Tensor, beta: "float | Tensor") -> Tensor:
    """Scores in float64 where β is too small for float32, in which scores may be as large as 1/β.

    Traced code cannot look at a β that is a tensor, and does without.
    """
    if scores.dtype == torch.float64:
        return scores
    low = _lowest(scores.dtype)
    if isinstance(beta, Tensor):
        return scores if traced() or not bool((beta < low).any()) else scores.double()
    return scores if beta >= low else scores.double()


def _lowest(dtype: torch.dtype) -> float:
    """The least β at which β·score has all digits for scores down to eps."""
    return torch.finfo(dtype).tiny * 2.0**26


def entropy(weights: Tensor) -> Tensor:
    """−Σ p log p over the last axis, in nats."""
    return torch.special.entr(weights).sum(-1) + 0.0  # no −0
