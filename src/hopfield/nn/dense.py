"""Classification by the energy of trained memories (Krotov & Hopfield 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_float, check_integer, check_positive, say
from ..errors import InputTypeError, OptionError, ShapeError
from ..separation import RectifiedPolynomial, Separation
from .fitting import check_like

CUBIC = RectifiedPolynomial(3)


class DenseMemoryClassifier(nn.Module):
    """A dense associative memory whose units are pixels and classes, and whose patterns learn.

    With all class units at −1, the logit of class α is what the energy E = −F(Ξx) falls by when
    unit α turns to +1 (Krotov & Hopfield 2016, eq. 9):

        y_α = scale · (F(s + 2c_α/√N) − F(s)),    s = (ξ·v − Σ_γ c_γ)/√N,    N = dim + classes,

    for memories of pixels ξ and classes c. As the degree grows, memories turn from features, many
    of them in each image, to prototypes, few or one.

    Args:
        dim: length of an input.
        classes: how many.
        memories: how many patterns are learned.
        separation: F, a `RectifiedPolynomial` of the degree wanted; or any other.
        scale: of the logits; 1/scale is the temperature of the paper's tanh.
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
        if not isinstance(separation, Separation):
            raise InputTypeError(
                f"separation must be one of hopfield's, but is {say(separation)}. "
                "Use for instance hopfield.RectifiedPolynomial(3)."
            )
        learned = [name for name, value in vars(separation).items() if isinstance(value, Tensor)]
        if learned:
            raise OptionError(
                f"separation must hold numbers in a DenseMemoryClassifier, but its {learned[0]} is "
                "a tensor, which would not be trained. Give a float; the memories' norms learn it."
            )
        self.separation = separation
        self.scale = check_positive("scale", scale)
        self.memories = nn.Parameter(nn.init.normal_(torch.empty(count, dim), generator=None))
        self.classes = nn.Parameter(nn.init.normal_(torch.empty(count, classes), generator=None))

    def forward(self, inputs: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch classes"]:
        """The logits: apply cross entropy, or the paper's tanh."""
        if check_float("inputs", inputs).shape[-1:] != (self.dim,):
            raise ShapeError(
                f"inputs must end in dim={self.dim}, but have shape {tuple(inputs.shape)}. "
                "Flatten images to rows."
            )
        check_like("inputs", inputs, self.memories)
        size = sum(p.shape[-1] for p in (self.memories, self.classes)) ** 0.5
        off = (inputs @ self.memories.T - self.classes.sum(-1)) / size
        on = off[..., None, :] + 2 * self.classes.T / size
        fall = self.separation.potential(on) - self.separation.potential(off)[..., None]
        return self.scale * fall

    def extra_repr(self) -> str:
        """What is computed."""
        count, classes = self.classes.shape
        return (
            f"F(s | class on) − F(s | class off), {self.separation}, dim={self.dim}, "
            f"classes={classes}, memories={count}, scale={self.scale:g}"
        )
