"""The layer in which states read patterns that are given with them."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import pad

from ..checks import check_flag, check_float, check_integer, check_number, say
from ..errors import InputTypeError, OptionError, ShapeError
from ..separation import Separation
from .fitting import check_fits
from .functional import ONCE, Association, associate, check, described
from .iteration import Iteration, check_iteration
from .rule import Rule, Separator
from .visible import Visible, both


@dataclass(frozen=True)
class Projections:
    """What brings states, stored and projected patterns into the space of association, and back.

    Each is a module from rows to rows: a Linear, a Sequential of LayerNorm and Linear, your own;
    Identity leaves them as they are. Rows of query and key are cut into heads of one width d,
    those of value into heads of any; `out` takes the heads side by side. None is
    Linear(dim, dim). Modules given to two layers are shared by them.

    Args:
        query: of the states.
        key: of the stored patterns.
        value: of the projected patterns.
        out: of what was read.
        norm: of each head's queries and keys, in the space of association; None leaves them.
        null: whether a pattern of zeros is stored besides, and reads as zeros: what states find
            that are like no other.
    """

    query: nn.Module | None = None
    key: nn.Module | None = None
    value: nn.Module | None = None
    out: nn.Module | None = None
    norm: nn.Module | None = None
    null: bool = False

    def __post_init__(self) -> None:
        """Check them."""
        for name in ("query", "key", "value", "out", "norm"):
            given = getattr(self, name)
            if not (given is None or isinstance(given, nn.Module)):
                raise InputTypeError(
                    f"{name} must be a torch.nn.Module or None, but is {say(given)}. "
                    "Use for instance torch.nn.Linear, or torch.nn.Identity() for none."
                )
        check_flag("null", self.null)


LINEAR = Projections()


class HopfieldAssociation(nn.Module):
    """States read stored patterns, and bring back the projected ones that belong to them.

    Per head, with q, k, v the projections:  q ← kᵀ∇F(β k q), `steps − 1` times;  vᵀ∇F(β k q).
    With the defaults that is multi-head attention (Ramsauer et al. 2021, eq. 10).

    Args:
        dim: length of a state; None where every projection is given.
        heads: how many associations, side by side.
        separation: "softmax", "sparsemax" or "entmax" at β = 1/√d; or a `Separation` with its
            own β: a number, or a tensor with one for each head. A tensor that requires grad
            becomes a parameter, β positive and α in its range by construction.
        iteration: how many softmaxes, when a query stops, what gradients see.
        projections: into the space of association and back.
        dropout: share of the weights dropped in training. It leaves the fast way: all weights are
            then in memory at once.
    """

    def __init__(
        self,
        dim: int | None,
        heads: int = 1,
        separation: Separation | str = "softmax",
        iteration: Iteration = ONCE,
        projections: Projections = LINEAR,
        dropout: float = 0.0,
    ) -> None:
        """Make what was not given."""
        super().__init__()
        self.dim = None if dim is None else check_integer("dim", dim, low=1)
        self.heads = check_integer("heads", heads, low=1)
        self.iteration = check_iteration(iteration)
        self.dropout = check_number("dropout", dropout, low=0.0, high=1.0)
        self.separator = Separator(separation, heads)
        if not isinstance(projections, Projections):
            raise InputTypeError(
                f"projections must be Projections, but is {say(projections)}. "
                "Use for instance Projections(query=torch.nn.Linear(dim, dim))."
            )
        self.query = self._or_linear(projections.query)
        self.key = self._or_linear(projections.key)
        self.value = self._or_linear(projections.value)
        self.out = self._or_linear(projections.out)
        self.norm = nn.Identity() if projections.norm is None else projections.norm
        self.null = projections.null

    def _or_linear(self, given: nn.Module | None) -> nn.Module:
        if given is not None:
            return given
        if self.dim is None or self.dim % self.heads:
            raise OptionError(
                f"dim={self.dim} must be a multiple of heads={self.heads} where a projection is "
                "not given. Change one of them, or give all projections."
            )
        return nn.Linear(self.dim, self.dim)

    def forward(
        self,
        state: Tensor,
        stored: Tensor | None = None,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """What the states read, `(batch, m, out)`.

        Args:
            state: `(batch, m, dim)`.
            stored: `(batch, n, stored)`; None: the states themselves.
            projected: `(batch, n, projected)`; None: the stored patterns.
            padding_mask: `(batch, n)`, True for patterns to be ignored.
            association_mask: `(m, n)`, `(batch, m, n)` or `(batch, heads, m, n)`, True where a
                state ignores a pattern. For a state that may read none, zeros: no bias of `out`.
        """
        rule, parts, visible = self._prepared(
            state, stored, projected, padding_mask, association_mask
        )
        dropout = self.dropout if self.training else 0.0
        return self._joined(associate(rule, *parts, visible, self.iteration, dropout), visible)

    def describe(
        self,
        state: Tensor,
        stored: Tensor | None = None,
        projected: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Association:
        """The same with weights, energies and steps of each head, and without dropout."""
        rule, parts, visible = self._prepared(
            state, stored, projected, padding_mask, association_mask
        )
        found = described(rule, *parts, visible, self.iteration)
        output = self._joined(found.output, visible)
        return Association(output, found.weights, found.energies, found.steps)

    def _prepared(
        self,
        state: Tensor,
        stored: Tensor | None,
        projected: Tensor | None,
        padding_mask: Tensor | None,
        association_mask: Tensor | None,
    ) -> tuple[Rule, tuple[Tensor, Tensor, Tensor], Visible | None]:
        """The rule, queries, keys and values by head, and what is visible."""
        stored = state if stored is None else stored
        projected = stored if projected is None else projected
        for name, value in (("state", state), ("stored", stored), ("projected", projected)):
            if check_float(name, value).ndim != 3:
                raise ShapeError(
                    f"{name} must have shape (batch, rows, length), but has shape "
                    f"{tuple(value.shape)}. Use {name}[None] for a single entry of a batch."
                )
        query = self._normed(self._by_head("query", "state", state))
        key = self._normed(self._by_head("key", "stored", stored))
        value = self._by_head("value", "projected", projected)
        mask = both(padding_mask, association_mask, query.shape[2], key.shape[2])
        if self.null:
            key, value = (pad(rows, (0, 0, 0, 1)) for rows in (key, value))
            mask = None if mask is None else pad(mask, (0, 1))
        check(query, key, value, mask, 0.0)
        visible = None if mask is None else Visible.of(mask)
        return self.separator(), (query, key, value), visible

    def _by_head(self, name: str, given: str, rows: Tensor) -> Tensor:
        """`(batch, rows, length)`, projected → `(batch, heads, rows, width)`."""
        module: nn.Module = getattr(self, name)
        rows = module(check_fits(given, rows, module, "its projection"))
        if rows.shape[-1] % self.heads:
            raise ShapeError(
                f"the {name} projection must give rows whose length is a multiple of "
                f"heads={self.heads}, but gives {rows.shape[-1]}. Change one of them."
            )
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _normed(self, rows: Tensor) -> Tensor:
        """Queries or keys of each head, normalised where that is asked for."""
        normed: Tensor = self.norm(check_fits("a head's query or key", rows, self.norm, "norm"))
        return normed

    def _joined(self, read: Tensor, visible: Visible | None) -> Tensor:
        """`(batch, heads, m, width)` → `(batch, m, out)`; 0 where no head may read anything."""
        rows = read.transpose(1, 2).flatten(2)
        joined: Tensor = self.out(check_fits("what the heads read", rows, self.out, "out"))
        if visible is None or self.null:  # the null pattern may always be read
            return joined
        return joined.masked_fill(visible.none.all(1), 0.0)

    def extra_repr(self) -> str:
        """What is computed."""
        steps = self.iteration.steps
        times = f"q ← kᵀ∇F(βkq) × {steps - 1}, then " if steps > 1 else ""
        until = f", tol={self.iteration.tol:g}" if self.iteration.tol else ""
        gradient = f", gradient={self.iteration.gradient!r}" if steps > 1 else ""
        drop = f", dropout={self.dropout:g}" if self.dropout else ""
        null = ", null pattern" if self.null else ""
        return f"{times}vᵀ∇F(βkq), heads={self.heads}{until}{gradient}{drop}{null}"
