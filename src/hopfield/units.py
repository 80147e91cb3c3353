"""Unit rules of the binary networks: each unit takes the value of lower energy.

    classical    x_i' = sign(Σ_j W_ij x_j − b_i)            (W without its diagonal, by default)
    dense        x_i' = sign(F(s | x_i = +1) − F(s | x_i = −1))

A sweep is asynchronous (one unit after another, never raising the energy) or synchronous (all from
the same state). On a tie the present value stays; an unknown unit, 0, adds nothing to a score.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from . import kernels
from .checks import check_binary, check_device, check_dim, check_tensor
from .coupling import Coupling, Visits, check_order, check_square
from .errors import DomainError
from .exact import exact_signs
from .packing import pack
from .readout import Block, all_scores, read
from .rules import EXACT_INTEGERS, rounded
from .separation import Polynomial, Readout, RectifiedPolynomial, Separation, Softmax
from .similarity import RowProducts, dot


def decide(
    field: Float[Tensor, "*batch"], present: Float[Tensor, "*batch"], slack: float = 0.0
) -> Float[Tensor, "*batch"]:
    """sign(field), or the present value where the field is zero up to `slack`."""
    return torch.where(field.abs() <= slack, present, field.sign())


def glauber(
    field: Float[Tensor, "*batch"], cut: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """+1 where the field exceeds `thermal_cut`."""
    return torch.where(field > cut, 1.0, -1.0).to(field.dtype)


def thermal_cut(temperature: float, noise: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """½T log(u/(1 − u)): a field h exceeds it with probability sigmoid(2h/T) (Glauber 1963).

    Args:
        temperature: T > 0.
        noise: u, uniform in [0, 1), float64: or rounding decides at low temperature.
    """
    return temperature / 2 * torch.logit(noise)


def classical_sweep(
    coupling: Coupling | Float[Tensor, "dim dim"],
    state: Float[Tensor, "batch dim"],
    order: Int[Tensor, " visits"] | None = None,
    *,
    thresholds: Float[Tensor, " dim"] | None = None,
    held: Bool[Tensor, "batch dim"] | None = None,
    thermal: tuple[float, Float[Tensor, "batch dim"]] | None = None,
) -> Float[Tensor, "batch dim"]:
    """One sweep of the classical network.

    Args:
        coupling: W, symmetric, or a `Coupling`. Of W itself one unit after another feels no
            diagonal, and all at once feel all of it.
        state: x, entries −1, 0 or +1: exact in the coupling's precision.
        order: the units in the order of their visits; None is synchronous.
        thresholds: b; None is 0.
        held: units that keep their value.
        thermal: temperature T and uniform noise, for Glauber dynamics.

    Returns:
        The next state; `state` is left alone.

    Raises:
        ShapeError, InputTypeError, DomainError: where W and the state do not fit.
    """
    if not isinstance(coupling, Coupling):
        coupling = _coupling(coupling, state, order)
    # Kernels go through rows by address, whatever way the caller's lie.
    exact = state.to(coupling.dtype, copy=True, memory_format=torch.contiguous_format)
    fields = coupling.fields(exact)
    cut = None if thermal is None else thermal_cut(*thermal)
    bias = exact.new_zeros(exact.shape[-1]) if thresholds is None else thresholds.to(exact)
    if order is None:
        field = coupling.units(fields, exact) - bias
        following = decide(field, exact, coupling.slack) if cut is None else glauber(field, cut)
        return (following if held is None else torch.where(held, exact, following)).to(state.dtype)
    visits = Visits(order, bias, held, cut)
    if kernels.fused("classical", len(order), len(order) * exact.numel(), exact):
        coupling.sweep(fields, exact, visits)
    else:
        _visit(coupling, fields, exact, visits)
    return exact.to(state.dtype)


def _coupling(matrix: Tensor, state: Tensor, order: Tensor | None) -> Coupling:
    """A matrix from outside as a coupling, if it fits the state."""
    size = len(check_square("coupling", matrix))
    if not torch.allclose(matrix, matrix.T, atol=1e-5 * float(matrix.abs().max())):
        raise DomainError(
            "coupling must be symmetric, or nothing is descended, but is not. "
            "Use (coupling + coupling.T) / 2."
        )
    check_binary("state", check_dim("state", check_tensor("state", state), size), zero=True)
    check_device("state", state, matrix.device)
    if order is not None:
        check_order(order, size)
    whole = rounded(matrix.to(torch.promote_types(matrix.dtype, torch.float32)))
    return whole if order is None else whole.bare


def _visit(coupling: Coupling, fields: Tensor, state: Tensor, visits: Visits) -> None:
    """One unit after another, in place: what `Coupling.sweep` does in a kernel."""
    for i in visits.order.tolist():
        present = state[:, i].clone()
        field = coupling.unit(fields, state, i) - visits.thresholds[i]
        if visits.cut is None:
            following = decide(field, present, coupling.slack)
        else:
            following = glauber(field, visits.cut[:, i])
        if visits.held is not None:
            following = torch.where(visits.held[:, i], present, following)
        state[:, i] = following
        coupling.changed(fields, i, following - present)


def whole_dot(
    block: RowProducts, state: Float[Tensor, "*batch dim"], known: Tensor | None = None
) -> Float[Tensor, "*batch n"]:
    """The scores of ±1 rows: whole numbers, so that float32 is exact, and twice as fast."""
    exact = state.float() if state.shape[-1] < EXACT_INTEGERS[torch.float32] else state
    return dot(block, exact, known).double()


def dense_sweep(
    blocks: Iterable[Block],
    separation: Separation,
    state: Float[Tensor, "batch dim"],
    order: Int[Tensor, " visits"] | None,
    held: Bool[Tensor, "batch dim"] | None = None,
    found: Readout | None = None,
    columns: Callable[[], Tensor] | None = None,
) -> Float[Tensor, "batch dim"]:
    """One sweep of a dense network; arguments as for `classical_sweep`.

    Computed in float64; where rounding could decide, by exact arithmetic. `found` is what reading
    the state in float64 gave, where it is known: it spares a synchronous sweep the same readout,
    and its state is used up. `columns` gives `sign_columns(blocks)`, where they are kept.
    """
    exact = state.double()
    if order is not None:
        entries = len(state) * len(order) * sum(len(block) for block in blocks)
        if kernels.fused("dense", len(order), entries, exact):
            signs = sign_columns(blocks) if columns is None else columns()
            swept = _dense_by_kernel(blocks, separation, exact, order, held, signs)
            return swept.to(state.dtype)
        return _dense_asynchronous(blocks, separation, exact, order, held).to(state.dtype)
    field, error = _dense_field(blocks, separation, exact, found)
    plain = field.float()
    # Few and small arrays: at this size a fresh one costs more than what is done with it.
    if plain.numel() and float(plain.abs().amin()) > 1.001 * float(torch.as_tensor(error).amax()):
        following = plain.sign_()  # no decision is doubtful
    else:
        following = decide(field, exact)
        doubtful = (field.abs() <= error) if held is None else (field.abs() <= error) & ~held
        _decide_exactly(blocks, separation, exact, doubtful, following)
    following = following.to(state.dtype)
    return following if held is None else torch.where(held, state, following)


def _decide_exactly(
    blocks: Iterable[Block],
    separation: Separation,
    state: Tensor,
    doubtful: Tensor,
    following: Tensor,
) -> None:
    """Put the exact decisions where they are doubtful."""
    queries, units = doubtful.nonzero(as_tuple=True)
    if not len(queries):
        return
    count = sum(len(block) for block in blocks)
    for at in torch.arange(len(queries)).split(max(1, 2**20 // count)):
        q, i = queries[at], units[at]
        asked, which = q.unique(return_inverse=True)
        signs = _columns(blocks, i)
        levels = all_scores(blocks, state[asked], whole_dot)[which] - signs * state[q, i, None]
        following[q, i] = decide(exact_signs(levels, signs, separation), state[q, i])


def sign_columns(blocks: Iterable[Block]) -> Int[Tensor, "dim words"]:
    """The signs of all patterns for each unit, as bits (see `packing`)."""
    return pack(torch.cat([block.rows > 0 for block in blocks]).T)


def _columns(blocks: Iterable[Block], units: Int[Tensor, " k"]) -> Float[Tensor, "k n"]:
    """x_μi of every pattern, for each of the units."""
    return torch.cat([block.rows[:, units] for block in blocks]).T.double()


def saturated(beta: "float | Tensor", count: int) -> float:
    """β, or the value above which every β makes the same decision for `count` patterns.

    Scores without unit i lie 2 apart, so beyond β = ½ log n one level of scores outweighs all
    lower ones together.
    """
    return min(float(beta), 0.5 * math.log(count) + 0.5)


def _dense_field(
    blocks: Iterable[Block], separation: Separation, state: Tensor, found: Readout | None
) -> tuple[Tensor, "Tensor | float"]:
    """A number with the sign of F(s | x_i = +1) − F(s | x_i = −1), and its rounding error."""
    if isinstance(separation, Softmax):
        return _exponential_field(blocks, separation, state, found)
    return _polynomial_field(blocks, separation, state)


def _exponential_field(
    blocks: Iterable[Block], separation: Softmax, state: Tensor, found: Readout | None
) -> tuple[Tensor, float]:
    """Σ_μ x_μi exp(βs_μ^{∖i}) ∝ (Xᵀp)_i − tanh(βx_i), p = softmax(βs): O(nN) for all units.

    log A± = ½ log(1 ± Xᵀp) + const. are the two logsumexps of the rule; in float64 and with β no
    larger than it need be, neither underflows.
    """
    count = sum(len(block) for block in blocks)
    beta = saturated(separation.beta, count)
    if found is None or beta != float(separation.beta):
        found = read(blocks, state, whole_dot, Softmax(beta))
    eps = torch.finfo(state.dtype).eps
    error = eps * (8 + 2 * beta * state.shape[-1] + count)
    return found.state.sub_(state, alpha=math.tanh(beta)), error  # tanh(βx) = x tanh β


def _polynomial_field(
    blocks: Iterable[Block], separation: Separation, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Σ_μ x_μi g(s_μ^{∖i}), g(u) = f(u + 1) − f(u − 1), for all units at once.

    With G± = g(s ± 1) and x_i = ±1 this is ½(Xᵀ(G⁻ + G⁺) + x_i Σ(G⁻ − G⁺))_i, where the unit is
    unknown it is (Xᵀg(s))_i.
    """
    field = torch.zeros_like(state)
    size = state.new_zeros(*state.shape[:-1], 1)
    unknown = bool((state == 0).any())
    for block in blocks:
        scores = whole_dot(block, state)
        below, above = _edge(separation, scores - 1), _edge(separation, scores + 1)
        known = block.pull(below + above) + state * (below - above).sum(-1, keepdim=True)
        if unknown:
            known = torch.where(state == 0, 2 * block.pull(_edge(separation, scores)), known)
        field = field + known / 2
        size = size + (below.abs() + above.abs()).sum(-1, keepdim=True)
    count = sum(len(block) for block in blocks)
    error = _rounding(separation, count, state.shape[-1] + 1.0) * size
    exact = size < 2**52  # sums of whole numbers this small are not rounded
    return field, torch.where(exact, 0.0, error).expand(state.shape)


def _rounding(separation: Separation, count: int, largest: float) -> float:
    """Rounding of Σ x_μi g(s_μ), relative to Σ |g|: f(u + 1) − f(u − 1) ≈ 2d f(u)/u cancels."""
    eps = torch.finfo(torch.float64).eps
    return eps * (count + 8 * degree(separation) + 4 * largest / degree(separation))


def degree(separation: Separation) -> int:
    """The degree of a polynomial separation."""
    if isinstance(separation, (Polynomial, RectifiedPolynomial)):
        return separation.degree
    raise TypeError(f"{type(separation).__name__} is no polynomial separation")


def _edge(separation: Separation, scores: Tensor) -> Tensor:
    """g(u) = f(u + 1) − f(u − 1)."""
    if isinstance(separation, (Polynomial, RectifiedPolynomial)):
        return separation.terms(scores + 1) - separation.terms(scores - 1)
    raise TypeError(f"{type(separation).__name__} is no polynomial separation")


def _dense_asynchronous(
    blocks: Iterable[Block],
    separation: Separation,
    state: Tensor,
    order: Tensor,
    held: Tensor | None,
) -> Tensor:
    """One unit after another; the scores follow each flip."""
    state = state.clone()
    scores = all_scores(blocks, state, whole_dot)
    for i in order.tolist():
        column = torch.cat([block.rows[:, i] for block in blocks]).double()
        present = state[:, i].clone()
        levels = scores - column * present[:, None]
        field, error = _unit_field(separation, levels, column)
        doubtful = (field.abs() <= error).nonzero().squeeze(-1)
        if len(doubtful):
            signs = column.expand(len(doubtful), -1)
            field[doubtful] = exact_signs(levels[doubtful], signs, separation)
        following = decide(field, present)
        if held is not None:
            following = torch.where(held[:, i], present, following)
        state[:, i] = following
        scores.addr_(following - present, column)
    return state


def _dense_by_kernel(
    blocks: Iterable[Block],
    separation: Separation,
    state: Tensor,
    order: Tensor,
    held: Tensor | None,
    columns: Tensor,
) -> Tensor:
    """The same in a kernel, which comes back where rounding could decide."""
    from .kernels.dense import sweep

    state, scores = state.clone(), all_scores(blocks, state, whole_dot).int()
    count, dim = scores.shape[-1], state.shape[-1]
    place, verdict = order.new_zeros(len(state)), state.new_full((len(state),), math.nan)
    table, numbers = _table(separation, count, dim)
    none = torch.empty(0, dim, dtype=torch.bool)
    arrays = (state, scores, none if held is None else held.contiguous(), place, verdict)
    work = partial(
        sweep,
        order.numpy(),
        tuple(each.numpy() for each in arrays),
        columns.numpy().view("u8"),
        table.numpy(),
        numbers,
    )
    while True:
        kernels.in_parts(len(state), len(state) * len(order) * count * 1e-9, work)
        queries = (place < len(order)).nonzero().squeeze(-1)
        if not len(queries):
            return state
        units = order[place[queries]]
        signs = _columns(blocks, units)
        levels = scores[queries] - signs * state[queries, units, None]
        verdict[queries] = exact_signs(levels, signs, separation)


def _table(separation: Separation, count: int, dim: int) -> tuple[Tensor, tuple[int, float, float]]:
    """What a pattern adds, by shift − level; the shift, the rounding, and what is too small for it.

    That is g(u) of `_edge`, or exp(−β(s_max + 1 − u)) with a shift that follows the best score.
    """
    steps = torch.arange(2 * dim + 3, dtype=torch.float64)
    if isinstance(separation, Softmax):
        beta = saturated(separation.beta, count)
        rounding = torch.finfo(steps.dtype).eps * (8 + count + beta * len(steps))
        return (-beta * steps).exp(), (-1, rounding, 0.0)
    rounding = _rounding(separation, count, float(dim + 1))
    return _edge(separation, dim + 1 - steps), (dim + 1, rounding, 2.0**52)


def _unit_field(separation: Separation, levels: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_μ x_μi g(s_μ^{∖i}) for one unit, and its rounding error."""
    count = levels.shape[-1]
    eps = torch.finfo(levels.dtype).eps
    if isinstance(separation, Softmax):
        beta = saturated(separation.beta, count)
        gap = beta * (levels - levels.amax(-1, keepdim=True))
        terms, rounding = gap.exp(), eps * (8 + count + gap.abs().amax(-1))
        return terms @ column, rounding * terms.sum(-1)
    terms = _edge(separation, levels)
    size = terms.abs().sum(-1)
    largest = float(levels.abs().max()) if levels.numel() else 0.0
    error = _rounding(separation, count, largest + 1) * size
    return terms @ column, torch.where(size < 2**52, 0.0, error)
