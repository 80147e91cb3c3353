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


class BagClassifier(nn.Module):
    """An encoder, a pooling, and one logit per bag.

    Args:
        pooling: "mean", "max" or "hopfield".
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
        self.pool = HopfieldPooling(_selecting(width)) if pooling == "hopfield" else None

    def forward(self, bags: Tensor) -> Tensor:
        """Return one logit per bag."""
        codes = self.encoder(bags)
        if self.pool is not None:
            pooled = self.pool(codes).squeeze(1)
        else:
            pooled = codes.mean(1) if self.pooling == "mean" else codes.amax(1)
        logits: Tensor = self.head(pooled).squeeze(-1)
        return logits


def _selecting(width: int) -> HopfieldAssociation:
    """Return an association with heads of two features on normalised codes.

    The number of heads and the initial β were chosen on separate bags of training digits.
    """
    key = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
    return HopfieldAssociation(
        width,
        heads=width // 2,
        separation=Softmax(torch.ones(width // 2, requires_grad=True)),
        projections=Projections(
            query=nn.Linear(width, width), key=key, value=nn.Identity(), out=nn.Identity()
        ),
    )


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
