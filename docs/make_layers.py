"""Draw the pictures of docs/layers.md and docs/hflayers.md: `python docs/make_layers.py`.

The layers compute both; the second compares them with hflayers, as written again in
`benchmarks/hflayers_way.py`.
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


def arrived(paths: Tensor) -> int:
    """Count the states that end within 0.001 of a pattern."""
    return int((torch.cdist(paths[-1], STORED).amin(-1) < 1e-3).sum())


def separations(path: Path) -> dict[str, int]:
    """Draw the energy of five patterns in the plane and the paths of twelve states."""
    angles = torch.linspace(0, 2 * torch.pi, 13)[:-1] + 0.2
    states = 0.35 * torch.stack([angles.cos(), angles.sin()], -1)
    ticks = torch.linspace(-1.2, 1.2, 61)
    plane = torch.cartesian_prod(ticks, ticks)
    drawing, counts = plots.figure(height=1.62), {}
    for place, (name, separation) in enumerate(SEPARATIONS.items(), 1):
        paths = torch.stack(
            [states]
            + [
                association(states, STORED, separation=separation, iteration=Iteration(n))
                for n in range(1, 13)
            ]
        )
        energy = describe(plane, STORED, separation=separation).energies[0]
        ax: Any = drawing.add_subplot(1, 3, place)
        ax.contourf(ticks, ticks, energy.reshape(61, 61).T, levels=18, cmap="cividis")
        for path_of_state in paths.unbind(1):
            ax.plot(*path_of_state.T, color="white", lw=1, marker=".", ms=3)
        ax.plot(*STORED.T, "D", color=plots.RED, mec="white", ms=7)
        counts[name] = arrived(paths)
        ax.set_title(f"{name}: {counts[name]} of 12", fontsize=8)
        ax.set(xticks=[], yticks=[], aspect="equal")
    _save(drawing, path)
    return counts


def steps(path: Path) -> float:
    """Draw weights of one head by hflayers and by this library; return their largest difference."""
    g = torch.Generator().manual_seed(3)
    stored = torch.randn(1, 1, 16, 8, generator=g)
    state = stored + torch.randn(1, 1, 16, 8, generator=g)
    names = torch.eye(16).expand(1, 1, -1, -1)
    theirs, ours = [], []
    for softmaxes in SOFTMAXES:
        theirs.append(hflayers_way.associate(state, stored, names, SCALE, softmaxes, eps=0.0))
        iteration = Iteration(softmaxes)
        result = describe(state, stored, names, separation=Softmax(SCALE), iteration=iteration)
        ours.append(result.weights)
    gap = max(float((a - b).abs().max()) for a, b in zip(theirs, ours, strict=True))
    drawing = plots.figure(height=2.9)
    for row, (name, columns) in enumerate((("hflayers", theirs), ("hopfield.nn", ours))):
        for column, weights in enumerate(columns):
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
