"""Numbers of patterns around the borders of blocks and groups; columns of other units."""

import math
import subprocess
import sys

import pytest
import torch

from cases import seeded
from draws import normal
from hopfield import DenseHopfield, Entmax, ModernHopfield, Softmax, Sparsemax, TopK
from hopfield.readout import BLOCK_ROWS, BLOCK_SCORES, LONG_BLOCK
from hopfield.stores import PackedStore

BORDERS = sorted(
    {
        count + step
        for count in (64, 128, 512, 1024, BLOCK_ROWS, 64_000, LONG_BLOCK, BLOCK_SCORES)
        for step in (-1, 0, 1)
    }
)
SEPARATIONS = {
    "softmax": Softmax(4.0),
    "sparsemax": Sparsemax(4.0),
    "entmax": Entmax(1.5, 4.0),
    "top 3": TopK(3, 4.0),
}


@pytest.mark.parametrize("count", BORDERS)
def test_the_strongest_pattern_is_right_at_every_number_of_patterns(count):
    """The last row, the first and one in the middle; ties name the first."""
    rows = torch.rand(count, 2, generator=seeded(1)) - 0.5
    places = torch.tensor([count - 1, 0, count // 2])
    rows[places] = torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]])
    memory = ModernHopfield(4.0)
    memory.store(rows)
    found = memory.retrieve(rows[places], steps=0)
    assert torch.equal(found.index, places)
    assert bool((found.weight > 0.99).all())
    assert torch.equal(memory.update(rows[places]).round(), rows[places])
    tied = ModernHopfield(4.0)
    tied.store(torch.ones(count, 1))
    assert int(tied.retrieve(torch.ones(1), steps=0).index) == 0


@pytest.mark.parametrize("count", [63, 64, 65, 127, 128, 4095, 4096, 4097])
@pytest.mark.parametrize("name", ["sparsemax", "entmax", "top 3", "binary", "packed"])
def test_other_memories_at_the_borders(name, count):
    places = torch.tensor([count - 1, 0, count // 2])
    if name in SEPARATIONS:
        rows = torch.rand(count, 2, generator=seeded(2)) - 0.5
        rows[places] = torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]])
        memory = ModernHopfield(separation=SEPARATIONS[name])
    else:
        rows = (torch.rand(count, 40, generator=seeded(3)) < 0.5).float() * 2 - 1
        memory = DenseHopfield(2.0, store=PackedStore() if name == "packed" else None)
    memory.store(rows)
    assert torch.equal(memory.retrieve(rows[places], steps=0).index, places)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("column", [0.0, 1e6])
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan"])
@pytest.mark.parametrize("name", SEPARATIONS)
def test_readouts_in_other_units_and_beside_a_large_column(name, similarity, column, size):
    """Against the definition in float64, within the documented slack."""
    rows, cues = normal(30, 6, seed=4).double(), normal(7, 6, seed=5).double()
    rows[:, 2] += column
    cues[:, 2] += column
    rows, cues = (size * rows).float().double(), (size * cues).float().double()
    difference = cues[:, None] - rows
    scores, unit = {
        "dot": (cues @ rows.T, size**2),
        "euclidean": (-difference.square().sum(-1) / 2, size**2),
        "manhattan": (-difference.abs().sum(-1), size),
    }[similarity]
    separation = type(SEPARATIONS[name])(**vars(SEPARATIONS[name]) | {"beta": 4.0 / unit})
    exact = separation(scores) @ rows
    largest, own = rows.norm(dim=-1).max(), cues.norm(dim=-1).max()
    kappa = 1 + 4.0 / size**2 * largest * torch.maximum(largest, own)
    for dtype in (torch.float32, torch.float64):
        memory = ModernHopfield(separation=separation, similarity=similarity)
        memory.store(rows.to(dtype))
        found = memory.retrieve(cues.to(dtype), steps=1, tol=0.0, trace=True)
        assert (found.state.double() - exact).abs().max() <= (
            16 * torch.finfo(dtype).eps * kappa * largest
        )
        if similarity != "manhattan":
            slack = 8 * torch.finfo(dtype).eps * kappa * largest**2
            assert bool((found.trace.double().diff(dim=0) <= slack).all())


@pytest.mark.heavy
def test_another_process_answers_alike(tmp_path):
    """A file is read, and every kind of readout is made, with warnings as errors."""
    memory = ModernHopfield(3.0, similarity="euclidean")
    memory.store(normal(20, 5, seed=6), torch.arange(20))
    memory.save(tmp_path / "memory.safetensors")
    cues = normal(4, 5, seed=7)
    torch.save(cues, tmp_path / "cues.pt")
    script = (
        "import hopfield, torch\n"
        "torch.set_num_threads(1)\n"
        f"memory = hopfield.load({str(tmp_path / 'memory.safetensors')!r})\n"
        f"cues = torch.load({str(tmp_path / 'cues.pt')!r})\n"
        "found = memory.retrieve(cues, torch.arange(5) < 3)\n"
        "print(found.index.tolist(), found.value.tolist(), found.energy.double().tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = memory.retrieve(cues, torch.arange(5) < 3)
    index, value, energies = (eval_list(part) for part in done.stdout.split("] ["))
    assert index == found.index.tolist() and value == found.value.tolist()
    torch.testing.assert_close(torch.tensor(energies), found.energy)


def eval_list(text: str) -> list[float]:
    """Numbers of a printed list."""
    return [float(number) for number in text.strip("[]\n ").split(", ")]


def test_a_removal_in_inference_mode_leaves_an_ordinary_memory():
    memory = ModernHopfield(2.0)
    rows = normal(5, 4, seed=8)
    memory.store(rows, rows)
    with torch.inference_mode():
        memory.remove(1)
    assert not memory.patterns.is_inference() and not memory.values.is_inference()
    memory.store(rows[1:2], rows[1:2])
    state = normal(2, 4, seed=9).requires_grad_()
    memory.energy(state).sum().backward()
    assert bool(torch.isfinite(state.grad).all())


def test_the_entropy_of_certified_readouts_with_shared_weight(monkeypatch):
    """k copies share the weight: log k, by candidates."""
    monkeypatch.setattr("hopfield.memories.scan_candidates.SCAN_WORK", 0)
    for copies in (1, 2, 5):
        rows = normal(300, 8, seed=10)
        rows = torch.cat([rows, rows[:1].expand(copies - 1, -1)])
        memory = ModernHopfield(300.0, similarity="euclidean", precision="certified")
        memory.store(rows)
        found = memory.retrieve(rows[:1], steps=0)
        assert abs(float(found.entropy) - math.log(copies)) < 1e-6
        assert abs(float(found.weight) - 1 / copies) < 1e-6
