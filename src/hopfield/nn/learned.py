"""Layers with queries, or memories, of their own that are learned."""

import torch
from torch import Tensor, nn

from ..checks import check_flag, check_float, check_integer, check_patterns, say
from ..errors import InputTypeError, OptionError, ShapeError
from .association import HopfieldAssociation
from .fitting import check_fits, width_of
from .functional import Association


class HopfieldPooling(nn.Module):
    """Learned queries read a set of patterns: sets of any size to a fixed number of rows.

    Args:
        association: how they read.
        queries: how many, or those to begin with, `(queries, dim)`.
    """

    def __init__(self, association: HopfieldAssociation, queries: int | Tensor = 1) -> None:
        """Draw the queries."""
        super().__init__()
        self.association = _check_association(association)
        self.queries = _rows("queries", queries, association.query, association.dim)

    def forward(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """What the queries read, `(batch, queries, out)`; arguments as of `HopfieldAssociation`."""
        found: Tensor = self.association(
            self._queries(stored),
            stored,
            projected,
            padding_mask=padding_mask,
            association_mask=association_mask,
        )
        return found

    def describe(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Association:
        """The same with weights, energies and steps."""
        return self.association.describe(
            self._queries(stored),
            stored,
            projected,
            padding_mask=padding_mask,
            association_mask=association_mask,
        )

    def _queries(self, stored: Tensor) -> Tensor:
        return self.queries.expand(_entries("stored", stored), -1, -1)

    def extra_repr(self) -> str:
        """How many queries."""
        return f"queries={len(self.queries)}"


class HopfieldLookup(nn.Module):
    """States read learned memories, and bring back the learned values that belong to them.

    Args:
        association: how they read.
        memories: how many, or those to begin with, `(n, stored)`: some of the training data, say.
        values: True learns as many, as long as their projection takes them, or as memories are; a
            tensor `(n, projected)` is what they begin with. False reads the memories themselves.
    """

    def __init__(
        self,
        association: HopfieldAssociation,
        memories: int | Tensor,
        values: bool | Tensor = True,
    ) -> None:
        """Draw memories and values."""
        super().__init__()
        self.association = _check_association(association)
        self.memories = _rows("memories", memories, association.key, association.dim)
        self.values: nn.Parameter | None = None
        count, width = self.memories.shape
        if isinstance(values, Tensor):
            self.values = _rows("values", values, association.value, None)
        elif check_flag("values", values):
            self.values = _rows("values", count, association.value, width)
        else:
            check_fits("memories, as values,", self.memories, association.value, "their projection")
        if self.values is not None and len(self.values) != len(self.memories):
            raise ShapeError(
                f"values must have one row for each of the {len(self.memories)} memories, but "
                f"have shape {tuple(self.values.shape)}. Give as many."
            )

    def forward(
        self,
        state: Tensor,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """What the states read, `(*batch, out)`.

        Args:
            state: `(*batch, dim)`; `(batch, m, dim)` with a mask.
            padding_mask: `(batch, n)`, True for memories to be ignored.
            association_mask: as of `HopfieldAssociation`.
        """
        free = padding_mask is None and association_mask is None
        given = self._given(state, free)
        found: Tensor = self.association(
            *given, padding_mask=padding_mask, association_mask=association_mask
        )
        return found.reshape(*state.shape[:-1], found.shape[-1]) if free else found

    def describe(
        self,
        state: Tensor,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Association:
        """The same with weights, energies and steps, whose heads stand before the rows m.

        For states `(*batch, m, dim)`: weights `(*batch, heads, m, n)`, energies
        `(states, *batch, heads, m)`. A single state `(dim,)` has no axis m.
        """
        free = padding_mask is None and association_mask is None
        given = self._given(state, free)
        found = self.association.describe(
            *given, padding_mask=padding_mask, association_mask=association_mask
        )
        if not free:
            return found
        batch = state.shape[:-1]

        def apart(each: Tensor) -> Tensor:
            """Of all rows `(1, heads, rows, …)` → `(*batch, heads, m, …)`."""
            each = each.transpose(0, 1)
            each = each.reshape(len(each), *batch, each.shape[-1])
            return each.movedim(0, -3) if batch else each

        return Association(
            output=found.output.reshape(*batch, found.output.shape[-1]),
            weights=apart(found.weights),
            energies=apart(found.energies.movedim(0, -1)).movedim(-1, 0),
            steps=apart(found.steps[..., None])[..., 0],
        )

    def _given(self, state: Tensor, free: bool) -> tuple[Tensor, Tensor, Tensor]:
        """States, memories and values for the association; states without masks as one entry."""
        if check_float("state", state).ndim == 0:
            raise ShapeError("state must have shape (*batch, dim), but is one number. Give rows.")
        if not free:
            return state, *self._stored(len(state))
        # One memory serves all: as states of one entry of a batch it is read once.
        shape = (1, -1) if state.numel() else (0, 1)
        return state.reshape(*shape, state.shape[-1]), *self._stored(shape[0])

    def _stored(self, batch: int) -> tuple[Tensor, Tensor]:
        """Memories and values for each entry of a batch."""
        values = self.memories if self.values is None else self.values
        return self.memories.expand(batch, -1, -1), values.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """How many memories, and what they bring back."""
        return f"memories={len(self.memories)}, values={self.values is not None}"


def _entries(name: str, rows: Tensor) -> int:
    """How many entries a batch has; the association refuses what is none."""
    return len(rows) if check_float(name, rows).ndim else 1


def _rows(name: str, given: int | Tensor, projection: nn.Module, dim: int | None) -> nn.Parameter:
    """Rows to be learned: those given, or so many normal ones, by torch's global generator.

    The normal ones are as long as their projection takes them, or `dim` where it takes any.
    """
    if isinstance(given, Tensor):
        rows = check_patterns(name, given.detach())
        return nn.Parameter(check_fits(name, rows, projection, "their projection").clone())
    width = width_of(projection) or dim
    if width is None:
        raise OptionError(
            f"{name} must be a tensor where the association has no dim of its own, but is "
            f"{say(given)}. Give the rows to begin with."
        )
    rows = torch.empty(check_integer(name, given, low=1), width)
    return nn.Parameter(nn.init.normal_(rows, generator=None))


def _check_association(value: object) -> HopfieldAssociation:
    if isinstance(value, HopfieldAssociation):
        return value
    raise InputTypeError(
        f"association must be a HopfieldAssociation, but is {say(value)}. "
        "Use HopfieldAssociation(dim, heads)."
    )
