"""Damage patterns in a controlled way: each function takes patterns and returns a `Cue`.

Patterns have shape `(*batch, dim)`, any floating point dtype and device, and are never changed.
Each row gets a draw of its own. `generator=None` is a fresh generator with seed 1, so that two
calls without one damage alike; draws are the same for every dtype. Not seed 0, from which
`synthetic` draws: the same numbers would make patterns and damage, and noise be no noise.

**Amount.** For flips, salt and pepper and random occlusion `amount` is the share of a pattern's
entries, between 0 and 1, and exactly `⌊amount · dim + ½⌋` entries of every row are hit (for a
number of entries say `amount=count / dim`).

**Unknown or evidence.** The occlusions return `known`, False where an entry is hidden, and
hold 0 there: such entries add nothing to a score. With `fill=value` hidden entries take that value
and count as evidence like any other (`known` is None): what one gets who paints over a part of an
image and does not say which.
"""

import math

import torch
from torch import Tensor

from .checks import (
    check_binary,
    check_choice,
    check_generator,
    check_integer,
    check_number,
    check_tensor,
    say,
)
from .cue import Cue
from .errors import DomainError, InputTypeError, ShapeError

SEED = 1
"""Of the generator where none is given."""

SIDES = ("bottom", "top", "left", "right")


def flip(patterns: Tensor, amount: float, *, generator: torch.Generator | None = None) -> Cue:
    """Change the sign of an exact number of entries: x_i → −x_i.

    Args:
        patterns: `(*batch, dim)`, entries ±1.
        amount: share of the entries to flip, between 0 and 1.
        generator: source of the draws.

    Raises:
        DomainError: where entries are not ±1, or `amount` is not between 0 and 1.
        InputTypeError, ShapeError: where `patterns` are no floating point rows.
    """
    rows = check_binary("patterns", _rows(patterns))
    hit = _choose(rows, _count(amount, rows.shape[-1]), check_generator(generator, SEED))
    return Cue(torch.where(hit, -rows, rows))


def gaussian_noise(
    patterns: Tensor, amount: float, *, generator: torch.Generator | None = None
) -> Cue:
    """Add independent normal noise: x_i → x_i + amount · z_i, z_i ~ N(0, 1). Nothing is clipped.

    Args:
        patterns: `(*batch, dim)`.
        amount: standard deviation of the noise, at least 0, in the units of the patterns.
        generator: source of the draws.

    Raises:
        DomainError: where `amount` is negative or not finite.
        InputTypeError, ShapeError: where `patterns` are no floating point rows.
    """
    rows = _rows(patterns)
    deviation = _finite("amount", amount)
    if deviation < 0:
        raise DomainError(
            f"amount must be a standard deviation of at least 0, but is {amount!r}. "
            f"Use {-deviation:g}: noise has no sign."
        )
    source = check_generator(generator, SEED)
    noise = torch.randn(rows.shape, generator=source, device=source.device, dtype=torch.float64)
    return Cue(rows + (deviation * noise).to(rows.dtype).to(rows.device))


def salt_and_pepper(
    patterns: Tensor,
    amount: float,
    *,
    low: float | None = None,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Cue:
    """Set an exact number of entries to `low` or `high`, each with probability ½.

    An entry that held its extreme already stays as it is: about half as many change as are hit
    where the patterns are two-valued.

    Args:
        patterns: `(*batch, dim)`.
        amount: share of the entries to hit, between 0 and 1.
        low: the dark extreme. None: −1 where `patterns` hold a negative value, else 0.
        high: the bright extreme, above `low`.
        generator: source of the draws.

    Raises:
        DomainError: where `amount` is not between 0 and 1, or `low` not below `high`.
        InputTypeError, ShapeError: where `patterns` are no floating point rows.
    """
    rows = _rows(patterns)
    if low is None:
        low = -1.0 if bool((rows < 0).any()) else 0.0
    dark, bright = _finite("low", low), _finite("high", high)
    if dark >= bright:
        raise DomainError(
            f"low must be below high, but low={dark:g} and high={bright:g}. Swap them."
        )
    source = check_generator(generator, SEED)
    hit = _choose(rows, _count(amount, rows.shape[-1]), source)
    salt = torch.rand(rows.shape, generator=source, device=source.device) < 0.5
    extremes = torch.full_like(rows, dark).masked_fill(salt.to(rows.device), bright)
    return Cue(torch.where(hit, extremes, rows))


def occlude_half(
    patterns: Tensor,
    shape: tuple[int, ...] | None = None,
    *,
    side: str = "bottom",
    fill: float | None = None,
) -> Cue:
    """Hide one half of every pattern. Of an odd number of lines the middle one stays.

    Args:
        patterns: `(*batch, dim)`.
        shape: `(height, width)` of the images in `patterns`; axes before these two (channels) lose
            the same part. None, or one number: a plain vector, of which "bottom" and "right" are
            the second half.
        side: which half is hidden: "bottom", "top", "left" or "right".
        fill: None makes the hidden entries unknown; a number is put there as evidence.

    Returns:
        A cue with one mask for all patterns, expanded without a copy.

    Raises:
        OptionError: where `side` is none of the four.
        ShapeError: where `shape` does not hold `dim` entries, or there is nothing to halve.
    """
    rows = _rows(patterns)
    height, width = _image(rows, shape)
    check_choice("side", side, SIDES)
    across = side in ("left", "right") or len(shape or ()) < 2
    size = width if across else height
    if size < 2:
        raise ShapeError(
            f"a half needs at least 2 {'columns' if across else 'rows'} to divide, but an image of "
            f"shape ({height}, {width}) has 1. Use another side, or occlude_random."
        )
    line = torch.arange(size, device=rows.device)
    shown = line < size - size // 2 if side in ("bottom", "right") else line >= size // 2
    known = (shown if across else shown[:, None]).expand(height, width).reshape(-1)
    return _hide(rows, known.repeat(rows.shape[-1] // len(known)), fill)


def occlude_block(
    patterns: Tensor,
    amount: float,
    shape: tuple[int, ...] | None = None,
    *,
    fill: float | None = None,
    generator: torch.Generator | None = None,
) -> Cue:
    """Hide a block at a random place inside every pattern.

    The block has `⌊√amount · height + ½⌋` rows and `⌊√amount · width + ½⌋` columns: the
    proportions of the image, and about the share `amount` of its area. Of a plain vector it is a
    run of exactly `⌊amount · dim + ½⌋` entries.

    Args:
        patterns: `(*batch, dim)`.
        amount: share of the area to hide, between 0 and 1.
        shape: as for `occlude_half`.
        fill: None makes the hidden entries unknown; a number is put there as evidence.
        generator: source of the draws.

    Raises:
        DomainError: where `amount` is not between 0 and 1.
        ShapeError: where `shape` does not hold `dim` entries.
    """
    rows = _rows(patterns)
    height, width = _image(rows, shape)
    vector = len(shape or ()) < 2
    side = amount if vector else math.sqrt(_share(amount))
    tall, wide = 1 if vector else _count(side, height), _count(side, width)
    source = check_generator(generator, SEED)
    inside = (
        _span(rows, height, tall, source)[..., :, None]
        & (_span(rows, width, wide, source)[..., None, :])
    )
    inside = inside.flatten(-2)
    copies = rows.shape[-1] // inside.shape[-1]
    return _hide(rows, ~inside.repeat(*(1,) * (inside.ndim - 1), copies), fill)


def occlude_random(
    patterns: Tensor,
    amount: float,
    *,
    fill: float | None = None,
    generator: torch.Generator | None = None,
) -> Cue:
    """Hide an exact number of entries at random places of every pattern.

    Args:
        patterns: `(*batch, dim)`.
        amount: share of the entries to hide, between 0 and 1.
        fill: None makes the hidden entries unknown; a number is put there as evidence.
        generator: source of the draws.

    Raises:
        DomainError: where `amount` is not between 0 and 1.
        InputTypeError, ShapeError: where `patterns` are no floating point rows.
    """
    rows = _rows(patterns)
    hidden = _choose(rows, _count(amount, rows.shape[-1]), check_generator(generator, SEED))
    return _hide(rows, ~hidden, fill)


def _hide(rows: Tensor, known: Tensor, fill: float | None) -> Cue:
    """The cue that shows `rows` where `known`: 0 and unknown elsewhere, or `fill` as evidence."""
    value = 0.0 if fill is None else _finite("fill", fill)
    state = torch.where(known, rows, torch.tensor(value, dtype=rows.dtype, device=rows.device))
    return Cue(state, known if fill is None else None)


def _choose(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """A mask shaped like `rows` with exactly `count` entries True in every row, all sets equal."""
    draws = torch.rand(rows.shape, generator=generator, device=generator.device)
    places = draws.topk(count, dim=-1, sorted=False).indices
    hit = torch.zeros(rows.shape, dtype=torch.bool, device=draws.device)
    return hit.scatter_(-1, places, True).to(rows.device)


def _span(rows: Tensor, size: int, length: int, generator: torch.Generator) -> Tensor:
    """A mask `(*batch, size)`, True on a run of `length` at a random place for every row."""
    batch = rows.shape[:-1]
    places = size - length + 1
    start = torch.randint(places, batch, generator=generator, device=generator.device)
    line = torch.arange(size, device=rows.device)
    start = start.to(rows.device)[..., None]
    return (line >= start) & (line < start + length)


def _rows(patterns: Tensor) -> Tensor:
    """Return `patterns` if it is a finite floating point tensor `(*batch, dim)`, dim ≥ 1."""
    rows = check_tensor("patterns", patterns)
    if rows.ndim == 0 or rows.shape[-1] == 0:
        raise ShapeError(
            f"patterns must have shape (*batch, dim) with dim ≥ 1, but has shape "
            f"{tuple(rows.shape)}. Patterns are rows."
        )
    return rows


def _image(rows: Tensor, shape: tuple[int, ...] | None) -> tuple[int, int]:
    """Height and width of the images in `rows`; a plain vector is an image of height 1."""
    dim = rows.shape[-1]
    if shape is None:
        return 1, dim
    if not isinstance(shape, (tuple, list)):
        raise InputTypeError(
            f"shape must be a tuple, but is {say(shape)}. Give (height, width), as in (8, 8)."
        )
    sizes = [check_integer("an entry of shape", size, low=1) for size in shape]
    if not sizes or math.prod(sizes) != dim:
        raise ShapeError(
            f"shape must hold the dim={dim} entries of a pattern, but {tuple(shape)} holds "
            f"{math.prod(sizes) if sizes else 0}. Give (height, width), or leave shape out."
        )
    return (sizes[-2] if len(sizes) > 1 else 1), sizes[-1]


def _share(amount: float) -> float:
    """Return `amount` if it is a share between 0 and 1."""
    share = _finite("amount", amount)
    if not 0 <= share <= 1:
        raise DomainError(
            f"amount must be a share of the entries, between 0 and 1, but is {amount!r}. "
            "For a number of entries use count / dim."
        )
    return share


def _count(amount: float, size: int) -> int:
    """The share `amount` of `size` entries as a whole number, halves rounded up."""
    return math.floor(_share(amount) * size + 0.5)


def _finite(name: str, value: float) -> float:
    """Return `value` if it is a finite number."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DomainError(f"{name} must be finite, but is {value!r}. Give an ordinary number.")
    return check_number(name, value)
