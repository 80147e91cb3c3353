"""Random patterns for measurements: all functions take a generator and return `(n, dim)` rows.

`n` is the number of patterns, `dim` that of the entries of each. `generator=None` is a fresh
generator with seed 0. Rows lie on the generator's device. The draws are the same for every
`dtype`, up to rounding.

**Errors.** Arguments raise InputTypeError if their type is wrong, DomainError if they lie outside
the range that is documented.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .checks import check_dtype, check_generator, check_integer, check_number
from .errors import DomainError


def random_binary(
    n: int,
    dim: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n dim"]:
    """Independent ±1 entries, P(+1) = ½: overlaps of two rows are 0 ± dim^−½."""
    return biased(n, dim, 0.5, generator=generator, dtype=dtype)


def biased(
    n: int,
    dim: int,
    activity: float,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n dim"]:
    """Independent ±1 entries, P(+1) = a: mean b = 2a − 1, expected overlap of two rows b².

    Amit, Gutfreund & Sompolinsky (1987). `sparse` fixes the number of +1 instead.

    Args:
        activity: a, between 0 and 1.
    """
    shape = _sizes(n=n, dim=dim)
    share = check_number("activity", activity, low=0.0, high=1.0)
    return _signs(shape, share, check_generator(generator)).to(check_dtype("dtype", dtype))


def hierarchical(
    n_parents: int,
    n_children: int,
    dim: int,
    correlation: float,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n dim"]:
    """Families of correlated ±1 patterns: every child is its parent with some signs changed.

    x_i = p_i with probability (1 + c)/2, else −p_i, the parents p being random_binary. Expected
    overlaps: c of a child with its parent, c² of two children of one parent, 0 of two families.
    Parga & Virasoro (1986); Feigelman & Ioffe (1987).

    Args:
        n_parents: number of families.
        n_children: patterns in each.
        correlation: c, between 0 (random patterns) and 1 (copies of the parents).

    Returns:
        `n_parents · n_children` rows, family by family: row k has parent k // n_children. The
        parents are not among them; `correlation=1` with an equal generator gives them.
    """
    families, children, size = _sizes(n_parents=n_parents, n_children=n_children, dim=dim)
    share = check_number("correlation", correlation, low=0.0, high=1.0)
    source = check_generator(generator)
    parents = _signs((families, 1, size), 0.5, source)
    unchanged = _signs((families, children, size), (1 + share) / 2, source)
    return (parents * unchanged).flatten(0, 1).to(check_dtype("dtype", dtype))


def sparse(
    n: int,
    dim: int,
    activity: float,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n dim"]:
    """Rows with exactly k = ⌊activity · dim + ½⌋ entries +1 at random places, the others −1.

    Entries are ±1 because binary networks store nothing else; (x + 1) / 2 gives 0/1. All k-subsets
    are equally likely; the expected overlap of two rows is (1 − 2k/dim)².

    Args:
        activity: share of +1 entries, between 0 and 1. It must make at least one entry +1, or all
            rows would be equal.
    """
    shape = _sizes(n=n, dim=dim)
    share = check_number("activity", activity, low=0.0, high=1.0)
    count = math.floor(share * dim + 0.5)
    if count == 0:
        raise DomainError(
            f"activity must make at least one of dim={dim} entries +1, but is {activity!r}. "
            f"Use at least 1 / dim = {1 / dim:g}."
        )
    source = check_generator(generator)
    draws = torch.rand(shape, generator=source, device=source.device)
    places = draws.topk(count, dim=-1, sorted=False).indices
    rows = torch.full(shape, -1.0, dtype=check_dtype("dtype", dtype), device=source.device)
    return rows.scatter_(-1, places, 1.0)


def unit_sphere(
    n: int,
    dim: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n dim"]:
    """Rows uniform on the unit sphere, ‖x‖ = 1: z / ‖z‖ with normal z; ±1 in one dimension."""
    source, kind = check_generator(generator), check_dtype("dtype", dtype)
    shape = _sizes(n=n, dim=dim)
    rows = torch.randn(shape, generator=source, device=source.device, dtype=torch.float64)
    norm: Tensor = rows.norm(dim=-1, keepdim=True)
    return rows.div(norm).to(kind)


def _signs(shape: tuple[int, ...], share: float, generator: torch.Generator) -> Tensor:
    """Independent ±1 entries with P(+1) = share."""
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return torch.where(draws < share, 1.0, -1.0)


def _sizes(**sizes: int) -> tuple[int, ...]:
    return tuple(check_integer(name, size, low=1) for name, size in sizes.items())
