"""The layer whose learned queries read a set of patterns."""

from torch import Tensor, nn

from ..checks import check_float
from .association import HopfieldAssociation
from .compute import Association
from .input_checks import check_instance
from .parameters import row_parameter


class HopfieldPooling(nn.Module):
    """Learned queries read a set of patterns: a set of any size becomes a fixed number of rows.

    Args:
        association: the layer that reads.
        queries: number of queries, or their initial values, `(queries, dim)`.
    """

    def __init__(self, association: HopfieldAssociation, queries: int | Tensor = 1) -> None:
        """Draw the queries if their number is given."""
        super().__init__()
        check_instance("association", association, HopfieldAssociation, "HopfieldAssociation(dim)")
        self.association = association
        self.queries = row_parameter("queries", queries, association.query, association.dim)

    def forward(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """Return `(batch, queries, out)`; the arguments are those of `HopfieldAssociation`."""
        output: Tensor = self.association(
            self._queries(stored),
            stored,
            projected,
            padding_mask=padding_mask,
            association_mask=association_mask,
        )
        return output

    def describe(
        self,
        stored: Tensor,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Association:
        """Return the output with weights, energies and steps."""
        return self.association.describe(
            self._queries(stored),
            stored,
            projected,
            padding_mask=padding_mask,
            association_mask=association_mask,
        )

    def _queries(self, stored: Tensor) -> Tensor:
        # A tensor without a batch axis is refused by the association.
        batch = len(stored) if check_float("stored", stored).ndim else 1
        return self.queries.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """Return the number of queries."""
        return f"queries={len(self.queries)}"
