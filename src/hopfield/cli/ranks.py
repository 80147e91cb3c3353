"""Commands that torchrun starts in several processes, which share the rows of a table."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout

from ..errors import OptionError
from ..memories import Memory

TIMEOUT = 300.0
"""Seconds that a process waits for the others."""


@contextmanager
def shared_rows(memory: Memory, file: str) -> Iterator[bool]:
    """Share the rows of a memory with the other processes of torchrun, if there are any.

    Yields True in the process that writes results; others print nothing meanwhile.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    from torch import distributed

    from ..stores import DiskStore, ShardedStore

    if not isinstance(memory.storage, DiskStore):
        raise OptionError(
            f"MEMORY must be a .lance table for several processes, but {file} is a file. Store the "
            "rows with -o NAME.lance."
        )
    distributed.init_process_group("gloo")
    memory.storage = ShardedStore(memory.storage, timeout=TIMEOUT)
    is_first = distributed.get_rank() == 0
    with open(os.devnull, "w") as nowhere, nullcontext() if is_first else redirect_stdout(nowhere):
        yield is_first
    distributed.destroy_process_group()
