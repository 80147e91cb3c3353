"""Encoder and decoder layers of hflayers: its formulas written again, and torch's encoder."""

import pytest
import torch
from torch import nn
from torch.nn.functional import layer_norm, linear

from hflayers_again import Written
from hopfield.errors import HopfieldError
from hopfield.nn import HopfieldDecoderLayer, HopfieldEncoderLayer, from_hflayers
from nn_layers import draw64 as draw

DIM, WIDE = 6, 10
SELF = {"input_size": DIM, "hidden_size": 4, "num_heads": 2, "update_steps_max": 1}
CROSS = {"input_size": DIM, "num_heads": 3, "scaling": 0.7}
ROWS, MEMORY = draw(3, 4, DIM, seed=1), draw(3, 5, DIM, seed=2)
PADDING = torch.tensor([[False] * 5, [True, False] * 2 + [False], [False] * 4 + [True]])
PAIRS = torch.ones(4, 4, dtype=torch.bool).triu(1)


class WrittenLayer:
    """Post-norm residual blocks, as hflayers publishes them."""

    def __init__(self, activation=torch.relu, seed=50):
        self.activation, self.seed, self.weights = activation, seed, {}
        self.associations: dict[str, Written] = {}

    def draw(self, name: str, *shape: int) -> torch.Tensor:
        return self.weights.setdefault(name, 0.5 * draw(*shape, seed=len(self.weights) + self.seed))

    def associated(self, name, arguments, stored, state, **masks):
        written = self.associations.setdefault(name, Written(**arguments))
        output, _ = written(stored, state, stored, **masks)
        self.weights |= {f"{name}.{key}": weight for key, weight in written.weights.items()}
        return output

    def norm(self, name, rows):
        parts = (self.draw(f"{name}.{part}", DIM) for part in ("weight", "bias"))
        return layer_norm(rows, (DIM,), *parts)

    def dense(self, name, rows, width):
        shape = (width, rows.shape[-1])
        return linear(rows, self.draw(f"{name}.weight", *shape), self.draw(f"{name}.bias", width))

    def feed_forward(self, rows):
        inner = self.activation(self.dense("linear_residual", rows, WIDE))
        return self.norm("norm_output", rows + self.dense("linear_output", inner, DIM))

    def encode(self, rows, **masks):
        read = self.associated("hopfield_association", SELF, rows, rows, **masks)
        return self.feed_forward(self.norm("norm_residual", rows + read))

    def decode(self, rows, memory, padding=None, pairs=None):
        read = self.associated("hopfield_association_self", SELF, rows, rows, pairs=pairs)
        rows = self.norm("norm_residual_self", rows + read)
        read = self.associated("hopfield_association_cross", CROSS, memory, rows, padding=padding)
        return self.feed_forward(self.norm("norm_residual_cross", rows + read))


ENCODER = {"hopfield_association": SELF, "dim_feedforward": WIDE, "dropout": 0.0}
DECODER = {
    "hopfield_association_self": SELF,
    "hopfield_association_cross": CROSS,
    "dim_feedforward": WIDE,
    "activation": "tanh",
}


@pytest.mark.parametrize("floats", [False, True], ids=["bool", "float"])
@pytest.mark.parametrize("masked", [False, True], ids=["", "masks"])
def test_an_encoder_layer_computes_the_same(masked, floats):
    written, masks = WrittenLayer(), {"padding": PADDING[:, :4], "pairs": PAIRS} if masked else {}
    masks = {name: mask & ~torch.eye(4, dtype=torch.bool)[0] for name, mask in masks.items()}
    expected = written.encode(MEMORY[:, :4], **masks)
    assert expected.isfinite().all(), "premise: the first pattern stays visible"
    layer = from_hflayers(written.weights, ENCODER, "HopfieldEncoderLayer")
    assert isinstance(layer, HopfieldEncoderLayer)
    given = {"src_key_padding_mask": masks.get("padding"), "src_mask": masks.get("pairs")}
    if floats and masked:
        given = {n: draw(1, seed=0).new_zeros(m.shape).masked_fill(m, -torch.inf)
                 for n, m in given.items()}  # fmt: skip
    for training in (True, False):
        output = layer.train(training)(MEMORY[:, :4], **given)
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)


def test_a_decoder_layer_computes_the_same():
    written = WrittenLayer(torch.tanh)
    expected = written.decode(ROWS, MEMORY, PADDING, PAIRS)
    layer = from_hflayers(written.weights, DECODER, "HopfieldDecoderLayer").eval()
    assert isinstance(layer, HopfieldDecoderLayer)
    output = layer(ROWS, MEMORY, tgt_mask=PAIRS, memory_key_padding_mask=PADDING)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    assert [layer.dropout.p, layer.dropout1.p, layer.dropout3.p] == [0.1] * 3


def test_layers_of_a_whole_model_are_stacked_by_torch():
    expected, model, layers = ROWS, {"head.weight": torch.zeros(2, DIM)}, []
    for i in range(2):
        written, start = WrittenLayer(seed=50 * (i + 1)), f"net.encoder.layers.{i}."
        expected = written.encode(expected, pairs=PAIRS)
        model |= {start + name: weight for name, weight in written.weights.items()}
        layers.append(from_hflayers(model, ENCODER, "HopfieldEncoderLayer", prefix=start))
    stack = nn.TransformerEncoder(layers[0], 2, enable_nested_tensor=False)
    stack.layers[1].load_state_dict(layers[1].state_dict())
    torch.testing.assert_close(stack(ROWS, PAIRS), expected)
    with torch.no_grad():
        torch.testing.assert_close(stack.eval()(ROWS, PAIRS), expected)
    stack(ROWS).sum().backward()
    assert all(parameter.grad is not None for parameter in stack.parameters())


WRONG = {
    "no association": ({"hopfield_association": None}, "hopfield_association as a dict.*None"),
    "unknown": ({"dim_feedforwards": 3}, "argument of HopfieldEncoderLayer.*dim_feedforward"),
    "other size": ({"dim_feedforward": 8}, r"'linear_residual.weight' of shape \(8, 6\)"),
    "activation": ({"activation": "gelu"}, "activation must be one of"),
    "of the association": ({"hopfield_association": {**SELF, "num_head": 2}}, "num_heads"),
    "left over": ({"hopfield_association": {**SELF, "disable_out_projection": True}}, "also has"),
}


@pytest.mark.parametrize(("wrong", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_named(wrong, says):
    written = WrittenLayer()
    written.encode(ROWS)
    with pytest.raises(HopfieldError, match=f"(?s){says}"):
        from_hflayers(written.weights, {**ENCODER, **wrong}, "HopfieldEncoderLayer")
