"""Layers that take the place of `torch.nn.TransformerEncoderLayer` and `…DecoderLayer`."""

from typing import Any

from torch import Tensor, nn

from ..checks import check_integer
from ..separation import Separation
from .multihead import from_multihead_attention
from .parameters import reset_children
from .window import Window


class HopfieldEncoderLayer(nn.TransformerEncoderLayer):
    """torch's encoder layer, whose self-attention is a `MultiheadHopfield`.

    `torch.nn.TransformerEncoder(layer, n, enable_nested_tensor=False)` stacks it.

    Args:
        d_model: length of a row.
        nhead: number of heads.
        *arguments: further ones of `torch.nn.TransformerEncoderLayer`.
        steps: number of softmaxes of the attention.
        separation: as in `MultiheadHopfield`.
        beta: as in `MultiheadHopfield`.
        window: as in `MultiheadHopfield`.
        **options: those of `torch.nn.TransformerEncoderLayer`.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        *arguments: Any,
        steps: int = 1,
        separation: Separation | str = "softmax",
        beta: float | Tensor | None = None,
        window: Window | None = None,
        **options: Any,
    ) -> None:
        check_integer("d_model", d_model, low=1)
        check_integer("nhead", nhead, low=1)
        super().__init__(d_model, nhead, *arguments, **options)
        self.self_attn = from_multihead_attention(
            self.self_attn, steps=steps, separation=separation, beta=beta, window=window
        )

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator; β and α as they were given."""
        reset_children(self)


class HopfieldDecoderLayer(nn.TransformerDecoderLayer):
    """torch's decoder layer, whose two attentions are `MultiheadHopfield`s.

    Args:
        d_model: length of a row.
        nhead: number of heads.
        *arguments: further ones of `torch.nn.TransformerDecoderLayer`.
        steps: number of softmaxes of each attention.
        separation: as in `MultiheadHopfield`.
        beta: as in `MultiheadHopfield`; a tensor that requires grad is learned by each apart.
        window: as in `MultiheadHopfield`, for self-attention.
        **options: those of `torch.nn.TransformerDecoderLayer`.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        *arguments: Any,
        steps: int = 1,
        separation: Separation | str = "softmax",
        beta: float | Tensor | None = None,
        window: Window | None = None,
        **options: Any,
    ) -> None:
        check_integer("d_model", d_model, low=1)
        check_integer("nhead", nhead, low=1)
        super().__init__(d_model, nhead, *arguments, **options)
        for name, own in (("self_attn", window), ("multihead_attn", None)):
            attention = from_multihead_attention(
                getattr(self, name), steps=steps, separation=separation, beta=beta, window=own
            )
            setattr(self, name, attention)

    def reset_parameters(self) -> None:
        """Draw all weights again, from torch's global generator; β and α as they were given."""
        reset_children(self)
