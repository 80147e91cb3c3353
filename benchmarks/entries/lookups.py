"""Lookups of very many memories, forward and backward: product keys, and all keys."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from hopfield import Softmax
from hopfield.nn import HopfieldAssociation, HopfieldLookup, ProductKeyLookup, Projections

from ..harness import Case, Contender, Entry, Target
from .layers import forward_backward, joined

SPREAD = 40.0
"""Standard deviation of the scores: memories beyond the k best have weights below rounding.

So rounding does not decide which memories count, and a softmax over all has the same answer.
"""
TOLERANCE = 1e-3
"""Scores near 200 are rounded by 2e-5, and gradients are as large as 13."""
BLOCK = 2**25
"""Sums per block of the reference."""


def make_layer(size: dict[str, int], sparse: bool) -> ProductKeyLookup:
    """Return a lookup with softmax at β = 1, whose scores have a deviation of SPREAD."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = ProductKeyLookup(
            size["dim"], size["memories"], size["heads"], size["k"], Softmax(1.0), sparse
        )
    width = size["dim"] // size["heads"]
    with torch.no_grad():
        layer.query.weight.mul_(SPREAD / (width / 3) ** 0.5)
        layer.query.bias.zero_()
    return layer


def rows(size: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Return the states, and the gradient of a loss by the output."""
    generator = torch.Generator().manual_seed(0)
    shape = 1, size["states"], size["dim"]
    given, above = (torch.randn(shape, generator=generator) for _ in range(2))
    return given, above


def exact(layer: ProductKeyLookup, size: dict[str, int]) -> Tensor:
    """Return output and gradient in float64, from the k best of all n sums of half scores."""
    given, above = (tensor.double() for tensor in rows(size))
    leaf = given.requires_grad_()
    query = (leaf[0] @ layer.query.weight.double().T).unflatten(-1, (layer.heads, 2, -1))
    scores = torch.einsum("rhpd,phmd->hprm", query, layer.keys.double())
    output = torch.zeros_like(leaf)
    for first, second in scores:
        index = best_of_all(first.detach(), second.detach(), layer.k)
        count = second.shape[-1]
        best = first.gather(-1, index // count) + second.gather(-1, index % count)
        read = layer.values.weight.detach()[index].double()
        output = output + (best.softmax(-1)[:, None] @ read).squeeze(1)
    (slope,) = torch.autograd.grad(output, leaf, above)
    return torch.cat([output.detach(), slope], -1)


def best_of_all(first: Tensor, second: Tensor, k: int) -> Tensor:
    """Return the places of the k largest sums of all pairs, `(rows, k)`, by a search of all."""
    count = max(1, BLOCK // (first.shape[-1] * second.shape[-1]))
    pairs = zip(first.split(count), second.split(count), strict=True)
    sums = ((one[:, :, None] + other[:, None]).flatten(1) for one, other in pairs)
    return torch.cat([block.topk(k).indices for block in sums])


def runs(layer: nn.Module, size: dict[str, int]) -> Callable[[], tuple[Tensor, ...]]:
    """Return a function that runs a layer forward and backward, and keeps no gradient of weights.

    So the memory of a call includes these gradients.
    """
    given, above = rows(size)
    return lambda: forward_backward(layer, layer, given, above)[:2]


def ours(dense: ProductKeyLookup, size: dict[str, int]) -> dict[str, Contender]:
    """Product keys with gradients of all values, and of those that were read."""
    sparse = make_layer(size, sparse=True)
    sparse.values.weight = dense.values.weight  # two tables of a million would not fit everywhere
    return {
        "product keys": Contender(
            runs(dense, size), joined, facts=partial(recall, dense, size), library=True
        ),
        "sparse gradients": Contender(runs(sparse, size), joined, library=True),
    }


def recall(layer: ProductKeyLookup, size: dict[str, int], result: Any) -> dict[str, float]:
    """Return the share of the k best memories of all, by a search of all, that are found."""
    states = rows(size)[0][0]
    index = layer.nearest(states).index
    query = layer.query(states).detach().unflatten(-1, (layer.heads, 2, -1))
    scores = torch.einsum("rhpd,phmd->hprm", query, layer.keys.detach())
    found = [
        (best_of_all(first, second, layer.k)[:, :, None] == index[:, head, None]).any(-1)
        for head, (first, second) in enumerate(scores)
    ]
    return {"recall": float(torch.stack(found).double().mean())}


def full(layer: ProductKeyLookup) -> HopfieldLookup:
    """Return the lookup of all n memories with the keys and values of a lookup with one head."""
    plain = nn.Identity()
    projections = Projections(query=layer.query, key=plain, value=plain, out=plain)
    association = HopfieldAssociation(None, 1, Softmax(1.0), projections=projections)
    return HopfieldLookup(association, layer.expanded_keys()[0], layer.values.weight)


def against_all(**size: int) -> Case:
    """Product keys, and a softmax over all memories with the same keys."""
    layer = make_layer(size, sparse=False)
    contenders = {"full lookup": Contender(runs(full(layer), size), joined)}
    contenders |= ours(layer, size)
    return Case(contenders, lambda: exact(layer, size), TOLERANCE)


def of_a_million(**size: int) -> Case:
    """Product keys, and the package `product-key-memory` with the same weights."""
    layer = make_layer(size, sparse=False)
    contenders = ours(layer, size)
    if find_spec("product_key_memory"):
        peer = package(layer, size)
        contenders = {"product-key-memory": Contender(runs(peer, size), joined)} | contenders
    return Case(contenders, lambda: exact(layer, size), TOLERANCE)


def package(layer: ProductKeyLookup, size: dict[str, int]) -> nn.Module:
    """Return the layer of the package with the weights of ours, without its normalisation."""
    from product_key_memory import PKM

    heads, count, half = layer.heads, layer.keys.shape[2], layer.keys.shape[3]
    with torch.random.fork_rng(devices=[]):
        peer: Any = PKM(size["dim"], heads, count, size["k"], half)
    peer.norm, peer.values.weight = nn.Identity(), layer.values.weight
    weight = layer.query.weight.unflatten(0, (heads, 2, half)).transpose(0, 1)
    with torch.no_grad():
        peer.to_queries.weight.copy_(weight.flatten(0, 2))
        peer.keys.copy_(layer.keys.permute(1, 2, 0, 3))
    return peer


WORK = "a lookup forward and backward, the 32 best of"

ENTRIES = (
    Entry(
        "lookup",
        f"{WORK} 10 000 memories of 64 numbers for 512 states, by two lists of 100 half keys",
        against_all,
        ({"memories": 10_000, "dim": 64, "states": 512, "heads": 1, "k": 32},),
        {"memories": 64, "dim": 8, "states": 5, "heads": 1, "k": 32},
        (Target("product keys", 2.0, "≥ 2× the lookup of all"),),
        note="The lookup of all reads the same keys, written out. `recall` in the records is the "
        "share of the 32 best of all memories that product keys find.",
    ),
    Entry(
        "lookup-million",
        f"{WORK} 2²⁰ memories of 128 numbers for 256 states with 4 heads",
        of_a_million,
        ({"memories": 2**20, "dim": 128, "states": 256, "heads": 4, "k": 32},),
        {"memories": 64, "dim": 8, "states": 5, "heads": 2, "k": 8},
        (Target("sparse gradients", 2.0, "≥ 2× product-key-memory", over="product-key-memory"),),
        note="product-key-memory is the package of that name, with the same weights and without "
        "its layer normalisation. Its gradient of the values is dense, as in `product keys`: both "
        "spend most of the time on zeros for memories that no state read.",
    ),
)
