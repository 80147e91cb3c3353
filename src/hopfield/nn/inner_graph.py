"""Operations of torch that are differentiable once, made differentiable any number of times."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .blockwise import gradients_of


class InnerGraph(torch.autograd.Function):
    """A fast function, which an equal plain one replaces where gradients are differentiated.

    Both are functions of all further inputs, which are tensors or None.
    """

    @staticmethod
    def forward(
        ctx: Any, fast: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Tensor | None
    ) -> Tensor:
        """Return the result of `fast`, and keep its graph."""
        ctx.fast, ctx.plain, ctx.wanted = fast, plain, ctx.needs_input_grad[2:]
        ctx.save_for_backward(*inputs)
        ctx.inner = _inner_graph(fast, inputs, ctx.wanted)
        output: Tensor = ctx.inner[0]
        return output.detach()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the tensors that require one."""
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():
            output = ctx.plain(*inputs)
        else:
            # The first backward pass frees the inner graph; with retain_graph the next rebuilds it.
            output, inputs = ctx.inner or _inner_graph(ctx.fast, inputs, ctx.wanted)
            ctx.inner = None
        return None, None, *gradients_of(output, inputs, ctx.wanted, grad_outputs[0])


def _inner_graph(
    fast: Callable[..., Tensor], inputs: Sequence[Tensor | None], wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    """Return the result for detached copies, and the copies."""
    copies = [
        None if tensor is None else tensor.detach().requires_grad_(want)
        for tensor, want in zip(inputs, wanted, strict=True)
    ]
    with torch.enable_grad():
        return fast(*copies), copies
