"""Figures from records and arrays. They hold no formula, only positions and colours.

Every function takes its data and `ax`: the axes to draw on, or None for a new figure. It returns
the axes. The colours are those of Okabe and Ito, which colour-blind readers can distinguish;
markers and line styles differ as well. matplotlib is imported when a figure is drawn.
"""

from .advice import margins, tuning
from .charts import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    MARKERS,
    ORANGE,
    RED,
    UNKNOWN,
    WIDTH,
    durations,
    energies,
    figure,
    rates,
)
from .fields import couplings, landscape, phases, weights
from .images import pictures, recovered
from .sheet import sheet
from .sweeps import curves, table
from .theory import comparison, series

__all__ = [
    "BLUE", "COLOURS", "GREEN", "INK", "MARKERS", "ORANGE", "RED", "UNKNOWN", "WIDTH",
    "comparison", "couplings", "curves", "durations", "energies", "figure", "landscape", "margins",
    "phases", "pictures", "rates", "recovered", "series", "sheet", "table", "tuning", "weights",
]  # fmt: skip
