"""Under compile, vmap and their like only shapes are checked, and the answers are the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.func import grad, vmap

from bad_inputs import Bad, as_users_see_it, judge
from cases import seeded
from hopfield import Entmax, Polynomial, Softmax, Sparsemax, TopK, attention, energy, similarity
from hopfield.checks import is_traced
from hopfield.errors import DomainError, ShapeError
from hopfield.similarity import SIMILARITIES
from source_tree import PACKAGE

ROWS = torch.randn(9, 6, generator=seeded(0), dtype=torch.float64)
STATES = torch.randn(4, 6, generator=seeded(1), dtype=torch.float64)
KNOWN = torch.arange(6) < 4
FUNCTIONS = {
    **{name: lambda x, name=name: getattr(similarity, name)(ROWS, x) for name in SIMILARITIES},
    "masked": lambda x: similarity.euclidean(ROWS, x, KNOWN),
    "attention": lambda x: attention(x, ROWS, 0.5),
    "energy": lambda x: energy.modern(
        x, Softmax(2.0).potential(similarity.euclidean(ROWS, x)), similarity="euclidean"
    ),
    **{
        f"{part} of {separation!r}": (
            lambda x, separation=separation, part=part: (
                separation if part == "weights" else separation.potential
            )(x @ ROWS.T)
        )
        for separation in (Softmax(2.0), Sparsemax(2.0), Entmax(1.5, 2.0), TopK(3), Polynomial(3))
        for part in ("weights", "potential")
    },
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
COMPILING = """
import torch
from test_tracing import FUNCTIONS, STATES
for name, function in FUNCTIONS.items():
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(STATES), function(STATES), rtol=1e-12, atol=1e-12)
    print(name)
"""


def test_whole_graphs_say_the_same():
    """In a separate process: the shape checks of these tests cannot be traced."""
    paths = (Path(__file__).parent, Path(__file__).parents[1] / "support", PACKAGE.parent)
    done = subprocess.run(
        [sys.executable, "-c", COMPILING],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:-1] == list(FUNCTIONS)


@every_function
def test_vmap_says_the_same(function):
    with as_users_see_it():
        together = vmap(function)(STATES)
        torch.testing.assert_close(together, function(STATES), rtol=1e-12, atol=1e-12)


def test_a_learnable_parameter_may_be_mapped_over():
    betas, scores = torch.tensor([0.5, 2.0]).double(), STATES @ ROWS.T
    with as_users_see_it():
        mapped = vmap(lambda beta: Softmax(beta).potential(scores))(betas)
        expected = torch.stack([Softmax(beta).potential(scores) for beta in (0.5, 2.0)])
        torch.testing.assert_close(mapped, expected)
        slope = grad(lambda beta: Softmax(beta).potential(scores[0]))(betas[0])
        above, below = (Softmax(0.5 + by).potential(scores[0]) for by in (1e-5, -1e-5))
    torch.testing.assert_close(slope, (above - below) / 2e-5, rtol=1e-6, atol=1e-9)


def test_shapes_are_checked_all_the_same():
    judge(
        Bad("", lambda: vmap(lambda x: similarity.dot(ROWS, x[:5]))(STATES), ShapeError, ("dim=6",))
    )


def test_values_are_checked_again_outside():
    """No transform leaves anything behind."""
    wrong = torch.full((6,), torch.nan, dtype=torch.float64)
    with as_users_see_it():
        assert vmap(lambda x: similarity.dot(ROWS, x))(wrong[None]).isnan().all()
    assert not is_traced()
    judge(Bad("", lambda: similarity.dot(ROWS, wrong), DomainError, ("state", "NaN")))
