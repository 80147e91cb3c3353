"""Follow every piece of advice as printed: it works, and leads to no second error."""

import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy
import numpy as np
import pytest
import torch
from torch import Tensor

from bad_inputs import CUE, PATTERNS, VALUES, Bad, by_kind, cases, filled, judge
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    Entmax,
    Memory,
    ModernHopfield,
    Polynomial,
    Separation,
    corruption,
    data,
    metrics,
    nn,
)
from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError
from hopfield.nn.hflayers.arguments import KINDS

GREY = (PATTERNS + 1.5) / 2.5


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


def removing(memory, indices):
    memory.remove(indices)
    assert len(memory) == len(PATTERNS) - 1


def asking(memory, cue):
    return memory.retrieve(cue)


def knowing(memory, known):
    return memory.retrieve(CUE, known)


def updating(memory, state):
    return memory.update(state)


MASK = "torch.as_tensor(numpy.array(known), dtype=torch.bool)"
PLACES = "torch.isin(torch.arange(dim), torch.as_tensor(known))"
WRONG_TYPE = InputTypeError
EVERY = [
    Advice(name, call, wrong, WRONG_TYPE, advice)
    for name, call, wrong, advice in [
        ("a list of 0 and 1", knowing, [0, 1] * 4, MASK),
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


def class_of(kind):
    return type(filled(kind))


FOREIGN = {
    "units": ("classical", lambda m: type(m)(100), "The first store(patterns) decides"),
    "units by name": ("modern", lambda m: type(m)(input_size=8), "The first store(patterns)"),
    "β of a retrieval": ("modern", lambda m: m.retrieve(CUE, beta=2.0), "ModernHopfield(beta=…)"),
    "β of a classical one": ("classical", lambda m: m.retrieve(CUE, beta=2.0),
                             "DenseHopfield(beta=…)"),
    "most steps": ("dense", lambda m: m.retrieve(CUE, max_steps=3), "Use steps=."),
    "steps of the memory": ("dense", lambda m: type(m)(steps=3), "retrieve(…, steps=…)"),
    "labels": ("modern", lambda m: m.store(PATTERNS, labels=VALUES), "Use values=."),
    "heat": ("modern", lambda m: m.retrieve(CUE, temperature=1.0), "ClassicalHopfield(temperature"),
    "a mask": ("modern", lambda m: m.retrieve(CUE, mask=CUE > 0), "Use known=."),
    "a mask of an update": ("modern", lambda m: m.update(CUE, known=CUE > 0), "retrieve(…, known"),
    "a slip": ("modern", lambda m: m.retrieve(CUE, generater=None), "Did you mean generator=?"),
    "a slip of the memory": ("modern", lambda m: type(m)(similarty="dot"), "mean similarity=?"),
    "a cue by name": ("dense", lambda m: m.retrieve(x=CUE), "first, without a name, or as cue=."),
    "a state by name": ("dense", lambda m: m.update(x=CUE), "or as state=."),
    "a derived class": ("modern", lambda m: type("ModernAlike", (type(m),), {})(rule="storkey"),
                        "ClassicalHopfield(rule=…)"),
    "nothing alike": ("modern", lambda m: m.remove(zzz=1), "It takes indices, names."),
}  # fmt: skip
"""Calls with arguments of other libraries, and the words that say where each belongs here."""


@pytest.mark.parametrize(("kind", "call", "says"), FOREIGN.values(), ids=FOREIGN)
def test_an_argument_that_a_method_does_not_take_is_placed(kind, call, says):
    judge(Bad("", lambda: call(filled(kind)), OptionError, (says,)))


def test_the_places_of_arguments_work():
    """Follow the advice of the table above."""
    for kind in ("dense", "modern"):
        memory = class_of(kind)(beta=2.0)
        memory.store(PATTERNS, values=VALUES)
        memory.retrieve(cue=CUE, known=CUE > 0, steps=3, generator=None)
        memory.update(state=CUE)
    ClassicalHopfield(temperature=1.0).store(PATTERNS[:1])
    ModernHopfield(similarity="dot")


def test_signatures_are_those_of_the_methods():
    for name in ("store", "remove", "retrieve", "energy", "update", "to", "save"):
        method = getattr(Memory, name)
        assert inspect.signature(method) == inspect.signature(method.__wrapped__)
        assert method.__doc__ and method.__name__ == name


def test_errors_of_a_call_that_fits_are_left_alone():
    """A TypeError from below; a missing argument is named with the user's class."""

    class Failing(ModernHopfield):
        def step(self, state, known, held, generator):
            raise TypeError("from below")

    memory = Failing()
    memory.store(PATTERNS)
    with pytest.raises(TypeError, match="from below"):
        memory.retrieve(CUE)
    with pytest.raises(InputTypeError, match=r"Failing\.store .* missing .* 'patterns'"):
        memory.store()

    class Open(ModernHopfield):
        def __init__(self, **options):
            super().__init__(beta=options["b"])

    assert Open(b=2.0).separation.beta == 2.0


@pytest.mark.parametrize(("name", "use"), [("key_padding_mask", "padding_mask"),
                                           ("attn_mask", "association_mask")])  # fmt: skip
def test_masks_by_the_names_of_torch_are_placed(name, use):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.HopfieldAssociation(4), nn.HopfieldPooling(nn.HopfieldAssociation(4)),
                  nn.HopfieldLookup(nn.HopfieldAssociation(4), 5)]  # fmt: skip
    rows = torch.ones(1, 5, 4)
    for layer in layers:
        for call in (layer, layer.describe):
            with pytest.raises(OptionError, match=f"Use {use}=, True where a pattern is ignored"):
                call(rows, **{name: torch.zeros(1, 5, dtype=torch.bool)})
            call(rows, padding_mask=torch.zeros(1, 5, dtype=torch.bool))


class Cubic(Separation):
    """A separation of one's own whose weights do not sum to one."""

    simplex = False

    def potential(self, scores):
        return scores.pow(3).sum(-1)

    def __call__(self, scores):
        return 3 * scores.square()


def test_memories_do_not_send_a_separation_to_each_other():
    with pytest.raises(OptionError, match=r"not Cubic\. Use DenseHopfield, which takes every"):
        ModernHopfield(separation=Cubic())
    memory = DenseHopfield(separation=Cubic())
    memory.store(PATTERNS)
    assert torch.equal(memory.update(PATTERNS), PATTERNS)


NO_TYPE = {"text": "yes", "a number": 1.5, "a list": [1], "a tensor": torch.ones(2),
           "meta": torch.ones((), device="meta"), "huge": 10**400, "NaN": torch.nan,
           "a class": int, "complex": 1j}  # fmt: skip


@pytest.mark.parametrize("wrong", NO_TYPE)
def test_arguments_of_hflayers_of_a_wrong_type_are_named(wrong):
    for kind, defaults in KINDS.items():
        for name in defaults:
            right = {name: NO_TYPE[wrong]}
            with pytest.raises(HopfieldError) as caught:
                nn.from_hflayers({}, {"input_size": 4} | right, kind)
            if not str(caught.value).startswith("state_dict must hold"):  # a type that fits
                assert name in str(caught.value)


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
    "a mixed table": DataFrame(np.array([[1, "a"], [2, "b"]], dtype=object)),
    "a number": 3.0,
}
"""Patterns for which no single line is right: the message says what came, and advises nothing."""


@pytest.mark.parametrize("name", SILENT)
def test_no_advice_is_better_than_wrong_advice(name):
    with pytest.raises(InputTypeError) as caught:
        ModernHopfield().store(SILENT[name])
    message = r"patterns must be a tensor, [a-zA-Z, ]*, but is (a )?\S+( of objects)?\."
    assert re.fullmatch(message, str(caught.value))


@cases(OTHERS)
def test_other_mistakes_are_answered(case):
    judge(case)
