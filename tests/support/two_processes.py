"""Training in two processes that exchange gradients."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_in_two_processes(train: Callable[[int, str], None], folder: Path) -> None:
    """Call `train(rank, folder)` in each of two processes of a group."""
    mp.spawn(_run, args=(train, str(folder)), nprocs=2)


def _run(rank: int, train: Callable[[int, str], None], folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    train(rank, folder)
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # at an ordinary end, threads of gloo sometimes outlive what they use
