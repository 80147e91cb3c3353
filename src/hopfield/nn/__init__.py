"""Hopfield networks as layers to train: association, pooling and lookup.

Functions:   functional.association, functional.describe
Layers:      HopfieldAssociation, HopfieldPooling, HopfieldLookup; from_hflayers converts weights;
             ProductKeyLookup for very many memories
Bags:        pad_bags makes one padded tensor and its mask of bags of different lengths
Drop-in:     MultiheadHopfield, HopfieldEncoderLayer, HopfieldDecoderLayer for those of torch;
             from_multihead_attention converts weights
Energies:    DenseMemoryClassifier, EnergyTransformerBlock
Options:     Iteration (steps, tolerance, gradient), Projections (modules around the heads),
             Window (positions that a state reads)
"""

from . import functional
from .association import HopfieldAssociation, Projections
from .bags import pad_bags
from .compute import Association
from .dense_memory import DenseMemoryClassifier
from .energy_transformer import EnergyTransformerBlock
from .hflayers import from_hflayers
from .iteration import Iteration
from .lookup import HopfieldLookup
from .multihead import MultiheadHopfield, from_multihead_attention
from .pooling import HopfieldPooling
from .product_keys import ProductKeyLookup
from .transformer import HopfieldDecoderLayer, HopfieldEncoderLayer
from .window import Window

__all__ = [
    "Association", "DenseMemoryClassifier", "EnergyTransformerBlock", "HopfieldAssociation",
    "HopfieldDecoderLayer", "HopfieldEncoderLayer", "HopfieldLookup", "HopfieldPooling",
    "Iteration", "MultiheadHopfield", "ProductKeyLookup", "Projections", "Window",
    "from_hflayers", "from_multihead_attention", "functional", "pad_bags",
]  # fmt: skip
