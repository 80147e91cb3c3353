"""Hopfield networks as layers to train: association, pooling and lookup.

Functions:   nn.functional: association, and the same described
Layers:      HopfieldAssociation, HopfieldPooling, HopfieldLookup; from_hflayers takes over weights
Energies:    DenseMemoryClassifier, EnergyTransformerBlock
Choices:     Iteration (steps, tolerance, gradients), Projections (modules into and out of heads)
"""

from . import functional
from .association import HopfieldAssociation, Projections
from .dense import DenseMemoryClassifier
from .energy_transformer import EnergyTransformerBlock
from .functional import Association
from .hflayers import from_hflayers
from .iteration import Iteration
from .learned import HopfieldLookup, HopfieldPooling

__all__ = [
    "Association",
    "DenseMemoryClassifier",
    "EnergyTransformerBlock",
    "HopfieldAssociation",
    "HopfieldLookup",
    "HopfieldPooling",
    "Iteration",
    "Projections",
    "from_hflayers",
    "functional",
]
