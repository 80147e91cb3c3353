"""Draw the picture of docs/pooling.md: `python docs/make_pooling.py`."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from hopfield import plots
from hopfield.nn import pad_bags

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.training.digits import UnevenBags, split, uneven_bags  # noqa: E402
from benchmarks.training.models import GatedAttention, selecting_pooling  # noqa: E402

SHOWN = (1, 3, 5, 0)
"""Bags of the picture; odd ones hold a 9."""


class Classifier(nn.Module):
    """The classifier of the page, with its pooling or with gated attention."""

    def __init__(self, pooling: nn.Module, width: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU())
        self.pool, self.head = pooling, nn.Linear(width, 1)

    def codes(self, bags: list[Tensor]) -> list[Tensor]:
        """Encode the images of all bags at once."""
        return list(self.encoder(torch.cat(bags)).split([len(bag) for bag in bags]))

    def forward(self, bags: list[Tensor]) -> Tensor:
        """Return one logit per bag."""
        codes, gated = self.codes(bags), isinstance(self.pool, GatedAttention)
        read = self.pool(*pad_bags(codes)) if gated else self.pool(codes)[:, 0]
        logits: Tensor = self.head(read)[:, 0]
        return logits

    @torch.no_grad()
    def weights(self, bags: list[Tensor]) -> Tensor:
        """Return the weight of each image, `(bags, n)`: the mean over the heads."""
        if isinstance(self.pool, GatedAttention):
            return self.pool.weights(*pad_bags(self.codes(bags)))
        found: Tensor = self.pool.describe(self.codes(bags)).weights[:, :, 0].mean(1)  # type: ignore[operator]
        return found


def trained(pooling: nn.Module, bags: UnevenBags) -> Classifier:
    """Train for 15 epochs."""
    model = Classifier(pooling)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(15):
        for rows in torch.randperm(len(bags.images)).split(32):
            logits = model([bags.images[i] for i in rows])
            loss = binary_cross_entropy_with_logits(logits, bags.positive[rows].float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def hits(model: Classifier, bags: UnevenBags) -> float:
    """Return the share of positive bags whose largest weight is that of a 9."""
    best = model.weights(bags.images).argmax(-1)
    found = [float(w[i]) for w, i in zip(bags.wanted, best, strict=True) if w.any()]
    return sum(found) / len(found)


def draw(models: dict[str, Classifier], bags: UnevenBags, path: Path) -> None:
    """Draw images of some bags and, below each, its weight under every model."""
    shown = [bags.images[i] for i in SHOWN]
    longest = max(map(len, shown))
    weights = {name: model.weights(shown) for name, model in models.items()}
    drawing = plots.figure(height=3.1)
    grid = drawing.add_gridspec(2 * len(shown), longest, height_ratios=(3, 2) * len(shown),
                                hspace=0.08, wspace=0.08, left=0.14, right=0.99, top=0.9,
                                bottom=0.02)  # fmt: skip
    for row, bag in enumerate(shown):
        for column, image in enumerate(bag):
            ax: Any = drawing.add_subplot(grid[2 * row, column])
            ax.imshow(image.reshape(8, 8), cmap="gray_r")
            ax.set(xticks=[], yticks=[], anchor="S")
            if not column:
                name = "holds a 9" if bags.positive[SHOWN[row]] else "no 9"
                ax.set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
            ax = drawing.add_subplot(grid[2 * row + 1, column])
            heights = [float(each[row, column]) for each in weights.values()]
            ax.bar(range(len(heights)), heights, color=plots.COLOURS[: len(heights)])
            ax.set(xticks=[], yticks=[], ylim=(0, 1))
            ax.spines[["left", "top", "right"]].set_visible(False)
    handles: Any = [
        drawing.axes[1].bar(0, 0, color=color) for color in plots.COLOURS[: len(weights)]
    ]
    drawing.legend(
        handles, list(weights), loc="upper center", ncols=2, borderpad=0, frameon=False, fontsize=8
    )
    drawing.savefig(path, dpi=200, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    torch.manual_seed(0)
    held = split(0)
    bags = uneven_bags(held.images, held.labels, 400, (4, 12), most=1, seed=0)
    test = uneven_bags(held.test_images, held.test_labels, 400, (4, 12), most=1, seed=1)
    models = {"HopfieldPooling": trained(selecting_pooling(64, 4), bags),
              "gated attention": trained(GatedAttention(64), bags)}  # fmt: skip
    print({name: hits(model, test) for name, model in models.items()})
    draw(models, test, ROOT / "docs" / "images" / "pooling_weights.png")
