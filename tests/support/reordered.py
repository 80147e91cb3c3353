"""Compute as another processor would: sums in another order, elementary functions one bit off.

A test that passes with and without it asks for no more than rounding allows. Results that are
exact in every order (sums of whole numbers, exp(0) = 1) stay exact, and a repeated call gives the
same bits.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


def _alternate(one: Tensor, other: Tensor) -> Tensor:
    """Take entries of both in turn, differently for each shape, as tiles of a product would."""
    if one.shape != other.shape or not one.numel():
        return one
    rows, columns = one.shape[-2:] if one.dim() > 1 else (1, max(one.numel(), 1))
    turn = torch.arange(one.numel()).reshape(one.shape)
    turn = turn // columns + turn % columns // 4 + rows + one.dim()
    return torch.where((turn % 2).bool(), other, one)


def _one_bit_off(result: Tensor) -> Tensor:
    """Move every other entry to the next smaller number in size, whole numbers and inf excepted."""
    if not result.is_floating_point():
        return result
    odd = torch.arange(result.numel()).reshape(result.shape) % 2 == result.numel() % 2
    moved = torch.nextafter(result, torch.zeros_like(result))
    return torch.where(odd & result.isfinite() & (result != result.round()), moved, result)


def _product(function, *given: Tensor, **options) -> Tensor:
    *bias, left, right = given
    inner = (-1,) if left.dim() == 1 else (left.dim() - 1,)
    flipped = left.flip(inner), right.flip((max(right.dim() - 2, 0),))
    return _alternate(function(*given, **options), function(*bias, *flipped, **options))


def _sum(function, x: Tensor, dims=None, *rest, **options) -> Tensor:
    dims = list(range(x.dim())) if not dims else dims
    given = (x, dims, *rest)
    return _alternate(function(*given, **options), function(x.flip(dims), *given[1:], **options))


def _whole_sum(function, x: Tensor, **options) -> Tensor:
    return function(x.flip(tuple(range(x.dim()))), **options)


def _norm(function, x: Tensor, order=2, dims=None, *rest, **options) -> Tensor:
    along = list(range(x.dim())) if dims is None else dims
    other = function(x.flip(along), order, dims, *rest, **options)
    return _alternate(function(x, order, dims, *rest, **options), other)


def _attention(function, query, key, value, *rest, attn_mask=None, **options):
    mask = None if attn_mask is None else attn_mask.flip((-1,))
    one = function(query, key, value, *rest, attn_mask=attn_mask, **options)
    other = function(query, key.flip((-2,)), value.flip((-2,)), *rest, attn_mask=mask, **options)
    return _alternate(one[0], other[0]), one[1]


def _distances(function, one: Tensor, other: Tensor, *rest) -> Tensor:
    plain = function(one, other, *rest)
    return _alternate(plain, function(one.flip((-1,)), other.flip((-1,)), *rest))


def _rounded(function, *given, **options) -> Tensor:
    return _one_bit_off(function(*given, **options))


WAYS: dict[object, Callable] = {
    **dict.fromkeys(
        (aten.mm, aten.bmm, aten.mv, aten.dot, aten.addmm, aten.addmv, aten.baddbmm), _product
    ),
    aten.sum.dim_IntList: _sum,
    aten.mean.dim: _sum,
    aten.sum.default: _whole_sum,
    aten.linalg_vector_norm: _norm,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    **dict.fromkeys(
        (
            aten.exp,
            aten.expm1,
            aten.log,
            aten.log1p,
            aten.logsumexp,
            aten._softmax,
            aten._log_softmax,
        ),
        _rounded,
    ),
    aten._cdist_forward: _distances,
}
IN_PLACE = {
    aten.exp_: aten.exp,
    aten.expm1_: aten.expm1,
    aten.log_: aten.log,
    aten.log1p_: aten.log1p,
    aten.addmm_: aten.addmm,
    aten.addmv_: aten.addmv,
    aten.baddbmm_: aten.baddbmm,
}


class Reordered(TorchDispatchMode):
    """While it is on, torch rounds as another processor might."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Compute both ways and mix them."""
        kwargs = kwargs or {}
        packet = function.overloadpacket
        writes = kwargs.pop("out", None)
        if packet in IN_PLACE:
            writes, packet = args[0], IN_PLACE[packet]
            function = packet.default
        way = WAYS.get(function) or WAYS.get(packet)
        if way is None or not all(x.device.type == "cpu" for x in args if torch.is_tensor(x)):
            return (
                function(*args, **kwargs)
                if writes is None
                else function(*args, **kwargs, out=writes)
            )
        if writes is None:
            return way(function, *args, **kwargs)
        plain = getattr(packet, "default", None) or function
        if function is aten.sum.IntList_out:
            plain, way = aten.sum.dim_IntList, _sum
        result = way(plain, *args, **kwargs)
        return (
            writes.resize_(result.shape).copy_(result)
            if writes.numel() == 0
            else writes.copy_(result)
        )
