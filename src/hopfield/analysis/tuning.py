"""Choose similarity, separation and β for patterns and the damage they are to bear."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any

import numpy
import torch
from jaxtyping import Bool, Float, Int
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
from ..separation import SEPARATIONS, Separation
from ..similarity import ScoreFunction, Similarity, TensorRows, as_similarity
from .patterns import Patterns
from .remedies import changed, with_parameters
from .tuning_result import Point, Setting, Tuning, best_of, memory_of, standard_error

N_BETAS, MOST_BETAS = 20, 10_000
"""Numbers of β per similarity: by default, and at most."""
LARGEST_BETA = 1e30
"""Largest β: products with scores stay finite."""
FIRST_BETA, LAST_BETA = 0.5, 2000.0
"""The range of β, over the median lead of the right pattern's score."""
LEAST_LEAD = 1e-30
TUNED = ("softmax", "sparsemax", "entmax")
"""Names of separations that have a β: entmax with α = 1.5."""
FIRST_CUES = 48
"""Cues that decide between similarities and separations; β is then chosen by all cues."""
SCORES = 2**20
"""Scores held at a time."""


@dataclass(frozen=True, eq=False)
class Damaged:
    """Patterns that were damaged, and the cues made of them.

    Attributes:
        indices: which patterns, `(cues,)`.
        rows: these patterns, `(cues, dim)`.
        state: the cues, `(cues, dim)`.
        known: the mask of known entries, `(cues, dim)`; None without a mask.
    """

    indices: Int[Tensor, " cues"]
    rows: Float[Tensor, "cues dim"]
    state: Float[Tensor, "cues dim"]
    known: Bool[Tensor, "cues dim"] | None = None

    def __getitem__(self, part: slice) -> "Damaged":
        """Return some of the cues."""
        known = None if self.known is None else self.known[part]
        return Damaged(self.indices[part], self.rows[part], self.state[part], known)

    def __len__(self) -> int:
        """Number of cues."""
        return len(self.indices)


def tune(
    patterns: Tensor,
    corrupt: Callable[..., Cue],
    amount: float,
    *,
    similarities: Iterable[str | Similarity | ScoreFunction] = ("euclidean", "dot", "cosine"),
    separations: Iterable[str | Separation] = ("softmax",),
    betas: Iterable[float] | Tensor | int = N_BETAS,
    cues: int = 512,
    generator: torch.Generator | None = None,
) -> Tuning:
    """Choose similarity, separation and β of a `ModernHopfield`, for ±1 patterns too.

    Half of the cues choose. A setting is right about a cue if the right pattern gets more than
    half of the weight at the cue and, without a mask, at the pattern itself. Of the settings no
    worse than the best by more than the standard error of their difference, the one that gives
    right patterns the most weight wins. Without a mask, the smallest β among them and its
    neighbours are tried by `retrieve` as well, and the best of all wins.

    Args:
        patterns: `(n, dim)`, the patterns to store.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        amount: the damage to expect.
        similarities: names, `Similarity` objects or functions; the first wins a tie.
        separations: "softmax", "sparsemax", "entmax" (α = 1.5), or objects with a `beta`.
        betas: the β to try, or their number.
        cues: number of damaged patterns. Those held back from the choice say how good it is.
        generator: source of all draws; None is a fresh one, seed 0.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: for an unusable argument.
    """
    rows = _check_patterns(patterns, corrupt)
    names = _listed("similarities", similarities, "euclidean")
    candidates = [as_similarity(name) for name in names]
    prototypes = [_prototype(each) for each in _listed("separations", separations, "softmax")]
    _check_distinct("similarities", [each.name for each in candidates])
    _check_distinct("separations", [name for name, _ in prototypes])
    grid = _check_betas(betas)
    half = check_integer("cues", cues, low=4) // 2
    drawn = _draw(rows, corrupt, amount, 2 * half, check_generator(generator))
    search = Search(rows, candidates, dict(prototypes), grid)
    curve = search.curve(drawn[:half])
    return search.choose(curve, drawn[:half], drawn[half:])


class Search:
    """Settings to try on the same damaged patterns."""

    def __init__(
        self,
        rows: Tensor,
        similarities: Sequence[Similarity],
        separations: dict[str, Separation],
        grid: int | tuple[float, ...],
    ) -> None:
        """Prepare; nothing is computed yet."""
        self.rows, self.grid = rows, grid
        self.wide = TensorRows(rows.to(torch.promote_types(rows.dtype, torch.float32)))
        self.similarities = {each.name: each for each in similarities}
        self.separations = separations
        stored = Patterns(memory_of(rows, similarities[0], next(iter(separations.values()))))
        self.copy_of, self.copies = stored.copy_of, stored.copies

    @torch.no_grad()
    def curve(self, cues: Damaged) -> list[Point]:
        """Points of all settings by some cues; those of the leading two names by all."""
        settings = list(product(self.similarities, self.separations))
        first = cues[:FIRST_CUES] if len(settings) > 1 else cues
        betas = {similarity: self._betas(similarity, first) for similarity in self.similarities}
        points = self._points(settings, betas, first)
        if len(settings) == 1:
            return points
        # The first named wins, unless another is better by more than chance.
        best = [best_of(points, setting) for setting in settings]
        least = min(best, key=lambda point: point.deficit)
        chosen = next(p.setting for p in best if p.deficit <= least.deficit + least.deficit_se)
        others = [point for point in points if point.setting != chosen]
        return [*self._points([chosen], betas, cues), *others]

    def _points(
        self, settings: Sequence[Setting], betas: dict[str, list[float]], cues: Damaged
    ) -> list[Point]:
        """Compare settings on the same cues."""
        tried = [(setting, beta) for setting in settings for beta in betas[setting[0]]]
        weight = torch.cat(
            [self._weights(*setting, betas[setting[0]], cues) for setting in settings]
        )
        right = (weight > 0.5).double()
        accuracy, mean = right.mean(-1), weight.double().mean(-1)
        best = max(range(len(tried)), key=lambda i: (float(accuracy[i]), float(mean[i])))
        deficit = right[best] - right
        columns = (accuracy, standard_error(right), mean, deficit.mean(-1), standard_error(deficit))
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [Point(*place, *value) for place, value in zip(tried, values, strict=True)]

    def _weights(
        self, similarity: str, separation: str, betas: Sequence[float], cues: Damaged
    ) -> Float[Tensor, "betas cues"]:
        """Weight of the right pattern at its cue and, without a mask, at the pattern itself."""
        separations = [self._separation(separation, beta) for beta in betas]

        def at(states: Damaged) -> Tensor:
            start, weights = 0, self.wide.rows.new_empty(len(betas), len(states))
            for part, scores in self._scores(similarity, states):
                right = part.indices[:, None]
                shares = torch.stack([each(scores).gather(-1, right)[:, 0] for each in separations])
                weights[:, start : start + len(part)] = shares * self.copies[part.indices]
                start += len(part)
            return weights

        weights = at(cues)
        if cues.known is None:  # the dynamics goes on, and must also stay
            weights = torch.minimum(weights, at(Damaged(cues.indices, cues.rows, cues.rows)))
        return weights

    def _scores(self, similarity: str, cues: Damaged) -> Iterator[tuple[Damaged, Tensor]]:
        """Scores of all patterns, some cues at a time."""
        size = max(1, SCORES // len(self.rows))
        for start in range(0, len(cues), size):
            part = cues[start : start + size]
            state, known = part.state.to(self.wide.rows.dtype), part.known
            if known is not None and bool((known == known[:1]).all()):
                known = known[0]
            yield part, self.similarities[similarity](self.wide, state, known)

    def _separation(self, separation: str, beta: float) -> Separation:
        return with_parameters(self.separations[separation], beta=beta)

    def _betas(self, similarity: str, cues: Damaged) -> list[float]:
        """The β given, or some between limits set by the median lead of the right pattern."""
        if isinstance(self.grid, tuple):
            return list(self.grid)
        leads = []
        for part, scores in self._scores(similarity, cues):
            copy = self.copy_of == self.copy_of[part.indices, None]
            right = scores.gather(-1, part.indices[:, None])[:, 0]
            leads.append((right - scores.masked_fill(copy, -torch.inf).amax(-1)).abs())
        lead = torch.cat(leads)
        lead = lead[(lead > 0) & lead.isfinite()]
        typical = max(float(lead.median()), LEAST_LEAD) if len(lead) else 1.0
        spaced = numpy.geomspace(FIRST_BETA / typical, LAST_BETA / typical, self.grid)
        return [float(f"{beta:.3g}") for beta in spaced]

    def choose(self, curve: list[Point], cues: Damaged, held_back: Damaged) -> Tuning:
        """Choose β from the curve, and retrieve from the cues held back."""
        similarity, separation = curve[0].setting
        memory = memory_of(self.rows, self.similarities[similarity], self.separations[separation])

        def share(beta: float, part: Damaged) -> Tensor:
            at_beta = changed(memory, settings={"separation": self._separation(separation, beta)})
            state = at_beta.retrieve(Cue(part.state, part.known)).state
            return recalled(part.rows, state).double()

        betas = _likely(curve)
        if len(betas) > 1 and cues.known is None:
            # The first wins, unless another is better by more than chance.
            first, *others = (share(beta, cues) for beta in betas)
            gains = [0.0]
            for other in others:
                gain, error = (other - first).mean(), standard_error(other - first)
                gains.append(float(gain) if gain > error else -1.0)
            betas = [betas[gains.index(max(gains))]]
        back = share(betas[0], held_back)
        return Tuning(
            self.rows, self.similarities[similarity], self._separation(separation, betas[0]),
            tuple(curve), float(back.mean()), float(standard_error(back)), len(back),
        )  # fmt: skip


def _likely(curve: Sequence[Point]) -> list[float]:
    """β of most weight among those no worse than the best; the least of these, and its neighbours.

    Near the least of them, the steps after the first may still decide.
    """
    points = [point for point in curve if point.setting == curve[0].setting]
    good = [point for point in points if point.deficit <= point.deficit_se]
    most = max(point.weight for point in good)
    # ±1 patterns count as recalled if every entry is exact: so no slack but rounding.
    sharp = min(point.beta for point in good if point.weight >= most - 1e-9)
    least = min(point.beta for point in good)
    below = [point.beta for point in points if point.beta < least]
    above = [point.beta for point in good if point.beta > least]
    return list(dict.fromkeys([sharp, *above[:1], least, *below[-1:]]))


def _draw(
    rows: Tensor, corrupt: Callable[..., Cue], amount: float, number: int, source: torch.Generator
) -> Damaged:
    """Damage some of the patterns, each as often as the others."""
    order = [
        torch.randperm(len(rows), generator=source, device=source.device)
        for _ in range(math.ceil(number / len(rows)))
    ]
    indices = torch.cat(order)[:number].to(rows.device)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))
    chosen, draws = rows[indices], torch.Generator(source.device).manual_seed(seed)
    try:
        cue = corrupt(chosen, amount, generator=draws)
    except TypeError as error:
        _check_signature(corrupt, chosen, error)
        raise
    if not isinstance(cue, Cue):
        raise InputTypeError(
            f"corrupt must return a Cue, but returned {short_repr(cue)}. Use Cue(state)."
        )
    if cue.shape != chosen.shape:
        raise ShapeError(
            f"corrupt must return cues of shape {tuple(chosen.shape)}, as the patterns it gets, "
            f"but returned {tuple(cue.shape)}."
        )
    return Damaged(indices, chosen, cue.state, cue.known)


def _check_signature(corrupt: Callable[..., Cue], rows: Tensor, error: TypeError) -> None:
    """Raise unless the call of `corrupt`, which failed, fits its signature."""
    try:
        if not isinstance(error, HopfieldError):
            inspect.signature(corrupt).bind(rows, 0.0, generator=None)
    except TypeError:
        name = getattr(corrupt, "__name__", "corrupt")
        raise InputTypeError(
            f"corrupt must take patterns, an amount and generator=, but {short_repr(name)} does "
            f"not. Use lambda patterns, amount, generator: {name}(patterns, …)."
        ) from None
    except ValueError:
        pass  # a function written in C has no signature


def _check_patterns(patterns: Tensor, corrupt: object) -> Tensor:
    rows = check_norms("patterns", check_patterns("patterns", patterns)).detach()
    if len(rows) < 2:
        raise ShapeError(
            f"patterns must be at least two, but have shape {tuple(rows.shape)}. Give all patterns "
            "that are to be stored."
        )
    if not callable(corrupt):
        raise InputTypeError(
            f"corrupt must be a function such as corruption.flip, but is {short_repr(corrupt)}."
        )
    return rows


def _listed(argument: str, given: object, example: str) -> list[Any]:
    """Check a list in order of preference."""
    if isinstance(given, (str, Set)) or not isinstance(given, Iterable):
        raise InputTypeError(
            f"{argument} must be a list, the preferred first, but is {short_repr(given)}. "
            f"Use for instance {argument}=[{example!r}]."
        )
    listed = list(given)
    if not listed:
        raise InputTypeError(f"{argument} must name at least one, but is empty.")
    return listed


def _check_distinct(argument: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise OptionError(f"{argument} must not name one twice, but are {names}.")


def _prototype(given: object) -> tuple[str, Separation]:
    """Resolve a separation: its name, and one of any β."""
    if isinstance(given, Separation) and given.simplex and hasattr(given, "beta"):
        return type(given).__name__.lower(), given
    name = check_choice("an entry of separations", given, TUNED)
    return name, SEPARATIONS[name]()


def _check_betas(given: object) -> int | tuple[float, ...]:
    """Check a number of β, or the β to try, and sort them."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        return check_integer("betas", given, low=2, high=MOST_BETAS)
    if isinstance(given, (Tensor, numpy.ndarray)):
        if given.ndim != 1:
            raise ShapeError(
                f"betas must be one row of numbers, but have shape {tuple(given.shape)}. "
                "Use betas.reshape(-1)."
            )
        given = given.tolist()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        hint = f"betas=[{given!r}]" if type(given) is float else "betas=[1.0, 8.0, 64.0]"
        raise InputTypeError(
            f"betas must be a list of numbers, or their number, but is {short_repr(given)}. "
            f"Use {hint}."
        )
    betas = {check_number("an entry of betas", each, low=0.0, high=LARGEST_BETA) for each in given}
    if not betas:
        raise InputTypeError("betas must hold at least one number, but is empty.")
    return tuple(sorted(betas))
