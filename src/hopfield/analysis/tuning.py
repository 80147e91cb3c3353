"""Choose similarity, separation and β for given patterns and the expected damage."""

import math
from collections.abc import Callable, Iterable, Mapping, Set
from numbers import Integral
from typing import Any

import numpy
import torch
from torch import Tensor

from ..checks import (
    check_choice,
    check_dense,
    check_generator,
    check_integer,
    check_norms,
    check_number,
    check_patterns,
    short_repr,
)
from ..cue import Cue, call_corrupt
from ..errors import InputTypeError, OptionError, ShapeError
from ..separation import SEPARATIONS, Separation, separation_named
from ..similarity import SIMILARITIES, ScoreFunction, Similarity, as_similarity
from .completion import CompletionSearch
from .search import DamagedPatterns, RecallSearch, Search
from .tuning_result import Tuning

N_BETAS, MOST_BETAS = 20, 10_000
"""Number of β tried per similarity: the default, and the largest that is accepted."""
LARGEST_BETA = 1e30
"""Largest β that is accepted: its products with scores stay finite."""
SEARCHES: dict[str, type[Search]] = {"recall": RecallSearch, "completion": CompletionSearch}
"""The search that compares settings, by the name of the objective."""


def tune(  # noqa: PLR0913 the objective is one argument more than elsewhere
    patterns: Tensor,
    corrupt: Callable[..., Cue],
    amount: float,
    *,
    objective: str = "recall",
    similarities: Iterable[str | Similarity | ScoreFunction] = ("euclidean", "dot", "cosine"),
    separations: Iterable[str | Separation] = ("softmax",),
    betas: Iterable[float] | Tensor | int = N_BETAS,
    cues: int = 512,
    generator: torch.Generator | None = None,
) -> Tuning:
    """Choose similarity, separation and β of a `ModernHopfield`, for ±1 patterns too.

    Damaged patterns are the cues. Half of them choose the settings, and the other half measure how
    good the choice is. The objective is one of two tasks.

    "recall": find the stored pattern of which the cue is a damaged copy. A setting is right about a
    cue if this pattern gets more than half of the weight at the cue and, without a mask, at the
    pattern itself. Settings whose accuracy is within one standard error of the best count as
    equal, and the one that gives right patterns the most weight wins. Without a mask, the smallest
    β among the equal ones and its neighbours are tried by `retrieve` as well, and the best wins.

    "completion": fill the unknown entries of a row that is not stored. Each damaged pattern is read
    once from the other patterns, and the least squared error at its unknown entries wins; without a
    mask, at all entries. Scale columns first if their units differ.

    Args:
        patterns: `(n, dim)`, the patterns to store.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        amount: the damage to expect.
        objective: "recall" for cues of stored patterns, "completion" for rows that are not stored.
        similarities: names, `Similarity` objects or functions; the first wins a tie.
        separations: "softmax", "sparsemax", "entmax" (α = 1.5), "normmax" (α = 2), "k_subsets"
            (k = 2), or objects with a `beta`.
        betas: the β to try, or their number.
        cues: number of damaged patterns.
        generator: source of the random numbers; None is a new generator with seed 0.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: for an unusable argument.
    """
    rows = check_norms("patterns", check_patterns("patterns", patterns)).detach()
    if len(rows) < 2:
        raise ShapeError(f"patterns must be at least two, but have shape {tuple(rows.shape)}.")
    candidates = [as_similarity(each) for each in _check_list("similarities", similarities)]
    by_name = _distinct("similarities", [(each.name, each) for each in candidates])
    prototypes = [_prototype(each) for each in _check_list("separations", separations)]
    search = SEARCHES[check_choice("objective", objective, SEARCHES)](
        rows, by_name, _distinct("separations", prototypes), _check_betas(betas)
    )
    half = check_integer("cues", cues, low=4) // 2
    drawn = _draw(rows, corrupt, amount, 2 * half, check_generator(generator))
    return search.choose(search.curve(drawn[:half]), drawn[:half], drawn[half:])


def _draw(
    rows: Tensor, corrupt: Callable[..., Cue], amount: float, number: int, source: torch.Generator
) -> DamagedPatterns:
    """Damage patterns in random order, each as often as any other, or once more."""
    order = [
        torch.randperm(len(rows), generator=source, device=source.device)
        for _ in range(math.ceil(number / len(rows)))
    ]
    indices = torch.cat(order)[:number].to(rows.device)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))
    draws = torch.Generator(source.device).manual_seed(seed)
    return DamagedPatterns(indices, call_corrupt(corrupt, rows[indices], amount, draws))


def _check_list(
    argument: str,
    given: object,
    wrong: tuple[type, ...] = (str, Set),
    form: str = "a list, the preferred first",
) -> list[Any]:
    if isinstance(given, (*wrong, Tensor)) or not isinstance(given, Iterable):
        raise InputTypeError(f"{argument} must be {form}, but is {short_repr(given)}.")
    listed = list(given)
    if not listed:
        raise InputTypeError(f"{argument} must hold at least one entry, but is empty.")
    return listed


def _distinct(argument: str, named: list[tuple[str, Any]]) -> dict[str, Any]:
    by_name = dict(named)
    if len(by_name) < len(named):
        names = [name for name, _ in named]
        built_in = {*SIMILARITIES, *SEPARATIONS}.issuperset(names)
        hint = "" if built_in else " The name of a function is its __name__."
        raise OptionError(f"{argument} must not name one twice, but are {names}.{hint}")
    return by_name


def _prototype(given: object) -> tuple[str, Separation]:
    """Return the name of a separation, and a separation whose β will be replaced."""
    if isinstance(given, Separation) and given.simplex and hasattr(given, "beta"):
        names = {kind: name for name, kind in SEPARATIONS.items()}
        return names.get(type(given), type(given).__name__.lower()), given
    if isinstance(given, Separation):
        lacks = "sum to one" if hasattr(given, "beta") else "have an attribute beta"
        raise OptionError(
            f"an entry of separations must have weights that sum to one, and an attribute beta to "
            f"tune, but {type(given).__name__} does not {lacks}."
        )
    hint = " Or give a separation of your own with an attribute beta, such as Own(beta=1.0)."
    return str(given), separation_named("an entry of separations", given, hint=hint)


def _check_betas(given: object) -> int | tuple[float, ...]:
    """Return a number of β, or the β to try in order."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        return check_integer("betas", given, low=2, high=MOST_BETAS)
    if isinstance(given, (Tensor, numpy.ndarray)):
        given = check_dense("betas", given) if isinstance(given, Tensor) else given
        if given.ndim != 1:
            raise ShapeError(
                f"betas must be one row of numbers, but have shape {tuple(given.shape)}. "
                "Use betas.reshape(-1)."
            )
        given = given.tolist()
    form = "their number, or a list such as betas=[1.0, 8.0]"
    name, listed = "an entry of betas", _check_list("betas", given, (str, Mapping), form)
    return tuple(sorted({check_number(name, x, low=0.0, high=LARGEST_BETA) for x in listed}))
