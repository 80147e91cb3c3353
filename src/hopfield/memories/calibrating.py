"""Calibrate a memory on cues that come from no stored pattern, and give answers a p-value."""

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ..calibration import SCORES, Calibration, TopScores, p_values, top_scores
from ..checks import (
    check_binary,
    check_device,
    check_dim,
    check_generator,
    check_integer,
    check_number,
    check_rows,
    check_tensor,
)
from ..cue import Cue, damage_name, damage_patterns
from ..errors import CalibrationWarning, DomainError, warn_caller
from ..iteration import TOLERANCE, Retrieval
from ..similarity import euclidean
from ..stores import Store
from .answer import answer
from .arguments import named_arguments
from .copies import copy_of, is_stored
from .gaps import common_scores
from .hooks import scoring_of
from .options import blocks_of, resolve_unknown_units
from .query import Query, check_binary_cue, computing_dtype, make_query
from .run import run

if TYPE_CHECKING:
    from .base import Memory

MOST_STRANGERS = 2000
"""Default number of stored patterns that are left out. The standard error of a rate α is then
√(α(1 − α)/2000), .005 at α = .05; more patterns reduce it, and take longer."""
STEPS = 100
"""The most reads for one answer, as in `retrieve`."""

Damage = Callable[..., object] | None
"""A function (patterns, [amount], [generator=…]) → cues; None leaves the patterns as they are."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """The arguments of a calibration; with the same patterns they give the same result."""

    damage: Damage
    alpha: float
    amount: object
    strangers: Tensor | Cue | None
    cues: int
    seed: int


@dataclass(frozen=True, eq=False)
class CalibrationState:
    """A calibration, the store's version at that time, and the arguments to repeat it, or None."""

    calibration: Calibration
    version: int
    recipe: Recipe | None = None
    has_warned: bool = False


class CalibratedMemory(ABC):
    """The methods of memories that answer "none of these"."""

    storage: Store
    _calibrated: CalibrationState | None

    @named_arguments
    def calibrate(
        self,
        damage: Damage,
        alpha: float = 0.05,
        *,
        amount: object = None,
        strangers: Tensor | Cue | None = None,
        cues: int = MOST_STRANGERS,
        generator: torch.Generator | None = None,
    ) -> Calibration:
        """Measure the scores of strangers, which are cues that come from no stored pattern.

        Each stored pattern is left out in turn, damaged as cues will be, and the memory is queried.
        Answers then have `Retrieval.p_value` and `Retrieval.accepted` (p ≤ alpha): about the share
        `alpha` of strangers is accepted, if cues are damaged alike. Patterns stored or removed
        later renew the calibration. Copies, pickles and files lack `damage`, and cannot renew it.

        Args:
            damage: a function (patterns, generator=…) → cues, such as `corruption.occlude_half`;
                None for cues without damage.
            alpha: the share of strangers that may be accepted, above 0 and below 1.
            amount: passed to `damage` after the patterns, unless None.
            strangers: rows that are not stored, `(m, dim)`, damaged alike; a `Cue` is used as it
                is. P(p ≤ alpha) ≤ alpha is then exact for strangers drawn like these. With None,
                stored patterns are left out, which is nearly exact.
            cues: the most stored patterns that are left out, chosen at random.
            generator: source of the random numbers; None is a new generator with seed 1.

        Raises:
            DomainError: if there are too few strangers for p ≤ alpha.
        """
        memory = cast("Memory", self)
        alpha = _check_alpha(alpha)
        cues = check_integer("cues", cues, low=1)
        source = check_generator(generator, seed=1)
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            memory._require_patterns("calibrate")
            strangers = None if strangers is None else _checked_strangers(memory, strangers)
            seed = int(torch.randint(2**31, (), generator=source, device=source.device))
            recipe = Recipe(damage, alpha, amount, strangers, cues, seed)
            calibration = _measure(memory, recipe)
            _check_number(calibration)
            self._calibrated = CalibrationState(calibration, self.storage.version, recipe)
        return calibration

    @property
    def calibration(self) -> Calibration | None:
        """The last calibration, renewed if patterns have changed; None without one."""
        with self.storage.lock.reading:
            state = renew(cast("Memory", self))
        return None if state is None else state.calibration


def renew(memory: "Memory") -> CalibrationState | None:
    """Return the calibration, measured again if patterns have changed and the damage is known.

    The caller holds `lock.reading`.
    """
    state, version = memory._calibrated, memory.storage.version
    if state is None or state.version == version or state.recipe is None or not len(memory):
        return state
    try:
        with torch.set_grad_enabled(False):
            calibration = _measure(memory, state.recipe)
    except Exception as error:
        error.add_note(
            "This happened while the calibration was renewed for the patterns that are stored now. "
            "Call calibrate again, with a damage for them."
        )
        raise
    memory._calibrated = replace(state, calibration=calibration, version=version)
    return memory._calibrated


def without_recipe(state: CalibrationState | None) -> CalibrationState | None:
    """Return the state for copies, pickles and files: a user's function may not be picklable."""
    return None if state is None else replace(state, recipe=None)


def describe_calibration(memory: "Memory", content: dict[str, Any]) -> dict[str, Tensor]:
    """Put the calibration into the content of a file, renewed if possible; return its tensor."""
    state = renew(memory)
    if state is None:
        return {}
    numbers = {name: each for name, each in vars(state.calibration).items() if name != "strangers"}
    is_current = state.version == memory.storage.version
    content["calibration"] = numbers | {"is_current": is_current}
    return {"calibration": state.calibration.strangers}


def restore_calibration(memory: "Memory", numbers: dict[str, Any], strangers: Tensor) -> None:
    """Give a memory the calibration that a file describes."""
    version = memory.storage.version if numbers.pop("is_current") else -1
    calibration = Calibration(**numbers, strangers=strangers)
    if strangers.ndim != 1 or strangers.dtype != torch.float64 or calibration.score not in SCORES:
        raise TypeError("the calibration is none of this version")
    memory._calibrated = CalibrationState(calibration, version)


def keep_calibration(memory: "Memory", version: int, dtype: torch.dtype | None) -> None:
    """Keep the calibration of store `version` valid after a move to a device in the same dtype."""
    state = memory._calibrated
    if dtype is None and state is not None and state.version == version:
        memory._calibrated = replace(state, version=memory.storage.version)


def add_p_values(memory: "Memory", retrieval: Retrieval, query: Query) -> Retrieval:
    """Return the answers of `retrieve`, with p-values if the memory is calibrated."""
    state = None if memory._calibrated is None else renew(memory)
    if state is None:
        return retrieval
    if state.version != memory.storage.version and not state.has_warned:
        memory._calibrated = replace(state, has_warned=True)
        warn_caller(
            f"the calibration is of the {state.calibration.n_patterns} patterns before the last "
            "change, and p-values count strangers of then. Call calibrate again.",
            CalibrationWarning,
        )
    return _with_p_values(memory, retrieval, query, state)


def _with_p_values(
    memory: "Memory", retrieval: Retrieval, query: Query, state: CalibrationState
) -> Retrieval:
    pattern = copy_of(memory.storage)[retrieval.index.reshape(-1)]
    scores = _top_scores(memory, query, pattern).score(state.calibration.score)
    p = p_values(state.calibration.strangers.to(scores.device), scores)
    return replace(
        retrieval,
        p_value=p.to(computing_dtype(query.dtype)).reshape(query.batch),
        accepted=(p <= state.calibration.alpha).reshape(query.batch),
        calibrated=state.version == memory.storage.version,
    )


def _check_alpha(alpha: object) -> float:
    number = check_number("alpha", alpha, low=0.0, high=1.0)
    if not 0 < number < 1:
        raise DomainError(f"alpha must be above 0 and below 1, but is {number:g}.")
    return number


def _checked_strangers(memory: "Memory", strangers: Tensor | Cue) -> Tensor | Cue:
    state = strangers.state if isinstance(strangers, Cue) else check_tensor("strangers", strangers)
    check_dim("strangers", check_rows("strangers", state), memory.storage.dim)
    check_device("strangers", state, memory.storage.device)
    if isinstance(strangers, Cue):
        return strangers
    if memory.binary:
        check_binary("strangers", state)
    stored = is_stored(memory.storage, state)
    if bool(stored.any()):
        raise DomainError(
            f"strangers must not be stored, but {int(stored.sum())} are, for instance number "
            f"{int(stored.nonzero()[0])}. Leave them out."
        )
    return state.detach().clone()


def _check_number(calibration: Calibration) -> None:
    if math.isinf(calibration.threshold):
        count = len(calibration.strangers)
        raise DomainError(
            f"alpha must be at least {1 / (count + 1):.3g}, 1/(n + 1) for n = {count} strangers, "
            f"but is {calibration.alpha:g}. Store more patterns, or give more strangers=."
        )


def _measure(memory: "Memory", recipe: Recipe) -> Calibration:
    store, source = memory.storage, torch.Generator().manual_seed(recipe.seed)
    groups = copy_of(store)
    distinct = (groups == torch.arange(len(groups), device=groups.device)).nonzero().squeeze(-1)
    order = torch.randperm(len(distinct), generator=source)[: recipe.cues]
    pattern = distinct[order.to(distinct.device)]

    def damage(patterns: Tensor) -> Cue:
        seed = int(torch.randint(2**31, (), generator=source))
        draws = torch.Generator().manual_seed(seed)
        return damage_patterns(recipe.damage, patterns, recipe.amount, draws)

    def damaged_patterns() -> tuple[Query, TopScores]:
        cue = _keep_gaps(store, pattern, damage(store.take(pattern)))
        query = _query(memory, cue)
        return query, _top_scores(memory, query, pattern)

    name = _choose_score(damaged_patterns()[1], recipe.alpha, len(distinct))
    query, scores = damaged_patterns()
    strangers = scores.without_pattern().score(name)
    if recipe.strangers is not None:
        strangers = _stranger_scores(memory, recipe.strangers, damage, name)
    calibration = Calibration(
        recipe.alpha,
        name,
        strangers.sort().values.cpu(),
        recipe.strangers is None,
        len(memory),
        damage_name(recipe.damage, recipe.amount),
    )
    answer = _answer(memory, query, CalibrationState(calibration, store.version), source)
    accepted = cast(Tensor, answer.accepted)
    right = groups[answer.index[accepted]] == pattern[accepted]
    return replace(
        calibration,
        accepted=float(accepted.double().mean()),
        right=float(right.double().mean()) if len(right) else None,
    )


def _choose_score(scores: TopScores, alpha: float, distinct: int) -> str:
    # With one pattern left out, a margin needs two others.
    names = SCORES if distinct > 2 else SCORES[:1]
    is_right = scores.pattern > scores.rival

    def rightly_accepted(name: str) -> int:
        strangers = scores.without_pattern().score(name).sort().values
        return int((is_right & (p_values(strangers, scores.score(name)) <= alpha)).sum())

    return max(names, key=rightly_accepted)


def _stranger_scores(
    memory: "Memory", strangers: Tensor | Cue, damage: Callable[[Tensor], Cue], name: str
) -> Tensor:
    if isinstance(strangers, Tensor):  # a row that was stored since is no stranger any more
        strangers = strangers[~is_stored(memory.storage, strangers).to(strangers.device)]
        if not len(strangers):
            return torch.empty(0, dtype=torch.float64)
        strangers = damage(strangers)
    query = _query(memory, strangers)
    none = torch.full((len(query.state),), -1, device=query.state.device)
    return _top_scores(memory, query, none).without_pattern().score(name)


def _keep_gaps(store: Store, indices: Tensor, cue: Cue) -> Cue:
    known = store.take_known(indices)
    if known is None:
        return cue
    return Cue(cue.state, known if cue.known is None else known & cue.known)


def _query(memory: "Memory", cue: Cue) -> Query:
    weights = memory.value_weights
    query = make_query(cue, None, None, "known", memory.storage, memory.binary, weights)
    if memory.binary:
        check_binary_cue(query)
    return query


def _answer(
    memory: "Memory", query: Query, state: CalibrationState, generator: torch.Generator
) -> Retrieval:
    outcome = run(memory, query, STEPS, TOLERANCE, False, generator)
    if memory.binary:
        outcome = resolve_unknown_units(outcome, memory.describe)
    return _with_p_values(memory, answer(memory, outcome, query, "cue"), query, state)


def _top_scores(memory: "Memory", query: Query, pattern: Tensor) -> TopScores:
    # In float64: rounding must not decide which of two scores is larger.
    store, known, state = memory.storage, query.known, query.state.double()
    similarity = scoring_of(memory)[0]
    if similarity.half_squared_norm and not memory.binary:
        similarity = euclidean  # dot products grow with the norm of a pattern
    scores = partial(common_scores, similarity) if store.has_gaps else similarity.function
    entries = torch.ones_like(state[:1]) if known is None else known
    count = (state != 0 if memory.binary else entries).sum(-1).expand(len(state))
    found = top_scores(blocks_of(store, len(state)), state, scores, known, pattern, copy_of(store))
    divisor = count.clamp_min(1) if similarity.degree else 1
    # A cue without known entries can come from any pattern, and from none.
    return TopScores(*(torch.where(count > 0, each / divisor, -math.inf) for each in found))
