"""A lookup of very many memories, whose keys are all pairs of two short lists."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from ..checks import check_flag, check_float, check_integer, is_traced
from ..errors import ShapeError
from ..separation import Separation
from .inner_graph import InnerGraph
from .input_checks import project
from .masks import inner_products, masked_scores
from .parameters import Device, checked_factory, reset_children
from .scaled_separation import SeparationModule


@dataclass(frozen=True, eq=False)
class ProductKeyMatches:
    """The memories that states read, best first.

    Attributes:
        index: their places among the n memories, `(*batch, heads, k)`.
        weight: their weights, which sum to one, `(*batch, heads, k)`.
    """

    index: Tensor
    weight: Tensor


class ProductKeyLookup(nn.Module):
    """States read the k best of n = m² memories, found by 2m half keys (Lample et al. 2019).

    In each head the key of memory (i, j) is a_i beside b_j, so its score is a sum over both halves
    of the query, and weights are those of a separation over the k best scores:

        s_ij = a_i·q₁ + b_j·q₂,    output = Σ_heads Σ_{(i, j) of the k best} ∇F(βs)_ij v_ij.

    The k best of all n are found exactly. Order the a_i by a_i·q₁ and the b_j by b_j·q₂. A memory
    with ranks r and c scores no better than the r·c memories with ranks up to r and c, itself
    among them. So only memories with r·c ≤ k can be among the k best.

    Args:
        dim: length of a state and of a value.
        memories: number n of memories, a square.
        heads: number of lookups in parallel; they share the values. dim must be a multiple of
            2 · heads.
        k: number of memories that each head of a state reads. A separation that gives more than k
            memories a weight is cut to the k best; k = memories reads all.
        separation: as in `HopfieldAssociation`.
        sparse: True gives `values` sparse gradients, for `torch.optim.SparseAdam` or SGD; False
            dense ones, which take time and memory for all n.
        device: device of the weights.
        dtype: dtype of the weights.
    """

    def __init__(
        self,
        dim: int,
        memories: int,
        heads: int = 1,
        k: int = 32,
        separation: Separation | str = "softmax",
        sparse: bool = False,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.dim = check_integer("dim", dim, low=2)
        self.heads = check_integer("heads", heads, low=1)
        if dim % (2 * heads):
            raise ShapeError(f"dim={dim} must be a multiple of 2 · heads={2 * heads}.")
        count = check_integer("memories", memories, low=1)
        rows = math.isqrt(count)
        if rows**2 != count:
            raise ShapeError(
                f"memories must be a square m², but is {count}. Use {rows**2} or {(rows + 1) ** 2}."
            )
        self.k = check_integer("k", k, low=1, high=count)
        check_flag("sparse", sparse)
        factory = checked_factory(device, dtype)
        self.separation = SeparationModule(separation, heads).to(**factory)
        self.query = nn.Linear(dim, dim, **factory)
        self.keys = nn.Parameter(torch.empty(2, heads, rows, dim // (2 * heads), **factory))
        # DistributedDataParallel expects sparse gradients of embeddings alone.
        empty = torch.empty(count, dim, **factory)
        self.values = nn.EmbeddingBag(count, dim, mode="sum", sparse=sparse, _weight=empty)
        self._reset_rows()

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator; β and α as they were given."""
        reset_children(self.separation)
        self.query.reset_parameters()
        self._reset_rows()

    def _reset_rows(self) -> None:
        nn.init.normal_(self.keys, generator=None)
        nn.init.normal_(self.values.weight, std=self.dim**-0.5, generator=None)

    def forward(self, state: Tensor) -> Tensor:
        """Return the output, `(*batch, dim)`, for states `(*batch, dim)`."""
        index, weights = self._match(state)
        values = self.values.weight
        weights = weights.to(values.dtype)
        if is_traced():  # embedding_bag has no forward mode, and no form in ONNX
            output = _gathered_sum(index, weights, values)
        else:
            bag_sum = partial(_bag_sum, self.values.sparse)
            output = InnerGraph.apply(bag_sum, _gathered_sum, index, weights, values)
        return output.reshape(state.shape)

    def nearest(self, state: Tensor) -> ProductKeyMatches:
        """Return which memories states `(*batch, dim)` read, and their weights."""
        index, weights = (
            part.reshape(*state.shape[:-1], self.heads, self.k) for part in self._match(state)
        )
        return ProductKeyMatches(index, weights)

    def expanded_keys(self) -> Tensor:
        """Return the keys of all memories, `(heads, n, dim / heads)`."""
        first, second = self.keys
        pairs = torch.broadcast_tensors(first[:, :, None], second[:, None])
        return torch.cat(pairs, -1).flatten(1, 2)

    def _match(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return places and weights of the k best, `(rows, heads · k)`."""
        if check_float("state", state).ndim == 0 or state.shape[-1] != self.dim:
            raise ShapeError(
                f"state must have shape (*batch, {self.dim}), but has shape {tuple(state.shape)}."
            )
        # Rows before the projection: a BatchNorm1d would read a second axis as features.
        rows = project("state", state.reshape(-1, self.dim), self.query, "its projection")
        query = rows.unflatten(-1, (self.heads, -1)).transpose(0, 1)
        separation = self.separation()
        halves = (separation.scale(query) * query).unflatten(-1, (2, -1)).movedim(-2, 0)
        scores = masked_scores(inner_products(halves, self.keys), None)
        index, best = _best_pairs(scores, self.k)
        weights: Tensor = separation.unit(best)
        return index.transpose(0, 1).flatten(1), weights.transpose(0, 1).flatten(1)

    def extra_repr(self) -> str:
        """Return the formula of the layer, and its options."""
        return (
            f"v∇F(β(aq₁ + bq₂)), dim={self.dim}, "
            f"memories={self.values.num_embeddings}, heads={self.heads}, k={self.k}"
        )


def _best_pairs(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return places and sums of the k best pairs of scores `(2, *batch, m)`, `(*batch, k)`."""
    m = scores.shape[-1]
    values, places = scores.topk(min(k, m))
    ranks = [(r, c) for r in range(min(k, m)) for c in range(min(k // (r + 1), m))]
    first, second = torch.tensor(ranks, device=scores.device).unbind(-1)
    sums, order = (values[0][..., first] + values[1][..., second]).topk(k)
    row, column = places[0].gather(-1, first[order]), places[1].gather(-1, second[order])
    return row * m + column, sums


def _gathered_sum(index: Tensor, weights: Tensor, values: Tensor) -> Tensor:
    """Σ_j w_j v_j in plain torch code, which holds all values v_j in memory."""
    return (weights[:, None] @ values[index]).squeeze(1)


def _bag_sum(sparse: bool, index: Tensor, weights: Tensor, values: Tensor) -> Tensor:
    """Σ_j w_j v_j by torch's `embedding_bag`, which is differentiable once."""
    return embedding_bag(index, values, per_sample_weights=weights, mode="sum", sparse=sparse)
