"""Both backends give the same answers to the bit, and the choice between them is the caller's."""

import pickle
import subprocess
import sys
import threading
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
import torch.multiprocessing

from cases import seeded
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    backend,
    kernels,
    rules,
)
from hopfield.coupling import FullCoupling, LowRankCoupling
from hopfield.errors import OptionError
from hopfield.exact import exact_signs
from hopfield.packing import pack, unpack

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def signs(*shape, seed=0):
    return torch.where(torch.rand(*shape, generator=seeded(seed)) < 0.5, -1.0, 1.0)


def mask(*shape, seed=1):
    return torch.rand(*shape, generator=seeded(seed)) < 0.3


def cues_of(patterns, count=19):
    """Damaged patterns with unknown units; of the last cue nothing is known."""
    cues = patterns[torch.arange(count) % len(patterns)].clone()
    cues[mask(*cues.shape, seed=2)] *= -1
    cues[mask(*cues.shape, seed=3)] = 0
    cues[-1:] = 0
    return cues


def on_both(ask):
    found = []
    for name in kernels.BACKENDS:
        with backend(name):
            found.append(ask())
    return found


def assert_same(ask):
    one, other = on_both(ask)
    for name in ("state", "steps", "converged", "energy", "index", "weight", "entropy", "trace"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None and theirs is None) or torch.equal(mine, theirs), name
    return one


@pytest.fixture
def counted(monkeypatch):
    """The families whose kernels served a call."""
    served = []

    def fused(family, *given):
        answer = asked(family, *given)
        served.extend([family] if answer else [])
        return answer

    asked = kernels.fused
    monkeypatch.setattr(kernels, "fused", fused)
    return served


# ---- the choice


def test_an_unknown_backend_is_named():
    with pytest.raises(OptionError, match="'torch', 'fused'"):
        backend("numba")


def test_a_backend_is_forced_inside_the_block_only():
    assert kernels._forced.get() is None
    with backend("torch"):
        with backend("fused"):
            assert kernels._forced.get() == "fused"
        assert kernels._forced.get() == "torch"
    assert kernels._forced.get() is None


@pytest.mark.parametrize("name", kernels.BACKENDS)
def test_what_is_forced_is_what_runs(name, counted):
    memory = ClassicalHopfield()
    memory.store(signs(2, 30))
    with backend(name):
        memory.retrieve(signs(30))
    assert set(counted) == ({"classical"} if name == "fused" else set())


SCRIPT = """
import sys, torch, hopfield
memory = hopfield.ClassicalHopfield()
memory.store(torch.ones(1, 50))
hopfield.kernels.fused("classical", {steps}, 0)
memory.retrieve(torch.ones(50))
print("numba" in sys.modules)
"""


@pytest.mark.parametrize(("steps", "loads"), [(1000, False), (10**6, True)])
def test_kernels_are_loaded_once_enough_work_came_by(steps, loads):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(steps=steps)], capture_output=True, text=True
    )
    assert done.stdout.split() == [str(loads)], done.stderr


WITHOUT = """
import sys
sys.modules["numba"] = None  # importing it fails
import torch, hopfield
from hopfield import kernels
from hopfield.errors import MissingExtraError
generator = torch.Generator().manual_seed(0)
rows = torch.randn(40, 30, generator=generator).sign()
cues = rows * (torch.rand(40, 30, generator=generator) < 0.8)
kernels.LARGE = 1
memories = [hopfield.ClassicalHopfield(store=hopfield.PackedStore())]
memories += [hopfield.ClassicalHopfield("storkey")]
memories += [hopfield.DenseHopfield(schedule=s, store=hopfield.PackedStore())
             for s in ("synchronous", "asynchronous")]
memories += [hopfield.ModernHopfield(separation=s)
             for s in (hopfield.Sparsemax(), hopfield.Entmax(1.3))]
for memory in memories:
    memory.store(rows)
    for family in kernels.SAVES:
        assert not kernels.fused(family, 10**9, 0)
    assert memory.retrieve(cues).state.isfinite().all()
try:
    hopfield.backend("fused")
except MissingExtraError as error:
    print(error)
"""


def test_everything_works_without_numba():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT], capture_output=True, text=True
    )
    assert "pip install 'hopfield[fast]'" in done.stdout, done.stderr


def test_only_the_cpu_has_kernels():
    with backend("fused"):
        assert not kernels.fused("classical", 1, 1, torch.empty(1, device="meta"))
        assert kernels.fused("classical", 1, 1, torch.empty(1))


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_cover_everything_once(count, threads):
    before, parts = torch.get_num_threads(), []
    torch.set_num_threads(threads)
    try:
        kernels.in_parts(count, 1.0, lambda start, stop: parts.append((start, stop)))
    finally:
        torch.set_num_threads(before)
    assert sorted(i for start, stop in parts for i in range(start, stop)) == list(range(count))
    assert len(parts) == max(1, min(count, threads))


def test_an_error_in_a_thread_is_raised():
    def work(start, stop):
        raise OSError(f"{stop}")

    with pytest.raises(OSError, match=r"\d"):
        kernels.in_parts(4, 1.0, work)


def test_kernels_serve_where_nothing_can_hold_their_cache():
    import numba

    from hopfield.kernels.compiling import kernel, summing

    double = eval("lambda x: 2 * x")  # of no file, so that there is no place for its cache
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(double)
    assert kernel(double)(4) == summing(double)(4) == 8


# ---- the classical network


@pytest.mark.parametrize("rule", rules.RULES)
@pytest.mark.parametrize(
    ("n", "dim", "dtype"),
    [(1, 9, torch.float32), (3, 32, torch.float32), (20, 32, torch.float64)],
)
@pytest.mark.parametrize(
    "options", [{}, {"diagonal": True}, {"temperature": 0.5}, {"thresholds": True}]
)
def test_classical_sweeps_agree(rule, n, dim, dtype, options):
    if "thresholds" in options:
        options = {"thresholds": torch.randint(-2, 3, (dim,), generator=seeded(5)) / 4}
    patterns = signs(n, dim).to(dtype)
    memory = ClassicalHopfield(rule, **options)
    memory.store(patterns)
    cues = cues_of(patterns)
    found = assert_same(lambda: memory.retrieve(cues, steps=4, trace=True))
    assert "temperature" in options or found.steps.unique().numel() > 1, "premise: some sweeps"
    assert_same(lambda: memory.retrieve(Cue(cues, mask(*cues.shape) & (cues != 0)), steps=4))
    assert_same(
        lambda: memory.retrieve(Cue(cues, mask(*cues.shape) & (cues != 0)), clamp=False, steps=4)
    )
    assert_same(
        lambda: memory.retrieve(Cue(patterns, patterns == patterns))
    )  # no unit is left to visit


@pytest.mark.parametrize("count", [1, 7, 8, 127, 128, 129, 140])
def test_sweeps_of_any_batch_agree(count):
    patterns = signs(11, 50)
    memory = ClassicalHopfield()
    memory.store(patterns)
    assert_same(lambda: memory.retrieve(cues_of(patterns, count), steps=3))


@pytest.mark.parametrize("rule", ["hebbian", "storkey", "pseudo_inverse"])
def test_answers_survive_pickling_for_another_process(rule):
    """Pickling moves tensors to shared memory: no cache may go on reading where they were."""
    patterns = signs(8, 40)
    memory = ClassicalHopfield(rule)
    memory.store(patterns)
    with backend("fused"):
        before = memory.update(cues_of(patterns))
        sent = ForkingPickler.dumps(memory)
        memory.update(torch.zeros(300, 40))  # takes the memory that was freed
        assert torch.equal(memory.update(cues_of(patterns)), before)
        assert torch.equal(pickle.loads(sent).update(cues_of(patterns)), before)
    learned = memory._coupling()
    assert "_columns" not in learned.__getstate__() and "without_diagonal" in vars(learned)


def test_both_couplings_have_a_kernel():
    forms = set()
    for n in (3, 20):
        memory = ClassicalHopfield()
        memory.store(signs(n, 32))
        forms.add(type(memory._coupling()))
    assert forms == {LowRankCoupling, FullCoupling}, "premise of the test above"


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (3, 2), ()])
def test_classical_batches_of_any_shape(shape):
    patterns = signs(3, 20)
    memory = ClassicalHopfield()
    memory.store(patterns)
    cues = signs(*shape, 20, seed=4)
    assert assert_same(lambda: memory.retrieve(cues)).steps.shape == shape


@pytest.mark.parametrize("n", [3, 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_classical_sweeps_agree_whatever_way_states_lie_in_memory(n, dtype):
    memory = ClassicalHopfield()
    memory.store(signs(n, 32).to(dtype))
    state = signs(19, 32, seed=4).to(dtype)
    turned = state.T.contiguous().T
    assert not turned.is_contiguous(), "premise: another layout"
    for ask in (memory.update, lambda cue: memory.retrieve(cue).state):
        straight, *other = (
            *on_both(lambda ask=ask: ask(state)),
            *on_both(lambda ask=ask: ask(turned)),
        )
        assert not torch.equal(straight, state), "premise: something moves"
        assert all(torch.equal(straight, each) for each in other)


def test_a_tie_keeps_the_present_value_whatever_the_rounding():
    patterns, cues = signs(1, 47), signs(200, 47, seed=1)
    memory = ClassicalHopfield("pseudo_inverse", schedule="synchronous")
    memory.store(patterns)
    tied = ((cues * patterns).sum(-1, keepdim=True) - cues * patterns) == 0  # Σ_{j≠i} x_j z_j
    coupling = memory._coupling()
    raw = coupling.field_from(coupling.products(cues), cues)
    assert (raw[tied] != 0).any(), "premise: rounding makes something of a zero field"
    assert torch.equal(memory.update(cues)[tied], cues[tied])


def test_a_cue_wider_than_the_patterns():
    patterns = signs(3, 40)
    memory = ClassicalHopfield()
    memory.store(patterns)
    found = assert_same(lambda: memory.retrieve(cues_of(patterns).double()))
    assert found.state.dtype == found.energy.dtype == torch.float64
    with backend("torch"):
        assert torch.equal(found.state.float(), memory.retrieve(cues_of(patterns)).state)


def test_threads_of_the_caller_do_not_disturb_each_other():
    patterns = signs(5, 400)
    memory = ClassicalHopfield()
    memory.store(patterns)
    cues = cues_of(patterns, 50)
    expected = memory.retrieve(cues).state
    found = []

    def ask():
        with backend("fused"):
            found.append(memory.retrieve(cues).state)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(each, expected) for each in found)


# ---- dense networks

SEPARATIONS = [
    *(Softmax(beta) for beta in (0.0, 0.01, 0.3, 50.0, float("inf"))),
    *(Polynomial(degree) for degree in (1, 2, 3, 10)),
    *(RectifiedPolynomial(degree) for degree in (1, 3, 8)),
]


@pytest.mark.parametrize("separation", SEPARATIONS, ids=str)
@pytest.mark.parametrize(
    ("n", "dim", "dtype"),
    [(1, 5, torch.float32), (8, 16, torch.float32), (70, 20, torch.float64)],
)
def test_dense_sweeps_agree(separation, n, dim, dtype):
    patterns = signs(n, dim).to(dtype)
    memory = DenseHopfield(separation=separation, schedule="asynchronous")
    memory.store(patterns)
    cues = cues_of(patterns)
    assert_same(lambda: memory.retrieve(cues, steps=3, trace=True))
    known = mask(*cues.shape) & (cues != 0)
    assert_same(lambda: memory.retrieve(Cue(cues, known), steps=3))
    assert_same(lambda: memory.retrieve(Cue(cues, known), clamp=False, steps=3))
    memory.store(signs(5, dim, seed=6).to(dtype))  # other signs than the kernel has seen
    assert_same(lambda: memory.retrieve(cues, steps=3))


def test_a_kernel_asks_for_exact_decisions(monkeypatch):
    patterns, cue = signs(2, 9), signs(30, 9, seed=1)
    memory = DenseHopfield(0.7, schedule="asynchronous")
    memory.store(patterns)
    asked = []

    def counting(levels, found, separation, prior=None):
        asked.append(len(levels))
        return exact_signs(levels, found, separation, prior)

    monkeypatch.setattr("hopfield.units.dense.exact_signs", counting)
    with backend("fused"):
        fused = memory.update(cue)
    assert 1 < len(asked) < sum(asked), "premise: several queries at once, several times"
    with backend("torch"):
        assert torch.equal(memory.update(cue), fused)


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (3, 2), ()])
def test_dense_batches_of_any_shape(shape):
    patterns = signs(3, 20)
    memory = DenseHopfield(0.5, schedule="asynchronous")
    memory.store(patterns)
    cues = signs(*shape, 20, seed=4)
    assert assert_same(lambda: memory.retrieve(cues)).steps.shape == shape


# ---- bits


@pytest.mark.parametrize("dim", [1, 8, 63, 64, 65, 784])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_signs_survive_packing(dim, dtype):
    rows = signs(3, dim).to(dtype)
    words = pack(rows)
    assert words.shape == (3, -(-dim // 64))
    assert words.dtype == torch.int64
    assert torch.equal(unpack(words, dim, dtype), rows)
    bits = [words[1, i // 64].item() >> (i % 64) & 1 for i in range(64 * words.shape[1])]
    assert bits[:dim] == (rows[1] > 0).int().tolist()
    assert not any(bits[dim:])
