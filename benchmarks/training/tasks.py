"""Training tasks with their test results: one record per seed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, nll_loss, one_hot

from hopfield.experiments.records import Record

from . import models
from .digits import Bags, Split, bags, patches, split
from .recall import recall


def fit(
    model: nn.Module,
    count: int,
    loss: Callable[[Tensor], Tensor],
    epochs: int,
    rate: float,
    batch: int = 64,
) -> list[float]:
    """Train by AdamW with a one-cycle rate; return the mean loss of each epoch."""
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-2)
    total = epochs * -(-count // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=total)
    curve = []
    for _ in range(epochs):
        losses = []
        for rows in torch.randperm(count).split(batch):
            optimiser.zero_grad()
            value = loss(rows)
            value.backward()
            optimiser.step()
            schedule.step()
            losses.append(value.item())
        curve.append(sum(losses) / len(losses))
    return curve


def _classified(
    make: Callable[[Split], nn.Module], seed: int, epochs: int, rate: float, name: str = "digits"
) -> dict[str, Any]:
    """Train a classifier of digits; return its test accuracy and its loss curve."""
    held = split(seed, name)
    torch.manual_seed(seed)
    model = make(held)
    curve = fit(
        model,
        len(held.images),
        lambda rows: cross_entropy(model(held.images[rows]), held.labels[rows]),
        epochs,
        rate,
    )
    with torch.no_grad():
        right = model(held.test_images).argmax(-1) == held.test_labels
    return {"accuracy": right.double().mean().item(), "curve": curve}


def lookup(seed: int, epochs: int = 40) -> list[Record]:
    """Classify digits by a trained lookup."""
    found = _classified(models.lookup, seed, epochs, rate=2e-2)
    return [{"experiment": "lookup", "case": "digits", "seed": seed, "epochs": epochs, **found}]


def retrieve(seed: int, epochs: int = 40) -> list[Record]:
    """Classify digits by the labels of other digits, through a trained association."""
    held = split(seed)
    torch.manual_seed(seed)
    model = models.retrieval()
    names = one_hot(held.labels, 10).float()[None]

    def read(images: Tensor, stored: Tensor | slice) -> Tensor:
        found: Tensor = model(images[None], held.images[None, stored], names[:, stored])[0]
        return found

    def right() -> float:
        with torch.no_grad():
            found = read(held.test_images, slice(None)).argmax(-1)
        return (found == held.test_labels).double().mean().item()

    def loss(rows: Tensor) -> Tensor:
        others = torch.randperm(len(held.images))
        others = others[~torch.isin(others, rows)][:256]
        return nll_loss((read(held.images[rows], others) + 1e-6).log(), held.labels[rows])

    before, curve = right(), fit(model, len(held.images), loss, epochs, rate=5e-3)
    line = {"experiment": "retrieve", "case": "digits", "seed": seed, "epochs": epochs}
    return [{**line, "accuracy": right(), "untrained": before, "curve": curve}]


def dense(seed: int, epochs: int = 40, name: str = "digits") -> list[Record]:
    """Classify digits by dense associative memories of several degrees."""
    records = []
    for degree in DEGREES[name]:
        make = partial(models.dense, degree=degree)
        found = _classified(make, seed, epochs, 1e-2, name)
        line = {"experiment": "dense", "case": name, "degree": degree, "seed": seed}
        records.append({**line, "epochs": epochs, **found})
    return records


DEGREES = {"digits": (2, 3, 5, 8, 20), "mnist": (2, 3, 5, 10)}
"""Degrees of the energy, by data set."""


SETS = {"10 images": (10, 2), "50 images, one at most": (50, 1)}
"""Images per bag, and the largest number of images of the digit."""


POOLINGS = ("mean", "max", "gated", "hopfield")
"""Ways to read a bag."""


def sets(seed: int, epochs: int = 40) -> list[Record]:
    """Classify bags that hold a 9, by each kind of pooling of the same bags."""
    held = split(seed)
    records = []
    for case, (size, most) in SETS.items():
        train = bags(held.images, held.labels, 500, size, most, seed)
        test = bags(held.test_images, held.test_labels, 500, size, most, seed)
        for pooling in POOLINGS:
            found = _bagged(pooling, train, test, seed, epochs)
            records.append(
                {"experiment": "sets", "case": case, "pooling": pooling, "seed": seed, **found}
            )
    return records


def _bagged(pooling: str, train: Bags, test: Bags, seed: int, epochs: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    model, wanted = models.BagClassifier(pooling), train.positive.float()
    curve = fit(
        model,
        len(train.images),
        lambda rows: binary_cross_entropy_with_logits(model(train.images[rows]), wanted[rows]),
        epochs,
        rate=2e-3,
        batch=32,
    )
    with torch.no_grad():
        return {"auc": auc(model(test.images), test.positive), "epochs": epochs, "curve": curve}


def auc(scores: Tensor, positive: Tensor) -> float:
    """Return the share of pairs of a positive and a negative that the scores order correctly."""
    above = scores[positive][:, None] - scores[~positive]
    return ((above > 0).double() + (above == 0).double() / 2).mean().item()


def complete(seed: int, epochs: int = 40) -> list[Record]:
    """Complete half of the patches of a digit by an energy transformer."""
    held = split(seed)
    train, test = patches(held.images), patches(held.test_images)
    torch.manual_seed(seed)
    model = models.Completer()

    def loss(rows: Tensor) -> Tensor:
        hidden = torch.rand(len(rows), 16) < 0.5
        return (model(train[rows], hidden) - train[rows])[hidden].square().mean()

    curve = fit(model, len(train), loss, epochs, rate=1e-2)
    hidden = torch.rand(len(test), 16, generator=torch.Generator().manual_seed(0)) < 0.5
    with torch.no_grad():
        guess = train.mean(0).expand_as(test)
        errors = {
            "error": (model(test, hidden) - test)[hidden].square().mean().item(),
            "error_of_input": test[hidden].square().mean().item(),
            "error_of_mean": (guess - test)[hidden].square().mean().item(),
        }
        trace = energies(model, test, hidden)
    falls = (trace.diff(dim=0) < 0).double().mean().item()
    line = {"experiment": "complete", "case": "digits", "seed": seed, "epochs": epochs, **errors}
    return [{**line, "falls": falls, "energies": trace.mean(1).tolist(), "curve": curve}]


def energies(model: models.Completer, patches: Tensor, hidden: Tensor) -> Tensor:
    """Return E before each step and after the last, `(steps + 1, batch)`."""
    tokens = model.tokens(patches, hidden)
    trace = [model.block.energy(tokens)]
    for _ in range(model.block.steps):
        tokens = model.block.step(tokens)
        trace.append(model.block.energy(tokens))
    return torch.stack(trace)


TASKS: dict[str, tuple[Callable[[int], list[Record]], int]] = {
    "lookup": (lookup, 5),
    "retrieve": (retrieve, 5),
    "dense": (dense, 5),
    "mnist": (partial(dense, epochs=15, name="mnist"), 3),
    "sets": (sets, 10),
    "complete": (complete, 3),
    "recall": (recall, 3),
}
"""Tasks with their number of seeds, by name."""
