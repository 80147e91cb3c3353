"""Patterns held as bits: the same answers, a 32nd of the memory."""

import json
import zlib

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import hopfield
from draws import generator, signs
from hopfield import ClassicalHopfield, Cue, DenseHopfield, Polynomial, backend, kernels
from hopfield.errors import EmptyMemoryError, FileFormatError
from hopfield.stores import Block, PackedStore

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

MEMORIES = {
    "hebbian": lambda store: ClassicalHopfield(store=store),
    "storkey": lambda store: ClassicalHopfield("storkey", schedule="synchronous", store=store),
    "softmax": lambda store: DenseHopfield(0.3, store=store),
    "asynchronous": lambda store: DenseHopfield(0.3, schedule="asynchronous", store=store),
    "polynomial": lambda store: DenseHopfield(separation=Polynomial(3), store=store),
}
every_memory = pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
every_backend = pytest.mark.parametrize("name", kernels.BACKENDS)
FIELDS = ("state", "steps", "converged", "energy", "index", "weight", "entropy", "value")


def cues_of(shape, seed=1):
    return torch.randint(-1, 2, shape, generator=generator(seed)).float()


def assert_same(one, other):
    for name in FIELDS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None and theirs is None) or torch.equal(mine, theirs), name


def plain_and_packed(make, patterns, values=None):
    both = make(None), make(PackedStore())
    for memory in both:
        memory.store(patterns, values)
    return both


@every_backend
@every_memory
@pytest.mark.parametrize(
    ("n", "dim", "dtype"),
    [(3, 5, torch.float32), (70, 64, torch.float16), (530, 100, torch.float64)],
)
def test_answers_are_the_same(make, n, dim, dtype, name):
    values = torch.randn(n, 2, generator=generator(3))
    plain, packed = plain_and_packed(make, signs(n, dim).to(dtype), values)
    cues = cues_of((2, 3, dim)).to(dtype)
    known = torch.rand(2, 3, dim, generator=generator(2)) < 0.3
    with backend(name):
        assert_same(packed.retrieve(cues, steps=3), plain.retrieve(cues, steps=3))
        cue = Cue(cues, known & (cues != 0))
        assert_same(packed.retrieve(cue, steps=3), plain.retrieve(cue, steps=3))
        assert torch.equal(packed.energy(cues), plain.energy(cues))


@every_memory
def test_storing_removing_and_moving(make):
    rows = signs(90, 70)
    plain, packed = plain_and_packed(make, rows[:50])
    for memory in (plain, packed):
        memory.store(rows[50:])
        memory.remove([0, 3, 89])
        memory.to(dtype=torch.float64)
    assert torch.equal(packed.patterns, plain.patterns)
    assert packed.patterns.dtype == torch.float64
    assert repr(packed).replace(", store=PackedStore()", "") == repr(plain)
    cues = cues_of((4, 70))
    assert_same(packed.retrieve(cues, steps=3), plain.retrieve(cues, steps=3))
    packed.remove(range(87))
    with pytest.raises(EmptyMemoryError):
        packed.retrieve(cues)
    packed.store(signs(2, 3))  # an emptied memory is like a new one
    assert torch.equal(packed.patterns, signs(2, 3))


@every_memory
def test_files_hold_the_bits(make, tmp_path):
    values = torch.arange(200)
    plain, packed = plain_and_packed(make, signs(200, 640), values)
    plain.save(tmp_path / "plain")
    packed.save(tmp_path / "packed")
    saved = [(tmp_path / name).stat().st_size for name in ("plain", "packed")]
    assert saved[0] - saved[1] > 200 * 640 * 4 * 0.95
    again = hopfield.load(tmp_path / "packed")
    assert isinstance(again.storage, PackedStore)
    assert again.patterns.dtype == torch.float32
    cues = cues_of((4, 640))
    assert_same(again.retrieve(cues, steps=2), plain.retrieve(cues, steps=2))


def test_a_file_whose_bits_do_not_fit_is_refused(tmp_path):
    memory = DenseHopfield(store=PackedStore())
    memory.store(signs(3, 70))
    memory.save(tmp_path / "file")
    with safe_open(tmp_path / "file", "pt") as file:
        facts, patterns = file.metadata(), file.get_tensor("patterns")
    facts["memory"] = facts["memory"].replace('"dim": 70', '"dim": 200')
    sums = json.loads(facts["crc32"]) | {"memory": zlib.crc32(facts["memory"].encode())}
    facts["crc32"] = json.dumps(sums)
    save_file({"patterns": patterns}, tmp_path / "file", facts)
    with pytest.raises(FileFormatError, match="Save it again"):
        hopfield.load(tmp_path / "file")


def test_the_store_takes_a_bit_an_entry():
    store = PackedStore()
    for start in range(0, 1000, 100):
        store.append(signs(100, 640, seed=start))
    assert store.words.shape == (1000, 10)
    assert store._buffers[0].numel() * 8 <= 2 * 1000 * 640 / 8, "room grows by doubling"
    assert torch.equal(store.take(torch.tensor([5, 105]))[1], signs(100, 640, seed=100)[5])
    assert torch.equal(store.summary().squared_norms, torch.full((1000,), 640.0))


def test_a_store_knows_the_form_of_its_rows_and_values():
    def form(store):
        like = store.empty_values()
        return store.dim, store.dtype, store.device, like.shape, like.dtype, like.device

    cpu, float64, store = torch.device("cpu"), torch.float64, PackedStore()
    store.append(signs(3, 70), torch.zeros(3, 2))
    expected = (70, torch.float32, cpu, (0, 2), torch.float32, cpu)
    assert form(store) == expected
    store.append(signs(4, 70), torch.zeros(4, 2))
    store.remove(torch.tensor([0, 5]))
    assert form(store) == expected and len(store) == 5
    assert store.to(dtype=float64) is store
    assert form(store) == (70, float64, cpu, (0, 2), float64, cpu)
    block = store.blocks(4)[1]
    assert store.rows.dtype == block.rows.dtype == float64 and block.rows.shape == (1, 70)
    meta = PackedStore()
    meta.append(signs(3, 70), torch.zeros(3, dtype=torch.long))
    meta.to("meta", torch.float16)
    meta_device = torch.device("meta")
    assert form(meta) == (70, torch.float16, meta_device, (0,), torch.long, meta_device)
    store.remove(torch.arange(5))
    store.append(signs(2, 3).half())  # an emptied store is like a new one
    assert (store.dim, store.dtype, store.empty_values()) == (3, torch.float16, None)


@every_backend
@pytest.mark.parametrize("dim", [1, 63, 64, 65, 300, 520])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_compute_as_plain_ones_do(name, dim, dtype):
    rows, store = signs(700, dim).to(dtype), PackedStore()
    store.append(rows)
    for block in store.blocks(300):
        plain = Block(block.start, rows[block.start : block.stop])
        states = signs(2, 3, dim, seed=4).to(dtype)
        unknown = cues_of((5, dim)).to(dtype)
        weights = torch.rand(2, len(block), generator=generator(5), dtype=dtype)
        with backend(name):
            for asked in (states, unknown, unknown[0], unknown[:0], states / 3):
                found, expected = block.scores(asked), plain.scores(asked)
                assert found.dtype == dtype
                torch.testing.assert_close(found, expected)
            assert torch.equal(block.scores(unknown), plain.scores(unknown))
            torch.testing.assert_close(block.weighted_sum(weights), plain.weighted_sum(weights))
        assert torch.equal(block.rows, plain.rows)
        assert torch.equal(block.squares(None), plain.squares(None))
        mask = unknown.abs()
        assert torch.equal(block.squares(mask), plain.squares(mask))


@pytest.mark.parametrize("count", [1, 511, 512, 513, 1100])
@pytest.mark.parametrize("batch", [1, 3, 4, 5, 9])
def test_counts_over_borders_of_tiles(count, batch):
    for dim in (1, 64, 130, 200):
        rows, store = signs(count, dim, seed=dim), PackedStore()
        store.append(rows)
        states = cues_of((batch, dim), seed=count)
        with backend("fused"):
            assert torch.equal(store.blocks(count)[0].scores(states), states @ rows.T)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(threads):
    rows, store = signs(5000, 130), PackedStore()
    store.append(rows)
    states, before = signs(40, 130, seed=1), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with backend("fused"):
            assert torch.equal(store.blocks(5000)[0].scores(states), states @ rows.T)
    finally:
        torch.set_num_threads(before)
