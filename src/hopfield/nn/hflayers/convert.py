"""From the weights of a layer of hflayers to a layer that computes the same."""

from collections.abc import Mapping
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
    whole batch, is not converted. The biases of `concat_bias_pattern` are left out, since
    hflayers never reads them.

    Args:
        state_dict: weights of the layer of hflayers.
        arguments: its constructor arguments; the others have the defaults of hflayers.
        kind: "Hopfield", "HopfieldPooling" or "HopfieldLayer".

    Returns:
        `HopfieldAssociation`, `HopfieldPooling` or `HopfieldLookup`, in the dtype and on the
        device of the weights. Pooling returns `(batch, queries, out)`; `output.flatten(1)` is the
        output of hflayers.

    Raises:
        OptionError: with the argument that cannot be converted and the reason; or with weights
            that are missing, left over or of other shapes.
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
        if (
            tensor is None
            or len(tensor.shape) != len(shape)
            or any(
                size not in (None, length) for length, size in zip(tensor.shape, shape, strict=True)
            )
        ):
            wanted = ", ".join(str(size or "…") for size in shape) + "," * (len(shape) == 1)
            found = "does not" if tensor is None else f"has shape {tuple(tensor.shape)}"
            raise OptionError(
                f"state_dict must hold {name!r} of shape ({wanted}) for these arguments, but "
                f"{found}. Check kind and arguments: give all sizes that the layer was made with."
            )
        return tensor.detach()


class _RepeatForHeads(nn.Module):
    """Every head reads the whole row of a static input."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, rows: Tensor) -> Tensor:
        return rows.repeat(*[1] * (rows.ndim - 1), self.heads)


class _CheckLength(nn.Module):
    """Static states pass unchanged if hflayers computes with their length."""

    def __init__(self, length: int, connected: bool) -> None:
        super().__init__()
        self.length, self.connected = length, connected

    def forward(self, rows: Tensor) -> Tensor:
        length, least = rows.shape[-1], "" if self.connected else "at least "
        if length < self.length or (self.connected and length != self.length):
            reason = "reads no more projected features than that"
            if self.connected:
                reason = "accepts no other length if projected patterns are connected"
            raise ShapeError(
                f"static states must have {least}hidden_size={self.length} features, but have "
                f"shape {tuple(rows.shape)}: hflayers {reason}."
            )
        return rows


class _Activation(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, rows: Tensor) -> Tensor:
        output: Tensor = getattr(torch, self.name)(rows)
        return output

    def extra_repr(self) -> str:
        return self.name


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
    if given["association_activation"]:
        out = nn.Sequential(out, _Activation(given["association_activation"]))
    if given["concat_bias_pattern"]:  # hflayers never reads them
        for letter in "kv":
            weights.take(f"{CORE}bias_{letter}", None, None, None)
    return HopfieldAssociation(
        given["input_size"],
        given.heads,
        Softmax(given.beta),
        Iteration(given.steps),
        Projections(query, key, value, out, _space(given, weights), given["add_zero_association"]),
        given["dropout"],
    )


def _projections(given: Arguments, weights: _Weights) -> list[nn.Sequential]:
    """Return normalisation and matrix for states, stored and projected patterns."""
    matrices, biases = _matrices(given, weights), _biases(given, weights)
    chains: dict[str, list[nn.Module]] = {}
    for name in INPUTS:
        norm = _norm(given, weights, name, f"norm_{name}.", given.sizes[name], given.sizes[name])
        chain = chains[name] = [] if norm is None else [norm]
        if name == PROJECTED and given.connected and not given.static[STORED]:
            chain.append(chains[STORED][-1])
        if name in matrices:
            chain.append(_linear(matrices[name], biases.get(name)))
        elif given.repeated[name] and given.heads > 1:
            chain.append(_RepeatForHeads(given.heads))
    if given.fixes_length or (given.truncates and given.static_length is None):
        chains[STATE].append(_CheckLength(given.width, given.connected))
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


def _space(given: Arguments, weights: _Weights) -> nn.Module | None:
    is_static = given.static[STATE] and given.static[STORED]
    size = given.sizes[STATE] if is_static else given.width
    return _norm(given, weights, SPACE, f"{CORE}p_norm_", given.width, size)


def _norm(
    given: Arguments,
    weights: _Weights,
    name: str,
    prefix: str,
    affine_size: int | None,
    size: int | None,
) -> nn.LayerNorm | None:
    if not given[f"normalize_{name}"]:
        return None
    parts = ("weight", "bias") if given[f"normalize_{name}_affine"] else ()
    affine = {part: weights.take(prefix + part, affine_size) for part in parts}
    size = len(affine["weight"]) if affine else size or 1
    layer = nn.LayerNorm(size, given[f"normalize_{name}_eps"], elementwise_affine=bool(affine))
    for part, tensor in affine.items():
        setattr(layer, part, nn.Parameter(tensor.clone()))
    return layer


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
