"""The layer whose learned queries read a set of patterns."""

from typing import Unpack

from torch import Tensor, nn

from ..checks import check_float
from .association import HopfieldAssociation
from .compute import Association
from .input_checks import check_instance
from .masks import Masks
from .parameters import row_parameter


class HopfieldPooling(nn.Module):
    """Learned queries read a set of patterns, so that sets of any size give equally many rows.

    Args:
        association: the layer by which queries read patterns.
        queries: number of queries, or their initial values, `(queries, dim)`.
    """

    def __init__(self, association: HopfieldAssociation, queries: int | Tensor = 1) -> None:
        super().__init__()
        check_instance("association", association, HopfieldAssociation, "HopfieldAssociation(dim)")
        self.association = association
        self.queries = row_parameter("queries", queries, association.query, association.dim)

    def forward(
        self, stored: Tensor, projected: Tensor | None = None, **masks: Unpack[Masks]
    ) -> Tensor:
        """Return `(batch, queries, out)`; the arguments are those of `HopfieldAssociation`."""
        output: Tensor = self.association(self._queries(stored), stored, projected, **masks)
        return output

    def describe(
        self, stored: Tensor, projected: Tensor | None = None, **masks: Unpack[Masks]
    ) -> Association:
        """Return the output with weights, energies and steps of each head, without dropout."""
        return self.association.describe(self._queries(stored), stored, projected, **masks)

    def _queries(self, stored: Tensor) -> Tensor:
        # A tensor without a batch axis is refused by the association.
        batch = len(stored) if check_float("stored", stored).ndim else 1
        return self.queries.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """Return the number of queries."""
        return f"queries={len(self.queries)}"
