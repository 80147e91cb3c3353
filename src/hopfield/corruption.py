"""Damage patterns in a controlled way: each function takes patterns and returns a `Cue`.

Patterns have shape `(*batch, dim)`, any floating point dtype and device, and are never changed.
Each row has its own draw from `generator`, the same for every dtype. `generator=None` is a fresh
generator with seed 1. It is not seed 0, from which `synthetic` draws: the same numbers would make
patterns and damage.

**Amount.** For flips, salt and pepper and random occlusion `amount` is the share of a pattern's
entries, between 0 and 1. Exactly `⌊amount · dim + ½⌋` entries of every row are hit. For a number
of entries give `amount=count / dim`.

**Unknown or evidence.** The occlusions return the mask `known`, False where an entry is hidden, and
hold 0 there: such entries add nothing to a score. With `fill=value` hidden entries take that value
and count as evidence like any other, and `known` is None.

**Images.** `shape` is `(height, width)`, `(channels, height, width)` or `(height, width,
channels)`: of three axes the last is the channels if it has at most 4 entries and the first has
more. All channels lose the same part. None, or one number, is a plain vector.

**Errors.** Every function raises InputTypeError or ShapeError unless `patterns` are floating point
rows, DomainError for an `amount` outside its range, ShapeError if `shape` does not hold `dim`
entries.
"""

import math
import sys
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .checks import (
    check_binary,
    check_choice,
    check_generator,
    check_integer,
    check_number,
    check_tensor,
    short_repr,
)
from .cue import Cue
from .errors import DomainError, InputTypeError, ShapeError

Rows: TypeAlias = Float[Tensor, "*batch dim"]
Shape: TypeAlias = tuple[int, ...] | None

SEED = 1
"""Seed of the generator that replaces None."""

SIDES = ("bottom", "top", "left", "right")
CHANNELS = 4
"""Largest number of channels by which a last axis is recognised as channels."""


def flip(patterns: Rows, amount: float, *, generator: torch.Generator | None = None) -> Cue:
    """Change the sign of an exact number of entries: x_i → −x_i.

    Raises:
        DomainError: for entries other than ±1.
    """
    rows = check_binary("patterns", _rows(patterns))
    hit = _choose(rows, _count(amount, rows.shape[-1]), check_generator(generator, SEED))
    return Cue(torch.where(hit, -rows, rows))


def gaussian_noise(
    patterns: Rows, amount: float, *, generator: torch.Generator | None = None
) -> Cue:
    """Add independent normal noise: x_i → x_i + amount · z_i, z_i ~ N(0, 1). Nothing is clipped.

    Args:
        amount: standard deviation of the noise, at least 0, in the units of the patterns.
    """
    rows = _rows(patterns)
    deviation = check_number("amount", amount, low=0.0, high=sys.float_info.max)
    source = check_generator(generator, SEED)
    noise = torch.randn(rows.shape, generator=source, device=source.device, dtype=torch.float64)
    return Cue(rows + (deviation * noise).to(rows.dtype).to(rows.device))


def salt_and_pepper(
    patterns: Rows,
    amount: float,
    *,
    low: float | None = None,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Cue:
    """Set an exact number of entries to `low` or `high`, each with probability ½.

    An entry that already has its extreme stays: of two-valued patterns about half the entries that
    are hit change.

    Args:
        low: the dark extreme. None: −1 if `patterns` hold a negative value, else 0.
        high: the bright extreme, above `low`.

    Raises:
        DomainError: if `low` is not below `high`.
    """
    rows = _rows(patterns)
    if low is None:
        low = -1.0 if bool((rows < 0).any()) else 0.0
    dark, bright = _finite("low", low, rows.dtype), _finite("high", high, rows.dtype)
    if dark >= bright:
        raise DomainError(f"low must be below high, but low={dark:g} and high={bright:g}.")
    source = check_generator(generator, SEED)
    hit = _choose(rows, _count(amount, rows.shape[-1]), source)
    salt = torch.rand(rows.shape, generator=source, device=source.device) < 0.5
    extremes = torch.full_like(rows, dark).masked_fill(salt.to(rows.device), bright)
    return Cue(torch.where(hit, extremes, rows))


def occlude_half(
    patterns: Rows, shape: Shape = None, *, side: str = "bottom", fill: float | None = None
) -> Cue:
    """Hide the half at `side` ("bottom", "top", "left" or "right") of every pattern.

    Of an odd number of lines the middle one stays. Of a plain vector, "bottom" and "right" are the
    second half. All patterns share one mask, expanded without a copy.

    Raises:
        OptionError: if `side` is not one of the four.
        ShapeError: if there is only one line to divide.
    """
    rows = _rows(patterns)
    image = _image(rows.shape[-1], shape)
    check_choice("side", side, SIDES)
    across = side in ("left", "right") or image.is_vector
    size = image.width if across else image.height
    if size < 2:
        raise ShapeError(
            f"a half needs at least 2 {'columns' if across else 'rows'} to divide, but the shape "
            f"is {shape or (1, image.width)}."
        )
    line = torch.arange(size, device=rows.device)
    shown = line < size - size // 2 if side in ("bottom", "right") else line >= size // 2
    plane = (shown if across else shown[:, None]).expand(image.height, image.width)
    return _hide(rows, image.entries(plane), fill)


def occlude_block(
    patterns: Rows,
    amount: float,
    shape: Shape = None,
    *,
    fill: float | None = None,
    generator: torch.Generator | None = None,
) -> Cue:
    """Hide a block at a random place inside every pattern.

    The block has `⌊√amount · height + ½⌋` rows and `⌊√amount · width + ½⌋` columns: the
    proportions of the image, and about the share `amount` of its area. In a plain vector it is a
    run of exactly `⌊amount · dim + ½⌋` entries.
    """
    rows = _rows(patterns)
    image = _image(rows.shape[-1], shape)
    share = _share(amount)
    side = share if image.is_vector else math.sqrt(share)
    height = 1 if image.is_vector else _count(side, image.height)
    source = check_generator(generator, SEED)
    inside = (
        _span(rows, image.height, height, source)[..., :, None]
        & _span(rows, image.width, _count(side, image.width), source)[..., None, :]
    )
    return _hide(rows, ~image.entries(inside), fill)


def occlude_random(
    patterns: Rows,
    amount: float,
    *,
    fill: float | None = None,
    generator: torch.Generator | None = None,
) -> Cue:
    """Hide an exact number of entries at random places of every pattern."""
    rows = _rows(patterns)
    hidden = _choose(rows, _count(amount, rows.shape[-1]), check_generator(generator, SEED))
    return _hide(rows, ~hidden, fill)


class _Image(NamedTuple):
    """Layout of an image in a row: number of channels before and after its height and width."""

    before: int
    height: int
    width: int
    after: int
    is_vector: bool = False

    def entries(self, plane: Bool[Tensor, "*batch height width"]) -> Bool[Tensor, "*batch dim"]:
        """Repeat a mask of pixels for every channel, as a mask of the entries of a row."""
        pixels = plane[..., None, :, :, None]
        return pixels.expand(*plane.shape[:-2], *self[:4]).flatten(-4)


def _image(dim: int, shape: Shape) -> _Image:
    if shape is not None and not isinstance(shape, (tuple, list)):
        raise InputTypeError(
            f"shape must be a tuple such as (height, width), but is {short_repr(shape)}."
        )
    sizes = tuple(check_integer("an entry of shape", size, low=1) for size in shape or ())
    if shape is not None and (not sizes or math.prod(sizes) != dim):
        raise ShapeError(
            f"shape must hold the dim={dim} entries of a pattern, but {sizes} holds "
            f"{math.prod(sizes) if sizes else 0}."
        )
    if len(sizes) < 2:
        return _Image(1, 1, dim, 1, is_vector=True)
    if len(sizes) == 3 and sizes[2] <= CHANNELS < sizes[0]:
        return _Image(1, sizes[0], sizes[1], sizes[2])
    return _Image(math.prod(sizes[:-2]), sizes[-2], sizes[-1], 1)


def _hide(rows: Tensor, known: Tensor, fill: float | None) -> Cue:
    value = 0.0 if fill is None else _finite("fill", fill, rows.dtype)
    state = torch.where(known, rows, torch.tensor(value, dtype=rows.dtype, device=rows.device))
    return Cue(state, known if fill is None else None)


def _choose(rows: Rows, count: int, generator: torch.Generator) -> Bool[Tensor, "*batch dim"]:
    """Choose exactly `count` entries of every row; all sets are equally likely."""
    draws = torch.rand(rows.shape, generator=generator, device=generator.device)
    places = draws.topk(count, dim=-1, sorted=False).indices
    hit = torch.zeros(rows.shape, dtype=torch.bool, device=draws.device)
    return hit.scatter_(-1, places, True).to(rows.device)


def _span(
    rows: Rows, size: int, length: int, generator: torch.Generator
) -> Bool[Tensor, "*batch size"]:
    """Choose `length` neighbours out of `size` at a random place, for every row."""
    places = size - length + 1
    start = torch.randint(places, rows.shape[:-1], generator=generator, device=generator.device)
    start = start.to(rows.device)[..., None]
    line = torch.arange(size, device=rows.device)
    return (line >= start) & (line < start + length)


def _rows(patterns: Tensor) -> Tensor:
    rows = check_tensor("patterns", patterns)
    if rows.ndim == 0 or rows.shape[-1] == 0:
        raise ShapeError(
            f"patterns must have shape (*batch, dim) with dim ≥ 1, but has shape "
            f"{tuple(rows.shape)}."
        )
    return rows


def _share(amount: float) -> float:
    hint = "For a number of entries use count / dim."
    return check_number("amount", amount, low=0.0, high=1.0, hint=hint)


def _count(amount: float, size: int) -> int:
    return math.floor(_share(amount) * size + 0.5)


def _finite(name: str, value: float, dtype: torch.dtype) -> float:
    check_number(name, value, low=-sys.float_info.max, high=sys.float_info.max)
    largest = torch.finfo(dtype).max
    return check_number(name, value, low=-largest, high=largest)
