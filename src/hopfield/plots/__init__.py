"""Figures drawn from records and arrays: nothing is computed here but where things are drawn.

Every function takes what it draws and `ax=None`, and returns the Axes. Colours are those of Okabe
and Ito, which colour-blind readers can tell apart; markers and line styles differ as well.
matplotlib is imported when a figure is drawn, never with the package.
"""

from .advice import against_grid, margins, predictions, tuning
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
from .files import sheet
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
    "predictions",
    "rates",
    "recovered",
    "sheet",
    "table",
    "tuning",
    "weights",
]
