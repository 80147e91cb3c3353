"""The drop-in with a window and with fewer heads of keys, against torch's attention."""

import copy

import pytest
import torch
from torch import nn

from hopfield import Entmax
from hopfield.errors import OptionError, ShapeError
from hopfield.nn import (
    HopfieldDecoderLayer,
    HopfieldEncoderLayer,
    MultiheadHopfield,
    Window,
    from_multihead_attention,
    windowed,
)
from largest import Largest
from nn_layers import draw, seeded

DIM, HEADS, N = 12, 4, 11
WINDOW = Window(2, 1)
OFFSETS = torch.arange(N) - torch.arange(N)[:, None]
OUTSIDE = (OFFSETS < -2) | (OFFSETS > 1)


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    monkeypatch.setattr(windowed, "SHORTEST", 2)


def layer(**options) -> MultiheadHopfield:
    made = {"batch_first": True, "dtype": torch.float64, **options}
    return seeded(lambda: MultiheadHopfield(DIM, HEADS, **made))


def slopes(output, module) -> list[torch.Tensor]:
    return list(torch.autograd.grad(output.square().sum(), list(module.parameters())))


@pytest.mark.parametrize("separation", ["softmax", "entmax"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_window_is_a_mask(steps, separation):
    options = {"steps": steps, "separation": separation}
    near, whole = layer(**options, window=WINDOW), layer(**options)
    assert list(near.state_dict()) == list(whole.state_dict())
    rows, padding = draw(2, N, DIM, seed=1).double(), torch.arange(N) >= torch.tensor([[N], [7]])
    for masks in ({}, {"key_padding_mask": padding}, {"attn_mask": draw(N, N, seed=2) > 0.5}):
        given = dict(masks)
        pairs = given.pop("attn_mask", torch.zeros(N, N, dtype=torch.bool))
        expected, weights = whole(rows, rows, rows, **given, attn_mask=pairs | OUTSIDE)
        output, _ = near(rows, rows, rows, **masks, need_weights=False)
        torch.testing.assert_close(output, expected)
        for one, other in zip(slopes(output, near), slopes(expected, whole), strict=True):
            torch.testing.assert_close(one, other)
        for one, other in zip(near(rows, rows, rows, **masks), (expected, weights), strict=True):
            torch.testing.assert_close(one, other)


def test_a_causal_window_needs_no_mask_to_be_causal():
    rows = draw(2, N, DIM, seed=1).double()
    given = torch.ones(N, N, dtype=torch.bool).triu(1)
    for window in (Window(3, 0), Window(3, 2), Window(0, 0, 4), Window(1, 1, 3), WINDOW):
        near = layer(window=window)
        expected = near(rows, rows, rows, attn_mask=given)
        output = near(rows, rows, rows, is_causal=True, need_weights=False)[0]
        torch.testing.assert_close(output, expected[0])
        for one, other in zip(near(rows, rows, rows, is_causal=True), expected, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("separation", ["softmax", "entmax"])
@pytest.mark.parametrize("window", [None, Window(3, 0), Window(3, 2), Window(0, 0, 64)], ids=str)
def test_causal_attention_needs_no_array_of_all_pairs(window, separation):
    n, causal = 4096, layer(window=window, separation=separation)
    rows = draw(1, n, DIM, seed=1).double()
    with Largest() as largest:
        output = causal(rows, rows, rows, need_weights=False, is_causal=True)[0]
        output.sum().backward()
    assert 0 < largest.numel <= n**2 // 2


@pytest.mark.parametrize("separation", ["softmax", "entmax"])
@pytest.mark.parametrize("m", [5, 40])
def test_causal_attention_is_a_mask(separation, m, monkeypatch):
    monkeypatch.setattr(windowed, "LONGEST", 4)
    rows, keys = draw(2, m, DIM, seed=1).double(), draw(2, N, DIM, seed=2).double()
    padding = torch.arange(N) < torch.tensor([[3], [0]])
    hidden = torch.ones(m, N, dtype=torch.bool).triu(1)
    for options in ({}, {"steps": 2}, {"add_zero_attn": True}):
        causal = layer(separation=separation, **options)
        for given in ({}, {"key_padding_mask": padding}):
            expected, _ = causal(rows, keys, keys, attn_mask=hidden, **given)
            output, _ = causal(rows, keys, keys, is_causal=True, need_weights=False, **given)
            torch.testing.assert_close(output, expected)
            for one, other in zip(slopes(output, causal), slopes(expected, causal), strict=True):
                torch.testing.assert_close(one, other)


def test_windows_in_the_layers_of_a_transformer():
    made = {"dim_feedforward": 16, "dropout": 0.0, "batch_first": True}
    rows, memory = draw(2, N, DIM, seed=1), draw(2, 3, DIM, seed=2)
    other = seeded(lambda: nn.TransformerEncoderLayer(DIM, HEADS, **made))
    near = seeded(lambda: HopfieldEncoderLayer(DIM, HEADS, **made, window=WINDOW))
    stack, stacked = (nn.TransformerEncoder(one, 2, enable_nested_tensor=False)
                      for one in (near, other))  # fmt: skip
    expected = stacked(rows, mask=OUTSIDE)
    torch.testing.assert_close(stack(rows), expected, rtol=0, atol=2e-6)
    with torch.no_grad():
        torch.testing.assert_close(stack.eval()(rows), expected, rtol=0, atol=2e-6)
    other = seeded(lambda: nn.TransformerDecoderLayer(DIM, HEADS, **made))
    near = seeded(lambda: HopfieldDecoderLayer(DIM, HEADS, **made, window=WINDOW))
    expected = other(rows, memory, tgt_mask=OUTSIDE)
    torch.testing.assert_close(near(rows, memory), expected, rtol=0, atol=2e-6)


def test_a_learned_bias_is_a_parameter_and_is_reset():
    table = draw(HEADS, 4, seed=3)
    fixed = layer(window=Window(2, 1, bias=table))
    learned = layer(window=Window(2, 1, bias=table.clone().requires_grad_()))
    assert "window.bias" in learned.state_dict() and "window.bias" not in fixed.state_dict()
    rows = draw(2, N, DIM, seed=1).double()
    output, again = (one(rows, rows, rows, need_weights=False)[0] for one in (learned, fixed))
    torch.testing.assert_close(output, again)
    assert all(slope.any() for slope in slopes(output, learned)[-1:])
    for one in (learned, fixed):
        other = copy.deepcopy(one).to_empty(device="cpu")
        with torch.random.fork_rng(devices=[]):
            other.reset_parameters()
        torch.testing.assert_close(other.window.bias, table.double())
    for device in ("cpu", "meta"):
        other = seeded(lambda device=device: nn.MultiheadAttention(DIM, HEADS, device=device))
        taken = from_multihead_attention(other, window=Window(2, 1, bias=table)).window.bias
        assert taken.device.type == device, "the device of the weights"
        assert device == "meta" or torch.equal(taken, table)
    assert "learned bias" in repr(learned) and ", bias)" in repr(fixed)


@pytest.mark.parametrize("kv_heads", [1, 2])
@pytest.mark.parametrize("made", [{}, {"add_bias_kv": True}, {"kdim": 7, "vdim": 5}], ids=str)
def test_grouped_heads_are_repeated_keys_and_values(made, kv_heads):
    """In torch's attention, each matrix of keys and values is given several times."""
    grouped = layer(**made, num_kv_heads=kv_heads)
    other = seeded(lambda: nn.MultiheadAttention(DIM, HEADS, batch_first=True, **made)).double()
    assert list(grouped.state_dict()) == list(other.state_dict())
    width, groups = kv_heads * DIM // HEADS, HEADS // kv_heads

    def repeated(rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(0, (kv_heads, -1)).repeat_interleave(groups, 0).flatten(0, 1)

    weights = {}
    for name, weight in grouped.state_dict().items():
        if name.startswith("in_proj"):
            query, key, value = weight.split([DIM, width, width])
            weights[name] = torch.cat([query, repeated(key), repeated(value)])
        elif name.startswith(("k_proj", "v_proj")):
            weights[name] = repeated(weight)
        else:
            weights[name] = (
                repeated(weight.flatten())[None, None] if name.startswith("bias_") else weight
            )
    other.load_state_dict(weights)
    query = draw(2, N, DIM, seed=1).double()
    key, value = (draw(2, 5, made.get(f"{name}dim", DIM), seed=2).double() for name in "kv")
    results = [one(query, key, value, average_attn_weights=False) for one in (grouped, other)]
    for one, expected in zip(*results, strict=True):
        torch.testing.assert_close(one, expected)
    assert all(slope.any() for slope in slopes(results[0][0], grouped)[:1])
    taken = from_multihead_attention(grouped)(query, key, value)[0]
    torch.testing.assert_close(taken, results[0][0])


def test_a_copy_of_a_layer_takes_over_its_options():
    beta = torch.tensor([0.3, 0.5, 0.7, 0.9]).double().requires_grad_()
    table = draw(4, seed=3).double().requires_grad_()
    made = layer(
        separation=Entmax(torch.tensor(1.3), beta), steps=3, window=Window(2, 1, bias=table)
    ).eval()
    made.out_proj.requires_grad_(False)
    rows = draw(2, N, DIM, seed=1).double()
    taken = from_multihead_attention(made)
    torch.testing.assert_close(taken(rows, rows, rows), made(rows, rows, rows))
    for (name, one), (other, copied) in zip(
        made.named_parameters(), taken.named_parameters(), strict=True
    ):
        assert name == other and one.requires_grad == copied.requires_grad
        assert one.data_ptr() != copied.data_ptr()
    assert repr(taken) == repr(made) and not taken.training
    options = {"steps": 1, "separation": "sparsemax", "beta": 0.4, "window": WINDOW}
    changed, whole = from_multihead_attention(made, **options), layer(**options)
    shared = {name: w for name, w in made.state_dict().items() if name in whole.state_dict()}
    whole.load_state_dict(shared)
    torch.testing.assert_close(changed(rows, rows, rows), whole(rows, rows, rows))
    with pytest.raises(OptionError, match=r"beta for a copy .* needs separation="):
        from_multihead_attention(made, beta=1.0)
    with pytest.raises(OptionError, match="no position"):
        from_multihead_attention(layer(add_zero_attn=True), window=WINDOW)


def test_grouped_heads_start_as_heads_do():
    small, whole = layer(num_kv_heads=2), layer(num_kv_heads=HEADS)
    assert small.in_proj_weight.shape == (2 * DIM, DIM) and whole.in_proj_weight.shape[0] == 36
    limit = (6 / (3 * DIM)) ** 0.5  # of Xavier's uniform distribution
    assert 0.8 * limit < float(small.in_proj_weight.detach().abs().max()) <= limit
    assert not small.in_proj_bias.any()


WRONG = {
    "groups": (lambda: layer(num_kv_heads=3), ShapeError, "multiple of num_kv_heads=3"),
    "added keys": (
        lambda: layer(window=WINDOW, add_zero_attn=True),
        OptionError,
        "no position",
    ),
    "lengths": (
        lambda: layer(window=WINDOW)(*(draw(2, n, DIM, seed=1).double() for n in (4, 5, 5))),
        ShapeError,
        "as many patterns as states",
    ),
}


@pytest.mark.parametrize(("wrong", "error", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_named(wrong, error, says):
    with pytest.raises(error, match=says):
        wrong()
