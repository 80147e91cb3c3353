"""Run a memory from its own patterns: which hold, why others do not, and what helps."""

import torch

from ..errors import OptionError
from ..memories import Memory
from .findings import find_problems, temperature_finding
from .margins import measure_margins
from .patterns import Patterns, unchanged
from .report import Report
from .theorems import theory_of
from .trials import Trials, observe, with_settings


def diagnose(memory: Memory) -> Report:
    """Retrieve from every stored pattern, find why patterns are lost, and try remedies.

    Printing the report gives a table, `to_records()` flat records. Comparing all patterns takes
    O(n²N) time, and each step of `retrieve` as much; memory is O(nN), never n². A memory at
    temperature T > 0 is judged at T = 0, since nothing settles otherwise. Threads that store wait
    until it has ended.

    Args:
        memory: any memory with at least one pattern; it is left alone.

    Raises:
        InputTypeError: if `memory` is not a memory.
        EmptyMemoryError: if it holds no pattern.
        OptionError: if its patterns are no fixed points, but lead to others.
    """
    with unchanged(memory), torch.no_grad():
        if memory.moves_on:
            raise OptionError(
                "memory must hold its patterns as fixed points, but in a "
                f"{type(memory).__name__} each leads to another one. Use memory.roll(cue, steps)."
            )
        temperature = memory.config().get("temperature", 0.0)
        noiseless_memory = with_settings(memory, temperature=0.0) if temperature else memory
        patterns = Patterns(noiseless_memory)
        everything = torch.arange(patterns.count, device=patterns.device)
        columns = observe(noiseless_memory, patterns, everything)
        columns |= measure_margins(noiseless_memory, patterns)
        trials = Trials(noiseless_memory, patterns, float(columns["attractor"].double().mean()))
        findings = [temperature_finding(trials, temperature)] if temperature else []
        findings += find_problems(trials, columns)
        theory = theory_of(noiseless_memory, patterns, columns)
        columns["copy_of"] = patterns.copy_of
        return Report(repr(memory), patterns.dim, theory, tuple(findings), **columns)
