"""Classification by the energy of learned memories (Krotov & Hopfield 2016)."""

import scipy  # its modules are loaded when they are first used
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_float, check_integer, check_positive
from ..errors import OptionError, ShapeError
from ..separation import RectifiedPolynomial, Separation
from ..separation.base import at_least_float32
from .input_checks import check_instance, check_matches
from .masks import inner_products
from .parameters import Device, checked_factory
from .scaled_separation import tensors_of

CUBIC = RectifiedPolynomial(3)

QUANTILES = 4096
"""Least number of scores in an initial deviation: they include those of many inputs."""


class DenseMemoryClassifier(nn.Module):
    """A dense associative memory over inputs and class units, whose patterns are learned.

    A state x = (v, −1, …, −1) holds the input v and the class units. The logit of class α is the
    decrease of the energy E = −F(Ξx) when unit α turns to +1 (Krotov & Hopfield 2016, eq. 9), for
    a state of root mean square r = 1, as states of ±1 have. Other states are divided by theirs:

        y_α = scale · r · (F(s + 2c_α/(r√N)) − F(s)),    s = (ξ·v − Σ_γ c_γ)/(r√N),

    with N = dim + classes, r² = (‖v‖² + classes)/N, and memories of inputs ξ and class units c.
    For powers F, which are homogeneous, r changes no ranking of classes, and the unit of the data
    does not change the size of the logits. With growing degree, memories change from features
    shared by many inputs to prototypes of few.

    The class units c start at 0, so all classes start alike: the first cross entropy is
    log(classes). The memories ξ start from N(0, σ²), σ = `initial_deviation(…)`.

    Args:
        dim: length of an input.
        classes: number of classes.
        memories: number of learned patterns.
        separation: F, usually a `RectifiedPolynomial`.
        scale: factor of the logits; 1/scale is the temperature of the paper's tanh.
        device: device of the memories.
        dtype: dtype of the memories.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        memories: int,
        separation: Separation = CUBIC,
        scale: float = 1.0,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draw the memories from torch's global generator."""
        super().__init__()
        self.dim = check_integer("dim", dim, low=1)
        classes = check_integer("classes", classes, low=2)
        count = check_integer("memories", memories, low=1)
        check_instance("separation", separation, Separation, "hopfield.RectifiedPolynomial(3)")  # type: ignore[type-abstract]
        for name in tensors_of(separation):
            raise OptionError(
                f"separation must hold numbers in a DenseMemoryClassifier, but its {name} is "
                "a tensor, which would not be trained. Give a float: the memories learn its scale."
            )
        self.separation = separation
        self.scale = check_positive("scale", scale)
        factory = checked_factory(device, dtype)
        self.memories = nn.Parameter(torch.empty(count, dim, **factory))
        self.classes = nn.Parameter(torch.empty(count, classes, **factory))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the memories from torch's global generator; class units are 0."""
        count, units = len(self.memories), self.dim + self.classes.shape[-1]
        deviation = initial_deviation(self.separation, count, units, self.scale)
        nn.init.normal_(self.memories, std=deviation, generator=None)
        nn.init.zeros_(self.classes)

    def forward(self, inputs: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch classes"]:
        """Return the logits, for cross entropy or the paper's tanh."""
        if check_float("inputs", inputs).shape[-1:] != (self.dim,):
            raise ShapeError(
                f"inputs must end in dim={self.dim}, but have shape {tuple(inputs.shape)}. "
                "Flatten images to rows."
            )
        check_matches("inputs", inputs, self.memories)
        count = self.classes.shape[-1]
        root = (self.dim + count) ** 0.5
        state = at_least_float32(inputs)
        r = (state.square().sum(-1, keepdim=True) + count).sqrt() / root
        products = inner_products(state / r, at_least_float32(self.memories))
        off = (products - self.classes.sum(-1) / r) / root
        on = off[..., None, :] + 2 * self.classes.T / (root * r[..., None])
        decrease = self.separation.potential(on) - self.separation.potential(off)[..., None]
        return (self.scale * r * decrease).to(self.memories.dtype)

    def extra_repr(self) -> str:
        """Return the formula."""
        count, classes = self.classes.shape
        return (
            f"r·(F(s | class on) − F(s | class off)), {self.separation}, dim={self.dim}, "
            f"classes={classes}, memories={count}, scale={self.scale:g}"
        )


def initial_deviation(separation: Separation, memories: int, units: int, scale: float) -> float:
    """Return the largest σ ≤ 1 at which the logits of memories from N(0, σ²) deviate by at most 1.

    For scores s ~ N(0, σ²), and class units as large as the memories, a logit has to first order
    the variance (2·scale·σ)²/N · Σ_μ (∂F/∂s_μ)². The sum is over quantiles of N(0, σ²).
    """
    points = max(memories, QUANTILES)
    ranks = torch.arange(points, dtype=torch.float64, device="cpu") + 0.5
    scores = torch.special.ndtri(ranks / points)

    def excess(sigma: float) -> float:
        norm = separation(sigma * scores).norm().item() * (memories / points) ** 0.5
        return 2 * scale * sigma * norm / units**0.5 - 1

    if excess(1.0) <= 0:
        return 1.0
    return float(scipy.optimize.brentq(excess, 0.0, 1.0))
