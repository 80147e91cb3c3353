"""Windows: equal to the masked computation of all pairs, in time and memory of the window."""

import functools
import itertools
import math
import warnings

import pytest
import torch

from hopfield import Entmax, Softmax, Sparsemax
from hopfield.errors import HopfieldError, OptionError, ShapeError
from hopfield.nn import (
    HopfieldAssociation,
    Iteration,
    Projections,
    Window,
    functional,
    windowed,
)
from largest import Largest
from nn_layers import draw, seeded

BATCH, HEADS, DIM = 2, 3, 5


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    """Several chunks in short sequences: the first, some inside, and the last."""
    monkeypatch.setattr(windowed, "SHORTEST", 4)


def rows(n: int, seed: int, batch: tuple[int, ...] = (BATCH, HEADS)) -> torch.Tensor:
    return draw(*batch, n, DIM, seed=seed).double().requires_grad_()


def hidden(window: Window, n: int) -> torch.Tensor:
    """Return the pairs outside a window, by its definition."""
    pairs = torch.ones(n, n, dtype=torch.bool)
    for i, j in itertools.product(range(n), repeat=2):
        distance = math.floor(j / window.block) - math.floor(i / window.block)
        pairs[i, j] = not -window.before <= distance <= window.after
    return pairs


def added(window: Window, n: int) -> torch.Tensor:
    """Return numbers for all pairs, −∞ outside the window."""
    bias = torch.zeros(n, n) if window.bias is None else torch.zeros(len(window.bias), n, n)
    outside = hidden(window, n)
    for i, j in itertools.product(range(n), repeat=2):
        if window.bias is not None and not outside[i, j]:
            bias[:, i, j] = window.bias[:, j - i + window.before]
    return bias.double().masked_fill(outside, -torch.inf)


def equal(results, expected, atol=1e-11) -> None:
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=atol)


def with_gradients(output: torch.Tensor, *inputs: torch.Tensor) -> list[torch.Tensor]:
    seed = draw(*output.shape, seed=7).double()
    return [output, *torch.autograd.grad(output, inputs, seed)]


WINDOWS = {
    "causal": Window(3, 0),
    "around": Window(2, 2),
    "after": Window(0, 4),
    "itself": Window(0, 0),
    "blocks": Window(0, 0, 8),
    "neighbour blocks": Window(1, 1, 3),
    "relative positions": Window(2, 1, bias=draw(HEADS, 4, seed=9)),
    "ALiBi": Window.alibi(HEADS, 5),
    "wider than the sequence": Window(50, 3),
}
SEPARATIONS = {
    "softmax": None,
    "β by head": Softmax(torch.tensor([[0.3], [0.6], [0.9]]).double()),
    "β by state": Softmax(draw(BATCH, HEADS, 23, seed=8).exp().double()),
    "entmax, a tensor": Entmax(1.5, torch.tensor(0.7).double()),
    "sparsemax": Sparsemax(0.8),
}
MASKS = {
    "none": None,
    "padding": (draw(BATCH, 1, 1, 23, seed=4) > 0.5).index_fill(-1, torch.arange(6), True),
    "pairs": (draw(23, 23, seed=5) > 0.7).index_fill(0, torch.tensor([3, 12]), True),
    "floats": draw(BATCH, HEADS, 23, 23, seed=6).double(),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS)
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_window_is_the_mask_of_its_pairs(window, separation, mask):
    inputs = [rows(23, seed) for seed in range(3)]
    every = added(window, 23)
    if mask is not None:
        bools = mask.dtype == torch.bool
        every = every.masked_fill(mask, -torch.inf) if bools else every + mask
    for iteration in (Iteration(), Iteration(3, tol=1e-2)):
        given = {"separation": separation, "iteration": iteration}
        output = functional.association(*inputs, **given, mask=mask, window=window)
        expected = functional.association(*inputs, **given, mask=every)
        equal(with_gradients(output, *inputs), with_gradients(expected, *inputs))
        found = functional.describe(*inputs, **given, mask=mask, window=window)
        equal([found.output, found.weights], [expected, weights(inputs, every, given)])


def weights(inputs, every, given) -> torch.Tensor:
    return functional.describe(*inputs, **given, mask=every).weights


@pytest.mark.parametrize("n", [1, 7, 8, 40])
@pytest.mark.parametrize("batch", [(), (1,), (2, 2, HEADS)], ids=str)
def test_any_length_and_batch(batch, n):
    inputs, window = [rows(n, seed, batch) for seed in range(3)], Window(1, 2, 2)
    output = functional.association(*inputs, window=window)
    expected = functional.association(*inputs, mask=hidden(window, n))
    equal(with_gradients(output, *inputs), with_gradients(expected, *inputs))


@pytest.mark.parametrize("separation", [None, Entmax(1.5, 0.5)], ids=["softmax", "entmax"])
def test_a_bias_is_learned(separation):
    table = draw(HEADS, 4, seed=9).double().requires_grad_()
    inputs = [rows(23, seed) for seed in range(3)]
    output = functional.association(*inputs, separation=separation, window=Window(2, 1, bias=table))
    found = with_gradients(output, table)
    offset = torch.arange(23) - torch.arange(23)[:, None]
    every = table[:, (offset + 2).clamp(0, 3)].masked_fill(hidden(Window(2, 1), 23), -1e3)
    expected = functional.association(*inputs, separation=separation, mask=every)
    equal(found, with_gradients(expected, table))


def test_second_derivatives():
    inputs = [rows(9, seed, (1, 2)) for seed in range(3)]
    window, seed = Window(2, 1), rows(9, 3, (1, 2))
    assert torch.autograd.gradgradcheck(
        lambda *rows: functional.association(*rows, window=window), inputs, seed
    )


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [(2, [2**-4, 2**-8]), (8, [2.0**-k for k in range(1, 9)]), (3, [2**-4, 2**-8, 2**-2])],
)
def test_slopes_of_alibi(heads, slopes):
    """Press et al. (2022): a geometric sequence from 2^(−8/heads), with that ratio."""
    bias = Window.alibi(heads, 3, 1).bias
    expected = -torch.tensor(slopes)[:, None] * torch.tensor([3.0, 2.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(bias, expected)


@pytest.mark.parametrize("pairs", [False, True])
def test_in_a_layer(pairs):
    """A state whose window is all padding reads nothing, and gets no bias of the projection."""
    layer = seeded(lambda: HopfieldAssociation(DIM * HEADS, HEADS)).double()
    state, window = draw(BATCH, 23, DIM * HEADS, seed=1).double(), Window(2, 1)
    given = {"padding_mask": torch.arange(23) < torch.tensor([[0], [9]])}
    if pairs:
        given["association_mask"] = draw(BATCH, HEADS, 23, 23, seed=5) > 0.3
    near = {"association_mask": hidden(window, 23) | given.get("association_mask", False)}
    expected = layer(state, **{**given, **near})
    assert (expected == 0).all(-1).any(), "premise: some read nothing"
    torch.testing.assert_close(layer(state, **given, window=window), expected)
    found = layer.describe(state, **given, window=window)
    torch.testing.assert_close(found.output, expected)
    plain = layer(state, association_mask=hidden(window, 23))
    torch.testing.assert_close(layer(state, window=window), plain)


def test_an_export_reads_longer_sequences():
    layer = seeded(lambda: HopfieldAssociation(DIM * HEADS, HEADS)).double()
    near = functools.partial(layer.forward, window=Window(2, 1))
    module = torch.nn.Module()
    module.layer, module.forward = layer, lambda state: near(state)
    state = draw(2, 5, DIM * HEADS, seed=1).double()
    shapes = ({0: torch.export.Dim("batch"), 1: torch.export.Dim("n")},)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (state,), dynamic_shapes=shapes).module()
    for batch, n in ((1, 1), (3, 8), (2, 57)):
        state = draw(batch, n, DIM * HEADS, seed=2).double()
        torch.testing.assert_close(program(state), near(state))


@pytest.mark.parametrize("separation", [None, Entmax(1.5, 0.5)], ids=["softmax", "entmax"])
@pytest.mark.parametrize("window", [Window(6, 2), Window.alibi(1, 8), Window(0, 1, 8)], ids=str)
def test_no_array_holds_all_pairs(window, separation):
    n = 4096
    inputs = [draw(1, 1, n, 2, seed=seed).requires_grad_() for seed in range(3)]
    padding = torch.arange(n) > n - 50
    with Largest() as largest:
        output = functional.association(
            *inputs, separation=separation, window=window, mask=padding[None]
        )
        output.sum().backward()
    assert output.isfinite().all() and 0 < largest.numel <= 64 * n


WRONG = {
    "before": (lambda: Window(-1, 0), HopfieldError, "before"),
    "block": (lambda: Window(1, 0, 0), HopfieldError, "block"),
    "bias of blocks": (lambda: Window(1, 0, 2, bias=torch.zeros(2)), OptionError, "block=1"),
    "length of the bias": (lambda: Window(1, 0, bias=torch.zeros(3)), ShapeError, r"\(2,\)"),
    "heads": (lambda: call(Window.alibi(2, 1)), ShapeError, "one row per head, 3, but has 2"),
    "lengths": (lambda: call(Window(1, 0), rows(4, 1)), ShapeError, "4 and 6"),
    "class": (lambda: call(64), HopfieldError, "window must be a Window"),
    "null pattern": (lambda: with_null(rows(4, 1)[:, 0]), OptionError, "no position"),
    "no heads": (lambda: Window.alibi(0, 3), HopfieldError, "heads"),
}


def call(window, stored=None):
    state = rows(6, 0)
    return functional.association(state, state if stored is None else stored, window=window)


def with_null(stored):
    """Call a layer in a window, with as many patterns as states if one of zeros is added."""
    layer = seeded(lambda: HopfieldAssociation(DIM, projections=Projections(null=True)))
    layer = layer.to(stored.dtype)
    layer(torch.cat([stored, stored[:, :1]], 1), stored, window=Window(1, 0))


@pytest.mark.parametrize(("wrong", "error", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_named(wrong, error, says):
    with pytest.raises(error, match=says):
        wrong()
