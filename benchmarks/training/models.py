"""The models that are trained: each a few lines around one layer."""

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

AS_IT_IS = Projections(nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity())
"""Patterns are read where they lie."""


def lookup(train: Split, memories: int = 200) -> nn.Module:
    """A memory that begins as digits and their labels; it trains both, and β."""
    chosen = torch.randperm(len(train.images))[:memories]
    values = 4 * nn.functional.one_hot(train.labels[chosen], 10).float()
    separation = Softmax(torch.ones((), requires_grad=True))
    association = HopfieldAssociation(64, separation=separation, projections=AS_IT_IS)
    return HopfieldLookup(association, train.images[chosen], values)


def retrieval(width: int = 32) -> HopfieldAssociation:
    """Images read other images by codes that are learned, and bring back their labels."""
    encoder = nn.Linear(64, width)
    return HopfieldAssociation(
        None,
        separation=Softmax(torch.ones((), requires_grad=True)),
        projections=Projections(encoder, encoder, nn.Identity(), nn.Identity()),
    )


def dense(train: Split, degree: int, memories: int = 100) -> nn.Module:
    """Krotov and Hopfield's network of one degree, whose logits begin with a deviation of 1."""
    pixels, separation = train.images.shape[-1], RectifiedPolynomial(degree)
    model = DenseMemoryClassifier(pixels, 10, memories, separation)
    with torch.no_grad():
        model.scale = 1 / model(train.images).std().item()
    return model


class BagClassifier(nn.Module):
    """The same encoder for all, then a pooling, then one logit.

    Args:
        pooling: "mean", "max" or "hopfield".
        width: of a code.
    """

    def __init__(self, pooling: str, width: int = 64) -> None:
        """Encoder and head are drawn before the pooling, so that they are the same for all."""
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, width), nn.ReLU()
        )
        self.head = nn.Linear(width, 1)
        self.pooling = pooling
        self.pool = HopfieldPooling(_selecting(width)) if pooling == "hopfield" else None

    def forward(self, bags: Tensor) -> Tensor:
        """A logit for each bag."""
        codes = self.encoder(bags)
        if self.pool is not None:
            pooled = self.pool(codes).squeeze(1)
        else:
            pooled = codes.mean(1) if self.pooling == "mean" else codes.amax(1)
        found: Tensor = self.head(pooled).squeeze(-1)
        return found


def _selecting(width: int) -> HopfieldAssociation:
    """Codes are weighed after a normalisation, by heads of two features, and read as they are.

    Heads and β to begin with were chosen by bags of held back training digits.
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
    """Hidden patches are tokens without content, which go down the energy with the others.

    Args:
        dim: length of a token.
    """

    def __init__(self, dim: int = 64) -> None:
        """Places, and the token of what is hidden, are learned."""
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, dim), nn.Linear(dim, 4)
        self.places = nn.Parameter(nn.init.normal_(torch.empty(16, dim), std=0.5))
        self.hidden = nn.Parameter(torch.zeros(dim))
        self.block = EnergyTransformerBlock(dim, heads=4, memories=64, steps=3, rate=0.5)

    def tokens(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Where the descent begins."""
        content = torch.where(hidden[..., None], self.hidden, self.encoder(patches))
        return content + self.places

    def forward(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """All patches, `(batch, 16, 4)`."""
        tokens = self.block(self.tokens(patches, hidden))
        found: Tensor = self.decoder(self.block.normalised(tokens))
        return found
