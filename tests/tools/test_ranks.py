"""Stores whose rows are shared among processes: gradients, tables, mistakes, and lost processes."""

import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from hopfield import ModernHopfield
from hopfield.errors import OptionError
from hopfield.stores import DiskStore, ShardedStore
from hopfield.stores.sharded.runs import Runs
from rank_stores import finish_ranks, start_ranks

PROGRAMS = str(Path(__file__).parents[1] / "support" / "rank_programs.py")
PAGE = str(Path(__file__).parents[2] / "docs" / "machines.md")
TIMEOUT, ALLOWED = 2.0, 2.0
"""The timeout of ranks in heavy tests of lost ones, and the seconds in which they then say so."""

PATIENT = 8.0
"""The timeout where other tests run beside, and time is not tested."""


def run(world: int, folder: Path, *program: str) -> None:
    """Run a program of `rank_programs` on each rank."""
    for printed in finish_ranks(start_ranks(world, folder, PROGRAMS, *program), 600):
        assert printed.splitlines()[-1] == "done", printed


def write_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a table of four files, and return its path."""
    monkeypatch.setattr("hopfield.stores.disk.table.FRAGMENT_ROWS", 60)
    path = str(folder / "faces.lance")
    memory = ModernHopfield(beta=1.0, similarity="euclidean", store=DiskStore(path))
    rows = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    names, years = [f"face {k}" for k in range(200)], [1960 + k % 50 for k in range(200)]
    memory.store(rows, names=names, table={"year": years})
    assert len(memory.storage._opened.fragments()) == 4, "premise: several ranks have rows"
    memory.save(path)
    return path


def lose(
    how: signal.Signals, world: int, victim: int, folder: Path, wait: float, timeout: float
) -> float:
    """Kill or stop a rank while all retrieve, check what the others say, and return how late."""
    ranks, late = start_ranks(world, folder, PROGRAMS, "lost", str(timeout)), 0.0
    try:
        for rank in ranks:
            assert rank.stdout is not None and rank.stdout.readline() == "ready\n"
        time.sleep(wait)
        begin = time.time()
        ranks[victim].send_signal(how)
        for place, rank in enumerate(ranks):
            if place != victim:
                printed = rank.communicate(timeout=60)[0]
                line = next(x for x in printed.splitlines() if "all ranks must answer" in x)
                assert f"({victim},) " in line and f"rank {victim} ended or stopped" in line
                late = max(late, float(line.split()[0]) - begin)
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
    return late


def test_gradients_are_those_of_one_process(tmp_path):
    run(2, tmp_path, "gradients")


def test_networks_of_the_page_have_the_gradients_of_one_process(tmp_path):
    run(2, tmp_path, "networks", PAGE)


def test_sums_in_parts_have_the_same_bits(tmp_path):
    run(2, tmp_path, "sums")


def test_mistakes_of_ranks_are_named(tmp_path):
    run(2, tmp_path, "mistakes")


def test_ranks_bring_their_own_rows(tmp_path):
    run(2, tmp_path, "parts")


def test_rows_with_gaps_are_ranked_and_calibrated_as_in_one_process(tmp_path):
    run(2, tmp_path, "incomplete")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "program",
    [("gradients",), ("networks", PAGE), ("sums",), ("mistakes",), ("parts",), ("incomplete",)],
)
@pytest.mark.parametrize("world", [1, 3, 4])
def test_programs_on_more_ranks(program, world, tmp_path):
    run(world, tmp_path, *program)


@pytest.mark.parametrize(
    "world", [2, *(pytest.param(w, marks=pytest.mark.heavy) for w in (1, 3, 5))]
)
def test_ranks_share_a_table(world, tmp_path, monkeypatch):
    run(world, tmp_path, "tables", write_table(tmp_path, monkeypatch))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_rank_is_named(how, tmp_path):
    lose(how, 3, 1, tmp_path, 0.1, PATIENT)


@pytest.mark.heavy
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("trial", range(20))
def test_a_rank_may_be_lost_at_any_time(how, trial, tmp_path):
    world, wait = 2 + trial % 3, random.Random(trial).uniform(0.0, 0.5)
    late = lose(how, world, trial % world, tmp_path, wait, TIMEOUT)
    assert late <= TIMEOUT + ALLOWED


def test_without_processes_the_store_says_what_it_needs():
    with pytest.raises(OptionError, match="Start them with torchrun"):
        ShardedStore()


def test_few_rows_stay_together_and_many_are_divided():
    runs = Runs()
    for _ in range(2000):  # one by one
        runs = runs.followed_by(runs.shares(1, 2))
    assert runs.runs == ((0, 1024), (1, 976)) and runs.shares(300, 3) == [100, 100, 100]
    assert runs.shares(301, 3) == [101, 100, 100]


def test_rows_are_found_where_they_are():
    ranks = [1, 1, 0, 2, 2, 2, 1, 0, 2]
    runs = Runs(((1, 2), (0, 1), (2, 3), (1, 1), (0, 1), (2, 1)))
    for gone in ([], [0], [3, 4, 5], [1, 6, 8]):
        left = [rank for place, rank in enumerate(ranks) if place not in gone]
        now = runs.without(torch.tensor(gone, dtype=torch.long))
        rank, place = now.locate(torch.arange(len(left)))
        assert rank.tolist() == left and now.count == len(left)
        for r in range(3):
            own = [index for index, owner in enumerate(left) if owner == r]
            assert place[rank == r].tolist() == list(range(len(own)))
            for start in range(len(own)):
                parts = list(now.parts(r, start, 2))
                found = [at + k for first, stop, at in parts for k in range(stop - first)]
                assert found == own[start : start + 2]


@pytest.mark.heavy
def test_recall_under_torchrun(tmp_path, monkeypatch):
    path = write_table(tmp_path, monkeypatch)
    np.save(tmp_path / "cues.npy", ModernHopfield(store=DiskStore(path)).storage.take(
        torch.tensor([3, 150])).numpy())  # fmt: skip
    command = ("-m", "hopfield", "recall", path, str(tmp_path / "cues.npy"), "--json")
    alone = finish_ranks(start_ranks(1, tmp_path, *command), 600)[0]
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", *command)
    shared = finish_ranks(start_ranks(1, tmp_path, *torchrun), 600)[0]
    lines = [[x for x in text.splitlines() if x.startswith("{")] for text in (alone, shared)]
    assert [len(each) for each in lines] == [1, 1], "one process prints"
    one, two = ([cue["matches"] for cue in json.loads(each[0])["cues"]] for each in lines)
    assert one[0][0]["name"] == "face 3" and one[1][0]["index"] == 150
    for first, second in zip(one, two, strict=True):
        numbers, others = ([[m.pop("score"), m.pop("weight")] for m in x] for x in (first, second))
        np.testing.assert_allclose(numbers, others, rtol=1e-5, atol=1e-5)
        assert first == second
