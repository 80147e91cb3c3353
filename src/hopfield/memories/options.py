"""Options that several memories share."""

import difflib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from numbers import Real

import torch
from jaxtyping import Int
from torch import Tensor

from .. import readout
from ..checks import FLOATS, check_choice, check_flag, short_repr
from ..errors import DeviceError, DomainError, InputTypeError, OptionError
from ..iteration import Outcome, Reading
from ..readout import ValuedBlock
from ..separation import SEPARATIONS, Separation, Softmax
from ..similarity import Similarity
from ..stores import RamStore, Store
from ..stores.block import with_prior

SCHEDULES = ("asynchronous", "synchronous")


def check_trace(trace: object) -> None:
    """Raise unless `trace` is True, False or "states"."""
    if isinstance(trace, str):
        check_choice("trace", trace, ["states"], hint=" Or True, for the energies alone.")
    else:
        check_flag("trace", trace)


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
        text = getattr(separation, "__name__", separation if isinstance(separation, str) else "")
        names = [kind.__name__ for kind in SEPARATIONS.values()]
        lower = {name.lower(): name for name in names}
        near = difflib.get_close_matches(str(text)[:80].lower(), lower, n=1)
        example = lower[near[0]] if near else "Softmax"
        if isinstance(separation, type) and issubclass(separation, Separation):
            example = separation.__name__
        raise InputTypeError(
            f"separation must be one of {', '.join(names)}, or another subclass of Separation, "
            f"with its parameters, but is {short_repr(separation)}. "
            f"Use for instance separation={example}()."
        )
    for name, value in vars(separation).items():
        if isinstance(value, Tensor) and value.ndim:
            raise OptionError(
                f"{name} must be one number for the whole memory, but has shape "
                f"{tuple(value.shape)}. Use a memory for each: queries leave the batch one by one."
            )
    _check_width(separation)
    return separation


def _check_width(separation: Separation) -> None:
    method, name = separation.inverse_width, f"{type(separation).__name__}.inverse_width"
    if not callable(method):
        raise InputTypeError(f"{name} must be a method, but is {short_repr(method)}.")
    width = method()
    if width is not None and (isinstance(width, bool) or not isinstance(width, (Real, Tensor))):
        raise InputTypeError(f"{name} must return a number or None, but returned {width!r:.80}.")


def plain_softmax(separation: Separation) -> Separation:
    """Return a Softmax with β as a plain number: its decisions pass no gradient."""
    beta = separation.softmax_beta()
    return Softmax(float(beta.detach())) if isinstance(beta, Tensor) else separation


def check_degree(
    separation: Separation, count: int, dim: int, dtype: torch.dtype, sums: str
) -> None:
    """Raise if `sums` of powers over `count` patterns could exceed the largest number of a dtype.

    A separation without `degree` has no such limit.
    """
    degree = getattr(separation, "degree", None)
    if degree is None:
        return
    is_double = dtype == torch.float64
    digits = (308 if is_double else 38) - 1 - math.log10(count)
    most = int(digits / math.log10(dim + 2))
    if degree > most:
        raise DomainError(
            f"degree must be at most {most} for {count} patterns of {dim} entries, or {sums} "
            f"exceed {'float64' if is_double else 'float32'}, but is {short_repr(degree)}. "
            f"Use a lower degree, {'or' if is_double else 'float64 patterns, or'} Softmax, which "
            "has no such limit."
        )


def check_store(store: object) -> Store:
    """Return the store of a memory; None makes a `RamStore`."""
    if store is None:
        return RamStore()
    if not isinstance(store, Store):
        raise InputTypeError(
            f"store must be a Store, but is {short_repr(store)}. "
            "Use for instance store=PackedStore()."
        )
    return store


def blocks_of(store: Store, states: int, copied: bool = True) -> Iterable[ValuedBlock]:
    """Return blocks of a size for a batch of states; `copied` where reading copies their rows."""
    size = readout.block_rows(states, copied)
    blocks, prior = store.read_blocks(size), store.prior
    if not isinstance(blocks, list):
        return _Blocks(store, size)
    return blocks if prior is None else list(with_prior(blocks, prior))


class _Blocks:
    """Blocks of a store that yields them once per call of `blocks`."""

    def __init__(self, store: Store, size: int) -> None:
        self._store, self._size = store, size

    def __iter__(self) -> Iterator[ValuedBlock]:
        blocks, prior = self._store.read_blocks(self._size), self._store.prior
        return iter(blocks) if prior is None else with_prior(blocks, prior)


def reads_in_place(store: Store, similarity: Similarity, state: Tensor) -> bool:
    """Return whether scores are products with the rows as they lie in memory, and a bias."""
    plain = store.resident and not store.signs_only and state.dtype == store.dtype
    return plain and not store.has_gaps and similarity.affine is not None


def check_place(name: str, value: object) -> torch.device | None:
    """Return `value` as a device, if this machine has it; None for None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, torch.device)):
        raise InputTypeError(
            f"{name} must be the name of a device, but is {short_repr(value)}. "
            "Use for instance 'cpu'."
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


def float_dtype(value: object) -> torch.dtype | None:
    """Return the dtype of FLOATS that another library's dtype or a name stands for."""
    text = value if isinstance(value, str) else getattr(value, "__name__", None)
    names = {str(dtype).removeprefix("torch."): dtype for dtype in FLOATS}
    return names.get(text.removeprefix("torch.")) if isinstance(text, str) else None


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


def resolve_unknown_units(outcome: Outcome, describe: Callable[[Tensor], Reading]) -> Outcome:
    """Set the units of a binary result that are still unknown to +1.

    Nothing determined their value, so such a query has not converged. `describe` reads these states
    again; the last energy and state of the trace become those of the state returned.
    """
    reading, trace, states = outcome.reading, outcome.trace, outcome.states
    unresolved = reading.next.abs().amin(-1) == 0
    if not bool(unresolved.any()):
        return outcome
    state = torch.where(reading.next == 0, 1.0, reading.next)
    again = Reading(state) if reading.index is None else replace(describe(state), next=state)
    if trace is not None and again.energy is not None:
        trace = torch.cat([trace[:-1], again.energy[None]])
    if states is not None:
        step = torch.arange(len(states), device=states.device)[:, None]
        states = torch.where((step >= outcome.steps)[..., None], state, states)
    converged, period = outcome.converged & ~unresolved, outcome.period
    period = None if period is None else period * ~unresolved
    return Outcome(again, outcome.steps, converged, trace, states, period)
