"""Pairs (x, y) in one row (x|y): they are stored together, and each side recalls the other."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_device, check_dim, check_float, check_integer, check_rows
from ..cue import Cue, check_known, unpack_cue
from ..errors import DomainError, OptionError, ShapeError
from ..inputs import Given, Target, mask_from, patterns_from, states_from
from ..iteration import Retrieval
from .arguments import check_keywords, named_arguments
from .base import Memory
from .query import target_of


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PairRetrieval(Retrieval):
    """A `Retrieval` of pairs, with both sides of its state (x|y).

    Attributes:
        x: the retrieved x, `(*batch, dim_x)`; pictures in the shape of the cue.
        y: the retrieved y, `(*batch, dim_y)`; pictures in the shape of the cue.
    """

    x: Tensor
    y: Tensor


class PairedMemory(Memory):
    """A memory of pairs (x, y): `store_pairs(x, y)`, then `recall` from x, from y or from parts.

    A pattern is the row (x|y), of dim_x + dim_y entries, and all other methods of a memory work on
    such rows: `joint` makes them, and `sides` returns their parts.
    """

    split: int | None
    """The number of entries of x; None until the first pairs decide it."""

    _is_split_given: bool

    @named_arguments
    def store_pairs(
        self,
        x: Given,
        y: Given,
        values: Given | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Add pairs with all that they bring: all of them or, on an error, none.

        Args:
            x: `(n, dim_x)`, in every form that `store` takes.
            y: `(n, dim_y)`.
            values: `(n, *)` or n strings, one per pair.
            options: `names`, `prior`, `table` and `unique`, as in `store`.
        """
        _check_options(type(self), "store_pairs", options, Memory.store, ("patterns",))
        with self.storage.lock.writing:
            before = self.split
            try:
                self.store(self._joint_patterns(x, y), values, **options)
            except BaseException:
                self.split = before
                raise

    @named_arguments
    def recall(
        self,
        x: Given | Cue | None = None,
        y: Given | Cue | None = None,
        known_x: Given | None = None,
        known_y: Given | None = None,
        *,
        clamp: bool | None = None,
        **options: Any,
    ) -> PairRetrieval:
        """Recall pairs from x, from y, or from parts of both.

        Args:
            x: `(*batch, dim_x)`, damaged or partial; None if it is unknown.
            y: `(*batch, dim_y)`, damaged or partial; None if it is unknown.
            known_x: bool mask broadcastable to x: only known entries count. A `Cue` has a mask.
            known_y: bool mask broadcastable to y.
            clamp: hold known entries of both sides; by default True if a mask is given.
            options: `steps`, `tol`, `trace`, `values_at` and `generator`, as in `retrieve`.

        A side given without a mask may be damaged, so it changes as well; if it is exact, hold it:
        `known_y=True` in every entry.
        """
        _check_options(type(self), "recall", options, Memory.retrieve, ("cue", "known"))
        with self.storage.lock.reading:
            self._require_patterns()
            if x is None and y is None:
                raise OptionError("recall needs x= or y=, but both are left out.")
            left, right = self.widths
            one = self._side("x", x, known_x, left)
            other = self._side("y", y, known_y, right)
            cue, known = _joint_cue(one, other)
            for name, side in (("x", one), ("y", other)):
                _check_evidence(name, side, self.binary and known is not None)
            if known is not None and clamp is None:
                clamp = one.is_masked or other.is_masked
            result = self.retrieve(cue, known, clamp=clamp, **options)
        sides = self._split_rows(result.state)
        return PairRetrieval(**vars(result), x=one.shaped(sides[0]), y=other.shaped(sides[1]))

    @named_arguments
    def joint(self, x: Given, y: Given) -> Tensor:
        """Return rows (x|y), `(*batch, dim_x + dim_y)`, as `retrieve` and `energy` take them."""
        left, right = self.widths if len(self) else (self.split, None)
        one, other = self._states("x", x, left), self._states("y", y, right)
        batch = _common_batch(one, other)
        return torch.cat([side.expand(*batch, side.shape[-1]) for side in (one, other)], dim=-1)

    @named_arguments
    def sides(self, rows: Given) -> tuple[Tensor, Tensor]:
        """Return x and y of rows (x|y), `(*batch, dim_x)` and `(*batch, dim_y)`, as views."""
        rows = self._states("rows", rows, self.storage.dim if len(self) else None)
        if self.split is not None and rows.shape[-1] <= self.split:
            raise ShapeError(
                f"rows must be rows (x|y) of more than {self.split} entries, those of x, but have "
                f"shape {tuple(rows.shape)}."
            )
        return self._split_rows(rows)

    def _split_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows[..., : self.split], rows[..., self.split :]

    def _states(self, name: str, value: object, width: int | None) -> Tensor:
        # Rows in every form that `recall` takes.
        if isinstance(value, Tensor):
            rows = check_float(name, value)
        elif width is None:
            rows = self._rows(name, value, None)
        else:
            rows = states_from(name, value, self._target(width))[0]
        return rows if width is None else check_dim(name, rows, width)

    @property
    def widths(self) -> tuple[int, int]:
        """Return dim_x and dim_y."""
        self._require_patterns()
        split = self.split or 0
        return split, self.storage.dim - split

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise unless both sides of the rows (x|y) have entries: the default of pairs."""
        check_sides(self, patterns)

    def _set_split(self, split: object) -> None:
        self.split = None if split is None else check_integer("split", split, low=1)
        self._is_split_given = split is not None

    def _joint_patterns(self, x: object, y: object) -> Tensor:
        left, right = self.widths if len(self) else (None, None)
        left = self.split if self._is_split_given else left
        one, other = self._rows("x", x, left), self._rows("y", y, right)
        if len(one) != len(other):
            raise ShapeError(
                f"x and y must have one row per pair, but have {len(one)} and {len(other)} rows."
            )
        check_device("y", other, one.device)
        self.split = one.shape[1]
        return torch.cat([one, other], dim=1)

    def _rows(self, name: str, value: object, width: int | None) -> Tensor:
        if isinstance(value, Tensor):
            rows = check_rows(name, value)
        else:
            rows = patterns_from(value, self._target(width), has_mask=False)[0]
        return rows if width is None else check_dim(name, rows, width)

    def _side(self, name: str, value: object, known: object, width: int) -> "_Side":
        if value is None:
            if known is not None:
                raise OptionError(
                    f"known_{name} must be left out without {name}, all of which is unknown."
                )
            return _Side(torch.zeros(width, dtype=self.storage.dtype, device=self.storage.device))
        mask_name = f"known_{name}"
        given, known = unpack_cue(name, value, known, mask_name)
        if isinstance(given, Tensor):
            rows, shape = check_dim(name, check_float(name, given), width), given.shape
        else:
            rows, shape = states_from(name, given, self._target(width), known is not None)
        if isinstance(known, Tensor) and shape == rows.shape:
            mask = check_known(known, rows, name, mask_name)
        elif known is not None:
            known = mask_from(known, shape, rows.shape, rows.device, mask_name)
            mask = check_known(known, rows, name, mask_name)
        else:
            mask = None
        if mask is None:
            return _Side(rows, torch.ones_like(rows, dtype=torch.bool), shape)
        return _Side(torch.where(mask, rows, 0.0), mask, shape, is_masked=True)

    def _target(self, width: int | None) -> Target:
        target = target_of(self.storage, self.binary)
        return Target(width, target.dtype, target.device, target.signs)


def check_sides(memory: PairedMemory, patterns: Tensor) -> None:
    """Raise unless both sides of the rows (x|y) have entries."""
    if memory.split is None:
        raise OptionError(
            "store needs to know where x ends in rows (x|y). Use store_pairs(x, y), or "
            f"{type(memory).__name__}(split=dim_x)."
        )
    if patterns.shape[-1] <= memory.split:
        raise ShapeError(
            f"patterns must be rows (x|y) of more than {memory.split} entries, those of x, but "
            f"have shape {tuple(patterns.shape)}. Use store_pairs(x, y)."
        )


@dataclass(frozen=True, eq=False)
class _Side:
    # One side of a cue, 0 where unknown; its shape as given. Without a mask it is unknown.
    rows: Tensor
    known: Tensor | None = None
    shape: torch.Size | None = None
    is_masked: bool = False

    def shaped(self, rows: Tensor) -> Tensor:
        # Pictures come back as pictures.
        if self.shape is None or self.shape.numel() != rows.numel():
            return rows
        return rows.reshape(self.shape)


def _check_options(
    kind: type,
    method: str,
    options: Mapping[str, object],
    inner: Callable[..., object],
    left_out: tuple[str, ...],
) -> None:
    # The options go on to the inner method, whose errors would name that one.
    taken = [name for name in inspect.signature(inner).parameters if name not in left_out]
    check_keywords(kind, method, options, taken[1:])


def _check_evidence(name: str, side: "_Side", must_have_signs: bool) -> None:
    # Raise for numbers that are missing but count, with the mask that would say so.
    if side.known is None:
        return
    counted, known = side.rows[side.known], f"known_{name}"
    if not bool(torch.isfinite(counted).all()):
        raise DomainError(
            f"{name} must be finite where it is known, but contains NaN or infinity. If those "
            f"entries are missing, use {known}=torch.isfinite({name})."
        )
    if must_have_signs and bool((counted == 0).any()) and bool((counted.abs() <= 1).all()):
        given = f"{known} & " if side.is_masked else ""
        raise DomainError(
            f"{name} must be −1 or +1 where it is known, but is 0 there. Say that such entries are "
            f"missing: {known}={given}({name} != 0), or convert 0/1 with 2 * {name} - 1."
        )


def _common_batch(one: Tensor, other: Tensor) -> torch.Size:
    try:
        return torch.broadcast_shapes(one.shape[:-1], other.shape[:-1])
    except RuntimeError:
        raise ShapeError(
            "x and y must have the same batch axes, but have shapes "
            f"{tuple(one.shape)} and {tuple(other.shape)}."
        ) from None


def _joint_cue(one: _Side, other: _Side) -> tuple[Tensor, Tensor | None]:
    # Rows (x|y) and their mask, None if every entry of both sides counts.
    batch = _common_batch(one.rows, other.rows)
    rows = [side.rows.expand(*batch, -1) for side in (one, other)]
    dtype = torch.promote_types(one.rows.dtype, other.rows.dtype)
    if one.known is None or other.known is None:  # the cue has the dtype of the side that is given
        dtype = (other if one.known is None else one).rows.dtype
    cue = torch.cat([side.to(dtype) for side in rows], dim=-1)
    if one.known is not None and other.known is not None and not (one.is_masked or other.is_masked):
        return cue, None
    masks = [
        torch.zeros_like(row, dtype=torch.bool) if side.known is None else side.known.expand_as(row)
        for side, row in zip((one, other), rows, strict=True)
    ]
    return cue, torch.cat(masks, dim=-1)
