"""Reads by blocks, and the kernels in them: the same answers, gradients and second derivatives."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from hopfield import Entmax, Softmax, Sparsemax, TopK, backend, kernels
from hopfield.nn import Iteration
from hopfield.nn import blockwise as blocks
from hopfield.nn.functional import association
from nn_layers import draw

GROUPS, HEADS, STATES, STORED, DIM = 3, 2, 5, 6, 4


def parts() -> list[torch.Tensor]:
    shapes = ((STATES, DIM), (STORED, DIM), (STORED, 3))
    made = [draw(GROUPS, HEADS, *shape, seed=i).double() for i, shape in enumerate(shapes)]
    return [part.requires_grad_() for part in made]


HIDDEN = draw(GROUPS, 1, STATES, STORED, seed=5) > 0.5
HIDDEN[0, 0, 1] = True  # one state may read nothing
MASKS = {
    "none": None,
    "padding": HIDDEN[:, :, :1],
    "association": HIDDEN,
    "of all": HIDDEN[1, 0],
}
ALPHA = torch.tensor([[1.3], [1.8]], dtype=torch.float64, requires_grad=True)
SEPARATIONS = {
    "sparsemax": lambda: Sparsemax(0.8),
    "entmax": lambda: Entmax(1.5, 0.8),
    "entmax, learned": lambda: Entmax(ALPHA, 0.8),
    "topk": lambda: TopK(2, 0.8),
}
every_separation = pytest.mark.parametrize("make", SEPARATIONS.values(), ids=SEPARATIONS)
every_limit = pytest.mark.parametrize("limit", [1, 20, 2 * 5 * 6, 2**20])


def read(separation, given, mask=None, steps=2):
    return association(*given, separation=separation, mask=mask, iteration=Iteration(steps))


def slopes(found: torch.Tensor, wanted: list[torch.Tensor], **how) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(found.square().sum(), wanted, **how)


@pytest.mark.parametrize("shape", [(3, 2, 5, 6), (1, 1, 1, 1), (2, 7, 3, 4)])
@pytest.mark.parametrize("limit", [1, 6, 11, 30, 61, 10**6])
def test_blocks_cover_each_row_once(shape, limit):
    g, h, m, n = shape
    seen = torch.zeros(g, h, m)
    for span in blocks.split_blocks(*shape, limit):
        part = span.of(seen)
        assert part.numel() * n <= max(limit, n)
        part += 1
    assert (seen == 1).all()


@every_limit
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@every_separation
def test_blocks_change_nothing(make, mask, limit, monkeypatch):
    given = parts()
    wanted = [*given, ALPHA] if make is SEPARATIONS["entmax, learned"] else given
    monkeypatch.setattr(blocks, "BLOCK", 10**9)
    expected = read(make(), given, mask)
    first = slopes(expected, wanted)
    monkeypatch.setattr(blocks, "BLOCK", limit)
    found = read(make(), given, mask)
    torch.testing.assert_close(found, expected)
    for one, other in zip(slopes(found, wanted), first, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        assert torch.equal(read(make(), given, mask), found)


@every_separation
def test_second_derivatives_of_blocks(make, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 20)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.autograd.gradgradcheck(
            lambda *x: read(make(), x, HIDDEN), parts(), fast_mode=True, atol=1e-4
        )


def test_axes_that_broadcast_and_more_of_them(monkeypatch):
    state, stored = draw(2, 1, 3, 4, 5).double(), draw(2, 6, 5, seed=1).double()[:, None, None]
    monkeypatch.setattr(blocks, "BLOCK", 10)
    state.requires_grad_()
    hidden = draw(3, 4, 6, seed=2) > 0.5
    found = association(state, stored, separation=Sparsemax(1.0), mask=hidden)
    assert found.shape == (2, 1, 3, 4, 5)
    for i in range(3):
        one = association(
            state[:, 0, i], stored[:, 0, 0], separation=Sparsemax(1.0), mask=hidden[i]
        )
        torch.testing.assert_close(found[:, 0, i], one)
    assert slopes(found, [state])[0].shape == state.shape


class Largest(TorchDispatchMode):
    """The most entries that any operator gave."""

    entries = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        found = operator(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple) else (found,):
            if isinstance(one, torch.Tensor):
                self.entries = max(self.entries, len(one.untyped_storage()) // one.itemsize)
        return found


@every_separation
def test_no_more_than_a_block_of_weights_is_in_memory(make, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 64 * 64)
    given = [draw(2, 2, 64, 4, seed=i).double().requires_grad_() for i in range(3)]
    with Largest() as watch:
        read(make(), given, torch.eye(64, dtype=torch.bool), steps=3).square().sum().backward()
    assert watch.entries == 64 * 64, "all weights would be 4·64²"


@pytest.mark.parametrize("make", [Softmax, Sparsemax])
@pytest.mark.parametrize("gradient", ["unrolled", "implicit", "last"])
def test_what_is_kept_grows_with_the_steps_only_where_it_must(gradient, make):
    def kept(steps: int) -> int:
        sizes: list[int] = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            iteration = Iteration(steps, gradient=gradient)
            association(*parts(), separation=make(0.8), iteration=iteration)
        return sum(sizes)

    few, many = kept(3), kept(30)
    assert few > 0, "premise: something is kept"
    assert many > 9 * few if gradient == "unrolled" else many == few


class Numbers(TorchDispatchMode):
    """Every storage of numbers that any operator gave, and how many it has room for."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[StorageWeakRef, int]] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        found = operator(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple) else (found,):
            if isinstance(one, torch.Tensor) and one.is_floating_point():
                storage = one.untyped_storage()
                self.found.append((StorageWeakRef(storage), len(storage) // one.itemsize))
        return found


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("heads", [1, 2], ids=["of each entry", "of each head"])
def test_a_mask_of_each_entry_becomes_numbers_a_block_at_a_time(heads, steps, monkeypatch):
    """torch's attention makes numbers of a mask, and would keep them for each softmax."""
    monkeypatch.setattr(blocks, "BLOCK", heads * 64 * 64)
    given = [draw(3, heads, 64, 4, seed=i).double().requires_grad_() for i in range(3)]
    mask = draw(3, heads, 64, 64, seed=4) > 0.5
    mask[0, 0, 1] = True  # one state may read nothing
    with Numbers() as watch:
        found = read(Softmax(0.8), given, mask, steps)
        kept = [size for storage, size in watch.found if not storage.expired()]
        by_blocks = slopes(found, given)
    assert 0 < max(kept) < 64 * 64, "numbers of a mask are kept"
    assert max(size for _, size in watch.found) == heads * 64 * 64, "of all: three times that"
    with torch.no_grad():
        assert torch.equal(read(Softmax(0.8), given, mask, steps), found)
    monkeypatch.setattr(blocks, "BLOCK", 10**9)
    expected = read(Softmax(0.8), given, mask, steps)
    torch.testing.assert_close(found, expected)
    for one, other in zip(by_blocks, slopes(expected, given), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("make", [Softmax, Sparsemax])
def test_dropout_costs_three_times_all_weights_whatever_the_steps(make, steps):
    given = [draw(2, 2, 64, 4, seed=i).requires_grad_() for i in range(3)]
    with Numbers() as watch, torch.random.fork_rng(devices=[]):
        found = association(*given, separation=make(0.8), iteration=Iteration(steps), dropout=0.5)
        sizes = {s.cdata: size for s, size in watch.found if not s.expired()}
    assert found.requires_grad
    assert sum(size >= 2 * 2 * 64 * 64 for size in sizes.values()) == 3


# ---- kernels

ROWS = {
    "normal": draw(40, 17),
    "one": draw(5, 1),
    "ties": torch.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]),
    "hidden": torch.tensor([[0.5, torch.finfo(torch.float32).min / 64, 0.0]]),
    "far": torch.tensor([[300.0, 0.0, -1e30], [0.0, -torch.inf, -0.1]]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_kernels_compute_what_torch_computes(alpha, rows, dtype):
    found = []
    for name in kernels.BACKENDS:
        scores = rows.to(dtype).requires_grad_()
        beta = torch.linspace(0.5, 3, len(rows), dtype=dtype)
        with backend(name):
            weights = Entmax(alpha, beta)(scores)
            above = draw(*rows.shape, seed=3).to(dtype)
            found.append((weights.detach(), *torch.autograd.grad(weights, scores, above)))
    eps = torch.finfo(dtype).eps
    for one, other in zip(*found, strict=True):
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


def test_a_call_alone_decides_about_its_kernel():
    few, many = torch.empty(3), torch.empty(2**20)
    for _ in range(3):
        assert not kernels.large(few.numel(), few)
        assert kernels.large(many.numel(), many)
    with backend("torch"):
        assert not kernels.large(many.numel(), many)
    with backend("fused"):
        assert kernels.large(few.numel(), few)
        assert not kernels.large(1, torch.empty(1, device="meta"))


def test_blocks_of_kernels_agree_with_torch(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 20)
    found = []
    for name in kernels.BACKENDS:
        given = parts()
        with backend(name):
            answer = read(Entmax(1.5, 0.8), given, HIDDEN)
            found.append((answer, *slopes(answer, given)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
