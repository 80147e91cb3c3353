"""Which similarity, separation and β suit one's own patterns and the damage they are to bear."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import reduce
from numbers import Integral, Real

import numpy
import torch
from torch import Tensor

from ..checks import (
    check_choice,
    check_generator,
    check_integer,
    check_norms,
    check_number,
    check_patterns,
    short_repr,
)
from ..cue import Cue
from ..errors import HopfieldError, InputTypeError, OptionError, ShapeError
from ..metrics import recalled
from ..separation import SEPARATIONS
from ..similarity import SIMILARITIES
from .tuning_result import Point, Tuning, best_of, filled
from .tuning_sweep import TUNED, Batch, Kept, kept, weights

__all__ = ["Point", "Tuning", "tune"]

POINTS = 20
"""β tried of each similarity and separation."""
MOST_POINTS = 10_000
LARGEST = 1e30
"""The largest β, times which scores are still finite."""
LOWEST, HIGHEST = 0.5, 2000.0
"""First and last of them, over the median lead of the right pattern."""
SIMILAR = ("euclidean", "dot", "cosine")
LEAST_LEAD = 1e-30
Names = tuple[Sequence[str], Sequence[str]]
"""Similarities and separations."""
Grid = int | tuple[float, ...]
"""How many β to try, or which."""
FIRST = 48
"""Cues by which similarity and separation are chosen."""
FINAL = 96
"""Cues by which the last few β are compared, where the dynamics goes on."""


def tune(
    patterns: Tensor,
    corrupt: Callable[..., Cue],
    amount: float,
    *,
    similarities: Iterable[str] = SIMILAR,
    separations: Iterable[str] = ("softmax",),
    betas: "Iterable[float] | Tensor | int" = POINTS,
    cues: int = 512,
    generator: torch.Generator | None = None,
) -> Tuning:
    """Choose similarity, separation and β for these patterns and the damage they are to bear.

    The scores of a batch of damaged patterns are computed once for each similarity, and every β is
    read from them; some cues tell which similarity and separation to look at with all. A setting
    is right about a cue where the right pattern gets more than half of the weight, at the cue and
    (without a mask, where the dynamics goes on) at the pattern itself. Of the settings no worse
    than the best by more than the standard error of their difference, the one that gives the right
    patterns most weight is chosen; without a mask the smallest β among them, and the one below,
    are retrieved by as well, and the best of the three is chosen. What is tuned is a
    `ModernHopfield`, for ±1 patterns too.

    Args:
        patterns: `(n, dim)`, what is to be stored.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        amount: the damage to expect.
        similarities: those to try, the preferred first; also "correlation" and "manhattan".
        separations: "softmax", "sparsemax" and "entmax" (α = 1.5).
        betas: those to try, or how many.
        cues: damaged patterns: half of them to choose by, the others held back to say how good the
            choice is.
        generator: source of all draws; None is a fresh one, seed 0.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: for an argument that is none of these.
    """
    rows = _checked(patterns, corrupt)
    likes = _names("similarities", similarities, tuple(SIMILARITIES))
    kinds = _names("separations", separations, TUNED)
    grid = _tried(betas)
    number = check_integer("cues", cues, low=4) // 2
    source = check_generator(generator)
    drawn = _damaged(rows, corrupt, amount, 2 * number, source)
    batch, fresh = drawn.at(slice(number)), drawn.at(slice(number, None))
    points = _curve(rows, batch, (likes, kinds), grid)
    similarity, kind = points[0].setting
    memory = filled(rows, similarity, SEPARATIONS[kind](beta=1.0))

    def back(beta: float, asked: Batch) -> float:
        """The share of the cues that comes back in the memory itself."""
        memory.separation = SEPARATIONS[kind](beta=beta)
        return recalled(asked.rows, memory.retrieve(asked.cue).state).sum().item() / len(asked)

    likely = _likely(points)
    if len(likely) > 1 and batch.known is None:
        final = batch.at(slice(FINAL))
        likely = [max(likely, key=lambda beta: back(beta, final))]
    share = back(likely[0], fresh)
    held = share, _error(share, share, number), number
    return Tuning(rows, similarity, SEPARATIONS[kind](beta=likely[0]), tuple(points), held)


def _checked(patterns: Tensor, corrupt: object) -> Tensor:
    """The patterns, if they and `corrupt` are what they must be."""
    rows = check_norms("patterns", check_patterns("patterns", patterns)).detach()
    if len(rows) < 2:
        raise ShapeError(
            f"patterns must be at least two, to be told apart, but have shape {tuple(rows.shape)}. "
            "Give all that are to be stored."
        )
    if not callable(corrupt):
        raise InputTypeError(
            f"corrupt must be a function such as corruption.flip, but is {short_repr(corrupt)}. "
            "Use for instance corruption.gaussian_noise."
        )
    return rows


def _check_takes(corrupt: Callable[..., Cue], rows: Tensor, error: TypeError) -> None:
    """Raise unless `corrupt`, which failed, can be called as it was."""
    if isinstance(error, HopfieldError):
        return
    try:
        inspect.signature(corrupt).bind(rows, 0.0, generator=None)
    except TypeError:
        name = getattr(corrupt, "__name__", "corrupt")
        raise InputTypeError(
            "corrupt must take patterns, an amount and generator=, but is "
            f"{short_repr(name)}, which does not. Use lambda patterns, amount, generator: "
            f"{name}(patterns, …)."
        ) from None
    except ValueError:
        pass  # written in C, it does not say what it takes


def _damaged(
    rows: Tensor, corrupt: Callable[..., Cue], amount: float, number: int, source: torch.Generator
) -> Batch:
    """Some of the patterns, each as often as the others, damaged."""
    order = [
        torch.randperm(len(rows), generator=source, device=source.device)
        for _ in range(math.ceil(number / len(rows)))
    ]
    places = torch.cat(order)[:number].to(rows.device)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))
    asked = rows[places]
    draws = torch.Generator(source.device).manual_seed(seed)
    try:
        cue = corrupt(asked, amount, generator=draws)
    except TypeError as error:
        _check_takes(corrupt, asked, error)
        raise
    if not isinstance(cue, Cue):
        raise InputTypeError(
            f"corrupt must return a Cue, but returned {short_repr(cue)}. Use Cue(state)."
        )
    if cue.shape != asked.shape:
        raise ShapeError(
            f"corrupt must return cues of shape {tuple(asked.shape)} like the patterns it was "
            f"given, but returned {tuple(cue.shape)}. Give each pattern its cue."
        )
    return Batch(places, asked, cue.state, cue.known)


@torch.inference_mode()
def _curve(rows: Tensor, batch: Batch, names: Names, grid: Grid) -> list[Point]:
    """All settings by some cues, the best similarity and separation by all of them."""
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    likes, kinds = names
    several = len(likes) * len(kinds) > 1
    scores = _read(wide, batch.at(slice(FIRST)) if several else batch, likes)
    betas = _betas(scores[0], grid)
    points = _points(scores, betas, names)
    if not several:
        return points
    # The first named, unless another is better by more than chance makes it.
    best = [best_of(points, (like, kind)) for like in likes for kind in kinds]
    leading = min(each.behind[0] for each in best)
    like, kind = next(x.setting for x in best if x.behind[0] <= leading + x.behind[1])
    others = [point for point in points if point.setting != (like, kind)]
    place, left = likes.index(like), batch.at(slice(FIRST, None))
    more = _read(wide, left, (like,)) if len(left) else []
    scores = [each.with_more(more[i : i + 1], place) for i, each in enumerate(scores)]
    return [*_points(scores, betas[place, None], ((like,), (kind,))), *others]


def _read(rows: Tensor, batch: Batch, likes: Sequence[str]) -> list[Kept]:
    """The scores at the cues and, without a mask, at the patterns: there it must also stay."""
    asked = [batch, batch.homes()] if batch.known is None else [batch]
    return [kept(rows, each, likes) for each in asked]


def _points(scores: Sequence[Kept], betas: Tensor, names: Names) -> list[Point]:
    """Settings on the same cues."""
    likes, kinds = names
    found = [
        reduce(torch.minimum, [weights(each, betas, kind) for each in scores]) for kind in kinds
    ]
    shares = torch.stack(found, 1).flatten(0, 2)
    weight = shares.mean(-1, dtype=torch.float64).tolist()
    right = shares > 0.5
    counts = right.sum(-1).tolist()
    best = max(range(len(counts)), key=lambda place: (counts[place], weight[place]))
    others = (right != right[best]).sum(-1).tolist()
    lines = zip(likes, betas.tolist(), strict=True)
    settings = [((like, kind), beta) for like, line in lines for kind in kinds for beta in line]
    points, cues = [], right.shape[-1]
    for (setting, beta), count, other, mean in zip(settings, counts, others, weight, strict=True):
        share, behind = count / cues, (counts[best] - count) / cues
        errors = _error(share, share, cues), _error(behind, other / cues, cues)
        beta = float(f"{beta:.6g}")
        points.append(Point(setting, beta, share, errors[0], mean, (behind, errors[1])))
    return points


def _likely(points: Sequence[Point]) -> list[float]:
    """The β of most weight among those no worse than the best, the least of these, one below it.

    At the least of them the dynamics may go on to weigh what the first read leaves tied.
    """
    full = [point for point in points if point.setting == points[0].setting]
    good = [point for point in full if point.behind[0] <= point.behind[1]]
    most = max(point.weight for point in good)
    # ±1 patterns count as recalled when every entry is exact: so no slack but rounding.
    sharp = min(point.beta for point in good if point.weight >= most - 1e-9)
    least = min(point.beta for point in good)
    below = [point.beta for point in full if point.beta < least]
    return list(dict.fromkeys([sharp, least, *below[-1:]]))


def _betas(scores: Kept, grid: Grid) -> Tensor:
    """The β to try of each similarity: those given, or some between limits that the scores set."""
    if not isinstance(grid, int):
        return scores.own.new_tensor(grid).expand(len(scores.own), -1)
    leads = scores.lead.abs()
    leads = torch.where((leads > 0) & leads.isfinite(), leads, torch.nan).nanmedian(-1).values
    lines = []
    for lead in leads.tolist():
        typical = 1.0 if math.isnan(lead) else max(lead, LEAST_LEAD)
        low, high = math.log10(LOWEST / typical), math.log10(HIGHEST / typical)
        step = (high - low) / (grid - 1)
        lines.append([float(f"{10 ** (low + i * step):.3g}") for i in range(grid)])
    return scores.own.new_tensor(lines)


def _error(mean: float, squares: float, count: int) -> float:
    """Standard error of a mean, given the mean of the squares too."""
    return math.sqrt(max(0.0, squares - mean**2) / (count - 1))


def _names(argument: str, given: object, valid: tuple[str, ...]) -> tuple[str, ...]:
    """Several names, each of them valid, none twice."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        one = given if given in valid else valid[0]
        raise InputTypeError(
            f"{argument} must be a list of names, "
            f"but is {short_repr(given)}. Use {argument}=[{one!r}]."
        )
    if isinstance(given, Set):
        raise InputTypeError(
            f"{argument} must have an order, since the first named wins where two are as good, but "
            f"is {short_repr(given)}. Use sorted({argument})."
        )
    names = tuple(str(check_choice(f"an entry of {argument}", each, valid)) for each in given)
    if not names:
        raise InputTypeError(
            f"{argument} must name at least one, but is empty. Use {argument}=[{valid[0]!r}]."
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(
            f"{argument} must not name one twice, but has {twice!r} {names.count(twice)} times. "
            "Leave out the others."
        )
    return names


def _tried(given: object) -> Grid:
    """How many β to try, or which, rising."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        return check_integer("betas", given, low=2, high=MOST_POINTS)
    if isinstance(given, (Tensor, numpy.ndarray)) and given.ndim == 1:
        given = given.tolist()
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
        way = "betas=[1.0, 8.0, 64.0], or betas=20"
        if isinstance(given, Real) and not isinstance(given, bool):
            way = f"betas=[{float(given)!r}]"
        raise InputTypeError(
            f"betas must be numbers, or how many to try, but is {short_repr(given)}. Use {way}."
        )
    if getattr(given, "ndim", 1) != 1:
        raise ShapeError(
            f"betas must be one row of numbers, but have shape {tuple(given.shape)}. "  # type: ignore[attr-defined]
            "Use betas.reshape(-1).tolist()."
        )
    found = {check_number("an entry of betas", each, low=0.0, high=LARGEST) for each in given}
    if not found:
        raise InputTypeError(
            "betas must hold at least one number, but is empty. Use betas=[1.0, 8.0, 64.0]."
        )
    return tuple(sorted(found))
