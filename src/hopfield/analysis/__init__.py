"""Why a memory recalls, or does not: `diagnose` a memory, `explain` one answer.

Fixed points, attractors and basins are predicted from scores and margins (docs/diagnosis.md), and
held against what the dynamics does.
"""

import torch

from ..checks import check_flag, short_repr
from ..errors import InputTypeError
from ..memories import Memory
from .bounds import Theory, bounds
from .explanation import Competitor, Explanation, explain
from .findings import Finding, findings
from .observed import Observed, observed
from .remedies import Remedy, predict
from .report import Report
from .rows import Rows
from .tuning import Point, Tuning, tune
from .verdicts import Verdicts

__all__ = [
    "Competitor",
    "Explanation",
    "Finding",
    "Observed",
    "Point",
    "Remedy",
    "Report",
    "Theory",
    "Tuning",
    "Verdicts",
    "diagnose",
    "explain",
    "tune",
]


def diagnose(memory: Memory, *, observe: bool = True) -> Report:
    """Say of every stored pattern whether it holds, by how much, and what would mend it.

    Predictions come from the scores between the patterns, read block by block in float64; memory
    O(block), time O(n²N). Printing the report gives a table; `to_records()` gives flat records.

    Args:
        memory: holds at least one pattern, and is left alone.
        observe: also retrieve from every pattern, and set what happens beside what is predicted.

    Raises:
        InputTypeError: where `memory` is none of the library's.
        EmptyMemoryError: where nothing is stored.
    """
    check_flag("observe", observe)
    if not isinstance(memory, Memory):
        raise InputTypeError(
            "memory must be a ClassicalHopfield, DenseHopfield or ModernHopfield, but is "
            f"{short_repr(memory)}. Store the patterns in one of these."
        )
    memory._require()
    with torch.no_grad():
        rows = Rows(memory)
        predicted = predict(memory, rows)
        near = rows.nearest()
        places = torch.arange(rows.count, device=rows.device)
        thermal = getattr(memory, "temperature", 0.0) > 0
        return Report(
            repr(memory),
            rows.dim,
            predicted,
            observed(memory, rows, places, predicted.rounded) if observe and not thermal else None,
            *near,
            rows.copy_of,
            bounds(memory, rows, predicted),
            tuple(findings(memory, rows, predicted, near)),
        )
