"""The layer whose learned queries read a set of patterns."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..checks import check_float, is_traced
from ..errors import OptionError, ShapeError
from .association import HopfieldAssociation
from .bags import pad_bags
from .compute import Association
from .input_checks import check_instance
from .masks import Masks
from .parameters import Device, checked_factory, draw_rows, reset_children, row_parameter

Bags = Tensor | Sequence[Tensor]
"""Patterns `(batch, n, length)`; one bag `(n, length)`; or bags of different lengths."""


class HopfieldPooling(nn.Module):
    """Learned queries read a set of patterns, so that sets of any size give equally many rows.

    Args:
        association: the layer by which queries read patterns.
        queries: number of queries, or their initial values, `(queries, dim)`.
        device: device of the queries; None: that of their projection.
        dtype: dtype of the queries; None: that of their projection.
    """

    def __init__(
        self,
        association: HopfieldAssociation,
        queries: int | Tensor = 1,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_instance("association", association, HopfieldAssociation, "HopfieldAssociation(dim)")
        self.association = association
        factory = checked_factory(device, dtype)
        self.queries = row_parameter(
            "queries", queries, association.query, association.dim, factory
        )

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator, also rows that were given."""
        reset_children(self)
        draw_rows(self.queries)

    def forward(
        self,
        stored: Bags,
        projected: Bags | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Tensor:
        """Return `(batch, queries, out)`, or `(queries, out)` for one bag.

        Args:
            stored: `(batch, n, length)`; one bag `(n, length)`; or bags of different lengths, as
                a list of tensors `(n_i, length)` or a nested tensor.
            projected: in the form of `stored`; None: the stored patterns.
            padding_mask: as in `HopfieldAssociation`; for one bag `(n,)`.
            association_mask: as in `HopfieldAssociation`; the states are the queries.
            others: none.
        """
        masks = Masks.checked(padding_mask, association_mask, others)
        is_one, stored, projected, masks = _batched(stored, projected, masks)
        output: Tensor = self.association(
            self._queries(stored), stored, projected, **masks._asdict()
        )
        return output[0] if is_one else output

    def describe(
        self,
        stored: Bags,
        projected: Bags | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Association:
        """Return the output with weights, energies and steps of each head, without dropout.

        For one bag, nothing has an axis of the batch.
        """
        masks = Masks.checked(padding_mask, association_mask, others)
        is_one, stored, projected, masks = _batched(stored, projected, masks)
        result = self.association.describe(
            self._queries(stored), stored, projected, **masks._asdict()
        )
        if not is_one:
            return result
        return Association(
            output=result.output[0],
            weights=result.weights[0],
            energies=result.energies[:, 0],
            steps=result.steps[0],
        )

    def _queries(self, stored: Tensor) -> Tensor:
        # A tensor without a batch axis is refused by the association.
        batch = stored.shape[0] if stored.ndim else 1
        return self.queries.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """Return the number of queries."""
        return f"queries={len(self.queries)}"


def _batched(
    stored: Bags, projected: Bags | None, masks: Masks
) -> tuple[bool, Tensor, Tensor | None, Masks]:
    """Return True for one bag, then patterns with a batch axis and the masks."""
    if not isinstance(stored, Tensor) or stored.is_nested:
        if masks.padding_mask is not None:
            raise OptionError("padding_mask follows from the lengths of a list of bags: leave it.")
        rows, padding = pad_bags(stored)
        values, ends = (None, padding) if projected is None else pad_bags(projected)
        if not (values is None or is_traced() or torch.equal(ends, padding)):
            raise ShapeError("stored and projected must be bags of the same lengths, in order.")
        return False, rows, values, masks._replace(padding_mask=padding)
    value = None if projected is None else check_float("projected", projected)
    if check_float("stored", stored).ndim != 2:
        return False, stored, value, masks
    if masks.padding_mask is not None and masks.padding_mask.ndim == 1:
        masks = masks._replace(padding_mask=masks.padding_mask[None])
    return True, stored[None], None if value is None else value[None], masks
