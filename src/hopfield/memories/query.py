"""The arguments of `retrieve`, `update`, `energy` and `remove`, checked once."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..checks import (
    FLOATS,
    check_binary,
    check_choice,
    check_dense,
    check_device,
    check_dim,
    check_finite_norms,
    check_flag,
    check_float,
    dtype_name,
    float_hint,
    has_only_signs,
)
from ..cue import check_cue, unpack_cue
from ..errors import DomainError, InputTypeError, OptionError
from ..inputs import Target, mask_from, pattern_axes, states_from
from ..readout import SHARP
from ..separation import Separation
from ..similarity import Similarity
from ..stores import Store

EVIDENCE = ("known", "all")

Weights = tuple[Similarity, Separation]
"""The similarity and the separation that weigh the patterns."""

SMALL = 2.0**-45
"""Norm of patterns or states below which their products lose digits in float32."""


@dataclass(frozen=True, eq=False)
class Query:
    """A flat batch of cues.

    Attributes:
        state: `(batch, dim)` in the computing precision, 0 where an entry is unknown.
        known: the mask, `(dim,)` if all cues share it, else `(batch, dim)`; None without one.
        clamp: whether known entries are held at the cue.
        evidence: "known" or "all".
        dtype: the dtype of the cue.
        shape: the shape of the cue; of pictures that of the array, not of its rows.
    """

    state: Tensor
    known: Tensor | None
    clamp: bool
    evidence: str
    dtype: torch.dtype
    shape: torch.Size

    @property
    def batch(self) -> torch.Size:
        """Return the batch shape of the cue."""
        dim = self.state.shape[-1]
        if self.shape[-1] == dim:
            return self.shape[:-1]
        return self.shape[: -(pattern_axes(self.shape, dim) or 1)]

    def known_of(self, active: Tensor | None) -> Tensor | None:
        """Return the mask of some of the queries."""
        if self.known is None or self.known.ndim == 1 or active is None:
            return self.known
        return self.known[active]

    def held_of(self, active: Tensor | None) -> Tensor | None:
        """Return which entries of these queries must not change, `(active, dim)`."""
        known = self.known_of(active) if self.clamp else None
        count = len(self.state) if active is None else len(active)
        return None if known is None else known.expand(count, -1)

    @property
    def unread(self) -> Tensor | None:
        """Return which queries have unknown entries, `(batch,)`; None without a mask."""
        return None if self.known is None else ~self.known.all(-1).expand(len(self.state))


def make_query(
    cue: object,
    known: object,
    clamp: object,
    evidence: object,
    store: Store,
    binary: bool,
    weights: Weights | None = None,
) -> Query:
    """Check the arguments of `retrieve`, and return them in the form of the computation."""
    state, mask, shape = _if_fitting(cue, store) if known is None else None, None, None
    if state is None:
        state, mask, shape = _checked_cue(cue, known, store, binary)
    if binary and type(evidence) is str and evidence == "all":
        raise OptionError(
            "evidence must be 'known' in a binary network, where a unit counts as soon as it has "
            "been updated, but is 'all'. Leave out evidence=."
        )
    if type(evidence) is not str or evidence != "known":
        check_choice("evidence", evidence, EVIDENCE[:1] if binary else EVIDENCE)
    if clamp is not None:
        check_flag("clamp", clamp)
    if mask is None and (clamp or evidence == "all"):
        option = "clamp=True" if clamp else "evidence='all'"
        raise OptionError(f"{option} needs a mask: say which entries are known with known=.")
    flat = state.detach().to(computing_dtype(state.dtype, store.dtype)).reshape(-1, store.dim)
    if mask is not None:
        mask = mask.reshape(flat.shape)
        flat = torch.where(mask, flat, 0.0)
    mask = None if mask is None else _shared_mask(mask)
    return Query(
        state=with_enough_range(check_finite_norms("cue", flat), mask, store, weights),
        known=mask,
        clamp=mask is not None and clamp is not False,
        evidence=str(evidence),
        dtype=state.dtype,
        shape=shape or state.shape,
    )


def with_enough_range(
    state: Tensor,
    known: Tensor | None,
    store: Store,
    weights: Weights | None,
) -> Tensor:
    """Return the states in float64 if float32 scores of small numbers would decide wrongly."""
    if weights is None or state.dtype == torch.float64:
        return state
    similarity, separation = weights
    if similarity.degree == 0 or (separation.inverse_width() or 0.0) < SHARP:
        return state
    summary = store.summary()
    squares = summary.mean.square() + summary.std.square()
    stored = squares.sum() if known is None else known.double() @ squares
    sizes = torch.cat([stored.sqrt().reshape(-1), state.detach().double().norm(dim=-1).reshape(-1)])
    return state.double() if bool(((sizes > 0) & (sizes < SMALL)).any()) else state


def target_of(store: Store, signs: bool) -> Target:
    """Return what arrays have to fit beside the patterns of this store."""
    if store.holds_patterns and not len(store):
        return Target(signs=signs)
    return Target(store.dim, store.dtype, store.device, signs)


def _checked_cue(
    cue: object, known: object, store: Store, binary: bool
) -> tuple[Tensor, Tensor | None, torch.Size | None]:
    given, known = unpack_cue("cue", cue, known)
    given, shape = given_state("cue", given, store, binary, known is not None)
    if known is not None and not (isinstance(known, Tensor) and shape is None):
        rows = check_float("cue", given)
        known = mask_from(known, shape or rows.shape, rows.shape, rows.device)
    state, mask = check_cue(given, known)
    check_dim("cue", state, store.dim)
    check_device("cue", state, store.device)
    return state, mask, shape


def given_state(
    name: str, value: object, store: Store, binary: bool, has_mask: bool = False
) -> tuple[Tensor, torch.Size | None]:
    """Return a state as a tensor, and the shape of what was no tensor; None for tensors."""
    if not isinstance(value, Tensor):
        return states_from(name, value, target_of(store, binary), has_mask)
    if value.dtype not in FLOATS:
        tensor = check_dense(name, value)
        axes = pattern_axes(tensor.shape, store.dim) or 1
        if axes > 1 and not (tensor.is_complex() or tensor.is_floating_point()):
            raise InputTypeError(
                f"{name} must be floating point rows of {store.dim} entries, but is "
                f"{dtype_name(tensor)} of shape {tuple(tensor.shape)}."
                f"{float_hint(name, tensor, f'{name}.flatten(-{axes})')}"
            )
    return value, None


def check_state(
    state: object,
    store: Store,
    binary: bool,
    weights: Weights | None = None,
    name: str = "state",
) -> Tensor:
    """Return the argument of `energy` or `update` in the computing precision; differentiable."""
    tensor = _if_fitting(state, store)
    if tensor is None:
        tensor = check_dim(name, check_float(name, state), store.dim)
        check_device(name, tensor, store.device)
    wide = check_finite_norms(name, tensor.to(computing_dtype(tensor.dtype, store.dtype)))
    if binary:
        return check_binary(name, wide, zero=True)
    return with_enough_range(wide, None, store, weights)


def _if_fitting(state: object, store: Store) -> Tensor | None:
    # One look at what most calls bring; further checks say what is wrong with others.
    fits = (
        type(state) is Tensor
        and state.dtype in FLOATS
        and not state.is_nested
        and state.layout is torch.strided
        and state.ndim > 0
        and state.shape[-1] == store.dim
        and state.device == store.device
    )
    return state if fits else None  # type: ignore[return-value]


def check_bounded(name: str, value: Tensor) -> Tensor:
    """Return `value` if its entries lie between −1 and 1."""
    largest = float(value.detach().abs().max()) if value.numel() else 0.0
    if largest > 1:
        raise DomainError(
            f"{name} must lie between −1 and 1 in every entry, but has an entry of size "
            f"{largest:.7g}. Use {name}.clamp(-1, 1), or scale it."
        )
    return value


def check_binary_cue(query: Query) -> bool:
    """Return whether all entries are ±1; raise unless others are 0 where they are not known."""
    if has_only_signs(query.state):
        return True
    check_binary("cue", query.state, zero=True)
    zero = query.state == 0
    if query.known is not None and bool((zero & query.known).any()):
        raise DomainError(
            "cue must be −1 or +1 where it is known, but is 0 there. "
            "Say that such entries are missing: known=known & (cue != 0)."
        )
    ones = query.state == 1
    if query.known is None and bool((zero | ones).all() & ones.any()):
        raise DomainError(
            "cue must be −1 or +1, but every entry is 0 or 1. Convert it with 2 * cue - 1, or, "
            "where 0 means missing, say so: known=cue != 0."
        )
    return False


@cache
def computing_dtype(*dtypes: torch.dtype) -> torch.dtype:
    """Return the precision that results of these dtypes are computed in: float32 at least."""
    widest = torch.float32
    for dtype in dtypes:
        if dtype is not widest:
            widest = torch.promote_types(widest, dtype)
    return widest


def cast_checked(name: str, result: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what was computed for the tensor `name` in its `dtype`, if that can hold it."""
    cast = result if result.dtype == dtype else result.to(dtype)
    # A finite sum has finite terms, and costs less than a look at each.
    if not math.isfinite(cast.sum().item()) and bool(torch.isinf(cast).any()):
        limits = torch.finfo(dtype)
        raise DomainError(
            f"{name} must have a dtype that can hold the result, but {limits.dtype} ends at "
            f"{limits.max:.3g}. Use {name}.to(memory.patterns.dtype), or scale the patterns down."
        )
    return cast


def _shared_mask(known: Tensor) -> Tensor:
    # One row if all cues share the mask: their scores then need one product less.
    return known[0] if len(known) and bool((known == known[0]).all()) else known
