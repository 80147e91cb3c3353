"""From the weights of a layer of hflayers to a layer that computes the same."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_choice
from ...errors import ShapeError
from ...separation import Softmax
from ...typed import typed
from ..association import HopfieldAssociation, Projections
from ..iteration import Iteration
from ..lookup import HopfieldLookup
from ..pooling import HopfieldPooling
from .arguments import INPUTS, KINDS, PROJECTED, SPACE, STATE, STORED, Arguments
from .transformer import NAMES, TransformerLayer, make_transformer_layer
from .weights import Weights

CORE = "association_core."
LETTERS = {STATE: "q", STORED: "k", PROJECTED: "v"}

Layer = HopfieldAssociation | HopfieldPooling | HopfieldLookup


@typed
def from_hflayers(
    state_dict: Mapping[str, Tensor],
    arguments: Mapping[str, Any],
    kind: str = "Hopfield",
    *,
    prefix: str = "",
) -> Layer | TransformerLayer:
    """Return the layer that computes the same as a layer of hflayers.

    It makes all `update_steps_max + 1` softmaxes: `update_steps_eps`, with which hflayers stops a
    whole batch, is not converted, nor are the biases of `concat_bias_pattern`, which it
    never reads.

    Args:
        state_dict: weights of the layer of hflayers.
        arguments: its constructor arguments; the others have the defaults of hflayers. Those of an
            encoder or decoder layer hold the arguments of each of its associations as a dict.
        kind: "Hopfield", "HopfieldPooling", "HopfieldLayer", "HopfieldEncoderLayer" or
            "HopfieldDecoderLayer".
        prefix: beginning of the names of its weights in the `state_dict` of a whole model, such as
            "encoder.layers.0.hopfield_association."; other weights are ignored.

    Returns:
        A layer in the dtype and on the device of the weights. Pooling returns
        `(batch, queries, out)`, which hflayers flattens: `output.flatten(1)`. Encoder and decoder
        layers are those of torch, to be stacked by `torch.nn.TransformerEncoder`.

    Raises:
        OptionError: an argument cannot be converted, or weights are missing, left over or of
            other shapes.
    """
    check_choice("kind", kind, [*KINDS, *NAMES])
    own = {n.removeprefix(prefix): w for n, w in state_dict.items() if n.startswith(prefix)}
    if kind in NAMES:
        return make_transformer_layer(own, arguments, kind, from_hflayers)
    checked = Arguments(arguments, kind)
    weights = Weights(own, "" if kind == "Hopfield" else "hopfield.")
    layer = _make_layer(checked, weights)
    weights.refuse_unused()
    return layer


class _Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor], name: str) -> None:
        super().__init__()
        self.function, self.name = function, name

    def forward(self, rows: Tensor) -> Tensor:
        return self.function(rows)

    def extra_repr(self) -> str:
        return self.name


def _repeat(rows: Tensor, heads: int) -> Tensor:
    return rows.repeat(*[1] * (rows.ndim - 1), heads)


def _check_length(rows: Tensor, length: int, connected: bool) -> Tensor:
    least, reason = "at least ", "reads no more projected features than that"
    if connected:
        least, reason = "", "accepts no other length if projected patterns are connected"
    if rows.shape[-1] < length or (connected and rows.shape[-1] != length):
        raise ShapeError(
            f"static states must have {least}hidden_size={length} features, but have "
            f"shape {tuple(rows.shape)}: hflayers {reason}."
        )
    return rows


def _make_layer(arguments: Arguments, weights: Weights) -> Layer:
    association = _make_association(arguments, weights)
    if arguments.kind == "Hopfield":
        return association

    def rows(name: str, source: str) -> Tensor:
        if source == PROJECTED and arguments["pattern_projection_size"] is None:
            source = STORED  # values are as long as memories
        length = arguments.sizes[source]
        if source != PROJECTED and arguments.static[source]:
            length = arguments["input_size"] if arguments.core_is_empty else arguments.width
        return weights.take(name, 1, arguments["quantity"], length, prefix="")[0]

    if arguments.kind == "HopfieldPooling":
        pooling = HopfieldPooling(association, rows("pooling_weights", STATE))
        pooling.queries.requires_grad_(arguments["trainable"])
        return pooling
    memories, separated = rows("lookup_weights", STORED), arguments["lookup_weights_as_separated"]
    values = rows("target_weights", PROJECTED) if separated else False
    lookup = HopfieldLookup(association, memories, values)
    lookup.memories.requires_grad_(arguments["trainable"])
    if lookup.values is not None:
        lookup.values.requires_grad_(arguments["lookup_targets_as_trainable"])
    return lookup


def _make_association(arguments: Arguments, weights: Weights) -> HopfieldAssociation:
    query, key, value = _make_projections(arguments, weights)
    out: nn.Module = nn.Identity()
    if not arguments["disable_out_projection"]:
        length = arguments["output_size"] or arguments["input_size"]
        bias = weights.take(f"{CORE}out_proj.bias", length) if arguments["input_bias"] else None
        matrix = weights.take(f"{CORE}out_proj.weight", length, arguments.widths[PROJECTED])
        out = _make_linear(matrix, bias)
    if name := arguments["association_activation"]:
        out = nn.Sequential(out, _Function(getattr(torch, name), name))
    norm = _make_norm(arguments, weights, SPACE, f"{CORE}p_norm_", arguments.width)
    if arguments["concat_bias_pattern"]:  # hflayers never reads them
        for letter in "kv":
            weights.take(f"{CORE}bias_{letter}", None, None, None)
    return HopfieldAssociation(
        arguments["input_size"],
        arguments.heads,
        Softmax(arguments.beta),
        Iteration(arguments.steps),
        Projections(query, key, value, out, norm, arguments["add_zero_association"]),
        arguments["dropout"],
    )


def _make_projections(arguments: Arguments, weights: Weights) -> list[nn.Sequential]:
    """Return normalisation and matrix for states, stored and projected patterns."""
    matrices, biases = _take_matrices(arguments, weights), _take_biases(arguments, weights)
    chains: dict[str, list[nn.Module]] = {}
    for name in INPUTS:
        norm = _make_norm(arguments, weights, name, f"norm_{name}.", arguments.sizes[name])
        chain = chains[name] = [] if norm is None else [norm]
        if name == PROJECTED and arguments.is_connected and not arguments.static[STORED]:
            chain.append(chains[STORED][-1])
        if name in matrices:
            chain.append(_make_linear(matrices[name], biases.get(name)))
        elif arguments.repeated[name] and arguments.heads > 1:
            chain.append(_Function(partial(_repeat, heads=arguments.heads), "repeat for heads"))
    if arguments.fixes_length or (arguments.truncates and arguments.static_length is None):
        check = partial(_check_length, length=arguments.width, connected=arguments.is_connected)
        chains[STATE].append(_Function(check, "check length"))
    return [nn.Sequential(*chain) for chain in chains.values()]


def _take_matrices(arguments: Arguments, weights: Weights) -> dict[str, Tensor]:
    widths = {name: arguments.widths[name] for name in INPUTS if not arguments.static[name]}
    if not arguments.has_separate_matrices:
        return _take_parts(weights, "in_proj_weight", widths, arguments["input_size"])
    lengths = dict(arguments.sizes)
    if arguments.is_connected and not arguments.static[STORED]:
        lengths[PROJECTED] = arguments.widths[STORED]
    return {
        name: weights.take(f"{CORE}{LETTERS[name]}_proj_weight", width, lengths[name])
        for name, width in widths.items()
    }


def _take_biases(arguments: Arguments, weights: Weights) -> dict[str, Tensor]:
    if not arguments["input_bias"] or all(arguments.static.values()):
        return {}
    # hflayers has one for projected patterns even if it is not used.
    names = [name for name in INPUTS if not arguments.static[name] or name == PROJECTED]
    return _take_parts(weights, "in_proj_bias", {name: arguments.widths[name] for name in names})


def _take_parts(
    weights: Weights, name: str, widths: Mapping[str, int], *shape: int
) -> dict[str, Tensor]:
    if not widths:
        return {}
    whole = weights.take(CORE + name, sum(widths.values()), *shape)
    return dict(zip(widths, whole.split(list(widths.values())), strict=True))


def _make_norm(
    arguments: Arguments, weights: Weights, name: str, prefix: str, size: int | None
) -> nn.LayerNorm | None:
    if not arguments[f"normalize_{name}"]:
        return None
    parts = ("weight", "bias") if arguments[f"normalize_{name}_affine"] else ()
    affine = {part: weights.take(prefix + part, size) for part in parts}
    if name == SPACE and arguments.static[STATE] and arguments.static[STORED] and not affine:
        size = arguments.sizes[STATE]  # without weights, the length of the rows that are normalised
    length = len(affine["weight"]) if affine else size or 1
    layer = nn.LayerNorm(
        length, arguments[f"normalize_{name}_eps"], elementwise_affine=bool(affine)
    )
    for part, tensor in affine.items():
        setattr(layer, part, nn.Parameter(tensor.clone()))
    return layer


def _make_linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
