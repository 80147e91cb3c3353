"""Every kind of wrong value, for every check: what the message says, and no error from below.

Call sites have one case per check; see the other files here.
"""

import random
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bad_inputs import COUNT, CUE, DIM, PATTERNS, Bad, cases, judge, signs
from hopfield import HopfieldError, ModernHopfield, checks
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

NOT_TENSORS: dict[str, tuple[object, str]] = {
    "None": (None, "None"),
    "list": ([[1.0, -1.0]], "list"),
    "ragged list": ([[1.0], [1.0, 2.0]], "list"),
    "tuple": ((1.0, -1.0), "tuple"),
    "numpy": (np.ones((COUNT, DIM), np.float32), "numpy.ndarray"),
    "numpy objects": (np.array([None, "x"]), "numpy.ndarray"),
    "numpy scalar": (np.float32(1.0), "numpy.float32"),
    "string": ("patterns.pt", "'patterns.pt'"),
    "bytes": (b"\x00\xff", "bytes"),
    "int": (7, "7"),
    "float": (0.5, "0.5"),
    "NaN": (float("nan"), "nan"),
    "bool": (True, "True"),
    "complex": (1j, "complex"),
    "dict": ({"patterns": [1.0]}, "dict"),
    "set": ({1.0, -1.0}, "set"),
    "object": (object(), "object"),
    "class": (torch.Tensor, "class"),
    "function": (torch.ones, "builtin_function"),
    "memory": (ModernHopfield(), "ModernHopfield"),
    "huge string": ("x" * 10_000, "'xxx"),
    "huge int": (10**5_000, "an int of"),
}
"""Values that are no tensors, and what a message calls them."""


def strange_tensors(*shape: int) -> dict[str, tuple[Tensor, type[HopfieldError], str]]:
    """Tensors of a good shape that no network can compute with: error, text of its message."""
    good, wrong = torch.ones(shape), InputTypeError
    place = torch.zeros(len(shape), 1, dtype=torch.long)
    sparse = torch.sparse_coo_tensor(place, [1.0], shape, check_invariants=True)
    return {
        "int64": (good.long(), wrong, "int64"),
        "int8": (good.to(torch.int8), wrong, "int8"),
        "uint8": (good.to(torch.uint8), wrong, "uint8"),
        "bool tensor": (good.bool(), wrong, "bool"),
        "complex64": (good + 0j, wrong, "complex64"),
        "complex128": (good.double() + 0j, wrong, "complex128"),
        "float8": (good.to(torch.float8_e4m3fn), wrong, "float8_e4m3fn"),
        "quantised": (_quantised(good), wrong, "quint8"),
        "sparse": (sparse, wrong, "sparse"),
        "mkldnn": (good.to_mkldnn(), wrong, "mkldnn"),
        "nested": (
            torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
            wrong,
            "nested",
        ),
        "uninitialised": (nn.UninitializedParameter(), wrong, "uninitialised"),
        "meta": (good.to("meta"), DeviceError, "meta"),
    }


def _quantised(good: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to remove them; as yet it hands them out
        return torch.quantize_per_tensor(good, 0.1, 0, torch.quint8)


def _nested() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this layout has no shape; torch calls it a prototype
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def not_finite(good: Tensor) -> dict[str, tuple[Tensor, type[HopfieldError], str]]:
    """The tensor with one entry that is not finite."""
    tensors = {}
    for value, shown in ((torch.nan, "NaN"), (torch.inf, "infinity"), (-torch.inf, "infinity")):
        wrong = good.clone()
        wrong.view(-1)[-1] = value
        tensors[f"with {value}"] = (wrong, DomainError, shown)
    return tensors


def refused(check, name, table, **options):
    """One case per value of the table: {case: (value, error, shown)}."""
    return [
        Bad(f"{check.__name__}: {case}", partial(check, name, value, **options), error, shows)
        for case, (value, error, *shows) in table.items()
        for shows in [(name, *shows)]
    ]


NOT_FLOATS = {name: (value, InputTypeError, shown) for name, (value, shown) in NOT_TENSORS.items()}
NOT_NUMBERS = {
    "string": ("8", InputTypeError, "'8'"),
    "bool": (True, InputTypeError, "True"),
    "None": (None, InputTypeError, "None"),
    "list": ([1.0], InputTypeError, "list"),
    "complex": (1j, InputTypeError, "complex"),
    "numpy array": (np.ones(3), InputTypeError, "numpy.ndarray"),
    "dict": ({}, InputTypeError, "dict"),
    "class": (float, InputTypeError, "class"),
    "object": (object(), InputTypeError, "object"),
    "huge string": ("8" * 10_000, InputTypeError, "'888"),
    "nested": (_nested(), InputTypeError, "a nested tensor"),
    "uninitialised": (nn.UninitializedBuffer(), InputTypeError, "an uninitialised parameter"),
    "a tensor of one": (torch.ones(()), InputTypeError, "tensor of shape ()", "Use x.item()"),
    "tensor": (torch.ones(3), InputTypeError, "tensor of shape (3,)"),
}
NUMBERS = [
    *refused(
        checks.check_number,
        "x",
        NOT_NUMBERS
        | {
            "below": (-0.5, DomainError, "at least 0", "-0.5"),
            "NaN": (float("nan"), DomainError, "nan"),
            "minus infinity": (float("-inf"), DomainError, "-inf"),
            "huge int": (10**5_000, DomainError, "an int of", "float64"),
        },
        low=0.0,
    ),
    Bad("above", partial(checks.check_number, "x", 3, high=1), DomainError, ("at most 1", "3")),
    Bad("between", partial(checks.check_number, "x", 3, low=0, high=1, hint="Use less."),
        DomainError, ("between 0 and 1", "3", "Use less.")),
    *refused(
        checks.check_positive,
        "x",
        {str(value): (value, DomainError, "above 0 and finite") for value in (0, -1.5, torch.inf)}
        | {"string": NOT_NUMBERS["string"]},
    ),
    *refused(
        checks.check_integer,
        "x",
        NOT_NUMBERS
        | {
            "float": (2.0, InputTypeError, "2.0"),
            "NaN": (float("nan"), InputTypeError, "nan"),
            "infinity": (float("inf"), InputTypeError, "inf"),
            "below": (0, DomainError, "at least 1", "0"),
            "above": (2**63, DomainError, "between 1 and"),
            "huge and negative": (-(10**5_000), DomainError, "at least 1", "an int of"),
        },
        low=1,
    ),
]  # fmt: skip
TENSORS = [
    *refused(checks.check_tensor, "x", NOT_FLOATS | strange_tensors(2, 3)),
    *refused(checks.check_tensor, "x", not_finite(torch.ones(2, 3))),
    *refused(checks.check_tensor, "x", {
        "half, with NaN": (torch.full((2,), torch.nan).half(), DomainError, "NaN"),
        "a sum that overflows, with NaN":
            (torch.tensor([3e38, 3e38, torch.nan]), DomainError, "NaN"),
    }),
    *refused(checks.check_tensor, "cue", {
        "missing entries": (torch.full((2,), torch.nan), DomainError, "known=torch.isfinite(cue)"),
    }),
]  # fmt: skip
ROWS = [
    *refused(checks.check_patterns, "x", {
        "a number": (torch.ones(()), ShapeError, "(n, dim)", "()"),
        "a vector": (torch.ones(DIM), ShapeError, "(n, dim)", "(8,)", "x[None]"),
        "images": (torch.ones(2, 2, DIM), ShapeError, "(2, 2, 8)", "x.flatten(1)"),
        "no rows": (torch.ones(0, DIM), ShapeError, "at least one", "(0, 8)"),
        "no entries": (torch.ones(COUNT, 0), ShapeError, "at least one", "(3, 0)"),
        "columns": (torch.ones(DIM, 5), ShapeError, "dim=8", "(8, 5)", "did you mean x.T?"),
        "short": (torch.ones(5, 7), ShapeError, "dim=8", "(5, 7)"),
        "a list": (PATTERNS.tolist(), InputTypeError, "list"),
        "integers": (PATTERNS.long(), InputTypeError, "int64"),
        "NaN": (PATTERNS * torch.nan, DomainError, "NaN"),
    }, dim=DIM),
    *refused(checks.check_dim, "x", {
        "a number alone": (torch.ones(()), ShapeError, "dim=8", "()"),
        "an image": (torch.ones(2, 4), ShapeError, "did you mean x.flatten(-2)?"),
        "several images": (torch.ones(5, 2, 4), ShapeError, "did you mean x.flatten(-2)?"),
        "long": (torch.ones(2, 3, 9), ShapeError, "(2, 3, 9)"),
        "of no entries": (torch.ones(3, 0), ShapeError, "(3, 0)"),
    }, dim=DIM),
    *refused(checks.check_norms, "x", {
        "float32": (CUE * 1e30, DomainError, "1e+30", "float32", "Scale x down, or use float64"),
        "float64": (CUE.double() * 1e200, DomainError, "1e+200", "float64", "Scale x down."),
        "bfloat16": (CUE.bfloat16() * 1e30, DomainError, "float32", "Scale x down"),
    }),
    *refused(checks.check_finite_norms, "x", {
        "large": (CUE * 1e30, DomainError, "1e+30"),
        "NaN": (CUE * torch.nan, DomainError, "NaN"),
        "infinite": (CUE * torch.inf, DomainError, "infinity"),
    }),
    *refused(checks.check_device, "x", {
        "elsewhere": (CUE.to("meta"), DeviceError, "cpu", "meta", "x.to('cpu')"),
    }, device=torch.device("cpu")),
]  # fmt: skip
SIGNS = [
    *refused(checks.check_binary, "x", {
        "0/1": ((PATTERNS + 1) / 2, DomainError, "contains 0", "2 * x - 1"),
        "all zero": (torch.zeros(2, 3), DomainError, "contains 0"),
        "one half": (PATTERNS * 0.5, DomainError, "0.5", "torch.where(x > 0, 1.0, -1.0)"),
        "bytes": (PATTERNS.clamp_min(0) * 255, DomainError, "255", "dataset.binary()"),
        "nearly 1": (PATTERNS * (1 + 1e-6), DomainError, "1.000001"),
        "ternary": (PATTERNS * (torch.arange(DIM) > 3), DomainError, "contains"),
        "tiny": (PATTERNS * 1e-30, DomainError, "1e-30"),
    }),
    *[
        case._replace(name=f"{case.name}, unknown allowed")
        for case in refused(checks.check_binary, "x", {
            "grey": (CUE.clamp_min(0) * 0.5, DomainError, "−1, 0 (unknown) or +1", "0.5",
                     "torch.where(x > 0, 1.0, -1.0)"),
            "noisy": (CUE + 0.25, DomainError, "-0.75", "x.sign()"),
            "doubled": (CUE * 2, DomainError, "2", "x.sign()"),
        }, zero=True)
    ],
]  # fmt: skip
NOT_DTYPES = [
    *(torch.int64, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128),
    *(torch.quint8, torch.float8_e4m3fn, torch.float8_e5m2, "float32", 32, True, None, float),
    *(
        np.float32,
        np.dtype("float32"),
        CUE,
        [torch.float32],
        torch.device("cpu"),
        ...,
    ),
]
NOT_GENERATORS = {
    "seed": (0, "0"),
    "numpy": (np.random.default_rng(0), "numpy.random"),
    "random": (random.Random(0), "random.Random"),
    "string": ("cpu", "'cpu'"),
    "bool": (True, "True"),
    "state": (torch.Generator().get_state(), "tensor"),
    "class": (torch.Generator, "class Generator"),
}
VALID = ("dot", "euclidean", "cosine", "correlation")
NOT_NAMES = {
    "None": (None, OptionError, "None"),
    "empty": ("", OptionError, "''"),
    "a number": (3, OptionError, "3"),
    "a bool": (True, OptionError, "True"),
    "a list": (["dot"], OptionError, "list"),
    "no name": ("zz", OptionError, "'zz'"),
    "bytes": (b"dot", OptionError, "bytes"),
    "a tensor": (torch.ones(3), OptionError, "tensor of shape (3,)"),
    "an array": (np.array(["dot", "dot"]), OptionError, "numpy.ndarray"),
    "a huge string": ("x" * 9999, OptionError, "'xxx"),
    "a start of two": ("co", OptionError, "'cosine', 'correlation'"),
    **{
        typo: (typo, OptionError, repr(typo), f"Did you mean {right!r}?")
        for typo, right in {"euclidian": "euclidean", "Euclidean": "euclidean", "cos": "cosine",
                            "COSINE": "cosine"}.items()
    },
}  # fmt: skip
OPTIONS = [
    *refused(checks.check_choice, "x", NOT_NAMES, choices=VALID),
    *refused(checks.check_flag, "x", {
        checks.short_repr(value): (value, InputTypeError, "True or False", checks.short_repr(value))
        for value in ("yes", 1, 0.0, None, torch.tensor(True), np.bool_(True), [True],
                      nn.UninitializedParameter())
    }),
    *refused(checks.check_dtype, "x", {
        str(value)[:60]: (value, InputTypeError, "float16, bfloat16, float32 or float64")
        for value in NOT_DTYPES
    }),
    *[
        Bad(f"generator: {name}", partial(checks.check_generator, value), InputTypeError,
            ("generator", shown, "torch.Generator().manual_seed(seed)"))
        for name, (value, shown) in NOT_GENERATORS.items()
    ],
]  # fmt: skip


@cases(NUMBERS, TENSORS, ROWS, SIGNS, OPTIONS, at_least=160)
def test_checks_refuse(case):
    judge(case)


def test_float64_is_not_advised_to_float64():
    with pytest.raises(DomainError) as caught:
        checks.check_norms("x", CUE.double() * 1e200)
    assert "use float64" not in str(caught.value)


def test_checks_return_what_is_right():
    assert checks.check_number("x", 3, low=3, high=3) == 3.0
    assert checks.check_number("x", torch.inf) == torch.inf
    assert checks.check_positive("x", np.float32(0.5)) == 0.5
    assert checks.check_integer("x", np.int8(3)) == 3
    assert checks.check_integer("x", 2**63 - 1) == 2**63 - 1
    assert checks.check_choice("x", "dot", VALID) == "dot"
    assert checks.check_flag("x", False) is False
    for dtype in checks.FLOATS:
        assert checks.check_dtype("x", dtype) is dtype
        rows = signs(2, DIM).to(dtype)
        assert checks.check_patterns("x", rows, DIM) is rows
        assert (
            checks.check_finite_norms("x", rows) is rows and checks.check_norms("x", rows) is rows
        )
    assert checks.check_tensor("x", torch.full((9,), 3e38)).isfinite().all(), "its sum is infinite"
    assert torch.equal(checks.check_binary("x", PATTERNS), PATTERNS)
    unknown = PATTERNS * (torch.arange(DIM) > 3)
    assert checks.check_binary("x", unknown, zero=True) is unknown
    generator = torch.Generator()
    assert checks.check_generator(generator) is generator
    assert checks.check_generator(None, 7).initial_seed() == 7
    assert checks.check_device("x", CUE, torch.device("cpu")) is CUE
