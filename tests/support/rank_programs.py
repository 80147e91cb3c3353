"""Programs that tests of several processes run on each rank: `python rank_programs.py NAME …`."""

import re
import sys
import time
from collections.abc import Callable
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor

from hopfield import (
    Cue,
    DenseHopfield,
    Entmax,
    Epanechnikov,
    KSubsets,
    ModernHopfield,
    Normmax,
    RamStore,
    Separation,
    Softmax,
    Sparsemax,
    Store,
    TopK,
)
from hopfield.errors import InputTypeError, OptionError, WorkerLostError
from hopfield.memories import gaps
from hopfield.stores import DiskStore, ShardedStore
from hopfield.stores.sharded import group, runs
from hopfield.stores.sharded.group import rank_group
from rank_stores import TIMEOUT, join_ranks


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Return normal numbers in float64, the same on every rank."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=source, dtype=torch.float64)


KINDS: dict[str, Callable[[Tensor], Separation]] = {
    "softmax": Softmax,
    "sharp": lambda beta: Softmax(20 * beta),
    "sparsemax": Sparsemax,
    "entmax": lambda beta: Entmax(1.5, beta),
    "normmax": lambda beta: Normmax(2.0, beta),
    "k-subsets": lambda beta: KSubsets(2, beta),
    "top-k": lambda beta: TopK(2, beta),
    "epanechnikov": lambda beta: Epanechnikov(beta / 6),
}


def _gradients_of(name: str, has_gaps: bool, store: Store) -> list[Tensor]:
    # Of three chained updates and an energy, in the cues and in β, and of their squares.
    beta = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    rows, known = drawn(40, 8), drawn(40, 8, seed=4) > -0.3
    cues = (rows[:5] + 0.3 * drawn(5, 8, seed=1)).requires_grad_()
    memory = ModernHopfield(separation=KINDS[name](beta), similarity="euclidean", store=store)
    memory.store(Cue(rows, known) if has_gaps else rows)
    state, read_entries = cues, gaps._Reader.read_entries
    with mock.patch.object(gaps._Reader, "read_entries", autospec=True) as again:
        again.side_effect = read_entries
        for _ in range(3):
            state = memory.update(state)
    assert again.called == has_gaps or name == "softmax", "premise: entries are read again"
    loss = (state * drawn(5, 8, seed=2)).sum() + memory.energy(cues).square().sum()
    first = torch.autograd.grad(loss, (cues, beta), create_graph=True, allow_unused=True)
    second = torch.autograd.grad(first[0].square().sum(), cues)
    return [state, loss, first[0], torch.zeros(()) if first[1] is None else first[1], *second]


def gradients() -> None:
    """Compare gradients with those of one process, for rows that are divided or all on one rank."""
    for name, has_gaps in product(KINDS, (False, True)):
        one = _gradients_of(name, has_gaps, RamStore())
        assert float(one[2].detach().abs().max()) > 1e-3, "premise: cues have a gradient"
        for runs.LEAST_SHARE in (1, 64):
            store = ShardedStore()
            many = _gradients_of(name, has_gaps, store)
            counts, world = store._runs.counts(dist.get_world_size()), dist.get_world_size()
            assert (0 in counts) == (runs.LEAST_SHARE > 1 and world > 1), "premise: empty ranks"
            for wanted, found in zip(one, many, strict=True):
                wanted, found = wanted.detach(), found.detach()
                scale = float(wanted.abs().max()) or 1.0
                assert float((wanted - found).abs().max()) <= 1e-12 * scale, (name, has_gaps)


def networks(page: str) -> None:
    """Run the code of a page on each rank, and compare its gradients with those of one process."""
    torch.set_default_dtype(torch.float64)
    rank, world = dist.get_rank(), dist.get_world_size()
    whole, own, sizes = RamStore(), RamStore(), [4 + r if r != 1 else 0 for r in range(world)]
    whole.append(drawn(sum(sizes), 16))
    if sizes[rank]:
        own.append(drawn(sum(sizes), 16).split(sizes)[rank])
    marker = "loss.backward()"
    codes = [part.partition("```")[0] for part in Path(page).read_text("utf-8").split("```python")]
    first, second = (code for code in codes if marker in code)
    batch = {"inputs": drawn(12, 64), "targets": drawn(12, 16, seed=1)}
    alone = run_code(first.replace("ShardedStore(table)", "table"), batch | {"table": whole})
    many = run_code(first, batch | {"table": own})
    for of in (lambda names: names["beta"].grad, lambda names: names["query"].weight.grad):
        assert_near(of(many), of(alone))
    batch = {"inputs": drawn(12, 64), "targets": drawn(12, 64, seed=1)}
    part = {name: rows.chunk(world)[rank] for name, rows in batch.items()}
    undivided = re.sub(r"(?m)^fully_shard.*$", "", second)
    for count in ("10_000", "3"):  # of 3 rows, the last of four ranks gets none
        alone, many = (
            run_code(code.replace("10_000", count), given)["layer"]
            for code, given in ((undivided, batch), (second, part))
        )
        divided = len(many.memories.to_local()) < len(alone.memories)
        assert divided == (world > 1), "premise: each rank has a part of the rows"
        for name, weight in alone.named_parameters():
            assert float(weight.grad.abs().max()) > 1e-6 or name.endswith("key.bias"), name
            assert_near(many.get_parameter(name).grad.full_tensor(), weight.grad)


def run_code(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run code with these names and fixed random numbers, and return its names."""
    torch.manual_seed(0)
    exec(code, names)
    return names


def assert_near(found: Tensor, wanted: Tensor) -> None:
    """Assert that gradients are equal within 1e-12; those of the bias of keys are 0."""
    assert float((found - wanted).abs().max()) <= 1e-12 * float(wanted.abs().max().clamp_min(1e-4))


def sums() -> None:
    """Compare sums by one exchange with sums in parts, on all ranks."""
    all_ranks, rank = rank_group(None, TIMEOUT), dist.get_rank()
    for dtype in (torch.float32, torch.float64, torch.uint8):
        parts = (9 * drawn(dist.get_world_size(), 5, 3)).to(dtype)
        wanted = reduce(torch.add, parts)
        for group.MOST_REPEATED in (-1, 2**20):
            found = all_ranks.all_gather(all_ranks.all_reduce(parts[rank]))
            assert found.dtype == dtype and torch.equal(found, wanted.expand_as(found))


def tables(path: str) -> None:
    """Compare a table that ranks share with the same table in one process."""
    cues = drawn(6, 16)[:, :16] + 0.3 * drawn(6, 16, seed=5)
    for select in (lambda store: store, lambda store: store.where("year >= 1990")):
        whole = select(DiskStore(path))
        one, many = (
            ModernHopfield(beta=1.0, similarity="euclidean", store=store)
            for store in (whole, ShardedStore(whole))
        )
        is_part = len(many.storage.store) < len(many)
        assert len(one) == len(many) and is_part == (dist.get_world_size() > 1), "premise"
        a, b = (memory.retrieve(cues.float()) for memory in (one, many))
        assert torch.equal(a.index, b.index) and list(a.name) == list(b.name)
        assert float((a.state - b.state).abs().max()) < 1e-5
        a, b = (memory.nearest(cues.float(), 5) for memory in (one, many))
        assert torch.equal(a.index, b.index) and torch.equal(a.score, b.score)
        assert many.rows(b.index[0]) == one.rows(a.index[0])
        at = torch.arange(0, len(one), 7)
        assert torch.equal(one.storage.take(at), many.storage.take(at))
        assert_raises(OptionError, "one process changes", lambda m=many: m.remove(0))


def assert_raises(kind: type[Exception], words: str, call: Callable[[], object]) -> None:
    """Assert that `call` raises an error that holds these words."""
    try:
        call()
    except kind as error:
        assert words in str(error), str(error)
    else:
        raise AssertionError(f"no {kind.__name__}: {words}")


def mistakes() -> None:
    """Make the mistakes that ranks can make."""
    rank = dist.get_rank()
    memory = ModernHopfield(beta=1.0, store=ShardedStore())
    memory.store(drawn(200, 8))
    if dist.get_world_size() > 1:
        for asked in (drawn(4, 8, seed=rank), drawn(4 + rank, 8), torch.ones(9 - rank, 8)):
            assert_raises(
                OptionError, "all ranks must ask the same", lambda x=asked: memory.retrieve(x)
            )
    assert len(memory.retrieve(drawn(4, 8)).index) == 4  # and they go on
    assert_raises(
        OptionError,
        "must be 'full' with a ShardedStore",
        lambda: ModernHopfield(beta=1.0, precision="certified", store=ShardedStore()),
    )
    assert_raises(InputTypeError, "store of one process", lambda: ShardedStore(memory.storage))
    assert_raises(InputTypeError, "group of torch.distributed", lambda: ShardedStore(group=3))
    part = RamStore()
    part.append(drawn(3, 8 + rank))
    if dist.get_world_size() > 1:
        assert_raises(OptionError, "must be alike", lambda: ShardedStore(part))


def parts() -> None:
    """Let each rank bring its own rows: those of rank 0 come first, and rank 1 has none."""
    rank, world = dist.get_rank(), dist.get_world_size()
    sizes = [9 + 3 * r if r != 1 else 0 for r in range(world)]
    rows, own = drawn(sum(sizes), 8).sign(), RamStore()
    if sizes[rank]:
        own.append(rows.split(sizes)[rank])
    whole = RamStore()
    whole.append(rows)
    cues = torch.where(drawn(9, 8, seed=3) > 1, -rows[:9], rows[:9])
    for kind in (
        lambda store: DenseHopfield(beta=1.0, store=store),
        lambda store: ModernHopfield(beta=1.0, store=store),
    ):
        one, many = (kind(store).retrieve(cues) for store in (whole, ShardedStore(own)))
        assert torch.equal(one.index, many.index) and torch.allclose(one.state, many.state)
        assert torch.equal(one.steps, many.steps)


def incomplete() -> None:
    """Rank and calibrate rows of which some have gaps, and several are equal."""
    rank, world = dist.get_rank(), dist.get_world_size()
    rows, known = drawn(40, 8), drawn(40, 8, seed=4) > -0.3
    rows[:20:4], known[:20] = rows[0], True  # rank 0 has complete rows
    own, whole = RamStore(), RamStore()
    sizes = [40 // world] * (world - 1) + [40 - 40 // world * (world - 1)]
    own.append_with_gaps(*(x.split(sizes)[rank] for x in (rows * known, known)))
    whole.append_with_gaps(rows * known, known)
    for similarity in ("euclidean", "cosine", "correlation"):
        one, many = (
            ModernHopfield("auto", similarity=similarity, store=store)
            for store in (whole, ShardedStore(own))
        )
        for k in (1, 2, 7):
            a, b = (memory.nearest(rows[:9], k) for memory in (one, many))
            assert torch.equal(a.index, b.index) and torch.equal(a.score, b.score)
        if similarity == "euclidean":
            assert one.nearest(rows[0], 2).index.tolist() == [0, 4], "premise: equal rows"
        for memory in (one, many):
            memory.calibrate(None, 0.1)
        assert torch.allclose(one.calibration.strangers, many.calibration.strangers)


def lost(timeout: str) -> None:
    """Retrieve until a rank is lost, then print when and which."""
    memory = ModernHopfield(beta=1.0, store=ShardedStore(timeout=float(timeout)))
    memory.store(drawn(500, 16))
    cues = drawn(4, 16)
    wanted = memory.retrieve(cues).state
    print("ready", flush=True)
    while True:
        try:
            assert torch.equal(memory.retrieve(cues).state, wanted), "never a partial answer"
        except WorkerLostError as error:
            print(f"{time.time()} {error.ranks} {error}", flush=True)
            return


PROGRAMS: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (gradients, networks, sums, tables, mistakes, parts, incomplete, lost)
}

if __name__ == "__main__":
    join_ranks(TIMEOUT)
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
    if sys.argv[1] != "lost":
        print("done")
        dist.destroy_process_group()
