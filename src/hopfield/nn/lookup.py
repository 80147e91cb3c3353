"""The layer whose states read learned memories."""

import torch
from torch import Tensor, nn

from ..checks import check_flag, check_float
from ..errors import ShapeError
from .association import HopfieldAssociation
from .compute import Association
from .input_checks import check_instance, check_width
from .masks import Masks
from .parameters import Device, checked_factory, draw_rows, reset_children, row_parameter

SPREAD = -0.25
"""Exponent of the length in the initial standard deviation of memories.

At 0 the scores are so far apart that one memory can win all states; at −½, where memories have
norms near 1, they are nearly equal, and training with β = 1/√d begins slowly.
"""


class HopfieldLookup(nn.Module):
    """States read learned memories and return weighted sums of the learned values.

    Memories start from N(0, 1/√length) and values from N(0, 1). A state then reads many memories
    at first, so that all of them learn. With a large β, or longer memories, one memory may win all
    states, and the others learn nothing.

    Args:
        association: the layer by which states read memories.
        memories: number of memories, or their initial rows, `(n, stored)`, for instance some of
            the training data, which is the start for a large β.
        values: True learns one value per memory. Its length is the input width of the value
            projection, or that of a memory if the projection does not fix it. A tensor
            `(n, projected)` gives the initial values. False reads the memories as values.
        device: device of memories and values; None: that of their projections.
        dtype: dtype of memories and values; None: that of their projections.
    """

    def __init__(
        self,
        association: HopfieldAssociation,
        memories: int | Tensor,
        values: bool | Tensor = True,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_instance("association", association, HopfieldAssociation, "HopfieldAssociation(dim)")
        self.association = association
        factory = checked_factory(device, dtype)
        key, value = association.key, association.value
        self.memories = row_parameter("memories", memories, key, association.dim, factory, SPREAD)
        self.values: nn.Parameter | None = None
        count, width = self.memories.shape
        if isinstance(values, Tensor):
            self.values = row_parameter("values", values, value, None, factory)
        elif check_flag("values", values):
            self.values = row_parameter("values", count, value, width, factory)
        else:
            check_width("memories, as values,", self.memories, value, "its projection")
        if self.values is not None and len(self.values) != len(self.memories):
            raise ShapeError(
                f"values must have one row for each of the {len(self.memories)} memories, but "
                f"have shape {tuple(self.values.shape)}."
            )

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator, also rows that were given."""
        reset_children(self)
        draw_rows(self.memories, SPREAD)
        if self.values is not None:
            draw_rows(self.values)

    def forward(
        self,
        state: Tensor,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Tensor:
        """Return the output, `(*batch, out)`.

        Args:
            state: `(*batch, dim)`; with a mask `(batch, m, dim)`.
            padding_mask: as in `HopfieldAssociation`; the patterns are the memories.
            association_mask: as in `HopfieldAssociation`.
            others: none.
        """
        masks = Masks.checked(padding_mask, association_mask, others)
        output: Tensor = self.association(*self._expand(state, masks), **masks._asdict())
        if _is_any_given(masks):
            return output
        return output.reshape(*state.shape[:-1], output.shape[-1])

    def describe(
        self,
        state: Tensor,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        **others: Tensor | None,
    ) -> Association:
        """Return the output with weights, energies and steps of each head, without dropout.

        For states `(*batch, m, dim)`, weights are `(*batch, heads, m, n)` and energies
        `(states, *batch, heads, m)`. A single state `(dim,)` has no axis m.
        """
        masks = Masks.checked(padding_mask, association_mask, others)
        result = self.association.describe(*self._expand(state, masks), **masks._asdict())
        if _is_any_given(masks):
            return result
        batch = state.shape[:-1]

        def unfold(rows: Tensor) -> Tensor:
            """Reshape `(1, heads, rows, …)` to `(*batch, heads, m, …)`."""
            rows = rows.transpose(0, 1)
            rows = rows.reshape(rows.shape[0], *batch, rows.shape[-1])
            return rows.movedim(0, -3) if batch else rows

        return Association(
            output=result.output.reshape(*batch, result.output.shape[-1]),
            weights=unfold(result.weights),
            energies=unfold(result.energies.movedim(0, -1)).movedim(-1, 0),
            steps=unfold(result.steps[..., None])[..., 0],
        )

    def _expand(self, state: Tensor, masks: Masks) -> tuple[Tensor, Tensor, Tensor]:
        if check_float("state", state).ndim == 0:
            raise ShapeError("state must have shape (*batch, dim), but is one number.")
        if not _is_any_given(masks):
            # As rows of one entry of a batch, all states read one copy of the memories.
            shape = (1, -1) if state.numel() else (0, 1)
            state = state.reshape(*shape, state.shape[-1])
        values = self.memories if self.values is None else self.values
        batch = state.shape[0]  # len() would fix the size in torch.export
        return state, self.memories.expand(batch, -1, -1), values.expand(batch, -1, -1)

    def extra_repr(self) -> str:
        """Return the number of memories."""
        return f"memories={len(self.memories)}, values={self.values is not None}"


def _is_any_given(masks: Masks) -> bool:
    return any(mask is not None for mask in masks)
