"""Models for training: a few lines around one layer each."""

import torch
from torch import Tensor, nn

from hopfield import RectifiedPolynomial, Softmax
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldLookup,
    HopfieldPooling,
    Projections,
)

from .digits import Split

UNCHANGED = Projections(nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity())
"""No projections: patterns are read unchanged."""


def lookup(train: Split, memories: int = 200) -> nn.Module:
    """Return a lookup that starts with digits and their labels, and trains both, and β."""
    chosen = torch.randperm(len(train.images))[:memories]
    values = 4 * nn.functional.one_hot(train.labels[chosen], 10).float()
    separation = Softmax(torch.ones((), requires_grad=True))
    association = HopfieldAssociation(64, separation=separation, projections=UNCHANGED)
    return HopfieldLookup(association, train.images[chosen], values)


def retrieval(width: int = 32) -> HopfieldAssociation:
    """Return an association that compares images by learned codes and reads their labels."""
    encoder = nn.Linear(64, width)
    return HopfieldAssociation(
        None,
        separation=Softmax(torch.ones((), requires_grad=True)),
        projections=Projections(encoder, encoder, nn.Identity(), nn.Identity()),
    )


def dense(train: Split, degree: int, memories: int = 100) -> nn.Module:
    """Return Krotov and Hopfield's classifier."""
    separation = RectifiedPolynomial(degree)
    return DenseMemoryClassifier(train.images.shape[-1], 10, memories, separation)


class GatedAttention(nn.Module):
    """Gated attention of Ilse, Tomczak & Welling (2018, eq. 9), for comparison.

    z = Σ_i a_i h_i,    a = softmax(w·(tanh(V h_i) ⊙ sigmoid(U h_i))).

    Args:
        width: length of a code h.
        hidden: length of V h.
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1)

    def weights(self, codes: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return the weights `(batch, n)`; 0 for padding."""
        gated = self.value(codes).tanh() * self.gate(codes).sigmoid()
        scores: Tensor = self.score(gated).squeeze(-1)
        if padding_mask is not None:
            scores = scores.masked_fill(padding_mask, -torch.inf)
        return scores.softmax(-1)

    def forward(self, codes: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return the weighted mean of the codes, `(batch, width)`."""
        return (self.weights(codes, padding_mask)[..., None] * codes).sum(1)


class BagClassifier(nn.Module):
    """An encoder, a pooling, and one logit per bag.

    Args:
        pooling: "mean", "max", "gated" or "hopfield".
        width: of a code.
    """

    def __init__(self, pooling: str, width: int = 64) -> None:
        """Draw encoder and head before the pooling, so that they are equal for all poolings."""
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, width), nn.ReLU()
        )
        self.head = nn.Linear(width, 1)
        self.pooling = pooling
        self.pool = selecting_pooling(width) if pooling == "hopfield" else None
        self.gated = GatedAttention(width) if pooling == "gated" else None

    def forward(self, bags: Tensor) -> Tensor:
        """Return one logit per bag."""
        codes = self.encoder(bags)
        if self.pool is not None:
            pooled = self.pool(codes).squeeze(1)
        elif self.gated is not None:
            pooled = self.gated(codes)
        else:
            pooled = codes.mean(1) if self.pooling == "mean" else codes.amax(1)
        logits: Tensor = self.head(pooled).squeeze(-1)
        return logits


def selecting_pooling(width: int, heads: int | None = None) -> HopfieldPooling:
    """Return a pooling of normalised codes, by default with heads of two features.

    That number of heads and the initial β were chosen on separate bags of training digits.
    """
    heads = width // 2 if heads is None else heads
    key = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
    query = nn.Linear(width, width)
    association = HopfieldAssociation(
        width,
        heads=heads,
        separation=Softmax(torch.ones(heads, requires_grad=True)),
        projections=Projections(query, key, nn.Identity(), nn.Identity()),
    )
    return HopfieldPooling(association)


class Completer(nn.Module):
    """Completion of patches: hidden ones start as tokens without content.

    Args:
        dim: length of a token.
    """

    def __init__(self, dim: int = 64) -> None:
        """Learn the positions and the token of hidden patches."""
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, dim), nn.Linear(dim, 4)
        self.places = nn.Parameter(nn.init.normal_(torch.empty(16, dim), std=0.5))
        self.hidden = nn.Parameter(torch.zeros(dim))
        self.block = EnergyTransformerBlock(dim, heads=4, memories=64, steps=3, rate=0.5)

    def tokens(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Return the initial tokens."""
        content = torch.where(hidden[..., None], self.hidden, self.encoder(patches))
        return content + self.places

    def forward(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Return all patches, `(batch, 16, 4)`."""
        tokens = self.block(self.tokens(patches, hidden))
        output: Tensor = self.decoder(self.block.normalised(tokens))
        return output
