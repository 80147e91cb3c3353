"""Static states of hflayers with connected patterns: every call there wants one length."""

import pytest
import torch

from hflayers_again import Written
from hopfield.errors import OptionError, ShapeError
from hopfield.nn import from_hflayers
from nn_layers import draw64 as draw

CONNECTED = {
    "input_size": 6,
    "state_pattern_as_static": True,
    "stored_pattern_as_static": True,
    "pattern_projection_as_connected": True,
}
PLAIN = {f"normalize_{name}{end}": False for name in ("state_pattern", "stored_pattern")
         for end in ("", "_affine")}  # fmt: skip


def rows(long: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, stored and projected patterns."""
    return draw(3, 4, long, seed=1), draw(3, 5, long, seed=2), draw(3, 5, 6, seed=3)


@pytest.mark.parametrize("more", [{}, PLAIN], ids=["normalised", "plain"])
def test_states_of_the_right_length_are_read(more):
    arguments = {**CONNECTED, "hidden_size": 6, **more}
    written, (state, stored, projected) = Written(**arguments), rows(6)
    expected, _ = written(stored, state, projected)
    layer = from_hflayers(written.weights, arguments)
    torch.testing.assert_close(layer(state, stored, projected), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("normalised", ["state_pattern", "stored_pattern"])
def test_another_hidden_size_is_refused_by_name(width, normalised):
    one = {f"normalize_{normalised}": True}
    arguments = {**CONNECTED, **PLAIN, **one, "hidden_size": width}
    with pytest.raises(OptionError, match=rf"hidden_size={width} cannot .*connected.* are 6\."):
        from_hflayers({}, arguments)


@pytest.mark.parametrize("width", [4, 8])
def test_states_of_another_length_are_refused_at_the_call(width):
    arguments = {**CONNECTED, **PLAIN, "hidden_size": width}
    written, (state, stored, projected) = Written(**arguments), rows(width)
    expected, _ = written(stored, state, projected)
    layer = from_hflayers(written.weights, arguments)
    torch.testing.assert_close(layer(state, stored, projected), expected, rtol=0, atol=1e-12)
    with pytest.raises(ShapeError, match=rf"hidden_size={width} .*\(3, 4, 6\).*connected"):
        layer(*rows(6))
