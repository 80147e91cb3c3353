"""Methods: each trains on one part of a task and returns labels for the other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.training.models import UNCHANGED, GatedAttention, selecting_pooling
from hopfield import RectifiedPolynomial, Softmax
from hopfield.nn import (
    DenseMemoryClassifier,
    HopfieldAssociation,
    HopfieldLookup,
    Iteration,
    Projections,
)

from .tasks import Part, Task

UPDATES, BATCH, RATE = 800, 64, 5e-3
"""Training of all networks: updates by AdamW, rows of each, and the first rate; it falls to 0."""


def train(model: nn.Module, part: Part, updates: int = UPDATES) -> None:
    """Minimise the cross entropy; β, biases and gains have no weight decay."""
    parameters = list(model.parameters())
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for _ in range(updates):
        rows = torch.randint(len(part.labels), (BATCH,))
        loss = cross_entropy(model(_select(part, rows)), part.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _select(part: Part, rows: Tensor) -> Part:
    return Part(*(None if one is None else one[rows] for one in part))  # type: ignore[arg-type]


def of_network(make: Callable[[Task], nn.Module]) -> Callable[[Task, int], Tensor]:
    """Return a method that trains the network that `make` builds."""

    def predict(task: Task, updates: int) -> Tensor:
        model = make(task)
        train(model, task.train, updates)
        with torch.no_grad():
            logits: Tensor = model.eval()(task.test)
        return logits.argmax(-1)

    return predict


def as_rows(part: Part) -> Tensor:
    """Return one row per example: for a bag its mean and maximum; for recall everything."""
    if part.query is not None:
        return torch.cat([part.inputs.flatten(1), part.query], -1)
    if part.padding is None:
        return part.inputs
    visible = ~part.padding[..., None]
    mean = (part.inputs * visible).sum(1) / visible.sum(1)
    return torch.cat([mean, part.inputs.masked_fill(~visible, -torch.inf).amax(1)], -1)


def of_sklearn(estimator: Any, grid: dict[str, Any]) -> Callable[[Task, int], Tensor]:
    """Return a method that fits an estimator, its options chosen by 3-fold validation."""

    def predict(task: Task, updates: int) -> Tensor:
        search = GridSearchCV(make_pipeline(StandardScaler(), estimator), grid, cv=3)
        search.fit(as_rows(task.train).numpy(), task.train.labels.numpy())
        return torch.from_numpy(search.predict(as_rows(task.test).numpy()))

    return predict


class OnRows(nn.Module):
    """A network that reads the rows of a part."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, part: Part) -> Tensor:
        """Return logits."""
        logits: Tensor = self.network(part.inputs)
        return logits


def learned_beta(heads: int = 1, beta: float = 1.0) -> Softmax:
    """Return a softmax whose β is learned in each head."""
    return Softmax(torch.full((heads,), beta, requires_grad=True))


def lookup(task: Task, memories: int = 50, given: bool = False) -> nn.Module:
    """Return a lookup of drawn memories, or of rows and labels of the training data."""
    dim = task.train.inputs.shape[-1]
    if given:
        chosen = torch.randperm(len(task.train.labels))[:memories]
        values = 4 * nn.functional.one_hot(task.train.labels[chosen], task.classes).float()
        read = HopfieldAssociation(dim, separation=learned_beta(), projections=UNCHANGED)
        return OnRows(HopfieldLookup(read, task.train.inputs[chosen], values))
    projections = Projections(out=nn.Linear(dim, task.classes))
    read = HopfieldAssociation(dim, separation=learned_beta(), projections=projections)
    return OnRows(HopfieldLookup(read, memories))


def dense(task: Task) -> nn.Module:
    """Return a dense memory of degree 3."""
    dim = task.train.inputs.shape[-1]
    return OnRows(DenseMemoryClassifier(dim, task.classes, 50, RectifiedPolynomial(3)))


class BagNetwork(nn.Module):
    """An encoder, a pooling of codes, and a linear layer; a query is part of every row."""

    def __init__(self, task: Task, pooling: str, width: int = 64) -> None:
        """Draw encoder and head before the pooling, so that they are equal for both."""
        super().__init__()
        length = task.train.inputs.shape[-1] * (1 if task.train.query is None else 2)
        self.encoder = nn.Sequential(
            nn.Linear(length, 128), nn.ReLU(), nn.Linear(128, width), nn.ReLU()
        )
        self.head = nn.Linear(width, task.classes)
        self.gated = GatedAttention(width) if pooling == "gated" else None
        self.pool = selecting_pooling(width) if pooling == "hopfield" else None

    def forward(self, part: Part) -> Tensor:
        """Return logits."""
        rows = part.inputs
        if part.query is not None:
            rows = torch.cat([rows, part.query[:, None].expand_as(rows)], -1)
        codes = self.encoder(rows)
        if self.pool is not None:
            read = self.pool(codes, padding_mask=part.padding).squeeze(1)
        else:
            assert self.gated is not None
            read = self.gated(codes, part.padding)
        logits: Tensor = self.head(read)
        return logits


class Recall(nn.Module):
    """An association that reads the pairs by the key that is asked for."""

    def __init__(self, task: Task, steps: int) -> None:
        super().__init__()
        length = task.train.inputs.shape[-1]
        self.read = HopfieldAssociation(
            length,
            separation=learned_beta(beta=length**-0.5),
            iteration=Iteration(steps),
            projections=Projections(out=nn.Linear(length, task.classes)),
        )

    def forward(self, part: Part) -> Tensor:
        """Return logits."""
        assert part.query is not None
        logits: Tensor = self.read(part.query[:, None], part.inputs).squeeze(1)
        return logits


ROWS = ("iris", "wine", "breast cancer", "digits")
BAGS = ("bags of 10", "bags of 5 to 30")
LOGISTIC = of_sklearn(LogisticRegression(max_iter=5000), {"logisticregression__C": [0.01, 0.1, 1]})
SUPPORT = of_sklearn(SVC(random_state=0), {"svc__C": [1, 10], "svc__gamma": ["scale", 0.01]})

METHODS: dict[str, tuple[Callable[[Task, int], Tensor], tuple[str, ...]]] = {
    "logistic regression": (LOGISTIC, (*ROWS, *BAGS, "recall")),
    "support vectors": (SUPPORT, (*ROWS, *BAGS, "recall")),
    "gated attention": (of_network(partial(BagNetwork, pooling="gated")), (*BAGS, "recall")),
    "lookup": (of_network(lookup), ROWS),
    "lookup, rows given": (of_network(partial(lookup, given=True)), ROWS),
    "dense memory": (of_network(dense), ROWS),
    "pooling": (of_network(partial(BagNetwork, pooling="hopfield")), (*BAGS, "recall")),
    "association": (of_network(partial(Recall, steps=1)), ("recall",)),
    "association, 3 steps": (of_network(partial(Recall, steps=3)), ("recall",)),
}
"""Methods and the tasks for which each is made, by name."""
