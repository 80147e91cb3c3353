"""Every argument of a memory's methods goes through its check; after an error nothing changed.

The methods are written once for all memories, so each case runs on one kind of memory in turn.
What a check refuses is in test_bad_inputs_checks.
"""

import numpy as np
import pytest
import torch

from bad_inputs import (
    COUNT,
    CUE,
    DIM,
    EMPTY,
    PATTERNS,
    VALUES,
    Bad,
    by_kind,
    cases,
    filled,
    judge,
    judge_unchanged,
    number_cases,
    signs,
    tensor_cases,
    whole_number_cases,
)
from hopfield import ClassicalHopfield, Cue, DenseHopfield, Memory, ModernHopfield, Polynomial
from hopfield.errors import (
    DeviceError,
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

KINDS = tuple(EMPTY)
BINARY = ("classical", "dense")
FILLED = {kind: filled(kind) for kind in KINDS}
KNOWN = torch.arange(DIM) < 5
CUES = signs(4, DIM, seed=3)
HUGE = 10**5_000


def storing(patterns, values=VALUES):
    return lambda memory: memory.store(patterns, values)


def asking(cue, known=None, **options):
    return lambda memory: memory.retrieve(cue, known, **options)


def option(name, **others):
    """Return value → the call of `retrieve` with that value for the option."""
    return lambda value: asking(CUE, **{name: value}, **others)


def energy(state):
    return lambda memory: memory.energy(state)


def update(state, **options):
    return lambda memory: memory.update(state, **options)


def removing(indices):
    return lambda memory: memory.remove(indices)


def moving(*arguments, **options):
    return lambda memory: memory.to(*arguments, **options)


# store

ARGUMENTS = [
    *tensor_cases("patterns", PATTERNS, storing),
    Bad("a vector", storing(CUE), ShapeError, ("(n, dim)", "patterns[None]")),
    Bad("no rows", storing(PATTERNS[:0]), ShapeError, ("at least one", "(0, 8)")),
    Bad("elsewhere", storing(PATTERNS.to("meta")), DeviceError, ("patterns", "meta")),
    Bad("values: objects", storing(PATTERNS, [object()] * 3), InputTypeError, ("values", "list")),
    Bad("values: sparse", storing(PATTERNS, torch.eye(COUNT).to_sparse()), InputTypeError,
        ("values", "sparse")),
    Bad("values: a number", storing(PATTERNS, torch.tensor(1.0)), ShapeError, ("3", "()")),
    Bad("values: too few", storing(PATTERNS, VALUES[:2]), ShapeError, ("3", "(2, 2)")),
    Bad("values: transposed", storing(PATTERNS, VALUES.T), ShapeError, ("mean values.T?",)),
    Bad("values: NaN", storing(PATTERNS, VALUES * torch.nan), DomainError, ("values", "NaN")),
]  # fmt: skip
LIKE_BEFORE = [
    Bad("transposed", storing(PATTERNS.T), ShapeError, ("(8, 3)", "did you mean patterns.T?")),
    Bad("too short", storing(signs(COUNT, 7)), ShapeError, ("dim=8", "(3, 7)")),
    Bad("other dtype", storing(PATTERNS.double()), InputTypeError,
        ("float64", "float32", "Use patterns.to(torch.float32)")),
    Bad("values: not again", storing(PATTERNS, None), OptionError, ("values", "no values")),
    Bad("values: wider", storing(PATTERNS, torch.ones(COUNT, 3)), ShapeError, ("(n, 2)", "(3, 3)")),
    Bad("values: flat", storing(PATTERNS, torch.ones(COUNT)), ShapeError, ("(n, 2)", "(3,)")),
    Bad("values: other dtype", storing(PATTERNS, VALUES.double()), InputTypeError, ("float64",)),
    Bad("values: integers", storing(PATTERNS, VALUES.long()), InputTypeError, ("int64",)),
]  # fmt: skip


@by_kind(ARGUMENTS)
def test_an_empty_memory_stays_empty(kind, case):
    judge_unchanged(case, EMPTY[kind]())


@by_kind(ARGUMENTS, LIKE_BEFORE)
def test_a_filled_memory_stays_as_it_is(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", BINARY)
def test_binary_networks_store_signs_only(kind):
    case = Bad("", storing(PATTERNS * 0.5), DomainError, ("−1 or +1", "0.5"))
    judge_unchanged(case, FILLED[kind])
    judge_unchanged(case, EMPTY[kind]())


def test_modern_patterns_keep_finite_energies():
    case = Bad("", storing(PATTERNS * 1e30), DomainError, ("patterns", "1e+30"))
    judge_unchanged(case, FILLED["modern"])
    judge_unchanged(case, EMPTY["modern"]())


def test_values_cannot_begin_later():
    memory = filled("modern", values=None)
    judge_unchanged(Bad("", storing(PATTERNS), OptionError, ("values", "earlier")), memory)


def test_thresholds_decide_the_length():
    memory = ClassicalHopfield(thresholds=torch.zeros(5))
    case = Bad("", storing(PATTERNS, None), ShapeError, ("5", "(3, 8)", "threshold"))
    judge_unchanged(case, memory)


@pytest.mark.parametrize("degree", [50, 400, 10**6, 2**63 - 1])
def test_energies_that_overflow_are_refused(degree):
    memory = DenseHopfield(separation=Polynomial(degree))
    shows = ("degree", "Softmax")
    judge_unchanged(Bad("", storing(PATTERNS, None), DomainError, shows), memory)
    if degree > 50:
        judge_unchanged(Bad("", storing(PATTERNS.double(), None), DomainError, shows), memory)


def test_a_refused_warning_stores_nothing():
    """`CapacityWarning`, an error in these tests, leaves the memory as it was."""
    memory = ClassicalHopfield("hebbian")
    memory.store(PATTERNS[:1])
    with pytest.raises(UserWarning, match=r"no fixed points"):
        memory.store(signs(6, DIM, seed=2))
    assert len(memory) == 1


# retrieve and Cue

CUE_SHAPES = [
    Bad("cue: a number", asking(torch.tensor(1.0)), ShapeError, ("(*batch, dim)", "()")),
    Bad("cue: columns", asking(CUES.T), ShapeError, ("dim=8", "did you mean cue.T?")),
    Bad("Cue too short", asking(Cue(CUE[:5], KNOWN[:5])), ShapeError, ("dim=8", "(5,)")),
    Bad("Cue transposed", asking(Cue(CUES.T)), ShapeError, ("mean cue.T?",)),
]
MASKS = [
    Bad("known: a list", asking(CUE, [1] * DIM), InputTypeError, ("known", "list")),
    Bad("known: a name", asking(CUE, "left"), InputTypeError, ("known", "'left'")),
    Bad("known: floats", asking(CUE, KNOWN.float()), InputTypeError, ("known", "float32")),
    Bad("known: complex", asking(CUE, KNOWN + 0j), InputTypeError, ("known", "complex64")),
    Bad(
        "known: float8",
        asking(CUE, KNOWN.to(torch.float8_e5m2)),
        InputTypeError,
        ("known", "float8"),
    ),
    Bad("known: sparse", asking(CUE, KNOWN.to_sparse()), InputTypeError, ("known", "sparse")),
    Bad("known: meta", asking(CUE, KNOWN.to("meta")), DeviceError, ("known", "meta")),
    Bad("known: short", asking(CUE, KNOWN[:5]), ShapeError, ("known", "(8,)", "(5,)")),
    Bad("known: empty", asking(CUE, KNOWN[:0]), ShapeError, ("known", "(8,)", "(0,)")),
    Bad("known: a batch", asking(CUE, KNOWN.expand(2, DIM)), ShapeError, ("(2, 8)",)),
    Bad("known: other batch", asking(CUES, KNOWN.expand(3, DIM)), ShapeError, ("(3, 8)",)),
    Bad("known: turned", asking(CUES, KNOWN.expand(4, DIM).T), ShapeError, ("mean known.T?",)),
    Bad("known: one a cue", asking(CUES, KNOWN[:4]), ShapeError, ("(4, 8)", "(4,)")),
]
OPTIONS = [
    Bad("known: twice", asking(Cue(CUE, KNOWN), KNOWN), OptionError, ("known", "own mask")),
    Bad("known: to a Cue", asking(Cue(CUE), KNOWN), OptionError, ("known", "own mask")),
    Bad("known: junk to a Cue", asking(Cue(CUE), 3), OptionError, ("known", "3")),
    Bad("clamp: 1", option("clamp", known=KNOWN)(1), InputTypeError, ("clamp", "1")),
    Bad("clamp without known", option("clamp")(True), OptionError, ("clamp=True", "known=")),
    Bad("clamp: junk without known", option("clamp")("no"), InputTypeError, ("clamp", "'no'")),
    Bad("trace: None", option("trace")(None), InputTypeError, ("trace", "None")),
    Bad("trace: typo", option("trace")("state"), OptionError, ("Did you mean 'states'?",)),
    Bad("trace: energies", option("trace")("energies"), OptionError, ("Or True",)),
    Bad("evidence: typo", option("evidence", known=KNOWN)("knwon"), OptionError,
        ("'knwon'", "Did you mean 'known'?")),
    Bad("generator: a seed", option("generator")(0), InputTypeError, ("generator", "0")),
    *whole_number_cases("steps", option("steps")),
    *number_cases("tol", option("tol")),
]  # fmt: skip
OF_BINARY = [
    Bad("cue: noisy", asking(CUE + 0.25), DomainError, ("−1, 0 (unknown) or +1", "-0.75")),
    Bad("0 as known", asking(CUE * ~KNOWN, KNOWN), DomainError, ("known", "is 0", "cue != 0")),
    Bad("all 0/1", asking(CUE.clamp_min(0)), DomainError, ("2 * cue - 1", "known=cue != 0")),
    Bad("evidence='all'", asking(CUE, KNOWN, evidence="all"), OptionError, ("'all'", "binary")),
    Bad("energy of grey", energy(CUE * 0.5), DomainError, ("state", "−1, 0 (unknown)", "0.5")),
    Bad("update of grey", update(CUE * 0.5), DomainError, ("state", "−1, 0 (unknown)", "0.5")),
]
OF_MODERN = [
    *[
        Bad(f"{name} too large", call(CUE * 1e30), DomainError, (name, "1e+30"))
        for name, call in [("cue", asking), ("state", energy)]
    ],
    Bad("update too large", update(CUE * 1e30), DomainError, ("state", "1e+30")),
    Bad("all evidence, no mask", asking(CUE, evidence="all"), OptionError, ("'all'", "known=")),
    Bad("evidence: al", asking(CUE, KNOWN, evidence="al"), OptionError, ("Did you mean 'all'?",)),
]


@by_kind(tensor_cases("cue", CUE, asking), CUE_SHAPES, MASKS, OPTIONS)
def test_retrieve_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", BINARY)
@cases(OF_BINARY)
def test_binary_memories_refuse(kind, case):
    judge_unchanged(case, FILLED[kind])


@cases(OF_MODERN)
def test_the_modern_memory_refuses(case):
    judge_unchanged(case, FILLED["modern"])


class AsCue:
    """Takes what `retrieve` takes, and makes a `Cue` of it."""

    def retrieve(self, cue, known):
        return Cue(cue, known)


OF_CUE = [
    *tensor_cases("cue", CUE, lambda value: lambda: Cue(value)),
    *[case._replace(call=lambda case=case: case.call(AsCue())) for case in MASKS],
    Bad("a number", lambda: Cue(torch.tensor(1.0)), ShapeError, ("()",)),
    Bad("NaN where known", lambda: Cue(CUE * torch.nan, KNOWN), DomainError,
        ("cue", "NaN", "known=torch.isfinite(cue)")),
]  # fmt: skip


@cases(OF_CUE)
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
    judge(Bad("", lambda memory: getattr(memory, name)(cue), DomainError, (dtype,)), memory)


def test_an_energy_the_state_cannot_hold_is_refused():
    memory, cue = _results_too_large()[0]
    judge(Bad("", lambda memory: memory.energy(cue), DomainError, ("float32",)), memory)


# energy, update, remove and to

STATES = [
    case
    for name, call in (("energy", energy), ("update", update))
    for case in [
        *[
            each._replace(name=f"{name} of {each.name}")
            for each in tensor_cases("state", CUE, call)
        ],
        Bad(f"{name} of a number", call(torch.tensor(1.0)), ShapeError, ("dim=8", "()")),
        Bad(f"{name} of columns", call(signs(DIM, 3)), ShapeError, ("did you mean state.T?",)),
    ]
] + [Bad("update by a seed", update(CUE, generator=0), InputTypeError, ("generator", "0"))]
INDICES = [Bad("remove None", removing(None), InputTypeError, ("indices", "names="))] + [
    Bad(f"remove {name}", removing(value), InputTypeError, ("indices", shown))
    for name, value, shown in [
        ("a bool", True, "True"),
        ("a float", 1.0, "1.0"),
        ("a name", "first", "'first'"),
        ("a dict", {0: 1}, "dict"),
        ("a slice", slice(0, 1), "slice"),
        ("floats", [0.0, 1.0], "0.0"),
        ("floats in a tensor", torch.tensor([0.0]), "float32"),
        ("bools", [True, False, True], "True"),
        ("a mask", torch.tensor([True, False, True]), "bool"),
        ("complex in a tensor", torch.tensor([1j]), "complex64"),
        ("a table", [[0, 1]], "list"),
        ("patterns", PATTERNS, "float32"),
        ("a sparse tensor", torch.tensor([0, 1]).to_sparse(), "sparse"),
        ("object array", np.array([None]), "None"),
        ("bool array", np.array([True, False]), "numpy.bool"),
        ("tensors of several", [torch.ones(2)], "tensor of shape (2,)"),
        ("an array of no axes", np.array(1.0), "numpy.ndarray"),
    ]
] + [
    Bad(f"remove {name}", removing(value), DomainError, ("indices", "-3 and 2", shown))
    for name, value, shown in [
        ("one too far", COUNT, "3"),
        ("an unprintable int", HUGE, "int of"),
        ("too negative", -COUNT - 1, "-4"),
        ("one of several", [0, 1, 7], "7"),
        ("a range", range(2, 5), "3"),
        ("in a tensor", torch.tensor([0, 9]), "9"),
        ("as uint8", torch.tensor([200], dtype=torch.uint8), "200"),
    ]
]  # fmt: skip
DEVICES = [
    Bad(f"to {name}", moving(value), error, ("device", shown))
    for name, value, error, shown in [
        ("an unknown device", "gpu", DeviceError, "'gpu'"),
        ("nothing", "", DeviceError, "''"),
        ("a far device", "cuda:99", DeviceError, "cuda:99"),
        ("a far number", 99, DeviceError, "99"),
        ("a negative number", -1, DeviceError, "-1"),
        ("meta", "meta", DeviceError, "meta"),
        ("a bool", True, InputTypeError, "True"),
        ("a float", 1.5, InputTypeError, "1.5"),
        ("a list", ["cpu"], InputTypeError, "list"),
        ("a tensor", CUE, InputTypeError, "tensor of shape (8,)"),
        ("a huge int", HUGE, DeviceError, "int of"),
    ]
] + [
    Bad("to a dtype", moving(torch.float64), OptionError, ("dtype=torch.float64", "to()")),
    Bad("to a dtype, twice", moving(torch.float64, torch.float64), OptionError, ("dtype=",)),
    Bad("to dtype int64", moving(dtype=torch.int64), InputTypeError, ("dtype", "int64")),
]


@by_kind(STATES, INDICES, DEVICES)
def test_other_methods_refuse(kind, case):
    judge_unchanged(case, FILLED[kind])


@by_kind(DEVICES)
def test_empty_memories_are_moved_to_real_places_only(kind, case):
    judge_unchanged(case, EMPTY[kind]())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_patterns_too_large_for_a_dtype_stay_as_they_are(dtype):
    memory = ModernHopfield()
    memory.store(PATTERNS.double() * 1e100, VALUES.double())
    name = str(dtype).removeprefix("torch.")
    case = Bad("", moving(dtype=dtype), DomainError, ("patterns", name, "1e+100"))
    judge_unchanged(case, memory)


def test_values_too_large_for_a_dtype_stay_as_they_are():
    memory = ModernHopfield()
    memory.store(PATTERNS, VALUES * 1e6)
    shows = ("values", "float16", "5e+06")
    judge_unchanged(Bad("", moving(dtype=torch.float16), DomainError, shows), memory)


def test_polynomial_energies_must_fit_the_new_dtype():
    memory = DenseHopfield(separation=Polynomial(100))
    memory.store(PATTERNS.double())
    case = Bad("", moving(dtype=torch.float32), DomainError, ("degree", "float32", "100"))
    judge_unchanged(case, memory)


def test_device_and_dtype_in_one_call_change_both_or_neither():
    memory = filled("modern")
    judge_unchanged(Bad("", moving("cuda:99", torch.float64), DeviceError, ("cuda:99",)), memory)
    assert memory.patterns.dtype == torch.float32
