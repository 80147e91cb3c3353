"""Attention block by block, and its kernels: equal outputs, gradients and second derivatives."""

import pytest
import torch

from hopfield import Entmax, Softmax, Sparsemax, TopK, backend, kernels
from hopfield.nn import Iteration, blockwise
from hopfield.nn.functional import association
from largest import Largest
from nn_layers import draw, rotate

GROUPS, HEADS, STATES, STORED, DIM = 3, 2, 5, 6, 4


def operands(groups: int = GROUPS) -> list[torch.Tensor]:
    shapes = ((STATES, DIM), (STORED, DIM), (STORED, 3))
    made = [draw(groups, HEADS, *shape, seed=i).double() for i, shape in enumerate(shapes)]
    return [part.requires_grad_() for part in made]


HIDDEN = draw(GROUPS, 1, STATES, STORED, seed=5) > 0.5
HIDDEN[0, 0, 1] = True  # one state may read nothing
MASKS = {
    "none": None,
    "padding": HIDDEN[:, :, :1],
    "association": HIDDEN,
    "one for all": HIDDEN[1, 0],
}
ALPHA = torch.tensor([[1.3], [1.8]], dtype=torch.float64, requires_grad=True)
SEPARATIONS = {
    "sparsemax": lambda: Sparsemax(0.8),
    "entmax": lambda: Entmax(1.5, 0.8),
    "entmax, learned": lambda: Entmax(ALPHA, 0.8),
    "topk": lambda: TopK(2, 0.8),
}
every_separation = pytest.mark.parametrize("make", SEPARATIONS.values(), ids=SEPARATIONS)
LIMITS = (1, 20, 2 * 5 * 6, 2**20)


def read(separation, given, mask=None, steps=2):
    return association(*given, separation=separation, mask=mask, iteration=Iteration(steps))


def gradients(output: torch.Tensor, wanted: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(output.square().sum(), wanted)


@pytest.mark.parametrize("shape", [(3, 2, 5, 6), (1, 1, 1, 1), (2, 7, 3, 4)])
@pytest.mark.parametrize("limit", [1, 6, 11, 30, 61, 10**6])
def test_blocks_cover_each_row_once(shape, limit):
    g, h, m, n = shape
    count = torch.zeros(g, h, m)
    for block in blockwise.split_blocks(*shape, limit):
        part = block.of(count)
        assert part.numel() * n <= max(limit, n)
        part += 1
    assert bool((count == 1).all())


@pytest.mark.parametrize(("name", "mask", "limit"), rotate(SEPARATIONS, MASKS, LIMITS))
def test_the_size_of_blocks_changes_nothing(name, mask, limit, monkeypatch):
    given, make = operands(), SEPARATIONS[name]
    wanted = [*given, ALPHA] if name == "entmax, learned" else given
    monkeypatch.setattr(blockwise, "BLOCK", 10**9)
    expected = read(make(), given, MASKS[mask])
    by_one = gradients(expected, wanted)
    monkeypatch.setattr(blockwise, "BLOCK", limit)
    output = read(make(), given, MASKS[mask])
    torch.testing.assert_close(output, expected)
    for one, other in zip(gradients(output, wanted), by_one, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(read(make(), given, MASKS[mask]), output)


@every_separation
def test_second_derivatives_of_blocks(make, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK", 20)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.autograd.gradgradcheck(
            lambda *x: read(make(), x, HIDDEN[:1]), operands(1), fast_mode=True, atol=1e-4
        )


def test_batch_axes_broadcast_and_may_be_more_than_two(monkeypatch):
    state, stored = draw(2, 1, 3, 4, 5).double(), draw(2, 6, 5, seed=1).double()[:, None, None]
    monkeypatch.setattr(blockwise, "BLOCK", 10)
    state.requires_grad_()
    hidden = draw(3, 4, 6, seed=2) > 0.5
    output = association(state, stored, separation=Sparsemax(1.0), mask=hidden)
    assert output.shape == (2, 1, 3, 4, 5)
    for i in range(3):
        one = association(
            state[:, 0, i], stored[:, 0, 0], separation=Sparsemax(1.0), mask=hidden[i]
        )
        torch.testing.assert_close(output[:, 0, i], one)
    assert gradients(output, [state])[0].shape == state.shape


@every_separation
def test_no_more_than_a_block_of_weights_is_in_memory(make, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK", 32 * 32)
    given = [draw(2, 2, 32, 4, seed=i).double().requires_grad_() for i in range(3)]
    with Largest() as storages:
        read(make(), given, torch.eye(32, dtype=torch.bool), steps=3).square().sum().backward()
    assert storages.floats == 32 * 32, "all weights would be 4·32²"


@pytest.mark.parametrize("make", [Softmax, Sparsemax])
@pytest.mark.parametrize("gradient", ["unrolled", "implicit", "last"])
def test_memory_grows_with_the_steps_only_if_gradients_are_unrolled(gradient, make):
    def saved(steps: int) -> int:
        sizes: list[int] = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            iteration = Iteration(steps, gradient=gradient)
            association(*operands(), separation=make(0.8), iteration=iteration)
        return sum(sizes)

    few, many = saved(3), saved(30)
    assert few > 0, "premise: something is saved"
    assert many > 9 * few if gradient == "unrolled" else many == few


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("heads", [1, 2], ids=["per entry", "per head"])
def test_a_mask_per_entry_becomes_floats_one_block_at_a_time(heads, steps, monkeypatch):
    """torch's attention makes floats of a mask, and would keep them for each softmax."""
    n = 32
    monkeypatch.setattr(blockwise, "BLOCK", heads * n * n)
    given = [draw(3, heads, n, 4, seed=i).double().requires_grad_() for i in range(3)]
    mask = draw(3, heads, n, n, seed=4) > 0.5
    mask[0, 0, 1] = True  # one state may read nothing
    with Largest() as storages:
        output = read(Softmax(0.8), given, mask, steps)
        kept = storages.alive()
        by_blocks = gradients(output, given)
    assert 0 < max(kept) < n * n, "floats of a mask are kept"
    assert storages.floats == heads * n * n, "all masks would be three times that"
    with torch.no_grad():
        torch.testing.assert_close(read(Softmax(0.8), given, mask, steps), output)
    monkeypatch.setattr(blockwise, "BLOCK", 10**9)
    expected = read(Softmax(0.8), given, mask, steps)
    torch.testing.assert_close(output, expected)
    for one, other in zip(by_blocks, gradients(expected, given), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("make", [Softmax, Sparsemax])
def test_dropout_costs_three_times_all_weights_for_any_number_of_steps(make, steps):
    given = [draw(2, 2, 64, 4, seed=i).requires_grad_() for i in range(3)]
    with Largest() as storages, torch.random.fork_rng(devices=[]):
        output = association(*given, separation=make(0.8), iteration=Iteration(steps), dropout=0.5)
        kept = storages.alive()
    assert output.requires_grad
    assert sum(size >= 2 * 2 * 64 * 64 for size in kept) == 3


# ---- kernels

ROWS = {
    "normal": draw(40, 17),
    "one": draw(5, 1),
    "ties": torch.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]),
    "hidden": torch.tensor([[0.5, torch.finfo(torch.float32).min / 64, 0.0]]),
    "far": torch.tensor([[300.0, 0.0, -1e30], [0.0, -torch.inf, -0.1]]),
}


@pytest.mark.parametrize(
    ("name", "alpha", "dtype"), rotate(ROWS, [1.5, 2.0], [torch.float32, torch.float64])
)
def test_kernels_compute_what_torch_computes(name, alpha, dtype):
    rows = ROWS[name]
    results = []
    for kernel in kernels.BACKENDS:
        scores = rows.to(dtype).requires_grad_()
        beta = torch.linspace(0.5, 3, len(rows), dtype=dtype)
        with backend(kernel):
            weights = Entmax(alpha, beta)(scores)
            above = draw(*rows.shape, seed=3).to(dtype)
            results.append((weights.detach(), *torch.autograd.grad(weights, scores, above)))
    eps = torch.finfo(dtype).eps
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("name", kernels.BACKENDS)
def test_nan_stays_in_its_row(name):
    scores = torch.tensor([[1.0, torch.nan, 0.0], [1.0, 0.5, 0.0]], requires_grad=True)
    with backend(name):
        weights = Sparsemax(1.0)(scores)
        (by,) = torch.autograd.grad(weights, scores, torch.eye(3)[:2])
    assert weights[0].isnan().all() and by[0].isnan().all()
    torch.testing.assert_close(by[1], torch.tensor([-0.5, 0.5, 0.0]))
    torch.testing.assert_close(weights[1], torch.tensor([0.75, 0.25, 0.0]))


def test_the_size_of_a_call_decides_about_its_kernel():
    few, many = torch.empty(3), torch.empty(2**20)
    for _ in range(3):
        assert not kernels.large(few.numel(), few)
        assert kernels.large(many.numel(), many)
    with backend("torch"):
        assert not kernels.large(many.numel(), many)
    with backend("fused"):
        assert kernels.large(few.numel(), few)
        assert not kernels.large(1, torch.empty(1, device="meta"))


def test_kernels_of_blocks_compute_what_torch_computes(monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK", 20)
    results = []
    for name in kernels.BACKENDS:
        given = operands()
        with backend(name):
            output = read(Entmax(1.5, 0.8), given, HIDDEN)
            results.append((output, *gradients(output, given)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
