"""What rounding can change: bounds on how far computed scores and states are from exact ones.

With u = eps/2 of the precision a memory computes in (float32 at least), a sum of N products is off
by at most γ_N ‖x‖‖y‖, γ_k = ku/(1 − ku), in whatever order it is made (Higham 2002, section 3.1).
A score by the dot product or the Euclidean distance, its bias, β and the difference to the largest
included (8 more roundings), is therefore off by at most

    δ(x, x_ν) = ½ γ_{N+8} (‖x‖ + ‖x_ν‖)²,

and a margin by twice that. No rounding of a sum exceeds the smaller of its terms, so that little is
lost where one weight is all but 1: with L the weight of the others and M = max ‖x_μ‖, a computed
update is off by at most

    ρ(L) = u (2c + 16 + n/128) (‖x_μ‖ + LM) + 2 min(nu(‖x_μ‖ + LM), 2L(‖x_μ‖ + M))

for a pattern that is stored c times. Diagnoses are computed in float64; δ for that is added.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..memories import Memory
from .rows import Rows

DECIDES = 0.1
"""β times the rounding to be expected, from which on that may decide where a state ends."""
OWN = torch.finfo(torch.float64)
"""The precision of a diagnosis."""


@dataclass(frozen=True)
class Rounding:
    """Of a memory that computes with unit roundoff u, on n rows of N numbers.

    Attributes:
        unit: u.
        tiny: what underflow can take from a product.
        dim: N.
        count: n.
    """

    unit: float
    tiny: float
    dim: int
    count: int

    @classmethod
    def of(cls, memory: Memory, rows: Rows) -> "Rounding":
        """The precision of a memory."""
        limits = torch.finfo(torch.promote_types(memory.storage.dtype, torch.float32))
        return cls(limits.eps / 2, limits.tiny, rows.dim, rows.count)

    def scores(self, own: Tensor, norms: Tensor) -> Tensor:
        """δ of states and rows of these norms, of the memory's score and the diagnosis' own."""
        share = _gamma(self.dim + 8, self.unit) + _gamma(self.dim + 8, OWN.eps / 2)
        return share / 2 * (own + norms).square() + 2 * self.dim * self.tiny

    def ratios(self, norms: Tensor, spreads: Tensor) -> Tensor:
        """The same for cosine and correlation, where sums are divided by norms."""
        share = 4 * (_gamma(self.dim + 8, self.unit) + _gamma(self.dim + 8, OWN.eps / 2))
        return share * (1 + norms / spreads.clamp_min(OWN.tiny))

    def states(self, own: Tensor, largest: Tensor, lost: Tensor, copies: Tensor) -> Tensor:
        """ρ where others have at most the weight `lost`."""
        size = own + lost * largest
        each = self.unit * (2 * copies + 16 + self.count / 128) * size
        whole = torch.minimum(self.count * self.unit * size, 2 * lost * (own + largest))
        return each + 2 * whole

    def decides(self, slack: Tensor, beta: float) -> Tensor:
        """Whether β times the rounding to be expected, a √N-th of the bound, is no trifle."""
        return min(beta, 1e30) * slack / self.dim**0.5 > DECIDES


def _gamma(terms: int, unit: float) -> float:
    """γ_k = ku/(1 − ku); ∞ where that says nothing."""
    return terms * unit / (1 - terms * unit) if 2 * terms * unit < 1 else float("inf")
