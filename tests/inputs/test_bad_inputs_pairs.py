"""Pairs that do not fit are refused by name, and the memory stays as it was."""

import numpy as np
import pytest
import torch

from bad_inputs import Bad, cases, judge
from draws import signs
from hopfield import BidirectionalMemory, Cue, ModernBidirectional, Softmax, Sparsemax
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError

X, Y = signs(3, 8, seed=0), signs(3, 5, seed=1)
MASK = torch.arange(8) < 4


def memory():
    made = BidirectionalMemory(Softmax(0.5))
    made.store_pairs(X, Y, torch.arange(3), names=["a", "b", "c"])
    return made


def storing(*pair, **options):
    return lambda memory: memory.store_pairs(*pair, **options)


def recalling(*pair, **options):
    return lambda memory: memory.recall(*pair, **options)


MORE = {"values": torch.arange(3), "names": ["d", "e", "f"]}
STORED = [
    Bad("x too wide", storing(signs(3, 9, seed=0), Y, **MORE), ShapeError, ("x must", "dim=8")),
    Bad("y too wide", storing(X, signs(3, 9, seed=0), **MORE), ShapeError, ("y must", "dim=5")),
    Bad("rows of other number", storing(X, Y[:2], **MORE), ShapeError, ("x and y", "3 and 2")),
    Bad("sides exchanged", storing(Y, X, **MORE), ShapeError, ("x must", "dim=8", "(3, 5)")),
    Bad("y not of signs", storing(X, Y / 2, **MORE), DomainError, ("patterns must", "0.5")),
    Bad("y is text", storing(X, ["a", "b", "c"], **MORE), InputTypeError, ("text",)),
    Bad("y is one row", storing(X, Y[0], **MORE), ShapeError, ("y must", "(5,)")),
    Bad("x has NaN", storing(X * torch.nan, Y, **MORE), DomainError, ("NaN",)),
    Bad("values missing", storing(X, Y, names=MORE["names"]), OptionError, ("values",)),
    Bad("no y", storing(X), InputTypeError, ("BidirectionalMemory.store_pairs", "'y'")),
    Bad("a typo", storing(X, Y, name=["d"]), OptionError, (".store_pairs takes no", "names=")),
    Bad("names twice", storing(X, Y, values=torch.arange(3), names=["a", "d", "e"]), OptionError,
        ("'a'",)),
]  # fmt: skip
RECALLED = [
    Bad("nothing", recalling(), OptionError, ("recall needs x= or y=",)),
    Bad("mask without its side", recalling(X, known_y=MASK), OptionError, ("known_y", "without y")),
    Bad("x of the width of y", recalling(Y), ShapeError, ("x must", "dim=8")),
    Bad("y of the width of x", recalling(y=X), ShapeError, ("y must", "dim=5")),
    Bad("batches", recalling(X, Y[:2]), ShapeError, ("x and y", "(3, 8)", "(2, 5)")),
    Bad("mask of x too wide", recalling(X, known_x=torch.ones(9) > 0), ShapeError,
        ("known_x must", "(9,)")),
    Bad("mask of x too wide, array", recalling(X.numpy(), known_x=np.ones(9) > 0), ShapeError,
        ("known_x must", "(9,)")),
    Bad("mask of rows", recalling(X, known=MASK), OptionError, (".recall takes", "Use known_x=")),
    Bad("a typo", recalling(X, step=3), OptionError, (".recall takes", "steps=")),
    Bad("zeros", recalling(X * MASK), DomainError, ("x must", "known_x=(x != 0)")),
    Bad("zeros, known", recalling(X * MASK, known_x=MASK.roll(1)), DomainError,
        ("x must", "known_x=known_x & (x != 0)")),
    Bad("NaN", recalling(X / MASK * 0), DomainError, ("x must", "known_x=torch.isfinite(x)")),
    Bad("NaN, array", recalling((X / MASK * 0).numpy()), DomainError,
        ("x must", "known_x=numpy.isfinite(x)")),
    Bad("mask of numbers", recalling(X, known_x=torch.ones(8)), InputTypeError, ("bool",)),
    Bad("two masks", recalling(Cue(X, MASK), known_x=MASK), OptionError, ("Leave out",)),
    Bad("integers", recalling(X.long()), InputTypeError, ("x must", "int64")),
    Bad("halves", recalling(X / 2), DomainError, ("0.5",)),
    Bad("array of another size", recalling(np.ones((3, 3))), ShapeError, ("x must", "(3, 3)")),
    Bad("clamp without mask", recalling(X, Y, clamp=True), OptionError, ("needs a mask",)),
    Bad("unknown option", recalling(X, beta=3.0), OptionError, ("beta",)),
]  # fmt: skip
MADE = [
    Bad("split 0", lambda: BidirectionalMemory(split=0), DomainError, ("split must",)),
    Bad("split half", lambda: BidirectionalMemory(split=2.5), InputTypeError, ("split must",)),
    Bad("negative temperature", lambda: BidirectionalMemory(temperature=-1.0), DomainError,
        ("temperature must",)),
    Bad("thermal and dense", lambda: BidirectionalMemory(Softmax(1.0), temperature=1.0),
        OptionError, ("temperature must be 0",)),
    Bad("a number as separation", lambda: BidirectionalMemory(8.0), InputTypeError,
        ("separation must",)),
    Bad("modern split", lambda: ModernBidirectional(split="8"), InputTypeError, ("split must",)),
    Bad("a separation as beta", lambda: ModernBidirectional(Sparsemax()), InputTypeError,
        ("separation=Sparsemax",)),
    Bad("rows without a split", lambda: BidirectionalMemory().store(X), OptionError,
        ("store_pairs(x, y)", "split=dim_x")),
    Bad("rows of x alone", lambda: BidirectionalMemory(split=8).store(X), ShapeError,
        ("more than 8 entries",)),
    Bad("coupling of the dense form", lambda: memory().coupling, OptionError,
        ("coupling needs", "Softmax")),
]  # fmt: skip


ROWS = [
    Bad("joint: exchanged", lambda memory: memory.joint(Y, X), ShapeError, ("x must", "dim=8")),
    Bad("joint: batches", lambda memory: memory.joint(X, Y[:2]), ShapeError, ("x and y",)),
    Bad("joint: text", lambda memory: memory.joint("x", Y), InputTypeError, ("x must",)),
    Bad("sides: x alone", lambda memory: memory.sides(X), ShapeError, ("rows must", "dim=13")),
    Bad("sides: x alone, empty", lambda _: BidirectionalMemory(split=8).sides(X), ShapeError,
        ("more than 8 entries",)),
]  # fmt: skip


@cases(ROWS)
def test_rows_that_are_no_pairs(case):
    judge(case, memory())


@pytest.mark.parametrize("form", [torch.Tensor.numpy, torch.Tensor.tolist])
def test_joint_and_sides_take_arrays_and_lists(form):
    rows = memory().joint(form(X), form(Y))
    assert torch.equal(rows, torch.cat([X, Y], 1))
    assert all(map(torch.equal, memory().sides(form(rows)), (X, Y)))


@cases(STORED)
def test_pairs_that_cannot_be_stored(case):
    kept = memory()
    judge(case, kept)
    assert len(kept) == 3 and kept.split == 8
    assert torch.equal(kept.recall(x=X).y, Y)


@cases(RECALLED)
def test_cues_that_cannot_be_read(case):
    judge(case, memory())


@cases(MADE)
def test_memories_that_cannot_be_made(case):
    judge(case)
