"""Associative recall by lookups of 10 000 learned memories: all of them, and by product keys."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hopfield.experiments.records import Record
from hopfield.nn import HopfieldAssociation, HopfieldLookup, ProductKeyLookup

DIM, MEMORIES = 64, 10_000
PAIRS, STEPS, BATCH, RATE, NOISE = 1_000, 200, 256, 1e-2, 0.3

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "full lookup": lambda: HopfieldLookup(HopfieldAssociation(DIM), MEMORIES),
    "product keys, 1 head": lambda: ProductKeyLookup(DIM, MEMORIES, 1, sparse=True),
    "product keys, 4 heads": lambda: ProductKeyLookup(DIM, MEMORIES, 4, sparse=True),
}


def recall(seed: int) -> list[Record]:
    """Train each layer to give a random row of ±1 for a noisy random row; count right answers."""
    return [
        {"experiment": "recall", "case": name, "seed": seed, "pairs": PAIRS, "steps": STEPS}
        | _trained(make, seed)
        for name, make in LAYERS.items()
    ]


def _trained(make: Callable[[], nn.Module], seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    cues, targets = torch.randn(PAIRS, DIM), torch.randn(PAIRS, DIM).sign()
    layer = make()
    names = dict(layer.named_parameters())
    optimisers: list[torch.optim.Optimizer] = []
    if "values.weight" in names:  # the table of product keys, whose gradients are sparse
        optimisers.append(torch.optim.SparseAdam([names.pop("values.weight")], RATE))
    optimisers.append(torch.optim.Adam(names.values(), RATE))
    since = time.process_time()
    for _ in range(STEPS):
        rows = torch.randint(PAIRS, (BATCH,))
        loss = (layer(_noisy(cues[rows])) - targets[rows]).square().mean()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    seconds = time.process_time() - since
    with torch.no_grad():
        answers = (layer(_noisy(cues)) @ targets.T).argmax(-1)
    right = (answers == torch.arange(PAIRS)).double().mean().item()
    return {"recall": right, "loss": loss.item(), "seconds": seconds / STEPS}


def _noisy(cues: Tensor) -> Tensor:
    return cues + NOISE * torch.randn_like(cues)
