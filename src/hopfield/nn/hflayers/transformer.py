"""Encoder and decoder layers of hflayers, as layers with the calls of torch's transformers."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_choice, check_integer, check_number, short_repr
from ...errors import InputTypeError
from ..association import HopfieldAssociation
from ..transformer import HopfieldDecoderLayer, HopfieldEncoderLayer
from .arguments import ACTIVATIONS
from .weights import Weights

TransformerLayer = HopfieldEncoderLayer | HopfieldDecoderLayer

OPTIONS = {"dim_feedforward": 2048, "dropout": 0.1, "activation": "relu"}
"""Constructor arguments other than the associations, with the defaults of hflayers."""

NAMES: dict[str, dict[str, str]] = {
    "HopfieldEncoderLayer": {
        "hopfield_association": "self_attn",
        "linear_residual": "linear1",
        "linear_output": "linear2",
        "norm_residual": "norm1",
        "norm_output": "norm2",
    },
    "HopfieldDecoderLayer": {
        "hopfield_association_self": "self_attn",
        "hopfield_association_cross": "multihead_attn",
        "linear_residual": "linear1",
        "linear_output": "linear2",
        "norm_residual_self": "norm1",
        "norm_residual_cross": "norm2",
        "norm_output": "norm3",
    },
}
"""Names of the modules in hflayers, and in torch."""


class AssociationAttention(nn.Module):
    """An association with the call of `torch.nn.MultiheadAttention`; it returns no weights."""

    # What torch's encoders read before they go round `forward`: with these they do not.
    batch_first, _qkv_same_embed_dim, in_proj_bias = True, False, None

    def __init__(self, association: HopfieldAssociation) -> None:
        super().__init__()
        self.association = association
        self.num_heads = association.heads

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """Return the output for masks of torch; `need_weights` and `is_causal` change nothing."""
        padding, pairs = key_padding_mask, attn_mask
        if pairs is not None and pairs.ndim == 3:  # one mask per entry of the batch and head
            pairs = pairs.unflatten(0, (-1, self.num_heads))
        if padding is not None and padding.is_floating_point():
            added = padding[:, None, None, :]
            if pairs is not None and not pairs.is_floating_point():
                pairs = torch.zeros_like(pairs, dtype=added.dtype).masked_fill(pairs, -torch.inf)
            pairs, padding = added if pairs is None else added + pairs, None
        output = self.association(query, key, value, padding_mask=padding, association_mask=pairs)
        return output, None


def make_transformer_layer(
    state_dict: Mapping[str, Tensor],
    arguments: Mapping[str, Any],
    kind: str,
    convert: Callable[..., Any],
) -> TransformerLayer:
    """Return the layer of torch that computes the same as an encoder or decoder of hflayers.

    Args:
        state_dict: weights of the layer of hflayers.
        arguments: its constructor arguments; for an association, the arguments of that.
        kind: "HopfieldEncoderLayer" or "HopfieldDecoderLayer".
        convert: `from_hflayers`, which converts the associations.
    """
    names = NAMES[kind]
    associations = {name: new for name, new in names.items() if name.startswith("hopfield")}
    for name in arguments:
        check_choice(f"an argument of {kind}", name, [*associations, *OPTIONS])
    for name in associations:
        if not isinstance(arguments.get(name), Mapping):
            raise InputTypeError(
                f"arguments of {kind} must hold the arguments of its {name} as a dict, but that "
                f"is {short_repr(arguments.get(name))}."
            )
    layer = _empty_layer(kind, arguments, arguments[next(iter(associations))].get("input_size"))
    for name, new in associations.items():
        start = f"{name}."
        own = {n.removeprefix(start): w for n, w in state_dict.items() if n.startswith(start)}
        setattr(layer, new, AssociationAttention(convert(own, arguments[name])))
    others = {n: w for n, w in state_dict.items() if not n.startswith("hopfield")}
    _load(layer, others, {old: new for old, new in names.items() if old not in associations})
    return layer


def _empty_layer(kind: str, arguments: Mapping[str, Any], size: object) -> TransformerLayer:
    options = {**OPTIONS, **arguments}
    activation = check_choice("activation", options["activation"], ACTIVATIONS)
    cls = HopfieldEncoderLayer if kind == "HopfieldEncoderLayer" else HopfieldDecoderLayer
    return cls(
        check_integer("input_size", size, low=1),
        1,
        check_integer("dim_feedforward", options["dim_feedforward"], low=1),
        check_number("dropout", options["dropout"], low=0.0, high=1.0),
        getattr(torch, activation),
        batch_first=True,
        device="meta",
    )


def _load(layer: nn.Module, state_dict: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
    weights = Weights(state_dict, "")
    for old, new in names.items():
        module = layer.get_submodule(new)
        for part, placeholder in list(module.named_parameters()):
            tensor = weights.take(f"{old}.{part}", *placeholder.shape)
            setattr(module, part, nn.Parameter(tensor.clone()))
    weights.refuse_unused()
