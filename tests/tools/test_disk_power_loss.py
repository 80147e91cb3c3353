"""Tables survive power losses: before every sync the power fails, and what is unsynced is lost."""

import warnings
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cases import seeded
from hopfield.errors import HopfieldError, RecoveryWarning
from hopfield.stores import DiskStore
from hopfield.stores.annotations import Annotations
from hopfield.stores.disk import durable
from power_loss import PowerLoss

DIM = 4


def _rows(count: int, seed: int) -> Tensor:
    return torch.randn(count, DIM, generator=seeded(seed))


def _all(store: DiskStore) -> Tensor:
    return torch.cat([block.rows for block in store.blocks(1024)] or [torch.empty(0, DIM)])


def _set_prior(store: DiskStore) -> None:
    annotations = store.annotations or Annotations(len(store))
    store.annotate(replace(annotations, prior=PRIOR[: len(store)]))


def _append(store: DiskStore, rows: Tensor, **cells: int) -> None:
    table = {name: [cell] * len(rows) for name, cell in cells.items()}
    store.add(rows, annotations=Annotations(len(rows), table=table) if table else None)


def _replace(store: DiskStore, places: list[int], rows: Tensor, **cells: int) -> None:
    with store.replacing(torch.tensor(places)):
        _append(store, rows, **cells)


FIRST, SECOND, THIRD = _rows(2, 1), _rows(1, 2), _rows(2, 3)
PRIOR = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
FIVE = torch.cat([FIRST, SECOND, THIRD])
CHANGES = {  # a change, and all rows after it
    "create": (lambda store: _append(store, FIRST), FIRST),
    "append": (lambda store: _append(store, SECOND), FIVE[:3]),
    "append a column": (lambda store: _append(store, THIRD, year=1982), FIVE),
    "add a sketch": (lambda store: store.add_sketch(), FIVE),
    "remove": (lambda store: store.remove(torch.tensor([0, 3])), FIVE[[1, 2, 4]]),
    "replace": (
        lambda store: _replace(store, [0, 2], FIRST, year=1990),
        torch.cat([FIVE[[2]], FIRST]),
    ),
    "set prior": (lambda store: _set_prior(store), torch.cat([FIVE[[2]], FIRST])),
    "compact": (lambda store: store.compact(), torch.cat([FIVE[[2]], FIRST])),
    "replace a file": (lambda store: _replace(store, [0, 1, 2], THIRD, page=3), THIRD),
}


def count_states(folder, *, thorough: bool = False) -> int:
    """Check every state after a power loss, and return their number."""
    table, after, count = folder / "t.lance", folder / "after.lance", 0
    before = rows = FIVE[:0]
    change, has_sketch = "", False

    def cut() -> None:
        nonlocal count
        for state in disk.states(after, thorough):
            count += 1
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(durable, "sync", lambda path: None)
                try:
                    _check(after, (before, rows), has_sketch)
                except HopfieldError as error:
                    raise AssertionError(f"{change}, {state}: {error}") from error

    disk = PowerLoss(table, cut)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(durable, "sync", disk.sync)
        store = DiskStore(table)
        for change in CHANGES:
            make, rows = CHANGES[change]
            make(store)
            before = rows  # acknowledged
            has_sketch |= change == "add a sketch"
            cut()
    return count


def _check(path, expected: tuple[Tensor, Tensor], has_sketch: bool) -> None:
    """Open what is left: the change was made or not, no row is lost, and the next is taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveryWarning)
        store = DiskStore(path)
    rows = _all(store)
    assert any(torch.equal(rows, each) for each in expected), f"{len(rows)} rows"
    assert not len(store.verify())
    assert store.prior is None or store.prior.tolist() == [*PRIOR.tolist(), 1][: len(store)]
    if store.sketch is None:
        assert not has_sketch
    else:
        assert torch.equal(torch.cat(list(store.sketches())), store.sketch.columns(rows))
    store.append(FIVE[:1])
    assert torch.equal(_all(DiskStore(path)), torch.cat([rows, FIVE[:1]]))


def test_every_cut_leaves_all_acknowledged_rows(tmp_path):
    assert count_states(tmp_path) > 100, "premise: there are cuts"


@pytest.mark.heavy
def test_every_cut_leaves_all_acknowledged_rows_whichever_files_are_lost(tmp_path):
    assert count_states(tmp_path, thorough=True) > 500, "premise: there are cuts"


def test_syncing_after_the_commit_is_noticed(tmp_path, monkeypatch):
    sync_new, sync_commit, late = durable.sync_new, durable.sync_commit, []
    monkeypatch.setattr(durable, "sync_new", lambda *given: late.append(given))

    def sync_all(folder, version):
        sync_commit(folder, version)
        while late:
            sync_new(*late.pop())

    monkeypatch.setattr(durable, "sync_commit", sync_all)
    with pytest.raises(AssertionError):
        count_states(tmp_path)


def test_opening_without_a_look_at_the_manifest_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        durable, "newest_version", lambda folder: max(durable.manifests_of(folder), default=0)
    )
    with pytest.raises(AssertionError):
        count_states(tmp_path)


def test_a_commit_without_syncs_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "sync_commit", lambda folder, version: None)
    with pytest.raises(AssertionError):
        count_states(tmp_path)
