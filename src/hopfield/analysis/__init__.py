"""Advice on memories: `diagnose` one, `explain` one answer, `tune` settings for patterns."""

from .case import explain
from .diagnosis import diagnose
from .explanation import Competitor, Explanation
from .findings import Finding
from .remedies import Remedy
from .report import Report
from .theorems import Theory
from .tuning import tune
from .tuning_result import CompletionPoint, Point, Tuning

__all__ = [
    "Competitor", "CompletionPoint", "Explanation", "Finding", "Point", "Remedy", "Report",
    "Theory", "Tuning", "diagnose", "explain", "tune",
]  # fmt: skip
