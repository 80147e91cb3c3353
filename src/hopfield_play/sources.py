"""The folder of the page's sources: `playground/` of the repository, or its copy in the wheel."""

from pathlib import Path

_IN_WHEEL = Path(__file__).parent / "playground"
SOURCES = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[2] / "playground"
