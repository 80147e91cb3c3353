"""A transformer block that descends one energy (Hoover et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from ..checks import check_float, check_integer, check_positive
from ..errors import ShapeError
from ..separation import RectifiedPolynomial
from .energies import potential
from .input_checks import check_matches
from .masks import Mask, check_bool, inner_products, masked_scores
from .parameters import Device, checked_factory
from .scaled_separation import ScaledSeparation

QUADRATIC = RectifiedPolynomial(2)
SOFTMAX = ScaledSeparation.of(None)

Matrices = tuple[Tensor, Tensor]
"""W_Qᵀ and W_Kᵀ."""


class EnergyTransformerBlock(nn.Module):
    """Tokens descend an energy of attention and of memories, in `steps` steps.

        g = γ(x − mean x)/std x + δ,    γ > 0
        E(g) = −Σ_heads Σ_B F_β(K_C·Q_B, C ≠ B) − ½ Σ_B Σ_μ max(0, ξ_μ·g_B)²
        x ← x − rate · ∂E/∂g

    F_β is the potential of softmax, Q = W_Q g, K = W_K g (Hoover et al. 2023, eq. 4–8). ∂g/∂x is
    positive semidefinite, so E never rises for a small enough rate. There are no values and no
    output projection: the gradient of the energy takes their place.

    Args:
        dim: length of a token.
        heads: number of attention energies; dim must be a multiple.
        memories: number of ξ.
        steps: number of steps.
        rate: step size.
        device: device of the weights.
        dtype: dtype of the weights.
    """

    def __init__(
        self,
        dim: int,
        heads: int = 1,
        memories: int = 64,
        steps: int = 4,
        rate: float = 0.1,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.dim = check_integer("dim", dim, low=1)
        self.heads = check_integer("heads", heads, low=1)
        if dim % heads:
            raise ShapeError(f"dim={dim} must be a multiple of heads={heads}. Change one of them.")
        self.steps = check_integer("steps", steps, low=1)
        self.rate = check_positive("rate", rate)
        count = check_integer("memories", memories, low=1)
        factory = checked_factory(device, dtype)
        self.query, self.key = (nn.Linear(dim, dim, bias=False, **factory) for _ in range(2))
        self.memories = nn.Parameter(torch.empty(count, dim, **factory))
        # Of shape (1,): fully_shard takes no parameters without an axis.
        self.log_gamma = nn.Parameter(torch.empty(1, **factory))
        self.delta = nn.Parameter(torch.empty(dim, **factory))
        self._reset_rows()

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator."""
        for projection in (self.query, self.key):
            projection.reset_parameters()
        self._reset_rows()

    def _reset_rows(self) -> None:
        nn.init.normal_(self.memories, generator=None)
        with torch.no_grad():
            self.memories.div_(self.dim**0.5)
        nn.init.zeros_(self.log_gamma)
        nn.init.zeros_(self.delta)

    def forward(self, tokens: Tensor, *, padding_mask: Tensor | None = None) -> Tensor:
        """Return the tokens after all steps, `(batch, n, dim)`; ignored ones are unchanged.

        Args:
            tokens: `(batch, n, dim)`.
            padding_mask: `(batch, n)`, True for tokens that are ignored.
        """
        mask = self._checked_mask(tokens, padding_mask)
        matrices = self._matrices(tokens)
        for _ in range(self.steps):
            tokens = self._step(tokens, matrices, mask, padding_mask)
        return tokens

    def step(self, tokens: Tensor, *, padding_mask: Tensor | None = None) -> Tensor:
        """Return the tokens after one step."""
        mask = self._checked_mask(tokens, padding_mask)
        return self._step(tokens, self._matrices(tokens), mask, padding_mask)

    def energy(
        self, tokens: Float[Tensor, "batch n dim"], *, padding_mask: Tensor | None = None
    ) -> Float[Tensor, " batch"]:
        """Return E per entry of the batch."""
        mask = self._checked_mask(tokens, padding_mask)
        return self._energy(self._normalise(tokens), self._matrices(tokens), mask, padding_mask)

    def normalised(self, tokens: Float[Tensor, "batch n dim"]) -> Float[Tensor, "batch n dim"]:
        """Return g, the gradient of a convex function of the token."""
        self._check_tokens(tokens)
        return self._normalise(tokens)

    def _check_tokens(self, tokens: Tensor) -> None:
        if check_float("tokens", tokens).ndim != 3 or tokens.shape[-1] != self.dim:
            raise ShapeError(
                f"tokens must have shape (batch, n, {self.dim}), but have shape "
                f"{tuple(tokens.shape)}. Use tokens[None] for a single entry of a batch."
            )
        check_matches("tokens", tokens, self.memories)

    def _checked_mask(self, tokens: Tensor, padding: Tensor | None) -> Mask:
        """Check the arguments, and return the mask: a token attends to all others."""
        self._check_tokens(tokens)
        ignored = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
        if padding is not None:
            if check_bool("padding_mask", padding).shape != tokens.shape[:2]:
                raise ShapeError(
                    f"padding_mask must have shape {tuple(tokens.shape[:2])}, one entry per token, "
                    f"but has shape {tuple(padding.shape)}."
                )
            ignored = ignored | padding[:, None, None, :] | padding[:, None, :, None]
        return Mask.ignoring(ignored)

    def _normalise(self, tokens: Tensor) -> Tensor:
        # Without weights; a constant token has variance 0, to which torch adds 1e-5.
        return self.log_gamma.exp() * layer_norm(tokens, (self.dim,)) + self.delta

    def _matrices(self, tokens: Tensor) -> Matrices:
        """Return W_Qᵀ and W_Kᵀ by calling the projections, which may be wrapped or quantised."""
        rows = torch.eye(self.dim, dtype=tokens.dtype, device=tokens.device)
        return self.query(rows), self.key(rows)

    def _split_heads(self, g: Tensor, matrices: Matrices) -> tuple[Tensor, Tensor]:
        """Return queries and keys, `(batch, heads, n, width)`."""
        query, key = (
            (g @ matrix).unflatten(-1, (self.heads, -1)).transpose(1, 2) for matrix in matrices
        )
        return query, key

    def _step(
        self, tokens: Tensor, matrices: Matrices, mask: Mask, padding: Tensor | None
    ) -> Tensor:
        g = self._normalise(tokens)
        query, key = self._split_heads(g, matrices)
        scores = masked_scores(inner_products(SOFTMAX.scale(query) * query, key), mask)
        weights = SOFTMAX.unit(scores).masked_fill(mask.empty, 0.0).to(g.dtype)
        descent = QUADRATIC(self._scores(g)).to(g.dtype) @ self.memories / 2
        for sums, matrix in zip((weights @ key, weights.mT @ query), matrices, strict=True):
            descent = descent + sums.transpose(1, 2).flatten(2) @ matrix.T
        if padding is not None:
            descent = descent.masked_fill(padding[..., None], 0.0)
        return tokens + self.rate * descent

    def _energy(self, g: Tensor, matrices: Matrices, mask: Mask, padding: Tensor | None) -> Tensor:
        attention = potential(SOFTMAX, *self._split_heads(g, matrices), mask).sum(1)
        value = attention + QUADRATIC.potential(self._scores(g)) / 2
        return -(value if padding is None else value.masked_fill(padding, 0.0)).sum(-1)

    def _scores(self, g: Tensor) -> Tensor:
        """Return ξ·g in at least float32."""
        return masked_scores(inner_products(g, self.memories), None)

    def extra_repr(self) -> str:
        """Return the formula."""
        return (
            f"x ← x − {self.rate:g}·∂E/∂g × {self.steps}, dim={self.dim}, heads={self.heads}, "
            f"memories={len(self.memories)}"
        )
