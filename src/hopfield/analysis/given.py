"""Explain a retrieval of a binary network whose coupling was given, without patterns."""

from collections.abc import Iterator
from typing import Any

from ..iteration import Retrieval
from ..memories import Memory
from .explanation import Explanation


def explain_given(memory: Memory, retrieval: Retrieval) -> Explanation:
    """Return the explanation of one retrieval, made with `trace=True`."""
    period = 0 if retrieval.period is None else int(retrieval.period)
    kind = "fixed point" if bool(retrieval.converged) else "cycle" if period > 1 else "unsettled"
    reasons = (_describe_end(memory, retrieval, period), *_describe_state(memory, retrieval))
    return Explanation(kind, (), 0, reasons, retrieval)


def _describe_end(memory: Memory, retrieval: Retrieval, period: int) -> str:
    steps = int(retrieval.steps)
    after = f"after {steps} step{'s' * (steps != 1)}"
    if bool(retrieval.converged):
        return f"It ended at a fixed point {after}."
    if period > 1:
        return f"It ended in a cycle of {period} states {after}."
    if not memory.settles:
        return "It did not settle: at a temperature units flip by chance."
    return f"It had not settled {after}; give retrieve more steps."


def _describe_state(memory: Any, retrieval: Retrieval) -> Iterator[str]:
    # The way of the energy, and the unit that is nearest to a flip.
    if retrieval.trace is not None and retrieval.energy is not None:
        first, last = float(retrieval.trace[0]), float(retrieval.energy)
        yield f"The energy went from {first:.4g} to {last:.4g}."
    margin = retrieval.state * memory.field(retrieval.state)
    unit, against = int(margin.argmin()), int((margin < 0).sum())
    if against:
        yield f"{against} of {len(margin)} units are against their fields."
    else:
        yield f"The least field is that of unit {unit}, {float(margin[unit].abs()):.4g} its way."
