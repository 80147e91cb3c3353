"""Classification by the energy of learned memories (Krotov & Hopfield 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_float, check_integer, check_positive
from ..errors import OptionError, ShapeError
from ..separation import RectifiedPolynomial, Separation
from .input_checks import check_instance, check_matches
from .masks import inner_products
from .scaled_separation import tensors_of

CUBIC = RectifiedPolynomial(3)


class DenseMemoryClassifier(nn.Module):
    """A dense associative memory over inputs and class units, whose patterns are learned.

    With all class units at −1, the logit of class α is the decrease of the energy E = −F(Ξx) when
    unit α turns to +1 (Krotov & Hopfield 2016, eq. 9):

        y_α = scale · (F(s + 2c_α/√N) − F(s)),    s = (ξ·v − Σ_γ c_γ)/√N,    N = dim + classes,

    for memories with inputs ξ and class units c. With growing degree, memories change from
    features shared by many inputs to prototypes of few.

    Args:
        dim: length of an input.
        classes: number of classes.
        memories: number of learned patterns.
        separation: F, usually a `RectifiedPolynomial`.
        scale: factor of the logits; 1/scale is the temperature of the paper's tanh.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        memories: int,
        separation: Separation = CUBIC,
        scale: float = 1.0,
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
        self.memories = nn.Parameter(torch.empty(count, dim))
        self.classes = nn.Parameter(torch.empty(count, classes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the memories from torch's global generator."""
        nn.init.normal_(self.memories, generator=None)
        nn.init.normal_(self.classes, generator=None)

    def forward(self, inputs: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch classes"]:
        """Return the logits, for cross entropy or the paper's tanh."""
        if check_float("inputs", inputs).shape[-1:] != (self.dim,):
            raise ShapeError(
                f"inputs must end in dim={self.dim}, but have shape {tuple(inputs.shape)}. "
                "Flatten images to rows."
            )
        check_matches("inputs", inputs, self.memories)
        root = (self.dim + self.classes.shape[-1]) ** 0.5
        off = (inner_products(inputs, self.memories) - self.classes.sum(-1)) / root
        on = off[..., None, :] + 2 * self.classes.T / root
        decrease = self.separation.potential(on) - self.separation.potential(off)[..., None]
        return (self.scale * decrease).to(self.memories.dtype)

    def extra_repr(self) -> str:
        """Return the formula."""
        count, classes = self.classes.shape
        return (
            f"F(s | class on) − F(s | class off), {self.separation}, dim={self.dim}, "
            f"classes={classes}, memories={count}, scale={self.scale:g}"
        )
