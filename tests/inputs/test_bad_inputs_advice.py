"""Follow every piece of advice as printed: it works, and leads to no second error."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy
import numpy as np
import pytest
import torch
from torch import Tensor

import hopfield
from bad_inputs import CUE, PATTERNS, VALUES, Bad, by_kind, cases, filled, judge
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    Entmax,
    Memory,
    ModernHopfield,
    Polynomial,
    corruption,
    data,
    metrics,
    nn,
)
from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError

GREY = (PATTERNS + 1.5) / 2.5
NAMES = ["a", "b", "a"]


class DataFrame:
    """A table as pandas hands it to numpy; of mixed columns it makes an array of objects."""

    def __init__(self, rows) -> None:
        self._rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self._rows, dtype=dtype)


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


ROWS = "torch.as_tensor(numpy.array(patterns), dtype=torch.float32)"
MASK = "torch.as_tensor(numpy.array(known), dtype=torch.bool)"
PLACES = "torch.isin(torch.arange(dim), torch.as_tensor(known))"
CODES = "torch.as_tensor(numpy.unique(values, return_inverse=True)[1])"
WRONG_TYPE = InputTypeError
EVERY = [
    Advice(name, call, wrong, WRONG_TYPE, advice)
    for name, call, wrong, advice in [
        ("a list of rows", storing, list(PATTERNS), "torch.stack(patterns)"),
        ("a tuple of rows", storing, tuple(PATTERNS), "torch.stack(patterns)"),
        ("a list of cues", asking, list(PATTERNS), "torch.stack(cue)"),
        ("whole lists", storing, PATTERNS.int().tolist(), ROWS),
        ("lists", storing, PATTERNS.tolist(), ROWS),
        ("an array", storing, PATTERNS.numpy(), "torch.as_tensor(numpy.array(patterns))"),
        ("an array read backwards", storing, PATTERNS.numpy()[:, ::-1],
         "torch.as_tensor(numpy.array(patterns))"),
        ("whole numbers in an array", storing, PATTERNS.int().numpy(),
         ROWS),
        ("a list of arrays", storing, [row.numpy() for row in PATTERNS],
         ROWS),
        ("a table", storing, DataFrame(PATTERNS.numpy()),
         ROWS),
        ("a whole table", storing, DataFrame(PATTERNS.long().numpy()),
         ROWS),
        ("names as values", storing_values, NAMES, CODES),
        ("an array of names as values", storing_values, numpy.array(NAMES), CODES),
        ("codes as values", storing_values, [3, 1, 2], "torch.as_tensor(numpy.array(values))"),
        ("a list of bools", knowing, [True] * 8, MASK),
        ("a list of 0 and 1", knowing, [0, 1] * 4, MASK),
        ("an array of bools", knowing, numpy.ones(8, bool),
         MASK),
        ("places as known", knowing, torch.tensor([1, 3, 7]), PLACES),
        ("a list of places as known", knowing, [1, 3, 7], PLACES),
        ("a range as known", knowing, range(2, 6), PLACES),
        ("numbers as known", knowing, torch.ones(8), "known.bool()"),
        ("an attention mask as known", knowing, torch.tensor([0.0] * 5 + [-torch.inf] * 3),
         "known == 0"),
        ("bytes of 0 and 1", storing, (PATTERNS > 0).to(torch.int8), "2 * patterns.float() - 1"),
        ("bools", storing, PATTERNS > 0, "2 * patterns.float() - 1"),
        ("a cue of bools", asking, CUE > 0, "2 * cue.float() - 1"),
        ("a state of bytes", updating, (CUE > 0).to(torch.uint8), "2 * state.float() - 1"),
        ("±1 as bytes", storing, PATTERNS.to(torch.int8), "patterns.float()"),
        ("a pattern to remove", removing, PATTERNS[1],
         "(memory.patterns == row).all(1).nonzero().flatten()"),
        ("a Cue to update", updating, Cue(CUE), "retrieve(cue, steps=1)"),
        ("an answer as cue", asking, filled("dense").retrieve(CUE), "retrieval.state"),
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
        ("noisy cues", asking, CUE + 0.3, "cue.sign()"),
        ("half a noisy cue", asking, (CUE + 0.3) * (torch.arange(8) < 4), "cue.sign()"),
        ("a noisy state", updating, CUE + 0.3, "state.sign()"),
    ]
]
MODERN = [
    Advice("a data set", storing, dataset(GREY), WRONG_TYPE, "dataset.patterns"),
    Advice("a data set as cue", asking, dataset(GREY), WRONG_TYPE, "dataset.patterns"),
    Advice("bools", storing, PATTERNS > 0, WRONG_TYPE, "patterns.float()"),
    Advice("a memory", storing, filled("modern"), WRONG_TYPE, "memory.patterns"),
]


def follow(memory: Memory, case: Advice) -> None:
    """Check that the message gives this advice, and that it works."""
    with pytest.raises(HopfieldError) as caught:
        case.call(memory, case.wrong)
    assert type(caught.value) is case.error, caught.value
    assert case.advice in str(caught.value)
    names = (
        "patterns",
        "values",
        "cue",
        "known",
        "state",
        "indices",
        "row",
        "retrieval",
        "dataset",
    )
    place = dict.fromkeys(names, case.wrong) | {"torch": torch, "numpy": numpy, "memory": memory}
    place["dim"] = len(CUE)
    if case.advice.startswith("dataset") and isinstance(case.wrong, Tensor):
        place["dataset"] = dataset(case.wrong)
    if case.advice.startswith("retrieve"):
        place["retrieve"] = memory.retrieve
        assert eval(case.advice, place).state.shape == CUE.shape
    else:
        case.call(memory, eval(case.advice, place))


@by_kind([*EVERY, *BINARY], kinds=("classical", "dense"))
def test_binary_memories_advise_what_works(kind, case):
    follow(filled(kind), case)


@cases(MODERN)
def test_the_modern_memory_advises_what_works(case):
    follow(filled("modern"), case)


def test_a_half_noisy_cue_keeps_what_is_not_known():
    half = (CUE + 0.3) * (torch.arange(8) < 4)
    assert torch.equal(half.sign()[4:], torch.zeros(4)), "premise: unknown entries stay so"


def attention_masks():
    """One mask in every form that torch's attention or a tokenizer has, and the advice."""
    ignored = torch.tensor([[False] * 3 + [True] * 2])
    inf = torch.where(ignored, -torch.inf, 0.0)
    lowest = torch.where(ignored, torch.finfo(torch.float32).min, 0.0)
    return ignored, {
        "1 = keep, int": ((~ignored).long(), "int64 of 0 and 1", "padding_mask == 0"),
        "1 = keep, float": ((~ignored).float(), "float32 of 0 and 1", "padding_mask == 0"),
        "additive": (inf, "float32 of 0 and −inf", "padding_mask < 0"),
        "additive, finite": (lowest, "float32 of 0 and −inf", "padding_mask < 0"),
    }


@pytest.mark.parametrize("form", attention_masks()[1])
def test_masks_of_attention_are_named_and_converted(form):
    ignored, forms = attention_masks()
    mask, shown, advice = forms[form]
    rows = torch.randn(1, 5, 4, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.HopfieldAssociation(4).eval()
    with pytest.raises(InputTypeError) as caught:
        layer(rows, padding_mask=mask)
    assert shown in str(caught.value) and advice in str(caught.value)
    followed = eval(advice, {"padding_mask": mask})
    assert torch.equal(layer(rows, padding_mask=followed), layer(rows, padding_mask=ignored))


OTHERS = [
    Bad("the start of a rule", lambda: ClassicalHopfield("pseudo"), OptionError,
        ("Did you mean 'pseudo_inverse'?",)),
    Bad("α = 1", lambda: Entmax(alpha=1), DomainError, ("alpha", "α = 1 is Softmax")),
    Bad("α = 1, learnable", lambda: Entmax(torch.tensor(1.0)), DomainError,
        ("alpha", "α = 1 is Softmax")),
    Bad("a polynomial as β", lambda: DenseHopfield(Polynomial(3)), InputTypeError,
        ("beta must be a number", "separation=Polynomial(…)")),
    Bad("an answer to compare", lambda: metrics.cosine(CUE, filled("modern").retrieve(CUE)),
        InputTypeError, ("recovered", "Use retrieval.state")),
    Bad("a cue to damage", lambda: corruption.flip(Cue(CUE), 0.1), InputTypeError,
        ("patterns", "Use cue.state")),
]  # fmt: skip
SILENT = {
    "rows of two lengths": [CUE, CUE[:3]],
    "lists of two lengths": [[1.0], [1.0, 2.0]],
    "no rows": [],
    "a mixed table": DataFrame(np.array([[1, "a"], [2, "b"]], dtype=object)),
    "names": ["a", "b"],
    "bytes in the other order": PATTERNS.numpy().astype(">f4"),
    "a number": 3.0,
}
"""Patterns for which no single line is right: the message says what came, and advises nothing."""


@pytest.mark.parametrize("name", SILENT)
def test_no_advice_is_better_than_wrong_advice(name):
    with pytest.raises(InputTypeError) as caught:
        ModernHopfield().store(SILENT[name])
    assert re.fullmatch(r"patterns must be a torch\.Tensor, but is \S+( \S+)?\.", str(caught.value))


@cases(OTHERS)
def test_other_mistakes_are_answered(case):
    judge(case)


@pytest.mark.parametrize("dim", [2, 7, 8, 20, 1000])
def test_the_capacity_warning_is_true_of_its_numbers(dim):
    """The warning names a whole number of patterns, and comes with the first one beyond it."""
    memory = ClassicalHopfield()
    with pytest.raises(hopfield.CapacityWarning) as warned:
        for _ in range(dim):
            memory.store(torch.ones(1, dim))
    held, told = len(memory), str(warned.value)
    assert told.startswith(f"{held + 1} patterns of {dim} entries exceed")
    assert f"about {held} random ones (0.138·{dim}). Use rule='pseudo_inverse'" in told
    assert held == max(1, int(0.137906 * dim))
