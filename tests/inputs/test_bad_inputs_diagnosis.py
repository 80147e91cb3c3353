"""Every argument of `diagnose`, `explain` and `tune` goes through its check."""

import numpy as np
import torch

from bad_inputs import (
    COUNT,
    CUE,
    PATTERNS,
    Bad,
    cases,
    filled,
    judge,
    tensor_cases,
    whole_number_cases,
)
from hopfield import ClassicalHopfield, Cue, DenseHopfield, ModernHopfield, diagnose, explain, tune
from hopfield.corruption import gaussian_noise, occlude_half, occlude_random
from hopfield.errors import DomainError, EmptyMemoryError, InputTypeError, OptionError, ShapeError

NOT_MEMORIES = {
    "None": (None, "None"),
    "patterns": (PATTERNS, f"a tensor of shape ({COUNT}, 8)"),
    "a class": (ModernHopfield, "the class ModernHopfield"),
}
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
]  # fmt: skip


@cases(DIAGNOSE)
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
        ("cue", "(3, 8)", "cue[0]")),
    Bad("cue too short", lambda: explain(filled("modern"), CUE[:5]), ShapeError, ("dim=8",)),
    Bad("known of floats", lambda: explain(filled("modern"), CUE, KNOWN.float()), InputTypeError,
        ("known", "float32")),
    Bad("known short", lambda: explain(filled("modern"), CUE, KNOWN[:4]), ShapeError, ("known",)),
    Bad("known twice", lambda: explain(filled("modern"), Cue(CUE, KNOWN), KNOWN), OptionError,
        ("known",)),
    *whole_number_cases("top", lambda value: lambda: explain(filled("modern"), CUE, top=value),
                        low=1),
]  # fmt: skip


@cases(EXPLAIN)
def test_explain_refuses(case):
    judge(case)


SEVERAL = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


def tuning(**options):
    """The call with these arguments instead of good ones."""
    given = {"patterns": SEVERAL, "corrupt": gaussian_noise, "amount": 0.1} | options
    return lambda: tune(**given)


TUNE = [
    *tensor_cases("patterns", SEVERAL, lambda value: tuning(patterns=value)),
    Bad("one pattern", tuning(patterns=SEVERAL[:1]), ShapeError, ("patterns", "(1, 8)")),
    Bad("a vector", tuning(patterns=SEVERAL[0]), ShapeError, ("patterns[None]",)),
    Bad("corrupt: name", tuning(corrupt="flip"), InputTypeError, ("corrupt", "'flip'")),
    Bad("corrupt: a Cue", tuning(corrupt=Cue(SEVERAL)), InputTypeError, ("corrupt", "Cue")),
    Bad("corrupt: no generator", tuning(corrupt=occlude_half), InputTypeError,
        ("generator=", "occlude_half")),
    Bad("corrupt returns a tensor", tuning(corrupt=lambda x, a, generator: x), InputTypeError,
        ("corrupt", "Cue(state)")),
    Bad("corrupt loses some", tuning(corrupt=lambda x, a, generator: Cue(x[:2])), ShapeError,
        ("corrupt", "(2, 8)")),
    Bad("amount below 0", tuning(amount=-1.0), DomainError, ("amount", "-1.0")),
    Bad("objective: unknown", tuning(objective="complete"), OptionError,
        ("objective", "'complete'", "'completion'")),
    Bad("nothing hidden", tuning(objective="completion", corrupt=occlude_random, amount=0.0),
        DomainError, ("corrupt", "hide", "amount")),
    Bad("similarities: one", tuning(similarities="dot"), InputTypeError,
        ("similarities", "a list", "'dot'")),
    Bad("similarities: number", tuning(similarities=3), InputTypeError,
        ("similarities", "a list", "is 3")),
    Bad("similarities: none", tuning(similarities=[]), InputTypeError, ("similarities", "empty")),
    Bad("similarities: set", tuning(similarities={"dot"}), InputTypeError,
        ("a set", "the preferred first")),
    Bad("similarities: typo", tuning(similarities=["euclidian"]), OptionError,
        ("similarity", "'euclidian'", "Did you mean 'euclidean'?")),
    Bad("similarities: twice", tuning(similarities=["dot", "dot"]), OptionError,
        ("similarities", "twice", "'dot'")),
    Bad("separations: typo", tuning(separations=["softmx"]), OptionError,
        ("separations", "Did you mean 'softmax'?")),
    Bad("separations: class", tuning(separations=[ModernHopfield]), OptionError, ("separations",)),
    Bad("betas: text", tuning(betas="many"), InputTypeError, ("betas", "'many'")),
    Bad("betas: none", tuning(betas=[]), InputTypeError, ("betas", "empty")),
    Bad("betas: a number", tuning(betas=2.5), InputTypeError, ("betas=[1.0, 8.0]", "2.5")),
    Bad("betas: a dict", tuning(betas={1.0: 2}), InputTypeError, ("betas", "a dict")),
    Bad("betas: no axes", tuning(betas=torch.tensor(3.0)), ShapeError, ("reshape(-1)",)),
    Bad("betas: a square", tuning(betas=np.ones((2, 2))), ShapeError,
        ("(2, 2)", "betas.reshape(-1)")),
    Bad("betas: not a number", tuning(betas=[float("nan")]), DomainError, ("betas", "nan")),
    Bad("betas: True", tuning(betas=True), InputTypeError, ("betas", "True")),
    Bad("betas: one", tuning(betas=1), DomainError, ("betas", "1")),
    Bad("betas: too large", tuning(betas=[1e39]), DomainError, ("betas", "1e+39")),
    Bad("betas: too many", tuning(betas=10**6), DomainError, ("betas", "1000000")),
    Bad("betas: negative", tuning(betas=[1.0, -2.0]), DomainError, ("betas", "-2.0")),
    Bad("betas: words", tuning(betas=["1"]), InputTypeError, ("betas", "'1'")),
    *whole_number_cases("cues", lambda value: tuning(cues=value), low=4),
    Bad("generator: seed", tuning(generator=0), InputTypeError, ("generator", "0")),
]  # fmt: skip


@cases(TUNE, at_least=30)
def test_tune_refuses(case):
    judge(case)
