"""The layer whose states and stored patterns are both inputs, such as self-attention."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..checks import check_flag, check_float, check_integer, check_number
from ..errors import OptionError, ShapeError
from ..separation import Separation
from .compute import Association, Operands, associate_in_detail
from .input_checks import check_association, check_instance, project
from .iteration import ONE_STEP, Iteration
from .masks import Masks, combine_masks
from .parameters import Device, Factory, checked_factory, reset_children
from .scaled_separation import ScaledSeparation, SeparationModule
from .window import Window
from .windowed import associate_in_window, check_window, empty_states, with_whole_window


@dataclass(frozen=True)
class Projections:
    """Modules that map states and patterns to heads, and the heads to the output.

    Each module maps rows to rows, for instance a Linear, or a Sequential of LayerNorm and Linear.
    Identity leaves rows unchanged; None is Linear(dim, dim). Rows of query and key are split into
    heads of equal width d, and rows of value into heads of any width. `out` maps the
    concatenated heads. A module given to two layers is shared by them.

    Args:
        query: for the states.
        key: for the stored patterns.
        value: for the projected patterns.
        out: for the concatenated heads.
        norm: for the query and key of each head; None leaves them unchanged.
        null: True adds a stored pattern of zeros whose projected pattern is zeros, for states
            that resemble no other pattern.
    """

    query: nn.Module | None = None
    key: nn.Module | None = None
    value: nn.Module | None = None
    out: nn.Module | None = None
    norm: nn.Module | None = None
    null: bool = False

    def __post_init__(self) -> None:
        for name in ("query", "key", "value", "out", "norm"):
            if getattr(self, name) is not None:
                check_instance(name, getattr(self, name), nn.Module, "torch.nn.Linear(dim, dim)")
        check_flag("null", self.null)


LINEAR = Projections()


class HopfieldAssociation(nn.Module):
    """States read stored patterns and return weighted sums of the projected ones.

    In each head, with projections q, k and v:

        q ← kᵀ∇F(β k q), `steps − 1` times;   output = vᵀ∇F(β k q).

    The defaults are multi-head attention (Ramsauer et al. 2021, eq. 10).

    Args:
        dim: length of a state; None if all projections are given.
        heads: number of associations in parallel.
        separation: "softmax", "sparsemax", "entmax", "normmax" or "k_subsets" with β = 1/√d; or a
            `Separation` with its own β: a number, or a tensor with one entry per head. A tensor
            that requires grad becomes a learned parameter, with β > 0 and α in its range.
        iteration: number of softmaxes, stopping and differentiation.
        projections: modules before and after the heads.
        dropout: share of the weights that are set to 0 in training. All weights are then in
            memory at once.
        device: device of the weights that the layer makes; modules of `projections` keep theirs.
        dtype: dtype of these weights.
    """

    def __init__(
        self,
        dim: int | None,
        heads: int = 1,
        separation: Separation | str = "softmax",
        iteration: Iteration = ONE_STEP,
        projections: Projections = LINEAR,
        dropout: float = 0.0,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.dim = None if dim is None else check_integer("dim", dim, low=1)
        self.heads = check_integer("heads", heads, low=1)
        self.iteration = check_instance("iteration", iteration, Iteration, "Iteration(steps=3)")
        self.dropout = check_number("dropout", dropout, low=0.0, high=1.0)
        factory = checked_factory(device, dtype)
        self.separation = SeparationModule(separation, heads).to(**factory)
        check_instance("projections", projections, Projections, "Projections(out=Identity())")
        self.query = self._or_linear(projections.query, factory)
        self.key = self._or_linear(projections.key, factory)
        self.value = self._or_linear(projections.value, factory)
        self.out = self._or_linear(projections.out, factory)
        self.norm = nn.Identity() if projections.norm is None else projections.norm
        self.null = projections.null

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator; β and α as they were given."""
        reset_children(self)

    def _or_linear(self, module: nn.Module | None, factory: Factory) -> nn.Module:
        if module is not None:
            return module
        if self.dim is None or self.dim % self.heads:
            raise OptionError(
                f"dim={self.dim} must be a multiple of heads={self.heads} where a projection is "
                "not given. Change one of them, or give all projections."
            )
        return nn.Linear(self.dim, self.dim, **factory)

    def forward(
        self,
        state: Tensor,
        stored: Tensor | None = None,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        window: Window | None = None,
        **others: Tensor | None,
    ) -> Tensor:
        """Return the output, `(batch, m, out)`.

        Args:
            state: `(batch, m, dim)`.
            stored: `(batch, n, stored)`; None: the states.
            projected: `(batch, n, projected)`; None: the stored patterns.
            padding_mask: `(batch, n)`, True for patterns that all states ignore.
            association_mask: `(m, n)`, `(batch, m, n)` or `(batch, heads, m, n)`, True where a
                state ignores a pattern; or numbers that are added to the scores βkq, such as
                relative positions, with −∞ to ignore. The output is 0, without the bias of the
                output projection, for a state that ignores all.
            window: positions near its own that a state reads; other pairs are not computed.
            others: none; a mask by a name of torch's attention is refused with its name here.
        """
        masks = Masks.checked(padding_mask, association_mask, others)
        operands, window = self._project(state, stored, projected, masks, window)
        output = associate_in_window(operands, window, self.dropout if self.training else 0.0)
        return self._merge_heads(output, empty_states(operands, window))

    def describe(
        self,
        state: Tensor,
        stored: Tensor | None = None,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
        window: Window | None = None,
        **others: Tensor | None,
    ) -> Association:
        """Return the output with weights, energies and steps of each head, without dropout."""
        masks = Masks.checked(padding_mask, association_mask, others)
        operands = with_whole_window(*self._project(state, stored, projected, masks, window))
        result = associate_in_detail(operands)
        return replace(
            result, output=self._merge_heads(result.output, empty_states(operands, None))
        )

    def _project(
        self,
        state: Tensor,
        stored: Tensor | None,
        projected: Tensor | None,
        masks: Masks,
        window: Window | None,
    ) -> tuple[Operands, Window | None]:
        stored = state if stored is None else stored
        projected = stored if projected is None else projected
        query = self._split_heads("query", "state", state)
        key = self._split_heads("key", "stored", stored)
        value = self._split_heads("value", "projected", projected)
        query, key = (
            project("a head's query or key", rows, self.norm, "norm") for rows in (query, key)
        )
        ignored, bias = combine_masks(masks, query.shape[2], key.shape[2])
        if self.null:
            key, value = (pad(rows, (0, 0, 0, 1)) for rows in (key, value))
            ignored = None if ignored is None else pad(ignored, (0, 1))
            bias = None if bias is None else pad(bias, (0, 1))
        check_association(query, key, value, ignored, 0.0)
        separation: ScaledSeparation = self.separation()
        mask = separation.mask(ignored, bias)
        operands = Operands(separation, query, key, value, mask, self.iteration)
        if self.null and window is not None:
            raise OptionError("window excludes Projections(null=True): it has no position.")
        return operands, check_window(window, operands)

    def _split_heads(self, name: str, source: str, rows: Tensor) -> Tensor:
        """Project `(batch, rows, length)` to `(batch, heads, rows, width)`."""
        if check_float(source, rows).ndim != 3:
            raise ShapeError(
                f"{source} must have shape (batch, rows, length), but has shape "
                f"{tuple(rows.shape)}. Use {source}[None] for a single entry of a batch."
            )
        module: nn.Module = getattr(self, name)
        rows = project(source, rows, module, "its projection")
        if rows.shape[-1] % self.heads:
            raise ShapeError(
                f"the {name} projection must return rows whose length is a multiple of "
                f"heads={self.heads}, but returns {rows.shape[-1]}."
            )
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _merge_heads(self, heads: Tensor, empty: Tensor | None) -> Tensor:
        """Map `(batch, heads, m, width)` to `(batch, m, out)`; 0 if no head may read a pattern."""
        rows = heads.transpose(1, 2).flatten(2)
        output = project("the concatenated heads", rows, self.out, "out")
        if empty is None or self.null:  # the null pattern is always visible
            return output
        return output.masked_fill(empty.all(1), 0.0)

    def extra_repr(self) -> str:
        """Return the formula of the layer, and its options."""
        steps = self.iteration.steps
        updates = f"q ← kᵀ∇F(βkq) × {steps - 1}, then " if steps > 1 else ""
        tol = f", tol={self.iteration.tol:g}" if self.iteration.tol else ""
        gradient = f", gradient={self.iteration.gradient!r}" if steps > 1 else ""
        dropout = f", dropout={self.dropout:g}" if self.dropout else ""
        null = ", null pattern" if self.null else ""
        return f"{updates}vᵀ∇F(βkq), heads={self.heads}{tol}{gradient}{dropout}{null}"
