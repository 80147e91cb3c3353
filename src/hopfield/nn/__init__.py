"""Hopfield networks as layers to train: association, pooling and lookup.

Functions:   functional.association, functional.describe
Layers:      HopfieldAssociation, HopfieldPooling, HopfieldLookup; from_hflayers converts weights
Energies:    DenseMemoryClassifier, EnergyTransformerBlock
Options:     Iteration (steps, tolerance, gradient), Projections (modules around the heads)
"""

from . import functional
from .association import HopfieldAssociation, Projections
from .compute import Association
from .dense_memory import DenseMemoryClassifier
from .energy_transformer import EnergyTransformerBlock
from .hflayers import from_hflayers
from .iteration import Iteration
from .lookup import HopfieldLookup
from .pooling import HopfieldPooling

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
