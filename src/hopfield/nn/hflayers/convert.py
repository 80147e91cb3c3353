"""From the weights of a layer of hflayers to a layer that computes the same."""

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import OptionError, ShapeError
from ...separation import Softmax
from ..association import HopfieldAssociation, Projections
from ..iteration import Iteration
from ..lookup import HopfieldLookup
from ..pooling import HopfieldPooling
from .arguments import INPUTS, PROJECTED, SPACE, STATE, STORED, Arguments

CORE = "association_core."
LETTERS = {STATE: "q", STORED: "k", PROJECTED: "v"}

Layer = HopfieldAssociation | HopfieldPooling | HopfieldLookup


def from_hflayers(
    state_dict: Mapping[str, Tensor], arguments: Mapping[str, Any], kind: str = "Hopfield"
) -> Layer:
    """Return the layer that computes the same as a layer of hflayers.

    It makes all `update_steps_max + 1` softmaxes: `update_steps_eps`, with which hflayers stops a
    whole batch, is not converted, nor are the biases of `concat_bias_pattern`, which it
    never reads.

    Args:
        state_dict: weights of the layer of hflayers.
        arguments: its constructor arguments; the others have the defaults of hflayers.
        kind: "Hopfield", "HopfieldPooling" or "HopfieldLayer".

    Returns:
        A layer in the dtype and on the device of the weights. Pooling returns
        `(batch, queries, out)`, which hflayers flattens: `output.flatten(1)`.

    Raises:
        OptionError: an argument cannot be converted, or weights are missing, left over or of
            other shapes.
    """
    given = Arguments(arguments, kind)
    weights = _Weights(state_dict, "" if kind == "Hopfield" else "hopfield.")
    layer = _layer(given, weights)
    if weights.left:
        raise OptionError(
            "state_dict must hold only the weights of a layer with these arguments, "
            f"but also has {', '.join(sorted(weights.left)[:4])}. Check kind and arguments."
        )
    return layer


class _Weights:
    def __init__(self, state_dict: Mapping[str, Tensor], prefix: str) -> None:
        self.left, self.prefix = dict(state_dict), prefix

    def take(self, name: str, *shape: int | None, prefix: str | None = None) -> Tensor:
        """Remove and return weights of the association; None is any length."""
        name = (self.prefix if prefix is None else prefix) + name
        tensor = self.left.pop(name, None)
        sizes = None if tensor is None else tuple(tensor.shape)
        if tensor is not None and sizes == tuple(
            length if size is None else size
            for size, length in itertools.zip_longest(shape, tensor.shape)
        ):
            return tensor.detach()
        wanted = ", ".join(str(size or "…") for size in shape) + "," * (len(shape) == 1)
        raise OptionError(
            f"state_dict must hold {name!r} of shape ({wanted}) for these arguments, but "
            f"{'does not' if tensor is None else f'has shape {sizes}'}. "
            "Check kind and arguments: give all sizes that the layer was made with."
        )


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


def _checked_length(rows: Tensor, length: int, connected: bool) -> Tensor:
    least, reason = "at least ", "reads no more projected features than that"
    if connected:
        least, reason = "", "accepts no other length if projected patterns are connected"
    if rows.shape[-1] < length or (connected and rows.shape[-1] != length):
        raise ShapeError(
            f"static states must have {least}hidden_size={length} features, but have "
            f"shape {tuple(rows.shape)}: hflayers {reason}."
        )
    return rows


def _layer(given: Arguments, weights: _Weights) -> Layer:
    association = _association(given, weights)
    if given.kind == "Hopfield":
        return association

    def rows(name: str, source: str) -> Tensor:
        if source == PROJECTED and given["pattern_projection_size"] is None:
            source = STORED  # values are as long as memories
        length = given.sizes[source]
        if source != PROJECTED and given.static[source]:
            length = given["input_size"] if given.untouched else given.width
        return weights.take(name, 1, given["quantity"], length, prefix="")[0]

    if given.kind == "HopfieldPooling":
        pooling = HopfieldPooling(association, rows("pooling_weights", STATE))
        pooling.queries.requires_grad_(given["trainable"])
        return pooling
    memories, separated = rows("lookup_weights", STORED), given["lookup_weights_as_separated"]
    values = rows("target_weights", PROJECTED) if separated else False
    lookup = HopfieldLookup(association, memories, values)
    lookup.memories.requires_grad_(given["trainable"])
    if lookup.values is not None:
        lookup.values.requires_grad_(given["lookup_targets_as_trainable"])
    return lookup


def _association(given: Arguments, weights: _Weights) -> HopfieldAssociation:
    query, key, value = _projections(given, weights)
    out: nn.Module = nn.Identity()
    if not given["disable_out_projection"]:
        length = given["output_size"] or given["input_size"]
        bias = weights.take(f"{CORE}out_proj.bias", length) if given["input_bias"] else None
        matrix = weights.take(f"{CORE}out_proj.weight", length, given.widths[PROJECTED])
        out = _linear(matrix, bias)
    if name := given["association_activation"]:
        out = nn.Sequential(out, _Function(getattr(torch, name), name))
    norm = _norm(given, weights, SPACE, f"{CORE}p_norm_", given.width)
    if given["concat_bias_pattern"]:  # hflayers never reads them
        for letter in "kv":
            weights.take(f"{CORE}bias_{letter}", None, None, None)
    return HopfieldAssociation(
        given["input_size"],
        given.heads,
        Softmax(given.beta),
        Iteration(given.steps),
        Projections(query, key, value, out, norm, given["add_zero_association"]),
        given["dropout"],
    )


def _projections(given: Arguments, weights: _Weights) -> list[nn.Sequential]:
    """Return normalisation and matrix for states, stored and projected patterns."""
    matrices, biases = _matrices(given, weights), _biases(given, weights)
    chains: dict[str, list[nn.Module]] = {}
    for name in INPUTS:
        norm = _norm(given, weights, name, f"norm_{name}.", given.sizes[name])
        chain = chains[name] = [] if norm is None else [norm]
        if name == PROJECTED and given.connected and not given.static[STORED]:
            chain.append(chains[STORED][-1])
        if name in matrices:
            chain.append(_linear(matrices[name], biases.get(name)))
        elif given.repeated[name] and given.heads > 1:
            chain.append(_Function(partial(_repeat, heads=given.heads), "repeat for heads"))
    if given.fixes_length or (given.truncates and given.static_length is None):
        check = partial(_checked_length, length=given.width, connected=given.connected)
        chains[STATE].append(_Function(check, "check length"))
    return [nn.Sequential(*chain) for chain in chains.values()]


def _matrices(given: Arguments, weights: _Weights) -> dict[str, Tensor]:
    widths = {name: given.widths[name] for name in INPUTS if not given.static[name]}
    if not given.separate:
        return _split(weights, "in_proj_weight", widths, given["input_size"])
    lengths = dict(given.sizes)
    if given.connected and not given.static[STORED]:
        lengths[PROJECTED] = given.widths[STORED]
    return {
        name: weights.take(f"{CORE}{LETTERS[name]}_proj_weight", width, lengths[name])
        for name, width in widths.items()
    }


def _biases(given: Arguments, weights: _Weights) -> dict[str, Tensor]:
    if not given["input_bias"] or all(given.static.values()):
        return {}
    # hflayers has one for projected patterns even if it is not used.
    names = [name for name in INPUTS if not given.static[name] or name == PROJECTED]
    return _split(weights, "in_proj_bias", {name: given.widths[name] for name in names})


def _split(
    weights: _Weights, name: str, widths: Mapping[str, int], *shape: int
) -> dict[str, Tensor]:
    if not widths:
        return {}
    whole = weights.take(CORE + name, sum(widths.values()), *shape)
    return dict(zip(widths, whole.split(list(widths.values())), strict=True))


def _norm(
    given: Arguments, weights: _Weights, name: str, prefix: str, size: int | None
) -> nn.LayerNorm | None:
    if not given[f"normalize_{name}"]:
        return None
    parts = ("weight", "bias") if given[f"normalize_{name}_affine"] else ()
    affine = {part: weights.take(prefix + part, size) for part in parts}
    if name == SPACE and given.static[STATE] and given.static[STORED] and not affine:
        size = given.sizes[STATE]  # without weights, the length of the rows that are normalised
    length = len(affine["weight"]) if affine else size or 1
    layer = nn.LayerNorm(length, given[f"normalize_{name}_eps"], elementwise_affine=bool(affine))
    for part, tensor in affine.items():
        setattr(layer, part, nn.Parameter(tensor.clone()))
    return layer


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
