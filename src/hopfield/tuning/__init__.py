"""Which similarity, separation and β suit one's own patterns and the damage they are to bear."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..cue import Cue
from ..errors import (
    InputTypeError,
    OptionError,
    ShapeError,
    check_choice,
    check_generator,
    check_integer,
    check_number,
    check_patterns,
    check_size,
    say,
)
from ..metrics import recalled
from ..similarity import SIMILARITIES
from .result import Point, Tuning, best_of
from .sweep import MAKERS, Batch, Kept, kept, weights

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
FIRST = 64
"""Cues by which similarity and separation are chosen."""
FINAL = 96
"""Cues by which the last few β are compared, where the dynamics goes on."""


def tune(
    patterns: Tensor,
    corrupt: Callable[..., Cue],
    amount: float,
    *,
    similarities: Sequence[str] = SIMILAR,
    separations: Sequence[str] = ("softmax",),
    betas: Sequence[float] | int = POINTS,
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
    are retrieved by as well, and the best of the three is chosen.

    Args:
        patterns: `(n, dim)`, what is to be stored.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        amount: the damage to expect.
        similarities: those to try.
        separations: "softmax", "sparsemax" and "entmax" (α = 1.5).
        betas: those to try, or how many.
        cues: damaged patterns: half of them to choose by, the others held back to say how good the
            choice is.
        generator: source of all draws; None is a fresh one, seed 0.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: for an argument that is none of these.
    """
    rows = _checked(patterns, corrupt)
    likes = _names("similarities", similarities, tuple(n for n in SIMILARITIES if n != "manhattan"))
    kinds = _names("separations", separations, tuple(MAKERS))
    grid = betas if isinstance(betas, int) and not isinstance(betas, bool) else _betas(betas)
    if isinstance(grid, int):
        check_integer("betas", grid, low=2, high=MOST_POINTS)
    number = check_integer("cues", cues, low=4) // 2
    source = check_generator(generator)
    batch = _damaged(rows, corrupt, amount, number, source)
    points = _curve(rows, batch, [(like, kind) for like in likes for kind in kinds], grid)
    similarity, kind = points[0].setting
    likely = _likely(points)
    found = [
        Tuning(rows, similarity, MAKERS[kind](beta), tuple(points), (0.0, 0.0, 0))
        for beta in (likely if batch.cue.known is None else likely[:1])
    ]
    if len(found) > 1:
        final = batch.first(FINAL)
        back = [float(_back(each, final).mean()) for each in found]
        found = [found[back.index(max(back))]]
    fresh = _damaged(rows, corrupt, amount, number, source)
    share, error = _spread(_back(found[0], fresh))
    return replace(found[0], held=(float(share), float(error), number))


def _checked(patterns: Tensor, corrupt: object) -> Tensor:
    """The patterns, if they and `corrupt` are what they must be."""
    rows = check_size("patterns", check_patterns("patterns", patterns)).detach()
    if len(rows) < 2:
        raise ShapeError(
            f"patterns must be at least two, to be told apart, but have shape {tuple(rows.shape)}. "
            "Give all that are to be stored."
        )
    if not callable(corrupt):
        raise InputTypeError(
            f"corrupt must be a function such as corruption.flip, but is {say(corrupt)}. "
            "Use for instance corruption.gaussian_noise."
        )
    try:
        inspect.signature(corrupt).bind(rows, 0.0, generator=None)
    except TypeError:
        name = getattr(corrupt, "__name__", "corrupt")
        raise InputTypeError(
            "corrupt must take patterns, an amount and generator=, but is "
            f"{say(name)}, which does not. Use lambda patterns, amount, generator: "
            f"{name}(patterns, …)."
        ) from None
    except ValueError:
        pass  # written in C, it does not say what it takes
    return rows


def _back(tuning: Tuning, batch: Batch) -> Tensor:
    """Which cues come back in the memory itself."""
    return recalled(batch.rows, tuning.memory().retrieve(batch.cue).state).double()


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
    cue = corrupt(asked, amount, generator=torch.Generator(source.device).manual_seed(seed))
    if not isinstance(cue, Cue):
        raise InputTypeError(f"corrupt must return a Cue, but returned {say(cue)}. Use Cue(state).")
    if cue.shape != asked.shape:
        raise ShapeError(
            f"corrupt must return cues of shape {tuple(asked.shape)} like the patterns it was "
            f"given, but returned {tuple(cue.shape)}. Give each pattern its cue."
        )
    return Batch(places, asked, cue)


def _curve(
    rows: Tensor,
    batch: Batch,
    settings: Sequence[tuple[str, str]],
    grid: "int | tuple[float, ...]",
) -> list[Point]:
    """All settings by some cues, the best similarity and separation by all of them."""
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    if len(settings) == 1:
        return _points(wide, batch, settings, grid)
    points = _points(wide, batch.first(FIRST), settings, grid)
    # The first named, unless another is better by more than chance makes it.
    leading = min(best_of(points, each).behind[0] for each in settings)
    best = next(
        each
        for each in settings
        if best_of(points, each).behind[0] <= leading + best_of(points, each).behind[1]
    )
    others = [point for point in points if point.setting != best]
    return [*_points(wide, batch, [best], grid), *others]


def _points(
    rows: Tensor,
    batch: Batch,
    settings: Sequence[tuple[str, str]],
    grid: "int | tuple[float, ...]",
) -> list[Point]:
    """Settings on the same cues."""
    likes = tuple(dict.fromkeys(like for like, _ in settings))
    at_cue = kept(rows, batch, likes, clean=False)
    at_home = None if batch.cue.known is not None else kept(rows, batch, likes, clean=True)
    tried: list[tuple[tuple[str, str], Tensor, Tensor]] = []
    for like, kind in settings:
        betas = _grid(at_cue[like], grid)
        share = weights(at_cue[like], betas, kind)
        if at_home is not None:  # where the dynamics goes on, it must also stay
            share = torch.minimum(share, weights(at_home[like], betas, kind))
        tried.append(((like, kind), betas, share.double()))
    shares = torch.cat([share for _, _, share in tried])
    right = (shares > 0.5).double()
    best = right[int((right.mean(-1) + 1e-9 * shares.mean(-1)).argmax())]
    columns = [each.tolist() for each in (*_spread(right), shares.mean(-1), *_spread(best - right))]
    flat = [(setting, beta) for setting, betas, _ in tried for beta in betas.double().tolist()]
    return [
        Point(setting, float(f"{beta:.6g}"), share, error, weight, (behind, behind_error))
        for (setting, beta), share, error, weight, behind, behind_error in zip(
            flat, *columns, strict=True
        )
    ]


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


def _grid(scores: Kept, betas: "int | tuple[float, ...]") -> Tensor:
    """The β to try: those given, or some between limits that the scores set."""
    if not isinstance(betas, int):
        return scores.own.new_tensor(betas)
    leads = scores.lead.abs()
    leads = leads[(leads > 0) & leads.isfinite()]
    lead = max(float(leads.median()), LEAST_LEAD) if len(leads) else 1.0
    ends = math.log10(LOWEST / lead), math.log10(HIGHEST / lead)
    steps = torch.linspace(*ends, betas, dtype=torch.float64)
    return torch.tensor([float(f"{10 ** float(x):.3g}") for x in steps]).to(scores.own)


def _spread(values: Tensor) -> tuple[Tensor, Tensor]:
    """Means along the last axis, and their standard errors."""
    return values.mean(-1), values.std(-1) / math.sqrt(values.shape[-1])


def _names(argument: str, given: object, valid: tuple[str, ...]) -> tuple[str, ...]:
    """Several names, each of them valid, none twice."""
    if isinstance(given, str) or not isinstance(given, (list, tuple)) or not given:
        raise InputTypeError(
            f"{argument} must be a list of names, but is {say(given) if given else 'empty'}. "
            f"Use for instance {argument}=({valid[0]!r},)."
        )
    names = tuple(check_choice(f"an entry of {argument}", each, valid) for each in given)
    if len(set(names)) < len(names):
        raise OptionError(
            f"{argument} must not name one twice, but is {list(names)}. Leave it out."
        )
    return names


def _betas(given: object) -> tuple[float, ...]:
    """The β to try, rising."""
    if isinstance(given, Tensor) and given.ndim == 1:
        given = given.tolist()
    if not isinstance(given, (list, tuple)) or not given:
        raise InputTypeError(
            f"betas must be numbers, or how many to try, but is {say(given)}. "
            "Use for instance betas=[1.0, 8.0, 64.0]."
        )
    found = {check_number("an entry of betas", each, low=0.0, high=LARGEST) for each in given}
    return tuple(sorted(found))
