"""From the weights of a layer of hflayers to a layer that computes the same."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import OptionError, ShapeError
from ...separation import Softmax
from ..association import HopfieldAssociation, Projections
from ..iteration import Iteration
from ..learned import HopfieldLookup, HopfieldPooling
from .arguments import INPUTS, PROJECTED, SPACE, STATE, STORED, Arguments

CORE = "association_core."
SHORT = {STATE: "q", STORED: "k", PROJECTED: "v"}

Layer = HopfieldAssociation | HopfieldPooling | HopfieldLookup


def from_hflayers(
    state_dict: Mapping[str, Tensor], arguments: Mapping[str, Any], kind: str = "Hopfield"
) -> Layer:
    """The layer that computes what a layer of hflayers computes.

    It makes all `update_steps_max + 1` softmaxes. `update_steps_eps`, by which hflayers stops a
    whole batch, is not taken over: outputs are equal where that does not stop it early. Biases of
    `concat_bias_pattern` are left out, since hflayers makes them but never reads them.

    Args:
        state_dict: of the layer of hflayers.
        arguments: what its constructor was given; hflayers' defaults hold for the rest.
        kind: "Hopfield", "HopfieldPooling" or "HopfieldLayer".

    Returns:
        `HopfieldAssociation`, `HopfieldPooling` or `HopfieldLookup`, to be called as they are, in
        the dtype and on the device of the weights. Pooling keeps its queries apart, which
        hflayers puts side by side: `output.flatten(1)`.

    Raises:
        OptionError: naming an argument that cannot be taken over, and why; or weights that are
            missing, left over or of other shapes.
    """
    meant = Arguments(arguments, kind)
    weights = _Weights(state_dict, "" if kind == "Hopfield" else "hopfield.")
    layer = _layer(meant, weights)
    weights.check_empty()
    return layer


class _Weights:
    """The weights of a state_dict, each taken once."""

    def __init__(self, given: Mapping[str, Tensor], prefix: str) -> None:
        """`prefix` is where the association lies."""
        self.left, self.prefix = dict(given), prefix

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Those of the association; None is any length."""
        return self.take_own(self.prefix + name, *shape)

    def take_own(self, name: str, *shape: int | None) -> Tensor:
        """Those of the whole layer."""
        if name not in self.left:
            raise OptionError(
                f"state_dict must hold {name!r} for these arguments, but does not. "
                "Check kind and arguments."
            )
        found = self.left.pop(name).detach()
        pairs = zip(found.shape, shape, strict=False)
        if found.ndim != len(shape) or any(s not in (None, length) for length, s in pairs):
            wanted = ", ".join(str(s or "…") for s in shape) + "," * (len(shape) == 1)
            raise OptionError(
                f"{name!r} must have shape ({wanted}) for these "
                f"arguments, but has shape {tuple(found.shape)}. Give all sizes the layer was "
                "made with."
            )
        return found

    def take_rows(self, name: str, count: int, length: int | None) -> Tensor:
        """Learned patterns, without the axis of the batch."""
        return self.take_own(name, 1, count, length)[0]

    def check_empty(self) -> None:
        """Refuse weights that nothing asked for."""
        if self.left:
            raise OptionError(
                "state_dict must hold nothing but the weights of a layer with these arguments, "
                f"but also has {', '.join(sorted(self.left)[:4])}. Check kind and arguments."
            )


class RepeatForHeads(nn.Module):
    """Every head gets the whole row, as hflayers gives static patterns to its heads.

    Args:
        heads: how many.
    """

    def __init__(self, heads: int) -> None:
        """Remember how many."""
        super().__init__()
        self.heads = heads

    def forward(self, rows: Tensor) -> Tensor:
        """`(*batch, width)` → `(*batch, heads·width)`."""
        return rows.repeat(*[1] * (rows.ndim - 1), self.heads)


class AsLongAs(nn.Module):
    """Static states as they are, which hflayers lets cut what is projected if they are shorter.

    Args:
        length: of what is projected.
    """

    def __init__(self, length: int) -> None:
        """Remember how long."""
        super().__init__()
        self.length = length

    def forward(self, rows: Tensor) -> Tensor:
        """The rows, if nothing would be cut."""
        if rows.shape[-1] < self.length:
            raise ShapeError(
                f"static states must have at least hidden_size={self.length} features, but have "
                f"shape {tuple(rows.shape)}: hflayers reads no more projected features than that. "
                "Give longer rows."
            )
        return rows


class ExactlyAsLongAs(nn.Module):
    """Static states as they are, beside connected patterns, where hflayers takes one length.

    Args:
        length: that one.
    """

    def __init__(self, length: int) -> None:
        """Remember how long."""
        super().__init__()
        self.length = length

    def forward(self, rows: Tensor) -> Tensor:
        """The rows, if hflayers takes them."""
        if rows.shape[-1] != self.length:
            raise ShapeError(
                f"static states must have hidden_size={self.length} features where projected "
                f"patterns are connected, but have shape {tuple(rows.shape)}: hflayers takes no "
                "others. Give such rows."
            )
        return rows


class Activation(nn.Module):
    """A function of torch, of every entry.

    Args:
        name: which.
    """

    def __init__(self, name: str) -> None:
        """Remember which."""
        super().__init__()
        self.name = name

    def forward(self, rows: Tensor) -> Tensor:
        """The function of the rows."""
        found: Tensor = getattr(torch, self.name)(rows)
        return found

    def extra_repr(self) -> str:
        """Which."""
        return self.name


def _layer(meant: Arguments, weights: _Weights) -> Layer:
    association = _association(meant, weights)
    if meant.kind == "Hopfield":
        return association

    def sizes(name: str) -> tuple[int, int | None]:
        """How many rows are learned, and how long they are."""
        if name == PROJECTED and meant["pattern_projection_size"] is None:
            name = STORED  # values are as long as memories
        if meant.untouched and name != PROJECTED:
            return meant["quantity"], meant["input_size"]
        static = meant.static(name) and name != PROJECTED
        return meant["quantity"], meant.width if static else meant.size(name)

    if meant.kind == "HopfieldPooling":
        pooling = HopfieldPooling(association, weights.take_rows("pooling_weights", *sizes(STATE)))
        pooling.queries.requires_grad_(meant["trainable"])
        return pooling
    memories, values = weights.take_rows("lookup_weights", *sizes(STORED)), None
    if meant["lookup_weights_as_separated"]:
        values = weights.take_rows("target_weights", *sizes(PROJECTED))
    lookup = HopfieldLookup(association, memories, False if values is None else values)
    lookup.memories.requires_grad_(meant["trainable"])
    if lookup.values is not None:
        lookup.values.requires_grad_(meant["lookup_targets_as_trainable"])
    return lookup


def _association(meant: Arguments, weights: _Weights) -> HopfieldAssociation:
    query, key, value = _projections(meant, weights)
    out: nn.Module = nn.Identity()
    long = meant["output_size"] or meant["input_size"]
    if not meant["disable_out_projection"]:
        bias = weights.take(f"{CORE}out_proj.bias", long) if meant["input_bias"] else None
        matrix = weights.take(f"{CORE}out_proj.weight", long, meant.wide(PROJECTED))
        out = _linear(matrix, bias)
    if meant["association_activation"]:
        out = nn.Sequential(out, Activation(meant["association_activation"]))
    if meant["concat_bias_pattern"]:  # hflayers never reads them
        for letter in "kv":
            weights.take(f"{CORE}bias_{letter}", None, None, None)
    return HopfieldAssociation(
        meant["input_size"],
        meant.heads,
        Softmax(meant.beta),
        Iteration(int(meant.one("update_steps_max")) + 1),
        Projections(query, key, value, out, _space(meant, weights), meant["add_zero_association"]),
        meant["dropout"],
    )


def _projections(
    meant: Arguments, weights: _Weights
) -> tuple[nn.Sequential, nn.Sequential, nn.Sequential]:
    """Of states, stored and projected patterns: normalisation, then matrix."""
    matrices, biases = _matrices(meant, weights), _biases(meant, weights)
    chains = {name: _norm(meant, weights, name) for name in INPUTS}
    for name, chain in chains.items():
        if name == PROJECTED and meant.connected and not meant.static(STORED):
            chain.append(chains[STORED][-1])
        if name in matrices:
            chain.append(_linear(matrices[name], biases.get(name)))
        elif meant.repeated(name) and meant.heads > 1:
            chain.append(RepeatForHeads(meant.heads))
    if meant.cuts and not meant.normalised:
        chains[STATE].append(AsLongAs(meant.width))
    if meant.whole:
        chains[STATE].append(ExactlyAsLongAs(meant.width))
    query, key, value = (nn.Sequential(*chains[name]) for name in INPUTS)
    return query, key, value


def _matrices(meant: Arguments, weights: _Weights) -> dict[str, Tensor]:
    """Of what is projected."""
    names = [name for name in INPUTS if not meant.static(name)]
    if meant.separate:
        through = meant.connected and not meant.static(STORED)
        long = {name: meant.size(name) for name in names}
        if through:
            long[PROJECTED] = meant.wide(STORED)
        return {
            name: weights.take(f"{CORE}{SHORT[name]}_proj_weight", meant.wide(name), long[name])
            for name in names
        }
    if not names:
        return {}
    tall = [meant.wide(name) for name in names]
    whole = weights.take(f"{CORE}in_proj_weight", sum(tall), meant["input_size"])
    return dict(zip(names, whole.split(tall), strict=True))


def _biases(meant: Arguments, weights: _Weights) -> dict[str, Tensor]:
    """Of what is projected; hflayers keeps one for projected patterns even where it is not used."""
    names = [name for name in (STATE, STORED) if not meant.static(name)]
    if not meant["input_bias"] or (not names and meant.static(PROJECTED)):
        return {}
    tall = [meant.wide(name) for name in (*names, PROJECTED)]
    whole = weights.take(f"{CORE}in_proj_bias", sum(tall))
    return dict(zip([*names, PROJECTED], whole.split(tall), strict=True))


def _norm(meant: Arguments, weights: _Weights, name: str) -> list[nn.Module]:
    """The normalisation of what is given, if any."""
    if not meant[f"normalize_{name}"]:
        return []
    module = f"norm_{name}"
    affine = meant[f"normalize_{name}_affine"]
    size = meant.size(name)
    own = [weights.take(f"{module}.{part}", size) for part in ("weight", "bias") if affine]
    return [_layer_norm(size, meant[f"normalize_{name}_eps"], own)]


def _space(meant: Arguments, weights: _Weights) -> nn.Module | None:
    """The normalisation of queries and keys in the space of association, if any."""
    if not meant[f"normalize_{SPACE}"]:
        return None
    affine = meant[f"normalize_{SPACE}_affine"]
    parts = ("weight", "bias") if affine else ()
    own = [weights.take(f"{CORE}p_norm_{part}", meant.width) for part in parts]
    size = meant.size(STATE) if meant.static(STATE) and meant.static(STORED) else meant.width
    return _layer_norm(size, meant[f"normalize_{SPACE}_eps"], own)


def _layer_norm(size: int | None, eps: float, own: list[Tensor]) -> nn.LayerNorm:
    layer = nn.LayerNorm(len(own[0]) if own else size or 1, eps, elementwise_affine=bool(own))
    for name, tensor in zip(("weight", "bias"), own, strict=False):
        setattr(layer, name, nn.Parameter(tensor.clone()))
    return layer


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
