"""Bags of different lengths: padded, read as a list, as a nested tensor, and one by one."""

import warnings

import pytest
import torch

from hopfield import Entmax
from hopfield.errors import InputTypeError, OptionError, ShapeError
from hopfield.nn import HopfieldAssociation, HopfieldPooling, Iteration, Projections, pad_bags
from nn_layers import DIM, draw, seeded

LENGTHS = (5, 1, 0, 7)
BAGS = [draw(n, DIM, seed=n) for n in LENGTHS]


def pooling(**options) -> HopfieldPooling:
    return seeded(lambda: HopfieldPooling(HopfieldAssociation(DIM, 2, **options), queries=3))


def nested(layout: torch.layout, bags=BAGS) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are a prototype, torch says
        return torch.nested.as_nested_tensor(list(bags), layout=layout)


def test_padding_and_its_mask():
    rows, mask = pad_bags(BAGS)
    assert rows.shape == (4, 7, DIM) and mask.shape == (4, 7) and mask.dtype == torch.bool
    assert (~mask).sum(-1).tolist() == list(LENGTHS) and not rows[mask].any()
    for bag, padded, ignored in zip(BAGS, rows, mask, strict=True):
        assert torch.equal(padded[~ignored], bag)


@pytest.mark.parametrize("options", [{}, {"separation": Entmax(), "iteration": Iteration(2)}])
@pytest.mark.parametrize("form", ["list", "tuple", "strided", "jagged"])
def test_bags_of_different_lengths_are_read_as_each_alone(form, options):
    layer = pooling(**options)
    forms = {"list": list, "tuple": tuple}
    bags = [bag.clone().requires_grad_() for bag in BAGS if form != "strided" or len(bag)]
    given = forms[form](bags) if form in forms else nested(getattr(torch, form), bags)
    output, description = layer(given), layer.describe(given)
    assert output.shape == (len(bags), 3, DIM)
    output.square().sum().backward()
    for bag, of_bag, weights in zip(bags, output, description.weights, strict=True):
        if not len(bag):
            assert not of_bag.any()
            continue
        alone = layer(bag)
        torch.testing.assert_close(of_bag, alone)
        torch.testing.assert_close(of_bag, layer(bag[None])[0])
        found = layer.describe(bag)
        torch.testing.assert_close(weights[..., : len(bag)], found.weights)
        assert not weights[..., len(bag) :].any()
        assert found.output.shape == (3, DIM) and found.steps.shape == (2, 3)
        assert found.energies.shape[1:] == (2, 3)
        if form in forms:
            (slope,) = torch.autograd.grad(alone.square().sum(), bag)
            torch.testing.assert_close(bag.grad, slope)


def test_values_and_masks_of_bags():
    width = 3
    layer = seeded(
        lambda: HopfieldPooling(
            HopfieldAssociation(
                DIM,
                projections=Projections(value=torch.nn.Identity(), out=torch.nn.Identity()),
            )
        )
    )
    values = [draw(len(bag), width, seed=9) for bag in BAGS]
    found = layer(BAGS, values)
    assert found.shape == (4, 1, width)
    torch.testing.assert_close(found[3], layer(BAGS[3], values[3]))
    ignored = torch.arange(5) > 2
    torch.testing.assert_close(
        layer(BAGS[0], values[0], padding_mask=ignored), layer(BAGS[0][:3], values[0][:3])
    )
    rows, padding = pad_bags(BAGS)
    torch.testing.assert_close(found, layer(rows, pad_bags(values)[0], padding_mask=padding))


MISTAKES = {
    "a mask, too": (
        lambda: pooling()(BAGS, padding_mask=torch.ones(4, 7) > 0),
        OptionError,
        "padding_mask follows from the lengths",
    ),
    "no bags": (lambda: pad_bags([]), InputTypeError, "a list of tensors"),
    "a tensor": (lambda: pad_bags(BAGS[0]), InputTypeError, "a list of tensors"),
    "no tensor": (lambda: pad_bags([BAGS[0], [1.0]]), InputTypeError, r"bags\[1\] must be a torch"),
    "a row": (lambda: pad_bags([BAGS[0][0]]), ShapeError, r"bags\[0\] must have shape"),
    "widths": (
        lambda: pad_bags([BAGS[0], BAGS[1][:, 1:]]),
        ShapeError,
        r"one length, but bags\[0\] has 8 and bags\[1\] has 7",
    ),
    "dtypes": (lambda: pad_bags([BAGS[0], BAGS[1].double()]), InputTypeError, "one dtype"),
    "all empty": (lambda: pad_bags([BAGS[2]]), ShapeError, "at least one row"),
    "values of a dense tensor": (
        lambda: pooling()(BAGS, draw(4, 7, DIM)),
        InputTypeError,
        "a list of tensors",
    ),
    "values of other lengths": (
        lambda: pooling()(BAGS, BAGS[::-1]),
        ShapeError,
        "bags of the same lengths",
    ),
    "values of fewer bags": (
        lambda: pooling()(BAGS, BAGS[:1]),
        ShapeError,
        "bags of the same lengths",
    ),
}


@pytest.mark.parametrize(("call", "error", "says"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
