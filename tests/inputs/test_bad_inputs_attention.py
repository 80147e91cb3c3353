"""Every argument of `hopfield.attention` goes through its check; its inputs stay as they are."""

import pytest
import torch

from bad_inputs import (
    COUNT,
    CUE,
    DIM,
    PATTERNS,
    VALUES,
    Bad,
    cases,
    judge,
    number_cases,
    signs,
    tensor_cases,
)
from hopfield import attention
from hopfield.errors import DeviceError, DomainError, InputTypeError, ShapeError

CUES = signs(4, DIM, seed=3)


def asking(state=CUE, patterns=PATTERNS, beta=1.0, values=None):
    return lambda: attention(state, patterns, beta, values)


def option(name):
    return lambda value: asking(**{name: value})


def shape_cases(name, table):
    return [
        Bad(
            f"{name} {tuple(value.shape)}",
            asking(**{name: value}),
            ShapeError,
            (name, str(tuple(value.shape)), *shows),
        )
        for value, shows in table
    ]


SHAPES = [
    *shape_cases(
        "state",
        [
            (torch.tensor(1.0), ("dim=8", "(3, 8)")),
            (signs(7), ("dim=8",)),
            (signs(5, COUNT), ("did you mean patterns.T?",)),
        ],
    ),
    *shape_cases(
        "patterns",
        [
            (signs(DIM), ("patterns[None]",)),
            (signs(0, DIM), ("at least one",)),
            (PATTERNS.T, ("did you mean patterns.T?",)),
            (signs(COUNT, 7), ("dim=7", "(8,)")),
        ],
    ),
    *shape_cases(
        "values",
        [
            (torch.ones(COUNT), ("(n, out)", "n=3")),
            (VALUES.T, ("n=3",)),
            (torch.ones(COUNT, 2, 2), ("values.flatten(1)",)),
        ],
    ),
    *[
        Bad(f"beta {shape}", asking(CUES, beta=torch.ones(shape)), ShapeError, ("beta", str(shape)))
        for shape in [(2,), (8,), (4, 1), (0,)]
    ],
    Bad("beta of several for one", asking(beta=torch.ones(2)), ShapeError, ("beta", "(2,)")),
]
ALIKE = [
    Bad(
        f"{name} {str(dtype).removeprefix('torch.')}",
        asking(**{"values": VALUES} | {name: value.to(dtype)}),
        InputTypeError,
        ("float32", str(dtype).removeprefix("torch."), "patterns.dtype"),
    )
    for dtype, name, value in (
        (torch.float16, "state", CUE),
        (torch.bfloat16, "patterns", PATTERNS),
        (torch.float64, "values", VALUES),
    )
]
NUMBERS = [
    *number_cases("beta", option("beta")),
    Bad("beta: negative tensor", asking(beta=torch.tensor(-1.0)), DomainError, ("beta", "-1")),
    Bad("beta: integer tensor", asking(beta=torch.tensor(2)), InputTypeError, ("beta", "int64")),
    Bad("beta: meta", asking(beta=torch.ones((), device="meta")), DeviceError, ("beta", "meta")),
    Bad("state: 1e30", asking(CUE * 1e30), DomainError, ("state", "1e+30", "float64")),
    Bad("patterns: 1e38", asking(CUE, PATTERNS * 1e38), DomainError, ("patterns", "e+38")),
]


@cases(
    tensor_cases("state", CUE, option("state")),
    tensor_cases("patterns", PATTERNS, option("patterns")),
    tensor_cases("values", VALUES, option("values")),
    SHAPES,
    ALIKE,
    NUMBERS,
    at_least=30,
)
def test_attention_refuses(case):
    kept = [tensor.clone() for tensor in (CUE, PATTERNS, VALUES)]
    judge(case)
    assert all(map(torch.equal, kept, (CUE, PATTERNS, VALUES)))


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 1), (2, 4), (1, 1)])
def test_betas_that_fit_the_batch_are_taken(shape):
    states = signs(2, 4, DIM, seed=5)
    betas = torch.arange(1.0, 1 + max(1, torch.Size(shape).numel())).reshape(shape)
    together = attention(states, PATTERNS, betas)
    every = betas.expand(2, 4)
    for i in range(2):
        for j in range(4):
            alone = attention(states[i, j], PATTERNS, float(every[i, j]))
            torch.testing.assert_close(together[i, j], alone)
