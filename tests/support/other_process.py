"""The work of another process with a memory that it is sent; imports few modules, as it starts."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from hopfield import Memory

Answer = tuple[Tensor, ...]


def ask(memory: Memory, cues: Tensor) -> Answer:
    """Return the answers to some cues."""
    found = memory.retrieve(cues)
    updated = memory.update(cues)
    return found.state, found.energy, found.index, found.value, updated, memory.energy(cues)


def ask_and_store(memory: Memory, cues: Tensor, row: Tensor) -> tuple[Answer, Tensor, Answer]:
    """Return answers, and the patterns and answers after a store of this process alone."""
    before = ask(memory, cues)
    memory.store(row[None], torch.zeros(1, 2, dtype=row.dtype))
    return before, memory.patterns.clone(), ask(memory, cues)


class Cues(Dataset):
    """Cues with the answers of a memory, computed by the workers of a `DataLoader`."""

    def __init__(self, memory: Memory, cues: Tensor) -> None:
        self.memory, self.cues = memory, cues

    def __len__(self) -> int:
        """Return the number of cues."""
        return len(self.cues)

    def __getitem__(self, index: int) -> Answer:
        """Return the answers to one cue."""
        return ask(self.memory, self.cues[index])
