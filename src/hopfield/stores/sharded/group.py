"""The processes that share a memory. All that passes between them goes through `RankGroup`."""

import atexit
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad

from ...checks import check_number
from ...errors import InputTypeError, OptionError, WorkerLostError
from .heartbeat import Heartbeat, connect

LOOK = timedelta(seconds=0.3)
"""How often a rank that waits looks whether others have found a lost one."""

MOST_REPEATED = 2**20
"""Bytes that a rank may receive beyond those of a sum in parts, for a sum with one exchange.

Above, every rank adds up a part of the numbers, and a second exchange gathers the parts.
"""


class RankGroup:
    """Processes that call the same operations in the same order, with tensors of the same shapes.

    Attributes:
        rank: the number of this process in the group.
        size: the number of processes.
        timeout: seconds that this process waits for the others in one operation.
        mark: two numbers that all ranks must have alike, compared at the next `gather`.
    """

    def __init__(self, group: "dist.ProcessGroup", timeout: float) -> None:
        """Connect the processes of a group; all of them must do so."""
        self._world = dist.get_process_group_ranks(group)
        self.rank, self.size, self.timeout = dist.get_rank(group), len(self._world), timeout
        self.mark = torch.zeros(2, dtype=torch.long)
        is_nccl = dist.get_backend(group) == "nccl"
        self._device = torch.device("cuda", torch.cuda.current_device()) if is_nccl else None
        self._failure: WorkerLostError | None = None
        self._heartbeat: Heartbeat | None = None
        self._group: Any = dist.new_group(
            self._world, timedelta(seconds=timeout), use_local_synchronization=True
        )
        if self.size > 1:
            self._start_heartbeat()

    def _start_heartbeat(self) -> None:
        hosts = self.gather_texts(socket.gethostname())
        host = "127.0.0.1"
        if len(set(hosts)) > 1:  # rank 0 of all processes is at MASTER_ADDR
            is_first = self._world[0] == 0
            host = os.environ.get("MASTER_ADDR", hosts[0]) if is_first else hosts[0]
        keys = connect(host, 0, 0, self.size, self.timeout) if self.rank == 0 else None
        port = int(self.gather_texts("" if keys is None else str(keys.port))[0])
        keys = keys or connect(host, port, self.rank, self.size, self.timeout)
        heartbeat = Heartbeat(keys, self.rank, self.size)
        self.gather_texts("ready")
        heartbeat.start()
        self._heartbeat = heartbeat
        atexit.register(heartbeat.close)

    def __deepcopy__(self, memo: object) -> "RankGroup":
        """Copies of a store belong to the same processes."""
        return self

    def __reduce__(self) -> "str | tuple[Any, ...]":
        """Refuse to be pickled."""
        raise OptionError("a ShardedStore belongs to its processes: save the memory to a file.")

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Return the sum over ranks, added in the same order on each: the same bits."""
        own, count = tensor.detach(), tensor.numel()
        if not count:
            return tensor
        if (self.size - 2) * own.nbytes <= MOST_REPEATED:
            return reduce(torch.add, self.all_gather(own))
        flat = pad(own.reshape(-1), (0, -count % self.size))
        part = reduce(torch.add, self._exchange(flat.view(self.size, -1)))
        return self.all_gather(part).flatten()[:count].view_as(own)

    def all_gather(self, tensor: Tensor, room: int = 0) -> Tensor:
        """Return the tensors of all ranks, stacked; others may differ by up to `room` entries."""
        return self._exchange(tensor.detach().expand(self.size, *tensor.shape), room)

    def _exchange(self, parts: Tensor, room: int = 0) -> Tensor:
        # Part r goes to rank r, each in one message. For gloo a message costs more than its bytes,
        # and its all_reduce and all_gather are rings of many messages.
        given, count = parts.to(self._device or "cpu").contiguous().flatten(), parts[0].numel()
        room *= self._device is None
        sizes = [count + room * (rank != self.rank) for rank in range(self.size)]
        received, splits = given.new_empty(sum(sizes)), (sizes, [count] * self.size)
        self._run(
            lambda: dist.all_to_all_single(received, given, *splits, self._group, async_op=True)
        )
        if room:  # gloo ends a process that receives more than there is room for
            received = torch.stack([part[:count] for part in received.split(sizes)])
        return received.view(parts.shape).to(parts.device)

    def gather_texts(self, text: str) -> list[str]:
        """Return the texts of all ranks."""
        data = torch.tensor(list(text.encode()), dtype=torch.uint8)
        sizes = self.all_gather(torch.tensor([len(data)]))[:, 0].tolist()
        parts = self.all_gather(pad(data, (0, max(*sizes, 1) - len(data))))
        return [
            bytes(part[:size].tolist()).decode() for part, size in zip(parts, sizes, strict=True)
        ]

    def _run(self, begin: Callable[[], Any]) -> None:
        if self._failure is not None:
            raise WorkerLostError(str(self._failure), self._failure.ranks)
        if self._heartbeat is not None:
            self._heartbeat.calls += 1
        deadline = time.monotonic() + self.timeout
        try:
            work = begin()
            while not self._is_done(work):
                is_lost = self._heartbeat is not None and self._heartbeat.has_news
                if is_lost or time.monotonic() > deadline:
                    raise RuntimeError(f"waited {self.timeout:g} s")
        except RuntimeError as error:
            raise self._failed(error) from error

    def _is_done(self, work: Any) -> bool:
        if self._device is not None:  # NCCL would end all of its work if one wait took too long
            time.sleep(2e-5)
            return bool(work.is_completed()) and bool(work.wait())
        try:
            return bool(work.wait(LOOK))
        except RuntimeError:
            if work.is_completed():
                raise
            return False

    def _failed(self, error: RuntimeError) -> WorkerLostError:
        lost, behind = ([], []) if self._heartbeat is None else self._heartbeat.find_lost()
        ranks = tuple(self._world[rank] for rank in lost or behind)
        names = f"rank{'s' * (len(ranks) > 1)} {' and '.join(map(str, ranks))}"
        what = "ended or stopped" if lost else "did not come to the same call"
        cause = str(error).partition("] ")[2] or str(error)  # without the place in the source
        self._failure = WorkerLostError(
            f"all ranks must answer within timeout={self.timeout:g} s, but "
            f"{names if ranks else 'one of them'} {what} "
            f"({cause.splitlines()[0]:.100}). Start all ranks again.",
            ranks,
        )
        return self._failure


_GROUPS: "WeakKeyDictionary[Any, dict[float, RankGroup]]" = WeakKeyDictionary()


def rank_group(group: object, timeout: object) -> RankGroup:
    """Return the connected processes of a group; None means all of them."""
    if not (dist.is_available() and dist.is_initialized()):
        raise OptionError(
            "a ShardedStore needs several processes. Start them with torchrun, and call "
            "torch.distributed.init_process_group() first."
        )
    seconds = check_number("timeout", timeout, low=1e-3, high=1e6)
    if group is None:
        group = dist.group.WORLD
    if not isinstance(group, dist.ProcessGroup):
        raise InputTypeError(
            f"group must be a group of torch.distributed, but is {type(group).__name__}. "
            "Leave it out for all processes."
        )
    known = _GROUPS.setdefault(group, {})
    if seconds not in known:
        known[seconds] = RankGroup(group, seconds)
    return known[seconds]
