"""Every mistake in a diagnosis is refused by name."""

import torch

from bad_inputs import COUNT, NOT_TENSORS, PATTERNS, Bad, cases, filled, judge
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, diagnose
from hopfield.errors import EmptyMemoryError, InputTypeError

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
