"""Memories of several processes: those of the contract in RAM get a `ShardedStore`."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from disk_stores import resident_copy
from hopfield import PackedStore, Store
from hopfield.memories.contents import Contents
from hopfield.stores import ShardedStore

TIMEOUT = 300.0
"""Seconds that a rank of the tests waits for the others."""


def use_rank_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide the rows of memories in RAM; `patterns` and `values` read them."""

    def packed_shares() -> Store:
        return ShardedStore(PackedStore(), timeout=TIMEOUT)

    monkeypatch.setattr("hopfield.stores.sharded.runs.LEAST_SHARE", 1)
    monkeypatch.setattr("hopfield.memories.options.RamStore", lambda: ShardedStore(timeout=TIMEOUT))
    for module in ("cases", "hopfield.memories.io"):
        monkeypatch.setattr(f"{module}.PackedStore", packed_shares)
    monkeypatch.setattr(Contents, "_resident_store", resident_copy)


def join_ranks(timeout: float = TIMEOUT) -> None:
    """Make this process one of the ranks that the environment names."""
    torch.set_num_threads(1)
    if not dist.is_initialized():
        dist.init_process_group(
            "gloo",
            init_method=f"file://{os.environ['MEET']}",
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=timedelta(seconds=timeout),
        )


def start_ranks(world: int, folder: Path, *command: str) -> "list[subprocess.Popen[str]]":
    """Start `world` processes of a Python command, one per rank."""
    environment = os.environ | {"MEET": str(folder / "meet"), "WORLD_SIZE": str(world)}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env=environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world)
    ]


def finish_ranks(ranks: "list[subprocess.Popen[str]]", timeout: float) -> list[str]:
    """Return what the ranks printed, once all have ended without an error."""
    try:
        printed = [rank.communicate(timeout=timeout)[0] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    ends = [rank.returncode for rank in ranks]
    assert not any(ends), (ends, *(text[-4000:] for text in printed))
    return printed
