"""The value of a unit from its field, with and without temperature."""

import torch
from jaxtyping import Float
from torch import Tensor


def sign_or_keep(
    field: Float[Tensor, "*batch"], present: Float[Tensor, "*batch"], slack: float | Tensor = 0.0
) -> Float[Tensor, "*batch"]:
    """Return sign(field), or the present value where |field| ≤ slack, a tie."""
    return torch.where(field.abs() <= slack, present, field.sign())


def glauber(
    field: Float[Tensor, "*batch"], cut: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return +1 where the field exceeds `thermal_cut`, else −1."""
    return torch.where(field > cut, 1.0, -1.0).to(field.dtype)


def uniform_noise(
    state: Float[Tensor, "batch dim"], generator: torch.Generator
) -> Float[Tensor, "batch dim"]:
    """Return a uniform random number in [0, 1) per unit, in float64, on the state's device."""
    noise = torch.rand(
        state.shape, generator=generator, dtype=torch.float64, device=generator.device
    )
    return noise.to(state.device)


def thermal_cut(temperature: float, noise: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """½T log(u/(1 − u)): a field h exceeds it with probability sigmoid(2h/T) (Glauber 1963).

    Args:
        temperature: T > 0.
        noise: u, uniform in [0, 1). In float64, or rounding decides at low temperature.
    """
    return temperature / 2 * torch.logit(noise)
