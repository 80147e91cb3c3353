"""Draw the pictures of docs/layers.md and docs/hflayers.md: `python docs/make_layers.py`.

Each is computed by the layers themselves; the second holds them against hflayers' way of computing,
as `benchmarks/hflayers_way.py` writes it again.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hopfield import Entmax, Separation, Softmax, Sparsemax, plots
from hopfield.nn import Iteration
from hopfield.nn.functional import association, describe

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import hflayers_way  # noqa: E402

IMAGES = ROOT / "docs" / "images"
BETA = 6.0
SEPARATIONS: dict[str, Separation] = {
    "softmax": Softmax(BETA),
    "1.5-entmax": Entmax(1.5, BETA),
    "sparsemax": Sparsemax(BETA),
}
STORED = torch.tensor([[-0.9, 0.5], [-0.1, 0.95], [0.85, 0.45], [0.6, -0.75], [-0.5, -0.85]])
SOFTMAXES = (1, 2, 4)
SCALE = 1.0


def landed(ways: Tensor) -> int:
    """How many states have come to a pattern, to a thousandth."""
    return int((torch.cdist(ways[-1], STORED).amin(-1) < 1e-3).sum())


def separations(path: Path) -> dict[str, int]:
    """The energy of five patterns in the plane, and where twelve states go, by separation."""
    angles = torch.linspace(0, 2 * torch.pi, 13)[:-1] + 0.2
    states = 0.35 * torch.stack([angles.cos(), angles.sin()], -1)
    ticks = torch.linspace(-1.2, 1.2, 61)
    plane = torch.cartesian_prod(ticks, ticks)
    drawing, found = plots.figure(height=1.62), {}
    for place, (name, separation) in enumerate(SEPARATIONS.items(), 1):
        ways = torch.stack(
            [states]
            + [
                association(states, STORED, separation=separation, iteration=Iteration(n))
                for n in range(1, 13)
            ]
        )
        energy = describe(plane, STORED, separation=separation).energies[0]
        ax: Any = drawing.add_subplot(1, 3, place)
        ax.contourf(ticks, ticks, energy.reshape(61, 61).T, levels=18, cmap="cividis")
        for way in ways.unbind(1):
            ax.plot(*way.T, color="white", lw=1, marker=".", ms=3)
        ax.plot(*STORED.T, "D", color=plots.RED, mec="white", ms=7)
        found[name] = landed(ways)
        ax.set_title(f"{name}: {found[name]} of 12", fontsize=8)
        ax.set(xticks=[], yticks=[], aspect="equal")
    _save(drawing, path)
    return found


def steps(path: Path) -> float:
    """Weights of one head after some softmaxes, by hflayers' way and by ours; how far apart."""
    g = torch.Generator().manual_seed(3)
    stored = torch.randn(1, 1, 16, 8, generator=g)
    state = stored + torch.randn(1, 1, 16, 8, generator=g)
    names = torch.eye(16).expand(1, 1, -1, -1)
    theirs, ours = [], []
    for softmaxes in SOFTMAXES:
        theirs.append(hflayers_way.associate(state, stored, names, SCALE, softmaxes, eps=0.0))
        iteration = Iteration(softmaxes)
        found = describe(state, stored, names, separation=Softmax(SCALE), iteration=iteration)
        ours.append(found.weights)
    gap = max(float((a - b).abs().max()) for a, b in zip(theirs, ours, strict=True))
    drawing = plots.figure(height=2.9)
    for row, (name, each) in enumerate((("hflayers' way", theirs), ("hopfield.nn", ours))):
        for column, weights in enumerate(each):
            ax: Any = drawing.add_subplot(2, 3, 3 * row + column + 1)
            ax.imshow(weights[0, 0], cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if row == 0:
                count = SOFTMAXES[column]
                ax.set_title(f"{count} softmax" + ("es" if count > 1 else ""), fontsize=9)
            if column == 0:
                ax.set_ylabel(f"{name}\nstates", fontsize=9)
            if row == 1:
                ax.set_xlabel("stored patterns", fontsize=9)
    _save(drawing, path)
    return gap


def _save(drawing: Any, path: Path) -> None:
    drawing.savefig(path, dpi=200, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    print(separations(IMAGES / "layers_separations.png"))
    print(steps(IMAGES / "hflayers_steps.png"))
