"""The separation of a layer: its β is a factor of the states, and its parameters can be learned."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..checks import check_positive, is_traced
from ..errors import OptionError
from ..separation import Separation, Softmax, separation_named
from .input_checks import check_instance
from .masks import Mask, lowest_score
from .parameters import BoundedParameter


@dataclass(frozen=True, eq=False)
class ScaledSeparation:
    """A separation F at β = 1, and β: together F_β(s) = F(βs)/β, with weights ∇F(βs).

    Attributes:
        unit: F, the separation at β = 1.
        beta: β, broadcastable to the states `(*batch, m)`; None is 1/√d.
        has_beta: False for a separation that cannot be split; then β is 1.
    """

    unit: Separation
    beta: float | Tensor | None
    has_beta: bool = True

    @classmethod
    def of(cls, separation: Separation | None) -> "ScaledSeparation":
        """Split β from a separation whose weights sum to one; None is softmax with β = 1/√d."""
        if separation is None:
            return cls(Softmax(), None)
        check_instance("separation", separation, Separation, "hopfield.Softmax(0.5)")  # type: ignore[type-abstract]
        if not separation.simplex:
            raise OptionError(
                "separation must give weights that sum to one, but "
                f"{type(separation).__name__} does not. Use Softmax, Sparsemax, Entmax, Normmax, "
                "TopK or KSubsets, or a DenseMemoryClassifier."
            )
        unit, beta = separation.split_beta()
        if not isinstance(beta, Tensor):
            check_positive("beta of a layer", beta)
        elif not is_traced():
            for extreme in beta.detach().aminmax():
                check_positive("beta of a layer", extreme.item())
        return cls(unit, beta, has_beta=unit is not separation)

    def mask(self, ignored: Tensor | None, bias: Tensor | None = None) -> Mask | None:
        """Return the mask; raise an error if the separation gives masked patterns a weight."""
        if ignored is None:
            return None
        if not is_traced() and self.unit.score_window(2) is None:
            tensors = list(tensors_of(self.unit).values())
            scores = torch.zeros(*torch.broadcast_shapes(*(t.shape for t in tensors)), 2)
            scores[..., 1] = lowest_score(scores.dtype)
            weights = self.unit(scores.to(tensors[0].device) if tensors else scores)
            if bool(weights[..., 1].any()):
                raise OptionError(
                    f"{type(self.unit).__name__} cannot be used with a mask: it gives weight to "
                    "patterns whose scores are far below all others, as those of masked patterns."
                )
        return Mask.ignoring(ignored, bias)

    def tensors(self) -> list[Tensor]:
        """Return all parameters that are tensors, β last."""
        beta = [self.beta] if isinstance(self.beta, Tensor) else []
        return [*tensors_of(self.unit).values(), *beta]

    def with_tensors(self, tensors: Sequence[Tensor]) -> "ScaledSeparation":
        """Return a copy whose parameters `tensors()` are replaced."""
        unit = replace_tensors(self.unit, dict(zip(tensors_of(self.unit), tensors, strict=False)))
        beta = tensors[-1] if isinstance(self.beta, Tensor) else self.beta
        return replace(self, unit=unit, beta=beta)

    def scale(self, state: Tensor) -> float | Tensor:
        """Return β in a shape that multiplies states `(*batch, m, dim)`."""
        if isinstance(self.beta, Tensor):
            return self.beta.to(state.dtype)[..., None]
        return state.shape[-1] ** -0.5 if self.beta is None else self.beta


def tensors_of(separation: Separation) -> dict[str, Tensor]:
    """Return the parameters of a separation that are tensors, by name."""
    return {name: value for name, value in vars(separation).items() if isinstance(value, Tensor)}


def replace_tensors(separation: Separation, tensors: Mapping[str, Tensor]) -> Separation:
    """Return a copy with other tensors, unchecked: under vmap their values are not known."""
    if not tensors:
        return separation
    replaced = copy.copy(separation)
    for name, value in tensors.items():
        object.__setattr__(replaced, name, value)
    return replaced


class SeparationModule(nn.Module):
    """The separation of a layer as a module, whose tensors become `BoundedParameter`s."""

    def __init__(self, separation: Separation | str, heads: int) -> None:
        super().__init__()
        if isinstance(separation, str):
            unit = separation_named("separation", separation)
            self.scaled = ScaledSeparation(unit, None)  # by name β is 1/√d
        else:
            self.scaled = ScaledSeparation.of(separation)
        unit, beta = self.scaled.unit, self.scaled.beta
        self.beta = None if beta is None else BoundedParameter("beta", beta, heads, 0.0, math.inf)
        self.names = list(tensors_of(unit))
        for name, value in tensors_of(unit).items():
            limits = unit.parameter_range(name)
            self.add_module(name, BoundedParameter(name, value, heads, *limits))
        # Tensors with a graph could not be copied with the module; forward replaces them.
        fixed = [tensor.detach() for tensor in self.scaled.tensors()]
        self.scaled = self.scaled.with_tensors(fixed)

    def forward(self) -> ScaledSeparation:
        """Return the separation with its learned parameters, for scores `(batch, heads, m, n)`."""
        tensors = {name: getattr(self, name)() for name in self.names}
        beta = None if self.beta is None else self.beta()
        unit = replace_tensors(self.scaled.unit, tensors)
        return replace(self.scaled, unit=unit, beta=beta)

    def extra_repr(self) -> str:
        """Return the separation as text, without the parameters that are submodules."""
        unit, modules = self.scaled.unit, ("beta", *self.names)
        shown = (f"{k}={v}" for k, v in vars(unit).items() if k not in modules)
        beta = ", beta=1/√d" if self.beta is None else ""
        return f"{type(unit).__name__}({', '.join(shown)}){beta}"
