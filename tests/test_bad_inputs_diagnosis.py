"""Every mistake in a diagnosis is refused by name."""

import torch

from bad_inputs import (
    COUNT,
    CUE,
    NOT_TENSORS,
    PATTERNS,
    Bad,
    cases,
    filled,
    judge,
    tensor_cases,
    whole_number_cases,
)
from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield, diagnose, explain
from hopfield.errors import EmptyMemoryError, InputTypeError, OptionError, ShapeError

NOT_MEMORIES = {name: each for name, each in NOT_TENSORS.items() if name != "memory"} | {
    "patterns": (PATTERNS, f"a tensor of shape ({COUNT}, 8)"),
    "class of memory": (ModernHopfield, "the class ModernHopfield"),
}
FLAGS = [("yes", "'yes'"), (1, "1"), (None, "None"), (torch.tensor(True), "tensor")]
DIAGNOSE = [
    *[
        Bad(f"memory: {name}", lambda value=value: diagnose(value), InputTypeError,
            ("memory", shown))
        for name, (value, shown) in NOT_MEMORIES.items()
    ],
    *[
        Bad(f"empty {kind.__name__}", lambda kind=kind: diagnose(kind()), EmptyMemoryError,
            ("empty", "store(patterns)"))
        for kind in (ClassicalHopfield, DenseHopfield, ModernHopfield)
    ],
    *[
        Bad(f"observe: {shown}", lambda value=value: diagnose(filled("modern"), observe=value),
            InputTypeError, ("observe", shown))
        for value, shown in FLAGS
    ],
]  # fmt: skip


@cases(DIAGNOSE, at_least=20)
def test_diagnose_refuses(case):
    judge(case)


def overlapping():
    memory = ModernHopfield(100.0)
    memory.store(torch.tensor([[1.0, 0.0], [2.0, 0.1]]))
    return diagnose(memory).findings[0].remedy


@cases([
    Bad(name, lambda value=value: overlapping().apply(value), InputTypeError, ("memory", shown))
    for name, (value, shown) in NOT_MEMORIES.items()
])  # fmt: skip
def test_a_remedy_refuses(case):
    judge(case)


KNOWN = torch.arange(8) < 5
EXPLAIN = [
    *[
        Bad(f"explain {name}", lambda value=value: explain(value, CUE), InputTypeError,
            ("memory", shown))
        for name, (value, shown) in NOT_MEMORIES.items()
    ],
    *tensor_cases("cue", CUE, lambda value: lambda: explain(filled("modern"), value)),
    Bad("empty", lambda: explain(ModernHopfield(), CUE), EmptyMemoryError, ("empty",)),
    Bad("several cues", lambda: explain(filled("modern"), PATTERNS), ShapeError,
        ("cue", "(3,)", "cue[0]")),
    Bad("cue too short", lambda: explain(filled("modern"), CUE[:5]), ShapeError, ("dim=8",)),
    Bad("known of floats", lambda: explain(filled("modern"), CUE, KNOWN.float()), InputTypeError,
        ("known", "float32")),
    Bad("known short", lambda: explain(filled("modern"), CUE, KNOWN[:4]), ShapeError, ("known",)),
    Bad("known twice", lambda: explain(filled("modern"), Cue(CUE, KNOWN), KNOWN), OptionError,
        ("known",)),
    *whole_number_cases("top", lambda value: lambda: explain(filled("modern"), CUE, top=value),
                        low=1),
]  # fmt: skip


@cases([case for case in EXPLAIN if case.name != "cue: Cue"], at_least=50)
def test_explain_refuses(case):
    judge(case)
