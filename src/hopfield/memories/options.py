"""Options that several memories share."""

import difflib
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import check_choice, short_repr
from ..errors import DeviceError, DomainError, InputTypeError, OptionError
from ..iteration import Reading, Retrieval
from ..separation import SEPARATIONS, Separation, Softmax

SCHEDULES = ("asynchronous", "synchronous")


def scalar_separation(beta: object, separation: object) -> Separation:
    """The separation that `beta=` or `separation=` means; its parameters must be single numbers."""
    if beta is not None and separation is not None:
        raise OptionError(
            "beta= and separation= must not both be given: beta= is shorthand for "
            "separation=Softmax(beta). Leave one of them out."
        )
    if isinstance(beta, Separation):
        raise InputTypeError(
            f"beta must be a number, but is {short_repr(beta)}, which is a separation. "
            f"Give it by name: separation={type(beta).__name__}(…)."
        )
    if separation is None:
        separation = Softmax(1.0 if beta is None else beta)  # type: ignore[arg-type]
    if not isinstance(separation, Separation):
        text = getattr(separation, "__name__", separation)
        names = [kind.__name__ for kind in SEPARATIONS.values()]
        lower = {name.lower(): name for name in names}
        near = difflib.get_close_matches(str(text)[:80].lower(), lower, n=1)
        example = lower[near[0]] if near else "Softmax"
        raise InputTypeError(
            f"separation must be one of {', '.join(names)}, with its parameters, but is "
            f"{short_repr(separation)}. Use for instance separation={example}()."
        )
    for name, value in vars(separation).items():
        if isinstance(value, Tensor) and value.ndim:
            raise OptionError(
                f"{name} must be one number for the whole memory, but has shape "
                f"{tuple(value.shape)}. Use a memory for each: queries leave the batch one by one."
            )
    return separation


def plain_softmax(separation: Separation) -> Separation:
    """Return a Softmax with β as a plain number: its decisions pass no gradient."""
    beta = separation.softmax_beta()
    return Softmax(float(beta.detach())) if isinstance(beta, Tensor) else separation


def check_place(name: str, value: object) -> torch.device | None:
    """Return `value` as a device, if this machine has it; None for None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, torch.device)):
        raise InputTypeError(
            f"{name} must be the name of a device, "
            f"but is {short_repr(value)}. Use for instance 'cpu'."
        )
    shown = short_repr(str(value)) if isinstance(value, torch.device) else short_repr(value)
    try:
        place = torch.empty(0, device=value).device
    except (RuntimeError, AssertionError, OverflowError, TypeError, ValueError):
        raise DeviceError(
            f"{name} must be one that this machine has, but is {shown}. Use for instance 'cpu'."
        ) from None
    if place.type == "meta":
        raise DeviceError(
            f"{name} must hold numbers, but is {shown}, where tensors have none. "
            "Use for instance 'cpu'."
        )
    return place


def check_convertible(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `value` as `dtype` if that can hold it."""
    converted = value.to(dtype)
    if not bool(torch.isfinite(converted).all()):
        raise DomainError(
            f"{name} must fit into {str(dtype).removeprefix('torch.')}, whose largest number is "
            f"{torch.finfo(dtype).max:.3g}, but the largest entry is "
            f"{value.abs().max().item():.3g}. Scale {name} down before."
        )
    return converted


def sweep_order(
    schedule: str, held: Tensor | None, dim: int, generator: torch.Generator
) -> Int[Tensor, " visits"] | None:
    """The order in which one sweep visits the units: random, the same for the whole batch.

    It is walked by the CPU, wherever the generator and the states are.
    """
    check_choice("schedule", schedule, SCHEDULES)
    if schedule == "synchronous":
        return None
    order = torch.randperm(dim, generator=generator, device=generator.device).cpu()
    return order if held is None else order[~held.all(0).cpu()[order]]


def decided(found: Retrieval, describe: Callable[[Tensor], Reading]) -> Retrieval:
    """A binary result whose units are all ±1: one that is still unknown becomes +1.

    Nothing spoke for either value, so such a query is not converged. `describe` says all of those
    states anew; the last energy of their trace becomes that of the state returned.
    """
    undecided = found.state.abs().amin(-1) == 0
    if not bool(undecided.any()):
        return found
    state = torch.where(found.state == 0, 1.0, found.state)
    again = describe(state[undecided])

    def put(old: Tensor, new: Tensor | None) -> Tensor:
        if new is None:
            return old
        changed = old.clone()
        changed[undecided] = new
        return changed

    trace = found.trace
    if trace is not None:
        trace = torch.cat([trace[:-1], put(trace[-1], again.energy)[None]])
    return replace(
        found,
        state=state,
        converged=found.converged & ~undecided,
        energy=put(found.energy, again.energy),
        index=put(found.index, again.index),
        weight=put(found.weight, again.weight),
        entropy=None if found.entropy is None else put(found.entropy, again.entropy),
        trace=trace,
    )
