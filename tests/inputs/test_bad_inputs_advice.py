"""What a message advises, done as printed, works: it does not lead to a second error."""

from collections.abc import Callable
from typing import NamedTuple

import numpy
import pytest
import torch
from torch import Tensor

import hopfield
from bad_inputs import CUE, PATTERNS, VALUES, Bad, cases, filled, judge
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    Entmax,
    Memory,
    ModernHopfield,
    Polynomial,
    Softmax,
    corruption,
    data,
    metrics,
)
from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError

GREY = (PATTERNS + 1.5) / 2.5
NAMES = ["a", "b", "a"]


class DataFrame:
    """As much of a pandas table as matters."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows.numpy()

    def to_numpy(self):
        return self._rows


def dataset(images: Tensor) -> data.Dataset:
    return data.Dataset(images, None, "mine", "a test")


class Advice(NamedTuple):
    """A call that fails with `wrong`, and what its message says to give instead."""

    name: str
    call: Callable[[Memory, object], object]
    wrong: object
    error: type[HopfieldError]
    advice: str

    def __str__(self) -> str:
        return self.name


def storing(memory, patterns):
    memory.store(patterns, VALUES)


def storing_values(memory, values):
    if len(memory):
        memory.remove(range(len(memory)))
    memory.store(PATTERNS, values)


def removing(memory, indices):
    memory.remove(indices)
    assert len(memory) == len(PATTERNS) - 1


def asking(memory, cue):
    return memory.retrieve(cue)


def knowing(memory, known):
    return memory.retrieve(CUE, known)


def updating(memory, state):
    return memory.update(state)


WRONG_TYPE = InputTypeError
EVERY = [
    Advice(name, call, wrong, WRONG_TYPE, advice)
    for name, call, wrong, advice in [
        ("a list of rows", storing, list(PATTERNS), "torch.stack(patterns)"),
        ("a tuple of rows", storing, tuple(PATTERNS), "torch.stack(patterns)"),
        ("a list of cues", asking, list(PATTERNS), "torch.stack(cue)"),
        ("whole lists", storing, PATTERNS.int().tolist(),
         "torch.tensor(patterns, dtype=torch.float32)"),
        ("lists", storing, PATTERNS.tolist(), "torch.tensor(patterns)"),
        ("an array", storing, PATTERNS.numpy(), "torch.as_tensor(patterns)"),
        ("whole numbers in an array", storing, PATTERNS.int().numpy(),
         "torch.as_tensor(patterns, dtype=torch.float32)"),
        ("a list of arrays", storing, [row.numpy() for row in PATTERNS],
         "torch.tensor(numpy.stack(patterns), dtype=torch.float32)"),
        ("a table", storing, DataFrame(PATTERNS),
         "torch.tensor(patterns.to_numpy(), dtype=torch.float32)"),
        ("a whole table", storing, DataFrame(PATTERNS.long()),
         "torch.tensor(patterns.to_numpy(), dtype=torch.float32)"),
        ("names as values", storing_values, NAMES,
         "torch.as_tensor(numpy.unique(values, return_inverse=True)[1])"),
        ("an array of names as values", storing_values, numpy.array(NAMES),
         "torch.as_tensor(numpy.unique(values, return_inverse=True)[1])"),
        ("codes as values", storing_values, [3, 1, 2], "torch.tensor(values)"),
        ("a list of bools", knowing, [True] * 8, "torch.tensor(known, dtype=torch.bool)"),
        ("a list of 0 and 1", knowing, [0, 1] * 4, "torch.tensor(known, dtype=torch.bool)"),
        ("places as known", knowing, torch.tensor([1, 3, 7]),
         "torch.isin(torch.arange(dim), torch.as_tensor(known))"),
        ("a list of places as known", knowing, [1, 3, 7],
         "torch.isin(torch.arange(dim), torch.as_tensor(known))"),
        ("a range as known", knowing, range(2, 6),
         "torch.isin(torch.arange(dim), torch.as_tensor(known))"),
        ("numbers as known", knowing, torch.ones(8), "known.bool()"),
        ("bytes of 0 and 1", storing, (PATTERNS > 0).to(torch.int8),
         "2 * patterns.float() - 1"),
        ("bools", storing, PATTERNS > 0, "2 * patterns.float() - 1"),
        ("a cue of bools", asking, CUE > 0, "2 * cue.float() - 1"),
        ("a state of bytes", updating, (CUE > 0).to(torch.uint8), "2 * state.float() - 1"),
        ("±1 as bytes", storing, PATTERNS.to(torch.int8), "patterns.float()"),
        ("a pattern to remove", removing, PATTERNS[1],
         "(memory.patterns == row).all(1).nonzero().flatten()"),
        ("a Cue to update", updating, Cue(CUE), "cue.state"),
        ("a Cue to step from", updating, Cue(CUE), "retrieve(cue, steps=1)"),
        ("an answer as cue", asking, filled("dense").retrieve(CUE), "found.state"),
        ("a data set", storing, dataset(GREY), "dataset.binary()"),
        ("a data set as cue", asking, dataset(GREY), "dataset.binary()"),
    ]
]  # fmt: skip
BINARY = [
    Advice(name, call, wrong, DomainError, advice)
    for name, call, wrong, advice in [
        ("0 and 1", storing, (PATTERNS + 1) / 2, "2 * patterns - 1"),
        ("grey", storing, GREY, "torch.where(patterns > 0, 1.0, -1.0)"),
        ("grey, of a set", storing, GREY, "dataset.binary()"),
        ("grey cues", asking, GREY, "torch.where(cue > 0, 1.0, -1.0)"),
        ("grey cues, of a set", asking, GREY, "dataset.binary()"),
        ("noisy cues", asking, CUE + 0.3, "cue.sign()"),
        ("half a noisy cue", asking, (CUE + 0.3) * (torch.arange(8) < 4), "cue.sign()"),
        ("a noisy state", updating, CUE + 0.3, "state.sign()"),
    ]
]
MODERN = [
    Advice("a data set", storing, dataset(GREY), WRONG_TYPE, "dataset.patterns"),
    Advice("a data set as cue", asking, dataset(GREY), WRONG_TYPE, "dataset.patterns"),
    Advice("bools", storing, PATTERNS > 0, WRONG_TYPE, "patterns.float()"),
]


def follow(memory: Memory, case: Advice) -> None:
    """The message advises what it should, and that works."""
    with pytest.raises(HopfieldError) as caught:
        case.call(memory, case.wrong)
    assert type(caught.value) is case.error, caught.value
    assert case.advice in str(caught.value)
    names = ("patterns", "values", "cue", "known", "state", "indices", "row", "found", "dataset")
    place = dict.fromkeys(names, case.wrong) | {"torch": torch, "numpy": numpy, "memory": memory}
    place["dim"] = len(CUE)
    if case.advice.startswith("dataset") and isinstance(case.wrong, Tensor):
        place["dataset"] = dataset(case.wrong)
    if case.advice.startswith("retrieve"):
        place["retrieve"] = memory.retrieve
        assert eval(case.advice, place).state.shape == CUE.shape
    else:
        case.call(memory, eval(case.advice, place))


@pytest.mark.parametrize("kind", ("classical", "dense"))
@pytest.mark.parametrize("case", [*EVERY, *BINARY], ids=str)
def test_binary_memories_advise_what_works(kind, case):
    follow(filled(kind), case)


@pytest.mark.parametrize("case", [*EVERY, *MODERN], ids=str)
def test_the_modern_memory_advises_what_works(case):
    follow(filled("modern"), case)


def test_a_half_noisy_cue_keeps_what_is_not_known():
    half = (CUE + 0.3) * (torch.arange(8) < 4)
    assert torch.equal(half.sign()[4:], torch.zeros(4)), "premise: unknown entries stay so"


OTHERS = [
    Bad("a short name", lambda: ClassicalHopfield(schedule="async"), OptionError,
        ("Did you mean 'asynchronous'?",)),
    Bad("another short name", lambda: DenseHopfield(schedule="sync"), OptionError,
        ("Did you mean 'synchronous'?",)),
    Bad("the start of a rule", lambda: ClassicalHopfield("pseudo"), OptionError,
        ("Did you mean 'pseudo_inverse'?",)),
    Bad("a start that two names have", lambda: ModernHopfield(similarity="co"), OptionError,
        ("'cosine', 'correlation'", "'co'")),
    Bad("one threshold", lambda: ClassicalHopfield(thresholds=0.1), InputTypeError,
        ("torch.full((dim,), thresholds)",)),
    Bad("no rows", lambda: ModernHopfield().store([]), InputTypeError, ("at least one row",)),
    Bad("a mask by name", lambda: Cue(CUE, "left"), InputTypeError, ("a torch.Tensor of bools",)),
    Bad("cold", lambda: ClassicalHopfield(temperature=-1), DomainError,
        ("temperature must be finite and at least 0", "-1")),
    Bad("α = 1", lambda: Entmax(alpha=1), DomainError, ("alpha", "α = 1 is Softmax")),
    Bad("α = 1, learnable", lambda: Entmax(torch.tensor(1.0)), DomainError,
        ("alpha", "α = 1 is Softmax")),
    Bad("a separation as β", lambda: ModernHopfield(Softmax(1.0)), InputTypeError,
        ("beta must be a number", "separation=Softmax(…)")),
    Bad("a polynomial as β", lambda: DenseHopfield(Polynomial(3)), InputTypeError,
        ("beta must be a number", "separation=Polynomial(…)")),
    Bad("rows of two lengths", lambda: ModernHopfield().store([CUE, CUE[:3]]), InputTypeError,
        ("patterns", "list", "rows of one length")),
    Bad("an answer to compare", lambda: metrics.cosine(CUE, filled("modern").retrieve(CUE)),
        InputTypeError, ("recovered", "Give found.state")),
    Bad("a cue to damage", lambda: corruption.flip(Cue(CUE), 0.1), InputTypeError,
        ("patterns", "Give cue.state")),
]  # fmt: skip


@cases(OTHERS)
def test_other_mistakes_are_answered(case):
    judge(case)


@pytest.mark.parametrize("dim", [2, 7, 8, 20, 1000])
def test_the_capacity_warning_is_true_of_its_numbers(dim):
    """It names a whole number of patterns, and comes with the first one beyond it."""
    memory = ClassicalHopfield()
    with pytest.raises(hopfield.CapacityWarning) as warned:
        for _ in range(dim):
            memory.store(torch.ones(1, dim))
    held, told = len(memory), str(warned.value)
    assert told.startswith(f"{held + 1} patterns of {dim} entries exceed")
    assert f"about {held} random ones (0.138·{dim}). Use rule='pseudo_inverse'" in told
    assert held == max(1, int(0.137906 * dim))
