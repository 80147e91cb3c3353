"""Inputs that do not fit a layer are refused by name, before torch fails on them."""

import pytest
import torch
from torch import nn

from hopfield import Entmax, RectifiedPolynomial, Softmax, Sparsemax
from hopfield.errors import (
    DeviceError,
    DomainError,
    HopfieldError,
    InputTypeError,
    OptionError,
    ShapeError,
)
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    Projections,
)
from hopfield.nn.functional import association, describe
from nn_layers import DIM, STATE, STORED, draw, every_layer, seeded


def of(*args, **kwargs):
    return seeded(lambda: HopfieldAssociation(*args, **kwargs))


def with_(**modules):
    """Return an association with these modules."""
    return seeded(lambda: HopfieldAssociation(DIM, 2, projections=Projections(**modules)))


def wide_key():
    return with_(key=nn.Sequential(nn.LayerNorm(10), nn.Linear(10, DIM)))


def dense(**kwargs):
    return seeded(lambda: DenseMemoryClassifier(DIM, 3, 4, **kwargs))


def block(**kwargs):
    return seeded(lambda: EnergyTransformerBlock(DIM, 2, 6, **kwargs))


def hides(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.bool)


SEVEN = torch.ones(7)
DTYPES = {
    "state": (lambda: of(DIM)(STATE.double()), "state must be float32.*float64.*Use state"),
    "stored": (lambda: of(DIM)(STATE, STORED.half()), "stored must be float32.*float16"),
    "narrow layer": (lambda: of(DIM).bfloat16()(STATE), "state must be bfloat16.*layer.to"),
    "pooled": (lambda: HopfieldPooling(of(DIM), 1)(STORED.double()), "stored must be float32"),
    "looked up": (lambda: HopfieldLookup(of(DIM), 2)(STATE.double()), "state must be float32"),
    "described": (lambda: of(DIM).describe(STATE.double()), "state must be float32"),
    "queries": (lambda: HopfieldPooling(of(DIM), draw(2, DIM).double()), "queries must be"),
    "memories": (lambda: HopfieldLookup(of(DIM), draw(2, DIM).double()), "memories must be"),
    "inputs": (lambda: dense()(STATE.double()), "inputs must be float32"),
    "tokens": (lambda: block()(STATE.double()), "tokens must be float32"),
    "energy": (lambda: block().energy(STATE.half()), "tokens must be float32"),
    "function": (lambda: association(STATE, STORED.double()), "of one dtype.*float32, float64"),
    "values": (lambda: association(STATE, STORED, STORED.half()), "of one dtype.*float16"),
    "description": (lambda: describe(STATE, STORED.double()), "of one dtype"),
    "as they are": (
        lambda: with_(**dict.fromkeys(("query", "key", "value"), nn.Identity()))(
            STATE, STORED.double()
        ),
        "of one dtype",
    ),
}


@pytest.mark.parametrize(("call", "says"), DTYPES.values(), ids=DTYPES)
def test_a_wrong_dtype_is_named(call, says):
    with pytest.raises(InputTypeError, match=f"(?s){says}"):
        seeded(call)


SHAPES = {
    "queries": (lambda: HopfieldPooling(of(DIM), draw(2, 7)), "queries must end in 8"),
    "memories": (lambda: HopfieldLookup(of(DIM), draw(2, 7)), "memories must end in 8"),
    "values": (lambda: HopfieldLookup(of(DIM), draw(2, DIM), draw(2, 7)), "values must end in 8"),
    "behind a norm": (lambda: HopfieldLookup(wide_key(), draw(2, DIM)), "memories must end in 10"),
    "called": (lambda: wide_key()(STATE, STORED), "stored must end in 10"),
    "memories as values": (
        lambda: HopfieldLookup(with_(value=nn.Linear(5, DIM)), 4, values=False),
        "memories, as values, must end in 5",
    ),
    "out": (lambda: with_(out=nn.Linear(9, 3))(STATE), "the concatenated heads must end in 9"),
    "norm": (lambda: with_(norm=nn.LayerNorm(DIM))(STATE), "query or key must end in 8"),
    "no rows": (lambda: HopfieldPooling(of(DIM))(torch.ones(())), "stored must have shape"),
    "no state": (lambda: HopfieldLookup(of(DIM), 2).describe(torch.ones(())), "state must have"),
    "padding": (
        lambda: of(DIM)(STATE, STORED, padding_mask=hides(2, 4)),
        r"padding_mask must have shape \(batch, 5\).*has shape \(2, 4\)",
    ),
    "pairs": (
        lambda: of(DIM)(STATE, STORED, padding_mask=hides(2, 5), association_mask=hides(4, 4)),
        r"association_mask must have shape \(4, 5\)",
    ),
    "two batches": (
        lambda: of(DIM)(STATE, STORED, padding_mask=hides(2, 5), association_mask=hides(3, 4, 5)),
        "one batch size, but have 2 and 3",
    ),
    "beta": (lambda: association(STATE, STORED, separation=Softmax(SEVEN)), r"beta .*\(2, 4\)"),
    "sparse beta": (
        lambda: describe(STATE, STORED, separation=Sparsemax(SEVEN)),
        r"beta must be one number or broadcast to the states \(2, 4\)",
    ),
    "alpha": (
        lambda: association(STATE, STORED, separation=Entmax(1.25 + SEVEN.cumsum(0) / 10)),
        "alpha must be one number",
    ),
    "more of them": (
        lambda: association(STATE, STORED, separation=Softmax(torch.ones(3, 2, 4))),
        "beta must be one number",
    ),
}


@pytest.mark.parametrize(("call", "says"), SHAPES.values(), ids=SHAPES)
def test_a_wrong_shape_is_named(call, says):
    with pytest.raises(ShapeError, match=f"(?s){says}"):
        seeded(call)


@pytest.mark.parametrize("scale", [0.0, float("inf")])
def test_a_factor_of_zero_is_refused(scale):
    with pytest.raises(DomainError, match="scale must be above 0 and finite"):
        dense(scale=scale)
    with pytest.raises(DomainError, match="rate must be above 0 and finite"):
        block(rate=scale)
    with pytest.raises(DomainError, match="steps must be at least 1"):
        block(steps=0)


def test_a_tensor_that_would_not_be_trained_is_refused():
    beta = torch.ones((), requires_grad=True)
    with pytest.raises(OptionError, match="its beta is a tensor"):
        dense(separation=Softmax(beta))


def test_another_device_is_named():
    with pytest.raises(DeviceError, match=r"state must be on meta.*is on cpu"):
        of(DIM).to("meta")(STATE)


def test_learned_rows_have_the_input_width_of_their_projection():
    lookup = seeded(lambda: HopfieldLookup(wide_key(), 4))
    assert lookup.memories.shape == (4, 10)
    apart = seeded(lambda: HopfieldLookup(with_(value=nn.Linear(5, DIM)), 4))
    assert (apart.memories.shape, apart.values.shape) == ((4, DIM), (4, 5))
    assert apart(STATE).shape == STATE.shape
    pooling = seeded(lambda: HopfieldPooling(with_(query=nn.Linear(3, DIM)), 2))
    assert pooling.queries.shape == (2, 3) and pooling(STORED).shape == (2, 2, DIM)


def test_an_unknown_input_width_is_left_to_torch():
    lazy = with_(query=nn.LazyLinear(DIM), out=nn.Sequential(nn.Dropout(0.0), nn.Identity()))
    assert seeded(lambda: lazy(STATE)).shape == STATE.shape
    with pytest.raises(ShapeError, match="state must end in 8"):
        lazy(STATE[..., :3])


@every_layer
def test_autocast_accepts_mixed_dtypes(case):
    layer = seeded(case.make)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(*(rows.bfloat16() for rows in case.inputs), **case.masks)
        mixed = association(STATE, STORED.bfloat16())
    torch.testing.assert_close(found.float(), case.call(layer), rtol=0, atol=0.05)
    torch.testing.assert_close(mixed.float(), association(STATE, STORED), rtol=0, atol=0.05)


def test_masks_of_one_row_or_column_beside_a_null_pattern():
    layer = with_(null=True)
    states = torch.tensor([[True], [False], [False], [False]])  # the first reads the null alone
    found = layer.describe(STATE, STORED, association_mask=states).weights
    assert not found[:, :, 0, :5].any() and bool((found[:, :, 0, 5] == 1).all())
    assert found[:, :, 1:].all()


@pytest.mark.parametrize("name", ["softmax", "entmax"])
def test_a_state_that_may_read_nothing_gives_zeros_without_a_bias(name):
    layer = of(DIM, 2, name)
    hidden = hides(2, 2, 4, 5)
    hidden[0, :, 1] = True  # nothing for either head
    hidden[1, 0, 2] = True  # nothing for one of them
    assert bool((layer.out.bias != 0).all()), "premise: a bias would show"
    found = layer(STATE, STORED, association_mask=hidden)
    assert not found[0, 1].any()
    assert bool((found != 0).all(-1).sum() == 7), "all others read something"
    assert not layer.describe(STATE, STORED, association_mask=hidden).output[0, 1].any()
    slopes = torch.autograd.grad(found[0, 1].sum(), list(layer.parameters()), allow_unused=True)
    assert not any(slope.any() for slope in slopes if slope is not None)
    pooling = seeded(lambda: HopfieldPooling(layer, 2))
    assert not pooling(STORED, padding_mask=~hides(2, 5)).any()


FUNCTION = {
    "no rows": (lambda s, k, v: association(s[0, 0, 0], k), ShapeError, r"state .*unsqueeze"),
    "no patterns": (lambda s, k, v: association(s, k[:, :, :0]), ShapeError, "at least one row"),
    "lengths": (lambda s, k, v: association(s[..., :3], k), ShapeError, "one length"),
    "counts": (lambda s, k, v: association(s, k, v[:, :, :3]), ShapeError, r"n=5"),
    "batches": (lambda s, k, v: association(s[:, :2], k), ShapeError, "broadcast"),
    "integers": (lambda s, k, v: association(s.long(), k), InputTypeError, "floating point"),
    "mask of whole numbers": (
        lambda s, k, v: association(s, k, mask=torch.zeros(4, 5, dtype=torch.int64)),
        InputTypeError,
        "mask must be a bool tensor",
    ),
    "mask shape": (
        lambda s, k, v: association(s, k, mask=torch.zeros(4, 4, dtype=torch.bool)),
        ShapeError,
        r"\(\*batch, 4, 5\)",
    ),
    "dropout": (lambda s, k, v: association(s, k, dropout=1.5), DomainError, "dropout"),
    "beta 0": (
        lambda s, k, v: association(s, k, separation=Softmax(0.0)),
        DomainError,
        "beta of a layer must be above 0",
    ),
    "polynomial": (
        lambda s, k, v: association(s, k, separation=RectifiedPolynomial(3)),
        OptionError,
        "sum to one",
    ),
    "name": (lambda s, k, v: association(s, k, separation="softmax"), InputTypeError, "hopfield"),
    "steps": (lambda s, k, v: Iteration(0), DomainError, "steps must be at least 1"),
    "iteration": (lambda s, k, v: association(s, k, iteration=3), InputTypeError, "an Iteration"),
    "tol": (lambda s, k, v: Iteration(2, tol=-1.0), DomainError, "tol"),
    "gradient": (lambda s, k, v: Iteration(2, gradient="unroled"), OptionError, "'unrolled'"),
}


@pytest.mark.parametrize(("call", "error", "says"), FUNCTION.values(), ids=FUNCTION)
def test_mistakes_of_the_function_are_refused(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(draw(2, 3, 4, 6), draw(2, 3, 5, 6), draw(2, 3, 5, 7))
    assert isinstance(caught.value, HopfieldError)
