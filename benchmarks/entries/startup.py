"""Waiting time of a fresh process: the import, and the first retrieval."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import plain
from ..harness import Case, Contender, Entry, Size, Target
from ..inputs import binary, normal
from ..memory import ROOT

TIMED = """
import json, time
{before}
start = time.perf_counter()
{timed}
print(json.dumps([time.perf_counter() - start, {answer}]))
"""
"""Code of a separate process: preparation, timed part, answer."""


def _fresh(before: str, timed: str, answer: str = "None") -> Any:
    """Return seconds and answer of some code in a separate process."""
    code = TIMED.format(before=before, timed=timed, answer=answer)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def _seconds(result: list[Any]) -> float:
    return float(result[0])


def _answer(result: list[Any]) -> Tensor:
    return torch.tensor(result[1], dtype=torch.float64)


def _contender(before: str, timed: str, library: bool) -> Contender:
    run = partial(_fresh, before, timed, "state.tolist()")
    return Contender(run, _answer, clock=_seconds, library=library)


def imports() -> Case:
    """`import torch`, and all names of hopfield after it."""
    return Case(
        {
            "import torch": Contender(partial(_fresh, "", "import torch"), None, clock=_seconds),
            "import hopfield": Contender(
                partial(_fresh, "import torch", "from hopfield import *"),
                None,
                clock=_seconds,
                library=True,
            ),
        },
        lambda: torch.zeros(0),
    )


def first_retrieve(n: int, dim: int, queries: int) -> Case:
    """The first retrieval of a modern memory; plain torch reads as often."""
    rows, cues = normal(n, dim, queries)
    before = f"""
from hopfield import ModernHopfield
from benchmarks.inputs import normal
from benchmarks.plain import naive
rows, cues = normal({n}, {dim}, {queries})
"""
    ours = "memory = ModernHopfield(1.0); memory.store(rows); state = memory.retrieve(cues).state"
    theirs = """
state, before = naive(rows, cues, 1.0), cues
while bool((state - before).abs().max() > 1e-4):
    state, before = naive(rows, state, 1.0), state
"""
    return Case(
        {
            "naive torch": _contender(before, theirs, False),
            "retrieve": _contender(before, ours, True),
        },
        lambda: plain.in_float64(partial(plain.naive, beta=1.0), rows, cues),
        plain.slack(rows, cues, 1.0) + 1e-4 * rows.abs().max().item(),
    )


def first_sweep(n: int, dim: int, queries: int) -> Case:
    """The first retrieval of a classical memory; the loop takes one probe at a time."""
    rows, cues = binary(n, dim, queries)
    before = f"""
import torch
from hopfield import ClassicalHopfield
from benchmarks.inputs import binary
from benchmarks.plain import hebbian_coupling
from hopfield_studies.baselines import classical_sweeps
rows, cues = binary({n}, {dim}, {queries})
"""
    ours = "memory = ClassicalHopfield(); memory.store(rows); state = memory.retrieve(cues).state"
    theirs = """
coupling, generator = hebbian_coupling(rows), torch.Generator().manual_seed(0)
state = torch.stack([classical_sweeps(coupling, cue, generator)[0] for cue in cues])
"""
    return Case(
        {
            "from-scratch loop": _contender(before, theirs, False),
            "retrieve": _contender(before, ours, True),
        },
        partial(plain.fixed_points, rows, cues),
    )


def _first(name: str, what: str, build: Callable[..., Case], size: Size, quick: Size) -> Entry:
    return Entry(
        name,
        f"{what}, first call in a fresh process, imports not counted",
        build,
        (size,),
        quick,
        (Target("retrieve", 0.2, "at most 0.2 s more than plain torch", field="more"),),
        measures_memory=False,
    )


ENTRIES = (
    Entry(
        "import",
        "import in a fresh process; all names of hopfield after torch",
        imports,
        ({},),
        {},
        (Target("import hopfield", 0.3, "at most 0.3 s more than torch", field="seconds"),),
        measures_memory=False,
    ),
    _first(
        "first-retrieve",
        "modern network, 1000 patterns of 784 numbers, 10 queries",
        first_retrieve,
        {"n": 1000, "dim": 784, "queries": 10},
        {"n": 20, "dim": 64, "queries": 2},
    ),
    _first(
        "first-sweep",
        "classical network, 40 patterns of 784 units, one probe",
        first_sweep,
        {"n": 40, "dim": 784, "queries": 1},
        {"n": 2, "dim": 64, "queries": 1},
    ),
)
