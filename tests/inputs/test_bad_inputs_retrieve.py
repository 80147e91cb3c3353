"""Every mistake in `retrieve` and `Cue` is refused by a named error; nothing is changed."""

import random

import numpy as np
import pytest
import torch

from bad_inputs import (
    COUNT,
    CUE,
    DIM,
    EMPTY,
    NOT_TENSORS,
    PATTERNS,
    Bad,
    cases,
    filled,
    judge,
    judge_unchanged,
    number_cases,
    signs,
    strange_tensors,
    tensor_cases,
    whole_number_cases,
)
from hopfield import ClassicalHopfield, Cue, Memory, ModernHopfield
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

KINDS = tuple(EMPTY)
FILLED = {kind: filled(kind) for kind in KINDS}
KNOWN = torch.arange(DIM) < 5
CUES = signs(4, DIM, seed=3)


def asking(cue, known=None, **options):
    return lambda memory: memory.retrieve(cue, known, **options)


def option(name, **others):
    """value → the call with that value for the option."""
    return lambda value: asking(CUE, **{name: value}, **others)


SHAPES = [
    Bad(f"cue {tuple(cue.shape)}", asking(cue), ShapeError, (str(tuple(cue.shape)), *hints))
    for cue, hints in [
        (torch.tensor(1.0), ("Give a row",)),
        (torch.ones(0), ("dim=8",)),
        (signs(7), ("dim=8", "Cut or pad")),
        (signs(9), ("dim=8", "Cut or pad")),
        (CUES.T, ("dim=8", "did you mean cue.T?")),
        (signs(DIM, 1), ("did you mean cue.T?",)),
        (signs(2, 4), ("did you mean cue.flatten(-2)?",)),
        (signs(5, 2, 4), ("did you mean cue.flatten(-2)?",)),
        (signs(3, 0), ("dim=8",)),
        (signs(2, 3, 9), ("dim=8", "Cut or pad")),
        (signs(3, 1).expand(3, 7), ("dim=8",)),
    ]
]
MASKS = [
    *[
        Bad(f"known: {name}", asking(CUE, value), InputTypeError, ("known", shown))
        for name, (value, shown) in NOT_TENSORS.items()
        if value is not None
    ],
    *[
        Bad(f"known: {name}", asking(CUE, value), error, ("known", shown))
        for name, (value, error, shown) in strange_tensors(DIM).items()
        if name != "bool tensor"
    ],
    *[
        Bad(f"known: {name} of bools", asking(CUE, value), InputTypeError, ("known", shown))
        for name, value, shown in [
            ("list", [True] * DIM, "list"),
            ("array", np.ones(DIM, bool), "numpy.ndarray"),
            ("sparse", torch.ones(DIM).bool().to_sparse(), "sparse"),
            ("float", KNOWN.float(), "float32"),
        ]
    ],
    Bad("known: short", asking(CUE, KNOWN[:5]), ShapeError, ("known", "(8,)", "(5,)")),
    Bad("known: empty", asking(CUE, KNOWN[:0]), ShapeError, ("known", "(8,)", "(0,)")),
    Bad("known: a batch", asking(CUE, KNOWN.expand(2, DIM)), ShapeError, ("(2, 8)",)),
    Bad("known: other batch", asking(CUES, KNOWN.expand(3, DIM)), ShapeError, ("(3, 8)",)),
    Bad("known: turned", asking(CUES, KNOWN.expand(4, DIM).T), ShapeError, ("mean known.T?",)),
    Bad("known: one a cue", asking(CUES, KNOWN[:4]), ShapeError, ("(4, 8)", "(4,)")),
    Bad("known: twice", asking(Cue(CUE, KNOWN), KNOWN), OptionError, ("known", "own mask")),
    Bad("known: to a Cue", asking(Cue(CUE), KNOWN), OptionError, ("known", "own mask")),
    Bad("known: junk to a Cue", asking(Cue(CUE), 3), OptionError, ("known", "3")),
    Bad("Cue too short", asking(Cue(CUE[:5], KNOWN[:5])), ShapeError, ("dim=8", "(5,)")),
    Bad("Cue transposed", asking(Cue(CUES.T)), ShapeError, ("mean cue.T?",)),
]
SWITCHES = [
    Bad(f"{name}: {shown}", option(name, **more)(value), InputTypeError, (name, shown))
    for name, more in [("clamp", {"known": KNOWN}), ("trace", {})]
    for value, shown in [
        (1, "1"),
        (0.0, "0.0"),
        ("yes", "'yes'"),
        (torch.tensor(True), "tensor of shape ()"),
        (np.bool_(True), "numpy.bool"),
        ([True], "list"),
    ]
] + [
    Bad("trace: None", option("trace")(None), InputTypeError, ("trace", "None")),
    Bad("clamp without known", option("clamp")(True), OptionError, ("clamp=True", "known=")),
    Bad("clamp: junk without known", option("clamp")("no"), InputTypeError, ("clamp", "'no'")),
]
EVIDENCE = [
    Bad(f"evidence: {name}", option("evidence", known=KNOWN)(value), OptionError, (*shown,))
    for name, value, shown in [
        ("typo", "knwon", ("'knwon'", "Did you mean 'known'?")),
        ("capital", "Known", ("'Known'", "Did you mean 'known'?")),
        ("empty", "", ("''", "'known'")),
        ("None", None, ("None", "'known'")),
        ("bool", True, ("True", "'known'")),
        ("array", np.array(["all", "all"]), ("numpy.ndarray", "'known'")),
        ("tensor", torch.ones(2), ("tensor of shape (2,)", "'known'")),
        ("list", ["all"], ("list", "'known'")),
    ]
]
GENERATORS = [
    Bad(f"generator: {name}", option("generator")(value), InputTypeError, ("generator", shown))
    for name, value, shown in [
        ("seed", 0, "0"),
        ("numpy", np.random.default_rng(0), "numpy.random"),
        ("random", random.Random(0), "random.Random"),
        ("string", "cpu", "'cpu'"),
        ("bool", True, "True"),
        ("state", torch.Generator().get_state(), "tensor"),
        ("class", torch.Generator, "class Generator"),
    ]
]
LIMITS = [
    *whole_number_cases("steps", option("steps")),
    *number_cases("tol", option("tol")),
    Bad("steps: None", option("steps")(None), InputTypeError, ("steps", "None")),
    Bad("tol: tensor", option("tol")(torch.ones(3)), InputTypeError, ("tol", "tensor")),
]
BINARY = [
    Bad(f"cue {name}", asking(cue), DomainError, ("−1, 0 (unknown) or +1", shown, "Binarise"))
    for name, cue, shown in [
        ("grey", CUE * 0.5, "0.5"),
        ("doubled", CUE * 2, "2"),
        ("noisy", CUE + 0.25, "-0.75"),
        ("bytes", CUE.clamp_min(0) * 255, "255"),
        ("tiny", CUE * 1e-30, "1e-30"),
    ]
] + [
    Bad("0 as known", asking(CUE * ~KNOWN, KNOWN), DomainError, ("known", "is 0", "cue != 0")),
    Bad("evidence='all'", asking(CUE, KNOWN, evidence="all"), OptionError, ("'all'", "binary")),
]
MODERN = [
    Bad("too large", asking(CUE * 1e30), DomainError, ("1e+30", "Scale", "float64")),
    Bad("all evidence, no mask", asking(CUE, evidence="all"), OptionError, ("'all'", "known=")),
    Bad(
        "evidence typo",
        asking(CUE, KNOWN, evidence="al"),
        OptionError,
        ("'known', 'all'", "Did you mean 'all'?"),
    ),
]


@pytest.mark.parametrize("kind", KINDS)
@cases(
    tensor_cases("cue", CUE, asking), SHAPES, MASKS, SWITCHES, EVIDENCE, GENERATORS, LIMITS,
    at_least=40,
)  # fmt: skip
def test_every_memory_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", ("classical", "dense"))
@cases(BINARY)
def test_binary_memories_refuse(kind, case):
    judge_unchanged(case, FILLED[kind])


@cases(MODERN)
def test_the_modern_memory_refuses(case):
    judge_unchanged(case, FILLED["modern"])


CUE_CASES = [
    *tensor_cases("cue", CUE, lambda value: lambda: Cue(value)),
    *[
        case._replace(name=f"Cue, {case.name}", call=lambda case=case: case.call(_Asked()))
        for case in MASKS
        if "Cue" not in case.name and "twice" not in case.name
    ],
    Bad("Cue: single number", lambda: Cue(torch.tensor(1.0)), ShapeError, ("()",)),
    Bad(
        "Cue: NaN where known",
        lambda: Cue(torch.full((DIM,), torch.nan), KNOWN),
        DomainError,
        ("cue", "NaN", "known=torch.isfinite(cue)"),
    ),
]


class _Asked:
    """Takes what `retrieve` takes, and makes a `Cue` of it."""

    def retrieve(self, cue, known):
        return Cue(cue, known)


@cases(CUE_CASES, at_least=40)
def test_cues_refuse(case):
    judge(case)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["retrieve", "energy", "update"])
def test_an_empty_memory_says_so(kind, name):
    case = Bad("", lambda memory: getattr(memory, name)(CUE), EmptyMemoryError, ("empty", "store"))
    memory = EMPTY[kind]()
    judge_unchanged(case, memory)
    for rest in (lambda memory: memory.remove(0), lambda memory: memory.patterns):
        judge_unchanged(case._replace(call=rest), memory)
    memory.store(PATTERNS)
    memory.remove(range(COUNT))
    judge_unchanged(case, memory)


def test_a_coupling_needs_patterns():
    case = Bad("", lambda memory: memory.coupling, EmptyMemoryError, ("empty", "store"))
    judge_unchanged(case, ClassicalHopfield())


def _results_too_large() -> list[tuple[Memory, torch.Tensor]]:
    wide, half = ModernHopfield(), ModernHopfield()
    wide.store(PATTERNS.double() * 1e100)
    half.store(PATTERNS * 1e6)
    return [(wide, torch.zeros(DIM)), (half, torch.zeros(DIM, dtype=torch.float16))]


@pytest.mark.parametrize("name", ["retrieve", "update"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_result_the_cue_cannot_hold_is_refused(name, which):
    """Patterns of a wider dtype than the cue's may be too large for it."""
    memory, cue = _results_too_large()[which]
    dtype = str(cue.dtype).removeprefix("torch.")
    case = Bad("", lambda memory: getattr(memory, name)(cue), DomainError, (dtype, "Use"))
    judge(case, memory)


def test_an_energy_the_state_cannot_hold_is_refused():
    memory, cue = _results_too_large()[0]
    judge(Bad("", lambda memory: memory.energy(cue), DomainError, ("float32", "Use")), memory)


def test_masks_lie_where_the_cue_lies():
    case = Bad("", asking(CUE, KNOWN.to("meta")), DeviceError, ("known", "meta"))
    judge_unchanged(case, FILLED["modern"])
