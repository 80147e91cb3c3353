"""Association: outputs by loops, gradients by differences, masks, iteration."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from hopfield import Entmax, Softmax, Sparsemax, TopK, attention
from hopfield.nn import Iteration
from hopfield.nn.functional import association, describe
from largest import Largest
from nn_layers import draw64 as draw
from nn_layers import rotate

BATCH, HEADS, STATES, STORED, DIM, OUT = 2, 3, 4, 5, 6, 7


def operands(heads: int = HEADS) -> tuple[torch.Tensor, ...]:
    """States, stored and projected patterns."""
    lead = (BATCH, heads)
    return (
        draw(*lead, STATES, DIM, seed=1),
        draw(*lead, STORED, DIM, seed=2),
        draw(*lead, STORED, OUT, seed=3),
    )


PADDING = torch.tensor([[False, True, False, False, True], [True] * 4 + [False]])[:, None, None]
PAIRS = torch.rand(BATCH, 1, STATES, STORED, generator=torch.Generator().manual_seed(4)) < 0.4
PAIRS[1, 0, 2] = True  # one state may read nothing
MASKS = {"none": None, "padding": PADDING, "association": PAIRS, "both": PADDING | PAIRS}

BY_HEAD = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)[:, None]
SEPARATIONS = {
    "softmax": Softmax(0.8),
    "softmax by head": Softmax(BY_HEAD),
    "sparsemax": Sparsemax(0.8),
    "entmax": Entmax(1.5, 0.8),
    "entmax by head": Entmax(torch.tensor([1.2, 1.5, 2.5], dtype=torch.float64)[:, None], 0.8),
    "topk": TopK(2, 0.8),
}
every_separation = pytest.mark.parametrize("name", SEPARATIONS)
every_pair = pytest.mark.parametrize(("name", "mask"), rotate(SEPARATIONS, MASKS))
every_pair_and_steps = pytest.mark.parametrize(
    ("name", "mask", "steps"), rotate(SEPARATIONS, MASKS, [1, 3])
)


def of_head(separation, head: int):
    """The separation of one head, with numbers in place of tensors."""
    numbers = {
        name: value.flatten()[head].item() if isinstance(value, torch.Tensor) else value
        for name, value in vars(separation).items()
    }
    return type(separation)(**numbers)


def by_loops(separation, state, stored, projected, mask, steps):
    """One state after another, from the patterns that it may see alone."""
    hidden = torch.zeros(*state.shape[:-1], STORED, dtype=torch.bool)
    hidden = hidden if mask is None else hidden | mask
    output = torch.zeros(*state.shape[:-1], OUT, dtype=state.dtype)
    for b, h, i in torch.cartesian_prod(*map(torch.arange, state.shape[:-1])).tolist():
        seen = ~hidden[b, h, i]
        if not seen.any():
            continue
        own, x = of_head(separation, h), state[b, h, i]
        keys, values = stored[b, h][seen], projected[b, h][seen]
        for _ in range(steps - 1):
            x = own(keys @ x) @ keys
        output[b, h, i] = own(keys @ x) @ values
    return output


@every_pair_and_steps
def test_association_by_loops(name, mask, steps):
    given, separation, mask = operands(), SEPARATIONS[name], MASKS[mask]
    output = association(*given, separation=separation, mask=mask, iteration=Iteration(steps))
    expected = by_loops(separation, *given, mask, steps)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 1, 3)], ids=str)
def test_one_step_is_attention(lead):
    state, stored, projected = draw(*lead, 4, 8), draw(*lead, 5, 8), draw(*lead, 5, 3)
    expected = scaled_dot_product_attention(state, stored, projected)
    torch.testing.assert_close(association(state, stored, projected), expected)
    if not lead:
        single = attention(state, stored, 8**-0.5)
        torch.testing.assert_close(association(state, stored), single)


def test_batches_broadcast():
    state, stored = draw(1, 3, 4, 6), draw(2, 1, 5, 6)
    apart = association(state.expand(2, 3, 4, 6), stored.expand(2, 3, 5, 6))
    torch.testing.assert_close(association(state, stored), apart)


FAST = "aten._scaled_dot_product_flash_attention_for_cpu"


@pytest.mark.parametrize(
    ("gradient", "hidden"), rotate(["unrolled", "implicit", "last"], [None, "padding", "pairs"])
)
def test_softmax_keeps_no_weights_in_memory(gradient, hidden):
    n, width = 64, 4
    lead = [draw(2, 2, n, size, seed=i).requires_grad_() for i, size in enumerate((4, 4, 3))]
    mask = None
    if hidden == "padding":
        mask = (torch.arange(n) % 5 == 0).expand(2, 1, 1, n)
    elif hidden == "pairs":
        mask = torch.ones(n, n, dtype=torch.bool).triu()  # the first state may read nothing
    with Largest() as operators:
        result = association(*lead, mask=mask, iteration=Iteration(3, gradient=gradient))
        result.square().sum().backward()
    assert f"{FAST}.default" in operators.names and f"{FAST}_backward.default" in operators.names
    assert operators.numel <= max(2 * 2 * n * width, n * n), "all weights would be 4·n² entries"


def test_a_float_beta_costs_no_copy_of_the_states():
    given = [part.requires_grad_() for part in operands()]
    with Largest() as operators:
        association(*given, iteration=Iteration(3)).sum().backward()
    assert f"{FAST}.default" in operators.names, "premise: torch's attention"
    assert not {name for name in operators.names if name.startswith("aten.mul")}


@every_separation
@pytest.mark.parametrize("steps", [1, 3])
def test_the_output_is_zero_for_a_state_that_may_read_nothing(name, steps):
    mask = PAIRS.clone()
    mask[0] = True
    given = [part.requires_grad_() for part in operands()]
    chosen = SEPARATIONS[name]
    result = association(*given, separation=chosen, mask=mask, iteration=Iteration(steps))
    assert not result[0].any() and not result[1, :, 2].any()
    assert result[1, :, 0].any(), "premise: others read something"
    result.square().sum().backward()
    for part in given:
        assert part.grad.isfinite().all() and not part.grad[0].any() and part.grad[1].any()


@pytest.fixture
def drawing():
    """gradcheck draws directions from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def few(heads: int) -> list[torch.Tensor]:
    """Small states and patterns with gradients: differences go one entry at a time."""
    state, stored, projected = operands(heads)
    cut = state[..., :3, :2], stored[..., :2], projected[..., :1]
    return [part.clone().requires_grad_() for part in cut]


def cut(mask: torch.Tensor | None) -> torch.Tensor | None:
    return None if mask is None else mask[..., :3, :]


@pytest.mark.parametrize(
    ("name", "mask", "heads", "steps"), rotate(SEPARATIONS, MASKS, [1, 3], [1, 1, 3, 3])
)
def test_gradients_by_differences(name, mask, heads, steps, drawing):
    given = {"mask": cut(MASKS[mask]), "iteration": Iteration(steps)}
    given["separation"] = SEPARATIONS[name] if heads > 1 else of_head(SEPARATIONS[name], 1)
    assert torch.autograd.gradcheck(lambda *x: association(*x, **given), few(heads), fast_mode=True)


@pytest.mark.parametrize("mask", [None, PAIRS], ids=["none", "association"])
@every_separation
def test_second_derivatives_by_differences(name, mask, drawing):
    given = {"mask": cut(mask), "separation": SEPARATIONS[name], "iteration": Iteration(2)}
    assert torch.autograd.gradgradcheck(
        lambda *x: association(*x, **given), few(HEADS), fast_mode=True, atol=1e-4
    )


@pytest.mark.parametrize("separation", [Softmax(0.7), Sparsemax(0.7)], ids=["softmax", "sparsemax"])
@pytest.mark.parametrize("mask", [None, PAIRS], ids=["none", "association"])
def test_gradients_with_a_graph_are_those_without(separation, mask):
    """gradgradcheck compares the second derivative with the first one of the same formula."""
    given = few(HEADS)
    loss = association(*given, separation=separation, mask=cut(mask)).square().sum()
    plain = torch.autograd.grad(loss, given, retain_graph=True)
    for one, other in zip(torch.autograd.grad(loss, given, create_graph=True), plain, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [Softmax, Sparsemax, Entmax])
def test_gradients_by_beta_and_alpha(kind):
    given = [part[..., :3, :] for part in operands()]
    beta = torch.tensor([[0.8], [1.0], [1.3]], dtype=torch.float64, requires_grad=True)
    numbers = {"beta": beta}
    if kind is Entmax:
        numbers["alpha"] = torch.tensor(
            [[1.3], [1.5], [1.8]], dtype=torch.float64, requires_grad=True
        )

    def read(*values):
        separation = kind(**dict(zip(numbers, values, strict=True)))
        mask = PAIRS[..., :3, :3]
        return association(*given, separation=separation, iteration=Iteration(2), mask=mask)

    assert torch.autograd.gradcheck(read, tuple(numbers.values()))


FAR = Iteration(400, gradient="implicit")


def converged(gradient: str, beta: torch.Tensor, given, create_graph=False):
    """Return gradients of a loss of settled states by patterns and β."""
    output = association(
        *given, separation=Softmax(beta), iteration=Iteration(400, gradient=gradient)
    )
    loss = (output.square() * draw(OUT, seed=9)).sum()
    wanted = (given[1], given[2], beta)
    return torch.autograd.grad(loss, wanted, create_graph=create_graph)


def test_implicit_gradients_are_unrolled_ones_at_convergence():
    beta = torch.tensor([[0.3], [0.5], [1.5]], dtype=torch.float64, requires_grad=True)
    given = [part.requires_grad_() for part in operands()]
    settled = describe(*given, separation=Softmax(beta), iteration=Iteration(400, tol=1e-13))
    assert settled.steps.max() < 400, "premise: all settle"
    assert settled.steps.min() > 2, "premise: none at once"
    implicit, unrolled = (converged(g, beta, given) for g in ("implicit", "unrolled"))
    once = converged("last", beta, given)
    for one, other in zip(implicit, unrolled, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert (once[0] - unrolled[0]).abs().max() > 1e-2, "premise: the iteration matters"


def test_implicit_second_derivatives_are_unrolled_ones_at_convergence():
    beta = torch.tensor([[0.3], [0.5], [1.5]], dtype=torch.float64, requires_grad=True)
    given = [part.requires_grad_() for part in operands()]
    second = []
    for gradient in ("implicit", "unrolled"):
        first = converged(gradient, beta, given, create_graph=True)
        total = sum(slope.square().sum() for slope in first)
        second.append(torch.autograd.grad(total, (given[1], given[2], beta)))
    for one, other in zip(*second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_the_implicit_gradient_by_the_initial_state_is_none():
    given = [part.requires_grad_() for part in operands()]
    result = association(*given, separation=Softmax(0.5), iteration=FAR)
    assert torch.autograd.grad(result.sum(), given[0], allow_unused=True)[0] is None


@every_separation
def test_gradient_last_takes_the_state_before_as_a_constant(name):
    given = [part.requires_grad_() for part in operands()]
    separation = SEPARATIONS[name]
    result = association(*given, separation=separation, iteration=Iteration(3, gradient="last"))
    with torch.no_grad():
        state = association(*given[:2], separation=separation, iteration=Iteration(2))
    expected = association(state, *given[1:], separation=separation)
    torch.testing.assert_close(result, expected)
    loss, plain = result.square().sum(), expected.square().sum()
    for one, other in zip(
        torch.autograd.grad(loss, given[1:]), torch.autograd.grad(plain, given[1:]), strict=True
    ):
        torch.testing.assert_close(one, other)


@every_separation
def test_each_query_stops_by_itself(name):
    state, stored, projected = operands()
    far = {"separation": SEPARATIONS[name], "iteration": Iteration(30, tol=1e-4)}
    together = describe(state, stored, projected, **far)
    assert together.steps.unique().numel() > 1, "premise: queries stop at different steps"
    for i in range(2):
        alone = describe(state[..., i : i + 1, :], stored, projected, **far)
        torch.testing.assert_close(alone.output[..., 0, :], together.output[..., i, :])
        assert torch.equal(alone.steps[..., 0], together.steps[..., i])
    assert together.output.isfinite().all()


def test_tol_zero_makes_all_steps():
    state, stored, projected = operands()
    result = describe(state, stored, projected, iteration=Iteration(7))
    assert (result.steps == 7).all() and len(result.energies) == 7


@every_pair
def test_energies_follow_their_formula_and_fall(name, mask):
    state, stored, _ = operands()
    separation, mask = SEPARATIONS[name], MASKS[mask]
    result = describe(state, stored, separation=separation, mask=mask, iteration=Iteration(6))
    hidden = torch.zeros(*state.shape[:-1], STORED, dtype=torch.bool)
    hidden = hidden if mask is None else hidden | mask
    for b, h, i in torch.cartesian_prod(*map(torch.arange, state.shape[:-1])).tolist():
        keys, x = stored[b, h][~hidden[b, h, i]], state[b, h, i]
        expected = torch.tensor(0.0, dtype=torch.float64)
        if len(keys):
            largest = keys.square().sum(-1).max()
            expected = x @ x / 2 - of_head(separation, h).potential(keys @ x) + largest / 2
        torch.testing.assert_close(result.energies[0, b, h, i], expected)
    assert (result.energies.diff(dim=0) <= 1e-12).all()
    assert (result.energies.diff(dim=0)[0] < -1e-3).any(), "premise: they fall"


@pytest.mark.parametrize(
    ("name", "beta", "dtype"),
    rotate(
        ["softmax", "sparsemax", "entmax", "topk"], [1e-20, 1e6], [torch.float32, torch.float64]
    ),
)
def test_gradients_of_energies_are_finite_for_extreme_beta(name, beta, dtype):
    """Also at a state of zeros, whose scores are equal, and under masks."""
    state, stored, _ = (part.to(dtype) for part in operands())
    state[:, :, 0] = 0.0
    given = [part.requires_grad_() for part in (state, stored)]
    separation = replace(SEPARATIONS[name], beta=beta)
    result = describe(*given, separation=separation, mask=PAIRS, iteration=Iteration(2))
    for total in (result.energies.sum(), result.output.sum()):
        for gradient in torch.autograd.grad(total, given, retain_graph=True):
            assert gradient.isfinite().all()


@every_pair
def test_describe_agrees_with_association(name, mask):
    state, stored, projected = operands()
    given = {"separation": SEPARATIONS[name], "mask": MASKS[mask], "iteration": Iteration(2)}
    result = describe(state, stored, projected, **given)
    torch.testing.assert_close(result.output, association(state, stored, projected, **given))
    torch.testing.assert_close(result.output, result.weights @ projected)
    total = result.weights.sum(-1)
    torch.testing.assert_close(total, (total > 0.5).double())


def test_dropout_drops_or_scales_each_weight():
    state, stored, _ = operands()
    names = torch.eye(STORED, dtype=torch.float64).expand(BATCH, HEADS, -1, -1)
    weights = association(state, stored, names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = association(state, stored, names, dropout=0.5)
    dropped = result == 0
    assert 0.3 < dropped.double().mean() < 0.7
    torch.testing.assert_close(result[~dropped], 2 * weights[~dropped])


def test_a_retained_graph_can_be_differentiated_twice():
    given = [part.requires_grad_() for part in operands()]
    loss = association(*given, iteration=Iteration(2)).square().sum()
    first = torch.autograd.grad(loss, given, retain_graph=True)
    second = torch.autograd.grad(loss, given)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
