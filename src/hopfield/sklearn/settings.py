"""The arguments that estimators share, checked when a table is read."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_choice, check_number, short_repr
from ..errors import InputTypeError, OptionError
from ..separation import Separation, separation_named, with_parameters
from ..similarity import Similarity, as_similarity


@dataclass(frozen=True, eq=False)
class Settings:
    """Checked settings of a readout.

    Attributes:
        similarity: the similarity of rows.
        separation: the separation, with its β unless that is chosen.
        chooses_beta: whether β is chosen.
        scales: whether columns are standardised: one answer, or both to choose from.
    """

    similarity: Similarity
    separation: Separation
    chooses_beta: bool
    scales: tuple[bool, ...]

    @property
    def has_choice(self) -> bool:
        """True if β or the scaling is chosen."""
        return self.chooses_beta or len(self.scales) > 1

    @classmethod
    def of(cls, beta: Any, similarity: Any, separation: Any, scale: Any) -> "Settings":
        """Return the settings that these arguments mean."""
        prototype = _separation(separation)
        if beta is not None and not hasattr(prototype, "beta"):
            raise OptionError(
                f"beta must be None, which leaves the separation as it is, because "
                f"{type(prototype).__name__} has no attribute beta, but is {short_repr(beta)}."
            )
        if isinstance(beta, str):
            check_choice("beta, if it is a word,", beta, ("auto",))
        elif beta is not None:
            prototype = with_parameters(prototype, beta=check_number("beta", beta, low=0.0))
        scales = (True, False) if isinstance(scale, str) else (_flag("scale", scale),)
        if isinstance(scale, str):
            check_choice("scale", scale, ("auto",))
        return cls(as_similarity(similarity), prototype, isinstance(beta, str), scales)


def plain(value: object) -> object:
    """Return a bool of NumPy, such as grids of parameters hold, as a bool."""
    return bool(value) if isinstance(value, np.bool_) else value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} must be True, False or 'auto', but is {short_repr(value)}.")
    return bool(value)


def _separation(value: object) -> Separation:
    if isinstance(value, Separation):
        return value
    return separation_named("separation, if it is a name,", value)
