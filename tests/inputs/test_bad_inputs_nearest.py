"""Every argument of `nearest` goes through its check, and a call that fails changes nothing."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from bad_inputs import COUNT, CUE, DIM, EMPTY, Bad, by_kind, cases, filled, judge, judge_unchanged
from hopfield import Cue, ModernHopfield
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

KNOWN = torch.arange(DIM) < 5
CUES = CUE.expand(4, DIM)
FILLED = {kind: filled(kind) for kind in EMPTY}
HUGE = 10**5_000


def asking(cue=CUE, k=2, known=None, **options):
    return lambda memory: memory.nearest(cue, k, known, **options)


def at_k(name, k, error, *shows):
    return Bad(f"k: {name}", asking(k=k), error, ("k must be", *shows))


CUES_REFUSED = [
    Bad("cue: None", asking(None), InputTypeError, ("cue", "None")),
    Bad("cue: a string", asking("cat"), InputTypeError, ("cue", "'cat'")),
    Bad("cue: a number", asking(1.5), InputTypeError, ("cue", "1.5")),
    Bad("cue: a dict", asking({"cue": CUE}), InputTypeError, ("cue", "dict")),
    Bad("cue: a set", asking({1, 2}), InputTypeError, ("cue", "set")),
    Bad("cue: complex", asking(CUE + 0j), InputTypeError, ("cue", "complex")),
    Bad("cue: sparse", asking(CUE.to_sparse()), InputTypeError, ("cue", "sparse")),
    Bad("cue: no axis", asking(torch.tensor(1.0)), ShapeError, ("(*batch, dim)", "()")),
    Bad("cue: too short", asking(CUE[:5]), ShapeError, ("dim=8", "(5,)")),
    Bad("cue: too long", asking(CUE.repeat(2)), ShapeError, ("dim=8", "(16,)")),
    Bad("cue: transposed", asking(CUES.T), ShapeError, ("dim=8", "(8, 4)")),
    Bad("cue: pictures", asking(CUE.reshape(1, 2, 4)), ShapeError, ("dim=8", "(1, 2, 4)")),
    Bad("cue: one empty row", asking(torch.ones(1, 0)), ShapeError, ("dim=8", "(1, 0)")),
    Bad("cue: NaN", asking(CUE * torch.nan), DomainError, ("cue", "NaN")),
    Bad("cue: infinite", asking(CUE / 0), DomainError, ("cue", "infinity")),
    Bad("cue: NaN in one of many", asking(CUES.clone().index_fill(0, torch.tensor([3]), math.nan)),
        DomainError, ("cue", "NaN")),
    Bad("cue: elsewhere", asking(CUE.to("meta")), DeviceError, ("cue", "meta")),
    Bad("cue: a class", asking(Cue), InputTypeError, ("cue", "Cue")),
    Bad("cue: a function", asking(lambda: CUE), InputTypeError, ("cue",)),
    Bad("cue: a memory", asking(FILLED["modern"]), InputTypeError, ("cue", "ModernHopfield")),
    Bad("cue: an answer", asking(FILLED["modern"].nearest(CUE, 1)), InputTypeError, ("Nearest",)),
]  # fmt: skip

K_REFUSED = [
    at_k("0", 0, DomainError, "0"),
    at_k("negative", -1, DomainError, "-1"),
    at_k("more than stored", COUNT + 1, DomainError, "3", "4", "min(k, len(memory))"),
    at_k("much more than stored", 10**18, DomainError, "3"),
    at_k("beyond any integer", HUGE, DomainError),
    at_k("a float", 2.0, InputTypeError, "2.0"),
    at_k("NaN", math.nan, InputTypeError, "nan"),
    at_k("infinite", math.inf, InputTypeError, "inf"),
    at_k("a string", "2", InputTypeError, "'2'"),
    at_k("True", True, InputTypeError, "True"),
    at_k("None", None, InputTypeError, "None"),
    at_k("a list", [2], InputTypeError, "list"),
    at_k("a tuple", (1, 2), InputTypeError, "tuple"),
    at_k("a range", range(2), InputTypeError, "range"),
    at_k("a tensor", torch.tensor(2), InputTypeError),
    at_k("several", torch.tensor([1, 2]), InputTypeError),
    at_k("a float of NumPy", np.float32(2), InputTypeError),
    at_k("a fraction", Fraction(2), InputTypeError),
    at_k("complex", 2j, InputTypeError, "complex"),
    at_k("bytes", b"2", InputTypeError, "bytes"),
    at_k("a type", int, InputTypeError, "int"),
]

MASKS_REFUSED = [
    Bad("known: floats", asking(known=KNOWN.float()), InputTypeError, ("known", "float32")),
    Bad("known: integers", asking(known=KNOWN.long()), InputTypeError, ("known", "int64")),
    Bad("known: bytes", asking(known=KNOWN.byte()), InputTypeError, ("known", "uint8")),
    Bad("known: a string", asking(known="all"), InputTypeError, ("known", "'all'")),
    Bad("known: a number", asking(known=3), InputTypeError, ("known", "3")),
    Bad("known: too short", asking(known=KNOWN[:4]), ShapeError, ("(8,)", "(4,)")),
    Bad("known: more than cues", asking(known=KNOWN.expand(4, 8)), ShapeError, ("(8,)", "(4, 8)")),
    Bad("known: other cues", asking(CUES, known=KNOWN.expand(3, 8)), ShapeError, ("(4, 8)",)),
    Bad("known: transposed", asking(CUES, known=KNOWN.expand(4, 8).T), ShapeError, ("known.T",)),
    Bad("known: sparse", asking(known=KNOWN.to_sparse()), InputTypeError, ("known", "sparse")),
    Bad("known: elsewhere", asking(known=KNOWN.to("meta")), DeviceError, ("known", "meta")),
    Bad("known: twice", asking(Cue(CUE, KNOWN), known=KNOWN), OptionError, ("known", "Cue")),
    Bad("NaN where known", asking(torch.where(KNOWN, math.nan, CUE), known=KNOWN), DomainError,
        ("cue", "NaN")),
]  # fmt: skip

OPTIONS_REFUSED = [
    Bad("weights: a string", asking(weights="no"), InputTypeError, ("weights", "'no'")),
    Bad("weights: a number", asking(weights=0), InputTypeError, ("weights", "0")),
    Bad("weights: None", asking(weights=None), InputTypeError, ("weights", "None")),
    Bad("weights: a tensor", asking(weights=torch.ones(3)), InputTypeError, ("weights",)),
    Bad("top_k", lambda m: m.nearest(CUE, top_k=2), OptionError, ("top_k",)),
    Bad("mask", asking(mask=KNOWN), OptionError, ("mask", "known=")),
    Bad("beta", asking(beta=2.0), OptionError, ("beta",)),
    Bad("steps", asking(steps=2), OptionError, ("steps", "retrieve")),
    Bad("values", asking(values=KNOWN), OptionError, ("values", "store")),
    Bad("query", lambda m: m.nearest(query=CUE, k=2), OptionError, ("query", "cue=")),
]  # fmt: skip


@by_kind(CUES_REFUSED, K_REFUSED, MASKS_REFUSED, OPTIONS_REFUSED)
def test_a_bad_question_is_refused_by_name(kind, case):
    judge_unchanged(case, FILLED[kind])


def test_there_are_sixty_of_them():
    tables = CUES_REFUSED, K_REFUSED, MASKS_REFUSED, OPTIONS_REFUSED
    assert sum(map(len, tables)) >= 60


BINARY_REFUSED = [
    Bad("halves", asking(CUE / 2), DomainError, ("−1", "0.5")),
    Bad("zeros and ones", asking((CUE > 0).float()), DomainError, ("0 or 1", "2 * cue - 1")),
    Bad("0 where known", asking(CUE * 0, known=KNOWN), DomainError, ("known", "0")),
]


@by_kind(BINARY_REFUSED, kinds=("classical", "dense"))
def test_binary_networks_take_signs_only(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", list(EMPTY))
def test_an_empty_memory_has_no_nearest_patterns(kind):
    judge(Bad("", asking(), EmptyMemoryError, ("store(patterns)",)), EMPTY[kind]())


LARGE = [
    Bad("scores beyond float32", lambda m: m.nearest(torch.full((DIM,), 1e18), 1), DomainError,
        ("cue", "float32")),
]  # fmt: skip


@cases(LARGE)
def test_scores_that_the_dtype_cannot_hold(case):
    memory = ModernHopfield(similarity="dot")
    memory.store(torch.full((2, DIM), 1e60, dtype=torch.float64))
    judge(case, memory)
