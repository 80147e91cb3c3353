"""Starts of training: memories and β of a lookup, and β of several steps."""

import statistics
from collections.abc import Iterator
from itertools import product

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from hopfield import Softmax
from hopfield.experiments.records import Record
from hopfield.nn import HopfieldAssociation, HopfieldLookup, Iteration, Projections

from .methods import OnRows, train
from .tasks import TASKS

SEEDS, UPDATES = 3, 300
DEVIATIONS = ("1", "d^−¼", "1/√d", "0.02")
"""Initial standard deviations of memories; d^−¼ is that of `HopfieldLookup`."""

BETAS = ("1/√d", "1, learned", "4")
"""β of lookups."""

RECALL_BETAS = ("1/√d", "1, learned", "4, learned")
STEPS = (1, 2, 3)


def separation(beta: str) -> Softmax | str:
    """Return the softmax that a name of a β stands for."""
    if beta == "1/√d":
        return "softmax"
    value = float(beta.split(",")[0])
    return Softmax(torch.tensor(value, requires_grad=True) if "learned" in beta else value)


def lookup(
    dim: int, memories: int, classes: int | None, beta: str, deviation: str, linear: bool
) -> HopfieldLookup:
    """Return a lookup with memories of that deviation; `classes` None reads the memories."""
    out = nn.Identity() if classes is None else nn.Linear(dim, classes)
    unchanged = Projections(nn.Identity(), nn.Identity(), nn.Identity(), out)
    layer = HopfieldLookup(
        HopfieldAssociation(
            dim,
            separation=separation(beta),
            projections=Projections(out=None if classes is None else out) if linear else unchanged,
        ),
        memories,
        values=classes is not None,
    )
    if deviation != "d^−¼":
        nn.init.normal_(layer.memories, std=dim**-0.5 if deviation == "1/√d" else float(deviation))
    return layer


def six_digits(layer: HopfieldLookup) -> tuple[float, int]:
    """Train a layer to return six digits; return the loss, and the number of memories read."""
    digits = torch.tensor(load_digits().data[:6] / 16, dtype=torch.float32)
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2)
    for _ in range(800):
        loss = mse_loss(layer(digits), digits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item(), len(layer.describe(digits).weights.argmax(-1).unique())


def lookups() -> Iterator[Record]:
    """Measure each start of a lookup: the digits it holds of six, and its mean test accuracy."""
    for linear, beta, deviation in product((False, True), BETAS, DEVIATIONS):
        held, losses, accuracies = [], [], []
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            loss, read = six_digits(lookup(64, 6, None, beta, deviation, linear))
            losses.append(loss)
            held.append(float(read))
            for name in ("wine", "breast cancer", "digits"):
                task = TASKS[name](seed)
                torch.manual_seed(seed)
                dim = task.train.inputs.shape[-1]
                model = OnRows(lookup(dim, 50, task.classes, beta, deviation, linear))
                train(model, task.train, UPDATES)
                with torch.no_grad():
                    right = model(task.test).argmax(-1) == task.test.labels
                accuracies.append(right.double().mean().item())
        yield {
            "experiment": "lookup_start",
            "projections": "linear" if linear else "none",
            "beta": beta,
            "deviation": deviation,
            "held": statistics.fmean(held),
            "loss": statistics.fmean(losses),
            "accuracy": statistics.fmean(accuracies),
        }


class Recall(nn.Module):
    """Read the value that belongs to a key, from 8 pairs of 16 keys and 16 values, all learned."""

    def __init__(self, steps: int, beta: str, dim: int = 32) -> None:
        super().__init__()
        self.keys, self.values = nn.Embedding(16, dim), nn.Embedding(16, dim)
        self.read = HopfieldAssociation(
            dim, separation=separation(beta), iteration=Iteration(steps)
        )
        self.out = nn.Linear(dim, 16)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw 64 recalls; return states, stored keys, stored values and the wanted values."""
        order = torch.rand(64, 16, generator=generator).argsort(-1)
        values = torch.randint(16, (64, 8), generator=generator)
        state, stored = self.keys(order[:, :1]), self.keys(order[:, :8])
        return state, stored, self.values(values), values[:, 0]


def recall(steps: int, beta: str, seed: int) -> dict[str, float]:
    """Train 400 updates; return the share recalled, and the entropy and slope at the start.

    Both are medians over states: the entropy of the weights, and the norm of the loss's slope.
    """
    torch.manual_seed(seed)
    model, generator = Recall(steps, beta), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    start: dict[str, float] = {}
    right = []
    for _ in range(400):
        state, stored, values, wanted = model.batch(generator)
        state.retain_grad()
        logits = model.out(model.read(state, stored, values)[:, 0])
        optimiser.zero_grad()
        cross_entropy(logits, wanted).backward()
        if not start:
            assert state.grad is not None
            weights = model.read.describe(state, stored, values).weights
            start["entropy"] = torch.special.entr(weights).sum(-1).median().item()
            start["slope"] = len(wanted) * state.grad.norm(dim=-1).median().item()
        optimiser.step()
        right.append((logits.argmax(-1) == wanted).double().mean().item())
    return {"accuracy": statistics.fmean(right[-20:]), **start}


def recalls() -> Iterator[Record]:
    """Measure each β and number of steps."""
    for beta, steps in product(RECALL_BETAS, STEPS):
        each = [recall(steps, beta, seed) for seed in range(SEEDS)]
        means = {name: statistics.fmean(one[name] for one in each) for name in each[0]}
        yield {"experiment": "recall_start", "beta": beta, "steps": steps, **means}
