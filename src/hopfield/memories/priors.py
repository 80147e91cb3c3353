"""The prior of each pattern: how often it counts, 1 by default."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import short_repr
from ..errors import OptionError, ShapeError
from ..inputs.indices import check_indices
from ..separation.prior import check_prior
from ..stores.annotations import Annotations
from .entries import listed
from .hooks import argument_text
from .naming import chosen_rows

if TYPE_CHECKING:
    from .contents import Contents


def new_prior(memory: "Contents", prior: object, rows: Tensor) -> Tensor | None:
    """Return the checked prior of patterns to be stored; None if each counts once."""
    if prior is None:
        return None
    _check_takes_prior(memory)
    numbers = check_prior(prior, len(rows), rows.device)
    before = memory.storage.prior
    total = float(len(memory) if before is None else before.sum()) + float(numbers.sum())
    memory.check_new(rows, int(total))
    return None if before is None and bool((numbers == 1).all()) else numbers


def set_prior(memory: "Contents", names: object, prior: object) -> None:
    """Set the prior of the patterns of these names, or at these indices; None means all."""
    _check_takes_prior(memory)
    store = memory.storage
    places, which = _places(memory, names)
    count = int(which.max()) + 1
    numbers = check_prior(prior, count, store.device)[which.to(store.device)]
    annotations = store.annotations or Annotations(len(memory))
    changed = annotations.full_prior(numbers).clone()
    changed[places.to(store.device)] = numbers
    memory.check_new(store.take(torch.zeros(1, dtype=torch.long)), int(changed.sum()))
    everywhere_one = bool((changed == 1).all())
    annotations = replace(annotations, prior=None if everywhere_one else changed)
    store.annotate(None if annotations.is_empty else annotations)


def _places(memory: "Contents", names: object) -> tuple[Tensor, Tensor]:
    # Returns the rows, and for each row the position of its name or index in `names`.
    if names is None:
        places = torch.arange(len(memory))
        return places, places
    if isinstance(names, (str, int)):
        names = [names]
    given = listed("names", names)
    if not given:
        raise ShapeError("names must hold at least one name or index, but are empty.")
    stored = memory.names
    if stored is None or (isinstance(stored[0], str) and not isinstance(given[0], str)):
        check_indices(given, len(memory))
        given = [index % len(memory) for index in given]
        _check_distinct("indices", given)
        return torch.tensor(given), torch.arange(len(given))
    _check_distinct("names", given)
    rows = torch.tensor(chosen_rows(memory.storage, None, given))
    order = {name: place for place, name in enumerate(given)}
    return rows, torch.tensor([order[stored[row]] for row in rows.tolist()])


def _check_distinct(argument: str, entries: list[Any]) -> None:
    for place, entry in enumerate(entries):
        if isinstance(entry, (str, int)) and entry in entries[:place]:
            raise OptionError(
                f"{argument} must differ, since each has one prior, but {short_repr(entry)} is "
                "given twice. Leave one out."
            )


def _check_takes_prior(memory: "Contents") -> None:
    if memory.takes_prior:
        return
    separation, rule = (getattr(memory, name, None) for name in ("separation", "rule"))
    advice = "A network of your own states takes_prior = True, and counts its patterns so."
    if rule is not None:
        text = argument_text(rule)
        advice = f"rule={text} is no sum over patterns: use 'hebbian' or 'covariance'."
    elif separation is not None:
        name = type(separation).__name__
        advice = f"Set {name}.takes_prior = True, and let both its methods take (scores, prior)."
    raise OptionError(f"prior must be left out: {memory!r} counts every pattern once. {advice}")
