"""Layers: equal to torch's attention, learned parameters, masks, describe, mistakes."""

import pytest
import torch
from torch import nn

from hopfield import Entmax, KSubsets, Normmax, Softmax, Sparsemax, TopK
from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError, ShapeError
from hopfield.nn import (
    HopfieldAssociation,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    Projections,
    functional,
)
from hopfield.nn.masks import Masks
from nn_layers import (
    CASES,
    DIM,
    GRADIENTS,
    PADDING,
    STATE,
    STORED,
    as_torch,
    draw,
    every_layer,
    learned,
    seeded,
)

HEADS = 2


PAIRS = draw(4, 5, seed=5) > 0.7
MASKS = {
    "none": (None, None),
    "padding": (PADDING & ~PADDING.all(-1, keepdim=True), None),
    "association": (None, PAIRS),
    "both": (PADDING & ~PADDING.all(-1, keepdim=True), PAIRS),
}


@pytest.mark.parametrize(("padding", "pairs"), MASKS.values(), ids=MASKS)
def test_the_defaults_are_attention_of_torch(padding, pairs):
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS))
    expected, weights = as_torch(layer)(
        STATE, STORED, STORED, key_padding_mask=padding, attn_mask=pairs, average_attn_weights=False
    )
    given = {"padding_mask": padding, "association_mask": pairs}
    torch.testing.assert_close(layer(STATE, STORED, **given), expected)
    torch.testing.assert_close(layer.describe(STATE, STORED, **given).weights, weights)


def test_patterns_default_to_the_argument_before_them():
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS))
    torch.testing.assert_close(layer(STATE), layer(STATE, STATE, STATE))
    torch.testing.assert_close(layer(STATE, STORED), layer(STATE, STORED, STORED))
    assert not torch.allclose(layer(STATE, STORED, 2 * STORED), layer(STATE, STORED))


def test_masks_of_every_shape():
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS, iteration=Iteration(2)))
    plain = layer(STATE, STORED, association_mask=PAIRS)
    for mask in (PAIRS.expand(2, 4, 5), PAIRS.expand(2, HEADS, 4, 5)):
        torch.testing.assert_close(layer(STATE, STORED, association_mask=mask), plain)
    one_head = torch.stack([PAIRS, torch.zeros_like(PAIRS)]).expand(2, HEADS, 4, 5)
    found = layer.describe(STATE, STORED, association_mask=one_head).weights
    assert not found[:, 0][PAIRS.expand(2, 4, 5)].any() and found[:, 1].all()


@every_layer
def test_describe_agrees_with_the_layer(case):
    layer = seeded(case.make)
    found = case.call(layer)
    described = layer.describe(*case.inputs, **case.masks)
    torch.testing.assert_close(described.output, found)
    torch.testing.assert_close(described.weights.sum(-1), (described.weights.sum(-1) > 0.5).float())
    assert described.energies.shape[1:] == described.steps.shape == described.weights.shape[:-1]
    assert described.steps.max() <= 3 and described.steps.min() >= 1


@pytest.mark.parametrize("case", (CASES | GRADIENTS).values(), ids=CASES | GRADIENTS)
def test_a_batch_of_no_entries(case):
    layer = seeded(case.make)
    inputs = [tensor[:0].clone().requires_grad_() for tensor in case.inputs]
    found = layer(*inputs, **{name: mask[:0] for name, mask in case.masks.items()})
    assert found.shape == (0, *case.call(layer).shape[1:])
    found.sum().backward()
    assert not any(p.grad.any() for p in layer.parameters() if p.grad is not None)


def test_association_projects_then_reads():
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS, Softmax(0.7), Iteration(3)))
    parts = [
        projection(rows).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for projection, rows in ((layer.query, STATE), (layer.key, STORED), (layer.value, STORED))
    ]
    read = functional.association(*parts, separation=Softmax(0.7), iteration=Iteration(3))
    expected = layer.out(read.transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(STATE, STORED), expected)


def test_pooling_is_association_of_its_queries():
    layer = seeded(lambda: HopfieldPooling(HopfieldAssociation(DIM, HEADS), queries=3))
    expected = layer.association(layer.queries.expand(2, -1, -1), STORED, 2 * STORED)
    found = layer(STORED, 2 * STORED)
    assert found.shape == (2, 3, DIM)
    torch.testing.assert_close(found, expected)


def test_pooling_depends_on_neither_padding_nor_order():
    layer = seeded(lambda: HopfieldPooling(HopfieldAssociation(DIM, HEADS, iteration=Iteration(2))))
    padding = torch.tensor([[False, True, False, True, False]])
    others = STORED[:1, [4, 0, 2]]
    torch.testing.assert_close(layer(STORED[:1], padding_mask=padding), layer(others))


@pytest.mark.parametrize("values", [True, False])
def test_lookup_is_association_with_its_memories(values):
    layer = seeded(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, HEADS), memories=6, values=values)
    )
    memories = layer.memories.expand(2, -1, -1)
    projected = layer.values.expand(2, -1, -1) if values else memories
    expected = layer.association(STATE, memories, projected)
    torch.testing.assert_close(layer(STATE), expected)
    for shape in ((8, DIM), (DIM,), (2, 2, 2, DIM)):
        states = STATE.flatten(0, 1)[: 1 if shape == (DIM,) else 8].reshape(shape)
        torch.testing.assert_close(
            layer(states).reshape(-1, DIM), expected.flatten(0, 1)[: states.numel() // DIM]
        )
    hidden = torch.tensor([False] * 5 + [True])
    masked = layer(STATE, padding_mask=hidden.expand(2, -1))
    torch.testing.assert_close(masked, layer.association(STATE, memories[:, :5], projected[:, :5]))


def test_learned_rows_start_from_the_given_ones():
    rows, values = draw(6, DIM), draw(6, 3, seed=1)
    projections = Projections(value=nn.Identity(), out=nn.Identity())
    layer = seeded(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, projections=projections), rows, values)
    )
    assert torch.equal(layer.memories, rows) and torch.equal(layer.values, values)
    assert layer.memories.data_ptr() != rows.data_ptr()
    assert layer(STATE).shape == (2, 4, 3)


def test_a_null_pattern_adds_zeros():
    plain = seeded(lambda: HopfieldAssociation(DIM, HEADS, iteration=Iteration(2)))
    null = seeded(
        lambda: HopfieldAssociation(
            DIM, HEADS, iteration=Iteration(2), projections=Projections(null=True)
        )
    )
    found = null.describe(STATE, STORED, padding_mask=PADDING)
    assert found.weights.shape == (2, HEADS, 4, 6)
    torch.testing.assert_close(found.weights[1, ..., -1], torch.ones(HEADS, 4))
    assert not torch.allclose(null(STATE, STORED), plain(STATE, STORED))
    # Scores of the null pattern are 0: its weight is 1 over the sum of all exponentials.
    once = seeded(lambda: HopfieldAssociation(DIM, 1, projections=Projections(null=True)))
    q, k = once.query(STATE), once.key(STORED)
    total = 1 + (q @ k.mT / DIM**0.5).exp().sum(-1)
    torch.testing.assert_close(once.describe(STATE, STORED).weights[:, 0, :, -1], 1 / total)


@pytest.mark.parametrize(
    ("name", "separation"),
    [
        ("softmax", Softmax),
        ("sparsemax", Sparsemax),
        ("entmax", lambda b: Entmax(1.5, b)),
        ("normmax", lambda b: Normmax(2.0, b)),
        ("k_subsets", lambda b: KSubsets(2, b)),
    ],
)
def test_a_named_separation_has_beta_one_over_the_root_of_d(name, separation):
    named = seeded(lambda: HopfieldAssociation(DIM, HEADS, name))
    given = seeded(lambda: HopfieldAssociation(DIM, HEADS, separation((DIM // HEADS) ** -0.5)))
    torch.testing.assert_close(named(STATE, STORED), given(STATE, STORED))
    assert "1/√d" in repr(named) and "1/√d" not in repr(given)


def test_beta_by_head():
    betas = torch.tensor([0.3, 3.0])
    both = seeded(lambda: HopfieldAssociation(DIM, HEADS, Softmax(betas)))
    found = both.describe(STATE, STORED).weights
    for head, beta in enumerate(betas.tolist()):
        one = seeded(lambda beta=beta: HopfieldAssociation(DIM, HEADS, Softmax(beta)))
        expected = one.describe(STATE, STORED).weights
        torch.testing.assert_close(found[:, head], expected[:, head])
    assert not list(both.separation.parameters()) and "fixed" in str(dict(both.named_buffers()))


def test_learned_parameters_start_from_the_given_ones_and_stay_in_range():
    alpha, beta = torch.tensor([1.2, 2.5], requires_grad=True), learned(0.4)
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS, Entmax(alpha, beta)))
    plain = Entmax(alpha.detach()[:, None], beta.detach()[:, None])
    scaled = layer.separation()
    torch.testing.assert_close(scaled.beta.squeeze(-1), beta)
    torch.testing.assert_close(scaled.unit.alpha.squeeze(-1), alpha)
    with torch.no_grad():
        operands, _ = layer._project(STATE, STORED, None, Masks(), None)
        expected = plain(operands.state @ operands.stored.mT)
    torch.testing.assert_close(layer.describe(STATE, STORED).weights.detach(), expected)
    for extreme in (-300.0, 300.0):
        with torch.no_grad():
            for parameter in layer.separation.parameters():
                parameter.fill_(extreme / 10)
        scaled = layer.separation()
        assert (scaled.beta > 0).all() and scaled.beta.isfinite().all()
        assert (scaled.unit.alpha >= 1.01).all() and (scaled.unit.alpha <= 10).all()
    assert "learned" in repr(layer)


def identity(separation, steps: int = 1) -> HopfieldAssociation:
    """Return a layer without projections: only the separation can be learned."""
    same = Projections(*(nn.Identity() for _ in range(4)))
    return HopfieldAssociation(None, 1, separation, Iteration(steps), same)


@pytest.mark.parametrize("kind", ["beta", "alpha"])
@pytest.mark.parametrize("sharper", [False, True])
def test_learned_parameters_move_in_the_right_direction(kind, sharper):
    """One pattern or all of them: sharper weights want a larger β, or a larger α."""
    patterns = torch.eye(4)[None]
    target = patterns if sharper else torch.full((1, 4, 4), 0.25)
    number = torch.tensor(1.5, requires_grad=True)
    layer = identity(Softmax(number) if kind == "beta" else Entmax(number, 1.0))
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    (parameter,) = layer.parameters()
    before = layer.separation()
    for _ in range(20):
        optimiser.zero_grad()
        nn.functional.mse_loss(layer(patterns), target).backward()
        optimiser.step()
    after = layer.separation()
    moved = after.beta - before.beta if kind == "beta" else after.unit.alpha - before.unit.alpha
    assert parameter.grad is not None and (moved > 0.05 if sharper else moved < -0.05)


def test_several_steps_remove_noise():
    patterns = draw(1, 6, 32, seed=3)
    noisy = patterns + 1.2 * draw(1, 6, 32, seed=4)
    once, often = (identity(Softmax(0.25), steps)(noisy, patterns) for steps in (1, 5))
    assert (often - patterns).norm() < 0.7 * (once - patterns).norm()


def test_dropout_in_training_only():
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS, dropout=0.5))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.allclose(layer(STATE), layer(STATE))
    layer.eval()
    torch.testing.assert_close(layer(STATE), layer(STATE))


def test_the_printed_layer_shows_its_formula():
    many = Iteration(4, tol=1e-3, gradient="implicit")
    layer = seeded(
        lambda: HopfieldPooling(
            HopfieldAssociation(DIM, HEADS, TopK(2, 0.5), many, dropout=0.1), queries=3
        )
    )
    shown = repr(layer)
    for said in (
        "queries=3",
        "q ← kᵀ∇F(βkq) × 3, then vᵀ∇F(βkq), heads=2, tol=0.001, gradient='implicit', dropout=0.1",
        "TopK(k=2)",
        "beta=0.5",
        "Linear(in_features=8",
    ):
        assert said in shown, shown
    assert "vᵀ∇F(βkq), heads=1\n" in repr(seeded(lambda: HopfieldAssociation(DIM)))


def make(*args, **kwargs):
    return seeded(lambda: HopfieldAssociation(*args, **kwargs))


WRONG = {
    "heads": (lambda: make(DIM, 3), OptionError, "multiple of heads=3"),
    "no dim": (lambda: make(None), OptionError, "give all projections"),
    "separation": (lambda: make(DIM, 2, "sotfmax"), OptionError, "'softmax'"),
    "beta by head": (
        lambda: make(DIM, 2, Softmax(torch.ones(3))),
        ShapeError,
        r"beta must be one number.*heads=2",
    ),
    "projection": (
        lambda: Projections(query=3),
        InputTypeError,
        "query must be a Module",
    ),
    "null": (lambda: Projections(null=1), InputTypeError, "null must be True or False"),
    "association": (lambda: HopfieldPooling(DIM), InputTypeError, "HopfieldAssociation"),
    "queries": (lambda: HopfieldPooling(make(DIM), 0), HopfieldError, "queries"),
    "rows": (lambda: HopfieldPooling(identity("softmax"), 2), OptionError, "queries must be a t"),
    "values": (
        lambda: HopfieldLookup(make(DIM), draw(4, DIM), draw(3, DIM)),
        ShapeError,
        "each of the 4 memories",
    ),
    "unbatched": (lambda: make(DIM)(STATE[0]), ShapeError, r"Use state\[None\]"),
    "cut": (
        lambda: make(DIM, 2, projections=seeded(lambda: Projections(nn.Linear(DIM, 7))))(STATE),
        ShapeError,
        "query projection.*multiple of heads=2",
    ),
    "padding": (lambda: make(DIM)(STATE, padding_mask=PAIRS[0]), ShapeError, "padding_mask"),
    "association mask": (
        lambda: make(DIM)(STATE, STORED, association_mask=PAIRS[0]),
        ShapeError,
        "association_mask",
    ),
    "iteration": (lambda: make(DIM, iteration=3), InputTypeError, r"Use .*Iteration\(steps=3\)"),
    "projections": (
        lambda: make(DIM, projections=nn.Identity()),
        InputTypeError,
        "must be a Projections",
    ),
    "a flag": (
        lambda: seeded(lambda: HopfieldLookup(make(DIM), 4, "yes")),
        InputTypeError,
        "values must be True",
    ),
    "one number": (
        lambda: seeded(lambda: HopfieldLookup(make(DIM), 4))(torch.tensor(1.0)),
        ShapeError,
        "state must have shape",
    ),
    "length": (lambda: make(DIM)(STATE[..., :3]), ShapeError, "state must end in 8"),
    "length of what is stored": (
        lambda: seeded(lambda: HopfieldPooling(make(DIM)))(STORED[..., :3]),
        ShapeError,
        "stored must end in 8",
    ),
    "a list": (
        lambda: make(DIM)(STATE, padding_mask=[[True]]),
        InputTypeError,
        "padding_mask must be a bool tensor",
    ),
    "float masks": (
        lambda: make(DIM)(STATE, padding_mask=STATE[..., 0]),
        InputTypeError,
        "padding_mask must be a bool tensor",
    ),
    "a bias of NaN": (
        lambda: make(DIM)(STATE, STORED, association_mask=torch.full((4, 5), torch.nan)),
        DomainError,
        "association_mask must hold finite numbers",
    ),
    "float mask": (
        lambda: make(DIM)(STATE, STORED, association_mask=PAIRS.float()),
        InputTypeError,
        "bool",
    ),
}


@pytest.mark.parametrize(("call", "error", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_refused(call, error, says):
    with pytest.raises(error, match=f"(?s){says}"):
        call()
