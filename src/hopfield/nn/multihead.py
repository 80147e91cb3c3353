"""A layer that takes the place of `torch.nn.MultiheadAttention`."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from ..checks import check_float, check_integer, is_traced
from ..errors import InputTypeError, OptionError, ShapeError
from ..separation import NAMED, SEPARATIONS, Separation
from .compute import Operands, associate_with_weights
from .iteration import Iteration
from .masks import Mask, check_bool
from .parameters import reset_children
from .scaled_separation import SeparationModule
from .window import Window, WindowModule
from .windowed import (
    associate_causally,
    associate_in_window,
    check_window,
    with_whole_window,
)


class MultiheadHopfield(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` with several steps, another separation, or a β of its own.

    In each head q ← kᵀ∇F(βkq), `steps − 1` times; the output is vᵀ∇F(βkq). The arguments of the
    constructor and of a call, the results, the initial weights and the names in `state_dict` are
    those of torch, and the defaults compute what it computes. Where a mask hides all keys from a
    query, the heads return 0, not NaN.

    Args:
        embed_dim: length of a query, and of the output.
        num_heads: number of heads.
        dropout: share of the weights that are set to 0 in training.
        bias: True for biases of the projections.
        add_bias_kv: True to add a learned key and value.
        add_zero_attn: True to add a key and a value of zeros.
        kdim: length of a key; None is embed_dim.
        vdim: length of a value; None is embed_dim.
        batch_first: True for `(batch, rows, length)`, False for `(rows, batch, length)`.
        device: device of the weights.
        dtype: dtype of the weights.
        steps: number of softmaxes, or of the weights of another separation.
        separation: "softmax", "sparsemax", "entmax", "normmax" or "k_subsets", or a `Separation`
            with its own β.
        beta: β for a separation that is given by name: a number, or a tensor with one entry per
            head, which is learned if it requires grad. None is 1/√d.
        window: positions near its own that a query reads; None is all. A bias of the window that
            requires grad is learned.
        num_kv_heads: number of heads of keys and values, each for `num_heads / num_kv_heads` heads
            of queries; None is `num_heads`.
    """

    def __init__(  # noqa: PLR0913
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        steps: int = 1,
        separation: Separation | str = "softmax",
        beta: float | Tensor | None = None,
        window: Window | None = None,
        num_kv_heads: int | None = None,
    ) -> None:
        self.num_kv_heads = check_heads(embed_dim, num_heads, num_kv_heads)
        check_positions(window, add_bias_kv or add_zero_attn)
        chosen = with_beta(separation, beta)
        super().__init__(
            embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim,
            batch_first, device, dtype,
        )  # fmt: skip
        # Without it, torch's encoder layer computes softmax attention itself in evaluation.
        self._qkv_same_embed_dim = False
        self.iteration = Iteration(steps)
        self.separation = SeparationModule(chosen, num_heads).to(device=device, dtype=dtype)
        self.window = None if window is None else WindowModule(window).to(device, dtype)
        if self.num_kv_heads < num_heads:
            self._shrink_keys_and_values()

    def _shrink_keys_and_values(self) -> None:
        # torch's constructor makes as many heads of keys and values as of queries.
        width = self.num_kv_heads * self.head_dim
        for name, parameter in list(self.named_parameters(recurse=False)):
            shape = list(parameter.shape)
            if name != "q_proj_weight":
                axis = -1 if name in ("bias_k", "bias_v") else 0
                shape[axis] = width + (self.embed_dim + width) * name.startswith("in_proj")
            setattr(self, name, nn.Parameter(parameter.new_empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections again, as torch does, from its global generator.

        β, α and the bias of the window are as they were given.
        """
        reset_children(self)
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith("weight"):
                nn.init.xavier_uniform_(parameter)
            elif name == "in_proj_bias":
                nn.init.zeros_(parameter)
            else:
                nn.init.xavier_normal_(parameter)
        if self.out_proj.bias is not None:
            nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output and the weights, or None without `need_weights`.

        Args:
            query: `(batch, m, embed_dim)`, `(m, batch, embed_dim)` without `batch_first`, or
                `(m, embed_dim)`.
            key: `(batch, n, kdim)`, accordingly.
            value: `(batch, n, vdim)`, accordingly.
            key_padding_mask: `(batch, n)` or `(n,)`: True for keys that are ignored, or numbers
                that are added to the scores.
            need_weights: True returns the weights; all of them are then in memory.
            attn_mask: `(m, n)` or `(batch · heads, m, n)`: True where a query ignores a key, or
                numbers that are added to the scores.
            average_attn_weights: True returns the mean of the weights over the heads.
            is_causal: True, without attn_mask, hides the keys after each query; with attn_mask it
                changes nothing.
        """
        if query.is_nested:
            return self._forward_nested(query, key, value), None
        is_single, is_swapped = self._checked_axes(query, key, value), not self.batch_first
        if is_single:
            query, key, value = (rows.unsqueeze(0) for rows in (query, key, value))
        elif is_swapped:
            query, key, value = (rows.transpose(0, 1) for rows in (query, key, value))
        is_causal = is_causal and attn_mask is None
        has_whole_mask = need_weights or is_traced() or self.added_keys() > 0
        if is_causal and has_whole_mask and self.window is None:
            shape = query.shape[1], key.shape[1]
            attn_mask = torch.ones(shape, dtype=torch.bool, device=query.device).triu(1)
            is_causal = False
        mask = self._mask(key_padding_mask, attn_mask, query, key)
        output, weights = self._attend(query, key, value, mask, need_weights, is_causal)
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if is_single:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return output.transpose(0, 1) if is_swapped else output, weights

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask | None,
        need_weights: bool,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return output and weights of rows with the batch first, for any mask of the scores."""
        q, k, v = self._project(query, key, value)
        operands = Operands(self.separation(), q, k, v, mask, self.iteration)
        output, weights = self._read(operands, need_weights, is_causal)
        return self.out_proj(output.transpose(1, 2).flatten(2)), weights

    def added_keys(self) -> int:
        """Return the number of keys that the layer adds."""
        return int(self.bias_k is not None) + int(self.add_zero_attn)

    def _read(
        self, operands: Operands, need_weights: bool, is_causal: bool
    ) -> tuple[Tensor, Tensor | None]:
        dropout = self.dropout if self.training else 0.0
        if 0 in (*operands.state.shape, *operands.stored.shape):  # no batch, query or key
            weights = operands.state @ operands.stored.mT
            return weights @ operands.projected, weights if need_weights else None
        if self.window is None and is_causal:
            return associate_causally(operands, dropout), None
        window = None if self.window is None else check_window(self.window(), operands)
        if window is not None and is_causal:
            window = replace(window, causal=True)
        if need_weights:
            return associate_with_weights(with_whole_window(operands, window), dropout)
        return associate_in_window(operands, window, dropout), None

    def _checked_axes(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """Check the inputs, and return True where they have no axis of the batch."""
        widths = {"query": self.embed_dim, "key": self.kdim, "value": self.vdim}
        for (name, width), rows in zip(widths.items(), (query, key, value), strict=True):
            if check_float(name, rows).ndim != query.ndim or rows.ndim not in (2, 3):
                raise ShapeError(
                    f"query, key and value must all have 2 or all 3 axes, but {name} has shape "
                    f"{tuple(rows.shape)} and query {tuple(query.shape)}."
                )
            if rows.shape[-1] != width:
                raise ShapeError(f"{name} must end in {width}, but has shape {tuple(rows.shape)}.")
        if key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(
                f"key and value must have the same rows, but have shapes {tuple(key.shape)} and "
                f"{tuple(value.shape)}."
            )
        return query.ndim == 2

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Return queries, keys and values, `(batch, heads, rows, width)`."""
        width = self.num_kv_heads * self.head_dim
        widths = [self.embed_dim, width, width]
        if self.in_proj_weight is not None:
            matrices = self.in_proj_weight.split(widths)
        else:
            matrices = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.split(widths)
        if self.in_proj_weight is not None and query is key and key is value:
            packed = linear(query, self.in_proj_weight, self.in_proj_bias)
            parts = list(packed.split(widths, -1))
        else:
            given = zip((query, key, value), matrices, biases, strict=True)
            parts = [linear(rows, matrix, bias) for rows, matrix, bias in given]
        for i, extra in ((1, self.bias_k), (2, self.bias_v)):
            if extra is not None:
                rows = extra.to(parts[i].dtype).expand(len(parts[i]), 1, -1)
                parts[i] = torch.cat([parts[i], rows], 1)
        heads = [part.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for part in parts]
        if self.num_kv_heads < self.num_heads:
            groups = self.num_heads // self.num_kv_heads
            heads[1:] = (rows.repeat_interleave(groups, 1) for rows in heads[1:])
        if self.add_zero_attn:
            heads[1:] = (pad(rows, (0, 0, 0, 1)) for rows in heads[1:])
        return heads

    def _mask(
        self, padding: Tensor | None, pairs: Tensor | None, query: Tensor, key: Tensor
    ) -> Mask | None:
        """Combine both masks for scores `(batch, heads, m, n)`, with the keys that are added."""
        (batch, m), n = query.shape[:2], key.shape[1]
        ignored, bias = None, None
        if padding is not None:
            rows = (n,) if padding.ndim == 1 else (batch, n)
            hides, adds = split_mask("key_padding_mask", padding, rows)
            ignored, bias = (None if t is None else t.reshape(-1, 1, 1, n) for t in (hides, adds))
        if pairs is not None:
            shape = (m, n) if pairs.ndim == 2 else (batch * self.num_heads, m, n)
            hides, adds = split_mask("attn_mask", pairs, shape)
            axes = (1, 1) if pairs.ndim == 2 else (batch, self.num_heads)
            hides = hides.reshape(*axes, m, n)
            ignored = hides if ignored is None else ignored | hides
            if adds is not None:
                adds = adds.reshape(*axes, m, n)
                bias = adds if bias is None else bias + adds
        extra = self.added_keys()
        if ignored is not None and extra:
            ignored = pad(ignored, (0, extra))
            bias = None if bias is None else pad(bias, (0, extra))
        return None if ignored is None else Mask.ignoring(ignored, bias)

    def _forward_nested(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        # torch's encoder passes a nested tensor in evaluation, for a batch with padding.
        if query is not key or key is not value:
            raise OptionError("nested tensors must be query, key and value at once.")
        lengths = [len(rows) for rows in query.unbind()]
        rows = query.to_padded_tensor(0.0)
        padding = torch.arange(rows.shape[1]) >= torch.tensor(lengths)[:, None]
        mask = self._mask(padding.to(rows.device), None, rows, rows)
        output, _ = self._attend(rows, rows, rows, mask, need_weights=False)
        pairs = zip(output, lengths, strict=True)
        return torch.nested.as_nested_tensor([row[:length] for row, length in pairs])


def check_heads(embed_dim: int, num_heads: int, num_kv_heads: int | None) -> int:
    """Return the number of heads of keys and values, if it divides the others."""
    check_integer("embed_dim", embed_dim, low=1)
    if embed_dim % check_integer("num_heads", num_heads, low=1):
        raise ShapeError(f"embed_dim={embed_dim} must be a multiple of num_heads={num_heads}.")
    if num_kv_heads is None:
        return num_heads
    if num_heads % check_integer("num_kv_heads", num_kv_heads, low=1):
        raise ShapeError(
            f"num_heads={num_heads} must be a multiple of num_kv_heads={num_kv_heads}."
        )
    return num_kv_heads


def check_positions(window: Window | None, has_added_keys: bool) -> None:
    """Raise for a window in attention with added keys."""
    if window is not None and has_added_keys:
        raise OptionError(
            "window excludes add_bias_kv and add_zero_attn: added keys have no position."
        )


def split_mask(name: str, mask: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor | None]:
    """Return the bools of a mask of torch's attention, and the numbers of one that is added."""
    adds = mask if mask.is_floating_point() else None
    ignored = check_bool(name, mask) if adds is None else mask == -torch.inf
    if mask.shape != shape:
        raise ShapeError(f"{name} must have shape {shape}, but has shape {tuple(mask.shape)}.")
    return ignored, adds


def with_beta(separation: Separation | str, beta: float | Tensor | None) -> Separation | str:
    """Return a separation that is given by name with its β."""
    if beta is None:
        return separation
    if not isinstance(separation, str) or separation not in NAMED:
        raise OptionError(
            "beta is for a separation that is given by name. Give the β of an object to it, for "
            "instance hopfield.Entmax(1.5, beta=0.5)."
        )
    return SEPARATIONS[separation](beta=beta)


def from_multihead_attention(
    module: nn.MultiheadAttention,
    *,
    steps: int | None = None,
    separation: Separation | str | None = None,
    beta: float | Tensor | None = None,
    window: Window | None = None,
) -> MultiheadHopfield:
    """Return a `MultiheadHopfield` with the weights of torch's attention.

    Args:
        module: the attention whose weights are copied. A `MultiheadHopfield` is copied with its
            options, as far as they are not given here.
        steps: number of softmaxes, or of the weights of another separation; None is 1.
        separation: as in `MultiheadHopfield`; None is "softmax".
        beta: as in `MultiheadHopfield`.
        window: as in `MultiheadHopfield`.
    """
    if isinstance(module, MultiheadHopfield):
        return _copy_with(module, steps, separation, beta, window)
    if not isinstance(module, nn.MultiheadAttention):
        raise InputTypeError(
            f"module must be a torch.nn.MultiheadAttention, but is {type(module).__name__}."
        )
    layer = MultiheadHopfield(
        module.embed_dim, module.num_heads, module.dropout, module.in_proj_bias is not None,
        module.bias_k is not None, module.add_zero_attn, module.kdim, module.vdim,
        module.batch_first, "meta", module.out_proj.weight.dtype,
        steps=1 if steps is None else steps, separation=separation or "softmax", beta=beta,
        window=window,
    )  # fmt: skip
    device = module.out_proj.weight.device
    layer.separation.to_empty(device=device)
    reset_children(layer.separation)
    if layer.window is not None:
        layer.window.to_empty(device=device).reset_parameters()
    weights = {name: weight.clone() for name, weight in module.state_dict().items()}
    layer.load_state_dict(weights, strict=False, assign=True)
    frozen = {name for name, one in module.named_parameters() if not one.requires_grad}
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(name not in frozen)
    return layer.train(module.training)


def _copy_with(
    module: MultiheadHopfield,
    steps: int | None,
    separation: Separation | str | None,
    beta: float | Tensor | None,
    window: Window | None,
) -> MultiheadHopfield:
    if beta is not None and separation is None:
        raise OptionError("beta for a copy of a MultiheadHopfield needs separation=, by name.")
    layer = copy.deepcopy(module)
    if steps is not None:
        layer.iteration = Iteration(steps)
    if separation is not None:
        part = SeparationModule(with_beta(separation, beta), layer.num_heads)
        layer.separation = part.to(layer.out_proj.weight)
    if window is not None:
        check_positions(window, layer.added_keys() > 0)
        layer.window = WindowModule(window).to(layer.out_proj.weight)
    return layer
