"""A transformer block that is the descent of one energy (Hoover et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_float, check_integer, check_positive
from ..errors import ShapeError
from ..separation import RectifiedPolynomial, Softmax
from .fitting import check_like
from .functional import potential
from .rule import Rule
from .visible import Visible, check_bool, scores

QUADRATIC = RectifiedPolynomial(2)
RULE = Rule(Softmax(), None)
"""Softmax at β = 1/√d."""

FLAT = 1e-5
"""Added to a variance, so that a constant token is no division by zero."""


class EnergyTransformerBlock(nn.Module):
    """Tokens go down an energy of attention and of memories, `steps` times.

        g = γ(x − mean x)/std x + δ,    γ > 0
        E(g) = −Σ_heads Σ_B F_β(K_C·Q_B, C ≠ B) − ½ Σ_B Σ_μ max(0, ξ_μ·g_B)²
        x ← x − rate · ∂E/∂g

    with F_β the potential of softmax, Q = W_Q g, K = W_K g (Hoover et al. 2023, eq. 4–8). Since
    ∂g/∂x is positive semidefinite, E never rises for a rate small enough. There are no values and
    no output projection: both follow from the energy.

    Args:
        dim: length of a token.
        heads: how many attention energies; dim must be a multiple.
        memories: how many ξ.
        steps: how many updates.
        rate: the size of one.
    """

    def __init__(
        self, dim: int, heads: int = 1, memories: int = 64, steps: int = 4, rate: float = 0.1
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
        self.query, self.key = (nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.memories = nn.Parameter(nn.init.normal_(torch.empty(count, dim), generator=None))
        with torch.no_grad():
            self.memories.div_(dim**0.5)
        self.log_gamma = nn.Parameter(torch.zeros(()))
        self.delta = nn.Parameter(torch.zeros(dim))

    def forward(self, tokens: Tensor, *, padding_mask: Tensor | None = None) -> Tensor:
        """The tokens after all steps, `(batch, n, dim)`; padded ones stay where they are.

        Args:
            tokens: `(batch, n, dim)`.
            padding_mask: `(batch, n)`, True for tokens to be ignored.
        """
        for _ in range(self.steps):
            tokens = self.step(tokens, padding_mask=padding_mask)
        return tokens

    def step(self, tokens: Tensor, *, padding_mask: Tensor | None = None) -> Tensor:
        """The tokens after one step: down the slope, which ∇F gives as F gives the energy."""
        seen = self.normalised(tokens)
        query, key, visible = self._attended(seen, padding_mask)
        weights = RULE.separation(scores(RULE.scale(query) * query, key, visible))
        weights = weights.masked_fill(visible.none, 0.0).to(seen.dtype)
        pulls = weights @ key, weights.mT @ query
        by_query, by_key = (pull.transpose(1, 2).flatten(2) for pull in pulls)
        slope = by_query @ self.query.weight + by_key @ self.key.weight
        slope = slope + QUADRATIC(seen @ self.memories.T) @ self.memories / 2
        if padding_mask is not None:
            slope = slope.masked_fill(padding_mask[..., None], 0.0)
        return tokens + self.rate * slope

    def energy(
        self, tokens: Float[Tensor, "batch n dim"], *, padding_mask: Tensor | None = None
    ) -> Float[Tensor, " batch"]:
        """E of each entry of the batch."""
        return self._energy(self.normalised(tokens), padding_mask)

    def normalised(self, tokens: Float[Tensor, "batch n dim"]) -> Float[Tensor, "batch n dim"]:
        """g: the gradient of a convex function of the token."""
        if check_float("tokens", tokens).ndim != 3 or tokens.shape[-1] != self.dim:
            raise ShapeError(
                f"tokens must have shape (batch, n, {self.dim}), but have shape "
                f"{tuple(tokens.shape)}. Use tokens[None] for a single entry of a batch."
            )
        check_like("tokens", tokens, self.memories)
        centred = tokens - tokens.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + FLAT).sqrt()
        return self.log_gamma.exp() * centred / spread + self.delta

    def _energy(self, seen: Tensor, padding: Tensor | None) -> Tensor:
        """E of normalised tokens."""
        query, key, visible = self._attended(seen, padding)
        attention = potential(RULE, query, key, visible).sum(1)
        memory = QUADRATIC.potential(seen @ self.memories.T) / 2
        each = attention + memory
        return -(each if padding is None else each.masked_fill(padding, 0.0)).sum(-1)

    def _attended(self, seen: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor, Visible]:
        """Queries and keys by head, and whom each token attends to: all others."""
        if padding is not None and check_bool("padding_mask", padding).shape != seen.shape[:2]:
            raise ShapeError(
                f"padding_mask must have shape {tuple(seen.shape[:2])}, one entry for each token, "
                f"but has shape {tuple(padding.shape)}. Use expand where one serves all."
            )
        query, key = (
            project(seen).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key)
        )
        mask = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
        if padding is not None:
            mask = mask | padding[:, None, None, :] | padding[:, None, :, None]
        return query, key, Visible.of(mask)

    def extra_repr(self) -> str:
        """What is computed."""
        return (
            f"x ← x − {self.rate:g}·∂E/∂g × {self.steps}, dim={self.dim}, heads={self.heads}, "
            f"memories={len(self.memories)}"
        )
