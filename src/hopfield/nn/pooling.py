"""The layer whose learned queries read a set of patterns."""

import torch
from torch import Tensor, nn

from ..checks import check_float
from .association import HopfieldAssociation
from .compute import Association
from .input_checks import check_instance
from .masks import Masks
from .parameters import Device, checked_factory, reset_children, row_parameter


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
        nn.init.normal_(self.queries, generator=None)

    def forward(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Tensor:
        """Return `(batch, queries, out)`; the arguments are those of `HopfieldAssociation`."""
        masks = Masks.checked(padding_mask, association_mask, others)
        output: Tensor = self.association(
            self._queries(stored), stored, projected, **masks._asdict()
        )
        return output

    def describe(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Association:
        """Return the output with weights, energies and steps of each head, without dropout."""
        masks = Masks.checked(padding_mask, association_mask, others)
        return self.association.describe(
            self._queries(stored), stored, projected, **masks._asdict()
        )

    def _queries(self, stored: Tensor) -> Tensor:
        # A tensor without a batch axis is refused by the association.
        batch = stored.shape[0] if check_float("stored", stored).ndim else 1
        return self.queries.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """Return the number of queries."""
        return f"queries={len(self.queries)}"
