"""Score functions of users, with checks of what they return."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, inf, promote_types

from .checks import is_traced, short_repr, version_of
from .errors import DomainError, InputTypeError, OptionError, ShapeError


@dataclass(frozen=True)
class RowFunction:
    """An adapter: applies a function of (rows, state, known) to blocks."""

    function: Callable[..., Tensor]

    def __call__(self, block: Any, state: Tensor, known: Tensor | None) -> Tensor:
        """Return the scores of the block's rows in the precision of the state."""
        dtype = promote_types(block.rows.dtype, state.dtype)
        given, name = (block.rows.to(dtype), state.to(dtype)), name_of(self.function)
        before = [version_of(tensor) for tensor in given]
        scores = self.function(*given, known)
        if before != [version_of(tensor) for tensor in given]:
            raise OptionError(
                f"a similarity must not modify rows or state, but {name} wrote to them: they may "
                "be the stored patterns. Work on rows.clone(), state.clone()."
            )
        checked_scores(scores, state, len(block.rows), name)
        return scores.to(promote_types(scores.dtype, dtype))


@dataclass(frozen=True)
class BlockFunction:
    """A function of (block, state, known), whose result is checked."""

    function: Callable[..., Tensor]

    def __call__(self, block: Any, state: Tensor, known: Tensor | None) -> Tensor:
        """Return the scores of the block's rows."""
        try:
            scores = self.function(block, state, known)
        except (AttributeError, TypeError) as error:
            if type(block).__name__ not in str(error):
                raise
            raise InputTypeError(
                f"the function of a Similarity gets a block, whose patterns are block.rows, but "
                f"{name_of(self)} raised: {error}. A function of rows is a similarity by itself: "
                f"similarity={name_of(self)}."
            ) from error
        return checked_scores(scores, state, len(block.rows), name_of(self))


def checked_scores(scores: object, state: Tensor, count: int, name: str) -> Tensor:
    """Return scores if there is a finite one, or −∞, per state and row."""
    expected = (*state.shape[:-1], count)
    if not isinstance(scores, Tensor) or scores.shape != expected:
        raise ShapeError(
            f"a similarity must return scores of shape {expected}, one per state and row, but "
            f"{name} returned {short_repr(scores)}."
        )
    if not is_traced():
        found = "NaN" if bool(scores.isnan().any()) else "inf"
        if found == "NaN" or bool((scores == inf).any()):
            raise DomainError(
                f"a similarity must return finite numbers, but {name} returned {found}."
            )
    return scores


def name_of(function: object) -> str:
    """Return the name of a function, or of the class of another object."""
    if isinstance(function, (RowFunction, BlockFunction)):
        return name_of(function.function)
    return str(getattr(function, "__name__", type(function).__name__))
