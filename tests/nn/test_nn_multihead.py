"""The drop-in for torch's attention: equal in every call, weights, and in torch's transformers."""

import random
import warnings

import pytest
import torch
from torch import nn

from hopfield import Entmax, Softmax
from hopfield.errors import InputTypeError, OptionError, ShapeError
from hopfield.nn import (
    HopfieldDecoderLayer,
    HopfieldEncoderLayer,
    MultiheadHopfield,
    from_multihead_attention,
    functional,
)
from hopfield.nn.iteration import Iteration
from nn_layers import draw, seeded
from nn_layers import draw64 as normal

DIM, HEADS = 12, 3
CONFIGURATIONS = 60


def masks(choose: random.Random, batch: int, m: int, n: int, single: bool) -> dict:
    """Draw the masks of a call; the first key stays visible, since torch returns NaN without."""
    given, kind = {}, choose.choice(["bool", "float"])

    def one(*shape: int) -> torch.Tensor:
        hidden = draw(*shape, seed=choose.randrange(10**6)) > 0.5
        hidden[..., 0] = False
        if kind == "bool":
            return hidden
        numbers = normal(*shape, seed=choose.randrange(10**6))
        return numbers.masked_fill(hidden, -torch.inf)

    if choose.random() < 0.5:
        given["key_padding_mask"] = one(n) if single else one(batch, n)
    if choose.random() < 0.5:
        rows = (batch * HEADS,) if choose.random() < 0.5 else ()
        given["attn_mask"] = one(*rows, m, n)
    elif choose.random() < 0.3:
        hidden = torch.ones(m, n, dtype=torch.bool).triu(1)
        given |= {"attn_mask": hidden, "is_causal": True}
        if "key_padding_mask" in given:
            given["key_padding_mask"] = torch.zeros_like(given["key_padding_mask"]).bool()
    return given


def configuration(seed: int) -> tuple[dict, tuple[torch.Tensor, ...], dict]:
    """Draw arguments of the constructor, inputs and arguments of a call."""
    choose = random.Random(seed)
    flag = lambda: choose.random() < 0.5  # noqa: E731
    batch, m, n, single = choose.randint(1, 3), choose.randint(1, 5), choose.randint(1, 6), flag()
    batch = 1 if single else batch
    made = {"bias": flag(), "add_bias_kv": flag(), "add_zero_attn": flag(), "batch_first": flag()}
    own = flag() and not made["add_bias_kv"]
    sizes = (DIM, 7, 5) if own else (DIM,) * 3
    made |= {"kdim": sizes[1], "vdim": sizes[2]} if own else {}
    rows = [
        normal(batch, count, size, seed=seed + i)
        for i, (count, size) in enumerate(zip((m, n, n), sizes, strict=True))
    ]
    if not own and flag():  # self-attention
        rows, n = [rows[0]] * 3, m
    if single:
        inputs = tuple(row[0] for row in rows)
    else:
        inputs = tuple(row if made["batch_first"] else row.transpose(0, 1) for row in rows)
    called = masks(choose, batch, m, n, single)
    if made["add_bias_kv"] or made["add_zero_attn"]:
        called.pop("is_causal", None)  # torch would hide the added keys, as if they came later
    called |= {"need_weights": flag(), "average_attn_weights": flag()}
    return made, inputs, called


def pair(made: dict, **options) -> tuple[nn.MultiheadAttention, MultiheadHopfield]:
    """Return torch's attention and the drop-in, in float64, each from the same seed."""
    other = seeded(lambda: nn.MultiheadAttention(DIM, HEADS, **made, dtype=torch.float64))
    layer = seeded(lambda: MultiheadHopfield(DIM, HEADS, **made, dtype=torch.float64, **options))
    return other, layer


def test_random_configurations_are_those_of_torch():
    seen = set()
    for seed in range(CONFIGURATIONS):
        made, inputs, called = configuration(seed)
        other, layer = pair(made)
        assert list(layer.state_dict()) == list(other.state_dict())
        for one, same in zip(layer.parameters(), other.parameters(), strict=True):
            assert torch.equal(one, same)
        results, slopes = [], []
        for attention in (layer, other):
            output, weights = attention(*inputs, **called)
            results.append((output, weights))
            slopes.append(torch.autograd.grad(output.square().sum(), list(attention.parameters())))
        (output, weights), (expected, others) = results
        torch.testing.assert_close(output, expected, rtol=0, atol=2e-13, msg=str((made, called)))
        assert (weights is None) == (others is None)
        if weights is not None:
            torch.testing.assert_close(weights, others, rtol=0, atol=2e-13)
        for one, same in zip(*slopes, strict=True):
            torch.testing.assert_close(one, same, rtol=0, atol=1e-11)
        seen |= {*called, *made}
    assert {"key_padding_mask", "attn_mask", "is_causal", "kdim"} <= seen, "premise: all are drawn"


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_that_of_torch(dropout):
    made = {"dropout": dropout, "batch_first": True}
    rows, results = normal(2, 4, DIM, seed=1), []
    for attention in pair(made):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            results.append(attention(rows, rows, rows))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_reset_draws_what_the_constructor_draws():
    _, layer = pair({"add_bias_kv": True})
    expected = {name: weight.clone() for name, weight in layer.state_dict().items()}
    with torch.device("meta"):
        empty = MultiheadHopfield(DIM, HEADS, add_bias_kv=True, dtype=torch.float64)
    empty.to_empty(device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        empty.reset_parameters()
    for name, weight in empty.state_dict().items():
        torch.testing.assert_close(weight, expected[name])


@pytest.mark.parametrize(("batch", "m", "n"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_empty_inputs(batch, m, n):
    """torch's attention returns the bias of its output where there are no keys."""
    other, layer = pair({"batch_first": True})
    query, key = normal(batch, m, DIM, seed=1), normal(batch, n, DIM, seed=2)
    output, weights = layer(query, key, key)
    expected, others = other(query, key, key)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(weights, others)


def test_causal_without_a_mask_hides_the_keys_after_a_query():
    _, layer = pair({"batch_first": True})
    rows = normal(2, 4, DIM, seed=1)
    hidden = torch.ones(4, 4, dtype=torch.bool).triu(1)
    causal = layer(rows, rows, rows, is_causal=True)
    for one, other in zip(causal, layer(rows, rows, rows, attn_mask=hidden), strict=True):
        torch.testing.assert_close(one, other)


def test_steps_separation_and_beta():
    beta = torch.tensor([0.3, 0.6, 0.9], requires_grad=True)
    fixed = beta.double().detach()
    _, layer = pair({"batch_first": True}, steps=3, separation="entmax", beta=fixed)
    rows = normal(2, 4, DIM, seed=1)
    heads = [
        part.unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for part in nn.functional.linear(rows, layer.in_proj_weight).chunk(3, -1)
    ]
    separation = Entmax(1.5, fixed[:, None])
    found = functional.describe(*heads, separation=separation, iteration=Iteration(3))
    output, weights = layer(rows, rows, rows, average_attn_weights=False)
    torch.testing.assert_close(weights, found.weights)
    torch.testing.assert_close(output, layer.out_proj(found.output.transpose(1, 2).flatten(2)))
    learned = seeded(lambda: MultiheadHopfield(DIM, HEADS, beta=beta))
    assert "separation.beta.raw" in learned.state_dict()


KINDS = {"softmax": {}, "entmax": {"separation": "entmax"}, "two steps": {"steps": 2}}


def encoders(**options) -> tuple[nn.TransformerEncoder, nn.TransformerEncoder]:
    """Return torch's encoder, and the same with the drop-in in place of its attention."""

    def make(nested: bool) -> nn.TransformerEncoder:
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)

    plain, replaced = seeded(lambda: make(True)), seeded(lambda: make(True))
    for layer in replaced.layers:
        layer.self_attn = from_multihead_attention(layer.self_attn, **options)
    return plain, replaced


CALLS = {
    "all": {},
    "padded": {"src_key_padding_mask": torch.arange(5) >= torch.tensor([[5], [3]])},
    "causal": {"mask": torch.ones(5, 5, dtype=torch.bool).triu(1), "is_causal": True},
    "float": {"mask": draw(5, 5, seed=4)},
    "float padding": {
        "src_key_padding_mask": torch.zeros(2, 5).masked_fill(
            torch.arange(5) >= torch.tensor([[5], [3]]), -torch.inf
        )
    },
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_in_the_encoder_of_torch_evaluation_is_training(call, kind):
    """Without a gradient torch's layer goes round `forward`, and pads by nested tensors."""
    plain, replaced = encoders(**KINDS[kind])
    rows, kept = draw(2, 5, 8, seed=3), torch.ones(2, 5, dtype=torch.bool)
    if (padding := call.get("src_key_padding_mask")) is not None:
        kept = padding > -torch.inf if padding.is_floating_point() else ~padding
    training = replaced.train()(rows, **call)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are a prototype, torch says
        evaluation = replaced.eval()(rows, **call)
    torch.testing.assert_close(evaluation[kept], training[kept], rtol=0, atol=2e-6)
    expected = plain.train()(rows, **call)
    same = bool(((training - expected).abs() < 1e-6)[kept].all())
    assert same == (kind == "softmax"), "premise: the others compute something else"
    floats = any(mask.is_floating_point() for mask in call.values() if mask is not True)
    if same and not floats:  # for finite numbers torch's kernel returns NaN
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fused = plain.eval()(rows, **call)  # the kernel of torch, round `forward`
        torch.testing.assert_close(evaluation[kept], fused[kept], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (HopfieldEncoderLayer, nn.TransformerEncoderLayer),
        (HopfieldDecoderLayer, nn.TransformerDecoderLayer),
    ],
)
def test_layers_of_a_transformer(ours, torchs):
    made = {"dim_feedforward": 16, "dropout": 0.0, "batch_first": True}
    layer, other = (seeded(lambda kind=kind: kind(8, 2, **made)) for kind in (ours, torchs))
    assert list(layer.state_dict()) == list(other.state_dict())
    rows = [draw(2, 5, 8, seed=1), draw(2, 3, 8, seed=2)][: 1 + (ours is HopfieldDecoderLayer)]
    torch.testing.assert_close(layer(*rows), other(*rows), rtol=0, atol=1e-6)
    sparse = seeded(lambda: ours(8, 2, **made, separation="entmax", steps=2))
    sparse.load_state_dict(other.state_dict())
    training = sparse(*rows)
    assert not torch.allclose(training, other(*rows), atol=1e-3)
    with torch.no_grad():
        torch.testing.assert_close(sparse.eval()(*rows), training)


def test_taken_over_weights_are_copies_with_their_flags():
    other = seeded(lambda: nn.MultiheadAttention(8, 2, batch_first=True)).double().eval()
    other.out_proj.requires_grad_(False)
    before = torch.random.get_rng_state()
    layer = from_multihead_attention(other, beta=torch.tensor(0.5, requires_grad=True))
    assert torch.equal(before, torch.random.get_rng_state()), "nothing is drawn"
    assert layer.in_proj_weight.data_ptr() != other.in_proj_weight.data_ptr()
    assert layer.in_proj_weight.dtype == torch.float64 and not layer.training
    trained = {name for name, parameter in layer.named_parameters() if parameter.requires_grad}
    assert trained == {"in_proj_weight", "in_proj_bias", "separation.beta.raw"}


WRONG = {
    "heads": (lambda: MultiheadHopfield(8, 3), ShapeError, "multiple of num_heads=3"),
    "beta twice": (
        lambda: MultiheadHopfield(8, 2, separation=Softmax(0.5), beta=1.0),
        OptionError,
        "given by name",
    ),
    "width": (lambda: call(draw(2, 4, 7)), ShapeError, "query must end in 8"),
    "axes": (lambda: call(draw(1, 2, 4, 8)), ShapeError, "2 or all 3 axes"),
    "rows": (lambda: call(draw(2, 4, 8), draw(2, 3, 8)), ShapeError, "the same rows"),
    "mask": (
        lambda: call(draw(2, 4, 8), attn_mask=torch.zeros(3, 4, dtype=torch.bool)),
        ShapeError,
        r"attn_mask must have shape \(4, 4\)",
    ),
    "numbers": (
        lambda: call(draw(2, 4, 8), key_padding_mask=torch.ones(2, 4, dtype=torch.long)),
        InputTypeError,
        "key_padding_mask == 0",
    ),
}


def call(query: torch.Tensor, value: torch.Tensor | None = None, **given):
    layer = seeded(lambda: MultiheadHopfield(8, 2, batch_first=True))
    return layer(query, query, query if value is None else value, **given)


@pytest.mark.parametrize(("wrong", "error", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_refused(wrong, error, says):
    with pytest.raises(error, match=says):
        wrong()
