"""Every mistake in `energy`, `update`, `remove` and `to` is refused; nothing is changed."""

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
    cases,
    filled,
    judge_unchanged,
    signs,
    tensor_cases,
)
from hopfield import DenseHopfield, ModernHopfield, Polynomial
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

KINDS = tuple(EMPTY)
FILLED = {kind: filled(kind) for kind in KINDS}


def energy(state):
    return lambda memory: memory.energy(state)


def update(state):
    return lambda memory: memory.update(state)


def removing(indices):
    return lambda memory: memory.remove(indices)


def moving(*arguments, **options):
    return lambda memory: memory.to(*arguments, **options)


STATES = [
    (torch.tensor(1.0), ("dim=8", "()")),
    (torch.ones(0), ("dim=8", "(0,)")),
    (signs(7), ("dim=8", "Cut or pad")),
    (signs(9), ("dim=8", "Cut or pad")),
    (signs(DIM, 3), ("did you mean state.T?",)),
    (signs(2, 4), ("did you mean state.flatten(-2)?",)),
    (signs(3, 2, 4), ("did you mean state.flatten(-2)?",)),
    (signs(2, 3, 9), ("dim=8", "(2, 3, 9)")),
    (signs(3, 1).expand(3, 7), ("(3, 7)",)),
]


def state_cases(call):
    return tensor_cases("state", CUE, call) + [
        Bad(f"state {tuple(state.shape)}", call(state), ShapeError, ("state", *shows))
        for state, shows in STATES
    ]


BINARY = [
    Bad(f"{call.__name__} {name}", call(state), DomainError, ("state", "−1, 0 (unknown)", shown))
    for call in (energy, update)
    for name, state, shown in [
        ("grey", CUE * 0.5, "0.5"),
        ("bytes", CUE.clamp_min(0) * 255, "255"),
        ("tiny", CUE * 1e-30, "1e-30"),
        ("noisy", CUE + 0.25, "-0.75"),
    ]
]
TOO_LARGE = [
    Bad(f"{call.__name__} of 1e30", call(CUE * 1e30), DomainError, ("state", "1e+30", "float64"))
    for call in (energy, update)
]
GENERATORS = [
    Bad(
        f"generator {shown}",
        lambda memory, value=value: memory.update(CUE, generator=value),
        InputTypeError,
        ("generator", shown),
    )
    for value, shown in [(0, "0"), ("cpu", "'cpu'"), (np.random.PCG64(0), "numpy.random")]
]

REMOVED = (
    [
        Bad(f"remove {name}", removing(value), InputTypeError, ("indices", shown))
        for name, value, shown in [
            ("None", None, "None"),
            ("a bool", True, "True"),
            ("a float", 1.0, "1.0"),
            ("NaN", float("nan"), "nan"),
            ("a name", "first", "'first'"),
            ("a huge name", "f" * 10_000, "'fff"),
            ("a digit", "1", "'1'"),
            ("bytes", b"1", "bytes"),
            ("complex", 1j, "complex"),
            ("a dict", {0: 1}, "dict"),
            ("a slice", slice(0, 1), "slice"),
            ("an object", object(), "object"),
            ("a class", int, "class int"),
            ("floats", [0.0, 1.0], "0.0"),
            ("floats in a tensor", torch.tensor([0.0]), "float32"),
            ("bools", [True, False, True], "True"),
            ("a mask", torch.tensor([True, False, True]), "bool"),
            ("complex numbers", [1j], "complex"),
            ("complex in a tensor", torch.tensor([1j]), "complex64"),
            ("names", ["first"], "'first'"),
            ("Nones", [None], "None"),
            ("objects", [object()], "object"),
            ("ragged lists", [[0], [1, 2]], "list"),
            ("a table", [[0, 1]], "list"),
            ("patterns", PATTERNS, "float32"),
            ("a sparse tensor", torch.tensor([0, 1]).to_sparse(), "sparse"),
            ("float array", np.array([0.0]), "0.0"),
            ("object array", np.array([None]), "None"),
            ("string array", np.array(["a"]), "'a'"),
            ("bool array", np.array([True, False]), "numpy.bool"),
            ("tensors of several", [torch.ones(2)], "tensor of shape (2,)"),
            ("a single array", np.array(1.0), "numpy.ndarray"),
        ]
    ]
    + [
        Bad(f"remove {name}", removing(value), DomainError, ("indices", "-3 and 2", shown))
        for name, value, shown in [
            ("one too far", COUNT, "3"),
            ("far", 10**6, "1000000"),
            ("a huge int", 10**30, "000000"),
            ("an unprintable int", 10**5_000, "int of"),
            ("huge ints", [0, 10**30], "000000"),
            ("too negative", -COUNT - 1, "-4"),
            ("one of several", [0, 1, 7], "7"),
            ("a range", range(2, 5), "3"),
            ("in a tensor", torch.tensor([0, 9]), "9"),
            ("as int8", torch.tensor([-100], dtype=torch.int8), "-100"),
            ("as uint8", torch.tensor([200], dtype=torch.uint8), "200"),
            ("many", list(range(10_000)), "3"),
        ]
    ]
    + [
        Bad(
            "remove a meta tensor",
            removing(torch.ones(2).long().to("meta")),
            DeviceError,
            ("meta",),
        )
    ]
)

DEVICES = [
    Bad(f"to {name}", moving(value), error, ("device", shown))
    for name, value, error, shown in [
        ("an unknown device", "gpu", DeviceError, "'gpu'"),
        ("a typo", "cpuu", DeviceError, "'cpuu'"),
        ("nothing", "", DeviceError, "''"),
        ("nonsense", "cpu:x", DeviceError, "'cpu:x'"),
        ("a far device", "cuda:99", DeviceError, "cuda:99"),
        ("a far device object", torch.device("cuda:99"), DeviceError, "cuda:99"),
        ("a far number", 99, DeviceError, "99"),
        ("a negative number", -1, DeviceError, "-1"),
        ("meta", "meta", DeviceError, "meta"),
        ("a meta device", torch.device("meta"), DeviceError, "meta"),
        ("another kind", "xla", DeviceError, "xla"),
        ("a huge name", "c" * 10_000, DeviceError, "'ccc"),
        ("a bool", True, InputTypeError, "True"),
        ("a float", 1.5, InputTypeError, "1.5"),
        ("bytes", b"cpu", InputTypeError, "bytes"),
        ("a list", ["cpu"], InputTypeError, "list"),
        ("a dict", {}, InputTypeError, "dict"),
        ("an object", object(), InputTypeError, "object"),
        ("a class", torch.device, InputTypeError, "class device"),
        ("a tensor", CUE, InputTypeError, "tensor of shape (8,)"),
        ("an array", np.ones(2), InputTypeError, "numpy.ndarray"),
        ("complex", 1j, InputTypeError, "complex"),
        ("a set", {"cpu"}, InputTypeError, "set"),
        ("a memory", ModernHopfield(), InputTypeError, "ModernHopfield"),
        ("a huge int", 10**5_000, DeviceError, "int of"),
    ]
] + [
    Bad("to a dtype", moving(torch.float64), OptionError, ("dtype=torch.float64", "to()")),
    Bad("to a dtype, twice", moving(torch.float64, torch.float64), OptionError, ("dtype=",)),
]
DTYPES = [
    Bad(f"to dtype {name}", moving(dtype=value), InputTypeError, ("dtype", shown))
    for name, value, shown in [
        ("int64", torch.int64, "int64"),
        ("int8", torch.int8, "int8"),
        ("uint8", torch.uint8, "uint8"),
        ("bool", torch.bool, "bool"),
        ("complex64", torch.complex64, "complex64"),
        ("complex128", torch.complex128, "complex128"),
        ("quint8", torch.quint8, "quint8"),
        ("float8", torch.float8_e4m3fn, "float8_e4m3fn"),
        ("another float8", torch.float8_e5m2, "float8_e5m2"),
        ("a name", "float32", "'float32'"),
        ("a typo", "flaot32", "'flaot32'"),
        ("a number", 32, "32"),
        ("a bool", True, "True"),
        ("a type", float, "class float"),
        ("a numpy type", np.float32, "class float32"),
        ("a numpy dtype", np.dtype("float32"), "numpy"),
        ("a tensor", CUE, "tensor of shape (8,)"),
        ("a list", [torch.float32], "list"),
        ("a device", torch.device("cpu"), "device"),
        ("an object", object(), "object"),
        ("a huge name", "f" * 10_000, "'fff"),
    ]
]


@pytest.mark.parametrize("kind", KINDS)
@cases(state_cases(energy), at_least=40)
def test_energy_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", KINDS)
@cases(state_cases(update), GENERATORS, at_least=40)
def test_update_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", ("classical", "dense"))
@cases(BINARY)
def test_binary_states_are_signs(kind, case):
    judge_unchanged(case, FILLED[kind])


@cases(TOO_LARGE)
def test_modern_states_keep_finite_energies(case):
    judge_unchanged(case, FILLED["modern"])


@pytest.mark.parametrize("kind", KINDS)
@cases(REMOVED, at_least=40)
def test_remove_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])


@pytest.mark.parametrize("kind", KINDS)
@cases(DEVICES, DTYPES, at_least=40)
def test_to_refuses(kind, case):
    judge_unchanged(case, FILLED[kind])
    judge_unchanged(case, EMPTY[kind]())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_patterns_too_large_for_a_dtype_stay_as_they_are(dtype):
    memory = ModernHopfield()
    memory.store(PATTERNS.double() * 1e100, VALUES.double())
    name = str(dtype).removeprefix("torch.")
    case = Bad("", moving(dtype=dtype), DomainError, ("patterns", name, "1e+100", "Scale"))
    judge_unchanged(case, memory)


def test_values_too_large_for_a_dtype_stay_as_they_are():
    memory = ModernHopfield()
    memory.store(PATTERNS, VALUES * 1e6)
    shows = ("values", "float16", "5e+06", "Scale")
    judge_unchanged(Bad("", moving(dtype=torch.float16), DomainError, shows), memory)


def test_polynomial_energies_must_fit_the_new_dtype():
    memory = DenseHopfield(separation=Polynomial(100))
    memory.store(PATTERNS.double())
    case = Bad("", moving(dtype=torch.float32), DomainError, ("degree", "float32", "100"))
    judge_unchanged(case, memory)


def test_device_and_dtype_in_one_call_change_both_or_neither():
    memory = filled("modern")
    case = Bad("", moving("cuda:99", torch.float64), DeviceError, ("cuda:99",))
    judge_unchanged(case, memory)
    assert memory.patterns.dtype == torch.float32
