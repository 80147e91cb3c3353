"""Layers converted from hflayers: golden runs of it, and its computation written again."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from hflayers_again import Written
from hopfield.errors import HopfieldError, OptionError, ShapeError
from hopfield.nn import HopfieldAssociation, HopfieldLookup, HopfieldPooling, from_hflayers
from hopfield.nn.hflayers.arguments import KINDS, LOOKUP
from nn_layers import draw64 as draw

GOLDEN = Path(os.environ.get("HOPFIELD_GOLDEN", "")) / "hflayers"
CASES = sorted(GOLDEN.glob("*.safetensors")) if "HOPFIELD_GOLDEN" in os.environ else []
INPUTS = {
    "Hopfield": ("state", "stored", "projection"),
    "HopfieldPooling": ("stored",),
    "HopfieldLayer": ("state",),
}
CLASSES = {
    "Hopfield": HopfieldAssociation,
    "HopfieldPooling": HopfieldPooling,
    "HopfieldLayer": HopfieldLookup,
}


@pytest.mark.skipif(not CASES, reason="HOPFIELD_GOLDEN is not set: no golden runs here")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path):
    with safe_open(path, "pt") as file:
        kind, given = file.metadata()["class"], file.metadata()["arguments"]
        held = {name: file.get_tensor(name) for name in file.keys()}
    weights = {n.removeprefix("param."): t for n, t in held.items() if n.startswith("param.")}
    layer = from_hflayers(weights, json.loads(given), kind)
    assert type(layer) is CLASSES[kind]
    by = "state" if kind == "HopfieldLayer" else "stored"
    held[by].requires_grad_()
    inputs = [held[name] for name in INPUTS[kind]]
    masks = {"padding_mask": held.get("stored_pattern_padding_mask")}
    output = layer(*inputs, **masks)
    described = layer.describe(*inputs, **masks)
    (slope,) = torch.autograd.grad(output.square().sum(), held[by])
    if kind == "HopfieldPooling":
        output = output.flatten(1)
    torch.testing.assert_close(output, held["output"], rtol=0, atol=1e-10)
    torch.testing.assert_close(described.weights, held["association"], rtol=0, atol=1e-10)
    torch.testing.assert_close(slope, held["input_grad"], rtol=0, atol=1e-9)


def test_golden_runs_cover_all_classes():
    if "HOPFIELD_GOLDEN" not in os.environ:
        pytest.skip("HOPFIELD_GOLDEN is not set: no golden runs here")
    kinds = {path.stem.split("_")[0] for path in CASES}
    assert kinds == {"association", "pooling", "lookup"}


BATCH, STATES, STORED = 3, 4, 5

HEADS = {"input_size": 6, "hidden_size": 3, "num_heads": 2}
ARGUMENTS = {
    "one width for all": {"input_size": 6},
    "heads": HEADS,
    "every size": {
        **HEADS,
        "pattern_size": 4,
        "output_size": 7,
        "stored_pattern_size": 5,
        "pattern_projection_size": 8,
    },
    "size given but the same": {**HEADS, "stored_pattern_size": 6},
    "steps": {**HEADS, "update_steps_max": 4, "scaling": 0.8},
    "connected": {**HEADS, "pattern_projection_as_connected": True, "update_steps_max": 1},
    "connected, static": {
        **HEADS,
        "pattern_projection_as_connected": True,
        "pattern_projection_as_static": True,
    },
    "null": {**HEADS, "add_zero_association": True, "update_steps_max": 2, "scaling": 1.5},
    "no biases": {**HEADS, "input_bias": False},
    "activation": {**HEADS, "association_activation": "tanh"},
    "activation alone": {
        **HEADS,
        "association_activation": "relu",
        "disable_out_projection": True,
    },
    "no output projection": {**HEADS, "disable_out_projection": True, "pattern_size": 2},
    "plain norms": {
        **HEADS,
        **{
            f"normalize_{name}_affine": False
            for name in ("stored_pattern", "state_pattern", "pattern_projection")
        },
        "normalize_state_pattern_eps": 0.1,
        "normalize_pattern_projection_eps": 0.2,
    },
    "norm of stored patterns alone": {
        **HEADS,
        "normalize_state_pattern": False,
        "normalize_state_pattern_affine": False,
        "normalize_pattern_projection": False,
        "normalize_pattern_projection_affine": False,
        "normalize_stored_pattern_eps": 0.3,
    },
    "norm of the space": {
        **HEADS,
        "normalize_hopfield_space": True,
        "normalize_hopfield_space_eps": 0.1,
        "update_steps_max": 1,
    },
    "affine norm of the space": {
        **HEADS,
        "normalize_hopfield_space": True,
        "normalize_hopfield_space_affine": True,
    },
    "static states": {"input_size": 6, "state_pattern_as_static": True},
    "static stored patterns": {
        "input_size": 6,
        "stored_pattern_as_static": True,
        "update_steps_max": 1,
    },
    "static projected patterns": {"input_size": 6, "pattern_projection_as_static": True},
    "all static": {
        "input_size": 6,
        "scaling": 2.0,
        **{
            f"{name}_as_static": True
            for name in ("stored_pattern", "state_pattern", "pattern_projection")
        },
    },
    "static, in space": {
        "input_size": 6,
        "normalize_hopfield_space": True,
        "state_pattern_as_static": True,
        "stored_pattern_as_static": True,
    },
}


@pytest.mark.parametrize("masked", [False, True], ids=["", "masks"])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_converted_layers_compute_the_same(arguments, masked):
    written = Written(**arguments)
    stored_size = arguments.get("stored_pattern_size", 6)
    state, stored = draw(BATCH, STATES, 6, seed=1), draw(BATCH, STORED, stored_size, seed=2)
    projected = draw(BATCH, STORED, arguments.get("pattern_projection_size", 6), seed=3)
    padding = pairs = None
    if masked:
        padding = torch.tensor([[False] * 5, [True, False] * 2 + [False], [False] * 4 + [True]])
        pairs = draw(STATES, STORED, seed=4) > 0.8
    expected, weights = written(stored, state, projected, padding, pairs)
    assert expected.isfinite().all(), "premise: no state is left without a pattern"
    layer = from_hflayers(written.weights, arguments)
    given = {"padding_mask": padding, "association_mask": pairs}
    found = layer.describe(state, stored, projected, **given)
    torch.testing.assert_close(found.output, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.weights, weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(state, stored, projected, **given), expected)


@pytest.mark.parametrize("static", [False, True])
def test_pooling_is_converted(static):
    arguments = {**HEADS, "input_size": 6 if not static else 3, "state_pattern_as_static": static}
    written, size = Written(**arguments), arguments["input_size"]
    queries, stored = draw(1, 2, size, seed=1), draw(BATCH, STORED, size, seed=2)
    expected, weights = written(stored, queries.expand(BATCH, -1, -1), stored)
    held = {f"hopfield.{name}": tensor for name, tensor in written.weights.items()}
    held["pooling_weights"] = queries
    arguments |= {"quantity": 2, "trainable": False}
    layer = from_hflayers(held, arguments, "HopfieldPooling")
    torch.testing.assert_close(layer(stored), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.describe(stored).weights, weights, rtol=0, atol=1e-12)
    assert not layer.queries.requires_grad


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("separated", [False, True])
def test_lookup_is_converted(separated, static):
    size = 3 if static else 6
    arguments = {
        **HEADS,
        "input_size": size,
        "stored_pattern_as_static": static,
        "pattern_projection_as_static": static,
    }
    written = Written(**arguments)
    state, memories = draw(BATCH, STATES, size, seed=1), draw(1, STORED, size, seed=2)
    values = draw(1, STORED, size, seed=3) if separated else memories
    every = (memories.expand(BATCH, -1, -1), values.expand(BATCH, -1, -1))
    padding = torch.tensor([[False] * 5, [True] * 3 + [False] * 2, [False] * 4 + [True]])
    held = {"lookup_weights": memories, **({"target_weights": values} if separated else {})}
    more = {"quantity": STORED, "lookup_weights_as_separated": separated}
    more["lookup_targets_as_trainable"] = False
    for mask in (None, padding):
        expected, _ = written(every[0], state, every[1], mask)
        weights = {f"hopfield.{name}": tensor for name, tensor in written.weights.items()}
        layer = from_hflayers({**weights, **held}, {**arguments, **more}, "HopfieldLayer")
        torch.testing.assert_close(layer(state, padding_mask=mask), expected, rtol=0, atol=1e-12)
        assert layer.memories.requires_grad
        assert layer.values is None or not layer.values.requires_grad


def test_learned_rows_are_input_size_long_where_nothing_is_projected():
    """hflayers forgets stored_pattern_size then."""
    arguments = {"input_size": 6, "stored_pattern_size": 5, "disable_out_projection": True}
    for name in ("state_pattern", "stored_pattern", "pattern_projection"):
        arguments |= {f"{name}_as_static": True, f"normalize_{name}": False}
        arguments |= {f"normalize_{name}_affine": False}
    state, memories = draw(BATCH, STATES, 6, seed=1), draw(1, STORED, 6, seed=2)
    given = {"lookup_weights": memories, "target_weights": draw(1, STORED, 6, seed=3)}
    more = {"quantity": STORED, "lookup_weights_as_separated": True}
    layer = from_hflayers(given, {**arguments, **more}, "HopfieldLayer")
    expected = torch.softmax(state @ memories.mT, dim=-1) @ given["target_weights"]
    torch.testing.assert_close(layer(state), expected)


def test_without_an_input_size_nothing_may_be_normalised():
    arguments = {"disable_out_projection": True}
    for name in ("state_pattern", "stored_pattern", "pattern_projection"):
        arguments |= {f"{name}_as_static": True, f"normalize_{name}_affine": False}
    with pytest.raises(OptionError, match=r"input_size=None.*nothing is projected or normalised"):
        from_hflayers({}, arguments)
    plain = {name: False for name in KINDS["Hopfield"] if name.startswith("normalize")
             and not name.endswith("_eps")}  # fmt: skip
    rows = draw(BATCH, STORED, 6, seed=1)
    expected = torch.softmax(rows @ rows.mT, dim=-1) @ rows
    torch.testing.assert_close(from_hflayers({}, {**arguments, **plain})(rows), expected)


def weights_of(**arguments) -> dict[str, torch.Tensor]:
    written = Written(**{k: v for k, v in arguments.items() if k in ARGUMENTS["every size"]})
    rows = draw(BATCH, STORED, 6, seed=1)
    written(rows, rows, rows)
    return written.weights


def test_a_number_for_each_head_that_is_one_number():
    weights, state = weights_of(**HEADS), draw(BATCH, STORED, 6, seed=1)
    one = from_hflayers(weights, {**HEADS, "scaling": 0.5, "update_steps_max": 1})
    each = {"scaling": torch.tensor([0.5, 0.5]), "update_steps_max": torch.tensor([1, 1])}
    torch.testing.assert_close(from_hflayers(weights, {**HEADS, **each})(state), one(state))


def test_biases_that_hflayers_never_reads():
    weights, state = weights_of(**HEADS), draw(BATCH, STORED, 6, seed=1)
    more = {f"association_core.bias_{letter}": torch.randn(1, 1, 6, generator=torch.Generator())
            for letter in "kv"}  # fmt: skip
    layer = from_hflayers({**weights, **more}, {**HEADS, "concat_bias_pattern": True})
    torch.testing.assert_close(layer(state), from_hflayers(weights, HEADS)(state))


def test_dropout_and_dtype_are_converted():
    weights = {name: tensor.float() for name, tensor in weights_of(**HEADS).items()}
    layer = from_hflayers(weights, {**HEADS, "dropout": 0.25})
    assert layer.dropout == 0.25
    assert {p.dtype for p in layer.parameters()} == {torch.float32}


PAIR = {
    "input_size": 6,
    "state_pattern_as_static": True,
    "stored_pattern_as_static": True,
    "disable_out_projection": True,
}
PLAIN = {f"normalize_{name}{end}": False for name in ("state_pattern", "stored_pattern")
         for end in ("", "_affine")}  # fmt: skip


@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize("more", [{}, PLAIN], ids=["normalised", "plain"])
def test_static_states_of_static_patterns_cut_nothing_that_is_no_longer(width, more):
    arguments = {**PAIR, "hidden_size": width, **more}
    written = Written(**arguments)
    state, stored, projected = (draw(BATCH, rows, 6, seed=rows) for rows in (4, 5, 5))
    expected, _ = written(stored, state, projected)
    assert expected.shape[-1] == width
    layer = from_hflayers(written.weights, arguments)
    torch.testing.assert_close(layer(state, stored, projected), expected, rtol=0, atol=1e-12)


def test_static_states_that_would_cut_what_is_projected_are_refused():
    """hflayers reads as many projected features as static states and stored patterns have."""
    rows, long = draw(BATCH, STORED, 6, seed=1), draw(BATCH, STORED, 9, seed=2)
    arguments = {**PAIR, "hidden_size": 8}
    written = Written(**arguments)
    assert written(rows, rows, rows)[0].shape[-1] == 6, "premise: 2 of 8 are lost"
    with pytest.raises(OptionError, match=r"hidden_size=8 cannot .*static .*input_size=6"):
        from_hflayers(written.weights, arguments)
    written = Written(**arguments, **PLAIN)
    expected, _ = written(long, long, rows)  # as long as hidden_size, and nothing is lost
    layer = from_hflayers(written.weights, {**arguments, **PLAIN})
    torch.testing.assert_close(layer(long, long, rows), expected, rtol=0, atol=1e-12)
    with pytest.raises(ShapeError, match=r"static states .* at least hidden_size=8 .*\(3, 5, 6\)"):
        layer(rows, rows, rows)
    own = {**arguments, "pattern_size": 8}  # a matrix of its own is not cut
    written = Written(**own)
    expected, _ = written(rows, rows, rows)
    assert expected.shape[-1] == 8
    found = from_hflayers(written.weights, own)(rows, rows, rows)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


REFUSED = {
    "activation": ({"association_activation": "softmax"}, "activation='softmax'.*apply"),
    "no threshold": ({"update_steps_eps": 0.0}, "update_steps_eps=0.0.*above 0"),
    "thresholds by head": ({"update_steps_eps": torch.tensor([1.0, -1.0])}, "update_steps_eps"),
    "affine without normalisation": (
        {"normalize_stored_pattern": False},
        "normalize_stored_pattern_affine=True.*without normalize_stored_pattern",
    ),
    "affine space": (
        {"normalize_hopfield_space_affine": True},
        "normalize_hopfield_space_affine=True.*without normalize_hopfield_space",
    ),
    "biases of static patterns": (
        {"concat_bias_pattern": True, "num_heads": 1, "stored_pattern_as_static": True},
        "concat_bias_pattern=True.*static",
    ),
    "no input size": ({"input_size": None}, "input_size=None.*optional if nothing is proj"),
    "connected patterns of two sizes": (
        {"pattern_projection_as_connected": True, "stored_pattern_size": 5},
        "pattern_projection_as_connected=True.*one size",
    ),
    "connected patterns of another width": (
        {"pattern_projection_as_connected": True, "pattern_size": 5},
        "pattern_size=5.*hidden_size=3",
    ),
    "an activation that is none": ({"association_activation": "rleu"}, "ignores a name"),
    "batch last": ({"batch_first": False}, "batch_first=False.*transpose"),
    "no limit": ({"update_steps_max": None}, "update_steps_max=None.*whole batch"),
    "negative limit": ({"update_steps_max": -1}, "update_steps_max=-1"),
    "limits by head": (
        {"update_steps_max": torch.tensor([1, 2])},
        "update_steps_max=a tensor.*same number of steps",
    ),
    "scaling by head": ({"scaling": torch.tensor([0.1, 0.2])}, "scaling=a tensor.*features"),
    "negative scaling": ({"scaling": -1.0}, "scaling=-1.0.*above 0"),
    "static heads": ({"state_pattern_as_static": True}, "state_pattern_as_static=True.*batch"),
    "static values": (
        {"pattern_projection_as_static": True},
        "pattern_projection_as_static=True.*num_heads=1",
    ),
    "typing error": ({"num_head": 2}, "Did you mean 'num_heads'"),
    "argument of another kind": ({"quantity": 2}, "an argument of Hopfield must be one of"),
    "size": ({"hidden_size": 0}, "hidden_size"),
    "text": ({"scaling": "0.5"}, "scaling must be a number, or one number per head"),
    "threshold of None": ({"update_steps_eps": None}, "update_steps_eps must be a number"),
}


def test_no_argument_is_forgotten():
    tried = {name for given in ARGUMENTS.values() for name in given}
    tried |= {name for wrong, _ in REFUSED.values() for name in wrong}
    apart = {"dropout", "quantity", "trainable", *LOOKUP}
    assert tried | apart >= {name for kind in KINDS.values() for name in kind}


@pytest.mark.parametrize(("wrong", "says"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_cannot_be_converted_are_refused_by_name(wrong, says):
    with pytest.raises(HopfieldError, match=f"(?s){says}"):
        from_hflayers(weights_of(**HEADS), {**HEADS, **wrong})


def test_weights_must_be_those_of_the_arguments():
    weights = weights_of(**HEADS)
    with pytest.raises(OptionError, match="kind must be one of"):
        from_hflayers(weights, HEADS, "HopfieldLookup")
    with pytest.raises(OptionError, match=r"must hold 'hopfield\."):
        from_hflayers(weights, HEADS, "HopfieldPooling")
    with pytest.raises(OptionError, match=r"also has association_core\.out_proj"):
        from_hflayers(weights, {**HEADS, "disable_out_projection": True})


OTHER_SIZES = {
    "hidden size forgotten": ({"hidden_size": None, "num_heads": 3}, r"in_proj_weight.*\(18, 6\)"),
    "another hidden size": ({"hidden_size": 4}, r"in_proj_weight' of shape \(24, 6\)"),
    "another input": ({"input_size": 8}, r"in_proj_weight' of shape \(18, 8\)"),
    "another output": ({"output_size": 5}, r"out_proj.bias' of shape \(5,\)"),
}


@pytest.mark.parametrize(("wrong", "says"), OTHER_SIZES.values(), ids=OTHER_SIZES)
def test_weights_of_other_sizes_are_refused(wrong, says):
    made = {**HEADS, "num_heads": wrong.get("num_heads", 2)}
    weights = weights_of(**made)
    with pytest.raises(OptionError, match=f"{says}.*but has shape"):
        from_hflayers(weights, {**HEADS, **wrong})


@pytest.mark.parametrize("kind", ["HopfieldPooling", "HopfieldLayer"])
def test_as_many_rows_as_quantity_says(kind):
    name = "pooling_weights" if kind == "HopfieldPooling" else "lookup_weights"
    weights = {f"hopfield.{n}": tensor for n, tensor in weights_of(**HEADS).items()}
    weights[name] = draw(1, 4, 6, seed=1)
    assert len(dict(from_hflayers(weights, {**HEADS, "quantity": 4}, kind).named_parameters()))
    with pytest.raises(OptionError, match=rf"'{name}' of shape \(1, 3, 6\)"):
        from_hflayers(weights, {**HEADS, "quantity": 3}, kind)
