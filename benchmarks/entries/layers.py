"""Layers, forward and backward, against torch's attention and hflayers' way of computing."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hopfield import Entmax, Separation, Softmax, Sparsemax
from hopfield.nn import HopfieldAssociation, Iteration, Projections

from .. import ceilings, hflayers_way
from ..harness import Case, Contender, Entry, Target

Layer = Callable[[Tensor], Tensor]
BY_HEAD = "entmax, α by head"
SEPARATIONS: dict[str, Callable[[float, int], Separation]] = {
    "softmax": lambda beta, heads: Softmax(beta),
    "sparsemax": lambda beta, heads: Sparsemax(beta),
    "entmax": lambda beta, heads: Entmax(1.5, beta),
    BY_HEAD: lambda beta, heads: Entmax(alphas(heads)[:, None].double(), beta),
}
STEPS = 4
ROUNDINGS = 64
"""Rounding of a sum of some hundred terms of size 1, in units of eps."""


def make_layer(
    dim: int, heads: int, separation: Separation | str = "softmax", steps: int = 1
) -> HopfieldAssociation:
    """Return a layer that normalises states, stored and projected patterns, as hflayers does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        query, key, value = (
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim)) for _ in range(3)
        )
        projections = Projections(query, key, value)
        return HopfieldAssociation(dim, heads, separation, Iteration(steps), projections)


def rows(batch: int, n: int, dim: int) -> tuple[Tensor, Tensor]:
    """Return the input, and the gradient of a loss by the output."""
    generator = torch.Generator().manual_seed(0)
    given, above = (torch.randn(batch, n, dim, generator=generator) for _ in range(2))
    return given, above


def forward_backward(
    layer: nn.Module, call: Layer, given: Tensor, above: Tensor
) -> tuple[Tensor, ...]:
    """Return the output of a layer, and its gradients by its input and its parameters."""
    leaf = given.detach().requires_grad_()
    output = call(leaf)
    gradients = torch.autograd.grad(output, [leaf, *layer.parameters()], above)
    return output.detach(), *gradients


def joined(result: tuple[Tensor, ...]) -> Tensor:
    """Join the output and the gradient by the input."""
    return torch.cat(result[:2], dim=-1)


def projected(layer: HopfieldAssociation, given: Tensor) -> list[Tensor]:
    """Queries, keys and values by head."""
    return [
        project(given).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
        for project in (layer.query, layer.key, layer.value)
    ]


def by_formula(layer: HopfieldAssociation, separation: str, given: Tensor) -> Tensor:
    """Compute a layer by its formula."""
    q, k, v = projected(layer, given)
    weigh = SEPARATIONS[separation](q.shape[-1] ** -0.5, layer.heads)
    for _ in range(layer.iteration.steps - 1):
        q = weigh(q @ k.mT) @ k
    output: Tensor = layer.out((weigh(q @ k.mT) @ v).transpose(1, 2).flatten(2))
    return output


def kinks_of(separation: str, size: dict[str, int]) -> Tensor:
    """Return `at_kinks` of the whole input, one entry of the batch at a time; else nowhere."""
    given = rows(size["batch"], size["n"], size["dim"])[0].double()
    if separation != "sparsemax":
        return torch.zeros(given.shape[:2], dtype=torch.bool)
    layer = make_layer(size["dim"], size["heads"]).double()
    return torch.cat([at_kinks(layer, one[None]) for one in given])


def exact(separation: str, steps: int, size: dict[str, int]) -> Tensor:
    """Compute the answer in float64, one entry of the batch at a time."""
    layer = make_layer(size["dim"], size["heads"], steps=steps).double()
    pairs = zip(*rows(size["batch"], size["n"], size["dim"]), strict=True)
    call = partial(by_formula, layer, separation)
    results = [
        joined(forward_backward(layer, call, one[None].double(), slope[None].double()))
        for one, slope in pairs
    ]
    return torch.cat(results)


def at_kinks(layer: HopfieldAssociation, given: Tensor) -> Tensor:
    """Return which rows of the input have a gradient that rounding decides, `(batch, n)`.

    The gradient of sparsemax jumps where a score is at the threshold: there float32 may take either
    side. This concerns the query and the keys that it reads.
    """
    q, k, _ = projected(layer, given)
    scores = q.shape[-1] ** -0.5 * (q @ k.mT)
    weights = Sparsemax()(scores)
    strongest = weights.argmax(-1, keepdim=True)
    threshold = scores.gather(-1, strongest) - weights.gather(-1, strongest)
    rounding = ROUNDINGS * torch.finfo(torch.float32).eps * scores.abs().amax(-1, keepdim=True)
    near = (scores - threshold).abs() <= rounding
    query = near.any(-1, keepdim=True)
    return (query.squeeze(-1) | (query & (near | (weights > 0))).any(-2)).any(1)


def without_kinks(kinks: Tensor, both: Tensor) -> Tensor:
    """Return output and gradient as `joined` gives them, the gradient 0 in the rows at `kinks`."""
    output, slope = both.chunk(2, dim=-1)
    return torch.cat([output, slope.masked_fill(kinks[..., None], 0.0)], dim=-1)


def case(contenders: dict[str, Contender], separation: str, steps: int, size: Any) -> Case:
    """Contenders for the output and gradients of a layer, against its formula in float64."""
    tolerance = ROUNDINGS * torch.finfo(torch.float32).eps
    batch, n, dim = size["batch"], size["n"], size["dim"]
    # Forward 2 products of all weights a softmax, backward 5; 4 projections, each forward, and
    # backward by rows and by matrix.
    products = 7 * steps * n * n * dim + 4 * 3 * n * dim * dim
    flops = 2.0 * batch * products
    own = ceilings.Probe(bare_products(steps, n, dim, size["heads"]), flops / batch, flops)
    return Case(
        contenders,
        lambda: exact(separation, steps, size),
        tolerance,
        flops=flops,
        bytes=4.0 * batch * n * dim,
        limits={"limit: its own products": own},
    )


def bare_products(steps: int, n: int, dim: int, heads: int) -> Callable[[], Tensor]:
    """Return a function that makes the matrix products of one entry of a batch, and nothing else.

    Results go to allocated memory, and the weights of one entry stay in a cache; no layer has
    that for the whole batch.
    """
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(heads, n, dim // heads, generator=generator)
    weights, read = torch.rand(heads, n, n, generator=generator), torch.empty_like(rows)
    scores, joined = torch.empty_like(weights), torch.randn(n, dim, generator=generator)
    square, wide = torch.randn(dim, dim, generator=generator), torch.empty(n, dim)
    slope = torch.empty(dim, dim)

    def run() -> Tensor:
        for _ in range(steps):
            for _ in range(3):  # scores; again, and the slopes of the weights
                torch.bmm(rows, rows.mT, out=scores)
            for left in (weights, weights, weights.mT, weights.mT):  # read, and three slopes
                torch.bmm(left, rows, out=read)
        for _ in range(4):
            torch.mm(joined, square, out=wide)
            torch.mm(joined, square, out=wide)
            torch.mm(joined.mT, joined, out=slope)
        return read

    return run


def runs(layer: nn.Module, call: Layer, size: dict[str, int]) -> Callable[[], tuple[Tensor, ...]]:
    """Return a function that runs a layer forward and backward at this size."""
    given, above = rows(size["batch"], size["n"], size["dim"])
    return lambda: forward_backward(layer, call, given, above)


class Attention(nn.Module):
    """torch's attention with the weights of a layer, and its normalisations."""

    def __init__(self, layer: HopfieldAssociation) -> None:
        """Take over the weights."""
        super().__init__()
        parts = [layer.query, layer.key, layer.value]
        self.norms = nn.ModuleList(part[0] for part in parts)  # type: ignore[index]
        linear: list[Any] = [part[1] for part in parts]  # type: ignore[index]
        with torch.random.fork_rng(devices=[]):
            dim = linear[0].in_features
            self.attention = nn.MultiheadAttention(dim, layer.heads, batch_first=True)
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(torch.cat([one.weight for one in linear]))
            self.attention.in_proj_bias.copy_(torch.cat([one.bias for one in linear]))
            self.attention.out_proj.load_state_dict(layer.out.state_dict())

    def forward(self, given: Tensor) -> Tensor:
        """Return the output of attention, without its weights."""
        q, k, v = (norm(given) for norm in self.norms)
        output: Tensor = self.attention(q, k, v, need_weights=False)[0]
        return output


def one_softmax(**size: int) -> Case:
    """One softmax: attention."""
    layer = make_layer(size["dim"], size["heads"])
    peer = Attention(layer)
    contenders = {
        "nn.MultiheadAttention": Contender(runs(peer, peer, size), joined),
        "layer": Contender(runs(layer, layer, size), joined, library=True),
    }
    return case(contenders, "softmax", 1, size)


def several_softmaxes(**size: int) -> Case:
    """Four softmaxes: three updates, then the read."""
    layer = make_layer(size["dim"], size["heads"], steps=STEPS)

    def theirs(given: Tensor) -> Tensor:
        q, k, v = projected(layer, given)
        read = hflayers_way.associate(q, k, v, q.shape[-1] ** -0.5, STEPS, eps=0.0)
        output: Tensor = layer.out(read.transpose(1, 2).flatten(2))
        return output

    contenders = {
        "hflayers' way": Contender(runs(layer, theirs, size), joined),
        "layer": Contender(runs(layer, layer, size), joined, library=True),
    }
    return case(contenders, "softmax", STEPS, size)


def alphas(heads: int) -> Tensor:
    """α of each head, between softmax and sparsemax."""
    return torch.linspace(1.2, 1.6, heads)


def sparse(separation: str, **size: int) -> Case:
    """A layer with another separation; softmax gives the scale only, not the answer."""
    dim, heads = size["dim"], size["heads"]
    chosen: Separation | str = separation
    if separation == BY_HEAD:
        chosen = Entmax(alphas(heads).requires_grad_(), (dim // heads) ** -0.5)
    dense, layer = make_layer(dim, heads), make_layer(dim, heads, chosen)
    smooth = partial(without_kinks, kinks_of(separation, size))
    contenders = {
        "softmax": Contender(runs(dense, dense, size), None),
        separation: Contender(runs(layer, layer, size), lambda x: smooth(joined(x)), library=True),
    }
    whole = case(contenders, separation, 1, size)
    return replace(whole, reference=lambda: smooth(whole.reference()))


SIZE = {"batch": 32, "n": 512, "dim": 256, "heads": 8}
TINY = {"batch": 2, "n": 5, "dim": 8, "heads": 2}
WORK = "a layer forward and backward, 32 sets of 512 rows of 256 numbers, 8 heads"


def _sparse(separation: str, name: str = "", note: str = "") -> Entry:
    return Entry(
        f"layer-{name or separation}",
        f"{WORK}, {separation}",
        partial(sparse, separation),
        (SIZE,),
        TINY,
        (Target(separation, 0.25, "≥ 0.25× softmax", strict=True),),
        note=note,
    )


ENTRIES = (
    Entry(
        "layer",
        f"{WORK}, one softmax",
        one_softmax,
        (SIZE,),
        TINY,
        (
            Target("layer", 1.0, "≥ 1× nn.MultiheadAttention", strict=True),
            Target(
                "layer",
                1.2,
                "at most 1.2× the memory of nn.MultiheadAttention",
                field="extra_mib",
                over="nn.MultiheadAttention",
            ),
        ),
    ),
    Entry(
        "layer-steps",
        f"{WORK}, four softmaxes",
        several_softmaxes,
        (SIZE,),
        TINY,
        (Target("layer", 20.0, "≥ 20× hflayers' way", strict=True),),
        note="The ratio was between 10× and 23× in other runs: hflayers' way spends most of its "
        "time on 5 GiB of fresh memory. The limit counts the products alone, at the shapes of one "
        "entry of the batch: per softmax 2 of 512 × 32 × 512 per head forward and 5 backward. "
        "Exponentials and sums are not counted, so no layer reaches it. The rest of the time is "
        "torch's attention. Blocks of plain products with all softmaxes in one node, one entry "
        "of the batch at a time, and rows laid out per head were no faster. `gradient` of "
        "`Iteration` can reduce the number of softmaxes in the backward pass.",
    ),
    _sparse("sparsemax"),
    _sparse("entmax"),
    _sparse(
        BY_HEAD,
        "alpha",
        "α is learned and differs by head, from 1.2 to 1.6. Newton's steps find the threshold; "
        "each raises all scores to a power, and so does the backward pass.",
    ),
)
