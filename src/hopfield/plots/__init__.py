"""Figures from records and arrays. They hold no formula, only positions and colours.

Every function takes its data and `ax=None`, and returns the Axes. The colours are those of Okabe
and Ito, which colour-blind readers can distinguish; markers and line styles differ as well.
matplotlib is imported when a figure is drawn.
"""

from .advice import against_grid, margins, tuning
from .charts import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    SERIES,
    UNKNOWN,
    WIDTH,
    durations,
    energies,
    figure,
    histogram,
    lines,
    pictures,
    rates,
)
from .fields import couplings, landscape, phases, recovered, weights
from .sheet import sheet
from .sweeps import curves, table
from .theory import comparison

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "ORANGE",
    "RED",
    "SERIES",
    "UNKNOWN",
    "WIDTH",
    "against_grid",
    "comparison",
    "couplings",
    "curves",
    "durations",
    "energies",
    "figure",
    "histogram",
    "landscape",
    "lines",
    "margins",
    "phases",
    "pictures",
    "rates",
    "recovered",
    "sheet",
    "table",
    "tuning",
    "weights",
]
